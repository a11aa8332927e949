"""Imports LRS2, the Oxford-BBC Lip Reading Sentences 2 corpus (given out by the BBC on request).

Layout: ROOT/main/<id>/<clip>.mp4 with <clip>.txt, whose first line is `Text:  THE SENTENCE`, and
the lists ROOT/{train,val,test}.txt, whose lines start with `<id>/<clip>` (those of test.txt may
have more behind it, which is not read). ROOT/pretrain is left out: its clips are whole passages of
any length. LRS2 names no speakers; the folder `<id>` (one broadcast) stands in their place.
"""

from __future__ import annotations

from pathlib import Path

from bench.data.manifest import Imported, plain_id
from bench.data.splits import outside_splits, read_splits
from bench.errors import BenchError
from bench.types import Clip

SPLITS = ("train", "val", "test")


def import_lrs2(root: Path) -> Imported:
    """The clips of LRS2's main part in the order of their ids.

    Raises BenchError if ROOT/main is no folder or holds no clip.
    """
    main = root / "main"
    files = {f"{file.parent.name}/{file.stem}": file for file in sorted(main.glob("*/*.mp4"))}
    if not files:
        raise BenchError(
            f"{root}: has no LRS2 clips. Looked for main/<id>/<clip>.mp4, with the lists "
            "train.txt, val.txt and test.txt beside main."
        )
    lists = {split: root / f"{split}.txt" for split in SPLITS}
    splits = read_splits(lists, name_of=_first_word)
    dropped = outside_splits(files, splits)
    if (root / "pretrain").is_dir():
        dropped.append(("pretrain", "not imported: its clips are whole passages of any length"))
    clips = [
        Clip(
            plain_id(name.replace("/", "-")),
            file,
            speaker=file.parent.name,
            language="en",
            split=splits.get(name, ""),
            text=read_text(file.with_suffix(".txt")),
        )
        for name, file in files.items()
        if not splits or name in splits
    ]
    return Imported(clips, dropped)


def read_text(file: Path) -> str:
    """The sentence of one of LRS2's text files, nothing where there is no such file."""
    if not file.is_file():
        return ""
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    first = lines[0] if lines else ""
    return first.removeprefix("Text:").strip()


def _first_word(line: str) -> str | None:
    words = line.split()
    return words[0].removeprefix("main/") if words else None
