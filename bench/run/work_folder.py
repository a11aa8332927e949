"""The folders of single jobs, which a run deletes when it ends."""

from __future__ import annotations

from pathlib import Path

from bench.files.digests import digest


def work_folder(run_folder: Path, *names: str) -> Path:
    """A folder for the work that these names name, called by their digest.

    Names come from manifests, and paths into this folder are handed to programs, some of them
    through a shell: nothing in a name may end up in a path there.
    """
    return run_folder / "work" / digest(names)[:20]
