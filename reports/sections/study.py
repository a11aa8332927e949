"""Table 3: the user study in the paper's layout, and the evidence of its reliability."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.study.score.scores import Agreement, Estimate, MethodComparison, Panel, Scores
from reports import plots
from reports.published_numbers import PublishedTable
from reports.results import Results
from reports.sections.study_plots import (
    CorrelationLine,
    correlation_lines,
    histograms,
    scatters,
)
from reports.studies import Opinions, holds, opinions, question_texts
from reports.text import estimate_span, fixed, p_text
from reports.words import Words

FIRST_NUMBER = 3  # the number in the paper
# Krippendorff (2004) requires 0.8, and 0.667 for tentative conclusions.
ALPHA_BANDS = ((0.8, "high"), (0.667, "tentative"), (0.2, "low"), (-1.0, "none"))
# Koo and Li (2016): below 0.5 poor, below 0.75 moderate, below 0.9 good.
ICC_BANDS = ((0.9, "excellent"), (0.75, "good"), (0.5, "moderate"), (-1.0, "poor"))


@dataclass(frozen=True)
class ExclusionEffect:
    """One method's means: for each question, with all raters and without the excluded ones."""

    method: str
    pairs: tuple[tuple[Estimate | None, Estimate | None], ...]


@dataclass(frozen=True)
class AgreementLine:
    """Inter-rater agreement on one question, with a sentence that interprets it."""

    question: str
    agreement: Agreement
    reading: str


@dataclass(frozen=True)
class StudyView:
    """One study's values for the page."""

    anchor: str
    number: int
    name: str
    title: str
    caption: str
    simulated: bool
    leader: str
    questions: tuple[str, ...]
    rows: tuple[Opinions, ...]
    notes: tuple[str, ...]
    published: PublishedTable | None
    histograms: tuple[plots.Drawing, ...]
    agreements: tuple[AgreementLine, ...]
    exclusions: tuple[tuple[str, str, str], ...]
    kept: tuple[ExclusionEffect, ...]
    pairs: tuple[tuple[str, str, tuple[MethodComparison | None, ...]], ...]
    pairs_verdict: str
    correlations: tuple[CorrelationLine, ...]
    scatters: tuple[plots.Drawing, ...]
    files: tuple[str, ...]


def view_study(
    scores: Scores,
    number: int,
    results: Results,
    words: Words,
    *,
    published: PublishedTable | None,
    files: Sequence[str],
) -> StudyView:
    """The study's table, agreement, exclusions, tests and plots."""
    colours = dict(results.colours)
    for method in _all_methods(scores):
        colours.setdefault(method, max(-1, *colours.values()) + 1)
    rows = opinions(scores, results.rows)
    return StudyView(
        anchor=f"table-{number}",
        number=number,
        name=study_name(scores, words),
        title=study_title(scores, number, words),
        caption=study_caption(scores, words),
        simulated=scores.simulated,
        leader=_leader(rows, scores, number, words),
        questions=question_texts(scores, words),
        rows=rows,
        notes=study_notes(scores, rows, words),
        published=published,
        histograms=tuple(histograms(scores, results, colours, words)),
        agreements=tuple(_agreements(scores, words)),
        exclusions=tuple(
            (one.rater, words(f"rule_{one.rule}"), words.translated(one.reason))
            for one in scores.exclusions
        ),
        kept=tuple(_kept(scores)) if scores.exclusions else (),
        pairs=tuple(_pairs(scores)),
        pairs_verdict=_pairs_verdict(scores.kept, words),
        correlations=tuple(correlation_lines(scores, results, words)),
        scatters=tuple(scatters(scores, results, colours, words)),
        files=tuple(files),
    )


def study_name(scores: Scores, words: Words) -> str:
    """The study's title in this language, else its name."""
    in_chinese = scores.title_zh if words.language == "zh" else ""
    return in_chinese or scores.title or scores.name


def study_title(scores: Scores, number: int, words: Words) -> str:
    """`Table 3. User study`; the title itself says if the answers are simulated."""
    title = words("table_title", number=number, name=words("table_study"))
    return f"{title} {words('simulated_mark')}" if scores.simulated else title


def study_caption(scores: Scores, words: Words) -> str:
    """The caption: numbers of raters, ratings and cases."""
    cases = max((one.n_cases for one in scores.kept.opinions), default=0)
    return words(
        "study_caption",
        title=study_name(scores, words),
        raters=words("study_raters", n=len(scores.kept.raters)),
        ratings=words("study_ratings", n=scores.kept.n_ratings),
        cases=words("study_cases", n=cases),
    )


def study_notes(scores: Scores, rows: Sequence[Opinions], words: Words) -> tuple[str, ...]:
    """Notes on how to read cells and marks, and the study's own notes on its limits."""
    notes = [words("note_study_cell")]
    if any(mark for row in rows for mark in row.marks):
        notes.append(words("note_study_marks"))
    if any(row.role != "rated" for row in rows):
        notes.append(words("note_study_checks"))
    if scores.exclusions:
        notes.append(words("note_study_excluded", n=len(scores.exclusions)))
    reasons = [cell.mean.reason for row in rows for cell in row.cells if cell is not None]
    notes += [words.translated(one) for one in (*scores.notes, *reasons) if one]
    return tuple(dict.fromkeys(notes))


def _leader(rows: Sequence[Opinions], scores: Scores, number: int, words: Words) -> str:
    questions = question_texts(scores, words)
    won: dict[str, list[str]] = {}
    for place, question in enumerate(questions):
        best = [row.row.shown for row in rows if row.marks[place] == "best"]
        if len(best) == 1:
            won.setdefault(best[0], []).append(question)
    is_ranked = any(mark for row in rows for mark in row.marks)
    text = words("sentence_separator").join(
        words("glance_best", method=method, columns=words.listed(columns))
        for method, columns in won.items()
    )
    name = words("simulated_short") if scores.simulated else words("table_study")
    return words(
        "glance_table",
        number=number,
        data=name,
        text=text or words("glance_no_best" if is_ranked else "glance_unranked"),
    )


def _all_methods(scores: Scores) -> list[str]:
    shown = [one.method for one in scores.everyone.opinions]
    return list(dict.fromkeys((*scores.methods, *shown)))


def _agreements(scores: Scores, words: Words) -> Iterator[AgreementLine]:
    names = dict(
        zip([q.name for q in scores.questions], question_texts(scores, words), strict=True)
    )
    for one in scores.kept.agreements:
        reading = words("sentence_space").join(
            _reading(name, estimate, bands, words)
            for name, estimate, bands in (
                ("alpha", one.alpha, ALPHA_BANDS),
                ("icc", one.icc_average, ICC_BANDS),
            )
        )
        yield AgreementLine(names.get(one.question, one.question), one, reading)


def _reading(
    name: str, estimate: Estimate, bands: Sequence[tuple[float, str]], words: Words
) -> str:
    """The interpretation of a coefficient, and the reason if it or its interval is missing."""
    reason = words.translated(estimate.reason)
    if estimate.value is None:
        return reason
    text = words(f"{name}_{_band(estimate.value, bands)}")
    return words("reading_reason", reading=text, reason=reason) if reason else text


def _band(value: float, bands: Sequence[tuple[float, str]]) -> str:
    return next((name for least, name in bands if value >= least), bands[-1][1])


def _kept(scores: Scores) -> Iterator[ExclusionEffect]:
    for method in scores.methods:
        pairs: list[tuple[Estimate | None, Estimate | None]] = []
        for question in scores.questions:
            panels = (scores.everyone, scores.kept)
            everyone, kept = (panel.opinion(method, question.name) for panel in panels)
            pairs.append((everyone.mean if everyone else None, kept.mean if kept else None))
        if any(one is not None for pair in pairs for one in pair):
            yield ExclusionEffect(method, tuple(pairs))


def _pairs(scores: Scores) -> Iterator[tuple[str, str, tuple[MethodComparison | None, ...]]]:
    """Each pair of methods, with its comparison on every question."""
    found = {(one.first, one.second, one.question): one for one in scores.kept.comparisons}
    for first, second in dict.fromkeys((one[0], one[1]) for one in found):
        yield first, second, tuple(found.get((first, second, q.name)) for q in scores.questions)


def _pairs_verdict(panel: Panel, words: Words) -> str:
    held = sum(holds(one) for one in panel.comparisons)
    return words("study_pairs", held=held, pairs=len(panel.comparisons))


def comparison_text(comparison: MethodComparison | None) -> str:
    """`+0.31 (+0.12 – +0.50), p < 0.001`; a dash if there is no difference."""
    if comparison is None or comparison.difference.value is None:
        return "–"
    text = fixed(comparison.difference.value, signed=True, digits=2)
    span = estimate_span(comparison.difference, signed=True)
    p_value = p_text(comparison.p_corrected)
    return ", ".join(part for part in (f"{text} ({span})" if span else text, p_value) if part)
