"""Screening: excludes raters by rules fixed in advance, ITU-R BT.500 and attention checks.

Recommendation ITU-R BT.500-13, annex 2, section 2.3.1, counts for each rater how many ratings are
far above (P) or far below (Q) the mean of all ratings of the same video and question: by at least 2
standard deviations if the ratings look normal (kurtosis between 2 and 4), else by the square root
of 20. It excludes a rater if more than 5 % of the rater's ratings are far off and they are so about
equally often in both directions (|P - Q| / (P + Q) < 0.3): erratic, not just strict or lenient. The
rule is applied once.

Deviations: the share refers to the ratings that the rater gave instead of all presentations,
because in most designs no rater sees everything. A video with identical ratings counts against
nobody; the rule as written would count it against everybody.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.ground.errors import BenchError
from bench.study.answers import HIGHEST, LOWEST, Answer, Role
from bench.study.score.ratings import Floats
from bench.study.score.scores import Exclusion

NORMAL_KURTOSIS = (2.0, 4.0)
FAR_IF_NORMAL, FAR_OTHERWISE = 2.0, math.sqrt(20.0)  # standard deviations
FAR_SHARE, ONE_SIDED = 0.05, 0.3
RATERS_LEAST = 6  # no rating out of five can be two standard deviations from their mean
SYNC = "sync_accuracy"


@dataclass(frozen=True)
class ScreeningRules:
    """The rules that exclude a rater.

    truth_least: a rating of the hidden reference below it fails a check. low_most: a rating of the
    low anchor above it fails a check. failures_most: the share of failed checks that is tolerated.
    truth_above_low: whether to exclude a rater who does not rate the hidden reference above the low
    anchor, by the means over low_questions. low_questions: questions on which the low anchor is
    bad; if empty, `sync_accuracy` if it was asked (the usual anchors, other speech and a frozen
    face, have poor sync but good frames), else all. truth_questions: questions to which truth_least
    applies; if empty, all.
    """

    truth_least: int = 3
    low_most: int = 3
    failures_most: float = 0.25
    truth_above_low: bool = True
    truth_questions: tuple[str, ...] = ()
    low_questions: tuple[str, ...] = ()
    bt500: bool = True
    checks: bool = True

    def __post_init__(self) -> None:
        for name in ("truth_least", "low_most"):
            if not LOWEST <= getattr(self, name) <= HIGHEST:
                raise BenchError(
                    f"{name}: {getattr(self, name)}; expected a rating, a whole number from "
                    f"{LOWEST} to {HIGHEST}."
                )
        if not 0.0 <= self.failures_most <= 1.0:
            raise BenchError(f"failures_most: {self.failures_most}; expected a share from 0 to 1.")


@dataclass(frozen=True)
class FarRatings:
    """The numbers of a rater's ratings that are far above and far below the others', and of all."""

    above: int
    below: int
    ratings: int

    @property
    def excludes(self) -> bool:
        """Whether BT.500 excludes the rater."""
        far = self.above + self.below
        if far == 0 or far / self.ratings <= FAR_SHARE:
            return False
        return abs(self.above - self.below) / far < ONE_SIDED


def screen(answers: Sequence[Answer], rules: ScreeningRules) -> tuple[Exclusion, ...]:
    """The raters to exclude, with rule and reason; one entry per rater and rule.

    Practice videos do not count. Raises BenchError if the rules exclude all raters.
    """
    found: list[Exclusion] = []
    if rules.checks:
        found += _failed_checks(answers, rules)
    if rules.bt500:
        found += [
            Exclusion(rater, "bt500", _bt500_sentence(far))
            for rater, far in far_ratings(answers).items()
            if far.excludes
        ]
    raters = {answer.rater for answer in answers if answer.role != "training"}
    if raters and raters == {one.rater for one in found}:
        raise BenchError(
            f"screening: the rules exclude all {len(raters)} raters. Look at the attention checks "
            "(is the low anchor visibly worse?), relax --failures-most, --truth-least or "
            "--low-most, or switch a rule off."
        )
    order = {rater: place for place, rater in enumerate(sorted(raters))}
    return tuple(sorted(found, key=lambda one: (order[one.rater], one.rule)))


def screening_notes(answers: Sequence[Answer], rules: ScreeningRules) -> tuple[str, ...]:
    """Sentences on the limits of the screening, and on ratings that came too early."""
    notes: list[str] = []
    scored = [answer for answer in answers if answer.role != "training"]
    groups = _by_presentation(scored)
    few = sum(len(group) < RATERS_LEAST for group in groups.values())
    if rules.bt500 and few:
        notes.append(
            f"ITU-R BT.500 screening cannot judge {few} of {len(groups)} pairs of video and "
            f"question: it needs {RATERS_LEAST} ratings of a pair."
        )
    if rules.checks and not any(answer.role in ("truth", "low") for answer in scored):
        notes.append(
            "No attention checks: the study has neither a hidden reference nor a low anchor."
        )
    if early := _early_raters(scored):
        notes.append(f"Videos rated sooner than they last, which the pages do not allow: {early}.")
    return tuple(notes)


def _early_raters(answers: Sequence[Answer]) -> str:
    """The raters with early ratings, and the share of their videos: `r03 (4/46)`."""
    videos: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    early: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for answer in answers:
        video = answer.place[1:-1]
        videos[answer.rater].add(video)
        if answer.early:
            early[answer.rater].add(video)
    return ", ".join(
        f"{rater} ({len(early[rater])}/{len(videos[rater])})" for rater in sorted(early)
    )


def far_ratings(answers: Sequence[Answer]) -> dict[str, FarRatings]:
    """Each rater's counts for BT.500, over all questions and all videos except practice."""
    scored = [answer for answer in answers if answer.role != "training"]
    above: dict[str, int] = defaultdict(int)
    below: dict[str, int] = defaultdict(int)
    total: dict[str, int] = defaultdict(int)
    for group in _by_presentation(scored).values():
        ratings = np.array([answer.rating for answer in group], dtype=np.float64)  # (N,)
        bound = _bound(ratings)
        for answer, rating in zip(group, ratings - ratings.mean(), strict=True):
            total[answer.rater] += 1
            if bound is not None:
                above[answer.rater] += bool(rating >= bound)
                below[answer.rater] += bool(rating <= -bound)
    return {rater: FarRatings(above[rater], below[rater], total[rater]) for rater in sorted(total)}


def _bound(ratings: Floats) -> float | None:
    """The distance from the mean that counts as far, for the ratings (N,) of one video.

    None if all ratings are equal.
    """
    spread = ratings - ratings.mean()
    second = float((spread**2).mean())
    if len(ratings) < 2 or second == 0.0:
        return None
    kurtosis = float((spread**4).mean()) / second**2
    low, high = NORMAL_KURTOSIS
    factor = FAR_IF_NORMAL if low <= kurtosis <= high else FAR_OTHERWISE
    return factor * float(ratings.std(ddof=1))


def _by_presentation(answers: Sequence[Answer]) -> dict[tuple[str, ...], list[Answer]]:
    groups: dict[tuple[str, ...], list[Answer]] = defaultdict(list)
    for answer in answers:
        groups[answer.place[1:]].append(answer)
    return groups


def _bt500_sentence(far: FarRatings) -> str:
    return (
        f"ITU-R BT.500: of {far.ratings} ratings, {far.above} far above and {far.below} far below "
        f"the others' ({(far.above + far.below) / far.ratings:.1%}, more than {FAR_SHARE:.0%}, "
        "on both sides)"
    )


def _failed_checks(answers: Sequence[Answer], rules: ScreeningRules) -> list[Exclusion]:
    asked = _asked(answers, rules)
    given: dict[str, dict[Role, list[Answer]]] = defaultdict(lambda: {"truth": [], "low": []})
    for answer in answers:
        if answer.role in ("truth", "low"):
            given[answer.rater][answer.role].append(answer)
    found: list[Exclusion] = []
    for rater, own in sorted(given.items()):
        truths = [one.rating for one in own["truth"] if one.question in asked["truth"]]
        lows = [one.rating for one in own["low"] if one.question in asked["low"]]
        compared = [one.rating for one in own["truth"] if one.question in asked["low"]]
        reasons = [_failures(truths, lows, rules)]
        if rules.truth_above_low:
            reasons.append(_upside_down(compared, lows))
        if any(reasons):
            found.append(Exclusion(rater, "checks", "; ".join(filter(None, reasons))))
    return found


def _asked(answers: Sequence[Answer], rules: ScreeningRules) -> dict[Role, set[str]]:
    """The questions on which each kind of check counts."""
    questions = {answer.question for answer in answers if answer.role != "training"}
    named: dict[Role, tuple[str, ...]] = {
        "truth": rules.truth_questions,
        "low": rules.low_questions or ((SYNC,) if SYNC in questions else ()),
    }
    for role, names in named.items():
        if unknown := [name for name in names if name not in questions]:
            raise BenchError(
                f"attention checks: {role}: no answers to the question {unknown[0]!r}. The "
                f"answered questions are {', '.join(sorted(questions))}."
            )
    return {role: set(names) or questions for role, names in named.items()}


def _failures(truths: Sequence[int], lows: Sequence[int], rules: ScreeningRules) -> str:
    """The reason to exclude a rater who failed too many checks; empty for others."""
    truth = sum(rating < rules.truth_least for rating in truths)
    low = sum(rating > rules.low_most for rating in lows)
    count = len(truths) + len(lows)
    if truth + low <= rules.failures_most * count:
        return ""
    return (
        f"{truth + low} of {count} attention checks failed, more than {rules.failures_most:.0%}: "
        f"{truth} of {len(truths)} ratings of the hidden reference are below {rules.truth_least}, "
        f"{low} of {len(lows)} of the low anchor are above {rules.low_most}"
    )


def _upside_down(truths: Sequence[int], lows: Sequence[int]) -> str:
    """The reason to exclude a rater who rates the reference no higher than the low anchor."""
    if not truths or not lows:
        return ""
    truth, low = sum(truths) / len(truths), sum(lows) / len(lows)
    if truth > low:
        return ""
    return f"hidden reference not rated above the low anchor (means {truth:.2f} and {low:.2f})"
