"""No worker outlives a killed parent: it would write into the folder of the next run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bench.machine.stopping import stoppable
from bench.machine.worker_pool import interrupts_held
from tests.conftest import ROOT
from tests.small_data import make_config, make_manifest

LINUX = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into Linux's /proc")
# Run as the script `bench`: after `python -m` CPython ends itself by SIGINT if a KeyboardInterrupt,
# even a handled one, interrupted the exec of a string (a dataclass's, in an import): its exit code
# is then -2 instead of 130; a shell shows 130 for both.
BENCH = "from bench.command.cli import main; main(prog_name='bench')"
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
    """Whether a process ends, or becomes a zombie, within so many seconds."""
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
    """The worker processes that a process started."""
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


@LINUX
def test_a_pool_process_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
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


@pytest.mark.slow
@LINUX
@pytest.mark.parametrize(
    ("number", "whole_group"),
    [
        (signal.SIGKILL, False),
        (signal.SIGINT, False),
        (signal.SIGINT, True),
        (signal.SIGTERM, False),
    ],
)
def test_an_ended_run_leaves_no_worker_even_while_they_start(
    tmp_path: Path, number: signal.Signals, whole_group: bool
) -> None:
    make_manifest(tmp_path / "data")
    arguments = ["run", str(make_config(tmp_path)), "-o", str(tmp_path / "run"), "--workers", "2"]
    run = subprocess.Popen(
        [sys.executable, "-c", BENCH, *arguments],
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
    told, _ = run.communicate(timeout=120)
    if number == signal.SIGKILL:
        assert run.returncode == -number
    else:
        assert run.returncode == 128 + number
        assert "Traceback" not in told
        assert "the same command goes on" in told
    assert len(workers) == 2
    assert all(ends(worker, within=120 if number == signal.SIGKILL else 1) for worker in workers)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_another_thread_does_not_interrupt_the_start_of_a_process(
    number: signal.Signals,
) -> None:
    over = threading.Event()
    other = threading.Thread(target=over.wait)
    other.start()
    steps: list[str] = []

    def start() -> None:
        with interrupts_held():
            os.kill(os.getpid(), number)
            time.sleep(0.2)
            steps.append("started")
        steps.append("went on")

    try:
        with stoppable(), pytest.raises(KeyboardInterrupt):
            start()
    finally:
        over.set()
        other.join()
    assert steps == ["started"]
