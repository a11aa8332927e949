"""The machine: its processes, its signals, its faults."""
