"""Manifests: csv files that list a data set's clips; and the digests of the clips' files.

The columns are `id,video,audio,speaker,language,split,text,box,sha256`; `id` and `video` are
required. Paths are relative to the manifest's root: its own folder, or the folder named by a first
line `# root: FOLDER` (for data sets on read-only disks). No path may lead out of the root.
"""

from __future__ import annotations

import contextlib
import csv
import difflib
import hashlib
import math
import os
import re
import time
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.files.digests import digest, file_sha256
from bench.files.intact import sha256_here, stamp_of
from bench.files.one_move import in_one_move
from bench.files.paths import cache_dir
from bench.files.spreadsheets import OwnText, csv_text, plain_text
from bench.ground.errors import BenchError, NoSuchSplit
from bench.ground.types import Box, Clip

COLUMNS = ("id", "video", "audio", "speaker", "language", "split", "text", "box", "sha256")
REQUIRED = ("id", "video")
SHOWN_PROBLEMS = 20
ID_BYTES = 100  # so two ids, a joint and an ending fit a file name of 255 bytes
JOINTS = "+~"  # Case.id joins the ids of two clips with one of these
UNSAFE_CATEGORIES = frozenset(
    {"Cc", "Cs", "Zl", "Zp"}
)  # control, surrogate, line and paragraph ends
SETTLED_NS = 100_000_000  # a file changed more recently may change again within one clock tick

_DIGEST = re.compile(r"[0-9a-f]{64}")


def read_manifest(path: Path, *, split: str | None = None) -> list[Clip]:
    """The clips of a manifest in its order, with absolute paths; only those of `split` if given.

    Files are not opened; `check_content` checks `sha256` when a clip is conformed. In a run, a
    missing file fails the cells of its clip only.
    Raises one BenchError with all problems of the manifest, as `file:line: column: problem`, and
    NoSuchSplit.
    """
    rows = _Rows(path)
    clips = [clip for line, row in rows if (clip := rows.clip(line, row)) is not None]
    rows.raise_problems()
    if not clips:
        raise BenchError(
            f"{path}: has no clips. A manifest has a header and one line for each clip."
        )
    if split is None:
        return clips
    chosen = [clip for clip in clips if clip.split == split]
    if not chosen:
        known = ", ".join(sorted({clip.split for clip in clips if clip.split}))
        hint = f"It has: {known}." if known else "Its column `split` is empty: fill it."
        raise NoSuchSplit(f"{path}: split: no clip has the split {split!r}. {hint}")
    return chosen


def root_of(path: Path) -> Path:
    """The folder of a manifest's relative paths; raises BenchError as `read_manifest` does."""
    rows = _Rows(path)
    rows.raise_problems()
    return Path(rows.root)


def write_manifest(path: Path, clips: Sequence[Clip], *, root: Path | None = None) -> None:
    """Writes a manifest, whole or not at all; root: the folder of the media, if not its own.

    A text that a spreadsheet would run as a formula gets a leading apostrophe, which
    `read_manifest` removes. Raises BenchError for an invalid or repeated id, and for files outside
    the root.
    """
    folder = path.parent.resolve()
    place = folder if root is None else root.resolve()
    if not clips:
        raise BenchError(f"{path}: there are no clips to write.")
    double = _first_double([check_id(clip.id) for clip in clips])
    if double is not None:
        raise BenchError(f"{path}: id: {double!r} names more than one clip.")
    head = ""
    if place != folder:
        inside = place.is_relative_to(folder)
        head = f"# root: {place.relative_to(folder).as_posix() if inside else place}\n"
    rows: list[Sequence[str]] = [COLUMNS]
    for clip in clips:
        video = _relative(clip.video, place, manifest=path)
        audio = "" if clip.audio is None else _relative(clip.audio, place, manifest=path)
        box = "" if clip.box is None else OwnText(" ".join(f"{side:g}" for side in clip.box))
        named = (clip.speaker, clip.language, clip.split, clip.text)
        rows.append((clip.id, video, audio, *named, box, clip.sha256))
    with in_one_move(path) as part:
        part.write_text(head + csv_text(rows), encoding="utf-8", newline="")


def check_id(text: str) -> str:
    """The text itself, if it is a valid clip id: one plain file-name component.

    Blanks and Unicode are allowed. Raises BenchError for an empty id, more than 100 bytes, slashes,
    a leading dot, blanks at the ends, control characters, and `+` or `~`, which join two clips' ids
    in the name of a case.
    """
    problem = _id_problem(text)
    if problem:
        raise BenchError(f"id {text!r}: {problem}.")
    return text


def plain_id(text: str) -> str:
    """A valid id for any text: characters that are not allowed become hyphens.

    A long text keeps its two ends, with a part of its digest between them, so that texts with the
    same ends stay different.
    """
    mapped = "".join("-" if _is_unsafe(char) else char for char in text).strip()
    if mapped.startswith("."):
        mapped = "-" + mapped[1:]
    data = mapped.encode()
    if len(data) > ID_BYTES:
        short = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:8]
        start, end = data[:44].decode(errors="ignore"), data[-44:].decode(errors="ignore")
        mapped = f"{start}-{short}-{end}".strip()
    return mapped or "clip"


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, cached by its path, size, times and inode.

    Each digest has a small file of its own: a look-up is one read, and processes do not interfere.
    Raises BenchError if the file cannot be read.
    """
    try:
        before = path.stat()
        key = f"{os.path.abspath(path)}\0{stamp_of(before)}"  # noqa: PTH100
        name = hashlib.sha256(os.fsencode(key)).hexdigest()
        note = cache_dir() / "digests" / name[:2] / name[2:]
        with contextlib.suppress(OSError, UnicodeDecodeError):
            known = note.read_text(encoding="ascii").strip()
            if _DIGEST.fullmatch(known):
                return known
        found = file_sha256(path)
        after = path.stat()
    except OSError as error:
        raise BenchError(f"{path}: cannot be read: {error.strerror or error}.") from error
    is_settled = time.time_ns() - max(after.st_mtime_ns, after.st_ctime_ns) > SETTLED_NS
    if is_settled and stamp_of(before) == stamp_of(after):
        # A missing cache only costs time.
        with contextlib.suppress(OSError), in_one_move(note, lasting=False) as part:
            part.write_text(found + "\n", encoding="ascii")
    return found


def clip_digest(clip: Clip) -> str:
    """The digest of a clip's content: the manifest's, else that of its files."""
    return clip.sha256 or content_digest(clip)


def content_digest(clip: Clip) -> str:
    """The digest of the video, or of both files' digests where the sound has its own file."""
    return _joint_digest([file_digest(path) for path in _files(clip)])


def _files(clip: Clip) -> list[Path]:
    return [clip.video] if clip.audio is None else [clip.video, clip.audio]


def _is_of(clip: Clip, digests: Sequence[str]) -> bool:
    # A plan joins the digests of a clip's two files in another way, and its keys depend on that.
    return clip.sha256 in (_joint_digest(digests), plan_digest(digests))


def _joint_digest(digests: Sequence[str]) -> str:
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(f"{one}\n" for one in digests).encode()).hexdigest()


def check_content(clip: Clip, *, reread: bool = False) -> None:
    """Raises BenchError where a clip's files do not have its sha256.

    The digests come from the cache. reread: this process reads the files again, as it should before
    it decodes them, because a bit flipped on a disk changes no file's times.
    A missing file is not reported here: reading it raises the right error.
    """
    paths = _files(clip)
    if not clip.sha256 or not all(path.is_file() for path in paths):
        return
    try:
        digests = [sha256_here(path) if reread else file_digest(path) for path in paths]
    except OSError as error:
        raise BenchError(f"{clip.video}: cannot be read: {error.strerror or error}.") from error
    if not _is_of(clip, digests):
        files, found = " and ".join(map(str, paths)), _joint_digest(digests)
        raise BenchError(
            f"clip {clip.id!r}: {files}: SHA-256 is {found}, expected {clip.sha256} from the "
            "manifest or from when the run was planned. The file is damaged or was replaced: "
            "restore it, or correct the manifest's column sha256; then run with --retry."
        )


def has_content(clip: Clip) -> bool:
    """Whether a clip's files have its sha256; True where it has none.

    Raises BenchError where one cannot be read.
    """
    return not clip.sha256 or _is_of(clip, [file_digest(path) for path in _files(clip)])


def plan_digest(digests: Sequence[str]) -> str:
    """A clip's digest in a plan's keys, where its manifest has no sha256, from its files'."""
    return digests[0] if len(digests) == 1 else digest(list(digests))


class _Rows:
    """One pass over a manifest that collects all problems instead of stopping at the first."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[str] = []
        self._lines = _decoded(path).splitlines(keepends=True)
        self._first_line_of: dict[str, int] = {}
        self._real_folder: dict[str, str | None] = {}
        self._skipped = 0
        self.root = os.path.realpath(path.parent)
        while self._skipped < len(self._lines) and self._lines[self._skipped].startswith("#"):
            self._read_comment(self._lines[self._skipped])
            self._skipped += 1

    def __iter__(self) -> Iterator[tuple[int, dict[str, str]]]:
        reader = csv.reader(self._lines[self._skipped :], strict=True)
        line = self._skipped + 1
        header: list[str] | None = None
        try:
            for cells in reader:
                if not cells:
                    pass
                elif header is None:
                    header = self._checked_header(line, [cell.strip() for cell in cells])
                elif len(cells) != len(header):
                    self._add(line, "", f"has {len(cells)} cells, the header has {len(header)}")
                else:
                    yield line, dict(zip(header, map(plain_text, cells), strict=True))
                line = self._skipped + reader.line_num + 1
        except csv.Error as error:
            self._add(line, "", f"is not csv: {error}. Quote cells that hold commas or quotes")
        if header is None and not self.problems:
            raise BenchError(
                f"{self.path}: is empty. The first line should be: {','.join(COLUMNS)}"
            )

    def clip(self, line: int, row: dict[str, str]) -> Clip | None:
        """The clip of one row, or None where the row has a problem."""
        known = len(self.problems)
        identity = row["id"]
        if problem := _id_problem(identity):
            self._add(line, "id", f"{identity!r}: {problem}")
        first = self._first_line_of.setdefault(identity, line)
        if first != line:
            self._add(line, "id", f"{identity!r} is already in line {first}. Ids must be unique")
        video = self._file(line, "video", row["video"])
        audio = self._file(line, "audio", row["audio"]) if row.get("audio") else None
        box = self._box(line, row["box"]) if row.get("box", "").strip() else None
        sha256 = row.get("sha256", "").strip().lower()
        if sha256 and not _DIGEST.fullmatch(sha256):
            self._add(line, "sha256", f"{sha256!r} is not a SHA-256 of 64 hexadecimal digits")
        if len(self.problems) > known or video is None:
            return None
        named = {name: row.get(name, "") for name in ("speaker", "language", "split", "text")}
        return Clip(identity, video, audio, **named, box=box, sha256=sha256)

    def raise_problems(self) -> None:
        """Raises one BenchError that names all problems, the first twenty in full."""
        if not self.problems:
            return
        shown = self.problems[:SHOWN_PROBLEMS]
        if len(self.problems) > len(shown):
            shown.append(f"{self.path}: and {len(self.problems) - len(shown)} more problems.")
        raise BenchError("\n".join(shown))

    def _add(self, line: int, column: str, problem: str) -> None:
        key = f" {column}:" if column else ""
        self.problems.append(f"{self.path}:{line}:{key} {problem}.")

    def _read_comment(self, text: str) -> None:
        key, _, value = text[1:].partition(":")
        if key.strip() != "root":
            return
        folder = os.path.join(self.path.parent, os.path.expanduser(value.strip()))  # noqa: PTH111, PTH118
        self.root = os.path.realpath(folder)
        if not os.path.isdir(self.root):  # noqa: PTH112
            self._add(
                self._skipped + 1,
                "root",
                f"there is no folder {value.strip()!r}. Name the folder that paths are relative to",
            )

    def _checked_header(self, line: int, names: list[str]) -> list[str]:
        for name in names:
            if name not in COLUMNS:
                near = difflib.get_close_matches(name.lower(), COLUMNS, n=1)
                meant = f" Did you mean {near[0]!r}?" if near else ""
                self._add(line, name, f"unknown column.{meant} Columns are {', '.join(COLUMNS)}")
        if double := _first_double(names):
            self._add(line, double, "this column appears twice")
        if missing := [name for name in REQUIRED if name not in names]:
            self._add(line, missing[0], f"column missing. Required are {' and '.join(REQUIRED)}")
        if self.problems:  # rows under a wrong header would only repeat its problems
            self.raise_problems()
        return names

    def _file(self, line: int, column: str, text: str) -> Path | None:
        problem = self._path_problem(text)
        if problem:
            self._add(line, column, f"{text!r} {problem}")
            return None
        return Path(self.root, text)

    def _path_problem(self, text: str) -> str:
        if not text:
            return "names no file. Give the file's path, relative to the manifest's root"
        if "\0" in text:
            return "has a null character"
        if text.startswith(("/", "\\")) or re.match(r"[A-Za-z]:[\\/]", text):
            return "is absolute. Paths are relative to the manifest's root"
        if ".." in text.replace("\\", "/").split("/"):
            return "leads upwards. Paths stay below the manifest's root, without '..'"
        # Each folder is resolved once, files are not: 15,000 rows take a fraction of a second.
        full = f"{self.root}/{text}"
        folder = os.path.dirname(full)  # noqa: PTH120
        if folder not in self._real_folder:
            real = os.path.realpath(folder)
            self._real_folder[folder] = real if self._is_inside(real) else None
        if self._real_folder[folder] is None:
            return self._outside(folder)
        if os.path.islink(full) and not self._is_inside(os.path.realpath(full)):  # noqa: PTH114
            return self._outside(full)
        return ""

    def _is_inside(self, real: str) -> bool:
        return real == self.root or real.startswith(self.root.rstrip("/") + "/")

    def _outside(self, place: str) -> str:
        return (
            f"is a link out of the root, to {os.path.realpath(place)}. "
            "Name the folder that holds the files in a first line '# root: FOLDER'"
        )

    def _box(self, line: int, text: str) -> Box | None:
        try:
            x, y, width, height = (float(part) for part in text.replace(",", " ").split())
        except ValueError:
            self._add(
                line, "box", f"{text!r} is not a box: four numbers, x y width height, in pixels"
            )
            return None
        if not all(map(math.isfinite, (x, y, width, height))) or width <= 0 or height <= 0:
            self._add(line, "box", f"{text!r}: must be finite, with width and height above 0")
            return None
        return (x, y, width, height)


def _decoded(path: Path) -> str:
    """The text of a manifest, without a byte order mark and with `\\n` as line end."""
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise BenchError(f"{path}: cannot be read: {reason}. It should be a csv file.") from error
    if not data.strip():
        raise BenchError(f"{path}: is empty. The first line should be: {','.join(COLUMNS)}")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        bad = data[error.start : error.start + 1]
        raise BenchError(
            f"{path}:{line}: the byte {bad.hex()} is not utf-8. Save the file as utf-8."
        ) from error


def _id_problem(text: str) -> str:
    if not text:
        return "is empty. An id names one clip"
    if len(text.encode(errors="replace")) > ID_BYTES:
        return f"has {len(text.encode(errors='replace'))} bytes. At most {ID_BYTES} are allowed"
    if text.startswith("."):
        return "starts with a dot. An id is one plain file name"
    if text != text.strip():
        return "has blanks at its ends. Remove them"
    unsafe = next((char for char in text if _is_unsafe(char)), None)
    if unsafe is not None:
        return f"has the character {unsafe!r}. An id is one plain file name without any of / \\ + ~"
    return ""


def _is_unsafe(char: str) -> bool:
    return char in "/\\" + JOINTS or unicodedata.category(char) in UNSAFE_CATEGORIES


def _first_double(names: Sequence[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def _relative(file: Path, root: Path, *, manifest: Path) -> str:
    for candidate in (file.absolute(), file.resolve()):
        if candidate.is_relative_to(root) and ".." not in candidate.parts:
            return candidate.relative_to(root).as_posix()
    raise BenchError(
        f"{manifest}: {file} is not below the root {root}. "
        "Give the folder that holds all files as root."
    )
