"""The processor's cores that are ours: on a shared machine, a job may have few of many."""

from __future__ import annotations

import os


def cores() -> list[int]:
    """The numbers of the processor's cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))
