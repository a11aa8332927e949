"""Imports CMLR, Chinese Mandarin Lip Reading (VIPA, Zhejiang University; available on request).

Layout after unpacking all archives, directly in ROOT or in a folder below it:

    ROOT/video/s1/20170121/section_2_000.40_002.98.mp4
    ROOT/audio/s1/20170121/section_2_000.40_002.98.wav
    ROOT/text/s1/20170121/section_2_000.40_002.98.txt
    ROOT/train.csv, val.csv, test.csv: one name s1/20170121/section_2_000.40_002.98 per line

The two numbers at the end of a name are the sentence's start and end in its news section, in
seconds.

Sources: the corpus page vipazoo.cn/CMLR.html (11 speakers, 102,072 sentences of at most 29
characters, word boundaries in seconds), albyho/Preprocessed-CMLR-Dataset-For-Wav2Lip (the folders
video/*/*/*.mp4 and audio/*/*/*.wav after unpacking) and the test list of
mpc001/Visual_Speech_Recognition_for_Multiple_Languages (the names). None shows the content of a
text or csv file, so all forms that fit the corpus page are read: a sentence in the first line, or a
word with two times in every line; for lists see bench.data.splits.
"""

from __future__ import annotations

import re
from pathlib import Path

from bench.contract.importer import Imported
from bench.data.manifest import plain_id
from bench.data.splits import Naming, outside_splits, read_splits
from bench.data.tree import SOUNDS, TEXTS, Tree, text_of, without_ending
from bench.ground.errors import BenchError
from bench.ground.types import Clip

SPLITS = ("train", "val", "test")
NAMING = Naming(
    re.compile(r"(s\d+)[/_-](\d{8})[/_-](section_\d+_\d+\.\d+_\d+\.\d+)"),
    "s1/20170121/section_2_000.40_002.98",
)
_NAME_PARTS = 3  # speaker, date, section
_TIMED_WORD = re.compile(r"(\S+)\s+\d+(?:\.\d+)?\s+\d+(?:\.\d+)?")


def import_cmlr(root: Path) -> Imported:
    """The clips of CMLR in the order of their names; clips without a sound file are left out.

    Raises BenchError if no folder `video` in ROOT holds a clip.
    """
    tree = Tree(root)

    def name_of(file: Path) -> str | None:
        if file.relative_to(root).parts[-_NAME_PARTS - 1 : -_NAME_PARTS] != ("video",):
            return None
        return "/".join((*file.parts[-_NAME_PARTS:-1], without_ending(file).name))

    files, dropped = tree.by_name((".mp4",), name_of)
    if not files:
        hint = " Unpack the archives first." if tree.ending_with({".zip"}) else ""
        raise BenchError(
            f"{root}: has no CMLR clips. Looked for video/<speaker>/<date>/<section>.mp4, "
            f"and the same names below audio and text.{hint}"
        )
    bases = {name: file.parents[_NAME_PARTS] for name, file in files.items()}
    splits = read_splits(
        tree, SPLITS, names=files, naming=NAMING, places=dict.fromkeys(bases.values())
    )
    dropped += outside_splits(files, splits.of)
    clips = []
    for name, file in sorted(files.items()):
        audio = tree.named(bases[name] / "audio" / name, SOUNDS)
        text = tree.named(bases[name] / "text" / name, TEXTS)
        if splits.of and name not in splits.of:
            continue
        if audio is None:
            dropped.append((name, f"no sound file audio/{name}.wav"))
            continue
        clips.append(
            Clip(
                plain_id(name.replace("/", "-")),
                file,
                audio,
                speaker=name.split("/")[0],
                language="zh",
                split=splits.of.get(name, ""),
                text="" if text is None else read_text(text),
            )
        )
    notes = [*splits.notes, *tree.unused_note({".mp4", *SOUNDS, *TEXTS})]
    return Imported(clips, dropped, notes)


def read_text(file: Path) -> str:
    """The sentence of one of CMLR's text files, without blanks."""
    lines = text_of(file, or_else="gb18030").splitlines()
    filled = [line.strip() for line in lines if line.strip()]
    if not filled:
        return ""
    timed = [_TIMED_WORD.fullmatch(line) for line in filled]
    words = [match[1] for match in timed if match] if timed[0] else filled[:1]
    return "".join("".join(words).split())
