"""Imports LRS2, the Oxford-BBC Lip Reading Sentences 2 corpus (available from the BBC on request).

Layout: ROOT/main/<id>/<clip>.mp4 with <clip>.txt, whose first line is `Text:  THE SENTENCE`, and
the lists train.txt, val.txt and test.txt, whose lines start with `<id>/<clip>` (followed by `NF` or
`MV` in test.txt). ROOT may also be the folder above (`main` lies in `mvlrs_v1` when unpacked) or
`main` itself. `pretrain` is left out: its clips are whole passages of any length.
LRS2 names no speakers; the folder `<id>` (one broadcast) is used instead.
"""

from __future__ import annotations

import re
from pathlib import Path

from bench.contract.importer import Imported
from bench.data.lrs import ENDINGS, SPLITS, lrs_clips
from bench.data.splits import Naming, outside_splits, read_splits
from bench.data.tree import TEXTS, Tree, without_ending
from bench.ground.errors import BenchError

NAMING = Naming(re.compile(r"(\d{10,})[/_-](\d{5})(?!\d)"), "5535415699068794046/00001")


def import_lrs2(root: Path) -> Imported:
    """The clips of LRS2's main part in the order of their ids.

    Raises BenchError if no folder `main` holds a clip.
    """
    tree = Tree(root)
    files, dropped = tree.by_name(ENDINGS, _name)
    if not files:
        raise BenchError(
            f"{root}: has no LRS2 clips. Looked for main/<id>/<clip>.mp4, with the lists "
            "train.txt, val.txt and test.txt beside main."
        )
    places = dict.fromkeys(file.absolute().parents[2] for file in files.values())
    splits = read_splits(tree, SPLITS, names=files, naming=NAMING, places=places)
    dropped += outside_splits(files, splits.of)
    if any(_part(file) == "pretrain" for file in tree.ending_with(ENDINGS)):
        dropped.append(("pretrain", "not imported: its clips are whole passages of any length"))
    clips = lrs_clips(tree, files, splits.of or dict.fromkeys(files, ""))
    return Imported(clips, dropped, [*splits.notes, *tree.unused_note({*ENDINGS, *TEXTS})])


def _part(file: Path) -> str:
    return file.absolute().parent.parent.name


def _name(file: Path) -> str | None:
    return f"{file.parent.name}/{without_ending(file).name}" if _part(file) == "main" else None
