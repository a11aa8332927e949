"""Metrics whose weights are not here: optional ones are left out, others stop a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bench.config.reader import raise_problems
from bench.features.computing import needed
from bench.files.weights import find, weight
from bench.ground.errors import BenchError
from bench.records.store import Store
from bench.run.plan import Missing, NotMeasured, Plan, find_missing
from bench.run.planned import PlannedMetric
from bench.run.runner import lacks_sets


@dataclass(frozen=True)
class _Absent:
    """Weights that are not here: their name, and what `find` says of them."""

    name: str
    said: str


def measurable(plan: Plan, store: Store, *, retry: bool = False) -> tuple[Plan, Missing]:
    """The plan without the optional metrics that cannot be measured, and what a store lacks of it.

    A metric whose values are all there needs no weights. Raises one BenchError that names all other
    metrics that cannot be measured, with the line of each and the way to get its weights.
    """
    missing = find_missing(plan, store, retry=retry)
    wanted = {label for task in missing.tasks for some in task.measure.values() for label in some}
    left_out: dict[str, list[_Absent]] = {}
    problems: list[tuple[str, str]] = []
    for index, metric in enumerate(plan.metrics):
        absent = list(_absent(plan, metric))
        if metric.is_set:
            is_wanted = missing.videos > 0 or lacks_sets(plan, store, metric, retry=retry)
        else:
            is_wanted = metric.label in wanted
        if not (absent and is_wanted):
            continue
        if plan.loaded.config.metrics[index].optional:
            left_out[metric.label] = absent
            continue
        said = "; ".join(one.said for one in absent)
        way = "Or write `optional: true`, and the run goes without this metric."
        problems.append((f"metrics[{index}]", f"metric '{metric.label}': {said}. {way}"))
    raise_problems(plan.loaded.path, problems, plan.loaded.lines)
    if not left_out:
        return plan, missing
    kept = tuple(metric for metric in plan.metrics if metric.label not in left_out)
    known = {name: one.plugin for name, one in plan.features.items()}
    reads = {name for metric in kept for name in metric.reads}
    reads |= {name for method in plan.methods for name in method.plugin.reads}
    read = {"faces", *needed(reads, known)}
    told = tuple(
        NotMeasured(
            metric.label, metric.title, metric.protocol, tuple(map(_way, left_out[metric.label]))
        )
        for metric in plan.metrics
        if metric.label in left_out
    )
    features = {name: one for name, one in plan.features.items() if name in read}
    less = replace(plan, metrics=kept, features=features, not_measured=told)
    return less, find_missing(less, store, retry=retry)


def _absent(plan: Plan, metric: PlannedMetric) -> Iterator[_Absent]:
    """The weights of a metric, and of the features that it reads, that are not here intact."""
    known = {name: one.plugin for name, one in plan.features.items()}
    names = [*metric.weights]
    for feature in needed(metric.reads, known):
        names += plan.features[feature].make().weights
    for name in dict.fromkeys(names):
        try:
            find(name)
        except BenchError as error:  # noqa: PERF203 (missing or damaged: the message says what to do)
            yield _Absent(name, str(error))


def _way(absent: _Absent) -> str:
    """How to get some weights, in a few words that are the same on every machine."""
    wanted = weight(absent.name)
    if wanted.urls:
        return f"bench weights pull {wanted.name}"
    return f"get {wanted.file} from {wanted.source}"
