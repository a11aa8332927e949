"""Features that several metrics read; each is computed once per video (`bench.Feature`)."""
