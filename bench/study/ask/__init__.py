"""A study's pages, the server that serves them, and the ledger that stores the answers."""
