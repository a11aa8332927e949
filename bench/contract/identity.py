"""Everything in a plugin that changes its results; its key is the digest of this."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.contract.plugins import Plugin
from bench.files.digests import code_digest
from bench.files.weights import weight
from bench.ground.errors import BenchError
from bench.machine.faults import raise_machine_fault

UNAVAILABLE = "unavailable"  # what a plugin lacks, in the place of its own identity


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
        own = {UNAVAILABLE: str(error)}
    return {
        "name": plugin.name,
        "version": plugin.version,
        "options": plugin.options.model_dump(mode="json"),
        "weights": [weight(name).sha256 for name in plugin.weights],
        "file": None if file is None else code_digest(file, helpers),
        "own": own,
    }


def unavailable(identity: Mapping[str, object]) -> str:
    """What the plugin did not find when its identity was asked for; empty if it found all."""
    own = identity["own"]
    return str(own.get(UNAVAILABLE, "")) if isinstance(own, Mapping) else ""
