"""Measures how many steps fit into the time of a stage, before it begins.

Schedules that depend on the last step (`one_cycle`, losses that set in at a share of the steps)
need this number, and the machine's speed is not known in advance.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from bench.ground.errors import BenchError
from bench.train.loop import CHECKPOINT, Batches, Loop, State, is_resumed, read_checkpoint
from bench.train.settings import StageSettings

Batch = TypeVar("Batch")
Stage = TypeVar("Stage", bound=StageSettings)

WARM = 3  # untimed steps before the timed ones
TIMED = 20
MOST_MEASURING = 0.05  # share of the stage's time
MARGIN = 0.9  # share of the time for steps; the rest goes to validations and checkpoints
SAVES = 6  # checkpoints in a paced stage
FEW = 60  # with fewer steps than this, only the last is validated and saved


class Learner(State, Protocol):
    """A state whose network may be compiled."""

    def run_uncompiled(self) -> None:
        """From now on the network runs uncompiled."""
        ...


def paced(
    stage: Stage,
    loop: Loop,
    learner: Learner,
    batches: Batches[Batch],
    advance: Callable[[int, Batch], object],
) -> Stage:
    """The stage with as many steps as fit into its time, at most its own, and with its saves.

    advance: trains one step with all losses, which is the slowest kind. Afterwards the learner is
    as before. A network that cannot be compiled runs uncompiled. A stage that continues from a
    checkpoint keeps its number of steps.
    """
    assert stage.stop_after is not None
    if loop.processes.count > 1:  # they could measure different speeds
        raise BenchError("paced: fits the steps on one device only; give `steps` for several")
    if is_resumed(loop):
        steps = read_checkpoint(loop.folder / CHECKPOINT).steps
        return _with_steps(stage, steps or stage.steps, stage.stop_after)
    started = time.monotonic()
    before = copy.deepcopy(learner.state_dict())
    try:
        seconds = _seconds_a_step(batches, advance, until=MOST_MEASURING * stage.stop_after)
    except Exception as error:  # the compiler raises many kinds of errors
        if not stage.compile:
            raise
        loop.log.warning("not compiled, for it failed: %.200r", error)
        learner.run_uncompiled()
        learner.load_state_dict(copy.deepcopy(before))
        seconds = _seconds_a_step(batches, advance, until=MOST_MEASURING * stage.stop_after)
    learner.load_state_dict(before)
    left = max(stage.stop_after - (time.monotonic() - started), 0.1 * stage.stop_after)
    steps = min(stage.steps, max(1, int(MARGIN * left / seconds)))
    loop.log.info("%.3f s per step: %d steps in %.0f s", seconds, steps, left)
    return _with_steps(stage, steps, left)


def _with_steps(stage: Stage, steps: int, seconds: float) -> Stage:
    if steps < FEW:
        ends = {"steps": steps, "stop_after": seconds, "report_every": steps, "save_every": steps}
        return stage.model_copy(update=ends)
    every = min(50, steps // SAVES)
    changed = {
        "steps": steps,
        "stop_after": seconds,
        "report_every": every,
        "save_every": steps // SAVES // every * every,
    }
    return stage.model_copy(update=changed)


def _seconds_a_step(
    batches: Batches[Batch], advance: Callable[[int, Batch], object], *, until: float
) -> float:
    """Seconds per step. `advance` returns its losses as numbers, so it waits for the device."""
    count = len(batches)
    for step in range(WARM):
        advance(step % count, batches[step % count])
    started = time.monotonic()
    for done in range(1, TIMED + 1):
        advance(done % count, batches[done % count])
        if time.monotonic() - started > until:
            break
    return (time.monotonic() - started) / done
