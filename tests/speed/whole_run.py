"""A whole `bench run`: what is not decoding, encoding or computing; a second run; peak memory."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.conftest import ROOT
from tests.small_data import make_config, make_manifest
from tests.speed import peak_memory

FEW, MANY = 20, 200


def measure() -> str:
    """Three lines: overhead, the second run's seconds, and memory for 20 and 200 clips."""
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        smoke = ["run", "configs/smoke.yaml", "-o", str(folder / "smoke")]
        output, _, _ = _bench(smoke, folder)
        overhead = re.search(r"([\d.]+) s, ([\d.]+)% outside", output)
        assert overhead is not None, output
        lines.append(
            f"smoke run: {overhead[1]} s, {overhead[2]} % outside decoding, encoding and computing "
            "(asked: at most 5 %)"
        )
        _, seconds, _ = _bench(smoke, folder)
        lines.append(f"second run of a finished config: {seconds:.1f} s (asked: under 5)")
        few, many = (_memory(folder / str(count), count) for count in (FEW, MANY))
        lines.append(
            f"peak memory: {few:.0f} MiB for {FEW} clips, {many:.0f} MiB for {MANY}: "
            f"ratio {many / few:.2f} (asked: at most 1.10)"
        )
    return "\n".join(lines)


def _memory(folder: Path, clips: int) -> float:
    make_manifest(folder / "data", tuple(f"clip{i:03d}" for i in range(clips)), size=96, frames=25)
    config = make_config(folder)
    _, _, mebibytes = _bench(["run", str(config), "-o", str(folder / "run")], folder)
    return mebibytes


def _bench(arguments: list[str], folder: Path) -> tuple[str, float, float]:
    """Output, wall seconds and peak memory (MiB) of one command in a process of its own."""
    peak = folder / "peak"
    command = [sys.executable, "-m", "bench.command.cli", *arguments]
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, peak_memory.__file__, str(peak), *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "COLUMNS": "300"},
        check=False,
    )
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        raise SystemExit(done.stdout)
    return done.stdout, seconds, int(peak.read_text(encoding="ascii")) / 1024


if __name__ == "__main__":
    print(measure())
