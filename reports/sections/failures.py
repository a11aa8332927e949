"""Every cell without a value: failures by cause, undefined cells by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.ground.types import CASE_KINDS, CaseKind
from bench.records.causes import cause, gist
from reports.case_page import CaseLink
from reports.results import Cell, Results

MOST_SHOWN = 40  # causes shown on the page; the records hold all failures
MOST_CASES = 20  # cases named per cause


@dataclass(frozen=True)
class Failure:
    """A failed cell. what: the method, or the metric and the method.

    case, file: its case and that case's page; for a set metric the kind of case and "".
    """

    what: str
    dataset: str
    case: str
    file: str
    reason: str
    traceback: str


@dataclass(frozen=True)
class Cause:
    """Failures whose reasons differ only in names and numbers.

    text, last_line: the first failure's reason, and the last line that its program printed, if any.
    """

    text: str
    last_line: str
    failures: tuple[Failure, ...]

    @property
    def example(self) -> Failure:
        """The first failure."""
        return self.failures[0]

    @property
    def whats(self) -> tuple[str, ...]:
        """What failed: methods, or metrics with the method measured."""
        return tuple(dict.fromkeys(failure.what for failure in self.failures))

    @property
    def cases(self) -> tuple[tuple[str, str, str], ...]:
        """Data set, name and page of every case, each once."""
        places = ((one.dataset, one.case, one.file) for one in self.failures)
        return tuple(dict.fromkeys(places))


@dataclass(frozen=True)
class UndefinedLine:
    """How many cells are undefined for one reason; is_faceless: no face was found."""

    dataset: str
    method: str
    metric: str
    reason: str
    is_faceless: bool
    count: int


@dataclass(frozen=True)
class Gaps:
    """All cells without a value.

    faceless: by data set and method, the number of cases without a face in any frame. missing,
    planned: the number of cells not run yet, and of all planned cells.
    """

    failures: tuple[Failure, ...]
    undefined: tuple[UndefinedLine, ...]
    faceless: Mapping[tuple[str, str], int]
    missing: int
    planned: int

    @property
    def causes(self) -> tuple[Cause, ...]:
        """The failures by cause, the most frequent first."""
        groups: dict[str, list[Failure]] = {}
        for failure in self.failures:
            groups.setdefault(cause(failure.reason, failure.case), []).append(failure)
        found = []
        for group in sorted(groups.values(), key=len, reverse=True):
            short = gist(group[0].reason)
            found.append(Cause(short.text, short.last_line, tuple(group)))
        return tuple(found)


def gather_gaps(results: Results, links: Sequence[CaseLink]) -> Gaps:
    """Every cell without a value, in the order of cases and methods."""
    failures: list[Failure] = []
    undefined: Counter[tuple[str, str, str, str, bool]] = Counter()
    faceless: Counter[tuple[str, str]] = Counter()
    missing = planned = 0
    metrics = {
        dataset.name: list(
            {(c.metric, c.protocol): c for c in results.columns(dataset) if not c.is_set}.values()
        )
        for dataset in results.datasets
    }
    for link in links:
        title = link.dataset.name
        for row in results.rows:
            has_failed = is_faceless = False
            for column in metrics[link.dataset.name]:
                cell = results.cell(link.dataset, row.label, link.case, column)
                if cell is None:
                    continue
                planned += 1
                missing += cell.state == "missing"
                is_faceless = is_faceless or cell.is_faceless
                if cell.state == "undefined":
                    key = (title, row.label, column.metric, cell.reason, cell.is_faceless)
                    undefined[key] += 1
                if cell.state != "failed" or (cell.stage == "method" and has_failed):
                    continue
                has_failed = has_failed or cell.stage == "method"
                name = results.shown(row.label)
                what = name if cell.stage == "method" else f"{column.metric} ({name})"
                failures.append(
                    Failure(what, title, link.case.id, link.file, cell.reason, cell.traceback)
                )
            if is_faceless:
                faceless[title, row.label] += 1
    for title, label, metric, kind, cell in _set_cells(results):
        if cell.state == "undefined":
            undefined[title, label, metric, cell.reason, False] += 1
        if cell.state == "failed":
            what = f"{metric} ({results.shown(label)})"
            failures.append(Failure(what, title, kind, "", cell.reason, cell.traceback))
    failures += _quiet_failures(results, links)
    lines = tuple(UndefinedLine(*key, count) for key, count in undefined.items())
    return Gaps(tuple(failures), lines, dict(faceless), missing, planned)


def _quiet_failures(results: Results, links: Sequence[CaseLink]) -> Iterator[Failure]:
    """What failed of the quiet controls, which have no row in any table."""
    files = {(link.dataset.name, link.case.id): link.file for link in links}
    for dataset in results.datasets:
        for what, case, record in results.quiet_failures(dataset):
            file = files.get((dataset.name, case), "")
            trace = record.traceback or ""
            yield Failure(what, dataset.name, case, file, record.reason or "", trace)


def _set_cells(results: Results) -> Iterator[tuple[str, str, str, CaseKind, Cell]]:
    """Data set, method, metric, kind of case and cell of every set metric."""
    for dataset in results.datasets:
        columns = {(c.metric, c.protocol): c for c in results.columns(dataset) if c.is_set}
        for column in columns.values():
            for row in results.rows:
                for kind in CASE_KINDS:
                    cell = results.set_cell(dataset, row.label, column, kind=kind)
                    yield dataset.name, row.label, column.metric, kind, cell
