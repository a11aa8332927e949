"""Distances of two sets of features, and how far they would move with other clips."""
