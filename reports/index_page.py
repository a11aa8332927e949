"""The report's first page: what is compared, on what, how sure, where to look next, the tables."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from markupsafe import Markup

from bench.stats import Interval, mean_interval
from reports import plots
from reports.case_page import CaseLink, mean_curve, shift_series
from reports.comparison import Block, Table
from reports.leakfree import Pairing
from reports.pictures import Evidence
from reports.published_numbers import PublishedTable
from reports.records import MethodPart, MetricPart
from reports.results import Column, Dataset, Results, Row
from reports.text import fixed, percent
from reports.validity import Validity
from reports.words import Words

FEW_SPEAKERS = 5  # below, an interval over speakers is a rough guess
WORST = 3  # cases shown at most for each method and column
CARDS = 24  # cases shown in all, about


@dataclass(frozen=True)
class Banner:
    """A sentence that must be read first. kind: danger, warning, good or info."""

    kind: str
    text: str


@dataclass(frozen=True)
class Line:
    """One line of a panel, with a link where it leads somewhere."""

    text: str
    href: str = ""


@dataclass(frozen=True)
class Panel:
    """One of the four answers at the top."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class ValidityView:
    """Whether a scorer works, as a sentence."""

    works: bool | None
    text: str


@dataclass(frozen=True)
class TableView:
    """One measured table with everything that stands around it.

    void: data set and protocol of every scorer that does not work there; its columns prove nothing.
    """

    anchor: str
    number: int
    title: str
    caption: str
    part_kind: str
    table: Table
    validities: tuple[ValidityView, ...]
    notes: tuple[str, ...]
    protocols: tuple[tuple[str, str], ...]
    files: tuple[str, ...]
    published: PublishedTable | None
    published_caption: str
    pairings: tuple[tuple[str, tuple[Pairing, ...]], ...]
    rank_verdict: str
    rank_moves: tuple[str, ...]
    void: frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Question:
    """A question and the plots that answer it."""

    title: str
    about: str
    plots: tuple[plots.Drawing, ...]


@dataclass(frozen=True)
class Card:
    """A case worth looking at."""

    file: str
    strip: str
    method: str
    heading: str
    value: str
    dataset: str
    case: str


@dataclass(frozen=True)
class Failure:
    """A cell that failed, with what is known of it."""

    what: str
    dataset: str
    case: str
    file: str
    reason: str
    traceback: str


@dataclass(frozen=True)
class UndefinedLine:
    """How many cells have no value by definition, and why."""

    dataset: str
    method: str
    metric: str
    reason: str
    count: int


@dataclass(frozen=True)
class CaseGroup:
    """The cases of one kind of one data set."""

    dataset: str
    kind: str
    links: tuple[CaseLink, ...]


@dataclass(frozen=True)
class FacesLine:
    """How often a method's videos show no face that the detector finds."""

    method: str
    share: str
    clips: str


@dataclass(frozen=True)
class DataView:
    """A data set's account: size, doctor's marks, frames without a face."""

    title: str
    text: str
    marks_text: str
    marks: tuple[tuple[str, tuple[str, ...]], ...]
    faces: tuple[FacesLine, ...]


@dataclass(frozen=True)
class MethodLine:
    """A method's provenance."""

    part: MethodPart
    options: str
    seconds: str
    conformed: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class RunView:
    """A run's provenance."""

    name: str
    facts: tuple[tuple[str, str], ...]
    methods: tuple[MethodLine, ...]
    metrics: tuple[MetricPart, ...]
    config: str
    versions: str


@dataclass(frozen=True)
class Gaps:
    """All cells without a value, gathered once."""

    failures: tuple[Failure, ...]
    undefined: tuple[UndefinedLine, ...]
    missing: int
    planned: int


@dataclass(frozen=True)
class IndexView:
    """Everything that index.html shows."""

    title: str
    banners: tuple[Banner, ...]
    glance: tuple[Panel, ...]
    sections: tuple[str, ...]
    tables: tuple[TableView, ...]
    legend: tuple[tuple[int, Row], ...]
    questions: tuple[Question, ...]
    worst: tuple[Card, ...]
    failures: tuple[Failure, ...]
    undefined: tuple[UndefinedLine, ...]
    strips_note: str
    case_groups: tuple[CaseGroup, ...]
    data: tuple[DataView, ...]
    provenance: tuple[RunView, ...]
    how: tuple[str, ...]


def title_of(results: Results) -> str:
    """The report's title: the run's own, or all runs' names."""
    titles = dict.fromkeys(run.manifest.title or run.manifest.name for run in results.runs)
    return " · ".join(titles)


def stand_in_text(dataset: Dataset, words: Words) -> str:
    """The sentence that must stand above numbers made on a stand-in."""
    return words("stand_in", stand_in=dataset.info.stand_in, name=dataset.name)


def table_caption(table: Table, words: Words) -> str:
    """What a measured table shows, on what."""
    names = ", ".join(block.dataset.name for block in table.blocks)
    return words(f"caption_{table.part.kind}", data=names)


def table_notes(table: Table, words: Words) -> list[str]:
    """The footnotes: how to read a cell, whom the marks compare, which cases were left out."""
    notes = [words("note_cell")]
    if len(table.competitors) < 2:
        notes.append(words("note_nothing_ranked", n=len(table.competitors)))
    else:
        notes.append(words("note_marks"))
    if table.reference is None:
        notes.append(words("note_no_reference"))
    else:
        notes.append(words("note_reference", reference=table.reference))
    entries = [
        entry
        for block in table.blocks
        for one in block.columns
        for entry in one.standing.entries.values()
    ]
    if any(entry.is_above_truth for entry in entries):
        notes.append(words("note_above_truth"))
    if any(entry.is_apart for entry in entries):
        notes.append(words("note_apart"))
    for block in table.blocks:
        notes += _left_out(block, words)
        if any(one.is_evidence for one in block.columns):
            notes.append(words("note_evidence"))
    states = {entry.state for entry in entries}
    notes += [words(f"note_{one}") for one in ("undefined", "failed", "missing") if one in states]
    short = words("undefined_short")
    notes += [words("note_reason", short=short, reason=one) for one in _undefined_reasons(table)]
    return list(dict.fromkeys(notes))


def view_table(
    table: Table,
    number: int,
    words: Words,
    *,
    validities: Sequence[Validity],
    pairings: Sequence[Pairing],
    published: PublishedTable | None,
    files: Sequence[str],
) -> TableView:
    """A measured table with its validity, notes, protocols, leak-free and published numbers."""
    metrics = {one.column.metric for block in table.blocks for one in block.columns}
    protocols = dict.fromkeys(
        (f"{block.dataset.name} · {one.column.metric}", one.column.protocol)
        for block in table.blocks
        for one in block.columns
    )
    kinds = [
        (kind, tuple(one for one in pairings if one.kind == kind)) for kind in ("cross", "gain")
    ]
    data = ""
    if published is not None:
        data = ", ".join(
            words("published_data", published=name.upper(), measured=published.measured[name])
            for name in published.data
        )
    return TableView(
        anchor=f"table-{number}",
        number=number,
        title=table_title(table, number, words),
        caption=table_caption(table, words),
        part_kind=table.part.kind,
        table=table,
        validities=tuple(
            _validity_view(one, words)
            for one in validities
            if one.metric in metrics and (number == 1 or one.works is not True)
        ),
        notes=tuple(table_notes(table, words)),
        protocols=tuple(protocols),
        files=tuple(files),
        published=published if published is not None and published.data else None,
        published_caption=words("published_caption", data=data),
        pairings=tuple((kind, found) for kind, found in kinds if found),
        rank_verdict=_rank_verdict(table, pairings, words),
        rank_moves=tuple(_rank_moves(table, pairings, words)),
        void=frozenset(
            (one.dataset.name, one.protocol) for one in validities if one.works is False
        ),
    )


def table_title(table: Table, number: int, words: Words) -> str:
    """`Table 1. Comparison`, or the config's own title."""
    name = table.part.title or words(f"table_{table.part.kind}")
    return words("table_title", number=number, name=name)


def gather_gaps(results: Results, links: Sequence[CaseLink]) -> Gaps:
    """Every cell without a value: failures one by one, undefined ones counted by reason."""
    failures: list[Failure] = []
    undefined: Counter[tuple[str, str, str, str]] = Counter()
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
            has_failed = False
            for column in metrics[link.dataset.name]:
                cell = results.cell(link.dataset, row.label, link.case, column)
                if cell is None:
                    continue
                planned += 1
                missing += cell.state == "missing"
                if cell.state == "undefined":
                    undefined[title, row.label, column.metric, cell.reason] += 1
                if cell.state != "failed" or (cell.stage == "method" and has_failed):
                    continue
                has_failed = has_failed or cell.stage == "method"
                what = row.label if cell.stage == "method" else f"{column.metric} ({row.label})"
                failures.append(
                    Failure(what, title, link.case.id, link.file, cell.reason, cell.traceback)
                )
    lines = tuple(UndefinedLine(*key, count) for key, count in undefined.items())
    return Gaps(tuple(failures), lines, missing, planned)


def banners(
    results: Results, validities: Sequence[Validity], gaps: Gaps, words: Words
) -> tuple[Banner, ...]:
    """What must be known before any number is read."""
    found = [
        Banner("warning", stand_in_text(dataset, words))
        for dataset in results.datasets
        if dataset.info.stand_in
    ]
    found += [
        Banner("danger", words("scorer_fails", data=one.dataset.name, metric=one.metric))
        for one in validities
        if one.works is False
    ]
    if gaps.missing:
        found.append(Banner("info", words("missing_cells", n=gaps.missing, planned=gaps.planned)))
    return tuple(found)


def glance(
    results: Results,
    tables: Sequence[TableView],
    validities: Sequence[Validity],
    gaps: Gaps,
    worst: Sequence[Card],
    words: Words,
) -> tuple[Panel, ...]:
    """The four answers of the first screen."""
    competitors = [row.label for row in results.rows if not row.control]
    controls = [row.label for row in results.rows if row.control]
    compared = [Line(", ".join(competitors) if competitors else words("only_controls"))]
    if controls:
        compared.append(Line(words("glance_controls", names=", ".join(controls))))
    compared += [line for table in tables for line in _leaders(table, words)]
    data = [Line(_size(dataset, words)) for dataset in results.datasets]
    sure = [Line(_validity_short(one, words), "#table-1") for one in validities]
    sure += [Line(words("glance_interval"))]
    sure += [
        Line(words("few_speakers", data=dataset.name, n=_speaker_count(dataset)))
        for dataset in results.datasets
        if _speaker_count(dataset) < FEW_SPEAKERS
    ]
    failed = words("glance_failed", n=len(gaps.failures)) if gaps.failures else words("none_failed")
    sure.append(Line(failed, "#failures"))
    next_lines = [
        Line(words("glance_leakfree"), f"#{table.anchor}-leakfree")
        for table in tables
        if table.pairings
    ]
    if worst:
        card = worst[0]
        text = words("glance_worst", method=card.method, heading=card.heading, value=card.value)
        next_lines += [Line(text, f"cases/{card.file}")]
    next_lines += [Line(words("glance_gallery"), "#worst"), Line(words("glance_cases"), "#cases")]
    return (
        Panel(words("glance_compared"), tuple(compared)),
        Panel(words("glance_data"), tuple(data)),
        Panel(words("glance_sure"), tuple(sure)),
        Panel(words("glance_next"), tuple(next_lines)),
    )


def find_worst(
    results: Results,
    tables: Sequence[Table],
    links: Mapping[tuple[str, str], CaseLink],
    evidence: Mapping[tuple[str, str], Evidence],
) -> tuple[Card, ...]:
    """The worst cases of each competitor and ranked column; of the truth where none competes."""
    cards: dict[tuple[str, str, str], Card] = {}
    for dataset, label, column, case, value in worst_cells(results, tables):
        link = links[dataset.name, case]
        taken = evidence.get((link.case.key, label))
        card = Card(
            file=link.file,
            strip=taken.strip if taken else "",
            method=label,
            heading=column.output.heading,
            value=fixed(value),
            dataset=dataset.name,
            case=case,
        )
        cards.setdefault((dataset.name, label, case), card)
    return tuple(cards.values())


def worst_cells(
    results: Results, tables: Sequence[Table]
) -> list[tuple[Dataset, str, Column, str, float]]:
    """Data set, method, column, case and value of the worst cells of the first table."""
    found: list[tuple[Dataset, str, Column, str, float]] = []
    for table in tables[:1]:
        labels = table.competitors or tuple(row.label for row in table.rows if row.name == "truth")
        ranked = sum(not one.is_evidence for block in table.blocks for one in block.columns)
        most = min(WORST, max(1, CARDS // max(1, len(labels) * ranked)))
        for block in table.blocks:
            for one in block.columns:
                better = one.column.output.better
                if one.is_evidence or one.column.is_set or better == "none":
                    continue
                for label in labels:
                    values = results.scores(
                        block.dataset, label, one.column, kind="reconstruct"
                    ).values
                    order = sorted(values, key=lambda case: (values[case], case))
                    bad = order[:most] if better == "higher" else order[::-1][:most]
                    found += [
                        (block.dataset, label, one.column, case, values[case]) for case in bad
                    ]
    return found


def ask(results: Results, tables: Sequence[Table], words: Words) -> tuple[Question, ...]:
    """The questions that plots answer: spread, differences, sync over shift, sync and quality."""
    if not tables:
        return ()
    table = tables[0]
    colours = {row.label: colour for colour, row in enumerate(results.rows)}
    spread: list[plots.Drawing] = []
    differences: list[plots.Drawing] = []
    shift: list[plots.Drawing] = []
    trade: list[plots.Drawing] = []
    for block in table.blocks:
        title = block.dataset.name
        for one in block.columns:
            if one.is_evidence or one.column.is_set:
                continue
            caption = f"{title} · {one.column.output.heading}"
            groups = _groups(results, table, block.dataset, one.column, colours)
            drawn = plots.distribution(
                f"{words('plot_spread')}: {caption}",
                words("plot_spread_about"),
                axis(one.column),
                groups,
            )
            _add(spread, caption, drawn)
            bars = [
                plots.Bar(label, colours[label], entry.difference, entry.is_significant)
                for label, entry in one.standing.entries.items()
                if entry.difference is not None
            ]
            drawn = plots.forest(
                f"{words('plot_differences')}: {caption}",
                words("plot_differences_about"),
                axis(one.column),
                bars,
            )
            _add(differences, caption, drawn)
        _add(shift, title, _shift_plot(results, table, block.dataset, colours, words))
        _add(trade, title, _trade_plot(table, block.dataset, colours, words))
    reference = table.reference or ""
    asked = [
        (words("plot_spread"), words("plot_spread_about"), spread),
        (
            words("plot_differences"),
            words("plot_differences_about") + " " + words("plot_against", reference=reference),
            differences,
        ),
        (words("plot_shift"), words("plot_shift_mean_about"), shift),
        (words("plot_trade"), words("plot_trade_about"), trade),
    ]
    return tuple(Question(title, about, tuple(drawn)) for title, about, drawn in asked if drawn)


def axis(column: Column) -> str:
    """A column's axis title with its unit."""
    return (
        f"{column.output.heading} ({column.output.unit})"
        if column.output.unit
        else (column.output.heading)
    )


def view_data(results: Results, words: Words) -> tuple[DataView, ...]:
    """What is known of the data itself."""
    views: list[DataView] = []
    for dataset in results.datasets:
        marks = {clip: tuple(found) for clip, found in dataset.info.marks.items() if found}
        views.append(
            DataView(
                title=dataset.info.title or dataset.name,
                text=_size(dataset, words),
                marks_text=words("marks", n=len(marks), clips=dataset.info.clips),
                marks=tuple(sorted(marks.items())),
                faces=tuple(_faces(results, dataset)),
            )
        )
    return tuple(views)


def view_runs(results: Results, words: Words) -> tuple[RunView, ...]:
    """Each run's provenance."""
    views: list[RunView] = []
    for run in results.runs:
        manifest = run.manifest
        dirty = words("dirty") if manifest.git.get("dirty") else ""
        facts = (
            (words("created"), manifest.created),
            (words("config"), manifest.config_path),
            (words("seed"), str(manifest.seed)),
            (words("git"), f"{manifest.git.get('commit') or '–'} {dirty}".strip()),
            (words("hardware"), _short(manifest.hardware)),
            (words("faces"), manifest.faces),
        )
        methods: list[MethodLine] = []
        for method in manifest.methods:
            records = [r for (key, _), r in run.generations.items() if key == method.key]
            seconds = [r.seconds for r in records if r.status == "ok" and r.seconds is not None]
            notes = Counter(note for record in records for note in record.conformed)
            methods.append(
                MethodLine(
                    method,
                    _short(method.options),
                    f"{median(seconds):.2f}" if seconds else "–",
                    tuple(sorted(notes.items())),
                )
            )
        views.append(
            RunView(
                manifest.name,
                tuple((name, value) for name, value in facts if value),
                tuple(methods),
                manifest.metrics,
                json.dumps(manifest.config, indent=2, sort_keys=True, ensure_ascii=False),
                json.dumps(manifest.versions, indent=2, sort_keys=True, ensure_ascii=False),
            )
        )
    return tuple(views)


def group_cases(links: Sequence[CaseLink]) -> tuple[CaseGroup, ...]:
    """The case pages by data set and kind."""
    groups: dict[tuple[str, str], list[CaseLink]] = {}
    for link in links:
        groups.setdefault((link.dataset.name, link.case.kind), []).append(link)
    return tuple(CaseGroup(name, kind, tuple(found)) for (name, kind), found in groups.items())


def _left_out(block: Block, words: Words) -> list[str]:
    """Which columns were compared on fewer cases, and who lacks them."""
    gathered: dict[tuple[int, int, str], list[str]] = {}
    for one in block.columns:
        standing = one.standing
        if one.is_evidence or not standing.left_out:
            continue
        lacking = ", ".join(
            f"{label} {entry.n_planned - entry.n_scored}"
            for label, entry in standing.entries.items()
            if entry.state == "value" and not entry.is_apart and entry.n_scored < entry.n_planned
        )
        key = (standing.compared, standing.left_out, lacking)
        gathered.setdefault(key, []).append(one.column.output.heading)
    return [
        words(
            "note_left_out",
            data=block.dataset.name,
            columns=", ".join(columns),
            n=compared,
            left_out=left_out,
            lacking=lacking,
        )
        for (compared, left_out, lacking), columns in gathered.items()
    ]


def _undefined_reasons(table: Table) -> list[str]:
    return list(
        dict.fromkeys(
            reason
            for block in table.blocks
            for one in block.columns
            for entry in one.standing.entries.values()
            if entry.state == "undefined"
            for reason, _ in entry.reasons
        )
    )


def _validity_view(one: Validity, words: Words) -> ValidityView:
    data = one.dataset.name
    if one.within_one is None or one.above_mismatched is None:
        return ValidityView(None, words("validity_unknown", data=data, metric=one.metric))
    still = ""
    if one.above_still is not None:
        still = words("validity_still", share=_share(one.above_still))
    text = words(
        "validity_shares",
        data=data,
        metric=one.metric,
        within=_share(one.within_one),
        above=_share(one.above_mismatched),
        still=still,
    )
    verdict = words("validity_works" if one.works else "scorer_fails", data=data, metric=one.metric)
    return ValidityView(one.works, f"{verdict} {text}")


def _validity_short(one: Validity, words: Words) -> str:
    data = one.dataset.name
    key = {True: "validity_works", False: "validity_fails_short", None: "validity_unknown"}
    return words(key[one.works], data=data, metric=one.metric)


def _share(interval: Interval) -> str:
    ends = ""
    if interval.low is not None and interval.high is not None:
        ends = f", 95 %: {percent(interval.low)} – {percent(interval.high)}"
    return f"{percent(interval.mean)} (n = {interval.n}{ends})"


def _rank_verdict(table: Table, pairings: Sequence[Pairing], words: Words) -> str:
    if not pairings:
        return ""
    if len(table.competitors) < 2:
        return words("ranks_none")
    moved = _rank_moves(table, pairings, words)
    return words("ranks_change", n=len(moved)) if moved else words("ranks_same")


def _rank_moves(table: Table, pairings: Sequence[Pairing], words: Words) -> list[str]:
    return [
        words(
            "rank_moved",
            method=label,
            column=one.column.output.heading,
            data=one.dataset.name,
            before=one.official.entries[label].rank,
            after=one.standing.entries[label].rank,
        )
        for one in pairings
        for label in table.competitors
        if one.change(label)
    ]


def _leaders(table: TableView, words: Words) -> list[Line]:
    """Who leads in each column of the first block, in the table's own words."""
    if len(table.table.competitors) < 2 or not table.table.blocks:
        return []
    lines: list[Line] = []
    for block in table.table.blocks:
        won: dict[str, list[str]] = {}
        for one in block.columns:
            if (block.dataset.name, one.column.protocol) in table.void:
                continue
            for label, entry in one.standing.entries.items():
                if entry.mark == "best":
                    won.setdefault(label, []).append(one.column.output.heading)
        text = "; ".join(
            words("glance_best", method=label, columns=", ".join(columns))
            for label, columns in won.items()
        )
        prefix = words("glance_table", number=table.number, data=block.dataset.name)
        lines.append(Line(f"{prefix} {text or words('glance_no_best')}", f"#{table.anchor}"))
    return lines


def _size(dataset: Dataset, words: Words) -> str:
    kinds = Counter(case.kind for case in dataset.cases)
    counts = ", ".join(f"{n} {words('kind_' + kind)}" for kind, n in kinds.items())
    return words(
        "size",
        data=dataset.name,
        clips=dataset.info.clips,
        speakers=_speaker_count(dataset),
        cases=counts,
    )


def _speaker_count(dataset: Dataset) -> int:
    return len({case.speaker for case in dataset.cases})


def _groups(
    results: Results, table: Table, dataset: Dataset, column: Column, colours: Mapping[str, int]
) -> list[plots.Group]:
    speakers = dataset.speakers
    groups: list[plots.Group] = []
    for row in table.rows:
        values = results.scores(dataset, row.label, column, kind="reconstruct").values
        if not values:
            continue
        interval = mean_interval(
            list(values.values()), [speakers[case] for case in values], seed=results.seed
        )
        groups.append(plots.Group(row.label, colours[row.label], tuple(values.values()), interval))
    return groups


def _shift_plot(
    results: Results,
    table: Table,
    dataset: Dataset,
    colours: Mapping[str, int],
    words: Words,
) -> Markup:
    column = next((c for c in results.columns(dataset) if c.output.name == "lse_d"), None)
    if column is None:
        return Markup("")
    series: list[plots.Series] = []
    for row in table.rows:
        cells = [
            results.cell(dataset, row.label, case, column)
            for case in dataset.of_kind("reconstruct")
        ]
        curves = [cell.curves["distances"] for cell in cells if cell and "distances" in cell.curves]
        mean = mean_curve(curves)
        if mean is not None:
            series.append(shift_series(row.label, colours[row.label], mean))
    return plots.lines(
        words("plot_shift"),
        words("plot_shift_mean_about"),
        words("axis_offset"),
        words("axis_distance"),
        series,
        mark_x=0.0,
        height=270,
    )


def _trade_plot(table: Table, dataset: Dataset, colours: Mapping[str, int], words: Words) -> Markup:
    """Synchronisation against picture quality: LSE-C against the first picture column."""
    block = next(block for block in table.blocks if block.dataset is dataset)
    sync = next((c for c in block.columns if c.column.output.name == "lse_c"), None)
    picture = next((c for c in reversed(block.columns) if c.column.reads_reference), None)
    if sync is None or picture is None:
        return Markup("")
    points: list[plots.Point] = []
    for label, entry in sync.standing.entries.items():
        other = picture.standing.entries[label]
        if entry.interval is not None and other.interval is not None:
            points.append(plots.Point(label, colours[label], other.interval, entry.interval))
    return plots.scatter(
        words("plot_trade"),
        words("plot_trade_about"),
        axis(picture.column),
        axis(sync.column),
        points,
    )


def _add(drawings: list[plots.Drawing], caption: str, drawing: Markup) -> None:
    if drawing:
        drawings.append(plots.Drawing(caption, drawing))


def _faces(results: Results, dataset: Dataset) -> list[FacesLine]:
    lines: list[FacesLine] = []
    columns = list({c.metric: c for c in results.columns(dataset) if not c.is_set}.values())
    for row in results.rows:
        shares: list[float] = []
        for case in dataset.cases:
            cells = [results.cell(dataset, row.label, case, column) for column in columns]
            known = [c.faces_missing for c in cells if c and c.faces_missing is not None]
            if known:
                shares.append(max(known))
        if shares:
            hit = sum(share > 0 for share in shares)
            mean = sum(shares) / len(shares)
            lines.append(FacesLine(row.label, percent(mean), f"{hit} / {len(shares)}"))
    return lines


def _short(value: object) -> str:
    """A small mapping on one line."""
    if isinstance(value, Mapping):
        parts = [f"{k}: {v}" for k, v in sorted(value.items()) if v not in (None, "", {}, [])]
        return ", ".join(parts)
    return str(value)
