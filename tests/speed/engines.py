"""Engines: empty tasks a second, two workers against one, Ray against processes."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.contract.engine import Crew
from bench.run.engines import make_engine
from tests.conftest import ROOT
from tests.small_data import make_config, make_manifest
from tests.toy_tasks import ToyStart, ToyTask

TASKS = 2000
CLIPS, FRAMES, SIZE = 24, 50, 192  # of the run that is shared; some seconds of work
REPEATS = 3


def measure() -> str:
    """Lines: each engine's tasks a second, then the ratios."""
    has_ray = importlib.util.find_spec("ray") is not None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = [f"empty tasks by `here`: {_rate('here', 1, folder):,.0f} a second"]
        for engine in ("processes", "ray") if has_ray else ("processes",):
            rate = _rate(engine, 2, folder)
            lines.append(f"empty tasks by `{engine}`, two workers: {rate:,.0f} a second")
        make_manifest(
            folder / "data", tuple(f"c{i}" for i in range(CLIPS)), size=SIZE, frames=FRAMES
        )
        config = make_config(folder, metrics=[{"name": "psnr"}, {"name": "ssim"}], tables=[])
        two = _best(config, folder, "processes", 2)
        alone = _best(config, folder, "here", 1, cores=1)
        one = _best(config, folder, "here", 1)
        lines.append(
            f"two workers on two cores against one on one core: {alone / two:.2f} times as fast "
            f"(best of {REPEATS} each; asked: at least 1.8, with the machine to itself); "
            f"one worker on two cores, which encodes beside its computing: {alone / one:.2f} times"
        )
        if has_ray:
            ray = _best(config, folder, "ray", 2)
            lines.append(
                f"Ray against processes: {100 * (ray / two - 1):+.0f} % (best of {REPEATS} each; "
                "asked: at most 5 % slower)"
            )
    return "\n".join(lines if has_ray else [*lines, "Ray is not installed"])


def _rate(name: str, workers: int, folder: Path) -> float:
    """Empty tasks a second, from the first result on: starting workers is another matter."""
    tasks = [ToyTask(str(number)) for number in range(TASKS)]
    engine = make_engine(name, Crew(workers), {})
    results = engine.run(tasks, ToyStart(folder))
    next(results)
    start = time.perf_counter()
    left = sum(1 for _ in results)
    return left / (time.perf_counter() - start)


def _best(config: Path, folder: Path, engine: str, workers: int, *, cores: int = 2) -> float:
    """The least seconds that the cells of a run took, in a process of its own on so many cores."""
    usable = sorted(os.sched_getaffinity(0))[:cores]
    found = []
    for number in range(REPEATS):
        run = folder / f"{engine}{cores}-{number}"
        command = ["taskset", "-c", ",".join(map(str, usable))]
        command += [sys.executable, "-m", "tests.speed.engines"]
        done = subprocess.run(
            [*command, str(config), str(run), engine, str(workers)],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            check=True,
            capture_output=True,
            text=True,
        )
        found.append(float(done.stdout.split()[-1]))
    return min(found)


def _seconds(config: Path, run: Path, engine: str, workers: int) -> float:
    """Seconds from a run's second record to its last: without the start of workers."""
    from bench.machine.clock import Clock
    from bench.records.store import Store
    from bench.run.casework import StartCaseWorker
    from bench.run.config import load_config
    from bench.run.plan import find_missing, make_plan

    tasks = find_missing(make_plan(load_config(config)), Store(run)).tasks
    records = make_engine(engine, Crew(workers), {}).run(tasks, StartCaseWorker(run, Clock()))
    next(records)
    start = time.perf_counter()
    for _ in records:
        pass
    return time.perf_counter() - start


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(_seconds(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
    else:
        print(measure())
