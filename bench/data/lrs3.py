"""Imports LRS3-TED, the Lip Reading Sentences 3 corpus (Afouras, Chung, Zisserman 2018).

Layout: <part>/<id of the talk>/<clip>.mp4 with <clip>.txt, where <part> is `pretrain`, `trainval`
or `test`, as unpacked from the archives (`lrs3_test_v0.4` is read, too), directly in ROOT or below
a folder such as `lrs3_v0.4`. A text file has the sentence after `Text:`, then `Conf:` and `Ref:`,
face boxes, and in `pretrain` each word with its times (`WORD START END ASDSCORE`), for which a
manifest has no column.

The talk's YouTube id is used as the speaker. A clip's split is its part; lists train, val and test,
where they exist, override it for the clips that they name. Clips of `pretrain` are cut from the
same talks as those of `trainval` and have the same numbers, so a clip's id contains its part.

Sources: the names of archives and parts, and the format of the text files, as read by
facebookresearch/av_hubert @ b4fa4af, avhubert/preparation/lrs3_prepare.py.
"""

from __future__ import annotations

import re
from pathlib import Path

from bench.contract.importer import Imported
from bench.data.lrs import ENDINGS, SPLITS, lrs_clips
from bench.data.splits import NO_LIST, Naming, outside_splits, read_splits
from bench.data.tree import TEXTS, Tree, without_ending
from bench.ground.errors import BenchError

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
    files, dropped = tree.by_name(ENDINGS, _name)
    if not files:
        raise BenchError(
            f"{root}: has no LRS3 clips. Looked for pretrain/<id>/<clip>.mp4, trainval/... and "
            "test/..., each clip with its .txt."
        )
    dropped += [
        (str(file.relative_to(root)), "is not in a folder pretrain, trainval or test")
        for file in tree.ending_with(ENDINGS)
        if _name(file) is None
    ]
    splits = read_splits(tree, SPLITS, names=files, naming=NAMING)
    dropped += [missing for missing in outside_splits(files, splits.of) if missing[1] != NO_LIST]
    clips = lrs_clips(tree, files, {**{name: name.split("/")[0] for name in files}, **splits.of})
    notes = [*(splits.notes if splits.of else ()), *tree.unused_note({*ENDINGS, *TEXTS})]
    return Imported(clips, dropped, notes)


def _name(file: Path) -> str | None:
    """`trainval/0Fi83BHQsMA/00002`; None for a file outside the corpus's parts."""
    part = _PART.fullmatch(file.absolute().parent.parent.name)
    if part is None:
        return None
    return f"{part[1].lower()}/{file.parent.name}/{without_ending(file).name}"
