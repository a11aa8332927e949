"""What a plugin author reads: the plugin classes, what they get and give, the hooks."""
