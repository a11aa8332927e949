"""The importers, by their names in `bench data import NAME ROOT`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bench.data.cmlr import import_cmlr
from bench.data.folder import import_folder
from bench.data.grid import import_grid
from bench.data.lrs2 import import_lrs2
from bench.data.lrs3 import import_lrs3
from bench.data.manifest import Imported

IMPORTERS: dict[str, Callable[[Path], Imported]] = {
    "grid": import_grid,
    "lrs2": import_lrs2,
    "lrs3": import_lrs3,
    "cmlr": import_cmlr,
    "folder": import_folder,
}

__all__ = ["IMPORTERS", "Imported"]
