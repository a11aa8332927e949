"""What contract checks share: the plugin under check, its specimens, a watched folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

import pydantic

from bench.checks.ladders import Specimen
from bench.contract.importer import Importer
from bench.contract.plugins import AnyOptions, Feature, Method, Metric, Plugin
from bench.contract.registry import MEDIA, load_registry
from bench.features.computing import ChosenFeature, Features, chosen, needed
from bench.features.faces import Faces
from bench.files import paths
from bench.ground.errors import BenchError

Specimens: TypeAlias = Callable[[], Sequence[Specimen]]  # called once, when a check needs them
NamedCheck: TypeAlias = tuple[str, Callable[[], None]]
_P = TypeVar("_P", bound=Plugin)
_Found = TypeVar("_Found")


class CheckFailed(AssertionError):
    """The plugin does not keep to the contract; the message says where."""


class CheckSkipped(Exception):
    """The check could not be run; the message says what was missing."""


class Lazy:
    """Specimens that are created on first use."""

    def __init__(self, make: Specimens) -> None:
        self._make = make
        self._made: Sequence[Specimen] | None = None

    def __call__(self) -> Sequence[Specimen]:
        if self._made is None:
            self._made = self._make()
        return self._made


class Once(Generic[_Found]):
    """What several checks look at, made for the first of them; an error is raised for each."""

    def __init__(self, make: Callable[[], _Found]) -> None:
        self._make = make
        self._made: tuple[_Found] | Exception | None = None

    def __call__(self) -> _Found:
        if self._made is None:
            try:
                self._made = (self._make(),)
            except Exception as error:
                self._made = error
        if isinstance(self._made, Exception):
            raise self._made
        return self._made[0]


@dataclass(frozen=True)
class Subject:
    """The plugin under check. features: those that it may read, by name, with default options."""

    plugin: type[Plugin]
    options: AnyOptions | None
    specimens: Specimens
    features: Mapping[str, type[Feature]] = field(default_factory=dict)

    def loaded(self) -> Plugin:
        """A fresh, loaded instance; raises CheckSkipped if options or weights are missing."""
        plugin = _usual(self.plugin, self.options)
        for weight in plugin.weights:
            _find_weight(weight)
        plugin.load("cpu")
        return plugin

    def metric(self) -> Metric:
        plugin = self.loaded()
        assert isinstance(plugin, Metric)
        return plugin

    def method(self) -> Method:
        plugin = self.loaded()
        assert isinstance(plugin, Method)
        return plugin

    def feature(self) -> Feature:
        plugin = self.loaded()
        assert isinstance(plugin, Feature)
        return plugin

    def importer(self) -> Importer:
        plugin = self.loaded()
        assert isinstance(plugin, Importer)
        return plugin

    def computing(self) -> Features:
        """Computes only the features that the plugin declares to read; keeps nothing on disk."""
        assert issubclass(self.plugin, Metric | Feature | Method)
        ready: dict[str, ChosenFeature] = {}
        plugin = _usual(self.plugin, self.options)
        asks = plugin.asks if isinstance(plugin, Metric) else {}
        for name in needed(self.plugin.reads, self.features):
            kind = self.features[name]
            options = kind.Options.model_validate(asks[name]) if name in asks else None
            feature = _usual(kind, options, who=f"the feature {name} ")
            for weight in feature.weights:
                _find_weight(weight)
            ready[name] = chosen(feature, ready)
        return Features(ready)


def features_for(plugin: type[Plugin], given: Sequence[type[Feature]]) -> dict[str, type[Feature]]:
    """The features that a plugin may read: faces, given ones, those of its file, installed ones."""
    if not issubclass(plugin, Metric | Feature | Method) or plugin.reads <= MEDIA | {"faces"}:
        return {"faces": Faces}
    hook = getattr(sys.modules.get(plugin.__module__), "register_features", list)
    installed = [one.plugin for one in load_registry().features.values()]
    return {feature.name: feature for feature in (Faces, *installed, *hook(), *given)}


def _usual(plugin: type[_P], options: AnyOptions | None = None, *, who: str = "") -> _P:
    try:
        return plugin(options)
    except pydantic.ValidationError as error:
        missing = ", ".join(".".join(map(str, each["loc"])) for each in error.errors())
        raise CheckSkipped(f"{who}needs options: {missing or error}") from error


def _find_weight(name: str) -> None:
    from bench.files import weights

    try:
        weights.find(name)
    except BenchError as error:
        raise CheckSkipped(f"needs the weights {name}: {error}") from error


@contextlib.contextmanager
def watched() -> Iterator[Path]:
    """A folder that is, inside the block, current folder, home and folder of temporary files.

    Files that a plugin writes to any of these are found in it. The harness's cache is elsewhere,
    and plugins may use it. Files that a program writes to another fixed path are not noticed.
    """
    with tempfile.TemporaryDirectory(prefix="bench-check-") as name:
        root = Path(name).resolve()
        for folder in ("here", "home", "temporary", "inputs"):
            (root / folder).mkdir()
        changed = {
            "BENCH_CACHE": str(paths.cache_dir()),
            "HOME": str(root / "home"),
            "TMPDIR": str(root / "temporary"),
        }
        before, here = {key: os.environ.get(key) for key in changed}, Path.cwd()
        temporary, tempfile.tempdir = tempfile.tempdir, str(root / "temporary")
        os.environ.update(changed)
        os.chdir(root / "here")
        try:
            yield root
        finally:
            os.chdir(here)
            tempfile.tempdir = temporary
            for key, value in before.items():
                os.environ.pop(key) if value is None else os.environ.update({key: value})


def raise_if_written(root: Path, *, allowed: Sequence[str]) -> None:
    files = (path.relative_to(root) for path in sorted(root.rglob("*")) if path.is_file())
    written = [str(path) for path in files if path.parts[0] not in allowed]
    if written:
        raise CheckFailed(f"files were written outside the job's folder: {', '.join(written)}")


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
