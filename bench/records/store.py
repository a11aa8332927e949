"""The store: a run folder with append-only records, one writer, and nothing lost by a kill.

Records are JSON lines in full precision. A last line that a kill left incomplete is removed when
the next run opens the folder for writing; every complete line stays forever.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Literal

from bench.files.json_file import json_line, write_json
from bench.files.lock import locked
from bench.files.one_move import sweep
from bench.records.manifest import Manifest
from bench.records.reading import parse_record, read_records
from bench.records.record import (
    RECORDS,
    Corners,
    CutPart,
    GenerationRecord,
    MeasurementRecord,
    OwnReference,
    PreparationRecord,
    Record,
)
from bench.records.schema import GENERATIONS, MANIFEST, MEASUREMENTS


@dataclass(frozen=True, slots=True)
class KnownGeneration:
    """The fields of `GenerationRecord` that planning needs: there may be a million records."""

    status: Literal["ok", "failed"]
    video: str
    sha256: str
    reference_sha256: str | None
    mouth: Corners | None
    method_protocol: str
    own_reference: OwnReference | None = None
    cut: CutPart | None = None

    @property
    def files(self) -> dict[str, str]:
        """The digests of its files, by their paths in the run folder."""
        found = {self.video: self.sha256}
        if self.own_reference is not None:
            found[self.own_reference.video] = self.reference_sha256 or ""
        return found


def known(record: GenerationRecord) -> KnownGeneration:
    """What planning needs of a generation's record."""
    return KnownGeneration(
        record.status,
        record.video,
        record.sha256,
        record.reference_sha256,
        record.mouth,
        record.method_protocol,
        record.own_reference,
        record.cut,
    )


class Store:
    """A run folder opened for writing; `with Store(folder) as store`.

    To save memory, it keeps only what planning needs of each key's last record: for a measurement,
    its status and whether it has no value because no face was found; for a preparation, why it
    failed, or None.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = (
            folder.resolve()
        )  # absolute, since programs that get its files run in other folders
        self.generations: dict[str, KnownGeneration] = {}
        self.measurements: dict[str, str] = {}
        self.preparations: dict[str, str | None] = {}
        self.faceless: set[str] = set()
        self._files: dict[str, FileIO] = {}
        self._held = contextlib.ExitStack()

    def __enter__(self) -> Store:
        """Takes the lock, removes a torn last line, and reads what is known."""
        busy = (
            f"{self.folder}: another `bench run` is writing here. Wait for it, or choose another "
            "folder with --output."
        )
        self._held.enter_context(locked(self.folder / ".lock", busy=busy))
        try:
            sweep(self.folder)
            for name in RECORDS:
                _cut_torn_line(self.folder / name)
            for name in (GENERATIONS, MEASUREMENTS):
                self._open(name)
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
        """Closes the files and releases the lock."""
        self._close()

    def _open(self, name: str) -> FileIO:
        if name not in self._files:
            self._files[name] = (self.folder / name).open("ab", buffering=0)
        return self._files[name]

    def _close(self) -> None:
        with self._held:
            for file in self._files.values():
                with file, contextlib.suppress(OSError):  # pipes and some network disks cannot
                    os.fsync(file.fileno())

    def read(self) -> None:
        """Reads what is known; needs no lock, so a plan can be shown while a run is writing."""
        for kind in RECORDS.values():
            for record in read_records(self.folder, kind):
                self._know(record)

    def append(self, record: Record) -> None:
        """Appends one record, completely or not at all; once this returns, it survives a kill.

        A power cut may lose the last records, but a record that survives never names a lost file:
        files are on the disk before their record is written. Raises OSError if the disk is full,
        and BenchError for a record that no reader would accept.
        """
        file = self._open(record.file)
        # A reason may quote text that cannot be encoded.
        line = json_line(record).encode(errors="replace") + b"\n"
        record = parse_record(type(record), line, f"{self.folder}/{record.file}")
        end = file.seek(0, os.SEEK_END)
        left = memoryview(line)
        try:
            while left:
                left = left[file.write(left) :]
        except BaseException as error:
            with contextlib.suppress(OSError):
                file.truncate(end)
            if isinstance(error, OSError):
                path = self.folder / record.file
                raise OSError(error.errno, error.strerror, str(path)) from error
            raise
        self._know(record)

    def manifest(self, manifest: Manifest) -> None:
        """Writes manifest.json."""
        write_json(self.folder / MANIFEST, manifest)

    def _know(self, record: Record) -> None:
        if isinstance(record, GenerationRecord):
            self.generations[record.key] = known(record)
        elif isinstance(record, MeasurementRecord):
            self.measurements[record.key] = record.status
            if record.status == "undefined" and record.faces_missing == 1.0:
                self.faceless.add(record.key)
            else:
                self.faceless.discard(record.key)
        elif isinstance(record, PreparationRecord):
            self.preparations[record.key] = record.reason if record.status == "failed" else None


def _cut_torn_line(path: Path) -> None:
    """Removes what follows the last line end: the rest of a write that was killed."""
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
