"""A benchmark: its config, its plan, and the work that fills the plan's cells."""
