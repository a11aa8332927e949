"""The user study's table as files; each of them says if the answers are simulated."""

from __future__ import annotations

from bench.study.score.scores import Opinion, Scores
from reports.results import Results
from reports.sections.study import study_caption, study_name, study_notes, study_title
from reports.sheets import Sheet, SheetCell, SummaryRow, row_label
from reports.studies import opinions, question_texts
from reports.text import estimate_span, fixed
from reports.words import Words

_STYLES = {"best": "bold", "second": "underlined"}


def sheet(scores: Scores, name: str, number: int, results: Results, words: Words) -> Sheet:
    """Methods by questions, as in the paper: mean, interval, numbers of ratings and raters."""
    rows = opinions(scores, results.rows)
    texts = question_texts(scores, words)
    group = study_name(scores, words)
    if scores.simulated:
        group = f"{group} {words('simulated_mark')}"
    headings: list[str] = []
    for text in texts:
        headings += [f"{text} \N{UPWARDS ARROW}", words("ratings_raters")]
    body: list[tuple[str, tuple[SheetCell, ...]]] = []
    for row in rows:
        cells: list[SheetCell] = []
        for opinion, mark in zip(row.cells, row.marks, strict=True):
            cells += _cells(opinion, mark, words)
        role = f" ({words(f'role_{row.role}')})" if row.role != "rated" else ""
        body.append((row_label(row.row) + role, tuple(cells)))
    title = study_title(scores, number, words)
    parts = [f"{title}{words('full_stop')}", study_caption(scores, words)]
    if scores.simulated:
        parts.insert(1, words("simulated_banner"))
    return Sheet(
        name,
        words("sentence_space").join(parts),
        ((group, len(headings)),),
        tuple(headings),
        tuple(body),
        study_notes(scores, rows, words),
    )


def _cells(opinion: Opinion | None, mark: str, words: Words) -> list[SheetCell]:
    if opinion is None or opinion.mean.value is None:
        return [SheetCell(words("absent_short")), SheetCell("")]
    sign = "\N{ALMOST EQUAL TO}" if mark == "tied" else ""
    mean = SheetCell(
        fixed(opinion.mean.value),
        estimate_span(opinion.mean),
        _STYLES.get(mark, ""),
        sign,
        (opinion.mean.value, opinion.mean.low, opinion.mean.high),
    )
    counts = f"{opinion.n_ratings}/{opinion.n_raters}"
    return [mean, SheetCell(counts, numbers=(opinion.n_ratings,))]


def summary_rows(scores: Scores) -> list[SummaryRow]:
    """All mean opinion scores, one per line; the protocol says if the answers are simulated."""
    parts = ["1-5", scores.name, *(["simulated answers"] if scores.simulated else [])]
    protocol = f"mos[{'; '.join(parts)}]"
    table = "user_study/simulated" if scores.simulated else "user_study"
    return [
        SummaryRow(
            table,
            one.dataset or "",
            one.method,
            f"mos_{one.question}" if one.role == "rated" else f"mos_{one.question}_{one.role}",
            protocol,
            one.mean.value,
            one.mean.low,
            one.mean.high,
            one.n_ratings,
            one.n_ratings,
            None,
        )
        for one in scores.kept.opinions
    ]
