"""The folder of one preparation: what a method learned of a person, its log, and that it is done.

It lies in the run folder, where it outlives a kill and is gone on with. A finished one lies in the
cache, too, for the next run that asks for the same: the same files under a second name, where the
disk can do that, so that they take no more room.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from bench.files.json_file import json_line, write_json
from bench.files.one_move import in_one_move
from bench.records.reading import parse_record
from bench.records.record import PreparationRecord


@dataclass(frozen=True)
class PreparedFolder:
    """The preparation with this key, in a run folder or in the cache folder."""

    root: Path
    key: str

    @property
    def path(self) -> Path:
        """The whole of it."""
        return self.root / "prepared" / self.key

    @property
    def files(self) -> Path:
        """What the method writes, and reads again."""
        return self.path / "files"

    @property
    def log(self) -> Path:
        """What the method says, over all attempts."""
        return self.path / "log"

    @property
    def lock(self) -> Path:
        """Held by whoever prepares this."""
        return self.path.with_name(f"{self.key}.lock")

    def check(self) -> None:
        """Raises BenchError where the method left nothing, or what cannot be sent elsewhere."""
        if links := [path for path in self.files.rglob("*") if path.is_symlink()]:
            raise BenchError(
                f"prepare() left a link in job.folder, {links[0].name}, which "
                "leads nowhere on other machines. Copy the file instead."
            )
        if not self._files():
            raise BenchError(
                "prepare() left no file in job.folder, where other processes "
                "look for what it learned."
            )

    def finish(self, record: PreparationRecord) -> None:
        """Marks the preparation as done, in one move; record: what became of it."""
        write_json(self._mark, {"record": json_line(record), "files": self._sizes()})
        for path in self._files():
            if path.stat().st_nlink == 1:  # else it may be another one's file as well
                path.chmod(path.stat().st_mode & ~0o222)  # other runs have the same file

    def record(self) -> PreparationRecord | None:
        """The record of a preparation that is done and whole; None where it is not."""
        try:
            mark = json.loads(self._mark.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if not all(self._sizes().get(name) == size for name, size in mark["files"].items()):
            return None  # some were taken away, or have not come yet
        return parse_record(PreparationRecord, mark["record"].encode(), str(self._mark))

    def clear_damaged(self) -> None:
        """Removes what was done once and is no more whole; what is half made stays."""
        if self._mark.exists() and self.record() is None:
            shutil.rmtree(self.path)

    def all_files(self) -> list[Path]:
        """Every file of it, if it is done."""
        return [] if self.record() is None else [self._mark, *self._files()]

    def copy_to(self, root: Path) -> None:
        """Puts a preparation that is done into another root, in the place of what is there."""
        target = PreparedFolder(root, self.key)
        if target.record() is None:
            shutil.rmtree(target.path, ignore_errors=True)
            with in_one_move(target.path) as part:
                shutil.copytree(self.path, part, copy_function=_link)

    @property
    def _mark(self) -> Path:
        return self.path / "done.json"

    def _files(self) -> list[Path]:
        return sorted(path for path in self.files.rglob("*") if path.is_file())

    def _sizes(self) -> dict[str, int]:
        names = ((path.relative_to(self.files).as_posix(), path) for path in self._files())
        return {name: path.stat().st_size for name, path in names}


def _link(source: str, target: str) -> None:
    """The same file under a second name, where the disk can do that; else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
