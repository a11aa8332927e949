"""The user study's plots: histograms of ratings, and opinion scores against metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench.ground.stats import Interval
from bench.study.score.scores import Correlation, Estimate, Scores
from reports import plots
from reports.results import Results
from reports.sections.plots import with_direction
from reports.studies import opinion_of, question_texts, roles
from reports.text import estimate_span, fixed
from reports.words import Words


@dataclass(frozen=True)
class CorrelationLine:
    """The correlations of one metric column with one question, by clip and by method.

    is_void: the column's scorer does not work on some data set of the runs.
    """

    question: str
    column: str
    protocol: str
    by_clip: Correlation | None
    by_method: Correlation | None
    is_void: bool = False


def histograms(
    scores: Scores, results: Results, colours: Mapping[str, int], words: Words
) -> Iterator[plots.Drawing]:
    for question, text in zip(scores.questions, question_texts(scores, words), strict=True):
        groups = [
            plots.Ratings(
                results.shown(method), colours[method], one.histogram, _interval(one.mean)
            )
            for method, role in roles(scores.kept, scores.methods)
            if (one := opinion_of(scores.kept, method, question.name, role)) is not None
        ]
        drawn = plots.ratings(
            f"{words('plot_ratings')} {text}",
            words("plot_ratings_about"),
            words("axis_rating"),
            groups,
        )
        if drawn:
            yield plots.Drawing(text, drawn)


def correlation_lines(scores: Scores, results: Results, words: Words) -> Iterator[CorrelationLine]:
    void = void_protocols(results)
    names = dict(
        zip([q.name for q in scores.questions], question_texts(scores, words), strict=True)
    )
    grouped: dict[tuple[str, str, str, str, str], dict[str, Correlation]] = {}
    for one in scores.kept.correlations:
        key = (one.question, one.run, one.metric, one.output, one.protocol)
        grouped.setdefault(key, {})[one.level] = one
    for (question, _, metric, _, protocol), levels in grouped.items():
        some = next(iter(levels.values()))
        heading = words.translated(some.title or some.output)
        column = heading if metric in (some.output, "lse") else f"{heading} ({metric})"
        yield CorrelationLine(
            names.get(question, question),
            column,
            protocol,
            levels.get("clip"),
            levels.get("method"),
            is_void=protocol in void,
        )


def void_protocols(results: Results) -> set[str]:
    """The protocols whose scorer does not work on a data set of the runs."""
    return {
        column.protocol
        for dataset in results.datasets
        for column in results.columns(dataset)
        if column.is_void
    }


def scatters(
    scores: Scores, results: Results, colours: Mapping[str, int], words: Words
) -> Iterator[plots.Drawing]:
    """A plot per question and ranked metric, with a dot per clip and a point per method.

    If no table ranks a metric, all metrics are plotted.
    """
    shown = ranked_columns(results)
    for line in correlation_lines(scores, results, words):
        by_method, by_clip = line.by_method, line.by_clip
        if by_method is None or by_method.better == "none":
            continue
        if shown and (by_method.metric, by_method.output) not in shown:
            continue
        points: list[plots.Point] = []
        for point in by_method.points:
            opinion = scores.kept.opinion(point.method, by_method.question)
            spread = opinion.mean if opinion else None
            is_same = spread is not None and spread.value == point.opinion
            low, high = (spread.low, spread.high) if spread and is_same else (None, None)
            clips = by_clip.points if by_clip else ()
            points.append(
                plots.Point(
                    results.shown(point.method),
                    colours.get(point.method, 0),
                    Interval(point.value, None, None, by_method.rho.n, 0, "none"),
                    Interval(point.opinion, low, high, by_method.rho.n, 0, "none"),
                    tuple((c.value, c.opinion) for c in clips if c.method == point.method),
                )
            )
        drawn = plots.scatter(
            f"{words('plot_opinion')} {line.question}, {line.column}",
            words("plot_opinion_about"),
            with_direction(line.column, by_method.unit, by_method.better, words),
            words("axis_opinion"),
            points,
        )
        if drawn:
            note = "; ".join(
                _rho_note(level, one.rho, words)
                for level, one in (("clip", by_clip), ("method", by_method))
                if one is not None
            )
            caption = words("plot_opinion_of", question=line.question, column=line.column)
            yield plots.Drawing(caption, drawn, note, line.is_void)


def ranked_columns(results: Results) -> set[tuple[str, str]]:
    """Metric label and output of every column that a table of the report names."""
    names = {name for table in results.tables for name in table.columns}
    return {(metric, output) for metric, _, output in (name.rpartition(".") for name in names)}


def _rho_note(level: str, estimate: Estimate, words: Words) -> str:
    if estimate.value is None:
        return words(f"rho_{level}_none", reason=words.translated(estimate.reason))
    return words(f"rho_{level}", rho=rho_text(estimate, words), count=estimate.n)


def rho_text(estimate: Estimate | None, words: Words) -> str:
    """Spearman's rho with its interval, or the reason why it is undefined."""
    if estimate is None:
        return "–"
    if estimate.value is None:
        return words.translated(estimate.reason) or "–"
    span = estimate_span(estimate)
    text = fixed(estimate.value, digits=2)
    return f"{text} ({span})" if span else text


def _interval(estimate: Estimate) -> Interval | None:
    if estimate.value is None:
        return None
    return Interval(estimate.value, estimate.low, estimate.high, estimate.n, 0, "none")
