"""Lists the files below a data set's folder: those that importers use, and those left over.

Files that operating systems add are ignored: names that begin with a dot (macOS writes `._clip.mp4`
beside `clip.mp4` on foreign disks) and the folders in SYSTEM_FOLDERS.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

from bench.ground.errors import BenchError

VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg")
SOUNDS = (".wav", ".flac", ".m4a", ".aac", ".mp3", ".ogg", ".opus")  # of several, the first
TEXTS = (".txt",)

SYSTEM_FOLDERS = frozenset(
    {"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found"}
)
_LONGEST_ENDING = 6  # `.jpeg`, `.align`; a longer one, or a number, is part of the name


class Tree:
    """The files below `root`; links are followed. Endings are compared without regard to case.

    Raises BenchError if `root` is no folder.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise BenchError(f"{root}: is no folder. Name the folder that holds the data set.")
        self.root = root
        self.files: list[Path] = sorted(_files(root))
        self._by_name = {(without_ending(file), file.suffix.lower()): file for file in self.files}
        self._used: set[Path] = set()

    def ending_with(self, endings: Collection[str]) -> list[Path]:
        """All files with one of these endings, in the order of their paths."""
        return [file for file in self.files if file.suffix.lower() in endings]

    def by_name(
        self, endings: Sequence[str], name_of: Callable[[Path], str | None]
    ) -> tuple[dict[str, Path], list[tuple[str, str]]]:
        """The first file of every name; and the other files, each with why it is left out.

        name_of: gives a file's clip name, or None if the file is no clip. endings: in order of
        preference.
        """
        files: dict[str, Path] = {}
        dropped: list[tuple[str, str]] = []
        found = self.ending_with(endings)
        for file in sorted(found, key=lambda one: (endings.index(one.suffix.lower()), one)):
            name = name_of(file)
            if name is not None and (first := files.setdefault(name, file)) != file:
                reason = f"the same clip as {first.relative_to(self.root)}"
                dropped.append((str(file.relative_to(self.root)), reason))
        return files, dropped

    def named(self, place: Path, endings: Sequence[str]) -> Path | None:
        """The first file that exists under `place` plus an ending; `place` itself has none.

        Path.with_suffix would cut off everything after a dot in the name.
        """
        for ending in endings:
            file = self._by_name.get((place, ending))
            if file is not None:
                return self.use(file)
        return None

    def use(self, file: Path) -> Path:
        """Notes that the file is used, and returns it."""
        self._used.add(file)
        return file

    def inside(self, place: Path) -> Path:
        """The path in the form of the tree's own files, if it is below the root; else unchanged."""
        root, absolute = self.root.absolute(), place.absolute()
        if not absolute.is_relative_to(root):
            return place
        return self.root / absolute.relative_to(root)

    def unused_note(self, known: Collection[str]) -> list[str]:
        """A note that counts, by ending, the unused files without a `known` ending, if any."""
        left = [f for f in self.files if f.suffix.lower() not in known and f not in self._used]
        return [f"{counted(left)} ignored: {_by_ending(left)}"] if left else []

    def unused(self, endings: Collection[str]) -> list[Path]:
        """The unused files with these endings."""
        return [file for file in self.ending_with(endings) if file not in self._used]


def counted(files: Sequence[Path]) -> str:
    """`1 file`, `12 files`."""
    return "1 file" if len(files) == 1 else f"{len(files)} files"


def without_ending(file: Path) -> Path:
    """The file without its ending."""
    return file.with_name(file.name[: len(file.name) - len(file.suffix)])


def text_of(file: Path, *, or_else: str = "utf-8") -> str:
    """A text file's content: utf-8 with or without a byte order mark, or utf-16 with one.

    or_else: the encoding of other files; bytes that it cannot decode become U+FFFD.
    Raises BenchError if the file cannot be opened.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise BenchError(f"{file}: cannot be read: {error.strerror or error}.") from error
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode(or_else, errors="replace")


def _files(root: Path) -> Iterable[Path]:
    seen: set[str] = set()  # resolved folders: a link may lead back up
    for name, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(name)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(folder for folder in folders if not _is_system_file(folder))
        yield from (Path(name, file) for file in files if not _is_system_file(file))


def _is_system_file(name: str) -> bool:
    return name.startswith(".") or name in SYSTEM_FOLDERS


def _by_ending(files: Sequence[Path]) -> str:
    counts = Counter(_ending(file) for file in files)
    return ", ".join(f"{ending} {count}" for ending, count in sorted(counts.items()))


def _ending(file: Path) -> str:
    """`.json`, `.avi.bak`; `no ending` where a name has none, or only a number after its dot."""
    last = file.suffix.lower()
    if not last or len(last) > _LONGEST_ENDING or last[1:].isdigit():
        return "no ending"
    before = Path(file.stem).suffix.lower()
    return before + last if before in (*VIDEOS, *SOUNDS, *TEXTS) else last
