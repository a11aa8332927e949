"""Everything of a plugin that changes its results: what its key is a digest of."""

from __future__ import annotations

from pathlib import Path

from bench.contract.plugins import Plugin
from bench.errors import BenchError
from bench.files.digests import code_digest
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
        "file": None if file is None else code_digest(file, helpers),
        "own": own,
    }
