"""Scores the answers of a study: screening, means, agreement, significance, correlation."""
