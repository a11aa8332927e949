"""The training loop: steps that can be stopped and resumed, checkpoints, curves.

A training is a state (networks, optimiser) and a function that advances it by one step. If a step
depends only on the state, its number and the seed, then a training that was stopped and resumed
writes the same curve as an uninterrupted one.
"""

from __future__ import annotations

import csv
import ctypes
import logging
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from bench.files.one_move import in_one_move
from bench.files.tensor_files import unpacked
from bench.ground.errors import BenchError
from bench.train import curves
from bench.train.processes import ALONE, Processes

if TYPE_CHECKING:
    from torch.utils.data import Dataset

    from bench.train.settings import StageSettings
    from bench.train.trainable import TrainJob

Batch = TypeVar("Batch")
Made = TypeVar("Made", covariant=True)

CHECKPOINT = "checkpoint.pt"
CURVES = "curves.csv"
PICTURE = "curves.svg"


class Stopped(BenchError):
    """A user stopped a training; it can be resumed."""


class Batches(Protocol[Made]):
    """The batches of a training by step, such as a torch Dataset."""

    def __getitem__(self, step: int, /) -> Made:
        """The batch of one step; depends only on the step."""
        ...

    def __len__(self) -> int:
        """The number of steps."""
        ...


class State(Protocol):
    """What a checkpoint holds: tensors, numbers and containers of them, by name."""

    def state_dict(self) -> dict[str, object]:
        """Everything that the next step depends on."""
        ...

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Restores what `state_dict` returned."""
        ...


@dataclass(frozen=True)
class Loop:
    """How long to train, and how often to report and save.

    steps: in total. report_every: steps over which a row of the curve is averaged. save_every:
    steps between checkpoints, a multiple of report_every, so that checkpoints fall between rows.
    folder: gets `checkpoint.pt`, `curves.csv` and `curves.svg`. resume: continue from the
    checkpoint there, if any. processes: those that train together; only the first writes and
    validates. stop_after: wall-clock seconds after which this run treats the current step as its
    last; None: no limit.
    """

    steps: int
    report_every: int
    save_every: int
    folder: Path
    resume: bool
    log: logging.Logger
    processes: Processes = ALONE
    stop_after: float | None = None

    def __post_init__(self) -> None:
        if self.save_every % self.report_every:
            raise ValueError(f"save_every={self.save_every} is no multiple of {self.report_every}")

    @classmethod
    def of(cls, stage: StageSettings, job: TrainJob[Any], *, folder: Path | None = None) -> Loop:
        """The loop for a stage's settings. folder: the stage's, if it is not the job's."""
        return cls(
            steps=stage.steps,
            report_every=stage.steps_in_a_row,
            save_every=stage.save_every,
            folder=folder or job.folder,
            resume=job.resume,
            log=job.log,
            processes=job.processes,
            stop_after=stage.stop_after,
        )


class States:
    """Parts of a training as one state, by name: networks, averages, optimisers, best weights."""

    def __init__(self, **parts: Any) -> None:
        self._parts = parts

    def state_dict(self) -> dict[str, object]:
        """Every part's state by its name."""
        return {name: part.state_dict() for name, part in self._parts.items()}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Restores what `state_dict` returned; raises KeyError if a part is missing."""
        for name, part in self._parts.items():
            part.load_state_dict(state[name])


def run(
    loop: Loop,
    state: State,
    batches: Batches[Batch],
    advance: Callable[[int, Batch], Mapping[str, float]],
    *,
    validate: Callable[[int], Mapping[str, float]],
    is_enough: Callable[[], bool] = lambda: False,
    made_here: bool = False,
) -> None:
    """Trains to the end; raises Stopped if Ctrl-C ended the training before.

    batches[step] is built in a second process, ahead of its use; it should depend only on the step.
    made_here: build batches in this process, when needed, for batches that are on the device.
    advance(step, batch) trains one step and returns its losses. validate(step) returns figures on
    held-out data; it is called at every checkpoint. is_enough() is called after it, and ends the
    training early if true. When the time is up (`stop_after`), training ends with the current step,
    which is reported, validated and saved as the last one. After Ctrl-C, training continues to the
    next report and saves; a second Ctrl-C stops at once and keeps the last checkpoint. Several
    processes use different batches, number step * count + rank; there Ctrl-C stops at once, since
    the processes could not agree on a step to save.
    """
    loop.folder.mkdir(parents=True, exist_ok=True)
    first = _resumed(loop, state)
    if first and is_enough():  # the resumed training had ended early
        return
    rows = _rows_before(loop.folder / CURVES, first) if first else []
    remaining = range(first, loop.steps)
    together = loop.processes
    own = range(first * together.count + together.rank, loop.steps * together.count, together.count)
    sums: dict[str, float] = {}
    clock = _Clock()
    until = math.inf if loop.stop_after is None else time.monotonic() + loop.stop_after
    with _interruptible(together.count == 1) as is_interrupted:
        made = (batches[step] for step in own) if made_here else _made_ahead(batches, own)
        for step, batch in zip(remaining, clock.watched(made), strict=True):
            for name, value in advance(step, batch).items():
                sums[name] = sums.get(name, 0.0) + value
            done = step + 1
            is_over = until < math.inf and together.agree(time.monotonic() >= until)
            is_last = done == loop.steps or is_over
            if done % loop.report_every and not is_last:
                continue
            span = done % loop.report_every or loop.report_every
            row: dict[str, float] = {"step": done}
            row |= {name: total / span for name, total in sums.items()}
            sums = {}
            is_due = done % loop.save_every == 0 or is_last
            if is_due:
                row |= validate(done)
            rows.append(row)
            _tell(loop, row, clock)
            # Only after a complete row: a checkpoint inside a row would lose its partial sums, and
            # the resumed curve would differ. So Ctrl-C takes effect a few steps later.
            if (is_due or is_interrupted()) and together.is_first:
                write_curves(loop.folder / CURVES, rows)
                curves.draw(loop.folder / PICTURE, rows)
                save_checkpoint(loop.folder / CHECKPOINT, done, state, steps=loop.steps)
            if is_interrupted() and not is_last:
                raise Stopped(
                    f"{loop.folder}: stopped and saved after step {done} of {loop.steps}; "
                    "--resume goes on"
                )
            if is_due and (is_over or is_enough()):
                why = "time is up" if is_over else "enough"
                loop.log.info("%s after step %d of %d", why, done, loop.steps)
                return


class _Clock:
    """Seconds per step, and the share of them spent waiting for the batch."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.waited = 0.0
        self.steps = 0

    def watched(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The same batches, counting the time spent waiting for each."""
        while True:
            asked = time.monotonic()
            batch = next(batches, None)
            if batch is None:
                return
            now = time.monotonic()
            if self.steps:
                self.waited += now - asked
            else:  # the first batch starts the process that builds them
                self.started = now
            self.steps += 1
            yield batch

    @property
    def seconds(self) -> float:
        """Seconds per step, including the waiting."""
        return (time.monotonic() - self.started) / max(self.steps, 1)

    @property
    def waiting(self) -> float:
        """The share of time spent waiting, in [0, 1]."""
        return self.waited / max(time.monotonic() - self.started, 1e-9)


def _made_ahead(batches: Batches[Batch], steps: range) -> Iterator[Batch]:
    """The batches of these steps, built by another process: threads would share one lock."""
    from torch.utils.data import DataLoader

    def leave_interrupts_to_the_trainer(_worker: int) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    yield from DataLoader(
        cast("Dataset[Batch]", batches),
        batch_size=None,
        sampler=steps,
        num_workers=1,
        prefetch_factor=4,
        worker_init_fn=leave_interrupts_to_the_trainer,
    )


def occupy(device: str, threads: int | None) -> None:
    """Prepares this process for training on a device. threads: of torch; None: its own choice."""
    import cv2
    import torch

    if device.startswith("cpu"):
        _hold_memory()
        cv2.setNumThreads(1)
    if threads is not None:
        torch.set_num_threads(threads)


def _hold_memory() -> None:
    """Makes the process keep the memory that it frees; works with glibc, else does nothing.

    Each step allocates the same large arrays. Returning them to the system and faulting them in
    again page by page costs more than the arithmetic: on a small virtual machine a step took 3.4 s
    without this and 0.25 s with it.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    trim_threshold, top_pad, mmap_max, arena_max = -1, -2, -4, -8  # malloc.h
    mallopt(mmap_max, 0)
    mallopt(trim_threshold, 2**31 - 1)
    mallopt(top_pad, 2**28)
    mallopt(arena_max, 1)


def one_cycle(step: int, *, steps: int, peak: float, warm: float = 0.2) -> float:
    """The learning rate at a step: up to the peak over the share `warm`, then down by a cosine."""
    place = step / max(steps - 1, 1)
    if place < warm:
        return peak * (0.04 + 0.96 * 0.5 * (1.0 - math.cos(math.pi * place / warm)))
    return peak * (0.001 + 0.999 * 0.5 * (1.0 + math.cos(math.pi * (place - warm) / (1.0 - warm))))


def save_checkpoint(path: Path, step: int, state: State, *, steps: int | None = None) -> None:
    """Replaces the old checkpoint by the state, in one move.

    step: how many steps are done. steps: how many there are in total.
    """
    import torch

    with (
        in_one_move(path) as part,
        part.open("wb") as stream,
    ):  # given a path, torch would store its name
        torch.save({"step": step, "steps": steps, "state": state.state_dict()}, stream)


@dataclass(frozen=True)
class Checkpoint:
    """The content of a checkpoint. steps: how many there are in total; None if not stored."""

    step: int
    steps: int | None
    state: dict[str, object]


def read_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint, with tensors mapped from the file; BenchError if it is none."""
    saved = unpacked(path)
    if isinstance(saved, dict):
        step, steps, state = saved.get("step"), saved.get("steps"), saved.get("state")
        if isinstance(step, int) and isinstance(steps, int | None) and isinstance(state, dict):
            return Checkpoint(step, steps, state)
    raise BenchError(f"{path}: expected the checkpoint of a training, found something else")


def write_curves(path: Path, rows: list[dict[str, float]]) -> None:
    """Writes the rows as csv; columns in order of first appearance, missing figures empty."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with in_one_move(path) as part, part.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: f"{value:.6g}" for name, value in row.items()} for row in rows)


def is_resumed(asked: Loop | TrainJob[Any]) -> bool:
    """Whether it goes on from a checkpoint in its folder."""
    return asked.resume and (asked.folder / CHECKPOINT).exists()


def _resumed(loop: Loop, state: State) -> int:
    """The number of steps already done: loads the checkpoint if the loop goes on from one."""
    path = loop.folder / CHECKPOINT
    if not is_resumed(loop):
        return 0
    saved = read_checkpoint(path)
    try:
        state.load_state_dict(saved.state)
    except (RuntimeError, LookupError, ValueError, TypeError, AttributeError) as error:
        reason = str(error).splitlines()[0]
        raise BenchError(
            f"{path}: is the checkpoint of another training, or of other settings ({reason}). Use "
            "the config that began it, or start again in another folder (-o)."
        ) from error
    step = saved.step
    loop.log.info("resumed after step %d of %d", step, loop.steps)
    return step


def _rows_before(path: Path, done: int) -> list[dict[str, float]]:
    """The curve up to the checkpoint; later rows belong to steps that are trained again."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        rows = [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(stream)]
    return [row for row in rows if row["step"] <= done]


def _tell(loop: Loop, row: Mapping[str, float], clock: _Clock) -> None:
    figures = "  ".join(f"{name} {value:.3g}" for name, value in row.items() if name != "step")
    left = (loop.steps - row["step"]) * clock.seconds / 60
    loop.log.info(
        "step %d/%d  %s  (%.2f s a step, %.0f%% of it waiting for data; %.0f min left)",
        row["step"],
        loop.steps,
        figures,
        clock.seconds,
        100 * clock.waiting,
        left,
    )


@contextmanager
def _interruptible(is_wanted: bool) -> Iterator[Callable[[], bool]]:
    """Turns the first Ctrl-C into a flag, if wanted and in the main thread."""
    asked: list[int] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    if not is_wanted or threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)
