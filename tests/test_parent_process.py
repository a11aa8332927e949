"""No process outlives a parent that was killed: it would write beside the run that follows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.small_data import make_config, make_manifest

POOL = """
import multiprocessing, os, sys, time
from concurrent.futures import ProcessPoolExecutor
from bench.machine.parent_process import end_with_parent

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=end_with_parent) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        time.sleep(600)
"""


def ends(process: int, *, within: float = 60.0) -> bool:
    """Whether a process is gone, or gone but for its entry in the table, in so many seconds."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def workers_of(parent: int) -> list[int]:
    """The worker processes that a process has started."""
    found: list[int] = []
    for process in (path for path in Path("/proc").iterdir() if path.name.isdigit()):
        try:
            words = (process / "stat").read_text().rpartition(")")[2].split()
            command = (process / "cmdline").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
        if int(words[1]) == parent and "spawn_main" in command:
            found.append(int(process.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into Linux's /proc")
def test_a_pools_process_ends_with_its_killed_parent(tmp_path: Path) -> None:
    script = tmp_path / "pool.py"
    script.write_text(POOL, encoding="utf-8")
    parent = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert ends(worker)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into Linux's /proc")
def test_a_killed_run_leaves_no_worker_behind(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data")
    command = [sys.executable, "-m", "bench.command.cli", "run", str(make_config(tmp_path))]
    run = subprocess.Popen(
        [*command, "-o", str(tmp_path / "run"), "--workers", "2"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    workers: list[int] = []
    while len(workers) < 2 and run.poll() is None:
        time.sleep(0.02)
        workers = workers_of(run.pid)
    assert run.poll() is None
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert len(workers) == 2
    assert all(ends(worker, within=120) for worker in workers)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into Linux's /proc")
@pytest.mark.parametrize(
    ("number", "whole_group"),
    [(signal.SIGINT, False), (signal.SIGINT, True), (signal.SIGTERM, False)],
)
def test_a_run_that_is_told_to_stop_ends_its_workers_even_while_they_start(
    tmp_path: Path, number: signal.Signals, whole_group: bool
) -> None:
    make_manifest(tmp_path / "data")
    command = [sys.executable, "-m", "bench.command.cli", "run", str(make_config(tmp_path))]
    run = subprocess.Popen(
        [*command, "-o", str(tmp_path / "run"), "--workers", "2"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    workers: list[int] = []
    while len(workers) < 2 and run.poll() is None:
        time.sleep(0.02)
        workers = workers_of(run.pid)
    assert run.poll() is None
    os.killpg(run.pid, number) if whole_group else os.kill(run.pid, number)
    told, _ = run.communicate(timeout=60)
    assert run.returncode == 128 + number
    assert "Traceback" not in told
    assert "the same command goes on" in told
    assert all(ends(worker, within=1) for worker in workers)
