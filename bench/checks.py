"""Contract checks for plugins (placeholder until written)."""
