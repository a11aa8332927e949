"""The registry: finds plugins (entry points, local files) and hands out their classes by name."""

from __future__ import annotations

import functools
import inspect
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import Distribution, EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar, cast

import pluggy

from bench.config.names import closest
from bench.contract import hookspecs
from bench.contract.engine import Engine
from bench.contract.helper_modules import helper_modules
from bench.contract.importer import Importer
from bench.contract.local_module import import_local
from bench.contract.plugins import (
    ClipMetric,
    Feature,
    Method,
    Metric,
    Plugin,
    SetMetric,
)
from bench.ground.errors import BenchError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]*")
# What a metric may read besides features.
MEDIA = frozenset({"video", "sound", "reference", "face", "text"})
_P = TypeVar("_P", bound=Plugin)


@dataclass(frozen=True)
class Registered(Generic[_P]):
    """A plugin class and its origin.

    origin: the distribution or file, as a user would look for it. file: the local plugin file,
    whose content enters keys; None for installed packages, which declare a version instead.
    helpers: the modules beside that file that it imports; their contents enter keys, too.
    """

    plugin: type[_P]
    origin: str
    file: Path | None = None
    helpers: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Registry:
    """All plugins that this process knows, by name; names are unique across all kinds."""

    methods: Mapping[str, Registered[Method]]
    metrics: Mapping[str, Registered[Metric]]
    features: Mapping[str, Registered[Feature]]
    importers: Mapping[str, Registered[Importer]]
    engines: Mapping[str, type[Engine]] = field(default_factory=dict)

    @property
    def plugins(self) -> Mapping[str, Registered[Plugin]]:
        """All of them, of every kind."""
        kinds = (self.methods, self.metrics, self.features, self.importers)
        return {
            name: cast("Registered[Plugin]", one) for kind in kinds for name, one in kind.items()
        }

    def method(self, name: str) -> Registered[Method]:
        """The method of that name; BenchError with suggestions if there is none."""
        return _named(self.methods, name, "method")

    def metric(self, name: str) -> Registered[Metric]:
        """The metric of that name; BenchError with suggestions if there is none."""
        return _named(self.metrics, name, "metric")

    def importer(self, name: str) -> Registered[Importer]:
        """The importer of that name; BenchError with suggestions if there is none."""
        return _named(self.importers, name, "importer")

    def plugin(self, name: str) -> type[Plugin]:
        """The plugin of that name, of any kind; BenchError with suggestions if there is none."""
        return _named(self.plugins, name, "plugin").plugin


_KINDS: Mapping[str, tuple[type[Plugin], ...]] = {  # what each hook returns
    "register_methods": (Method,),
    "register_metrics": (ClipMetric, SetMetric),
    "register_features": (Feature,),
    "register_importers": (Importer,),
}


def load_registry(files: Sequence[Path] = ()) -> Registry:
    """Imports every installed plugin (entry-point group `bench`) and the given local files.

    Plugins named in $BENCH_DISABLE_PLUGINS (comma-separated entry-point names) are left out.
    Raises BenchError that names the plugin for a failing import, a wrong hook, or a duplicate name.
    """
    disabled = set(os.environ.get("BENCH_DISABLE_PLUGINS", "").split(","))
    sources = [
        _installed(point) for point in _points(tuple(sys.path)) if point.name not in disabled
    ]
    sources += [_local(file) for file in files]
    known: dict[str, Registered[Plugin]] = {}
    engines: dict[str, type[Engine]] = {}
    for module, origin, file in sources:
        offered = _offered(module, origin)
        for engine in offered.engines:
            if engine.name in engines:
                raise BenchError(
                    f"plugin {origin}: there is an engine '{engine.name}' already. Rename it."
                )
            engines[engine.name] = engine
        helpers = () if file is None else helper_modules(file)
        for plugin in offered.plugins:
            if plugin.name in known:
                raise BenchError(
                    f"plugin {origin}: the name '{plugin.name}' is taken by "
                    f"{known[plugin.name].origin}. Rename one of the two."
                )
            known[plugin.name] = Registered(plugin, origin, file, helpers)
    kinds = (_of_kind(known, kind) for kind in (Method, Metric, Feature, Importer))
    return Registry(*cast("tuple[Any, Any, Any, Any]", tuple(kinds)), engines)


@dataclass(frozen=True)
class _Offered:
    plugins: tuple[type[Plugin], ...]
    engines: tuple[type[Engine], ...]


@functools.lru_cache(maxsize=256)
def _offered(module: ModuleType, origin: str) -> _Offered:
    """What the module's hooks return, each checked; asked once, for a run loads plugins often."""
    manager = pluggy.PluginManager("bench")
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(module)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        hooks = ", ".join(f"{hook}()" for hook in (*_KINDS, "register_engines"))
        raise BenchError(
            f"plugin {origin}: {error}. The hooks are {hooks}, all without arguments."
        ) from error
    engines = [
        engine
        for classes in manager.hook.register_engines()
        for engine in _checked_engines(classes, origin)
    ]
    plugins = [
        plugin
        for hook, kinds in _KINDS.items()
        for classes in getattr(manager.hook, hook)()
        for plugin in _checked(classes, kinds, origin)
    ]
    return _Offered(tuple(plugins), tuple(engines))


def _of_kind(
    known: Mapping[str, Registered[Plugin]], kind: type[Plugin]
) -> dict[str, Registered[Plugin]]:
    return {name: known[name] for name in sorted(known) if issubclass(known[name].plugin, kind)}


@functools.lru_cache(maxsize=4)
def _points(_path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """The entry points of what is installed on this `sys.path`; finding them opens every package.

    An editable install seen from its own checkout lists each entry point twice.
    """
    points = {(point.name, point.value): point for point in entry_points(group="bench")}
    return tuple(points[key] for key in sorted(points))


@functools.lru_cache(maxsize=64)
def _package(distribution: Distribution) -> str:
    return distribution.name  # reads all of its metadata, and each of its plugins asks


def _installed(point: EntryPoint) -> tuple[ModuleType, str, Path | None]:
    package = "an installed package" if point.dist is None else _package(point.dist)
    origin = f"{point.name} ({package}, {point.value})"
    try:
        return point.load(), origin, None
    except Exception as error:
        raise BenchError(
            f"plugin {origin} cannot be imported: {type(error).__name__}: {error}. "
            f"Fix or uninstall it, or leave it out: BENCH_DISABLE_PLUGINS={point.name}."
        ) from error


def _local(file: Path) -> tuple[ModuleType, str, Path | None]:
    if not file.is_file():
        raise BenchError(f"plugin file {file} does not exist.")
    name = f"_bench_local_{file.stem}_{abs(hash(file.resolve())):x}"
    if file.suffix != ".py":
        raise BenchError(f"plugin file {file} is not a Python file (expected .py).")
    try:
        return import_local(name, file), str(file), file
    except Exception as error:
        raise BenchError(
            f"plugin file {file} cannot be imported: {type(error).__name__}: {error}."
        ) from error


def _checked(
    classes: object, kinds: tuple[type[Plugin], ...], origin: str
) -> Iterator[type[Plugin]]:
    """The classes that a hook returned. Raises BenchError if one is no plugin of these kinds."""
    wanted = " or ".join(kind.__name__ for kind in kinds)
    if not isinstance(classes, list | tuple):
        raise BenchError(f"plugin {origin}: its hook returned {classes!r}, expected a list.")
    for plugin in classes:
        if not (isinstance(plugin, type) and issubclass(plugin, kinds)):
            raise BenchError(f"plugin {origin}: {plugin!r} is no subclass of bench.{wanted}.")
        if inspect.isabstract(plugin):
            left = ", ".join(sorted(plugin.__abstractmethods__))
            raise BenchError(f"plugin {origin}: class {plugin.__name__} does not define {left}.")
        needed = ["name", "version", "source"]
        needed += ["reads", "outputs"] if issubclass(plugin, Metric) else []
        needed += ["reads", "arrays"] if issubclass(plugin, Feature) else []
        absent = [attribute for attribute in needed if not hasattr(plugin, attribute)]
        if absent:
            raise BenchError(
                f"plugin {origin}: class {plugin.__name__} does not declare {', '.join(absent)}."
            )
        if not _NAME.fullmatch(plugin.name):
            raise BenchError(
                f"plugin {origin}: the name {plugin.name!r} is not usable; expected letters, "
                "digits, '_', '-', '.', beginning with a letter."
            )
        if issubclass(plugin, Feature) and plugin.name in MEDIA:
            raise BenchError(
                f"plugin {origin}: a feature cannot be called '{plugin.name}': in `reads`, "
                f"{', '.join(sorted(MEDIA))} mean the case itself. Rename it."
            )
        yield plugin


def _checked_engines(classes: object, origin: str) -> Iterator[type[Engine]]:
    """The engines that a hook returned. Raises BenchError if one cannot be used."""
    if not isinstance(classes, list | tuple):
        raise BenchError(f"plugin {origin}: its hook returned {classes!r}, expected a list.")
    for engine in classes:
        if not (isinstance(engine, type) and issubclass(engine, Engine)):
            raise BenchError(f"plugin {origin}: {engine!r} is no subclass of bench.Engine.")
        name = getattr(engine, "name", None)
        if not isinstance(name, str) or not _NAME.fullmatch(name) or inspect.isabstract(engine):
            raise BenchError(
                f"plugin {origin}: the engine {engine.__name__} needs a `name` of letters, digits, "
                "'_', '-', '.', and a method `run`."
            )
        yield engine


def _named(known: Mapping[str, Registered[_P]], name: str, kind: str) -> Registered[_P]:
    if name not in known:
        raise BenchError(f"there is no {kind} '{name}'. {closest(name, known)}")
    return known[name]
