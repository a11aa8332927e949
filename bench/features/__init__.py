"""What is computed once per video, for all methods and metrics."""
