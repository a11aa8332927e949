"""How many steps fit into the time of a stage, measured before it begins.

A schedule that ends with the last step (`one_cycle`, the shares of steps at which losses come in)
needs this number on a machine whose speed nobody knows yet.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from bench.errors import BenchError
from bench.train.loop import CHECKPOINT, Batches, Loop, State, read_checkpoint
from bench.train.settings import StageSettings

Batch = TypeVar("Batch")
Stage = TypeVar("Stage", bound=StageSettings)

WARM = 3  # steps before those that are timed
TIMED = 20
MOST_MEASURING = 0.05  # of the stage's time
MARGIN = 0.9  # the rest goes to validations and checkpoints
SAVES = 6  # in a paced stage
FEW = 60  # steps that are so slow that only the last is validated and saved


class Learner(State, Protocol):
    """A state whose network runs compiled where that was asked for."""

    def run_uncompiled(self) -> None:
        """From now on the network runs as it is written."""
        ...


def paced(
    stage: Stage,
    loop: Loop,
    learner: Learner,
    batches: Batches[Batch],
    advance: Callable[[int, Batch], object],
) -> Stage:
    """The stage with as many steps as its time allows, at most its own, and saves among them.

    advance: trains one step at its dearest, with every loss that will take part. The learner is as
    before afterwards. A network that cannot be compiled is run uncompiled. A stage that goes on
    from a checkpoint keeps the steps that it began with.
    """
    assert stage.stop_after is not None
    if loop.processes.count > 1:  # they could measure different speeds
        raise BenchError("paced: fits the steps on one device only; give `steps` for several")
    if loop.resume and (loop.folder / CHECKPOINT).exists():
        steps = read_checkpoint(loop.folder / CHECKPOINT).steps
        return _with_steps(stage, steps or stage.steps, stage.stop_after)
    started = time.monotonic()
    before = copy.deepcopy(learner.state_dict())
    try:
        seconds = _seconds_a_step(batches, advance, until=MOST_MEASURING * stage.stop_after)
    except Exception as error:  # of the compiler, whose kinds of error are many
        if not stage.compile:
            raise
        loop.log.warning("not compiled, for it failed: %.200r", error)
        learner.run_uncompiled()
        learner.load_state_dict(copy.deepcopy(before))
        seconds = _seconds_a_step(batches, advance, until=MOST_MEASURING * stage.stop_after)
    learner.load_state_dict(before)
    left = max(stage.stop_after - (time.monotonic() - started), 0.1 * stage.stop_after)
    steps = min(stage.steps, max(1, int(MARGIN * left / seconds)))
    loop.log.info("%.3f s a step: %d steps in %.0f s", seconds, steps, left)
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
    """advance ends with the losses as numbers, so the device's work is in its time."""
    count = len(batches)
    for step in range(WARM):
        advance(step % count, batches[step % count])
    started = time.monotonic()
    for done in range(1, TIMED + 1):
        advance(done % count, batches[done % count])
        if time.monotonic() - started > until:
            break
    return (time.monotonic() - started) / done
