"""Data sets: manifests, importers, the embedded corpora."""
