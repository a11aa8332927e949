"""Runs a command and writes down the peak of its memory.

A child's ru_maxrss cannot tell it: that starts at the size of the process that started the child.
VmHWM starts anew with the program, and is read until this ends.
"""

from __future__ import annotations

import subprocess
import sys
import time

EVERY = 0.02  # seconds between two looks at /proc


def main() -> int:
    """Runs sys.argv[2:]; writes the peak in KiB to the file sys.argv[1]; its exit code."""
    process = subprocess.Popen(sys.argv[2:])
    peak = 0
    while process.poll() is None:
        peak = max(peak, high_water(process.pid))
        time.sleep(EVERY)
    with open(sys.argv[1], "w", encoding="ascii") as file:  # noqa: PTH123 (pathlib is large)
        file.write(str(peak))
    return process.returncode


def high_water(process: int) -> int:
    """VmHWM of a process in KiB, the most that it has held so far; 0 where it has ended."""
    try:
        with open(f"/proc/{process}/status", encoding="ascii") as file:  # noqa: PTH123
            lines = [line for line in file if line.startswith("VmHWM:")]
    except OSError:
        return 0
    return int(lines[0].split()[1]) if lines else 0


if __name__ == "__main__":
    sys.exit(main())
