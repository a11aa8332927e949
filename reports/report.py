"""Writes a report: reads run folders, computes, renders pages and tables, replaces the old ones."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2

from bench.files.one_move import part_beside
from bench.ground.errors import BenchError
from bench.study.score.scores import Scores
from reports import sheets, study_sheets, worth_sheets
from reports.case_page import CaseLink, case_columns, case_links, view_case
from reports.comparison import Table, build_table
from reports.footage import find_footage
from reports.index_page import view_index
from reports.judges import disagreements
from reports.leakfree import Pairing, pair
from reports.listening import listen
from reports.mel import Heard, take_mels
from reports.paper_sheet import paper_sheet, to_narrow_latex
from reports.pictures import Evidence, Footage, take_evidence
from reports.published_numbers import read_published, read_published_study
from reports.rendering import TEMPLATES, environment
from reports.results import Results
from reports.sections.faces import show_faces
from reports.sections.leakfree import view_rows
from reports.sections.speakers import break_down, speakers_csv
from reports.sections.study import FIRST_NUMBER, StudyView, view_study
from reports.sections.tables import (
    TableView,
    absent_notes,
    form_notes,
    table_headline,
    table_notes,
    view_table,
)
from reports.sections.worst import competing, ranked_columns, worst_cells
from reports.studies import read_studies, study_files
from reports.validity import Validity
from reports.words import Words, read_words
from reports.worth import Judged, read_judged

MOST_COPIED = 30_000  # bytes up to which a table's file is embedded in the page, for copying
STRIPS = 60  # cases whose pages show frames; of more cases, the most informative are chosen


def build(runs: Sequence[Path], out: Path, *, lang: str = "en", strips: int = STRIPS) -> Path:
    """Writes the report on these run folders into the folder `out` and returns its index.html.

    The same records give the same bytes. The folder is written in one move. An existing report is
    replaced. strips: how many case pages show frames.
    Raises BenchError if a run cannot be read, or if `out` exists and is not a report.
    """
    words = read_words(lang)
    judged = read_judged(runs)
    out = out.absolute()
    _check_target(out)
    part = part_beside(out)
    try:
        _write(judged, words, part, out, strips)
        _swap(part, out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return out / "index.html"


def is_current(run: Path, out: Path, *, lang: str = "en") -> bool:
    """Whether the report at `out` is newer than its records and code, and in this language."""
    index = out / "index.html"
    if not index.is_file():
        return False
    with index.open(encoding="utf-8") as page:
        if f'<html lang="{read_words(lang).page_language}">' not in page.read(200):
            return False
    names = ("manifest.json", "generations.jsonl", "measurements.jsonl")
    sources = [run / name for name in names] + list(TEMPLATES.parent.rglob("*.*"))
    sources += [*study_files(run), run / "studies"]  # the folder: a file may have been deleted
    written = index.stat().st_mtime_ns
    return all(path.stat().st_mtime_ns <= written for path in sources if path.exists())


def _check_target(out: Path) -> None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if out.is_dir() and (out / "index.html").is_file() and (out / "tables/summary.csv").is_file():
        return
    raise BenchError(
        f"{out}: exists and is not a report, so it is not replaced. "
        "Give a new folder, or the folder of a report, as --output."
    )


def _swap(part: Path, out: Path) -> None:
    old = part_beside(out)
    if out.exists():
        out.rename(old)
    part.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def _write(judged: Judged, words: Words, part: Path, out: Path, strips: int) -> None:
    results, validities, worths = judged
    for name in ("cases", "pictures", "tables"):
        (part / name).mkdir(parents=True)
    for name in ("style.css", "player.js", "report.js"):
        shutil.copyfile(TEMPLATES / name, part / name)
    tables = [table for one in results.tables if (table := build_table(results, one)).blocks]
    links = case_links(results)
    shown = _chosen(results, tables, links, strips)
    evidence = _evidence(results, shown, part / "pictures", out / "pictures")
    mels = _mels(results, shown, evidence, part / "pictures", out / "pictures")
    faces = show_faces(results, links, folder=part / "pictures", before=out / "pictures")
    views, paired = _write_tables(results, words, tables, validities, part / "tables")
    studies = _write_studies(results, words, len(tables), part / "tables")
    heard = listen(results)
    rows = sheets.summary_rows(tables, paired, validities)
    rows += worth_sheets.summary_rows(worths, heard, results.rows)
    for scores, _ in studies:
        rows += study_sheets.summary_rows(scores)
    _save(part / "tables/summary.csv", sheets.summary_csv(rows))
    breakdowns = break_down(results, tables)
    if breakdowns:
        _save(part / "tables/speakers.csv", speakers_csv(breakdowns))
    index = view_index(
        results,
        words,
        tables=tables,
        views=views,
        studies=[view for _, view in studies],
        validities=validities,
        worths=worths,
        listening=heard,
        disagreements=disagreements(results, validities),
        links=links,
        evidence=evidence,
        faces=faces,
        n_shown=len(shown),
        sources=_sources(part / "tables"),
        breakdowns=breakdowns,
    )
    pages = environment(words)
    pages.globals["called"] = results.shown
    _save(part / "index.html", pages.get_template("index.html").render(view=index, root=""))
    _write_cases(results, words, tables, links, evidence, mels, pages, part, out)


def _write_tables(
    results: Results,
    words: Words,
    tables: Sequence[Table],
    validities: Sequence[Validity],
    folder: Path,
) -> tuple[list[TableView], list[tuple[Table, Pairing]]]:
    """Writes the files of all measured tables; returns the tables as the page shows them."""
    views: list[TableView] = []
    paired: list[tuple[Table, Pairing]] = []
    said: list[str] = []
    for number, table in enumerate(tables, start=1):
        pairings = pair(results, table)
        paired += [(table, one) for one in pairings]
        published = None if table.part.published is None else read_published(table.part.published)
        view = view_table(
            table,
            number,
            words,
            validities=validities,
            pairings=pairings,
            published=published,
            files=_write_sheets(results, table, number, pairings, words, folder),
            absent=[
                *form_notes(results, table, words),
                *absent_notes(results, table, words),
            ],
            said=said,
        )
        said += view.notes
        views.append(view)
    return views, paired


def _write_studies(
    results: Results, words: Words, n_tables: int, folder: Path
) -> list[tuple[Scores, StudyView]]:
    """Writes the files of all user studies; returns the studies and their views."""
    studies: list[tuple[Scores, StudyView]] = []
    for index, scores in enumerate(read_studies(results.runs)):
        number = max(FIRST_NUMBER, n_tables + 1) + index
        stem = f"user_study_{_file_stem(scores.name, number)}"
        files = _save_sheet(folder, stem, study_sheets.sheet(scores, stem, number, results, words))
        asked = {question.name for question in scores.questions}
        published = read_published_study()
        view = view_study(
            scores,
            number,
            results,
            words,
            published=published if asked & set(published.outputs) else None,
            files=["summary.csv", *files],
        )
        studies.append((scores, view))
    return studies


def _write_sheets(
    results: Results,
    table: Table,
    number: int,
    pairings: Sequence[Pairing],
    words: Words,
    folder: Path,
) -> list[str]:
    """Writes one table's files and returns their names."""
    name = _file_stem(table.part.name, number)
    caption = table_headline(table, number, words)
    files = ["summary.csv"]
    absent = [*form_notes(results, table, words), *absent_notes(results, table, words)]
    notes = [*table_notes(table, words), *absent]
    sheet = sheets.sheet(table, words, caption, notes)
    files += _save_sheet(folder, name, sheet)
    paper = paper_sheet(table, words, caption)
    if paper is not None:
        files += [f"{name}_paper.csv", f"{name}_paper.tex"]
        _save(folder / f"{name}_paper.csv", sheets.to_csv(paper))
        _save(folder / f"{name}_paper.tex", to_narrow_latex(paper))
    if pairings:
        title = words("leakfree_title", number=number)
        rows = view_rows(table, pairings)
        sheet = sheets.leakfree_sheet(f"{name}_leakfree", rows, pairings, words, title)
        files += _save_sheet(folder, sheet.name, sheet)
    return files


def _save_sheet(folder: Path, stem: str, sheet: sheets.Sheet) -> list[str]:
    """Writes a sheet as csv (as printed, and as numbers), LaTeX and Markdown; returns the names."""
    texts = {
        f"{stem}.csv": sheets.to_csv(sheet),
        f"{stem}_numbers.csv": sheets.to_numbers(sheet),
        f"{stem}.tex": sheets.to_latex(sheet),
        f"{stem}.md": sheets.to_markdown(sheet),
    }
    for name, text in texts.items():
        _save(folder / name, text)
    return list(texts)


def _sources(folder: Path) -> dict[str, str]:
    """The text of each table's file that the page offers to copy, by name."""
    return {
        path.name: path.read_text(encoding="utf-8")
        for path in sorted(folder.iterdir())
        if path.stat().st_size <= MOST_COPIED
    }


def _file_stem(name: str, number: int) -> str:
    """The table's name as a file name; `table-NUMBER` if the name has no plain letters."""
    plain = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name)
    return (
        plain if plain.isascii() and plain.strip("-") and plain != "summary" else f"table-{number}"
    )


def _chosen(
    results: Results, tables: Sequence[Table], links: Sequence[CaseLink], most: int
) -> list[CaseLink]:
    """The cases whose pages show frames: all of a few, else worst, median, best and failures."""
    if len(links) <= most:
        return list(links)
    wanted: dict[tuple[str, str], None] = {}
    for dataset, _, _, case, _ in worst_cells(results, tables):
        wanted[dataset.name, case] = None
    for dataset, column in ranked_columns(results, tables):
        for label in competing(results):
            values = results.column_values(dataset, label, column, kind="reconstruct").values
            order = sorted(values, key=lambda case: (values[case], case))
            for place in (0, len(order) // 2, len(order) - 1) if order else ():
                wanted[dataset.name, order[place]] = None
    for link in links:
        videos = [results.generation(link.dataset, row.label, link.case) for row in results.rows]
        if any(one is not None and one.record.status != "ok" for one in videos):
            wanted[link.dataset.name, link.case.id] = None
    names = set(list(wanted)[:most])
    return [link for link in links if (link.dataset.name, link.case.id) in names]


def _evidence(
    results: Results, links: Sequence[CaseLink], folder: Path, before: Path
) -> dict[tuple[str, str], Evidence]:
    """The evidence by case key and method; a video that cannot be read has none."""
    asked: dict[tuple[str, str], Footage] = {}
    for link in links:
        for row in results.rows:
            footage = find_footage(results, link.dataset, row.label, link.case)
            if footage is not None:
                asked[link.case.key, row.label] = footage
    return take_evidence(asked, folder=folder, before=before)


def _mels(
    results: Results,
    links: Sequence[CaseLink],
    evidence: Mapping[tuple[str, str], Evidence],
    folder: Path,
    before: Path,
) -> dict[str, str]:
    """By case key, the picture of what is heard in the first video shown."""
    heard: dict[str, Heard] = {}
    for link in links:
        for row in results.rows:
            found = evidence.get((link.case.key, row.label))
            footage = find_footage(results, link.dataset, row.label, link.case)
            if found is not None and footage is not None:
                heard[link.case.key] = Heard(footage.video, footage.sha256, found.frames)
                break
    return take_mels(heard, folder=folder, before=before)


def _write_cases(
    results: Results,
    words: Words,
    tables: Sequence[Table],
    links: Sequence[CaseLink],
    evidence: Mapping[tuple[str, str], Evidence],
    mels: Mapping[str, str],
    pages: jinja2.Environment,
    part: Path,
    out: Path,
) -> None:
    template = pages.get_template("case.html")
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
            mel=mels.get(link.case.key, ""),
            folder=out / "cases",
            neighbours=(before, after),
        )
        text = template.render(view=view, columns=chosen, root="../")
        _save(part / "cases" / link.file, text)


def _save(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
