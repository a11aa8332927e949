"""Splits of data sets: by lists, text files with a clip's name in each line, or by rule.

Many forms of lists are read: a name may come with folders and an ending, its parts may be joined by
slashes, backslashes, hyphens or underscores, and it may be in any cell of a line, beside
transcripts and counts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from bench.data.tree import SOUNDS, TEXTS, VIDEOS, Tree, text_of, without_ending
from bench.files.digests import place_of
from bench.ground.errors import BenchError

NO_LIST = "in none of the split lists"

FOLDERS = ("", "filelists", "lists", "splits", "split", "labels")  # searched for lists
ENDINGS = (".txt", ".csv", ".tsv", ".lst", ".list")
_ALSO_CALLED = {"training": "train", "valid": "val", "validation": "val", "dev": "val"}
_BESIDE_THE_SPLIT = frozenset({"list", "lists", "filelist", "files", "split", "set", "data"})
_CELLS = re.compile(r"[\s,;|\"']+")
_NAME_ENDINGS = frozenset({*VIDEOS, *SOUNDS, *TEXTS, ".align", ".npy", ".npz", ".mat", ".pkl"})
_JOINTS = re.compile(r"[/_-]+")
_SHOWN = 60  # characters of an unread line

TEST_SEEN_SHARE, VAL_SHARE = 0.06, 0.04  # of the clips of speakers that are not kept back


@dataclass(frozen=True)
class Naming:
    """How a data set names its clips in lists.

    pattern: finds a name anywhere in a line; its groups are the name's parts. example: one name.
    """

    pattern: re.Pattern[str]
    example: str


@dataclass(frozen=True)
class Splits:
    """of: each clip's split by its name. notes: on lists not found and lines not understood."""

    of: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()


def read_splits(
    tree: Tree,
    splits: Sequence[str],
    *,
    names: Collection[str],
    naming: Naming,
    places: Iterable[Path] = (),
) -> Splits:
    """The splits by the lists in the tree's root or in `places`, or in one of FOLDERS there.

    names: the clips that exist, their parts joined by slashes. A line is read if it names one of
    these or matches the naming's pattern; other lines are counted, and the first is shown.
    Raises BenchError if a clip is in two lists, or no line of a list names a clip.
    """
    folders = [
        place / name for place, name in product((tree.root, *map(tree.inside, places)), FOLDERS)
    ]
    lists, notes = _lists(tree, splits, folders, prefix=tree.root.resolve().name)
    index = _Index(names, naming)
    of: dict[str, str] = {}
    for split, file in lists.items():
        read = unread = 0
        first = ""
        for line, text in enumerate(text_of(file).splitlines(), 1):
            name = index.name_in(text)
            if name is not None:
                read += 1
                if of.setdefault(name, split) != split:
                    other = lists[of[name]].name
                    raise BenchError(f"{file}:{line}: {name} is already in {other}.")
            elif text.strip() and not _is_header(line, text):
                unread += 1
                first = first or f"line {line}: {text.strip()[:_SHOWN]!r}"
        if unread and not read:
            raise BenchError(
                f"{file}: none of its {unread} lines names a clip, the first is {first}. Each line "
                f"holds a name such as {naming.example}; if this is no split list, rename it."
            )
        if unread:
            notes.append(
                f"{file.name}: {unread} of {read + unread} lines name no clip, the first is {first}"
            )
    return Splits(of, notes)


def outside_splits(names: Iterable[str], splits: Mapping[str, str]) -> list[tuple[str, str]]:
    """What an import drops if there are lists: unlisted clips, and names without a clip."""
    if not splits:
        return []
    here = set(names)
    unlisted = [(name, NO_LIST) for name in sorted(here) if name not in splits]
    absent = sorted(name for name in splits if name not in here)
    return unlisted + [(name, f"listed as {splits[name]}, but has no file") for name in absent]


class _Index:
    """Finds the clip that a line of a list names."""

    def __init__(self, names: Collection[str], naming: Naming) -> None:
        self._names = set(names)
        self._pattern = naming.pattern
        self._short = _unique((name.split("/", 1)[-1], name) for name in names)
        self._joined = _unique((_JOINTS.sub("_", name), name) for name in names)

    def name_in(self, line: str) -> str | None:
        cells = [_bare(cell) for cell in _CELLS.split(line) if cell]
        cells.append("/".join(cells))  # for a name with one part per cell
        for cell in cells:
            if (name := self._known(cell)) is not None:
                return name
        for cell in cells:
            if (found := self._pattern.search(cell)) is not None:
                return "/".join(found.groups())
        return None

    def _known(self, cell: str) -> str | None:
        """The clip that a path ends with; the first part of the clip's name may be missing."""
        parts = cell.split("/")
        for begin in range(len(parts)):
            if (name := "/".join(parts[begin:])) in self._names:
                return name
        words = _JOINTS.split(cell)
        for begin in range(len(words)):
            if (joined := self._joined.get("_".join(words[begin:]))) is not None:
                return joined
        return self._short.get(cell) if "/" in cell else None


def _lists(
    tree: Tree, splits: Sequence[str], folders: Sequence[Path], *, prefix: str
) -> tuple[dict[str, Path], list[str]]:
    """The first list found for each split, and notes on the others."""
    found: dict[str, Path] = {}
    notes: list[str] = []
    for folder in dict.fromkeys(folders):
        for file in sorted(folder.iterdir()) if folder.is_dir() else ():
            split = _split_of(file, prefix)
            if split not in splits or not file.is_file():
                continue
            tree.use(file)
            if (first := found.setdefault(split, file)) != file:
                notes.append(f"{file}: not read, {first} is the list of {split}")
    absent = [split for split in splits if split not in found]
    if absent:
        places = ", ".join(name or "the root" for name in FOLDERS)
        endings = ", ".join(ENDINGS)
        notes.append(
            f"no list of {', '.join(absent)}: looked in {places}, for names with {endings}"
        )
    return {split: found[split] for split in splits if split in found}, notes


def _split_of(file: Path, prefix: str) -> str:
    """`train` for train.txt, CMLR_train.csv or train_list.txt; "" for files that are no list."""
    if file.name.startswith(".") or file.suffix.lower() not in ENDINGS:
        return ""
    known = {*_BESIDE_THE_SPLIT, *_DATA_SETS, prefix.lower()}
    words = [word for word in re.split(r"[_\-. ]+", file.stem.lower()) if word not in known]
    return "_".join(_ALSO_CALLED.get(word, word) for word in words)


_DATA_SETS = frozenset({"grid", "lrs2", "lrs3", "cmlr"})


def _bare(cell: str) -> str:
    """A cell as a path with slashes and without a file ending."""
    path = cell.replace("\\", "/").strip("/")
    return str(without_ending(Path(path))) if Path(path).suffix.lower() in _NAME_ENDINGS else path


def _is_header(line: int, text: str) -> bool:
    """Whether the first line holds column names: every clip's name has a digit."""
    return line == 1 and not any(char.isdigit() for char in text)


def _unique(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The pairs as a mapping, without the keys that have more than one value."""
    listed = list(pairs)
    counts = Counter(key for key, _ in listed)
    return {key: value for key, value in listed if counts[key] == 1}


def split_by_rule(identity: str, *, is_unseen: bool) -> str:
    """The split of a clip where a corpus has none; by the digest of its id, so that it stays.

    is_unseen: whether its speaker is kept back as a whole. The lowest TEST_SEEN_SHARE of the others
    are `test_seen`, the next VAL_SHARE `val`, the rest `train`.
    """
    if is_unseen:
        return "test_unseen"
    place = place_of(identity)
    if place < TEST_SEEN_SHARE:
        return "test_seen"
    return "val" if place < TEST_SEEN_SHARE + VAL_SHARE else "train"
