"""Computes the scores of a study from its answers.

It screens the raters, then computes all results twice: with the kept raters and with everyone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.ground.errors import BenchError
from bench.ground.stats import LEVEL, RESAMPLES
from bench.study.answers import HIGHEST, LOWEST, Answer, QuestionTitles, Role, answers_csv
from bench.study.score.agreement import agreement
from bench.study.score.bootstrap import Bootstrap, mean_estimate
from bench.study.score.correlation import correlate
from bench.study.score.metric_values import MetricColumn
from bench.study.score.ratings import Floats, Ratings, arrange
from bench.study.score.scores import (
    Agreement,
    Correlation,
    MethodComparison,
    Opinion,
    Panel,
    Scores,
)
from bench.study.score.screening import ScreeningRules, screen, screening_notes
from bench.study.score.significance import compare_all
from bench.study.sign_flips import EXACT_RATERS, FLIPS

SCORED: tuple[Role, ...] = ("rated", "truth", "low")


@dataclass(frozen=True)
class ScoringSettings:
    """Settings of the scoring. seed: of all random draws."""

    seed: int = 0
    resamples: int = RESAMPLES
    rules: ScreeningRules = field(default_factory=ScreeningRules)


def compute_scores(
    answers: Sequence[Answer],
    *,
    name: str,
    title: str = "",
    title_zh: str = "",
    simulated: bool = False,
    questions: Sequence[QuestionTitles] = (),
    methods: Sequence[str] = (),
    columns: Mapping[str, Sequence[MetricColumn]] | None = None,
    settings: ScoringSettings | None = None,
) -> Scores:
    """The scores of a study; they do not depend on the order of the answers.

    questions, methods: the study's, in its order; further ones in the answers come last. columns:
    the metrics of each run, by the run's name. Raises BenchError if there is nothing to score or
    the rules exclude all raters.
    """
    settings = settings or ScoringSettings()
    if all(one.role == "training" for one in answers):
        raise BenchError(f"{name}: has only answers to practice videos, which are not scored.")
    answers = sorted(answers, key=lambda one: one.place)
    asked = _questions(answers, questions)
    excluded = screen(answers, settings.rules)
    names = tuple(dict.fromkeys(one.rater for one in excluded))
    metrics = [column for run in (columns or {}).values() for column in run]
    everyone = _panel(answers, asked, methods, metrics, settings, without=())
    kept = everyone
    if names:
        kept = _panel(answers, asked, methods, metrics, settings, without=names)
    return Scores(
        name=name,
        title=title,
        simulated=simulated,
        questions=asked,
        methods=_methods(answers, methods),
        runs=tuple(columns or {}),
        kept=kept,
        everyone=everyone,
        exclusions=excluded,
        notes=(*screening_notes(answers, settings.rules), *_notes(kept)),
        settings=_recorded_settings(settings),
        answers_sha256=hashlib.sha256(answers_csv(answers).encode()).hexdigest(),
        title_zh=title_zh,
    )


def _questions(
    answers: Sequence[Answer], known: Sequence[QuestionTitles]
) -> tuple[QuestionTitles, ...]:
    """The study's questions that were answered, then further ones in the answers."""
    answered = dict.fromkeys(one.question for one in answers if one.role != "training")
    named = {one.name for one in known}
    more = [QuestionTitles(name, name, name) for name in answered if name not in named]
    return tuple([one for one in known if one.name in answered] + more)


def _methods(answers: Sequence[Answer], known: Sequence[str]) -> tuple[str, ...]:
    """The methods: competitors first, each group in the study's order."""
    place = {name: index for index, name in enumerate(known)}
    found = {one.method: 9 for one in answers if one.role != "training"}
    for one in answers:
        if one.role != "training":
            found[one.method] = min(found[one.method], SCORED.index(one.role))
    return tuple(sorted(found, key=lambda name: (found[name], place.get(name, len(place)), name)))


def _panel(
    answers: Sequence[Answer],
    questions: Sequence[QuestionTitles],
    methods: Sequence[str],
    columns: Sequence[MetricColumn],
    settings: ScoringSettings,
    *,
    without: Sequence[str],
) -> Panel:
    """All results from the ratings, without those of the raters in `without`."""
    ranked = _methods(answers, methods)
    answers = [one for one in answers if one.rater not in without and one.role != "training"]
    raters = tuple(dict.fromkeys(one.rater for one in answers))
    bootstrap = Bootstrap(settings.seed, settings.resamples)
    opinions: list[Opinion] = []
    agreements: list[Agreement] = []
    comparisons: list[MethodComparison] = []
    correlations: list[Correlation] = []
    for question in questions:
        for role in SCORED:
            opinions += _opinions(arrange(answers, question.name, role, ranked), bootstrap)
        rated = arrange(answers, question.name, "rated", ranked)
        if rated.methods:
            agreements.append(agreement(rated, bootstrap))
            comparisons += compare_all(rated, bootstrap)
            correlations += correlate(rated, columns, bootstrap)
    return Panel(
        raters=raters,
        n_ratings=len(answers),
        opinions=tuple(opinions),
        agreements=tuple(agreements),
        comparisons=tuple(comparisons),
        correlations=tuple(correlations),
    )


def _opinions(ratings: Ratings, bootstrap: Bootstrap) -> list[Opinion]:
    """Each method's opinion over all data sets and, if there are several, on each of them."""
    datasets = tuple(dict.fromkeys(dataset for dataset, _ in ratings.clips))
    parts: list[str | None] = [None, *(datasets if len(datasets) > 1 else ())]
    found: list[Opinion] = []
    for method in ratings.methods:
        values = ratings.of_method(method)  # (R, C)
        for dataset in parts:
            own = values.copy()
            if dataset is not None:
                own[:, [clip[0] != dataset for clip in ratings.clips]] = np.nan
            if not np.isnan(own).all():
                found.append(_opinion(ratings, method, dataset, own, bootstrap))
    return found


def _opinion(
    ratings: Ratings, method: str, dataset: str | None, values: Floats, bootstrap: Bootstrap
) -> Opinion:
    there = ~np.isnan(values)
    given = values[there]  # (N,)
    one, two, three, four, five = (
        int((given == rating).sum()) for rating in range(LOWEST, HIGHEST + 1)
    )
    return Opinion(
        dataset=dataset,
        method=method,
        role=ratings.role,
        question=ratings.question,
        mean=mean_estimate(values, bootstrap),
        median=float(np.median(given)),
        histogram=(one, two, three, four, five),
        n_ratings=len(given),
        n_raters=int(there.any(axis=1).sum()),
        n_cases=int(there.any(axis=0).sum()),
    )


def _notes(panel: Panel) -> list[str]:
    """Caveats about the design for the reader."""
    notes: list[str] = []
    if len(panel.raters) == 1:
        notes.append("Only one rater: the intervals cover other clips, but not other people.")
    if panel.opinions and max(one.n_cases for one in panel.opinions) == 1:
        notes.append("Only one clip: the intervals cover other people, but not other clips.")
    if any(one.pairing == "rater" for one in panel.comparisons):
        notes.append(
            "Raters saw each clip by one method only, so methods are compared across different "
            "clips of the same rater; this takes more raters than showing each clip by all methods."
        )
    return notes


def _recorded_settings(settings: ScoringSettings) -> dict[str, int | float | str]:
    rules = settings.rules
    return {
        "seed": settings.seed,
        "resamples": settings.resamples,
        "level": LEVEL,
        "interval": "pigeonhole bootstrap over raters and clips (Owen 2007), percentiles",
        "test": f"sign flips over raters, exact up to {EXACT_RATERS}, else {FLIPS} random; Holm",
        "bt500": "on" if rules.bt500 else "off",
        "checks": "on" if rules.checks else "off",
        "truth_least": rules.truth_least,
        "low_most": rules.low_most,
        "failures_most": rules.failures_most,
        "truth_above_low": "on" if rules.truth_above_low else "off",
        "truth_questions": ", ".join(rules.truth_questions),
        "low_questions": ", ".join(rules.low_questions),
    }
