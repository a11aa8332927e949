"""From answers to scores: who is excluded, means, agreement, significance, correlation."""
