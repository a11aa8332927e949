"""Built-in methods, each a plugin like a third party's."""
