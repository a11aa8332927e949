"""The split lists that data sets bring along: text files with the name of a clip in each line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from bench.errors import BenchError

NO_LIST = "in none of the split lists"


def read_splits(
    lists: Mapping[str, Path], *, name_of: Callable[[str], str | None]
) -> dict[str, str]:
    """From the name of a clip to its split, for those lists that exist.

    lists: from a split to its file. name_of: the clip's name in a line, None where it has none.
    Raises BenchError if a clip stands in two lists, or a list is no text.
    """
    splits: dict[str, str] = {}
    for split, file in lists.items():
        if not file.is_file():
            continue
        for line, text in enumerate(_text(file).splitlines(), 1):
            name = name_of(text.strip())
            if name is not None and splits.setdefault(name, split) != split:
                other = lists[splits[name]].name
                raise BenchError(f"{file}:{line}: {name} stands in {other} already.")
    return splits


def outside_splits(names: Iterable[str], splits: Mapping[str, str]) -> list[tuple[str, str]]:
    """What an import drops where there are lists: unlisted clips, and names without a clip."""
    if not splits:
        return []
    here = set(names)
    unlisted = [(name, NO_LIST) for name in sorted(here) if name not in splits]
    absent = sorted(name for name in splits if name not in here)
    return unlisted + [(name, f"listed as {splits[name]}, but not there") for name in absent]


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"{file}: cannot be read as utf-8 text: {error}.") from error
