"""The ground that all rooms stand on: the exceptions, the shared types, the statistics."""
