"""The runner: makes what a plan lacks, writes every record, and counts what came of it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from bench.data.doctor import marks_of
from bench.errors import BenchError
from bench.files.digests import set_digest
from bench.files.intact import is_intact
from bench.machine.clock import Clock
from bench.machine.worker_pool import WorkerPool
from bench.records.store import Made, Record, Store
from bench.run.casework import CaseWorker, Written
from bench.run.config import load_config
from bench.run.plan import (
    Missing,
    Plan,
    PlannedCase,
    PlannedMetric,
    Task,
    generation_key,
    make_plan,
    measurement_key,
)
from bench.run.provenance import describe_run, now
from bench.run.set_measuring import PlannedSet, measure_sets

Notify = Callable[[str, Record], None]  # called for every record, with the file it went to


@dataclass(frozen=True)
class Faceless:
    """How many of the videos that a metric was asked about show no face in any frame."""

    method: str
    metric: str
    videos: int
    asked: int


@dataclass(frozen=True)
class Summary:
    """What a run folder holds of its plan, in cells, and how long this call took.

    overhead: the share of this call's wall time in which nothing decoded, encoded or computed; None
    where several processes shared the work, whose clocks nobody adds up.
    undefined: all cells without a value by definition; those that `faceless` counts are among them.
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
    device: str = "cpu",
    workers: int = 1,
    notify: Notify = lambda _name, _record: None,
) -> Summary:
    """Makes and measures what is missing; the records are in the store when this returns.

    Killed anywhere and called again, it goes on, and ends with the records of an unkilled run.
    """
    start = time.perf_counter()
    clock = Clock()
    worker = CaseWorker(plan, store.folder, device, clock)  # before any work, for it may refuse
    created = _created(store.folder)

    def describe(marks: dict[str, dict[str, list[str]]]) -> None:
        store.manifest(
            describe_run(
                plan, created=created, device=device, marks=marks, mouths=_mouths(plan, store)
            )
        )

    if missing.tasks:
        describe({})  # so that the records of a killed run can be read

    def keep(records: Iterator[Written]) -> None:
        # Closed at once where it is broken off: later, at the interpreter's end, workers are
        # waited for.
        with contextlib.closing(records):  # type: ignore[type-var]
            for name, record in records:
                store.append(name, record)
                notify(name, record)

    keep(_cells(plan, store, missing.tasks, device, workers, clock))
    keep(worker.work(_damaged(plan, store, retry=missing.retry)))
    keep(_sets(plan, store, worker, retry=missing.retry))
    with clock.busy():
        marks = {data.name: marks_of(data.clips) for data in plan.datasets}
    describe(marks)
    shutil.rmtree(store.folder / "work", ignore_errors=True)
    seconds = time.perf_counter() - start
    overhead = max(0.0, 1 - clock.busy_seconds / seconds)
    return _summary(plan, store, seconds, None if _is_shared(workers, missing.tasks) else overhead)


def _is_shared(workers: int, tasks: Sequence[Task]) -> bool:
    """Whether several processes do the work."""
    return workers > 1 and len(tasks) > 1


def _cells(
    plan: Plan, store: Store, tasks: Sequence[Task], device: str, workers: int, clock: Clock
) -> Iterator[Written]:
    """All records of the clip cells, from this process or from several."""
    if not _is_shared(workers, tasks):
        yield from CaseWorker(plan, store.folder, device, clock).work(tasks)
        return
    arguments = (plan.loaded.path, store.folder, device, workers)
    with WorkerPool(workers, prepare=_start, arguments=arguments) as pool, clock.busy():
        futures = [pool.submit(_work, task) for task in tasks]
        try:
            for future in as_completed(futures):
                yield from future.result()
        except BrokenProcessPool as error:
            raise BenchError(
                f"{store.folder}: a worker process died; most often memory is short, or a plugin "
                "crashed. What was recorded is kept: run the same command again, with --workers 1 "
                "if it happens again."
            ) from error


_worker: CaseWorker | None = None  # a worker process's own; never set in the driver


def _start(config: Path, folder: Path, device: str, workers: int) -> None:
    import torch

    global _worker
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // workers))
    _worker = CaseWorker(make_plan(load_config(config)), folder, device, Clock())


def _work(task: Task) -> list[Written]:
    assert _worker is not None
    return list(_worker.work([task]))


def _damaged(plan: Plan, store: Store, *, retry: bool) -> list[Task]:
    """What a set metric is about to read, and whose bytes are no more those of its record."""
    generate: dict[PlannedCase, list[str]] = {}
    for metric in plan.set_metrics:
        for method, group in _groups(plan, store, metric):
            if not _lacks(store, _set_key(metric, group), retry=retry):
                continue
            for planned, known in group:
                labels = generate.setdefault(planned, [])
                if method not in labels and not is_intact(store.folder / known.video, known.sha256):
                    labels.append(method)
    places = {planned: index for index, planned in enumerate(plan.cases)}
    return [
        Task(places[planned], tuple(labels), {one: plan.measured(planned) for one in labels}, {})
        for planned, labels in generate.items()
        if labels
    ]


def _set_key(metric: PlannedMetric, group: Sequence[tuple[PlannedCase, Made]]) -> str:
    digests = set_digest(made.sha256 for _, made in group)
    references = set_digest(made.reference_sha256 or "" for _, made in group)
    return measurement_key(metric, digests, references, [planned for planned, _ in group])


def _lacks(store: Store, key: str, *, retry: bool) -> bool:
    known = store.measurements.get(key)
    return known is None or (retry and known == "failed")


def _sets(plan: Plan, store: Store, worker: CaseWorker, *, retry: bool) -> Iterator[Written]:
    """The missing records of set metrics: one for each data set, kind of case and method."""
    lacking: dict[str, PlannedSet] = {}
    for metric in plan.set_metrics:
        for _, group in _groups(plan, store, metric):
            key = _set_key(metric, group)
            if _lacks(store, key, retry=retry):
                lacking.setdefault(key, PlannedSet(metric, key, tuple(group)))
    yield from measure_sets(worker, list(lacking.values()))


def _groups(
    plan: Plan, store: Store, metric: PlannedMetric
) -> Iterator[tuple[str, list[tuple[PlannedCase, Made]]]]:
    """By method, the finished videos of one kind of case in one data set."""
    groups: dict[tuple[str, str, str], list[tuple[PlannedCase, Made]]] = {}
    for planned in plan.cases:
        if not metric.measures(planned.case):
            continue
        for method in plan.answers(planned.case):
            known = store.generations.get(generation_key(method, planned))
            if known is not None and known.status == "ok":
                where = (planned.case.dataset, planned.case.kind, method.label)
                groups.setdefault(where, []).append((planned, known))
    for (_, _, method_label), group in groups.items():
        yield method_label, group


def _summary(plan: Plan, store: Store, seconds: float, overhead: float | None) -> Summary:
    count: Counter[str] = Counter()
    asked: Counter[tuple[str, str]] = Counter()
    faceless: Counter[tuple[str, str]] = Counter()
    for planned in plan.cases:
        metrics = [metric for metric in plan.clip_metrics if metric.measures(planned.case)]
        for method in plan.answers(planned.case):
            known = store.generations.get(generation_key(method, planned))
            count[known.status if known else "missing"] += 1
            for metric in metrics:
                if known is None or known.status != "ok":
                    count["failed" if known else "missing"] += 1
                    continue
                key = measurement_key(metric, known.sha256, known.reference_sha256, [planned])
                count[store.measurements.get(key, "missing")] += 1
                asked[method.label, metric.label] += 1
                faceless[method.label, metric.label] += key in store.faceless
    for metric in plan.set_metrics:
        for _, group in _groups(plan, store, metric):
            count[store.measurements.get(_set_key(metric, group), "missing")] += 1
    return Summary(
        count["ok"],
        count["undefined"],
        count["failed"],
        count["missing"],
        seconds,
        overhead,
        tuple(Faceless(*pair, videos, asked[pair]) for pair, videos in faceless.items() if videos),
    )


def _mouths(plan: Plan, store: Store) -> dict[str, Made]:
    """By case key, one video of the case: where the mouth is, for the report's pictures."""
    found: dict[str, Made] = {}
    for planned in plan.cases:
        for method in plan.answers(planned.case):
            known = store.generations.get(generation_key(method, planned))
            if known is not None and known.status == "ok" and known.mouth is not None:
                found[planned.key] = known
                break
    return found


def _created(folder: Path) -> str:
    """When the run folder was first written, so that going on with it does not change that."""
    path = folder / "manifest.json"
    if not path.exists():
        return now()
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["created"])
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise BenchError(
            f"{path}: is no run manifest ({error}). Move it away, or choose another --output."
        ) from error
