"""Imports the GRID audiovisual sentence corpus (Cooke, Barker, Cunningham, Shao 2006; CC BY 4.0).

Layouts that are understood, also mixed:
    ROOT/s1/bbaf2n.mpg, ROOT/s1/video/bbaf2n.mpg, ROOT/s1/video/mpg_6000/bbaf2n.mpg   (the corpus)
    ROOT/original/s1/bbaf2n.mpg, ROOT/video/s1/bbaf2n.mp4                             (as converted)
with word times, where they are, in `ROOT/align/s1/`, `ROOT/s1/align/` or `ROOT/alignments/s1/`.

Splits come from the lists train, val, test_seen and test_unseen (ROOT/splits/train.txt) with lines
`s1/bbaf2n`. Without lists a fixed rule holds: the speakers s1, s2, s20 and s22 are `test_unseen`
(as in LipNet, Assael et al. 2016); a clip of any other speaker goes by the digest of its id: the
lowest 6 % to `test_seen`, the next 4 % to `val`, all others to `train`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from bench.contract.importer import Imported
from bench.data.manifest import plain_id
from bench.data.splits import Naming, outside_splits, read_splits
from bench.data.tree import Tree, text_of
from bench.errors import BenchError
from bench.files.digests import place_of
from bench.types import Clip

SPLITS = ("train", "val", "test_seen", "test_unseen")
NAMING = Naming(re.compile(r"(s\d+|unknown\w*)[/_-](\w{6})\b"), "s1/bbaf2n")
ENDINGS = (
    ".mp4",
    ".mpg",
    ".mpeg",
    ".avi",
    ".mov",
)  # of two files of one clip the first kind is kept
UNSEEN_SPEAKERS = frozenset({"s1", "s2", "s20", "s22"})
TEST_SEEN_SHARE, VAL_SHARE = 0.06, 0.04
SILENCES = frozenset({"sil", "sp"})

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
# A clip's name spells its sentence, one letter for each word (GRID's own documentation).
_WORDS: tuple[dict[str, str], ...] = (
    {"b": "bin", "l": "lay", "p": "place", "s": "set"},
    {"b": "blue", "g": "green", "r": "red", "w": "white"},
    {"a": "at", "b": "by", "i": "in", "w": "with"},
    {letter: letter for letter in "abcdefghijklmnopqrstuvxyz"},  # GRID leaves out w
    dict(zip("z123456789", _DIGITS, strict=True)),
    {"a": "again", "n": "now", "p": "please", "s": "soon"},
)
_NOT_SPEAKERS = frozenset({"original", "video", "mpg_6000", "mpg_vcd", "mpg"})
_SPEAKER = re.compile(r"s\d+|unknown\w*")


def import_grid(root: Path) -> Imported:
    """The clips of a GRID folder in the order of their ids, with speaker, text and split.

    Raises BenchError if `root` is no folder or holds no clip in a known layout.
    """
    tree = Tree(root)
    dropped: list[tuple[str, str]] = []
    files: dict[str, Path] = {}
    for file in _videos(tree):
        speaker = _speaker(file.relative_to(root), root)
        if speaker is None:
            dropped.append(
                (str(file.relative_to(root)), "lies in no speaker's folder (s1, s2, ...)")
            )
            continue
        first = files.setdefault(f"{speaker}/{file.stem}", file)
        if first != file:
            reason = f"the same clip as {first.relative_to(root)}"
            dropped.append((str(file.relative_to(root)), reason))
    if not files:
        raise BenchError(
            f"{root}: has no GRID clips. Looked for s1/*.mpg, s1/video/*.mpg, "
            "original/s1/*.mpg and video/s1/*.mp4."
        )
    splits = read_splits(tree, SPLITS, names=files, naming=NAMING)
    dropped += outside_splits(files, splits.of)
    kept = [name for name in files if not splits.of or name in splits.of]
    clips = [_clip(root, name, files[name], splits.of) for name in kept]
    notes = [*splits.notes, *tree.passed_over({*ENDINGS, ".align"})]
    if not splits.of:
        notes.append(
            f"split by rule: {', '.join(sorted(UNSEEN_SPEAKERS))} are test_unseen, others by digest"
        )
    return Imported(sorted(clips, key=lambda clip: clip.id), dropped, notes)


def _clip(root: Path, name: str, file: Path, splits: Mapping[str, str]) -> Clip:
    speaker, stem = name.split("/")
    identity = plain_id(f"{speaker}-{stem}")
    return Clip(
        identity,
        file,
        speaker=speaker,
        language="en",
        split=splits[name] if splits else _rule_split(speaker, identity),
        text=_text(root, speaker, stem),
    )


def _videos(tree: Tree) -> list[Path]:
    found = [path for path in tree.ending_with(ENDINGS) if path.is_file()]
    return sorted(found, key=lambda path: (ENDINGS.index(path.suffix.lower()), path))


def _speaker(relative: Path, root: Path) -> str | None:
    """The folder named like a speaker; the root itself may be the folder of one speaker."""
    folders = [part for part in relative.parts[:-1] if part not in _NOT_SPEAKERS]
    candidates = [*folders, root.resolve().name] if not folders else folders[:1]
    return next((part for part in candidates if _SPEAKER.fullmatch(part)), None)


def _rule_split(speaker: str, identity: str) -> str:
    if speaker in UNSEEN_SPEAKERS:
        return "test_unseen"
    place = place_of(identity)
    if place < TEST_SEEN_SHARE:
        return "test_seen"
    return "val" if place < TEST_SEEN_SHARE + VAL_SHARE else "train"


def _text(root: Path, speaker: str, stem: str) -> str:
    """The words of the clip's align file, else what its name spells, else nothing."""
    places = (f"align/{speaker}", f"{speaker}/align", f"alignments/{speaker}", "align")
    for place in places:
        file = root / place / f"{stem}.align"
        if file.is_file():
            rows = (line.split() for line in text_of(file).splitlines())
            return " ".join(row[2] for row in rows if len(row) == 3 and row[2] not in SILENCES)
    if len(stem) != len(_WORDS):
        return ""
    words = [words.get(letter, "") for words, letter in zip(_WORDS, stem.lower(), strict=True)]
    return " ".join(words) if all(words) else ""
