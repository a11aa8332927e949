"""Imports LRS2, the Oxford-BBC Lip Reading Sentences 2 corpus (given out by the BBC on request).

Layout: ROOT/main/<id>/<clip>.mp4 with <clip>.txt, whose first line is `Text:  THE SENTENCE`, and
the lists train.txt, val.txt and test.txt, whose lines start with `<id>/<clip>` (those of test.txt
have `NF` or `MV` behind it). ROOT may also be the folder above (`main` lies in `mvlrs_v1` as it is
given out) or `main` itself. `pretrain` is left out: its clips are whole passages of any length.
LRS2 names no speakers; the folder `<id>` (one broadcast) stands in their place.
"""

from __future__ import annotations

import re
from pathlib import Path

from bench.contract.importer import Imported
from bench.data.manifest import plain_id
from bench.data.splits import Naming, outside_splits, read_splits
from bench.data.tree import TEXTS, Tree, text_of, without_ending
from bench.errors import BenchError
from bench.types import Clip

SPLITS = ("train", "val", "test")
NAMING = Naming(re.compile(r"(\d{10,})[/_-](\d{5})(?!\d)"), "5535415699068794046/00001")
_WORDS = re.compile(r"WORD\s+START\s+END\b")


def import_lrs2(root: Path) -> Imported:
    """The clips of LRS2's main part in the order of their ids.

    Raises BenchError if no folder `main` holds a clip.
    """
    tree = Tree(root)
    files: dict[str, Path] = {}
    dropped: list[tuple[str, str]] = []
    pretrain = 0
    for file in tree.ending_with({".mp4"}):
        part = file.absolute().parent.parent.name
        pretrain += part == "pretrain"
        if part != "main":
            continue
        name = f"{file.parent.name}/{without_ending(file).name}"
        first = files.setdefault(name, file)
        if first != file:
            reason = f"the same clip as {first.relative_to(root)}"
            dropped.append((str(file.relative_to(root)), reason))
    if not files:
        raise BenchError(
            f"{root}: has no LRS2 clips. Looked for main/<id>/<clip>.mp4, with the lists "
            "train.txt, val.txt and test.txt beside main."
        )
    places = dict.fromkeys(file.absolute().parents[2] for file in files.values())
    splits = read_splits(tree, SPLITS, names=files, naming=NAMING, places=places)
    dropped += outside_splits(files, splits.of)
    if pretrain:
        dropped.append(("pretrain", "not imported: its clips are whole passages of any length"))
    clips = [
        Clip(
            plain_id(name.replace("/", "-")),
            file,
            speaker=file.parent.name,
            language="en",
            split=splits.of.get(name, ""),
            text=read_text(tree.named(without_ending(file), TEXTS)),
        )
        for name, file in sorted(files.items())
        if not splits.of or name in splits.of
    ]
    return Imported(clips, dropped, [*splits.notes, *tree.passed_over({".mp4", *TEXTS})])


def read_text(file: Path | None) -> str:
    """The sentence of a text file of LRS2 or LRS3; nothing where there is no file.

    It stands behind `Text:`; where that is missing, it is put together from the words that have
    times, below the line `WORD START END ASDSCORE`.
    """
    lines = [] if file is None else text_of(file).splitlines()
    for line in lines:
        if line.startswith("Text:"):
            return line.removeprefix("Text:").strip()
    heads = [number for number, line in enumerate(lines) if _WORDS.match(line)]
    if heads:
        return " ".join(line.split()[0] for line in lines[heads[0] + 1 :] if line.strip())
    return lines[0].strip() if lines else ""
