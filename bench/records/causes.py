"""What failures have in common: reasons that differ in names and numbers alone have one cause."""

from __future__ import annotations

import re
from dataclasses import dataclass

OUTPUT_FOLLOWS = "; its last lines:"  # ends the first line of a reason; a program's output follows

_PATH = re.compile(r"(?:[A-Za-z]:)?(?:[\\/][^\s\\/:;,'\"()\[\]]+)+[\\/]?")
_NUMBER = re.compile(r"0x[0-9a-f]+|\b(?=[a-f]*\d)[0-9a-f]{8,}\b|[-+]?\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Gist:
    """A reason in short. last_line: of a program's own output, or of a reason of several lines."""

    text: str
    last_line: str


def gist(reason: str) -> Gist:
    """What a reason says first, and its last line where it has several."""
    lines = [line.strip() for line in reason.splitlines() if line.strip()] or [""]
    last = lines[-1] if len(lines) > 1 else ""
    return Gist(lines[0].removesuffix(OUTPUT_FOLLOWS), last)


def cause(reason: str, case: str) -> str:
    """A text that is the same for reasons that differ in the case's name, paths and numbers alone.

    case: the name of the case that failed; the two clips that it is made of count as well.
    """
    short = gist(reason)
    text = f"{short.text}\n{short.last_line}"
    for name in sorted({case, *re.split(r"[+~]", case)}, key=len, reverse=True):
        if name:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "NAME", text)
    return _NUMBER.sub("0", _PATH.sub("PATH", text))
