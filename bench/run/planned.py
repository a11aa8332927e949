"""What is planned, in a form that any process on any machine can run: plugins, cases, tasks.

A plan holds no classes, but the names, versions and options of plugins and the files that register
them. A process that takes a task finds the classes itself, and refuses code that has changed since
the plan was made.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pydantic

from bench.contract.engine import InputFile, Needs
from bench.contract.helper_modules import helper_modules
from bench.contract.plugins import Feature, Method, Metric, Options, Plugin
from bench.contract.registry import Registered, Registry, load_registry
from bench.data.manifest import file_digest
from bench.features.computing import ChosenFeature
from bench.features.faces import Faces
from bench.files.digests import code_digest, set_digest
from bench.files.intact import is_intact
from bench.files.weights import find, weight
from bench.ground.errors import BenchError, MachineFault
from bench.ground.types import Case, CaseKind, Clip
from bench.records.run_folder import video_key
from bench.records.store import KnownGeneration
from bench.run.prepared_folder import PreparedFolder

if TYPE_CHECKING:
    from typing_extensions import Self

_P = TypeVar("_P", bound=Plugin)
Place = Callable[[Path], Path]  # where one of the driver's paths lies on another machine


@dataclass(frozen=True)
class PluginFile:
    """A local file that registers plugins, the modules it imports, and the digest of them all."""

    path: Path
    helpers: tuple[Path, ...]
    code: str

    @staticmethod
    def of(path: Path) -> PluginFile:
        """The file as it is now. Its plugins must be loaded: they may extend `sys.path`."""
        helpers = helper_modules(path)
        return PluginFile(path, helpers, code_digest(path, helpers))

    def moved(self, place: Place) -> PluginFile:
        """The file on another machine."""
        return PluginFile(place(self.path), tuple(map(place, self.helpers)), self.code)


@dataclass(frozen=True)
class PlannedPlugin:
    """A plugin with its settings; `key` covers everything in it that changes its results.

    options: in JSON's types. choices: the same, but paths are absolute `Path`s. files: those that
    the config names; one of them registers this plugin, unless it is installed. weights: names in
    the weights table that it needs. unavailable: why its cells will fail, where it does not find
    what its identity is made of; else empty.
    """

    label: str
    title: str
    name: str
    version: str
    origin: str
    options: Mapping[str, object]
    choices: Mapping[str, object]
    files: tuple[PluginFile, ...]
    weights: tuple[str, ...]
    needs: Needs
    protocol: str
    key: str
    unavailable: str = ""

    def options_of(self, plugin: type[Plugin]) -> Options:
        """The options as the plugin's class holds them.

        Raises BenchError if the class, given its own values, changes them.
        """
        made = plugin.Options.model_validate(self.choices)
        if plain(made) != self.choices:
            raise BenchError(
                f"{self.name}: its options change when they are read again from their own values: "
                f"{plain(made)} instead of {self.choices}. `Options` must accept its own values."
            )
        return made

    def input_paths(self) -> Iterator[Path]:
        """The files and folders that its options name."""
        return _paths(self.choices)

    def moved(self, place: Place) -> Self:
        """The same plugin on another machine."""
        return dataclasses.replace(
            self,
            choices=_moved(self.choices, place),
            files=tuple(file.moved(place) for file in self.files),
        )


@dataclass(frozen=True)
class PlannedMethod(PlannedPlugin):
    """A method with its settings.

    protocol: `Method.protocol`, mostly empty. persons: for a method that learns persons, the key of
    each preparation, by data set and speaker; None for all others.
    """

    kinds: frozenset[CaseKind] = frozenset()
    persons: Mapping[tuple[str, str], str] | None = None

    @property
    def plugin(self) -> type[Method]:
        """The class in this process. Raises MachineFault where its code has changed."""
        return _same(_registry(self.files).methods, self.name, self.version)

    def make(self) -> Method:
        """A fresh instance, not yet loaded."""
        return self.plugin(self.options_of(self.plugin))

    def preparation(self, case: Case) -> str | None:
        """The key of the preparation that a case waits for; None if the method learns no persons.

        Empty if the person has no clip to learn from.
        """
        if self.persons is None:
            return None
        return self.persons.get((case.dataset, case.face.speaker), "")


@dataclass(frozen=True)
class PlannedMetric(PlannedPlugin):
    """A metric with its settings; `protocol` has the detector's name filled in.

    reads_boxes: whether the manifests' boxes decide which faces it reads. is_set: whether it
    measures sets of clips rather than single clips. needs_whole_set: whether a set with a missing
    video has no value. alike: by output, the value from which it takes two faces for one person's.
    """

    reads: frozenset[str] = frozenset()
    reads_boxes: bool = False
    is_set: bool = False
    needs_whole_set: bool = False
    alike: Mapping[str, float] = field(default_factory=dict)

    @property
    def plugin(self) -> type[Metric]:
        """The class in this process. Raises MachineFault where its code has changed."""
        return _same(_registry(self.files).metrics, self.name, self.version)

    def make(self) -> Metric:
        """A fresh instance, not yet loaded."""
        return self.plugin(self.options_of(self.plugin))

    @property
    def needs_reference(self) -> bool:
        """Whether it compares with the reference."""
        return "reference" in self.reads

    @property
    def needs_face(self) -> bool:
        """Whether it compares with the recording that the method got, whatever that says."""
        return "face" in self.reads

    def measures(self, case: Case) -> bool:
        """Whether this metric applies to that kind of case."""
        return case.has_reference or not self.needs_reference


@dataclass(frozen=True)
class PlannedFeature(PlannedPlugin):
    """A feature with its settings; reads_boxes, reads_sound: as in `ChosenFeature`."""

    reads_boxes: bool = False
    reads_sound: bool = True

    @staticmethod
    def of(feature: ChosenFeature, files: tuple[PluginFile, ...]) -> PlannedFeature:
        """The feature as a plan has chosen it."""
        plugin = feature.make()
        return PlannedFeature(
            label=plugin.name,
            title=plugin.name,
            name=plugin.name,
            version=plugin.version,
            origin=feature.origin,
            options=plugin.options.model_dump(mode="json"),
            choices=plain(plugin.options),
            files=files,
            weights=tuple(plugin.weights),
            needs=plugin_needs(feature.plugin),
            protocol=feature.protocol,
            key=feature.key,
            reads_boxes=feature.reads_boxes,
            reads_sound=feature.reads_sound,
        )

    @property
    def plugin(self) -> type[Feature]:
        """The class in this process. Raises MachineFault where its code has changed."""
        if self.name == Faces.name:
            return Faces
        return _same(_registry(self.files).features, self.name, self.version)

    def chosen(self) -> ChosenFeature:
        """The feature for a worker of this process."""
        return ChosenFeature(
            self.plugin,
            self.options_of(self.plugin),
            self.origin,
            self.protocol,
            self.key,
            self.reads_boxes,
            self.reads_sound,
        )


@dataclass(frozen=True)
class PlannedCase:
    """A case and the key of everything in it that changes the videos made for it."""

    case: Case
    key: str


@dataclass(frozen=True)
class RunSettings:
    """What all tasks of a run have in common.

    folder: the run folder. metrics: those with a value for each clip. features: those that these
    and the set metrics read. unprepared: by key, why a preparation failed.
    """

    folder: Path
    seed: int
    longest: float
    methods: Mapping[str, PlannedMethod]
    metrics: Mapping[str, PlannedMetric]
    features: Mapping[str, PlannedFeature]
    unprepared: Mapping[str, str] = field(default_factory=dict)

    def moved(self, place: Place) -> RunSettings:
        """The settings on another machine."""
        return dataclasses.replace(
            self,
            folder=place(self.folder),
            methods={label: method.moved(place) for label, method in self.methods.items()},
            metrics={label: metric.moved(place) for label, metric in self.metrics.items()},
            features={name: feature.moved(place) for name, feature in self.features.items()},
        )

    def measured(self, case: Case) -> tuple[str, ...]:
        """The labels of the metrics that measure this case's videos."""
        return tuple(label for label, metric in self.metrics.items() if metric.measures(case))


@dataclass(frozen=True)
class Task:
    """What is left to do for one case: the videos to generate, and the values to measure.

    measure: by method label, the labels of the metrics whose value is missing. made: by method
    label, the videos that exist and are to be measured.
    """

    settings: RunSettings
    planned: PlannedCase
    generate: tuple[str, ...]
    measure: Mapping[str, tuple[str, ...]]
    made: Mapping[str, KnownGeneration]

    @property
    def cells(self) -> int:
        """How many records this task will write, as far as is known beforehand."""
        return len(self.generate) + sum(map(len, self.measure.values()))

    @property
    def needs(self) -> Needs:
        """What its plugins need when all are loaded."""
        needs = [plugin.needs for plugin in self._plugins()]
        return Needs(
            max((each.cpus for each in needs), default=1.0),
            max((each.gpus for each in needs), default=0.0),
            sum(each.memory for each in needs),
        )

    def preparations(self, labels: Iterable[str]) -> set[str]:
        """The keys of the preparations that these methods wait for."""
        methods = (self.settings.methods[label] for label in labels)
        return set(filter(None, (method.preparation(self.planned.case) for method in methods)))

    def inputs(self) -> tuple[InputFile, ...]:
        """The plugins' code, weights and options' files, the clips, the videos to measure.

        If options name a folder: the file in it that the method expects for this case, or else all.
        """
        case = self.planned.case
        paths: list[Path] = []
        for clip in filter(None, (case.face, case.speech, case.other)):
            paths += _clip_files(clip)
        for plugin in self._plugins():
            paths += _plugin_files(plugin, self._expected(plugin))
        for key in self.preparations(self.makers):
            paths += PreparedFolder(self.settings.folder, key).all_files()
        files = {path: file_digest(path) for path in dict.fromkeys(paths) if path.is_file()}
        files.update(_weights(self._plugins()))
        for known in self.made.values():
            for name, sha256 in known.files.items():
                file = self.settings.folder / name
                if is_intact(file, sha256):
                    files[file] = sha256
        return tuple(InputFile(path, sha256) for path, sha256 in files.items())

    def moved(self, place: Place) -> Task:
        """The same task on a machine where each path lies at place(path)."""
        case = self.planned.case
        other = None if case.other is None else _moved_clip(case.other, place)
        moved = dataclasses.replace(
            case,
            face=_moved_clip(case.face, place),
            speech=_moved_clip(case.speech, place),
            other=other,
        )
        return dataclasses.replace(
            self,
            settings=self.settings.moved(place),
            planned=dataclasses.replace(self.planned, case=moved),
        )

    def _plugins(self) -> list[PlannedPlugin]:
        metrics = dict.fromkeys(label for labels in self.measure.values() for label in labels)
        return [
            *(self.settings.methods[label] for label in self.makers),
            *(self.settings.metrics[label] for label in metrics),
            *self.settings.features.values(),
        ]

    @property
    def makers(self) -> tuple[str, ...]:
        """The methods that may have to generate: damaged videos are generated again."""
        return tuple(dict.fromkeys((*self.generate, *self.made)))

    def _expected(self, plugin: PlannedPlugin) -> Path | None:
        if not isinstance(plugin, PlannedMethod):
            return None
        try:
            return plugin.make().expects(self.planned.case)
        except BenchError:
            return None  # `generate` reports it


@dataclass(frozen=True)
class PreparationTask:
    """One preparation to do: a method learns one person from their clips.

    method: the label. dataset: the first one in which the person is tested. clips: without a digest
    those of an embedded corpus that need not be rendered yet.
    """

    settings: RunSettings
    method: str
    dataset: str
    person: str
    key: str
    clips: tuple[Clip, ...]

    @property
    def planned(self) -> PlannedMethod:
        """The method that learns."""
        return self.settings.methods[self.method]

    @property
    def needs(self) -> Needs:
        """What the method needs."""
        return self.planned.needs

    def inputs(self) -> tuple[InputFile, ...]:
        """The method's code, weights and options' files, and the person's clips."""
        clips = [clip for clip in self.clips if clip.sha256]  # others are rendered when asked for
        paths = [*_plugin_files(self.planned), *itertools.chain(*map(_clip_files, clips))]
        files = {path: file_digest(path) for path in dict.fromkeys(paths) if path.is_file()}
        files.update(_weights((self.planned, *self.settings.features.values())))
        return tuple(InputFile(path, sha256) for path, sha256 in files.items())

    def moved(self, place: Place) -> PreparationTask:
        """The same task on a machine where each path lies at place(path)."""
        clips = tuple(_moved_clip(clip, place) for clip in self.clips)
        return dataclasses.replace(self, settings=self.settings.moved(place), clips=clips)


def generation_key(method: PlannedMethod, case: PlannedCase) -> str:
    """The key of one video."""
    return video_key(method.key, case.key, method.preparation(case.case))


def measurement_key(
    metric: PlannedMetric,
    video_sha256: str,
    reference_sha256: str | None,
    cases: Sequence[PlannedCase],
    *,
    asked: int | None = None,
) -> str:
    """The key of one measurement: the metric and what it reads, never the method.

    cases: those of the videos; the boxes of their faces count if the metric reads boxes, and all
    of them if it reads the faces' recordings. asked: how many videos a set should have, if that
    counts.
    """
    reference = reference_sha256 if metric.needs_reference else None
    boxes = f" {[planned.case.face.box for planned in cases]}" if metric.reads_boxes else ""
    faces = f" {[planned.key for planned in cases]}" if metric.needs_face else ""
    whole = "" if asked is None else f" of {asked}"
    parts = f"{metric.key} {video_sha256} {reference}{boxes}{faces}{whole}"
    return hashlib.sha256(parts.encode()).hexdigest()


def set_key(
    metric: PlannedMetric,
    videos: Sequence[tuple[PlannedCase, KnownGeneration]],
    *,
    asked: int | None = None,
) -> str:
    """The key of the measurement of a set of videos.

    asked: how many there should be; None where all are here.
    """
    return measurement_key(
        metric,
        set_digest(made.sha256 for _, made in videos),
        set_digest(made.reference_sha256 or "" for _, made in videos),
        [planned for planned, _ in videos],
        asked=(len(videos) if asked is None else asked) if metric.needs_whole_set else None,
    )


def plain(options: pydantic.BaseModel) -> dict[str, object]:
    """The options in JSON's types, except paths, which another machine may move."""
    merged = _merged(options.model_dump(), options.model_dump(mode="json"))
    assert isinstance(merged, dict)
    return merged


def plugin_needs(plugin: type[Plugin]) -> Needs:
    """What a plugin's class declares."""
    return Needs(plugin.cpus, plugin.gpus, plugin.memory)


def _merged(own: object, json: object) -> object:
    if isinstance(own, Path):
        return own.expanduser().absolute()
    if isinstance(own, dict) and isinstance(json, dict) and own.keys() == json.keys():
        return {key: _merged(own[key], json[key]) for key in own}
    if isinstance(own, list | tuple) and isinstance(json, list) and len(own) == len(json):
        return [_merged(*pair) for pair in zip(own, json, strict=True)]
    return json


def _moved(value: Mapping[str, object], place: Place) -> dict[str, object]:
    return {key: _moved_value(item, place) for key, item in value.items()}


def _moved_value(value: object, place: Place) -> object:
    if isinstance(value, Path):
        return place(value)
    if isinstance(value, dict):
        return _moved(value, place)
    return [_moved_value(item, place) for item in value] if isinstance(value, list) else value


def _moved_clip(clip: Clip, place: Place) -> Clip:
    audio = None if clip.audio is None else place(clip.audio)
    return dataclasses.replace(clip, video=place(clip.video), audio=audio)


def _paths(value: object) -> Iterator[Path]:
    if isinstance(value, Path):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _paths(item)
    elif isinstance(value, list):
        for item in value:
            yield from _paths(item)


def _clip_files(clip: Clip) -> list[Path]:
    return [clip.video, *([clip.audio] if clip.audio else [])]


def _plugin_files(plugin: PlannedPlugin, expected: Path | None = None) -> list[Path]:
    """The plugin's code and the files in its options; of a folder, only `expected`, if given."""
    code = [path for file in plugin.files for path in (file.path, *file.helpers)]
    return [*code, *itertools.chain(*(_files(path, expected) for path in plugin.input_paths()))]


def _weights(plugins: Iterable[PlannedPlugin]) -> dict[Path, str]:
    names = [name for plugin in plugins for name in plugin.weights]
    found: dict[Path, str] = {}
    for name in dict.fromkeys(names):
        try:
            found[find(name)] = weight(name).sha256
        except BenchError:  # noqa: PERF203 (missing or damaged: loading the plugin reports it)
            continue
    return found


def _files(path: Path, expected: Path | None) -> list[Path]:
    if path.is_dir() and expected is None:
        return sorted(file for file in path.rglob("*") if file.is_file())
    return [path] if expected is None or path.is_file() else [expected]


def _same(known: Mapping[str, Registered[_P]], name: str, version: str) -> type[_P]:
    """The class of the plan's name and version."""
    found = known.get(name)
    if found is None or found.plugin.version != version:
        there = "is not installed" if found is None else f"has version {found.plugin.version}"
        raise MachineFault(f"plugin {name}: {there}; the run was planned with version {version}")
    return found.plugin


@functools.lru_cache(maxsize=4)
def _registry(files: tuple[PluginFile, ...]) -> Registry:
    """The plugins, with the code that the plan was made with. Raises MachineFault if it changed."""
    registry = load_registry([file.path for file in files])
    for file in files:
        if PluginFile.of(file.path).code != file.code:
            raise MachineFault(f"{file.path}: the code has changed since the run was planned")
    return registry
