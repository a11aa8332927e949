"""Persons that ship with a method: taken only where none of their clips can be under test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import bench

DIGITS = 16  # of a clip's digest


def clips_said(names: Iterable[str]) -> str:
    """The clips as a person's file names them: of those called by digests, the beginnings."""
    return " ".join(sorted(name if "/" in name else name[:DIGITS] for name in names))


def shipped_person(
    folder: Path, job: bench.PrepareJob, described: Mapping[str, str]
) -> Path | None:
    """The file in `folder` that holds the job's person, learned as `described`; else None.

    Every clip that it was learned from must be among the job's, by name: those are never tested.
    """
    from bench.networks.checkpoints import metadata

    files = {path: metadata(path) for path in sorted(folder.glob("*.safetensors"))}
    wanted = {**described, "person": job.person}.items()
    fitting = {path: found for path, found in files.items() if wanted <= found.items()}
    if not fitting:
        return None
    there = set(clips_said(job.names).split())
    known = (path for path, found in fitting.items() if set(found["clips"].split()) <= there)
    return next(known, None)
