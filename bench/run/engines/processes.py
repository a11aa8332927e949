"""The engine that shares a run's tasks among processes of this machine."""

from __future__ import annotations

import dataclasses
import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from typing import Any, TypeVar

from bench.contract.engine import Crew, Engine, Start, Task, Worker
from bench.ground.cores import cores
from bench.ground.errors import BenchError
from bench.machine.devices import devices_of, model_memory, present_device, stay_on_cores
from bench.machine.worker_pool import WorkerPool

_Task = TypeVar("_Task", bound=Task)
_Record = TypeVar("_Record")
AHEAD = 4  # tasks in flight per worker: enough that none waits, few enough to hold in memory


class Processes(Engine):
    """Several workers, each a process on a device of its own."""

    name = "processes"

    def __init__(self, crew: Crew) -> None:
        super().__init__(dataclasses.replace(crew, device=present_device(crew.device)))
        self.devices = devices_of(
            self.crew.device, crew.workers or len(cores()), shared=crew.shares_device
        )

    @property
    def memory(self) -> int | None:
        """A worker's share of its device's memory."""
        found = model_memory(self.devices[0])
        sharing = max(map(self.devices.count, self.devices))
        return None if found is None else found // sharing

    def run(self, tasks: Sequence[_Task], start: Start[_Task, _Record]) -> Iterator[_Record]:
        """The records of each task as soon as it is done.

        Raises BenchError if a process dies, since that is no verdict on any cell.
        """
        count = min(len(self.devices), len(tasks))
        if count == 0:
            return
        queue: SimpleQueue[tuple[int, str]] = get_context("spawn").SimpleQueue()
        for place in enumerate(self.devices[:count]):
            queue.put(place)
        arguments = (start, queue, count)
        with WorkerPool(count, prepare=_start, arguments=arguments) as pool:
            waiting = deque(tasks)
            running: set[Future[list[_Record]]] = set()
            try:
                while waiting or running:
                    while waiting and len(running) < AHEAD * count:
                        running.add(pool.submit(_work, waiting.popleft()))
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    yield from itertools.chain.from_iterable(each.result() for each in done)
            except BrokenProcessPool as error:
                raise BenchError(
                    f"{start.folder}: a worker process died; most often memory is short, or a "
                    "plugin crashed. What was recorded is kept: run the same command again, with "
                    "--workers 1 if it happens again."
                ) from error


_worker: Worker[Any, Any] | None = None  # a worker process's own; never set in the driver


def _start(start: Start[Any, Any], queue: SimpleQueue[tuple[int, str]], count: int) -> None:
    global _worker
    number, device = queue.get()
    stay_on_cores(number, count)
    _worker = start(device)


def _work(task: Task) -> list[Any]:
    assert _worker is not None
    return list(_worker.work([task]))
