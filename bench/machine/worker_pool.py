"""A pool of worker processes that end at once when the work is interrupted.

Ctrl-C in a terminal reaches the whole process group. Here only the parent handles it: the workers
ignore it, even while they start, and end when the parent stops.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, TypeVar

from bench.machine.parent_process import end_with_parent
from bench.machine.stopping import STOPPING

_Result = TypeVar("_Result")


def _nothing() -> None:
    return


class WorkerPool(ProcessPoolExecutor):
    """A pool of fresh processes; leaving its `with` block by an exception ends them at once.

    prepare, arguments: the function called in each process before its first task, and its
    arguments.
    """

    def __init__(
        self,
        count: int,
        *,
        prepare: Callable[..., None] = _nothing,
        arguments: tuple[object, ...] = (),
    ) -> None:
        self._others = frozenset(multiprocessing.active_children())
        context = multiprocessing.get_context("spawn")  # fork breaks threads and torch
        super().__init__(
            count, mp_context=context, initializer=_start, initargs=(prepare, arguments)
        )

    def submit(
        self, function: Callable[..., _Result], /, *args: Any, **named: Any
    ) -> Future[_Result]:
        """As the executor's own; it starts processes here, which must begin with Ctrl-C blocked."""
        with interrupts_held():
            return super().submit(function, *args, **named)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Waits for the work, or ends it if the block raised an exception."""
        if kind is not None:
            with interrupts_held():
                self.shutdown(wait=False, cancel_futures=True)
                for child in frozenset(multiprocessing.active_children()) - self._others:
                    child.kill()
        super().__exit__(kind, error, trace)


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Delays Ctrl-C and similar signals; processes started in the block inherit a blocked Ctrl-C.

    A mask alone blocks signals for this thread only. Delivered to another thread (a progress
    bar's), they would interrupt the block while a process starts, which then prints a traceback.
    """
    received: list[int] = []
    handlers: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in (*STOPPING, signal.SIGINT):
            handler = signal.getsignal(number)
            if handler is not signal.SIG_IGN:  # else started processes would no longer ignore it
                handlers[number] = handler
                signal.signal(number, lambda number, _frame: received.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if received:
            signal.raise_signal(received[0])


def _start(prepare: Callable[..., None], arguments: tuple[object, ...]) -> None:
    end_with_parent()
    # A handler rather than SIG_IGN, which programs that the worker starts would inherit.
    signal.signal(signal.SIGINT, _leave_it_to_the_parent)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    prepare(*arguments)


def _leave_it_to_the_parent(_number: int, _frame: FrameType | None) -> None:
    return
