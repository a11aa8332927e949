"""Features: arrays that are computed once per video, for all methods and metrics."""
