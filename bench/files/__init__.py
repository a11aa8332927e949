"""Files: written whole or not at all, locked, found, digested; weights verified by digest."""
