"""Tasks without a benchmark, for engines alone: they wait, copy a file, end their process."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bench.contract.engine import InputFile, Needs
from bench.files.digests import file_sha256
from bench.ground.cores import cores

ONE_CPU = Needs()


@dataclass(frozen=True)
class ToyTask:
    """Takes `seconds`; turns the bytes of `path`, where there is one, round into `target`.

    deadly: a file; while it is there, the task removes it and ends its process.
    """

    name: str
    seconds: float = 0.0
    path: Path | None = None
    target: Path | None = None
    needs: Needs = ONE_CPU
    deadly: Path | None = None

    def inputs(self) -> list[InputFile]:
        return [] if self.path is None else [InputFile(self.path, file_sha256(self.path))]

    def moved(self, place: Callable[[Path], Path]) -> ToyTask:
        path = None if self.path is None else place(self.path)
        target = None if self.target is None else place(self.target)
        return replace(self, path=path, target=target)


@dataclass(frozen=True)
class ToyRecord:
    """What came of a task, and where."""

    name: str
    said: str
    device: str
    process: int
    cores: tuple[int, ...]


class ToyWorker:
    """Carries toy tasks out."""

    def __init__(self, device: str) -> None:
        self.device = device

    def work(self, tasks: Iterable[ToyTask]) -> Iterator[ToyRecord]:
        for task in tasks:
            time.sleep(task.seconds)
            if task.deadly is not None and task.deadly.exists():
                task.deadly.unlink()
                os.kill(os.getpid(), signal.SIGKILL)
            if task.path is not None and task.target is not None:
                task.target.parent.mkdir(parents=True, exist_ok=True)
                task.target.write_bytes(task.path.read_bytes()[::-1])
            yield ToyRecord(
                task.name, f"read {task.path}", self.device, os.getpid(), tuple(cores())
            )


@dataclass(frozen=True)
class ToyStart:
    """Starts toy workers."""

    folder: Path

    def __call__(self, device: str) -> ToyWorker:
        return ToyWorker(device)
