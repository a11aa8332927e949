"""Reads the yaml files that people write, and reports all their problems at once, with lines."""
