"""What the importers of LRS2 and LRS3 share: one clip per video, with its text file beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from bench.data.manifest import plain_id
from bench.data.tree import TEXTS, Tree, text_of, without_ending
from bench.ground.types import Clip

ENDINGS = (".mp4",)
SPLITS = ("train", "val", "test")
_WORDS = re.compile(r"WORD\s+START\s+END\b")


def lrs_clips(tree: Tree, files: Mapping[str, Path], splits: Mapping[str, str]) -> list[Clip]:
    """The clips that are in a split, in the order of their names.

    files, splits: each clip's video and split by its name. The folder of a video is taken for its
    speaker.
    """
    return [
        Clip(
            plain_id(name.replace("/", "-")),
            file,
            speaker=file.parent.name,
            language="en",
            split=splits[name],
            text=read_text(tree.named(without_ending(file), TEXTS)),
        )
        for name, file in sorted(files.items())
        if name in splits
    ]


def read_text(file: Path | None) -> str:
    """The sentence of a text file; "" where there is no file.

    It follows `Text:`; without that line, it is joined from the timed words below the line
    `WORD START END ASDSCORE`.
    """
    lines = [] if file is None else text_of(file).splitlines()
    for line in lines:
        if line.startswith("Text:"):
            return line.removeprefix("Text:").strip()
    heads = [number for number, line in enumerate(lines) if _WORDS.match(line)]
    if heads:
        return " ".join(line.split()[0] for line in lines[heads[0] + 1 :] if line.strip())
    return lines[0].strip() if lines else ""
