"""The five hooks by which plugins register. They do no work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from bench.contract.engine import Engine
    from bench.contract.importer import Importer
    from bench.contract.plugins import Feature, Method, Metric

hookspec = pluggy.HookspecMarker("bench")
hookimpl = pluggy.HookimplMarker("bench")


@hookspec
def register_methods() -> list[type[Method]]:  # type: ignore[empty-body]
    """Method classes of this plugin. Called once, when the registry is built; must not do work."""


@hookspec
def register_metrics() -> list[type[Metric]]:  # type: ignore[empty-body]
    """Metric classes of this plugin, in the same way."""


@hookspec
def register_features() -> list[type[Feature]]:  # type: ignore[empty-body]
    """Feature classes of this plugin, in the same way."""


@hookspec
def register_importers() -> list[type[Importer]]:  # type: ignore[empty-body]
    """Importer classes of this plugin, in the same way."""


@hookspec
def register_engines() -> list[type[Engine]]:  # type: ignore[empty-body]
    """Engine classes of this plugin, in the same way."""
