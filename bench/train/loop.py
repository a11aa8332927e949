"""What every training here needs: steps that can be stopped and resumed, checkpoints, curves.

A training is a state (networks, optimiser) and a function that advances it by one step. If a step
depends on the state, its number and the seed only, then a training that was stopped and resumed
writes the same curve as one that was not.
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

from bench.errors import BenchError
from bench.files.one_move import in_one_move
from bench.files.tensor_files import unpacked
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
    """Somebody stopped a training; it can go on."""


class Batches(Protocol[Made]):
    """The batches of a training by step, such as a torch Dataset."""

    def __getitem__(self, step: int, /) -> Made:
        """The batch of one step, a function of the step alone."""
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
        """Puts back what `state_dict` gave."""
        ...


@dataclass(frozen=True)
class Loop:
    """How long to train and how often to look up.

    steps: in all. report_every: steps over which a row of the curve is averaged. save_every: steps
    between checkpoints, a multiple of report_every, so that no row straddles one. folder: gets
    `checkpoint.pt`, `curves.csv` and `curves.svg`. resume: go on from the checkpoint there, if
    there is one. processes: those that train together; the first alone writes and validates.
    stop_after: wall-clock seconds of this run after which it ends as if that had been the last
    step; None: no limit.
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
        """As a stage's settings say. folder: the stage's own, where it is not the job's."""
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
        """Puts back what `state_dict` gave; raises KeyError where a part is missing."""
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
    """Trains to the end; raises Stopped where Ctrl-C came before it.

    batches[step] is made in a second process, ahead of its use; it should depend on the step alone.
    made_here: in this one, at its use, for batches that lie on the device already.
    advance(step, batch) trains one step and returns its losses. validate(step) returns figures on
    held-out data; it is asked at every checkpoint, and is_enough() after it, which ends training
    early. When the time is up (`stop_after`), training ends with the step under way, which is
    reported, validated and saved as a last one. Ctrl-C lets training go on to the next report and
    saves; a second Ctrl-C stops at once, and the last checkpoint stands. With several processes
    each takes batches of its own, number step * count + rank, and Ctrl-C stops at once: they could
    not agree on a step to save.
    """
    loop.folder.mkdir(parents=True, exist_ok=True)
    first = _resumed(loop, state)
    if first and is_enough():  # it had ended early
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
            # Only after a whole row: a checkpoint amid one would lose the sums under way, and the
            # resumed curve would differ. So Ctrl-C waits for a few steps.
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
    """Seconds a step takes, and the share of them spent waiting for its batch."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.waited = 0.0
        self.steps = 0

    def watched(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The same batches; the time that each takes to come is counted."""
        while True:
            asked = time.monotonic()
            batch = next(batches, None)
            if batch is None:
                return
            now = time.monotonic()
            if self.steps:
                self.waited += now - asked
            else:  # the first batch starts the process that makes them
                self.started = now
            self.steps += 1
            yield batch

    @property
    def seconds(self) -> float:
        """A step, all told."""
        return (time.monotonic() - self.started) / max(self.steps, 1)

    @property
    def waiting(self) -> float:
        """The share of time spent waiting, in [0, 1]."""
        return self.waited / max(time.monotonic() - self.started, 1e-9)


def _made_ahead(batches: Batches[Batch], steps: range) -> Iterator[Batch]:
    """The batches of these steps, made by another process: threads would share one lock."""
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


def hold_memory() -> None:
    """Lets the process keep memory that it frees, where the C library is glibc; elsewhere nothing.

    Each step allocates the same large arrays. Given back to the system and faulted in again page by
    page they cost more than the arithmetic: on a small virtual machine a step took 3.4 s, with this
    0.25 s.
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
    """Writes the state beside the old checkpoint and puts it in its place in one move.

    step: how many are done, of `steps` in all.
    """
    import torch

    with in_one_move(path) as part, part.open("wb") as stream:  # of a path it would keep the name
        torch.save({"step": step, "steps": steps, "state": state.state_dict()}, stream)


@dataclass(frozen=True)
class Checkpoint:
    """What `save_checkpoint` wrote. steps: how many were asked for; None where it does not say."""

    step: int
    steps: int | None
    state: dict[str, object]


def read_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint of a file, its tensors mapped from there; BenchError if it is none."""
    saved = unpacked(path)
    if isinstance(saved, dict):
        step, steps, state = saved.get("step"), saved.get("steps"), saved.get("state")
        if isinstance(step, int) and isinstance(steps, int | None) and isinstance(state, dict):
            return Checkpoint(step, steps, state)
    raise BenchError(f"{path}: expected the checkpoint of a training, found something else")


def write_curves(path: Path, rows: list[dict[str, float]]) -> None:
    """The rows as csv, columns in order of first appearance; what a row lacks stays empty."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with in_one_move(path) as part, part.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: f"{value:.6g}" for name, value in row.items()} for row in rows)


def _resumed(loop: Loop, state: State) -> int:
    """Steps already done: those of the checkpoint if one is there and wanted, else none."""
    path = loop.folder / CHECKPOINT
    if not loop.resume or not path.exists():
        return 0
    saved = read_checkpoint(path)
    try:
        state.load_state_dict(saved.state)
    except (RuntimeError, LookupError, ValueError, TypeError, AttributeError) as error:
        reason = str(error).splitlines()[0]
        raise BenchError(
            f"{path}: is the checkpoint of another training, or of other settings ({reason}). Go "
            "on with the config that began it, or begin anew in another folder (-o)."
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
