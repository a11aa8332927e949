"""The contract of importers: the class, and what it returns."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from bench.contract.plugins import Plugin
from bench.ground.types import Clip


@dataclass(frozen=True)
class Imported:
    """What an importer found: clips, and what it left out as (name, reason).

    notes: what the user should know about the folder as a whole: lists that were looked for, lines
    that name no clip, file endings that were skipped.
    """

    clips: list[Clip]
    dropped: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Importer(Plugin):
    """Finds the clips of a data set on disk, for `bench data import NAME` and `importer: NAME`."""

    version: ClassVar[str] = "1"

    @abstractmethod
    def read(self, root: Path) -> Imported:
        """The clips below a folder. Raises BenchError if it does not hold such a data set."""
