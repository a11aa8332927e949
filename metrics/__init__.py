"""Built-in metrics, each a plugin like a third party's."""
