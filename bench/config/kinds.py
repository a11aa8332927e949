"""Recognises by its keys which command a yaml file is for, when it is given to another one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.ground.errors import BenchError


@dataclass(frozen=True)
class Kind:
    """A kind of yaml file. what: its name with article. use: the command line that reads it."""

    what: str
    use: str
    names: str  # of its top-level keys

    @property
    def keys(self) -> frozenset[str]:
        """Its top-level keys."""
        return frozenset(self.names.split())


# The keys of each schema, repeated here so that rooms need not import each other; a test compares.
KINDS = (
    Kind(
        "the config of a benchmark",
        "bench run {path}",
        "name title seed data cases faces face landmarks longest plugins methods metrics features "
        "prepare floors tables",
    ),
    Kind(
        "the config of a training",
        "bench train {path}",
        "name plugin part seed plugins data settings",
    ),
    Kind(
        "the questionnaire of a study",
        "bench study serve STUDY, with the file in STUDY's folder, or bench study new --questions",
        "questions languages title introduction layout comments",
    ),
    Kind(
        "a mapping of a table of answers",
        "bench study import TABLE --study STUDY --mapping {path}",
        "table sheet header_row header encoding separator rater anonymous at at_format dates "
        "comment ratings blank unanswered twice ignore names columns pattern fields constants "
        "cells",
    ),
)


def refuse_other_kind(path: Path, raw: Mapping[str, object], wanted: Iterable[str]) -> None:
    """Raises BenchError if the file is of another kind than the one with the keys `wanted`.

    It is, if it has more keys of the other kind than of this one, and one that is not `wanted`.
    """
    here = frozenset(wanted)
    best = max(KINDS, key=lambda kind: len(kind.keys & raw.keys()))
    strange = sorted((best.keys & raw.keys()) - here)
    if len(best.keys & raw.keys()) <= len(here & raw.keys()) or not strange:
        return
    shown = ", ".join(f"`{key}`" for key in strange[:3])
    raise BenchError(f"{path}: is {best.what} ({shown}). Use it with: {best.use.format(path=path)}")
