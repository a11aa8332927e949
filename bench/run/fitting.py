"""Orders a run's tasks so that the models that a worker needs at once fit into its memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from bench.run.planned import PlannedMethod, Task


def fitting(tasks: Sequence[Task], memory: int | None) -> Sequence[Task]:
    """The tasks, unchanged if all methods' models fit into memory together, else split by methods.

    memory: bytes that a worker has for models; None if unknown.
    Methods that fit together, beside the metrics, go through all cases before the next ones are
    loaded. A method that does not fit even alone gets a group of its own.
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
    """The labels of methods that fit into memory together, in the config's order."""
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
    """The part of a task that concerns these methods."""
    return dataclasses.replace(
        task,
        generate=tuple(label for label in task.generate if label in labels),
        measure={label: names for label, names in task.measure.items() if label in labels},
        made={label: made for label, made in task.made.items() if label in labels},
    )
