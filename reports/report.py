"""Writes a report: reads run folders, computes once, renders pages and tables, swaps them in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import jinja2

from bench.errors import BenchError
from reports import sheets
from reports.case_page import CaseLink, case_columns, case_links, view_case
from reports.comparison import Block, BlockColumn, Table, build_table
from reports.index_page import (
    IndexView,
    TableView,
    ask,
    banners,
    find_worst,
    gather_gaps,
    glance,
    group_cases,
    stand_in_text,
    table_caption,
    table_notes,
    title_of,
    view_data,
    view_runs,
    view_table,
    worst_cells,
)
from reports.leakfree import Pairing, pair
from reports.pictures import Evidence, take_evidence
from reports.plots import colour_class
from reports.published_numbers import read_published
from reports.records import OutputPart
from reports.results import Column, Results, join
from reports.text import arrow, fixed, p_text, percent, span
from reports.validity import Validity, judge
from reports.words import Words, read_words

TEMPLATES = Path(__file__).resolve().parent / "templates"
STRIPS = 60  # cases whose frames are shown; beyond, the telling ones are chosen


def build(runs: Sequence[Path], out: Path, *, lang: str = "en", strips: int = STRIPS) -> Path:
    """Writes the report on these run folders into the folder `out` and returns its index.html.

    The same records give the same bytes. The folder appears whole or not at all; a report that
    stood there is replaced, anything else is refused. strips: how many cases show their frames.
    Raises BenchError where a run cannot be read or `out` is something else than a report.
    """
    words = read_words(lang)
    results = join(runs)
    out = out.absolute()
    _check_target(out)
    part = out.with_name(f".{out.name}.part-{os.getpid()}")
    shutil.rmtree(part, ignore_errors=True)
    try:
        _write(results, words, part, out, strips)
        _swap(part, out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return out / "index.html"


def is_current(run: Path, out: Path, *, lang: str = "en") -> bool:
    """Whether the report at `out` is as `build` would write it: same records, code, language."""
    index = out / "index.html"
    if not index.is_file():
        return False
    with index.open(encoding="utf-8") as page:
        if f'<html lang="{lang}">' not in page.read(200):
            return False
    names = ("manifest.json", "generations.jsonl", "measurements.jsonl")
    sources = [run / name for name in names] + list(TEMPLATES.parent.rglob("*.*"))
    written = index.stat().st_mtime_ns
    return all(path.stat().st_mtime_ns <= written for path in sources if path.is_file())


def terminal_tables(runs: Sequence[Path], *, lang: str = "en") -> dict[str, list[tuple[str, ...]]]:
    """The first table of these runs as text: by data set its rows, header first."""
    words = read_words(lang)
    results = join(runs)
    table = build_table(results, results.tables[0])
    tables: dict[str, list[tuple[str, ...]]] = {}
    for block in table.blocks:
        columns = [one for one in block.columns if not one.is_evidence]
        header = [words("method"), *(sheets.heading(one.column) for one in columns)]
        rows = [(*header, words("scored"), words("failed"))]
        for row in table.rows:
            entries = [one.standing.entries[row.label] for one in columns]
            found = [sheets.cell(entry, words) for entry in entries]
            failed, planned = block.failures.get(row.label, (0, 0))
            scored = max((entry.n_scored for entry in entries), default=0)
            cells = [f"{one.text}{one.sign}" for one in found]
            rows.append((row.label, *cells, f"{scored}/{planned}", str(failed)))
        tables[block.dataset.name] = rows
    return tables


def terminal_notes(runs: Sequence[Path], *, lang: str = "en") -> list[str]:
    """What must be read before those rows: stand-ins, scorers that do not work, missing values."""
    words = read_words(lang)
    results = join(runs)
    gaps = gather_gaps(results, case_links(results))
    return [banner.text for banner in banners(results, judge(results), gaps, words)]


def _check_target(out: Path) -> None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if out.is_dir() and (out / "index.html").is_file() and (out / "tables/summary.csv").is_file():
        return
    raise BenchError(
        f"{out}: exists and is not a report, so it is not replaced. "
        "Name a new folder, or the folder of a report, with --output."
    )


def _swap(part: Path, out: Path) -> None:
    old = out.with_name(f".{out.name}.old-{os.getpid()}")
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.rename(old)
    part.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def _write(results: Results, words: Words, part: Path, out: Path, strips: int) -> None:
    for name in ("cases", "pictures", "tables"):
        (part / name).mkdir(parents=True)
    for name in ("style.css", "player.js"):
        shutil.copyfile(TEMPLATES / name, part / name)
    tables = [build_table(results, one) for one in results.tables]
    tables = [table for table in tables if table.blocks]
    validities = judge(results)
    links = case_links(results)
    shown = _chosen(results, tables, links, strips)
    evidence = _evidence(results, shown, part / "pictures", out / "pictures")
    views: list[TableView] = []
    paired: list[tuple[Table, Pairing]] = []
    for number, table in enumerate(tables, start=1):
        pairings = pair(results, table) if table.part.kind == "comparison" else []
        paired += [(table, one) for one in pairings]
        files = _write_sheets(table, number, pairings, words, part / "tables")
        published = None if table.part.published is None else read_published(table.part.published)
        views.append(
            view_table(
                table,
                number,
                words,
                validities=validities,
                pairings=pairings,
                published=published,
                files=files,
            )
        )
    summary = sheets.summary_csv(sheets.summary_rows(tables, paired, validities))
    _save(part / "tables/summary.csv", summary)
    environment = _environment(words)
    index = _index(results, words, tables, views, validities, links, evidence, shown)
    _save(part / "index.html", environment.get_template("index.html").render(view=index, root=""))
    _write_cases(results, words, tables, links, evidence, environment, part, out)


def _index(
    results: Results,
    words: Words,
    tables: Sequence[Table],
    views: Sequence[TableView],
    validities: Sequence[Validity],
    links: Sequence[CaseLink],
    evidence: dict[tuple[str, str], Evidence],
    shown: Sequence[CaseLink],
) -> IndexView:
    gaps = gather_gaps(results, links)
    by_case = {(link.dataset.name, link.case.id): link for link in links}
    worst = find_worst(results, tables, by_case, evidence)
    questions = ask(results, tables, words)
    sections = [view.anchor for view in views]
    strips_note = words("strips_all", n=len(links))
    if len(shown) < len(links):
        strips_note = words("strips_some", n=len(shown), all=len(links))
    return IndexView(
        title=title_of(results),
        banners=banners(results, validities, gaps, words),
        glance=glance(results, views, validities, gaps, worst, words),
        sections=(
            *sections,
            *(["plots"] if questions else []),
            "worst",
            "failures",
            "cases",
            "data",
            "provenance",
        ),
        tables=tuple(views),
        legend=tuple(enumerate(results.rows)),
        questions=questions,
        worst=worst,
        failures=gaps.failures,
        undefined=gaps.undefined,
        strips_note=strips_note,
        case_groups=group_cases(links),
        data=view_data(results, words),
        provenance=view_runs(results, words),
        how=tuple(words(f"how_{n}") for n in range(1, 7)),
    )


def _write_sheets(
    table: Table, number: int, pairings: Sequence[Pairing], words: Words, folder: Path
) -> list[str]:
    """Writes one table's files and returns their names."""
    name = _file_stem(table.part.name, number)
    caption = table_caption(table, words)
    written = [(name, sheets.sheet(table, words, caption, table_notes(table, words)))]
    if pairings:
        title = words("leakfree_title", number=number)
        made = sheets.leakfree_sheet(f"{name}_leakfree", table.rows, pairings, words, title)
        written.append((made.name, made))
    files = ["summary.csv"]
    for stem, sheet in written:
        for ending, text in (
            ("csv", sheets.to_csv(sheet)),
            ("tex", sheets.to_latex(sheet)),
            ("md", sheets.to_markdown(sheet)),
        ):
            _save(folder / f"{stem}.{ending}", text)
            files.append(f"{stem}.{ending}")
    return files


def _file_stem(name: str, number: int) -> str:
    """A plain file name; numbered where the table's own name is none."""
    plain = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name)
    return (
        plain if plain.isascii() and plain.strip("-") and plain != "summary" else f"table-{number}"
    )


def _chosen(
    results: Results, tables: Sequence[Table], links: Sequence[CaseLink], most: int
) -> list[CaseLink]:
    """The cases whose frames are shown: all if few, else worst, median, best and failures."""
    if len(links) <= most:
        return list(links)
    wanted: dict[tuple[str, str], None] = {}
    for dataset, _, _, case, _ in worst_cells(results, tables):
        wanted[dataset.name, case] = None
    for table in tables[:1]:
        for block in table.blocks:
            for one in block.columns:
                for label in table.competitors or tuple(row.label for row in table.rows):
                    scores = results.scores(block.dataset, label, one.column, kind="reconstruct")
                    order = sorted(scores.values, key=lambda case: (scores.values[case], case))
                    for place in (0, len(order) // 2, len(order) - 1) if order else ():
                        wanted[block.dataset.name, order[place]] = None
    for link in links:
        made = [results.generation(link.dataset, row.label, link.case) for row in results.rows]
        if any(one is not None and one.record.status != "ok" for one in made):
            wanted[link.dataset.name, link.case.id] = None
    names = set(list(wanted)[:most])
    return [link for link in links if (link.dataset.name, link.case.id) in names]


def _evidence(
    results: Results, links: Sequence[CaseLink], folder: Path, before: Path
) -> dict[tuple[str, str], Evidence]:
    """Strips and envelopes by case key and method; a video that cannot be read has none."""
    found: dict[tuple[str, str], Evidence] = {}
    for link in links:
        for row in results.rows:
            made = results.generation(link.dataset, row.label, link.case)
            if made is None or made.record.status != "ok" or not made.record.video:
                continue
            video = made.run.folder / made.record.video
            if not video.is_file():
                continue
            mouth = made.record.mouth or link.case.mouth
            try:
                taken = take_evidence(
                    video, made.record.sha256, mouth=mouth, folder=folder, before=before
                )
            except BenchError:
                continue  # the page then says that no frames are shown; the numbers stand
            found[link.case.key, row.label] = taken
    return found


def _write_cases(
    results: Results,
    words: Words,
    tables: Sequence[Table],
    links: Sequence[CaseLink],
    evidence: dict[tuple[str, str], Evidence],
    environment: jinja2.Environment,
    part: Path,
    out: Path,
) -> None:
    template = environment.get_template("case.html")
    names = [name for table in tables for name in table.part.columns]
    columns = {d.name: case_columns(results, d, names) for d in results.datasets}
    for index, link in enumerate(links):
        before = links[index - 1] if index else None
        after = links[index + 1] if index + 1 < len(links) else None
        chosen = columns[link.dataset.name]
        view = view_case(
            results,
            link,
            words,
            columns=chosen,
            evidence=evidence,
            pages=out / "cases",
            neighbours=(before, after),
        )
        text = template.render(view=view, columns=chosen, root="../")
        _save(part / "cases" / link.file, text)


def _environment(words: Words) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def unit(column: Column) -> str:
        return words.optional(f"unit_{column.output.unit}", column.output.unit)

    def output_text(output: OutputPart) -> str:
        parts = [f"{output.heading} {arrow(output.better)}".strip(), output.unit]
        if output.low is not None or output.high is not None:
            low = "−∞" if output.low is None else f"{output.low:g}"
            high = "∞" if output.high is None else f"{output.high:g}"
            parts.append(f"[{low}, {high}]")
        if output.best is not None:
            parts.append(words("best_value", value=f"{output.best:g}"))
        return ", ".join(part for part in parts if part)

    def is_void(view: TableView, block: Block, one: BlockColumn) -> bool:
        return (block.dataset.name, one.column.protocol) in view.void

    environment.globals.update(
        t=words,
        is_void=is_void,
        shown=_shown,
        arrow=arrow,
        colour_class=colour_class,
        fixed=fixed,
        heading=sheets.heading,
        output_text=output_text,
        p_text=p_text,
        percent=percent,
        rank_text=sheets.rank_text,
        span=span,
        stand_in_text=lambda dataset: stand_in_text(dataset, words),
        unit=unit,
    )
    return environment


def _shown(block: Block) -> list[tuple[BlockColumn, BlockColumn | None]]:
    """The columns on the page; the score at offset 0 stands inside of its own score's cell."""
    by_name = {(one.column.protocol, one.column.output.name): one for one in block.columns}
    shown: list[tuple[BlockColumn, BlockColumn | None]] = []
    for one in block.columns:
        protocol, name = one.column.protocol, one.column.output.name
        base = (protocol, name.removesuffix("_at_0"))
        if one.is_evidence and name.endswith("_at_0") and base in by_name:
            continue
        shown.append((one, by_name.get((protocol, f"{name}_at_0"))))
    return shown


def _save(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
