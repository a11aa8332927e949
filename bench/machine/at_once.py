"""Work that is carried out where it is submitted, for processes that have no core to spare."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

_Result = TypeVar("_Result")


class AtOnce(Executor):
    """Calls each function in the thread that submits it: its future is done when it is returned."""

    def submit(
        self, function: Callable[..., _Result], /, *args: Any, **named: Any
    ) -> Future[_Result]:
        """The function's result or error, as a future that is done."""
        future: Future[_Result] = Future()
        try:
            future.set_result(function(*args, **named))
        except Exception as error:
            future.set_exception(error)
        return future
