"""The plan: every cell that a config asks for, each with the key under which its record is kept."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.config.reader import expand, raise_problems
from bench.contract.identity import identity_of, unavailable
from bench.contract.plugins import AnyOptions, Method, Metric, Options, Plugin, SetMetric
from bench.contract.registry import Registered
from bench.data.conform import conform_version
from bench.data.manifest import file_digest, plan_digest
from bench.data.pairs import read_pairs
from bench.data.sources import Dataset, Progress, open_source
from bench.data.taking_part import barred_clips
from bench.features.computing import ChosenFeature, chosen, needed
from bench.features.faces import FACES_VERSION, Faces, chosen_faces
from bench.files.digests import digest
from bench.files.weights import find
from bench.ground.errors import BenchError, NoSuchSplit
from bench.ground.types import CASE_KINDS, Case, CaseKind, Clip
from bench.machine.faults import raise_machine_fault
from bench.records.store import KnownGeneration, Store
from bench.run import floors
from bench.run.cases import make_cases, spread
from bench.run.config import Config, Loaded, PluginEntry
from bench.run.floors import Floors
from bench.run.outputs import OUTPUT_VERSION
from bench.run.persons import (
    Person,
    Preparation,
    find_persons,
    preparations,
    with_persons,
)
from bench.run.planned import (
    PlannedCase,
    PlannedFeature,
    PlannedMethod,
    PlannedMetric,
    PluginFile,
    PreparationTask,
    RunSettings,
    Task,
    generation_key,
    measurement_key,
    plain,
    plugin_needs,
)
from bench.run.prepared_folder import PreparedFolder


@dataclass(frozen=True)
class Plan:
    """All cells of a run: cases times methods, and the metrics of each video.

    features: by name, those that the metrics read, directly or through others; always `faces`.
    barred: by data set and id, the clips that are drawn for no pair, each with the reason.
    persons: the tested ones, if a method learns persons; preparations: what it must learn.
    left_out: by data set, how many cases a limit leaves out. spared: by method label, the cases of
    its kinds that the config does not put to it (`methods: cases`).
    floors: the quiet controls, which stand in no table. not_measured: optional metrics that are
    left out (`bench.run.lacking`).
    """

    loaded: Loaded
    datasets: tuple[Dataset, ...]
    methods: tuple[PlannedMethod, ...]
    metrics: tuple[PlannedMetric, ...]
    cases: tuple[PlannedCase, ...]
    barred: Mapping[str, Mapping[str, str]]
    features: Mapping[str, ChosenFeature]
    files: tuple[PluginFile, ...] = ()
    persons: tuple[Person, ...] = ()
    preparations: tuple[Preparation, ...] = ()
    left_out: Mapping[str, int] = dataclasses.field(default_factory=dict)
    spared: Mapping[str, frozenset[PlannedCase]] = dataclasses.field(default_factory=dict)
    floors: Floors = dataclasses.field(default_factory=Floors)
    not_measured: tuple[NotMeasured, ...] = ()

    @functools.cached_property
    def every_case(self) -> tuple[PlannedCase, ...]:
        """All cases, with those that only quiet controls are put to."""
        return (*self.cases, *self.floors.cases)

    @functools.cached_property
    def clip_metrics(self) -> tuple[PlannedMetric, ...]:
        """The metrics with a value for each clip."""
        return tuple(metric for metric in self.metrics if not metric.is_set)

    @property
    def set_metrics(self) -> tuple[PlannedMetric, ...]:
        """The metrics with one value for a set of clips."""
        return tuple(metric for metric in self.metrics if metric.is_set)

    def answers(self, planned: PlannedCase) -> tuple[PlannedMethod, ...]:
        """The methods that answer this case, quiet controls last."""
        quiet = self.floors.asked.get(planned, ())
        if planned in self.floors.cases:
            return quiet
        every = self._answers[planned.case.kind]
        return (*(method for method in every if self.puts(method, planned)), *quiet)

    def puts(self, method: PlannedMethod, planned: PlannedCase) -> bool:
        """Whether the plan puts one of its cases to one of its methods."""
        return planned.case.kind in method.kinds and planned not in self.spared.get(
            method.label, ()
        )

    def measured_on(self, case: Case) -> tuple[PlannedMetric, ...]:
        """The clip metrics that measure this case's videos."""
        return self._measured[case.has_reference]

    def settings(self, folder: Path) -> RunSettings:
        """What all tasks of a run into that folder have in common."""
        config = self.loaded.config
        return RunSettings(
            folder.absolute(),
            config.seed,
            config.longest,
            {method.label: method for method in (*self.methods, *self.floors.methods)},
            {metric.label: metric for metric in self.clip_metrics},
            {name: PlannedFeature.of(one, self.files) for name, one in self.features.items()},
        )

    @functools.cached_property
    def _answers(self) -> dict[CaseKind, tuple[PlannedMethod, ...]]:
        return {
            kind: tuple(method for method in self.methods if kind in method.kinds)
            for kind in CASE_KINDS
        }

    @functools.cached_property
    def _measured(self) -> dict[bool, tuple[PlannedMetric, ...]]:
        without = tuple(metric for metric in self.clip_metrics if not metric.needs_reference)
        return {True: self.clip_metrics, False: without}


@dataclass(frozen=True)
class NotMeasured:
    """An optional metric that a plan is without, and the ways to get its weights."""

    label: str
    title: str
    protocol: str
    ways: tuple[str, ...]


@dataclass(frozen=True)
class Missing:
    """What a store lacks of a plan, counted in cells, without those of set metrics.

    failed: cells that failed before and are not counted as missing. retry: whether to try failed
    cells again, including those of set metrics. preparations: those that the tasks wait for.
    """

    tasks: tuple[Task, ...]
    videos: int
    videos_planned: int
    values: int
    values_planned: int
    failed: int
    retry: bool = False
    preparations: tuple[PreparationTask, ...] = ()


def make_plan(loaded: Loaded, *, progress: Progress | None = None) -> Plan:
    """The plan of a config: opens its data (building embedded corpora) and keys every part.

    Raises BenchError that lists every problem in the data, each with file, line and yaml path.
    """
    config, folder = loaded.config, loaded.path.parent
    datasets: list[Dataset] = []
    cases: list[PlannedCase] = []
    barred: dict[str, Mapping[str, str]] = {}
    left_out: dict[str, int] = {}
    learned: dict[str, Dataset] = {}
    problems: list[tuple[str, str]] = []
    learns = any(
        loaded.registry.methods[one.name].plugin.learns_persons() for one in config.methods
    )
    version = functools.cache(conform_version)  # it opens the clip's file
    # Clips of embedded corpora are known by their names, and need not be rendered to be compared.
    places = [entry.place(folder) for entry in config.data]
    all_embedded = set(places) <= {"corpus", "stand_in"}
    for index, (entry, place) in enumerate(zip(config.data, places, strict=True)):
        key, is_stand_in = f"data[{index}].{place}", place == "stand_in"
        most = entry.most(is_stand_in=is_stand_in)
        try:
            dataset = open_source(
                entry,
                entry.split,
                folder,
                importers=loaded.registry.importers,
                clips=most,
                progress=progress,
            )
            clips = [_with_digest(_absolute(clip)) for clip in dataset.clips[:most]]
            key, pairs = f"data[{index}].pairs", None
            if entry.pairs is not None:
                order, path = entry.pairs_order, expand(entry.pairs, folder)
                pairs = read_pairs(path or Path(entry.pairs), clips, order=order)
            # The embedded corpora are known to be intact.
            is_embedded = entry.corpus is not None or dataset.stand_in is not None
            unable = {} if is_embedded else barred_clips(clips)
            key = "cases.cross"
            drawn = make_cases(
                entry.name,
                clips,
                kinds=config.cases.kinds,
                seed=config.seed,
                pairs=pairs,
                cross=config.cases.pairs(is_stand_in=is_stand_in),
                barred=unable,
            )
        except NoSuchSplit as error:
            problems.append((f"data[{index}].split", str(error)))
            continue
        except BenchError as error:
            problems.append((key, str(error)))
            continue
        if learns and config.prepare is not None:
            try:
                learned[entry.name] = open_source(
                    entry,
                    config.prepare.split_of(is_stand_in=is_stand_in),
                    folder,
                    importers=loaded.registry.importers,
                    rendered=not all_embedded,
                    progress=progress,
                )
            except BenchError as error:
                problems.append(("prepare.split", str(error)))
        if unable:
            barred[entry.name] = unable
        left_out[entry.name] = len(drawn) - len(drawn[: config.cases.limit])
        drawn = drawn[: config.cases.limit]
        datasets.append(dataclasses.replace(dataset, clips=tuple(clips)))
        cases += [PlannedCase(case, _case_key(case, loaded, version)) for case in drawn]
    raise_problems(loaded.path, problems, loaded.lines)
    files = plugin_files(loaded)
    persons = find_persons(
        (planned.case for planned in cases if learned),
        learned,
        lambda clip: clip if all_embedded else _with_digest(_absolute(clip)),
    )
    methods: list[PlannedMethod] = []
    learning: list[Preparation] = []
    features = chosen_features(loaded)
    for one, options in zip(config.methods, loaded.method_options, strict=True):
        registered = loaded.registry.methods[one.name]
        title = one.title or getattr(registered.plugin, "title", "") or one.key
        method = _method(one.key, title, registered, options, files, features)
        if registered.plugin.learns_persons():
            own = preparations(method, persons, loaded, version)
            method = with_persons(method, own)
            learning += own
        if registered.plugin(options).reads_index:
            numbered = [[planned.key, planned.case.index] for planned in cases]
            method = dataclasses.replace(method, key=digest([method.key, numbered]))
        methods.append(method)
    return Plan(
        loaded,
        tuple(datasets),
        tuple(methods),
        planned_metrics(loaded, files, features),
        tuple(cases),
        barred,
        features,
        files,
        persons,
        tuple(learning),
        left_out=left_out,
        spared=_spared(config, methods, datasets, cases),
        floors=_floors(loaded, files, datasets, cases, barred, version),
    )


def _spared(
    config: Config,
    methods: Sequence[PlannedMethod],
    datasets: Sequence[Dataset],
    cases: Sequence[PlannedCase],
) -> dict[str, frozenset[PlannedCase]]:
    """By method label, the cases that the config's limit keeps from it, if any."""
    stand_ins = {dataset.name for dataset in datasets if dataset.stand_in is not None}
    groups: dict[tuple[str, CaseKind], list[PlannedCase]] = {}
    for planned in cases:
        groups.setdefault((planned.case.dataset, planned.case.kind), []).append(planned)
    found: dict[str, frozenset[PlannedCase]] = {}
    for entry, method in zip(config.methods, methods, strict=True):
        spared: list[PlannedCase] = []
        for (name, kind), group in groups.items():
            most = entry.most(is_stand_in=name in stand_ins)
            if most is not None and kind in method.kinds:
                put = set(spread([planned.case for planned in group], most))
                spared += [planned for planned in group if planned.case not in put]
        if spared:
            found[method.label] = frozenset(spared)
    return found


def plugin_files(loaded: Loaded) -> tuple[PluginFile, ...]:
    """The local files of a config's plugins, as they are now."""
    folder = loaded.path.parent
    return tuple(PluginFile.of((folder / name).absolute()) for name in loaded.config.plugins)


def planned_metrics(
    loaded: Loaded, files: tuple[PluginFile, ...], features: Mapping[str, ChosenFeature]
) -> tuple[PlannedMetric, ...]:
    """The config's metrics, each with its key. files, features: what the config names of them."""
    config, known = loaded.config, loaded.registry.metrics
    return tuple(
        _metric(entry, known[entry.name], options, files, config, features)
        for entry, options in zip(config.metrics, loaded.metric_options, strict=True)
    )


def _floors(
    loaded: Loaded,
    files: tuple[PluginFile, ...],
    datasets: Sequence[Dataset],
    cases: Sequence[PlannedCase],
    barred: Mapping[str, Mapping[str, str]],
    version: Callable[[Clip], str],
) -> Floors:
    """The quiet controls, put to a few cases of each data set; those not installed are left out."""
    config, known = loaded.config, loaded.registry.methods

    def quiet(name: str, **options: object) -> PlannedMethod:
        label = "-".join([floors.MARK + name, *map(str, options.values())])
        plugin = known[name].plugin
        chosen = plugin.Options.model_validate(options)
        return _method(label, label, known[name], chosen, files, {})

    named = {entry.name for entry in config.methods}
    there = [name for name in floors.CONTROLS if name not in named and name in known]
    controls = [quiet(name) for name in there]
    if floors.DEGRADED in known:
        controls += [quiet(floors.DEGRADED, how=how) for how in floors.DEGRADATIONS]
    strangers = [quiet(floors.STRANGER)] if floors.STRANGER in known else []
    asked: dict[PlannedCase, tuple[PlannedMethod, ...]] = {}
    own: list[PlannedCase] = []
    for dataset in datasets:
        unable = barred.get(dataset.name, {})
        every = [planned for planned in cases if planned.case.dataset == dataset.name]
        few = floors.few_cases(every, config.floors, barred=unable)
        for planned in few:
            lone = planned.case.other is None  # without another clip, nothing can be mismatched
            asked[planned] = tuple(m for m in controls if m.name != "mismatched" or not lone)
        faces = [planned.case for planned in few]
        for case in floors.with_strangers(faces, dataset.clips, barred=unable) if strangers else ():
            planned = PlannedCase(case, _case_key(case, loaded, version))
            if planned not in asked:
                own.append(planned)
            asked[planned] = (*asked.get(planned, ()), *strangers)
    methods = {method.label: method for some in asked.values() for method in some}
    return Floors(tuple(methods.values()), asked, tuple(own))


def find_missing(plan: Plan, store: Store, *, retry: bool = False) -> Missing:
    """What is left to do. `retry` tries failed cells again; otherwise a failure counts as done."""
    tasks: list[Task] = []
    videos = values = videos_planned = values_planned = failed = 0
    existing = _existing_files(store.folder)
    settings = plan.settings(store.folder)
    for planned in plan.every_case:
        metrics = plan.measured_on(planned.case)
        generate: list[str] = []
        measure: dict[str, tuple[str, ...]] = {}
        made: dict[str, KnownGeneration] = {}
        for method in plan.answers(planned):
            videos_planned += 1
            values_planned += len(metrics)
            known = store.generations.get(generation_key(method, planned))
            if known is None or (known.status != "ok" and retry):
                generate.append(method.label)
            elif known.status == "ok" and not existing.issuperset(known.files):
                generate.append(method.label)  # a file was deleted
            elif known.status == "ok":
                found = {metric.label: _status(metric, known, planned, store) for metric in metrics}
                wanted = (None, "failed") if retry else (None,)
                left = tuple(label for label, status in found.items() if status in wanted)
                failed += 0 if retry else list(found.values()).count("failed")
                if left:
                    measure[method.label], made[method.label] = left, known
                values += len(left)
                continue
            else:
                failed += 1  # in an earlier run, and is not tried again
                continue
            videos += 1
            values += len(metrics)
            measure[method.label] = tuple(metric.label for metric in metrics)
        if generate or measure:
            tasks.append(Task(settings, planned, tuple(generate), measure, made))
    lacking = tuple(_preparations(plan, store, settings, tasks, retry=retry))
    return Missing(
        tuple(tasks), videos, videos_planned, values, values_planned, failed, retry, lacking
    )


def _preparations(
    plan: Plan, store: Store, settings: RunSettings, tasks: Sequence[Task], *, retry: bool
) -> Iterator[PreparationTask]:
    """The preparations that the tasks wait for; those that failed before only with `retry`."""
    wanted = set[str]()
    if plan.preparations:
        wanted.update(key for task in tasks for key in task.preparations(task.generate))
    for one in plan.preparations:
        if one.key not in wanted:
            continue
        wanted.remove(one.key)
        has_failed = store.preparations.get(one.key) is not None
        is_kept = PreparedFolder(settings.folder, one.key).record() is not None
        is_done = one.key in store.preparations and is_kept
        if retry if has_failed else not is_done:
            person = one.person
            yield PreparationTask(
                settings, one.method, person.dataset, person.name, one.key, person.clips
            )


def outlook(plan: Plan) -> dict[str, list[str]]:
    """By method, its `outlook` on the run, or the error that this raised."""
    found: dict[str, list[str]] = {}
    for method in plan.methods:
        cases = [planned.case for planned in plan.cases if plan.puts(method, planned)]
        try:
            found[method.label] = list(method.make().outlook(cases))
        except Exception as error:  # a plugin's error costs its own cells, not the plan
            known = isinstance(error, BenchError)
            found[method.label] = [str(error) if known else f"{type(error).__name__}: {error}"]
    return found


def expected_files(plan: Plan) -> dict[str, list[Path | None]]:
    """By method that takes finished files, the file that it expects for each of the plan's cases.

    None for cases that are not put to it. Raises BenchError for a path that is not allowed.
    """
    found: dict[str, list[Path | None]] = {}
    for method in plan.methods:
        plugin = method.make()
        files = [
            plugin.expects(planned.case) if plan.puts(method, planned) else None
            for planned in plan.cases
        ]
        if any(files):
            found[method.label] = files
    return found


def sure_failures(plan: Plan) -> tuple[str, ...]:
    """Why cells will fail, and how to mend it: files that the plan's plugins need and don't find.

    These are weights that are missing or damaged, and what else a plugin's identity is made of.
    """
    plugins = (*plan.methods, *plan.metrics)
    wanted = {name for plugin in plugins for name in plugin.weights}
    wanted |= {name for feature in plan.features.values() for name in feature.make().weights}
    found: list[str] = []
    for name in sorted(wanted):
        try:
            find(name)
        except BenchError as error:  # noqa: PERF203 (the message says what to do)
            found.append(str(error))
    found += [plugin.unavailable for plugin in plugins if plugin.unavailable]
    return tuple(dict.fromkeys(found))


def _status(
    metric: PlannedMetric, known: KnownGeneration, planned: PlannedCase, store: Store
) -> str | None:
    """How the measurement of a video ended; None if it was not made."""
    key = measurement_key(metric, known.sha256, known.reference_sha256, [planned])
    return store.measurements.get(key)


def _existing_files(folder: Path) -> set[str]:
    """The run folder's videos and own references, as records name them.

    Lists folders rather than asking for each file, which takes minutes on a network disk.
    """
    found: set[str] = set()
    for kept in ("videos", "references"):
        for place, _, names in os.walk(folder / kept):
            inside = Path(place).relative_to(folder).as_posix()
            found.update(f"{inside}/{name}" for name in names)
    return found


def _absolute(clip: Clip) -> Clip:
    """The clip with absolute paths, which do not depend on the current folder."""
    audio = None if clip.audio is None else clip.audio.absolute()
    return dataclasses.replace(clip, video=clip.video.absolute(), audio=audio)


def _with_digest(clip: Clip) -> Clip:
    """The clip with its content's digest. A missing file is no error yet: its cells will fail."""
    if clip.sha256:
        return clip
    files = [clip.video] if clip.audio is None else [clip.video, clip.audio]
    try:
        found = [file_digest(file) for file in files]
    except (OSError, BenchError) as error:
        raise_machine_fault(error)
        return dataclasses.replace(clip, sha256=digest(["missing", str(clip.video)]))
    return dataclasses.replace(clip, sha256=plan_digest(found))


def _case_key(case: Case, loaded: Loaded, version: Callable[[Clip], str]) -> str:
    clips = filter(None, (case.face, case.speech, case.other))
    return digest(
        {
            "kind": case.kind,
            "face": [case.face.sha256, case.face.box],
            "speech": case.speech.sha256,
            "other": case.other.sha256 if case.other else None,
            "seed": loaded.config.seed,
            "faces": [loaded.config.tracking, FACES_VERSION],
            "conform": [max(map(version, clips)), OUTPUT_VERSION],
        }
    )


def _method(
    label: str,
    title: str,
    registered: Registered[Method],
    options: AnyOptions,
    files: tuple[PluginFile, ...],
    features: Mapping[str, ChosenFeature],
) -> PlannedMethod:
    plugin = registered.plugin(options)
    identity = _identity(registered, plugin)
    if plugin.reads - {"faces"}:
        read = {name: features[name].key for name in sorted(plugin.reads - {"faces"})}
        identity = {**identity, "features": read}
    return PlannedMethod(
        label=label,
        title=title,
        name=plugin.name,
        version=plugin.version,
        origin=registered.origin,
        options=options.model_dump(mode="json"),
        choices=plain(options),
        files=files,
        weights=tuple(plugin.weights),
        needs=plugin_needs(registered.plugin),
        protocol=plugin.protocol,
        key=digest(identity),
        unavailable=unavailable(identity),
        kinds=plugin.kinds,
    )


def _metric(
    entry: PluginEntry,
    registered: Registered[Metric],
    options: Options,
    files: tuple[PluginFile, ...],
    config: Config,
    features: Mapping[str, ChosenFeature],
) -> PlannedMetric:
    plugin = registered.plugin(options)
    chosen_features = {name: features[name] for name in sorted(plugin.reads & features.keys())}
    read = dict(chosen_features)
    protocol = plugin.protocol
    for name, feature in read.items():
        protocol = protocol.replace(f"{{{name}}}", feature.protocol)
    identity = {**_identity(registered, plugin), "protocol": protocol}
    if read.pop("faces", None):
        identity["faces"] = [config.tracking, FACES_VERSION]
    if read:
        identity["features"] = {name: feature.key for name, feature in read.items()}
    return PlannedMetric(
        label=entry.key,
        title=entry.title or entry.key,
        name=plugin.name,
        version=plugin.version,
        origin=registered.origin,
        options=options.model_dump(mode="json"),
        choices=plain(options),
        files=files,
        weights=tuple(plugin.weights),
        needs=plugin_needs(registered.plugin),
        protocol=protocol,
        key=digest(identity),
        unavailable=unavailable(identity),
        reads=plugin.reads,
        reads_boxes=any(features[name].reads_boxes for name in plugin.reads & features.keys()),
        is_set=isinstance(plugin, SetMetric),
        alike=dict(plugin.alike({name: one.make() for name, one in chosen_features.items()})),
        needs_whole_set=isinstance(plugin, SetMetric) and plugin.needs_whole_set,
    )


def chosen_features(loaded: Loaded) -> dict[str, ChosenFeature]:
    """The features that metrics and methods read, directly or through others, and `faces`."""
    config, known = loaded.config, loaded.registry.features
    reads = {
        name
        for entry in config.metrics
        for name in loaded.registry.metrics[entry.name].plugin.reads
    }
    for entry in config.methods:
        reads |= loaded.registry.methods[entry.name].plugin.reads
    found = {"faces": chosen_faces(config.faces, config.face)}
    for name in needed(reads, {one: known[one].plugin for one in known} | {"faces": Faces}):
        if name not in found:
            registered = known[name]
            found[name] = chosen(
                registered.plugin(loaded.options_of(name)),
                found,
                origin=registered.origin,
                file=registered.file,
                helpers=registered.helpers,
            )
    return found


def _identity(
    registered: Registered[Method] | Registered[Metric], plugin: Plugin
) -> dict[str, object]:
    return identity_of(plugin, file=registered.file, helpers=registered.helpers)
