"""Kills driver, worker and Ray node at random moments: `python -m tests.kills [TIMES]`.

pytest does not collect it, for twenty kills of each kind take minutes. Every run of a kind starts
from nothing, is killed once, and is resumed; its records must equal those of a run that was never
killed. Prints a line for each kind; the exit code is 1 where a record differs.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.records.schema import GENERATIONS, MEASUREMENTS, PREPARATIONS
from tests.conftest import ROOT
from tests.test_prepare import learner_config, make_data
from tests.test_run import bench, records

FILES = (PREPARATIONS, GENERATIONS, MEASUREMENTS)
Strike = Callable[[subprocess.Popen[bytes]], None]  # kills something of a running benchmark


def main(times: int) -> int:
    """Carries out all kinds; returns the exit code."""
    moments = random.Random(11)
    different = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["BENCH_CACHE"] = str(folder / "cache")
        make_data(folder)
        config = learner_config(folder)
        assert bench("run", config, "-o", folder / "whole")[0] == 0
        kinds: dict[str, tuple[Strike, list[str]]] = {
            "driver": (_kill_driver, []),
            "worker": (_kill_worker, ["--workers", "2"]),
        }
        for kind, (strike, options) in kinds.items():
            outcomes = [_outcome(config, folder, moments, strike, options) for _ in range(times)]
            different += _told(kind, outcomes)
        with _cluster() as cluster:
            outcomes = []
            for _ in range(times):
                node = cluster.add_node(num_cpus=1, object_store_memory=100 << 20)
                options = ["--engine", "ray", "--address", cluster.address, "--workers", "2"]
                strike = _removing(cluster, node)
                outcomes.append(_outcome(config, folder, moments, strike, options))
            different += _told("Ray node", outcomes)
    return int(different > 0)


def _outcome(
    config: Path, folder: Path, moments: random.Random, strike: Strike, options: list[str]
) -> str:
    """One run that is struck and resumed: "undisturbed", "resumed" or "different"."""
    run = folder / "run"
    shutil.rmtree(run, ignore_errors=True)
    shutil.rmtree(folder / "cache", ignore_errors=True)  # what was learnt is shared through it
    total = sum(len(records(folder / "whole", name)) for name in FILES)
    awaited = moments.randrange(total)
    command = [sys.executable, "-m", "bench", "run", str(config), "-o", str(run), *options]
    process = subprocess.Popen(
        [*command, "--device", "cpu"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while process.poll() is None and _lines(run) < awaited:
        time.sleep(0.002)
    time.sleep(moments.uniform(0, 0.03))
    strike(process)
    code = process.wait(timeout=300)
    if code:
        assert bench("run", config, "-o", run)[0] == 0
    same = all(records(run, name) == records(folder / "whole", name) for name in FILES)
    if not same:
        return "different"
    return "resumed" if code else "undisturbed"


def _kill_driver(process: subprocess.Popen[bytes]) -> None:
    process.kill()


def _kill_worker(process: subprocess.Popen[bytes]) -> None:
    """Kills the first process that works for this driver, if one has started."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while process.poll() is None:
        for child in children.read_text().split():
            command = Path(f"/proc/{child}/cmdline")
            if command.exists() and b"spawn_main" in command.read_bytes():
                os.kill(int(child), signal.SIGKILL)
                return
        time.sleep(0.01)


def _removing(cluster: Any, node: Any) -> Strike:
    def strike(_: subprocess.Popen[bytes]) -> None:
        thread = threading.Thread(target=cluster.remove_node, args=(node, False))
        thread.start()
        thread.join()

    return strike


@contextmanager
def _cluster() -> Iterator[Any]:
    """A cluster of one lasting node, whose workers find the code."""
    from ray.cluster_utils import Cluster

    os.environ["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
    )
    cluster = Cluster()
    cluster.add_node(num_cpus=1, object_store_memory=100 << 20, include_dashboard=False)
    try:
        yield cluster
    finally:
        cluster.shutdown()


def _lines(run: Path) -> int:
    paths = [run / name for name in FILES]
    return sum(path.read_bytes().count(b"\n") for path in paths if path.exists())


def _told(kind: str, outcomes: list[str]) -> int:
    """Prints how a kind ended; returns how many runs differ."""
    counts = {name: outcomes.count(name) for name in ("undisturbed", "resumed", "different")}
    print(kind, *(f"{number} {name}" for name, number in counts.items()), sep=", ", flush=True)
    return counts["different"]


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
