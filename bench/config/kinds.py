"""Which command a yaml file is for, by its keys: said where it is given to another one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError


@dataclass(frozen=True)
class Kind:
    """A kind of yaml file. what: with its article. use: the command line that takes it."""

    what: str
    use: str
    names: str  # of the keys at its top

    @property
    def keys(self) -> frozenset[str]:
        """The keys at its top."""
        return frozenset(self.names.split())


# The keys of each schema, written out so that no room needs to know the others; a test holds them.
KINDS = (
    Kind(
        "the config of a benchmark",
        "bench run {path}",
        "name title seed data cases faces face longest plugins methods metrics features tables",
    ),
    Kind(
        "the config of a training",
        "bench train {path}",
        "name plugin seed plugins data settings",
    ),
    Kind(
        "the questionnaire of a study",
        "bench study serve STUDY, whose folder it lies in, or bench study new --questions",
        "questions languages title introduction layout comments",
    ),
    Kind(
        "a mapping of a table of answers",
        "bench study import STUDY TABLE --mapping {path}",
        "table sheet header_row header encoding separator rater anonymous at at_format dates "
        "comment ratings blank unanswered twice ignore names columns pattern fields constants "
        "cells",
    ),
)


def refuse_other_kind(path: Path, raw: Mapping[str, object], wanted: Iterable[str]) -> None:
    """Raises BenchError where the file is of another kind than the one whose keys are `wanted`.

    It is where more of its keys, one at least of them wanted here by nobody, belong to that one.
    """
    here = frozenset(wanted)
    best = max(KINDS, key=lambda kind: len(kind.keys & raw.keys()))
    strange = sorted((best.keys & raw.keys()) - here)
    if len(best.keys & raw.keys()) <= len(here & raw.keys()) or not strange:
        return
    told = ", ".join(f"`{key}`" for key in strange[:3])
    raise BenchError(f"{path}: is {best.what} ({told}). For it: {best.use.format(path=path)}")
