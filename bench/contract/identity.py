"""Everything of a plugin that changes its results: what its key is a digest of."""

from __future__ import annotations

import os
from pathlib import Path

from bench.contract.plugins import Plugin
from bench.errors import BenchError
from bench.files.digests import digest, file_sha256
from bench.files.weights import weight
from bench.machine.faults import raise_machine_fault


def identity_of(
    plugin: Plugin, *, file: Path | None = None, helpers: tuple[Path, ...] = ()
) -> dict[str, object]:
    """Everything of a plugin with its options that changes its results, in JSON's terms.

    file, helpers: of a local plugin, as the registry has them.
    """
    try:
        own: object = dict(plugin.identity())
    except BenchError as error:
        raise_machine_fault(error)
        # Its weights are not here, say: its cells will fail with this.
        own = {"unavailable": str(error)}
    return {
        "name": plugin.name,
        "version": plugin.version,
        "options": plugin.options.model_dump(mode="json"),
        "weights": [weight(name).sha256 for name in plugin.weights],
        "file": _code_digest(file, helpers),
        "own": own,
    }


def _code_digest(file: Path | None, helpers: tuple[Path, ...]) -> str | None:
    """The digest of a local plugin's code: of its file, or of that and its helper modules."""
    if file is None:
        return None
    if not helpers:
        return file_sha256(file)
    names = {os.path.relpath(path, file.resolve().parent): file_sha256(path) for path in helpers}
    return digest([file_sha256(file), names])
