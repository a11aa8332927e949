"""Reports: static pages and tables made from run folders, and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.terminal import Closing


def build(runs: Sequence[Path], out: Path, *, lang: str = "en") -> Path:
    """Writes the report on these run folders to the folder `out` and returns its index.html."""
    from reports import report

    return report.build(runs, out, lang=lang)


def write_eval_results(
    runs: Sequence[Path], folder: Path, *, hub: Mapping[str, str], url: str = ""
) -> tuple[list[Path], list[str]]:
    """Writes the runs' means for the Hugging Face Hub; returns the files, and what is left out."""
    from reports import eval_results

    return eval_results.write_eval_results(runs, folder, hub=hub, url=url)


def is_current(run: Path, out: Path, *, lang: str = "en") -> bool:
    """Whether `build` would write the report at `out` again without a change."""
    from reports import report

    return report.is_current(run, out, lang=lang)


def closing(runs: Sequence[Path], *, lang: str = "en") -> Closing:
    """What `bench run` shows when it ends: the first table with its notes."""
    from reports import terminal

    return terminal.closing(runs, lang=lang)
