"""What importing a plugin's file loads, found in a process that has imported nothing but `bench`.

A fresh interpreter takes most of its time to import `bench`. One is started for all plugins, and
forks itself for each of them, so that no plugin sees what another one has loaded.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

SECONDS = 120.0  # that an import may take
_TURN = threading.Lock()


@dataclass(frozen=True)
class Imported:
    """The heavy packages that were loaded, or the error with which the import ended."""

    loaded: tuple[str, ...] = ()
    error: str = ""


def imported(*, module: str, file: str, heavy: Sequence[str]) -> Imported:
    """Imports a module, or runs a file if `module` is empty, with this process's `sys.path`."""
    order = json.dumps({"module": module, "file": file, "heavy": list(heavy)})
    with _TURN:
        server = _server(tuple(sys.path))
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(f"{order}\n")
        server.stdin.flush()
        answer = json.loads(server.stdout.readline())
    return Imported(tuple(answer["loaded"]), answer["error"])


@functools.cache
def _server(path: tuple[str, ...]) -> subprocess.Popen[str]:
    program = f"import sys; sys.path[:] = {list(path)!r}; import bench.checks.importing as own"
    server = subprocess.Popen(
        [sys.executable, "-c", f"{program}; own.serve()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(server.kill)
    return server


def serve() -> None:
    """Answers orders, one per line, each in a fork of this process."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a plugin prints is no answer
    for line in sys.stdin:
        print(_in_fork(line), file=answers, flush=True)


def _in_fork(line: str) -> str:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with os.fdopen(writing, "w") as answer:
            answer.write(json.dumps(_outcome(**json.loads(line))))
        os._exit(0)
    os.close(writing)
    said = ""
    with os.fdopen(reading) as answer:
        if select.select([answer], [], [], SECONDS)[0]:
            said = answer.read()
        else:
            os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    told = f"the interpreter ended with status {status} (after at most {SECONDS:.0f} s)"
    return said or json.dumps({"loaded": [], "error": told})


def _outcome(module: str, file: str, heavy: list[str]) -> dict[str, object]:
    try:
        if module:
            importlib.import_module(module)
        else:
            runpy.run_path(file)
    except BaseException:
        return {"loaded": [], "error": traceback.format_exc()}
    return {"loaded": [name for name in heavy if name in sys.modules], "error": ""}
