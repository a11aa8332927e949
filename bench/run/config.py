"""The config of a benchmark: one complete yaml file, with the plugins that it names.

`$NAME` is expanded only in `manifest` and `root`, the paths of data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import pydantic

from bench.config.kinds import refuse_other_kind
from bench.config.names import closest
from bench.config.reader import Label, Section, anchored, raise_problems, read_yaml, validated
from bench.contract.plugins import Feature, Metric, Options, Plugin
from bench.contract.registry import Registered, Registry, load_registry
from bench.data.sources import Source, importer_problems
from bench.features.computing import needed
from bench.features.faces import Faces, tracking
from bench.ground.errors import BenchError
from bench.ground.types import CASE_KINDS, LONGEST, CaseKind
from bench.records.relative import CONFIDENCES, relative_name

_P = TypeVar("_P", bound=Plugin)
_V = TypeVar("_V", int | None, str)


def _of_data(usual: _V, of_stand_in: _V, *, is_stand_in: bool) -> _V:
    """What a setting says of one data set: for a stand-in, its own value where there is one."""
    return of_stand_in if is_stand_in and of_stand_in is not None else usual


class DataEntry(Source):
    """One data set of a benchmark. `pairs` is a frozen list of cross cases (Wav2Lip's format).

    limit: only that many clips, the first ones. stand_in_limit: the same of its stand-in.
    """

    split: str | None = None
    limit: Annotated[int, pydantic.Field(ge=1)] | None = None
    stand_in_limit: Annotated[int, pydantic.Field(ge=1)] | None = None
    pairs: str | None = None
    pairs_order: Literal["audio video", "video audio"] = "audio video"

    def most(self, *, is_stand_in: bool) -> int | None:
        """The most clips that are used; None: all."""
        return _of_data(self.limit, self.stand_in_limit, is_stand_in=is_stand_in)


class CaseSettings(Section):
    """Which kinds of case are built; `cross`: how many pairs to draw if there is no list.

    stand_in_cross: the same for data sets that an embedded corpus stands in for. limit: only the
    first cases of each data set, this many: a trial, which is no whole benchmark.
    """

    kinds: tuple[CaseKind, ...] = CASE_KINDS
    cross: Annotated[int, pydantic.Field(ge=1)] | None = None
    stand_in_cross: Annotated[int, pydantic.Field(ge=1)] | None = None
    limit: Annotated[int, pydantic.Field(ge=1)] | None = None

    def pairs(self, *, is_stand_in: bool) -> int | None:
        """How many pairs are drawn; None: as many as there are clips."""
        return _of_data(self.cross, self.stand_in_cross, is_stand_in=is_stand_in)


class PrepareSettings(Section):
    """Which split of each data set methods may learn the tested persons from.

    stand_in_split: the same for data sets that an embedded corpus stands in for.
    """

    split: str
    stand_in_split: str | None = None

    def split_of(self, *, is_stand_in: bool) -> str:
        """The split of one data set."""
        return _of_data(self.split, self.stand_in_split or self.split, is_stand_in=is_stand_in)


class PluginEntry(Section):
    """A method or metric with its options; `label` tells two settings of one plugin apart."""

    name: str
    label: Label | None = None
    title: str = ""
    options: dict[str, object] = pydantic.Field(default_factory=dict)

    @property
    def key(self) -> str:
        """The name in tables and folders."""
        return self.label or self.name


class MethodEntry(PluginEntry):
    """A method. cases: to how many cases it is put, of each kind in each data set; None: to all.

    Where there are more, they are spread over the speakers (`bench.run.cases.spread`).
    stand_in_cases: the same for data sets that an embedded corpus stands in for.
    """

    cases: Annotated[int, pydantic.Field(ge=1)] | None = None
    stand_in_cases: Annotated[int, pydantic.Field(ge=1)] | None = None

    def most(self, *, is_stand_in: bool) -> int | None:
        """The most cases of each kind in one data set; None: all."""
        return _of_data(self.cases, self.stand_in_cases, is_stand_in=is_stand_in)


class MetricEntry(PluginEntry):
    """A metric. optional: without its weights it is told as not measured, and is no error."""

    optional: bool = False


class FeatureEntry(Section):
    """The options of a feature, for all metrics that read it."""

    name: str
    options: dict[str, object] = pydantic.Field(default_factory=dict)


class Published(Section):
    """The published table to show beside a measured one, and its name for each data set."""

    table: Literal["comparison", "ablation", "gains"]
    data: dict[str, Literal["clr", "lrs2", "portrait"]]  # the names in the papers


class Table(Section):
    """A table of the report: rows are method labels, columns are `metric.output`."""

    name: Label
    kind: Literal["comparison", "ablation"] = "comparison"
    title: str = ""
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...]
    reference: str | None = None
    published: Published | None = None


class Config(Section):
    """One benchmark."""

    name: Label
    title: str = ""
    seed: Annotated[int, pydantic.Field(ge=0)] = 0
    data: Annotated[tuple[DataEntry, ...], pydantic.Field(min_length=1)]
    cases: CaseSettings = CaseSettings()
    faces: Literal["given", "haar", "yunet"] = "haar"
    face: Literal["largest", "central", "given"] = "largest"
    landmarks: Literal["small", "mesh"] = "small"
    longest: Annotated[float, pydantic.Field(gt=0)] = LONGEST
    plugins: tuple[str, ...] = ()
    prepare: PrepareSettings | None = None
    methods: Annotated[tuple[MethodEntry, ...], pydantic.Field(min_length=1)]
    metrics: Annotated[tuple[MetricEntry, ...], pydantic.Field(min_length=1)]
    features: tuple[FeatureEntry, ...] = ()
    floors: Annotated[int, pydantic.Field(ge=0)] = 8
    tables: tuple[Table, ...] = ()

    @pydantic.field_validator("face", mode="before")
    @classmethod
    def _is_known_before_a_run(cls, value: object) -> object:
        if value == "speaking":
            raise ValueError(
                "the speaker is found once, in the clips, not in every generated video: "
                "`bench data faces MANIFEST -o FILE` writes the speakers' boxes into a manifest, "
                "and `face: given` follows them"
            )
        return value

    @property
    def tracking(self) -> str:
        """The detector and the choice of face, as protocols name them: `haar`, `haar central`."""
        return tracking(self.faces, self.face)

    @property
    def reads_boxes(self) -> bool:
        """Whether the manifests' boxes decide which face is tracked."""
        return "given" in (self.faces, self.face)


@dataclass(frozen=True)
class Loaded:
    """A validated config with the plugins it names: everything that a plan needs.

    method_options are in the order of config.methods; likewise those of metrics and features.
    lines: the line of every yaml path, for errors that only opening the data reveals.
    """

    path: Path
    config: Config
    registry: Registry
    method_options: tuple[Options, ...]
    metric_options: tuple[Options, ...]
    feature_options: tuple[Options, ...]
    lines: Mapping[str, int]

    def limited(self, cases: int) -> Loaded:
        """The same config for the first cases of each data set, under a name that says so."""
        config = self.config
        title = f"{config.title or config.name} (the first {cases} cases of each data set)"
        changed = config.model_copy(
            update={
                "name": f"{config.name[:48]}-limit-{cases}",
                "title": title,
                "cases": config.cases.model_copy(update={"limit": cases}),
            }
        )
        return replace(self, config=changed)

    def options_of(self, feature: str) -> Options:
        """The options of a feature that is no `faces`: the config's, or its usual ones."""
        for entry, options in zip(self.config.features, self.feature_options, strict=True):
            if entry.name == feature:
                return options
        kind = self.registry.features[feature].plugin.Options
        chosen = {"model": self.config.landmarks} if feature == "landmarks" else {}
        return kind.model_validate(chosen)


def load_config(path: Path) -> Loaded:
    """Reads and checks a config. Raises BenchError that lists every problem found."""
    raw, lines, problems = read_yaml(path)
    config = validated(Config, raw, "", problems)
    if config is None:
        refuse_other_kind(path, raw, Config.model_fields)
    registry = _registry(raw, path.parent, problems)
    methods = _options(raw, "methods", registry.methods, path.parent, problems)
    metrics = _options(raw, "metrics", registry.metrics, path.parent, problems)
    chosen = _with_landmarks(raw)
    features = _options(chosen, "features", registry.features, path.parent, problems)
    if config is not None:
        _check_meaning(config, registry, problems)
    raise_problems(path, problems, lines)
    assert config is not None
    loaded = Loaded(path, config, registry, tuple(methods), tuple(metrics), tuple(features), lines)
    raise_problems(path, _unmet(loaded), lines)
    return loaded


def _unmet(loaded: Loaded) -> list[tuple[str, str]]:
    """What to write for metrics that ask for other options of a feature than the config's."""
    problems = []
    for one in unmet(loaded):
        way = f"`features: [{{name: {one.feature}, options: {{{one.option}: {one.wanted}}}}}]`"
        if (one.feature, one.option) == ("landmarks", "model"):
            way = f"`landmarks: {one.wanted}` at the top level"
        key = loaded.config.metrics[one.index].key
        told = f"'{key}' {one.said}, and the config chooses {one.chosen}. Write {way}."
        problems.append((f"metrics[{one.index}]", told))
    return problems


@dataclass(frozen=True)
class Unmet:
    """An option of a feature that a metric asks for, and what is chosen. index: of the metric."""

    index: int
    feature: str
    option: str
    wanted: object
    chosen: object

    @property
    def said(self) -> str:
        """What the metric lacks, in words that go on after its name."""
        asked = f"`{self.option}: {self.wanted}` of the feature '{self.feature}'"
        return f"has values only with {asked}"

    @property
    def way(self) -> str:
        """The option as the command line names it."""
        return f"{self.feature}:{self.option}={self.wanted}"


def unmet(loaded: Loaded) -> Iterator[Unmet]:
    """The metrics that ask for other options of a feature than those that are chosen."""
    for index, (entry, options) in enumerate(
        zip(loaded.config.metrics, loaded.metric_options, strict=True)
    ):
        metric = loaded.registry.metrics[entry.name].plugin(options)
        options_of = {feature: loaded.options_of(feature) for feature in metric.asks}
        for found in unmet_by(metric, options_of):
            yield replace(found, index=index)


def unmet_by(metric: Metric, options_of: Mapping[str, Options]) -> Iterator[Unmet]:
    """What one metric asks for in vain. options_of: the chosen options, by feature."""
    for feature, asked in metric.asks.items():
        chosen = options_of[feature].model_dump()
        for option, value in asked.items():
            if chosen[option] != value:
                yield Unmet(0, feature, option, value, chosen[option])


def _with_landmarks(raw: Mapping[str, object]) -> Mapping[str, object]:
    """The yaml with the model that its key `landmarks` names among the feature's options."""
    entries = raw.get("features")
    if not isinstance(entries, list) or "landmarks" not in raw:
        return raw
    changed = []
    for entry in entries:
        own = entry.get("options") or {} if isinstance(entry, dict) else None
        if isinstance(own, dict) and entry.get("name") == "landmarks":
            entry = {**entry, "options": {"model": raw["landmarks"], **own}}
        changed.append(entry)
    return {**raw, "features": changed}


def _registry(raw: Mapping[str, object], folder: Path, problems: list[tuple[str, str]]) -> Registry:
    """The installed plugins and those of the files that can be loaded."""
    files = [folder / name for name in _strings(raw, "plugins")]
    for index, file in enumerate(files):
        if not file.is_file():
            what = f"there is no file {file}. Paths are relative to the config's folder."
            problems.append((f"plugins[{index}]", what))
    try:
        return load_registry([file for file in files if file.is_file()])
    except BenchError as error:
        if not files:
            raise
        problems.append(("plugins", str(error)))
        return load_registry()  # a broken installed plugin raises its own error


def _options(
    raw: Mapping[str, object],
    section: str,
    known: Mapping[str, Registered[_P]],
    folder: Path,
    problems: list[tuple[str, str]],
) -> list[Options]:
    """The validated options of a section's entries; the others are added to `problems`."""
    entries = raw.get(section)
    found: list[Options] = []
    labels: dict[str, int] = {}
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        where = f"{section}[{index}]"
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            continue  # the structure check reports it
        name = entry["name"]
        label = str(entry.get("label") or name)
        if label in labels:
            what = f"'{label}' is already used at {section}[{labels[label]}]. "
            way = "A run has one setting of each feature: leave one of the two out."
            if section != "features":
                way = "Give one of the two a `label` of its own."
            problems.append((where, what + way))
        labels.setdefault(label, index)
        if name not in known:
            what = f"there is no {section[:-1]} '{name}'. {closest(name, known)}"
            problems.append((f"{where}.name", what))
            continue
        options = validated(
            known[name].plugin.Options,
            entry.get("options") or {},
            f"{where}.options",
            problems,
            context={"label": label},
        )
        if options is not None:
            found.append(anchored(options, folder))
    return found


def _check_meaning(config: Config, registry: Registry, problems: list[tuple[str, str]]) -> None:
    """Checks that the parts agree: tables with methods and metrics, metrics with features.

    Columns of an unknown metric may have any name, since the metric is reported already.
    """
    _check_sources(config, registry, problems)
    _check_features(config, registry, problems)
    _check_prepare(config, registry, problems)
    _unique([entry.name for entry in config.data], "data", problems)
    _unique([table.name for table in config.tables], "tables", problems)
    methods = {entry.key for entry in config.methods}
    known = [entry for entry in config.metrics if entry.name in registry.metrics]
    strange = {entry.key for entry in config.metrics} - {entry.key for entry in known}
    columns = {
        f"{entry.key}.{output.name}"
        for entry in known
        for output in registry.metric(entry.name).plugin.outputs
        if not output.curve
    }
    columns |= {
        f"{entry.key}.{relative_name(output.name)}"
        for entry in known
        for output in registry.metric(entry.name).plugin.outputs
        if output.name in CONFIDENCES
    }
    data = {entry.name for entry in config.data}
    for index, table in enumerate(config.tables):
        where = f"tables[{index}]"
        for row, label in enumerate(table.rows):
            if label not in methods:
                what = f"no method has the label '{label}'. {closest(label, methods)}"
                problems.append((f"{where}.rows[{row}]", what))
        for place, column in enumerate(table.columns):
            if column not in columns and column.rpartition(".")[0] not in strange:
                what = f"no metric gives '{column}'. {closest(column, columns)}"
                problems.append((f"{where}.columns[{place}]", what))
        if table.reference is not None and table.reference not in methods:
            what = f"no method has the label '{table.reference}'. "
            problems.append((f"{where}.reference", what + closest(table.reference, methods)))
        for name in table.published.data if table.published else ():
            if name not in data:
                what = f"no data set has the name '{name}'. {closest(name, data)}"
                problems.append((f"{where}.published.data", what))


def _check_features(config: Config, registry: Registry, problems: list[tuple[str, str]]) -> None:
    """Checks that features that metrics and methods read exist, with the features they read."""
    known: dict[str, type[Feature]] = {n: one.plugin for n, one in registry.features.items()}
    known["faces"] = Faces
    given = {entry.name for entry in config.features}
    readers: list[tuple[str, str, frozenset[str]]] = [
        (f"metrics[{index}]", f"metric '{entry.name}'", registry.metrics[entry.name].plugin.reads)
        for index, entry in enumerate(config.metrics)
        if entry.name in registry.metrics
    ]
    readers += [
        (f"methods[{index}]", f"method '{entry.name}'", registry.methods[entry.name].plugin.reads)
        for index, entry in enumerate(config.methods)
        if entry.name in registry.methods
    ]
    for where, reader, reads in readers:
        try:
            read = needed(reads, known)
        except BenchError as error:
            problems.append((where, f"{reader}: {error}"))
            continue
        for name in read:
            lacking = [
                option
                for option, one in known[name].Options.model_fields.items()
                if one.is_required()
            ]
            if lacking and name not in given:
                what = f"{reader} reads the feature '{name}', which needs the option "
                way = f"Write `features: [{{name: {name}, options: {{{lacking[0]}: ...}}}}]`."
                problems.append((where, f"{what}`{lacking[0]}`. {way}"))
    for index, feature in enumerate(config.features):
        if feature.name == "faces":
            what = "the keys `faces` and `face` of the config set how faces are found."
            problems.append((f"features[{index}].name", what))
        if feature.name == "landmarks" and "model" in feature.options:
            what = "whose landmarks are used is set by the key `landmarks` of the config."
            problems.append((f"features[{index}].options.model", what))


def _check_prepare(config: Config, registry: Registry, problems: list[tuple[str, str]]) -> None:
    """Checks that `prepare` names a split if a method learns persons."""
    for index, entry in enumerate(config.methods if config.prepare is None else ()):
        known = registry.methods.get(entry.name)
        if known is not None and known.plugin.learns_persons():
            what = (
                f"method '{entry.name}' learns each person first, from clips that are not tested. "
            )
            way = "Name their split at the top level of the config: `prepare: {split: train}`."
            problems.append((f"methods[{index}]", what + way))


def _check_sources(config: Config, registry: Registry, problems: list[tuple[str, str]]) -> None:
    from bench.data.synth import CORPORA

    for index, entry in enumerate(config.data):
        problems += importer_problems(entry, registry.importers, f"data[{index}]")
        for key in ("corpus", "stand_in"):
            name = getattr(entry, key)
            if name is not None and name not in CORPORA:
                what = f"there is no embedded corpus '{name}'. {closest(name, CORPORA)}"
                problems.append((f"data[{index}].{key}", what))


def _unique(names: list[str], section: str, problems: list[tuple[str, str]]) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            first = names.index(name)
            what = f"'{name}' is already used at {section}[{first}]. Names must differ."
            problems.append((f"{section}[{index}].name", what))


def _strings(raw: Mapping[str, object], key: str) -> list[str]:
    value = raw.get(key)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
