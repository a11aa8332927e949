"""One measured table with its scorer checks, notes and published numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from bench.ground.stats import Interval
from reports.comparison import Block, Entry, Table
from reports.gains import TABLE as GAINS
from reports.gains import MeasuredGains, measured_gains
from reports.leakfree import Pairing
from reports.published_numbers import PublishedTable
from reports.results import Results
from reports.sections.data import warnings
from reports.sections.leakfree import LeakFreeView, view_leakfree
from reports.text import fixed, percent
from reports.validity import Validity
from reports.words import Words

REFERENCE_SCORER = "syncnet_v2"


@dataclass(frozen=True)
class ValidityView:
    """Whether a scorer works, as a sentence."""

    works: bool | None
    text: str


@dataclass(frozen=True)
class TableView:
    """One measured table with its scorer checks, notes and published numbers.

    compared: by data set, a text on how many cases are compared. scale: why measured and published
    numbers are not comparable, or "". gains: measured ones; None: the published numbers are none.
    """

    anchor: str
    number: int
    title: str
    caption: str
    part_kind: str
    table: Table
    compared: dict[str, str]
    validities: tuple[ValidityView, ...]
    notes: tuple[str, ...]
    protocols: tuple[tuple[str, str], ...]
    files: tuple[str, ...]
    published: PublishedTable | None
    published_caption: str
    gains: tuple[MeasuredGains, ...] | None
    scale: str
    leakfree: LeakFreeView | None


def view_table(
    table: Table,
    number: int,
    words: Words,
    *,
    validities: Sequence[Validity],
    pairings: Sequence[Pairing],
    published: PublishedTable | None,
    files: Sequence[str],
    absent: Sequence[str] = (),
    said: Collection[str] = (),
) -> TableView:
    """A measured table as the page shows it.

    absent: notes on metrics that were not measured. said: notes already shown below earlier tables.
    """
    metrics = {one.column.metric for block in table.blocks for one in block.columns}
    protocols = dict.fromkeys(
        (f"{block.dataset.name} · {one.column.metric}", one.column.protocol)
        for block in table.blocks
        for one in block.columns
    )
    notes = [*table_notes(table, words), *absent]
    beside = published if published is not None and published.data else None
    fresh = [note for note in notes if note not in said]
    if len(fresh) < len(notes):
        fresh.insert(0, words("note_as_before"))
    return TableView(
        anchor=f"table-{number}",
        number=number,
        title=table_title(table, number, words),
        caption=table_caption(table, words),
        part_kind=table.part.kind,
        table=table,
        compared={block.dataset.name: compared_text(block, words) for block in table.blocks},
        validities=tuple(
            _validity_view(one, words)
            for one in validities
            if one.metric in metrics and (number == 1 or one.works is not True)
        ),
        notes=tuple(fresh),
        protocols=tuple(protocols),
        files=tuple(files),
        published=beside,
        published_caption=words("published_caption", data=_published_data(published, words)),
        gains=measured_gains(table) if beside is not None and _is_of_gains(table) else None,
        scale="" if beside is None else _scale(table, beside, words),
        leakfree=view_leakfree(table, number, pairings, words),
    )


def table_title(table: Table, number: int, words: Words) -> str:
    """`Table 1. Comparison`, or `Table 1.` and the config's title."""
    name = words.translated(table.part.title) or words(f"table_{table.part.kind}")
    return words("table_title", number=number, name=name)


def table_caption(table: Table, words: Words) -> str:
    """What a measured table shows, and on which data sets."""
    names = words.listed(block.dataset.name for block in table.blocks)
    return words(f"caption_{table.part.kind}", data=names)


def table_headline(table: Table, number: int, words: Words) -> str:
    """Title, caption and the number of cases compared: the caption of a table's file."""
    counts = [(block.dataset.name, compared_text(block, words)) for block in table.blocks]
    stop = words("full_stop")
    said = [f"{name}{words('colon')}{text}{stop}" for name, text in counts if text]
    parts = [f"{table_title(table, number, words)}{stop}", table_caption(table, words), *said]
    return words("sentence_space").join(parts)


def table_notes(table: Table, words: Words) -> list[str]:
    """The footnotes: how to read a cell, what the marks compare, which cases are left out."""
    notes = [words("note_cell")]
    if not table.competitors:
        notes.append(words("only_controls"))
    elif len(table.competitors) == 1:
        notes.append(words("note_nothing_ranked"))
    else:
        notes.append(words("note_marks"))
    if table.reference is None:
        notes.append(words("note_no_reference"))
    else:
        notes.append(words("note_reference", reference=table.shown(table.reference)))
    entries = [
        entry
        for block in table.blocks
        for one in block.columns
        for entry in one.standing.entries.values()
    ]
    if any(entry.is_above_truth for entry in entries):
        notes.append(words("note_above_truth"))
    if any(one.column.floor is not None for block in table.blocks for one in block.columns):
        notes.append(words("note_floor"))
    if any(entry.is_significant and entry.is_difference_below_floor for entry in entries):
        notes.append(words("note_star_floor"))
    if any(entry.is_apart for entry in entries):
        notes.append(words("note_apart"))
    if any(
        entry.is_apart
        for block in table.blocks
        for one in block.columns
        if one.column.output.name == "lse_c"
        for entry in one.standing.entries.values()
    ):
        notes.append(words("note_apart_sync"))
    notes += [
        words("note_void", data=block.dataset.name, columns=words.listed(struck))
        for block in table.blocks
        if (struck := [one.column.title(words) for one in block.columns if one.column.is_void])
    ]
    notes += [text for block in table.blocks for text in warnings(block.dataset, words)]
    for block in table.blocks:
        names = {row.label: row.shown for row in table.rows}
        notes += [*spared_notes(block, words, names), *left_out_notes(block, words, names)]
        if any(one.is_evidence for one in block.columns):
            notes.append(words("note_evidence"))
    states = {entry.state for entry in entries if not entry.n_faceless}
    notes += [words(f"note_{one}") for one in ("failed", "missing") if one in states]
    notes += [words("note_undefined", reason=words.translated(one)) for one in _reasons(entries)]
    if any(entry.n_faceless for entry in entries):
        notes.append(words("note_faceless"))
    if len({row.protocol for row in table.rows if not row.control}) > 1:
        notes.append(words("note_protocols"))
    return list(dict.fromkeys(notes))


def absent_notes(results: Results, table: Table, words: Words) -> list[str]:
    """Which metrics that the table asks for were not measured, and how to get their weights."""
    metrics = {name.rpartition(".")[0] for name in table.part.columns}
    return list(
        dict.fromkeys(
            words("not_measured", metric=one.label, way=f"`{way}`")
            for run in results.runs
            for one in run.manifest.not_measured
            if one.label in metrics
            for way in one.ways
        )
    )


def form_notes(results: Results, table: Table, words: Words) -> list[str]:
    """Which methods show a part of the frame, and which make a part of the frames."""
    notes: list[str] = []
    cut: list[str] = []
    for row in table.rows:
        made = [
            one.record
            for block in table.blocks
            for case in block.dataset.cases
            if (one := results.generation(block.dataset, row.label, case)) is not None
            and one.record.status == "ok"
        ]
        if any(one.cut is not None or one.own_reference is not None for one in made):
            cut.append(row.shown)
        counts = [(one.frames, one.asked) for one in made if one.frames is not None and one.asked]
        frames, asked = (sum(column) for column in zip(*counts, strict=True)) if counts else (0, 0)
        if frames < asked:
            share = f"{100 * frames / asked:.1f} %"
            notes.append(
                words("note_frames_made", method=row.shown, made=frames, asked=asked, share=share)
            )
    if cut:
        notes.insert(0, words("note_own_reference", methods=words.listed(cut)))
    return notes


def _reasons(entries: Sequence[Entry]) -> list[str]:
    """Why entries are undefined for all of their cases, without those that show no face."""
    return list(
        dict.fromkeys(
            reason
            for entry in entries
            if entry.state == "undefined" and not entry.n_faceless
            for reason in entry.undefined
        )
    )


def compared_text(block: Block, words: Words) -> str:
    """How many of a data set's cases are compared; "" if there are none."""
    standings = [
        one.standing
        for one in block.columns
        if not one.is_evidence and not one.column.is_set and one.standing.compared
    ]
    if not standings:
        return ""
    planned = max(one.compared + one.left_out for one in standings)
    low, high = min(one.compared for one in standings), max(one.compared for one in standings)
    if low == planned:
        return words("compared_all", n=planned)
    some = str(low) if low == high else f"{low}–{high}"
    return words("compared_some", some=some, planned=planned)


def spared_notes(block: Block, words: Words, names: Mapping[str, str] | None = None) -> list[str]:
    """Which methods are put to fewer cases than there are, because the config says so.

    names: by label, the names of methods; the default is the labels.
    """
    put: dict[str, tuple[int, int]] = {}
    for one in block.columns:
        for label, entry in one.standing.entries.items():
            if entry.n_spared:
                put.setdefault(label, (entry.n_planned - entry.n_spared, entry.n_planned))
    return [
        words(
            "note_spared",
            data=block.dataset.name,
            method=(names or {}).get(label, label),
            n=n,
            planned=planned,
        )
        for label, (n, planned) in put.items()
    ]


def left_out_notes(block: Block, words: Words, names: Mapping[str, str] | None = None) -> list[str]:
    """Which columns are compared on fewer cases than planned, and which methods lack values.

    names: by label, the names of methods; the default is the labels.
    """
    names = names or {}
    gathered: dict[tuple[int, int, str], list[str]] = {}
    for one in block.columns:
        standing = one.standing
        if one.is_evidence or not standing.left_out:
            continue
        lacking = words.listed(
            f"{names.get(label, label)} {entry.n_planned - entry.n_scored}"
            for label, entry in standing.entries.items()
            if entry.state == "value" and not entry.is_apart and entry.n_scored < entry.n_planned
        )
        key = (standing.compared, standing.left_out, lacking)
        gathered.setdefault(key, []).append(one.column.title(words))
    return [
        words(
            "note_left_out",
            data=block.dataset.name,
            columns=words.listed(columns),
            n=compared,
            left_out=left_out,
            lacking=lacking,
        )
        for (compared, left_out, lacking), columns in gathered.items()
    ]


def _is_of_gains(table: Table) -> bool:
    return table.part.published is not None and table.part.published.table == GAINS


def _published_data(published: PublishedTable | None, words: Words) -> str:
    if published is None:
        return ""
    return words.listed(
        words("published_data", published=name.upper(), measured=published.measured[name])
        for name in published.data
    )


def _scale(table: Table, published: PublishedTable, words: Words) -> str:
    """Which measured columns have another protocol than the printed ones of the same name.

    Printed LSE values commonly come from the scorer `syncnet_v2`; any other scorer has its own
    scale.
    """
    measured = {
        one.column.output.name: one.column
        for block in table.blocks
        for one in block.columns
        if not one.is_evidence and one.column.output.name in published.outputs
    }
    other = [
        one
        for one in measured.values()
        if one.output.name in ("lse_d", "lse_c") and REFERENCE_SCORER not in one.protocol
    ]
    rest = [
        one for one in measured.values() if one not in other and one.protocol != published.protocol
    ]
    notes = []
    if other:
        columns = words.listed(one.title(words) for one in other)
        notes.append(words("scale_scorer", columns=columns, protocol=other[0].protocol))
    if rest:
        columns = words.listed(one.title(words) for one in rest)
        notes.append(
            words("scale_protocol", columns=columns, printed=words.translated(published.protocol))
        )
    return words("sentence_space").join(notes)


def _validity_view(one: Validity, words: Words) -> ValidityView:
    said = [validity_verdict(one, words)]
    confidence = words.translated(one.confidence)
    if one.state != "unmeasured":
        shares = validity_shares(one, words)
        said.append(words("validity_shares", confidence=confidence, **shares))
    if one.auc is not None:
        said.append(words("validity_auc", confidence=confidence, auc=_area(one.auc, words)))
    if one.offset is not None and one.within_one is not None:
        within = _share(one.within_one, words)
        offset = fixed(one.offset, signed=True, digits=1)
        said.append(words("validity_offset", offset=offset, within=within))
    return ValidityView(one.works, words("sentence_space").join(said))


def validity_verdict(one: Validity, words: Words) -> str:
    """Whether the scorer works, in one sentence; if it does, how late the clips' sound is."""
    named = {"data": one.dataset.name, "metric": one.metric}
    if one.state == "works" and one.offset is not None and one.is_lagging:
        late = "early" if one.offset > 0 else "late"
        return words(f"validity_works_{late}", frames=f"{abs(one.offset):g}", **named)
    return words(f"validity_{one.state}", **named)


def validity_shares(one: Validity, words: Words) -> dict[str, str]:
    """The three shares that judge the scorer as text with intervals, by name."""
    return {
        name: words("validity_unmeasured_share") if share is None else _share(share, words)
        for name, share in one.shares.items()
    }


def _share(interval: Interval, words: Words) -> str:
    if interval.low is None or interval.high is None or interval.low == interval.high:
        return words("share_alone", share=percent(interval.mean), count=interval.n)
    low, high = percent(interval.low), percent(interval.high)
    return words("share", share=percent(interval.mean), count=interval.n, low=low, high=high)


def _area(interval: Interval, words: Words) -> str:
    area = fixed(interval.mean, digits=2)
    if interval.low is None or interval.high is None or interval.low == interval.high:
        return words("share_alone", share=area, count=interval.n)
    low, high = fixed(interval.low, digits=2), fixed(interval.high, digits=2)
    return words("share", share=area, count=interval.n, low=low, high=high)
