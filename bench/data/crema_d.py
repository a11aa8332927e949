"""Imports CREMA-D (Cao et al. 2014; ODbL): 91 actors say twelve sentences in six emotions.

Layout: VideoFlash/1001_DFA_ANG_XX.flv (the repository's), or these names anywhere below the root,
as .mp4, too. A name holds actor, sentence, emotion and its level.

The corpus has no splits. By rule, the actors whose number's digest is among the lowest 12 % are
`test_unseen`; the clips of the others are divided by the digest of their ids: the lowest 6 % are
`test_seen`, the next 4 % `val`, all others `train`.
"""

from __future__ import annotations

import re
from pathlib import Path

from bench.contract.importer import Imported
from bench.data.splits import split_by_rule
from bench.data.tree import VIDEOS, Tree
from bench.files.digests import place_of
from bench.ground.errors import BenchError
from bench.ground.types import Clip

ENDINGS = (".mp4", ".flv", *(ending for ending in VIDEOS if ending != ".mp4"))
UNSEEN_SHARE = 0.12  # of the actors
# What the repository's own documentation says of the codes in the names.
SENTENCES = {
    "IEO": "it's eleven o'clock",
    "TIE": "that is exactly what happened",
    "IOM": "i'm on my way to the meeting",
    "IWW": "i wonder what this is about",
    "TAI": "the airplane is almost full",
    "MTI": "maybe tomorrow it will be cold",
    "IWL": "i would like a new alarm clock",
    "ITH": "i think i have a doctor's appointment",
    "DFA": "don't forget a jacket",
    "ITS": "i think i've seen this before",
    "TSI": "the surface is slick",
    "WSI": "we'll stop in a couple of minutes",
}
_NAME = re.compile(r"(\d{4})_([A-Z]{3})_[A-Z]{3}_[A-Z]{2}")


def import_crema_d(root: Path) -> Imported:
    """The clips in the order of their names, with speaker, text and split.

    Raises BenchError if `root` is no folder or holds no clip with such a name.
    """
    tree = Tree(root)
    files, dropped = tree.by_name(
        ENDINGS, lambda file: file.stem if _NAME.fullmatch(file.stem) else None
    )
    if not files:
        raise BenchError(
            f"{root}: has no CREMA-D clips. Looked for VideoFlash/1001_DFA_ANG_XX.flv and the like."
        )
    clips = [_clip(name, files[name]) for name in sorted(files)]
    note = f"split by rule: {100 * UNSEEN_SHARE:g} % of the actors are test_unseen"
    return Imported(clips, dropped, [note, *tree.unused_note({*ENDINGS})])


def _clip(name: str, file: Path) -> Clip:
    match = _NAME.fullmatch(name)
    assert match is not None
    speaker, sentence = match[1], match[2]
    return Clip(
        name,
        file,
        speaker=speaker,
        language="en",
        split=split_by_rule(name, is_unseen=place_of(speaker) < UNSEEN_SHARE),
        text=SENTENCES.get(sentence, ""),
    )
