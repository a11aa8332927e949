"""The engine that works in the driver's own process."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TypeVar

from bench.contract.engine import Crew, Engine, Start, Task
from bench.ground.errors import BenchError
from bench.machine.devices import model_memory, present_device

_Task = TypeVar("_Task", bound=Task)
_Record = TypeVar("_Record")


class Here(Engine):
    """One worker, in this process: the easiest to debug, and no process has to be started."""

    name = "here"

    def __init__(self, crew: Crew) -> None:
        super().__init__(dataclasses.replace(crew, device=present_device(crew.device)))
        if crew.workers not in (None, 1):
            raise BenchError(
                f"--workers {crew.workers} --engine here: that engine has one worker, this "
                "process. Leave --engine out, or write --engine processes."
            )

    @property
    def memory(self) -> int | None:
        """All that the device has for models."""
        return model_memory(self.crew.device)

    def run(self, tasks: Sequence[_Task], start: Start[_Task, _Record]) -> Iterator[_Record]:
        """The records, each as soon as it is known."""
        yield from start(self.crew.device).work(tasks)
