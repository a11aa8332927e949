"""Orders a run's tasks so that no worker needs more models at once than its memory holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from bench.run.planned import PlannedMethod, Task


def fitting(tasks: Sequence[Task], memory: int | None) -> Sequence[Task]:
    """The tasks as they are where all methods' models fit in together, else split by methods.

    memory: bytes that a worker has for models; None means that nobody knows.
    The methods that fit in together, beside the metrics, are asked about all cases before the next
    ones are loaded. One that does not fit in at all is asked alone.
    """
    if memory is None or not tasks:
        return tasks
    settings = tasks[0].settings
    metrics = sum(metric.needs.memory for metric in settings.metrics.values())
    groups = _groups(list(settings.methods.values()), memory - metrics)
    if len(groups) < 2:
        return tasks
    parts = (_part(task, group) for group in groups for task in tasks)
    return [part for part in parts if part.generate or part.measure]


def _groups(methods: Sequence[PlannedMethod], memory: int) -> list[frozenset[str]]:
    """The labels of methods that fit in together, in the config's order."""
    groups: list[list[PlannedMethod]] = []
    for method in methods:
        last = groups[-1] if groups else None
        held = sum(one.needs.memory for one in last or ())
        is_large = method.needs.memory and held + method.needs.memory > memory
        if last is None or is_large:
            groups.append([method])
        else:
            last.append(method)
    return [frozenset(method.label for method in group) for group in groups]


def _part(task: Task, labels: frozenset[str]) -> Task:
    """What of a task concerns these methods."""
    return dataclasses.replace(
        task,
        generate=tuple(label for label in task.generate if label in labels),
        measure={label: names for label, names in task.measure.items() if label in labels},
        made={label: made for label, made in task.made.items() if label in labels},
    )
