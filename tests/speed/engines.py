"""Engines: empty tasks a second, two workers against one, Ray against processes."""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.contract.engine import Crew
from bench.run.engines import make_engine
from tests.conftest import ROOT
from tests.small_data import make_config, make_manifest
from tests.toy_tasks import ToyStart, ToyTask

TASKS = 2000
CLIPS, FRAMES, SIZE = 24, 50, 192  # of the run that is shared; some seconds of work
ROUNDS = 5


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
        runs = {"two": ("processes", 2, 2), "alone": ("here", 1, 1), "one": ("here", 1, 2)}
        if has_ray:
            runs["ray"] = ("ray", 2, 2)
        # In rounds: a machine's speed changes within minutes, so only neighbours are compared.
        rounds = [
            {name: _run(config, folder / f"{name}-{number}", *run) for name, run in runs.items()}
            | {"apart": _apart(config, folder / f"apart-{number}")}
            for number in range(ROUNDS)
        ]
        lines.append(
            "two workers on two cores against one on one core: "
            f"{_ratios(rounds, 'alone', 'two')} times as fast (asked: at least 1.8, with the "
            "machine to itself); what two runs that share nothing reach, each alone on a core of "
            f"this machine: {_ratios(rounds, 'alone', 'apart')} times; one worker on two cores, "
            f"which encodes beside its computing: {_ratios(rounds, 'alone', 'one')} times"
        )
        if has_ray:
            lines.append(
                f"Ray's time against that of processes: {_ratios(rounds, 'ray', 'two')} times "
                "(asked: at most 1.05)"
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


def _ratios(rounds: list[dict[str, float]], above: str, below: str) -> str:
    """The median over the rounds of the ratio of two runs of a round, and the range."""
    found = [seconds[above] / seconds[below] for seconds in rounds]
    return f"{statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f}, {ROUNDS} rounds)"


def _apart(config: Path, run: Path) -> float:
    """Seconds a run of two complete runs side by side, each on its own core: the most that any
    engine can reach, for the two share nothing but memory and caches."""
    with ThreadPoolExecutor(2) as pool:
        jobs = [
            pool.submit(_run, config, run.with_name(f"{run.name}-{core}"), "here", 1, 1, core)
            for core in range(2)
        ]
        return max(job.result() for job in jobs) / 2


def _run(
    config: Path, run: Path, engine: str, workers: int, cores: int, first_core: int = 0
) -> float:
    """The seconds that the cells of a run took, in a process of its own on so many cores."""
    usable = sorted(os.sched_getaffinity(0))[first_core : first_core + cores]
    command = ["taskset", "-c", ",".join(map(str, usable))]
    command += [sys.executable, "-m", "tests.speed.engines"]
    done = subprocess.run(
        [*command, str(config), str(run), engine, str(workers)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": str(cores // workers)},
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout.split()[-1])


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
