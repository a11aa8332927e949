"""Making an embedded corpus: seconds of processor and of wall time for 100 clips."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from bench.data import synth
from bench.ground.cores import cores

CLIPS = 33  # three of each person of synth-zh, whose portraits are painted once; scaled to 100


def measure() -> str:
    """One line. A figure and no ratio: there is nothing to compare with but what was asked."""
    workers = min(2, len(cores()))
    with tempfile.TemporaryDirectory() as name:
        before, start = _processor_seconds(), time.perf_counter()
        synth.build("synth-zh", folder=Path(name), clips=CLIPS, workers=workers)
        wall, processor = time.perf_counter() - start, _processor_seconds() - before
    wall, processor = (100 / CLIPS * each for each in (wall, processor))
    return (
        f"making 100 clips of synth-zh: {wall:.0f} s with {workers} processes (asked: at most 120 "
        f"on two cores), {processor:.0f} s of processor time"
    )


def _processor_seconds() -> float:
    """Of this process and of all its children that have ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


if __name__ == "__main__":
    print(measure())
