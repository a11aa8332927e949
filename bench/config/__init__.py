"""Yaml as written by people: read with line numbers, checked whole, all problems at once."""
