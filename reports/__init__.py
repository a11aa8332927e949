"""Reports: from run folders to static pages and tables. Reads nothing but the run folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.report import TerminalTable


def build(runs: Sequence[Path], out: Path, *, lang: str = "en") -> Path:
    """Writes the report on these run folders into the folder `out`; returns its index.html."""
    from reports import report

    return report.build(runs, out, lang=lang)


def terminal_rows(runs: Sequence[Path], *, lang: str = "en") -> TerminalTable:
    """The first table of these runs as text, for the end of `bench run`."""
    from reports import report

    return report.terminal_rows(runs, lang=lang)
