"""Says so where a file of the user's stands before a package of the harness.

`methods`, `metrics` and `reports` are common names: with `python -m bench`, or PYTHONPATH, Python
may find somebody's `metrics.py` first.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from bench.ground.errors import BenchError

PACKAGES = ("methods", "metrics", "reports")
_HOME = Path(__file__).resolve().parents[2]  # of all four packages, installed or not


def refuse_shadows() -> None:
    """Raises BenchError that names each file found where a package of the harness is meant."""
    for name in PACKAGES:
        found = _found(name)
        if found is not None and _HOME / name not in (found, found.parent):
            raise BenchError(
                f"{found} stands before the package `{name}` of the harness, in {_HOME / name}. "
                f"Rename it, or start from another folder and leave its folder out of PYTHONPATH."
            )
        if found is None:
            raise BenchError(
                f"the package `{name}` of the harness is not in {_HOME}. Install it again."
            )


def _found(name: str) -> Path | None:
    """The file or folder that `import name` gives."""
    try:
        module = sys.modules.get(name)
        spec = importlib.util.find_spec(name) if module is None else module.__spec__
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if spec.origin not in (None, "namespace"):
        return Path(str(spec.origin)).resolve()
    places = list(spec.submodule_search_locations or [])
    return Path(places[0]).resolve() if places else None
