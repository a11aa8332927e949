"""What a plugin author reads: the plugin classes, their inputs and outputs, the hooks."""
