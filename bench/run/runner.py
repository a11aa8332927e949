"""The runner: generates and measures what a plan lacks, writes every record, counts outcomes."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.contract.engine import Crew, Engine
from bench.data.doctor import marks_of
from bench.files.intact import is_intact
from bench.files.paths import cache_dir
from bench.ground.types import CaseKind
from bench.machine.clock import Clock, now
from bench.records.reading import read_manifest
from bench.records.record import Corners, PreparationRecord, Record
from bench.records.schema import MANIFEST
from bench.records.store import KnownGeneration, Store
from bench.run.casework import CaseWorker, CellRecord, StartCaseWorker
from bench.run.engines.here import Here
from bench.run.fitting import fitting
from bench.run.plan import Missing, Plan
from bench.run.planned import (
    PlannedCase,
    PlannedMetric,
    PreparationTask,
    Task,
    generation_key,
    measurement_key,
    set_key,
)
from bench.run.prepared_folder import PreparedFolder
from bench.run.preparing import StartPersonWorker, prepared_before
from bench.run.provenance import describe_run
from bench.run.set_measuring import PlannedSet, measure_sets

Notify = Callable[[Record], None]  # called for every record, once it is written


@dataclass(frozen=True)
class Faceless:
    """How many of the videos that a metric measured show no face in any frame."""

    method: str
    metric: str
    videos: int
    asked: int


@dataclass(frozen=True)
class Summary:
    """How many of a plan's cells a run folder holds, by outcome, and how long this call took.

    overhead: the share of this call's wall time in which nothing was decoded, encoded or computed;
    None if other processes did the work, since their clocks are not added up.
    undefined: all cells without a value by definition, including those that `faceless` counts.
    """

    ok: int
    undefined: int
    failed: int
    missing: int
    seconds: float
    overhead: float | None
    faceless: tuple[Faceless, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 if every cell has a value or is undefined by definition, 1 if cells failed."""
        return 1 if self.failed or self.missing else 0


def run(
    plan: Plan,
    store: Store,
    missing: Missing,
    *,
    engine: Engine | None = None,
    notify: Notify = lambda _record: None,
) -> Summary:
    """Generates and measures what is missing; the records are in the store when this returns.

    engine: what carries out the tasks; None is this process, on the CPU.
    After a kill at any point, another call continues and ends with the records of an unkilled run.
    """
    start = time.perf_counter()
    clock = Clock()
    engine = engine or Here(Crew())
    start_worker = StartCaseWorker(store.folder, clock)
    worker = start_worker(engine.driver_device)  # before any work, since it may raise
    created = _created(store.folder)

    def describe(marks: dict[str, dict[str, list[str]]]) -> None:
        store.manifest(
            describe_run(
                plan,
                created=created,
                device=engine.device,
                marks=marks,
                mouths=_mouths(plan, store),
            )
        )

    if missing.tasks:
        describe({})  # so that the records of a killed run can be read

    def keep(records: Iterator[CellRecord] | Iterator[PreparationRecord]) -> None:
        # Close it at once after an error or interrupt: at the interpreter's exit, Python would
        # wait for the workers.
        with contextlib.closing(records):  # type: ignore[type-var]
            for record in records:
                store.append(record)
                notify(record)

    is_alone = isinstance(engine, Here) or not missing.tasks
    with contextlib.nullcontext() if is_alone else clock.busy():
        if missing.preparations:
            keep(_prepare(missing.preparations, engine, store.folder, clock))
        tasks: Sequence[Task] = missing.tasks
        if store.preparations:
            tasks = [_with_outcome(task, store) for task in tasks]
        keep(engine.run(fitting(tasks, engine.memory), start_worker))
    again = _damaged(plan, store, retry=missing.retry)
    keep(worker.work([_with_outcome(task, store) for task in again]))
    keep(_sets(plan, store, worker, retry=missing.retry))
    with clock.busy():
        marks = {data.name: marks_of(data.clips) for data in plan.datasets}
    describe(marks)
    shutil.rmtree(store.folder / "work", ignore_errors=True)
    seconds = time.perf_counter() - start
    overhead = max(0.0, 1 - clock.busy_seconds / seconds)
    return _summary(plan, store, seconds, overhead if is_alone else None)


def _prepare(
    tasks: Sequence[PreparationTask], engine: Engine, folder: Path, clock: Clock
) -> Iterator[PreparationRecord]:
    """The records of preparations, beginning with those that another run has finished."""
    left: list[PreparationTask] = []
    for task in tasks:
        before = prepared_before(task)
        if before is None:
            left.append(task)
        else:
            yield before
    for record in engine.run(left, StartPersonWorker(folder, clock)):
        if record.status == "ok":  # for other runs on this machine, too
            PreparedFolder(folder, record.key).copy_to(cache_dir())
        yield record


def _with_outcome(task: Task, store: Store) -> Task:
    """The task, with the failed preparations among those that its cells wait for, and why."""
    reasons = {key: store.preparations.get(key) for key in task.preparations(task.makers)}
    unprepared = {key: reason for key, reason in reasons.items() if reason is not None}
    if not unprepared:
        return task
    return replace(task, settings=replace(task.settings, unprepared=unprepared))


def _damaged(plan: Plan, store: Store, *, retry: bool) -> list[Task]:
    """Videos that a set metric is about to read, but whose bytes differ from their record."""
    generate: dict[PlannedCase, list[str]] = {}
    for metric in plan.set_metrics:
        for group in _groups(plan, store, metric):
            if not _lacks(store, group.key(metric), retry=retry):
                continue
            for planned, known in group.videos:
                labels = generate.setdefault(planned, [])
                if group.method not in labels and not all(
                    is_intact(store.folder / name, sha256) for name, sha256 in known.files.items()
                ):
                    labels.append(group.method)
    settings = plan.settings(store.folder)
    return [
        Task(
            settings,
            planned,
            tuple(labels),
            {label: settings.measured(planned.case) for label in labels},
            {},
        )
        for planned, labels in generate.items()
        if labels
    ]


@dataclass(frozen=True)
class _Group:
    """The finished videos of a method on one kind of case in one data set, of so many asked for."""

    method: str
    videos: tuple[tuple[PlannedCase, KnownGeneration], ...]
    asked: int

    def key(self, metric: PlannedMetric) -> str:
        """The key of what a set metric says of them."""
        return set_key(metric, self.videos, asked=self.asked)


def _lacks(store: Store, key: str, *, retry: bool) -> bool:
    known = store.measurements.get(key)
    return known is None or (retry and known == "failed")


def lacks_sets(plan: Plan, store: Store, metric: PlannedMetric, *, retry: bool) -> bool:
    """Whether a set metric has something left to measure of the videos that are there."""
    keys = (group.key(metric) for group in _groups(plan, store, metric))
    return any(_lacks(store, key, retry=retry) for key in keys)


def _sets(plan: Plan, store: Store, worker: CaseWorker, *, retry: bool) -> Iterator[CellRecord]:
    """The missing records of set metrics: one for each data set, kind of case and method."""
    lacking: dict[str, PlannedSet] = {}
    settings = plan.settings(store.folder)
    for metric in plan.set_metrics:
        for group in _groups(plan, store, metric):
            key = group.key(metric)
            if _lacks(store, key, retry=retry):
                lacking.setdefault(key, PlannedSet(metric, key, group.videos, group.asked))
    places = {planned.key: place for place, planned in enumerate(plan.every_case)}
    yield from measure_sets(worker, settings, list(lacking.values()), places)


def _groups(plan: Plan, store: Store, metric: PlannedMetric) -> Iterator[_Group]:
    """The finished videos of each method, kind of case and data set that has any."""
    videos: dict[tuple[str, CaseKind, str], list[tuple[PlannedCase, KnownGeneration]]] = {}
    asked: Counter[tuple[str, CaseKind, str]] = Counter()
    for planned in plan.every_case:
        if not metric.measures(planned.case):
            continue
        for method in plan.methods:  # a set lacks the cases that the config keeps from a method
            if planned in plan.spared.get(method.label, ()):
                asked[planned.case.dataset, planned.case.kind, method.label] += 1
        for method in plan.answers(planned):
            where = (planned.case.dataset, planned.case.kind, method.label)
            asked[where] += 1
            known = store.generations.get(generation_key(method, planned))
            if known is not None and known.status == "ok":
                videos.setdefault(where, []).append((planned, known))
    for where, finished in videos.items():
        yield _Group(where[2], tuple(finished), asked[where])


def _summary(plan: Plan, store: Store, seconds: float, overhead: float | None) -> Summary:
    count: Counter[str] = Counter()
    asked: Counter[tuple[str, str]] = Counter()
    faceless: Counter[tuple[str, str]] = Counter()
    quiet = {method.label for method in plan.floors.methods}
    for planned in plan.every_case:
        metrics = plan.measured_on(planned.case)
        for method in plan.answers(planned):
            known = store.generations.get(generation_key(method, planned))
            count[known.status if known else "missing"] += 1
            for metric in metrics:
                if known is None or known.status != "ok":
                    count["failed" if known else "missing"] += 1
                    continue
                key = measurement_key(metric, known.sha256, known.reference_sha256, [planned])
                count[store.measurements.get(key, "missing")] += 1
                if method.label in quiet:
                    continue
                asked[method.label, metric.label] += 1
                faceless[method.label, metric.label] += key in store.faceless
    for metric in plan.set_metrics:
        for group in _groups(plan, store, metric):
            count[store.measurements.get(group.key(metric), "missing")] += 1
    return Summary(
        count["ok"],
        count["undefined"],
        count["failed"],
        count["missing"],
        seconds,
        overhead,
        tuple(Faceless(*pair, videos, asked[pair]) for pair, videos in faceless.items() if videos),
    )


def _mouths(plan: Plan, store: Store) -> dict[str, Corners]:
    """The mean mouth region by case key, for the report's pictures."""
    found: dict[str, Corners] = {}
    for planned in plan.cases:
        for method in plan.answers(planned):
            known = store.generations.get(generation_key(method, planned))
            if known is None or known.cut is not None:
                continue  # its mouth is in pixels of the crop
            if known.status == "ok" and known.mouth is not None:
                found[planned.key] = known.mouth
                break
    return found


def _created(folder: Path) -> str:
    """When the run folder was first written; continuing a run does not change it."""
    return read_manifest(folder).created if (folder / MANIFEST).exists() else now()
