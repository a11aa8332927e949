"""Everything in a plugin that changes its results; its key is the digest of this."""

from __future__ import annotations

from pathlib import Path

from bench.contract.plugins import Plugin
from bench.files.digests import code_digest
from bench.files.weights import weight
from bench.ground.errors import BenchError
from bench.machine.faults import raise_machine_fault


def identity_of(
    plugin: Plugin, *, file: Path | None = None, helpers: tuple[Path, ...] = ()
) -> dict[str, object]:
    """Everything in a plugin and its options that changes its results, in JSON's types.

    file, helpers: those of a local plugin, as in the registry.
    """
    try:
        own: object = dict(plugin.identity())
    except BenchError as error:
        raise_machine_fault(error)
        # For example missing weights: the plugin's cells will fail with this error.
        own = {"unavailable": str(error)}
    return {
        "name": plugin.name,
        "version": plugin.version,
        "options": plugin.options.model_dump(mode="json"),
        "weights": [weight(name).sha256 for name in plugin.weights],
        "file": None if file is None else code_digest(file, helpers),
        "own": own,
    }
