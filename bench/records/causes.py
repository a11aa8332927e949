"""Groups failures by cause: reasons that differ only in names and numbers have one cause."""

from __future__ import annotations

import re
from dataclasses import dataclass

OUTPUT_FOLLOWS = "; its last lines:"  # ends the first line of a reason; a program's output follows

_PATH = re.compile(r"(?:[A-Za-z]:)?(?:[\\/][^\s\\/:;,'\"()\[\]]+)+[\\/]?")
_NUMBER = re.compile(r"0x[0-9a-f]+|\b(?=[a-f]*\d)[0-9a-f]{8,}\b|[-+]?\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Gist:
    """A reason in short. last_line: of a program's output, or of a reason of several lines."""

    text: str
    last_line: str


def gist(reason: str) -> Gist:
    """The first line of a reason, and the last one if there are several."""
    lines = [line.strip() for line in reason.splitlines() if line.strip()] or [""]
    last = lines[-1] if len(lines) > 1 else ""
    return Gist(lines[0].removesuffix(OUTPUT_FOLLOWS), last)


def cause(reason: str, case: str) -> str:
    """A text that is equal for reasons that differ only in the case's name, paths and numbers.

    case: the name of the case that failed; the names of its two clips are replaced as well.
    """
    short = gist(reason)
    text = f"{short.text}\n{short.last_line}"
    for name in sorted({case, *re.split(r"[+~]", case)}, key=len, reverse=True):
        if name:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "NAME", text)
    return _NUMBER.sub("0", _PATH.sub("PATH", text))
