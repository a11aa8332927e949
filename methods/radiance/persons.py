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
    The log tells why a file of the person is not taken.
    """
    from bench.networks.checkpoints import metadata

    there = set(clips_said(job.names).split())
    for path in sorted(folder.glob("*.safetensors")):
        found = metadata(path)
        if found.get("person") != job.person or found.get("network") != described["network"]:
            continue
        other = [name for name, wanted in described.items() if found.get(name) != wanted]
        if other:
            told = ", ".join(f"{name} {found.get(name)}, not {described[name]}" for name in other)
            job.log.info("%s is not taken: it was learned with %s", path.name, told)
        elif not set(found["clips"].split()) <= there:
            job.log.info(
                "%s is not taken: some of its clips are not among those to learn from", path.name
            )
        else:
            return path
    return None
