"""Processes that share a piece of work, and that end at once when it is broken off.

A Ctrl-C in a terminal reaches the whole group of processes. Here it is the first process's affair
alone: the workers neither see it, not even while they start, nor go on when that one stops.
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

    prepare, arguments: called in each process before its first piece of work.
    """

    def __init__(
        self,
        count: int,
        *,
        prepare: Callable[..., None] = _nothing,
        arguments: tuple[object, ...] = (),
    ) -> None:
        self._others = frozenset(multiprocessing.active_children())
        context = multiprocessing.get_context("spawn")  # threads and torch do not survive a fork
        super().__init__(
            count, mp_context=context, initializer=_start, initargs=(prepare, arguments)
        )

    def submit(
        self, function: Callable[..., _Result], /, *args: Any, **named: Any
    ) -> Future[_Result]:
        """As the executor's own, which starts processes here: they begin with Ctrl-C held back."""
        with interrupts_held():
            return super().submit(function, *args, **named)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Waits for the work, or ends it where the block was left by an exception."""
        if kind is not None:
            with interrupts_held():
                self.shutdown(wait=False, cancel_futures=True)
                for child in frozenset(multiprocessing.active_children()) - self._others:
                    child.kill()
        super().__exit__(kind, error, trace)


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Holds Ctrl-C and the like back; processes that are started in the block inherit that.

    A mask alone holds them back from this thread only: taken by another thread (a progress bar's),
    they would break off the block amid the start of a process, which then prints a traceback.
    """
    came: list[int] = []
    handlers: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in (*STOPPING, signal.SIGINT):
            handler = signal.getsignal(number)
            if handler is not signal.SIG_IGN:  # or what is started would no longer ignore it
                handlers[number] = handler
                signal.signal(number, lambda number, _frame: came.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if came:
            signal.raise_signal(came[0])


def _start(prepare: Callable[..., None], arguments: tuple[object, ...]) -> None:
    end_with_parent()
    # A handler, where programs that the worker starts would inherit `ignore`.
    signal.signal(signal.SIGINT, _leave_it_to_the_parent)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    prepare(*arguments)


def _leave_it_to_the_parent(_number: int, _frame: FrameType | None) -> None:
    return
