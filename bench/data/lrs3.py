"""Imports LRS3-TED, the Lip Reading Sentences 3 corpus (Afouras, Chung, Zisserman 2018).

Layout: <part>/<id of the talk>/<clip>.mp4 with <clip>.txt, where <part> is `pretrain`, `trainval`
or `test`, as the archives are unpacked (`lrs3_test_v0.4` is understood, too), directly in ROOT or
below a folder such as `lrs3_v0.4`. A text file has the sentence behind `Text:`, then `Conf:` and
`Ref:`, face boxes, and in `pretrain` each word with its times (`WORD START END ASDSCORE`), which a
manifest has no column for.

The talk's id on YouTube stands for the speaker. The split of a clip is its part, as the corpus is
given out; where there are lists train, val and test, they decide for the clips that they name.
Clips of `pretrain` are cut from the same talks as those of `trainval` and are numbered alike, so
that the part is in a clip's id.

Sources: the names of the archives and of the parts, and the form of the text files, as read by
facebookresearch/av_hubert @ b4fa4af, avhubert/preparation/lrs3_prepare.py.
"""

from __future__ import annotations

import re
from pathlib import Path

from bench.contract.importer import Imported
from bench.data.lrs2 import read_text
from bench.data.manifest import plain_id
from bench.data.splits import NO_LIST, Naming, outside_splits, read_splits
from bench.data.tree import TEXTS, Tree, without_ending
from bench.errors import BenchError
from bench.types import Clip

PARTS = ("pretrain", "trainval", "test")
SPLITS = ("train", "val", "test")
NAMING = Naming(
    re.compile(r"(pretrain|trainval|test)[/_-]([\w-]{11})[/_-](\d{5})(?!\d)"),
    "trainval/0Fi83BHQsMA/00002",
)
_PART = re.compile(r"(?:lrs3[_-])?(pretrain|trainval|test)(?:[_-]v?[\d.]+)?", re.IGNORECASE)


def import_lrs3(root: Path) -> Imported:
    """The clips of LRS3 in the order of their names, `pretrain` included.

    Raises BenchError if no folder pretrain, trainval or test holds a clip.
    """
    tree = Tree(root)
    files: dict[str, Path] = {}
    dropped: list[tuple[str, str]] = []
    for file in tree.ending_with({".mp4"}):
        part = _PART.fullmatch(file.absolute().parent.parent.name)
        where = str(file.relative_to(root))
        if part is None:
            dropped.append((where, "lies in no folder pretrain, trainval or test"))
            continue
        name = f"{part[1].lower()}/{file.parent.name}/{without_ending(file).name}"
        first = files.setdefault(name, file)
        if first != file:
            dropped.append((where, f"the same clip as {first.relative_to(root)}"))
    if not files:
        raise BenchError(
            f"{root}: has no LRS3 clips. Looked for pretrain/<id>/<clip>.mp4, trainval/... and "
            "test/..., each clip with its .txt."
        )
    splits = read_splits(tree, SPLITS, names=files, naming=NAMING)
    dropped += [missing for missing in outside_splits(files, splits.of) if missing[1] != NO_LIST]
    clips = [
        Clip(
            plain_id(name.replace("/", "-")),
            file,
            speaker=file.parent.name,
            language="en",
            split=splits.of.get(name, name.split("/")[0]),
            text=read_text(tree.named(without_ending(file), TEXTS)),
        )
        for name, file in sorted(files.items())
    ]
    notes = [*(splits.notes if splits.of else ()), *tree.passed_over({".mp4", *TEXTS})]
    return Imported(clips, dropped, notes)
