"""The store: a run folder with append-only records, one writer, and nothing lost by a kill.

Records are JSON lines in full precision. A line that a kill tore off is cut away when the next run
opens the folder for writing; every whole line stays for ever.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import IO

from bench.errors import BenchError
from bench.files.json_file import write_json
from bench.files.one_move import sweep
from bench.records.form import problem_of

SCHEMA = 1
GENERATIONS = "generations.jsonl"
MEASUREMENTS = "measurements.jsonl"

Record = Mapping[str, object]


def read_records(path: Path) -> Iterator[dict[str, object]]:
    """The whole records of a file, oldest first; a torn last line is passed over.

    Raises BenchError for a damaged line elsewhere or a record of a newer schema.
    """
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return  # torn by a kill
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise _no_record(path, number, str(error)) from error
            schema = record.get("schema", 0) if isinstance(record, dict) else 0
            if type(schema) is int and schema > SCHEMA:
                raise BenchError(
                    f"{path}:{number}: written by a newer version (schema {schema}, this "
                    f"is {SCHEMA}). Upgrade talking-face-bench."
                )
            problem = problem_of(path.name, record, line)
            if problem:
                raise _no_record(path, number, problem)
            yield record


def _no_record(path: Path, number: int, problem: str) -> BenchError:
    return BenchError(
        f"{path}:{number}: this line is no record ({problem}). The file was changed by something "
        "else than `bench run`; restore it, or move it away to start anew."
    )


@dataclass(frozen=True)
class Made:
    """What planning needs of a generation's record; `mouth` is x0 y0 x1 y1, where known.

    method_protocol: of the method that made the video; it goes with every measurement.
    """

    status: str
    video: str
    sha256: str
    reference_sha256: str | None
    mouth: tuple[float, ...] | None
    method_protocol: str = ""


class Store:
    """A run folder opened for writing; `with Store(folder) as store`.

    Knows of each key the last record's fields that planning needs, and no more, so that memory
    stays small: of a measurement, its status, and whether it is without a value for want of a face.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()  # programs that are handed files of it start elsewhere
        self.generations: dict[str, Made] = {}
        self.measurements: dict[str, str] = {}
        self.faceless: set[str] = set()
        self._files: dict[str, FileIO] = {}
        self._lock: IO[bytes] | None = None

    def __enter__(self) -> Store:
        """Takes the lock, cuts a torn last line away, and reads what is known."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = (self.folder / ".lock").open("ab")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise BenchError(
                f"{self.folder}: another `bench run` is writing here. Wait for it, or choose "
                "another folder with --output."
            ) from None  # a lock that is held is not the machine's state
        try:
            sweep(self.folder)
            for name in (GENERATIONS, MEASUREMENTS):
                _cut_torn_line(self.folder / name)
                self._files[name] = (self.folder / name).open("ab", buffering=0)
            self.read()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the files and gives the lock back."""
        self._close()

    def _close(self) -> None:
        for file in self._files.values():
            with file, contextlib.suppress(OSError):  # pipes and some network disks cannot
                os.fsync(file.fileno())
        if self._lock is not None:
            self._lock.close()

    def read(self) -> None:
        """Reads what is known; needs no lock, so a plan can be shown while a run is writing."""
        for name in (GENERATIONS, MEASUREMENTS):
            for record in read_records(self.folder / name):
                self._know(name, record)

    def append(self, name: str, record: Record) -> None:
        """Adds one record, whole or not at all; once this returns, a kill keeps it.

        A power cut may take the last records along, never what they name: that is on the disk
        before its record is written. Raises OSError where the disk takes no more.
        """
        line = json.dumps({"schema": SCHEMA, **record}, sort_keys=True, ensure_ascii=False)
        file = self._files[name]
        end = file.seek(0, os.SEEK_END)
        left = memoryview(line.encode(errors="replace") + b"\n")
        try:
            while left:
                left = left[file.write(left) :]
        except BaseException as error:
            with contextlib.suppress(OSError):
                file.truncate(end)
            if isinstance(error, OSError):
                raise OSError(error.errno, error.strerror, str(self.folder / name)) from error
            raise
        self._know(name, record)

    def manifest(self, value: object) -> None:
        """Writes manifest.json: what was asked and what it ran on."""
        write_json(self.folder / "manifest.json", value)

    def _know(self, name: str, record: Record) -> None:
        key = str(record["key"])
        if name == GENERATIONS:
            self.generations[key] = made(record)
        else:
            self.measurements[key] = str(record["status"])
            if record["status"] == "undefined" and record.get("faces_missing") == 1.0:
                self.faceless.add(key)
            else:
                self.faceless.discard(key)


def _cut_torn_line(path: Path) -> None:
    """Cuts off what stands behind the last line end: only a kill in mid-write leaves a rest."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        end = size
        while end > 0:
            start = max(0, end - 65_536)
            file.seek(start)
            at = file.read(end - start).rfind(b"\n")
            if at >= 0:
                end = start + at + 1
                break
            end = start
        if end < size:
            file.truncate(end)


def made(record: Record) -> Made:
    """What planning needs of a generation's record."""
    reference, mouth = record.get("reference_sha256"), record.get("mouth")
    return Made(
        str(record["status"]),
        str(record["video"]),
        str(record["sha256"]),
        None if reference is None else str(reference),
        tuple(float(edge) for edge in mouth) if isinstance(mouth, list | tuple) else None,
        str(record.get("method_protocol", "")),
    )
