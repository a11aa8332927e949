"""Imports the GRID audiovisual sentence corpus (Cooke, Barker, Cunningham, Shao 2006; CC BY 4.0).

Layouts that are read, also mixed:
    ROOT/s1/bbaf2n.mpg, ROOT/s1/video/bbaf2n.mpg, ROOT/s1/video/mpg_6000/bbaf2n.mpg   (the corpus)
    ROOT/original/s1/bbaf2n.mpg, ROOT/video/s1/bbaf2n.mp4                             (as converted)
with optional word times in `ROOT/align/s1/`, `ROOT/s1/align/` or `ROOT/alignments/s1/`.

Splits come from the lists train, val, test_seen and test_unseen (ROOT/splits/train.txt) with lines
`s1/bbaf2n`. Without lists a fixed rule applies: the speakers s1, s2, s20 and s22 are `test_unseen`
(as in LipNet, Assael et al. 2016); clips of other speakers are divided by the digest of their ids:
the lowest 6 % are `test_seen`, the next 4 % `val`, all others `train`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.contract.importer import Imported
from bench.data.manifest import plain_id
from bench.data.splits import Naming, outside_splits, read_splits, split_by_rule
from bench.data.tree import Tree, text_of
from bench.ground.errors import BenchError
from bench.ground.types import Clip

SPLITS = ("train", "val", "test_seen", "test_unseen")
NAMING = Naming(re.compile(r"(s\d+|unknown\w*)[/_-](\w{6})\b"), "s1/bbaf2n")
ENDINGS = (
    ".mp4",
    ".mpg",
    ".mpeg",
    ".avi",
    ".mov",
)  # in order of preference, where a clip has several files
UNSEEN_SPEAKERS = frozenset({"s1", "s2", "s20", "s22"})
SILENCES = frozenset({"sil", "sp"})
ALIGN_RATE = 25_000  # units of a second in align files
_DEEPEST = 3  # folders between a clip's and the root: ROOT/s1/video/mpg_6000/bbaf2n.mpg

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
# A clip's name encodes its sentence, one letter per word (GRID's own documentation).
_WORDS: tuple[dict[str, str], ...] = (
    {"b": "bin", "l": "lay", "p": "place", "s": "set"},
    {"b": "blue", "g": "green", "r": "red", "w": "white"},
    {"a": "at", "b": "by", "i": "in", "w": "with"},
    {letter: letter for letter in "abcdefghijklmnopqrstuvxyz"},  # GRID leaves out w
    dict(zip("z123456789", _DIGITS, strict=True)),
    {"a": "again", "n": "now", "p": "please", "s": "soon"},
)
GRAMMAR = tuple(tuple(words.values()) for words in _WORDS)  # the words of each place in a sentence
_NOT_SPEAKERS = frozenset({"original", "video", "mpg_6000", "mpg_vcd", "mpg"})
_SPEAKER = re.compile(r"s\d+|unknown\w*")


@dataclass(frozen=True)
class SpokenWord:
    """A word, from start to end in seconds."""

    word: str
    start: float
    end: float


def import_grid(root: Path) -> Imported:
    """The clips of a GRID folder in the order of their ids, with speaker, text and split.

    Raises BenchError if `root` is no folder or holds no clip in a known layout.
    """
    tree = Tree(root)

    def name_of(file: Path) -> str | None:
        speaker = _speaker(file.relative_to(root), root)
        return f"{speaker}/{file.stem}" if speaker and file.is_file() else None

    files, dropped = tree.by_name(ENDINGS, name_of)
    if not files:
        raise BenchError(
            f"{root}: has no GRID clips. Looked for s1/*.mpg, s1/video/*.mpg, "
            "original/s1/*.mpg and video/s1/*.mp4."
        )
    dropped += [
        (str(file.relative_to(root)), "is not in a speaker's folder (s1, s2, ...)")
        for file in tree.ending_with(ENDINGS)
        if _speaker(file.relative_to(root), root) is None
    ]
    splits = read_splits(tree, SPLITS, names=files, naming=NAMING)
    dropped += outside_splits(files, splits.of)
    kept = [name for name in files if not splits.of or name in splits.of]
    clips = [_clip(root, name, files[name], splits.of) for name in kept]
    notes = [*splits.notes, *tree.unused_note({*ENDINGS, ".align"})]
    if not splits.of:
        notes.append(
            f"split by rule: {', '.join(sorted(UNSEEN_SPEAKERS))} are test_unseen, others by digest"
        )
    return Imported(sorted(clips, key=lambda clip: clip.id), dropped, notes)


def _clip(root: Path, name: str, file: Path, splits: Mapping[str, str]) -> Clip:
    speaker, stem = name.split("/")
    identity = plain_id(f"{speaker}-{stem}")
    is_unseen = speaker in UNSEEN_SPEAKERS
    return Clip(
        identity,
        file,
        speaker=speaker,
        language="en",
        split=splits[name] if splits else split_by_rule(identity, is_unseen=is_unseen),
        text=_text(root, speaker, stem),
    )


def _speaker(relative: Path, root: Path) -> str | None:
    """The folder named like a speaker; the root itself may be the folder of one speaker."""
    folders = [part for part in relative.parts[:-1] if part not in _NOT_SPEAKERS]
    candidates = [*folders, root.resolve().name] if not folders else folders[:1]
    return next((part for part in candidates if _SPEAKER.fullmatch(part)), None)


def _text(root: Path, speaker: str, stem: str) -> str:
    """The words of the clip's align file, else those that its name encodes, else ""."""
    rows = _aligned(root, speaker, stem)
    if rows is not None:
        return " ".join(word for _, _, word in rows)
    if len(stem) != len(_WORDS):
        return ""
    words = [words.get(letter, "") for words, letter in zip(_WORDS, stem.lower(), strict=True)]
    return " ".join(words) if all(words) else ""


def words_of(clip: Clip) -> list[SpokenWord]:
    """The words of a clip that `import_grid` found, with their times, in order; no silences.

    Raises BenchError where the folder holds no word times for the clip.
    """
    speaker, _, stem = clip.id.rpartition("-")
    for root in list(clip.video.parents)[: _DEEPEST + 1]:
        rows = _aligned(root, speaker, stem)
        if rows is not None:
            return [SpokenWord(w, int(a) / ALIGN_RATE, int(b) / ALIGN_RATE) for a, b, w in rows]
    raise BenchError(
        f"{clip.video}: has no word times; expected align/{speaker}/{stem}.align in a folder above"
    )


def _aligned(root: Path, speaker: str, stem: str) -> list[tuple[str, ...]] | None:
    """The rows of a clip's align file (start, end, word), no silences; None where it has none."""
    for place in (f"align/{speaker}", f"{speaker}/align", f"alignments/{speaker}", "align"):
        file = root / place / f"{stem}.align"
        if file.is_file():
            rows = (line.split() for line in text_of(file).splitlines())
            return [tuple(row) for row in rows if len(row) == 3 and row[2] not in SILENCES]
    return None
