"""The first screen: warnings, what is compared, on what data, how sure, where to look next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reports.results import Results
from reports.sections.data import case_counts, size, speaker_count, warnings
from reports.sections.failures import Gaps
from reports.sections.study import StudyView
from reports.sections.tables import TableView, validity_verdict
from reports.sections.worst import Card
from reports.sections.worth import failing, worth_verdict
from reports.sheets import BELOW_FLOOR
from reports.validity import Validity
from reports.words import Words
from reports.worth import Worth

FEW_SPEAKERS = 5  # with fewer, an interval over speakers is rough


@dataclass(frozen=True)
class Banner:
    """A sentence to be read first. kind: danger, warning, good or info."""

    kind: str
    text: str


@dataclass(frozen=True)
class Line:
    """One line of a panel, with or without a link. kind: good, warning, danger or ""."""

    text: str
    href: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Panel:
    """One of the four panels of the first screen."""

    title: str
    lines: tuple[Line, ...]


def banners(
    results: Results,
    validities: Sequence[Validity],
    worths: Sequence[Worth],
    gaps: Gaps,
    words: Words,
) -> tuple[Banner, ...]:
    """The warnings to be read before any number."""
    found = [
        Banner("warning", text) for dataset in results.datasets for text in warnings(dataset, words)
    ]
    found += [
        Banner("danger", validity_verdict(one, words)) for one in validities if one.works is False
    ]
    found += [Banner("danger", worth_verdict(one, words)) for one in failing(worths)]
    found += [
        Banner("info", words("not_measured", metric=one.label, way=f"`{way}`"))
        for run in results.runs
        for one in run.manifest.not_measured
        for way in one.ways
    ]
    if gaps.missing:
        found.append(Banner("info", words("missing_cells", n=gaps.missing, planned=gaps.planned)))
    return tuple(found)


def glance(
    results: Results,
    *,
    tables: Sequence[TableView],
    studies: Sequence[StudyView],
    validities: Sequence[Validity],
    worths: Sequence[Worth],
    gaps: Gaps,
    worst: Sequence[Card],
    judges: str,
    words: Words,
) -> tuple[Panel, ...]:
    """The four panels of the first screen. judges: what their section says, in one line, or ""."""
    return (
        Panel(words("glance_compared"), tuple(_compared(results, tables, studies, words))),
        Panel(words("glance_data"), tuple(_data(results, tables, words))),
        Panel(
            words("glance_sure"),
            tuple(_sure(results, tables, studies, validities, worths, gaps, judges, words)),
        ),
        Panel(words("glance_next"), tuple(_next(results, tables, studies, worst, words))),
    )


def _compared(
    results: Results, tables: Sequence[TableView], studies: Sequence[StudyView], words: Words
) -> Iterable[Line]:
    methods = [row for row in results.rows if not row.control]
    controls = [row.shown for row in results.rows if row.control]
    if not methods:
        yield Line(words("only_controls"))
    for protocol in dict.fromkeys(row.protocol for row in methods):
        names = [row.shown for row in methods if row.protocol == protocol]
        key = "glance_methods_under" if protocol else "glance_methods"
        yield Line(words(key, n=len(names), names=words.listed(names), protocol=protocol))
    if controls:
        yield Line(words("glance_controls", names=words.listed(controls)))
    for table in tables:
        yield from _leaders(table, words)
    for study in studies:
        yield Line(study.leader, f"#{study.anchor}", "warning" if study.simulated else "")


def _leaders(view: TableView, words: Words) -> Iterable[Line]:
    """The leader of each column: the method on rank 1, if no other shares that rank."""
    if len(view.table.competitors) < 2:
        return
    for block in view.table.blocks:
        won: dict[str, list[str]] = {}
        is_ranked = False
        for one in block.columns:
            entries = one.standing.entries.items()
            is_ranked = is_ranked or any(entry.rank is not None for _, entry in entries)
            best = [(label, entry) for label, entry in entries if entry.mark == "best"]
            if len(best) == 1:
                ((label, entry),) = best
                sign = "\N{DAGGER}" if entry.is_above_truth else ""
                sign += BELOW_FLOOR if entry.is_below_floor else ""
                won.setdefault(label, []).append(one.column.title(words) + sign)
        text = words("sentence_separator").join(
            words("glance_best", method=view.table.shown(label), columns=words.listed(columns))
            for label, columns in won.items()
        )
        said = words(
            "glance_table",
            number=view.number,
            data=block.dataset.name,
            text=text or words("glance_no_best" if is_ranked else "glance_unranked"),
        )
        yield Line(said, f"#{view.anchor}")


def _data(results: Results, tables: Sequence[TableView], words: Words) -> Iterable[Line]:
    for dataset in results.datasets:
        title = dataset.info.title or dataset.name
        text = words("glance_data_of", title=words.translated(title), size=size(dataset, words))
        yield Line(text, "#data")
        yield Line(words("glance_cases_of", cases=case_counts(dataset, words)))
    for view in tables[:1]:
        names = dict.fromkeys(
            one.column.title(words)
            for block in view.table.blocks
            for one in block.columns
            if not one.is_evidence
        )
        text = words("glance_measured", names=words.listed(names))
        yield Line(text, f"#{view.anchor}-protocols")


def _sure(
    results: Results,
    tables: Sequence[TableView],
    studies: Sequence[StudyView],
    validities: Sequence[Validity],
    worths: Sequence[Worth],
    gaps: Gaps,
    judges: str,
    words: Words,
) -> Iterable[Line]:
    kinds = {True: "good", False: "danger", None: "warning"}
    for one in validities:
        text = words("validity_check", verdict=validity_verdict(one, words))
        yield Line(text, "#table-1", kinds[one.works])
    if judges:
        yield Line(judges, "#judges")
    if worths:
        failed = failing(worths)
        text = words("glance_worth", n=len({worth.column.name for worth in worths}))
        yield Line(text, "#worth")
        for worth in failed:
            yield Line(worth_verdict(worth, words), "#worth", "danger")
    yield from _flattered(tables, words)
    for view in tables:
        if view.leakfree is not None and view.leakfree.n_moves:
            text = words("glance_ranks", n=view.leakfree.n_moves, number=view.number)
            yield Line(text, f"#{view.leakfree.anchor}", "warning")
    for dataset in results.datasets:
        if speaker_count(dataset) < FEW_SPEAKERS:
            text = words("few_speakers", data=dataset.name, n=speaker_count(dataset))
            yield Line(text, kind="warning")
    for (data, method), n in gaps.faceless.items():
        text = words("glance_faceless", n=n, method=results.shown(method), data=data)
        yield Line(text, "#data", "danger")
    for study in studies:
        if study.simulated:
            yield Line(words("glance_simulated", title=study.name), f"#{study.anchor}", "warning")
        elif study.pairs:
            named = {"number": study.number, "data": words("table_study")}
            text = words("glance_table", text=study.pairs_verdict, **named)
            yield Line(text, f"#{study.anchor}")
    if gaps.failures:
        yield Line(words("glance_failed", n=len(gaps.failures)), "#failures", "danger")
    else:
        yield Line(words("none_failed"), "#failures", "good")
    yield Line(words("glance_interval"), "#how")


def _flattered(tables: Sequence[TableView], words: Words) -> Iterable[Line]:
    """The methods above the real video, and in which columns."""
    for view in tables[:1]:
        above: dict[str, dict[str, None]] = {}
        for block in view.table.blocks:
            for one in block.columns:
                for label, entry in one.standing.entries.items():
                    if entry.is_above_truth and not one.is_evidence:
                        above.setdefault(label, {})[one.column.title(words)] = None
        for label, columns in above.items():
            name = view.table.shown(label)
            text = words("glance_above", method=name, columns=words.listed(columns))
            yield Line(text, f"#{view.anchor}", "warning")


def _next(
    results: Results,
    tables: Sequence[TableView],
    studies: Sequence[StudyView],
    worst: Sequence[Card],
    words: Words,
) -> Iterable[Line]:
    for view in tables:
        if view.leakfree is not None:
            yield Line(words("glance_leakfree", number=view.number), f"#{view.leakfree.anchor}")
    if any(dataset.of_kind("probe") for dataset in results.datasets):
        yield Line(words("plot_listening"), "#listening")
    for study in studies:
        yield Line(words("glance_study"), f"#{study.anchor}")
    yield Line(words("glance_plots"), "#plots")
    if worst and not worst[0].is_void:
        card = worst[0]
        text = words("glance_worst", method=card.method, heading=card.heading, value=card.value)
        yield Line(text, f"cases/{card.file}")
    yield Line(words("glance_gallery"), "#worst")
    yield Line(words("glance_cases"), "#cases")
