"""The folders of single jobs; a run deletes them when it ends."""

from __future__ import annotations

from pathlib import Path

from bench.files.digests import digest


def work_folder(run_folder: Path, *names: str) -> Path:
    """The work folder of the job with these names, named by their digest.

    Names come from manifests, and programs get paths into this folder, some of them through a
    shell: so no text of a manifest may be part of the path.
    """
    return run_folder / "work" / digest(names)[:20]
