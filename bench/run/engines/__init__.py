"""Engines carry out a run's tasks: in this process, in several, or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Mapping

from bench.config.names import closest
from bench.contract.engine import Crew, Engine
from bench.ground.errors import BenchError
from bench.run.engines.here import Here
from bench.run.engines.processes import Processes
from bench.run.engines.ray import Ray

OURS: tuple[type[Engine], ...] = (Here, Processes, Ray)


def make_engine(name: str | None, crew: Crew, others: Mapping[str, type[Engine]]) -> Engine:
    """The engine of that name, ours or a plugin's; without a name, the one that suits the crew.

    Raises BenchError if there is none, or if it cannot serve the crew.
    """
    known = {**others, **{engine.name: engine for engine in OURS}}
    usual = "ray" if crew.address else "here" if (crew.workers or 1) == 1 else "processes"
    chosen = name or usual
    if chosen not in known:
        raise BenchError(f"--engine {chosen}: there is no such engine. {closest(chosen, known)}")
    return known[chosen](crew)
