"""The machine: processes, signals and faults."""
