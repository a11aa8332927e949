"""The state of a plan's preparations, and how many cells wait for each, for the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.files.paths import cache_dir
from bench.run.plan import Missing, Plan
from bench.run.prepared_folder import PreparedFolder

NOTHING = "no clip to learn from"
FAILED = "failed before"


@dataclass(frozen=True)
class PreparationState:
    """The preparation of one person for one method.

    clips: how many it learns from. state: in words. is_there: whether nothing is left to do.
    waiting: how many cells wait for it.
    """

    method: str
    dataset: str
    person: str
    clips: int
    state: str
    is_there: bool
    waiting: int

    def __str__(self) -> str:
        """A line for the terminal."""
        text = f"{self.method}: {self.dataset} · {self.person}: {self.state}"
        text += f", from {_counted(self.clips, 'clip')}" if self.clips else ""
        if not self.waiting:
            return text
        return f"{text}; {_counted(self.waiting, 'cell')} {self._fate}"

    @property
    def _fate(self) -> str:
        if self.state in (NOTHING, FAILED):
            return "will fail"
        if self.is_there:
            return "left to do"
        return "wait for it" if self.waiting > 1 else "waits for it"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def preparation_states(plan: Plan, missing: Missing, folder: Path) -> list[PreparationState]:
    """Each preparation of the plan, and each person without a clip to learn from."""
    return list(_states(plan, missing, folder))


def _states(plan: Plan, missing: Missing, folder: Path) -> Iterator[PreparationState]:
    waiting = Counter[tuple[str, str, str]]()
    for task in missing.tasks:
        case = task.planned.case
        for label in task.generate:
            cells = 1 + len(task.measure.get(label, ()))
            waiting[label, case.dataset, case.face.speaker] += cells
    asked = {task.key for task in missing.preparations}
    for method in plan.methods:
        if method.persons is None:
            continue
        known = {(one.dataset, one.name): len(one.clips) for one in plan.persons}
        put = [planned.case for planned in plan.cases if plan.puts(method, planned)]
        persons = dict.fromkeys((case.dataset, case.face.speaker) for case in put)
        for dataset, person in persons:  # clips without a speaker get a line, too
            clips = known.get((dataset, person), 0)
            key = method.persons.get((dataset, person))
            state, is_there = NOTHING, False
            if key is not None:
                state, is_there = _state(key, folder, is_asked=key in asked)
            cells = waiting[method.label, dataset, person]
            who = person or "(no speaker named)"
            yield PreparationState(method.label, dataset, who, clips, state, is_there, cells)


def _state(key: str, folder: Path, *, is_asked: bool) -> tuple[str, bool]:
    own = PreparedFolder(folder, key)
    if own.record() is not None:
        return "ready", True
    if PreparedFolder(cache_dir(), key).record() is not None:
        return "ready, from another run", True
    if own.path.exists():
        return ("started" if is_asked else FAILED), False
    return "missing", False
