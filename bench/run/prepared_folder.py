"""The folder of one preparation: what a method learned of a person, its log, and a mark when done.

It is in the run folder, so after a kill the preparation continues from it. A finished one is also
put into the cache, for other runs that need the same: hard links where the disk supports them, so
that it takes no more space.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from bench.files.json_file import json_line, write_json
from bench.files.one_move import in_one_move
from bench.ground.errors import BenchError
from bench.records.reading import parse_record
from bench.records.record import PreparationRecord


@dataclass(frozen=True)
class PreparedFolder:
    """The preparation with this key, in a run folder or in the cache folder."""

    root: Path
    key: str

    @property
    def path(self) -> Path:
        """The folder of everything that belongs to it."""
        return self.root / "prepared" / self.key

    @property
    def files(self) -> Path:
        """The folder that the method writes to and reads from later."""
        return self.path / "files"

    @property
    def log(self) -> Path:
        """The method's log of all attempts."""
        return self.path / "log"

    @property
    def lock(self) -> Path:
        """The lock that a run holds while it prepares."""
        return self.path.with_name(f"{self.key}.lock")

    def check(self) -> None:
        """Raises BenchError if the method left no files, or links, which cannot be sent."""
        if links := [path for path in self.files.rglob("*") if path.is_symlink()]:
            raise BenchError(
                f"prepare() left a link in job.folder, {links[0].name}, which "
                "would be broken on other machines. Copy the file instead."
            )
        if not self._files():
            raise BenchError(
                "prepare() left no file in job.folder, where other processes "
                "look for what it learned."
            )

    def finish(self, record: PreparationRecord) -> None:
        """Marks the preparation as done, in one move, and keeps its record in the mark."""
        write_json(self._mark, {"record": json_line(record), "files": self._sizes()})
        for path in self._files():
            if path.stat().st_nlink == 1:  # otherwise the file may belong to someone else, too
                path.chmod(path.stat().st_mode & ~0o222)  # other runs will share the file

    def record(self) -> PreparationRecord | None:
        """The record of the preparation; None unless it is done and complete."""
        try:
            mark = json.loads(self._mark.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if not all(self._sizes().get(name) == size for name, size in mark["files"].items()):
            return None  # files were deleted, or have not arrived yet
        return parse_record(PreparationRecord, mark["record"].encode(), str(self._mark))

    def clear_damaged(self) -> None:
        """Removes a finished preparation that lost files; keeps an unfinished one."""
        if self._mark.exists() and self.record() is None:
            shutil.rmtree(self.path)

    def all_files(self) -> list[Path]:
        """All its files, if it is done; else none."""
        return [] if self.record() is None else [self._mark, *self._files()]

    def copy_to(self, root: Path) -> None:
        """Copies a finished preparation into another root, replacing an incomplete one there."""
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
    """A hard link where the disk supports it; else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
