"""Names in configs: suggestions for mistyped ones, and options that are a name or a path."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path


def closest(name: str, known: Iterable[str]) -> str:
    """A "Did you mean" sentence for an unknown name, followed by all known names."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    listed = ", ".join(names) if names else "none"
    return (f"Did you mean '{near[0]}'? " if near else "") + f"Known: {listed}."


def name_or_file(
    value: str | Path,
    names: Sequence[str],
    endings: Sequence[str],
    *,
    lacks: str = "are no weights",
) -> str | Path:
    """The value itself if it is one of the names, else a Path, relative to the config's folder.

    Raises ValueError, which pydantic turns into an error of the key, for a path with another
    ending. lacks: the end of "there ..." in that message.
    """
    if value in names:
        return value
    if Path(value).suffix not in endings:
        raise ValueError(
            f"there {lacks} {str(value)!r}; write one of {', '.join(names)}, or the path of a file "
            f"that ends with {', '.join(endings)}"
        )
    return Path(value)
