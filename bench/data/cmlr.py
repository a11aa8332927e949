"""Imports CMLR, Chinese Mandarin Lip Reading (VIPA, Zhejiang University; given out on request).

Layout, with the archives of all speakers unpacked:

    ROOT/video/s1/20170121/section_2_000.40_002.98.mp4
    ROOT/audio/s1/20170121/section_2_000.40_002.98.wav
    ROOT/text/s1/20170121/section_2_000.40_002.98.txt
    ROOT/train.csv, val.csv, test.csv: one name s1/20170121/section_2_000.40_002.98 a line

The two numbers at the end of a name are the sentence's begin and end in its news section, in
seconds.

Sources: the corpus page vipazoo.cn/CMLR.html (11 speakers, 102,072 sentences of at most 29
characters, word boundaries in seconds), albyho/Preprocessed-CMLR-Dataset-For-Wav2Lip (the folders
video/*/*/*.mp4 and audio/*/*/*.wav after unpacking) and the test list of
mpc001/Visual_Speech_Recognition_for_Multiple_Languages (the names). None shows the inside of a text
file or of a csv file, so all forms that fit the corpus page are read: a sentence in the first line,
or one word with two times in every line; a name alone in a line, or in the first cell.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

from bench.data.manifest import Imported, plain_id
from bench.data.splits import outside_splits, read_splits
from bench.errors import BenchError
from bench.types import Clip

SPLITS = ("train", "val", "test")
_TIMED_WORD = re.compile(r"(\S+)\s+\d+(?:\.\d+)?\s+\d+(?:\.\d+)?")


def import_cmlr(root: Path) -> Imported:
    """The clips of CMLR in the order of their names; clips without a sound file are left out.

    Raises BenchError if ROOT/video holds no clip.
    """
    video = root / "video"
    files = {
        file.relative_to(video).with_suffix("").as_posix(): file
        for file in sorted(video.glob("*/*/*.mp4"))
    }
    if not files:
        hint = " Unpack the archives first." if any(video.glob("*.zip")) else ""
        raise BenchError(
            f"{root}: has no CMLR clips. Looked for video/<speaker>/<date>/<section>.mp4, "
            f"with the same below audio and text.{hint}"
        )
    splits = read_splits({split: root / f"{split}.csv" for split in SPLITS}, name_of=_name)
    dropped = outside_splits(files, splits)
    clips = []
    for name, file in files.items():
        if splits and name not in splits:
            continue
        audio = _with_ending(root / "audio" / name, ".wav")
        if not audio.is_file():
            dropped.append((name, f"no sound file {audio.relative_to(root)}"))
            continue
        clips.append(
            Clip(
                plain_id(name.replace("/", "-")),
                file,
                audio,
                speaker=name.split("/")[0],
                language="zh",
                split=splits.get(name, ""),
                text=read_text(_with_ending(root / "text" / name, ".txt")),
            )
        )
    return Imported(clips, dropped)


def read_text(file: Path) -> str:
    """The sentence of one of CMLR's text files, without blanks; nothing where there is no file."""
    if not file.is_file():
        return ""
    lines = file.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    filled = [line.strip() for line in lines if line.strip()]
    if not filled:
        return ""
    timed = [_TIMED_WORD.fullmatch(line) for line in filled]
    words = [match[1] for match in timed if match] if timed[0] else filled[:1]
    return "".join("".join(words).split())


def _name(line: str) -> str | None:
    """`s1/20170121/section_2_000.40_002.98`, also with a folder before it, an ending, or a text."""
    cells = next(csv.reader([line]), [])
    words = cells[0].split() if cells else []
    name = words[0].removeprefix("video/").removesuffix(".mp4") if words else ""
    return name if name.count("/") == 2 else None


def _with_ending(path: Path, ending: str) -> Path:
    # Not Path.with_suffix: the names hold dots, and it would cut the end time off.
    return path.with_name(path.name + ending)
