"""Training: the loop, its settings, clips made ready, curves."""
