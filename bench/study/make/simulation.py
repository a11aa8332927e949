"""Simulated raters: their answers follow a known model, so tests can check what scoring recovers.

A rating is a latent value on an unbounded scale, rounded to 1..5: the method's centre, plus the
rater's bias, the clip's effect and noise, all normal. The centre is solved for such that the
expected rating over raters and clips equals the given mean, including the effects of rounding and
of the ends of the scale. A careless rater gives every rating with the same probability.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from bench.ground.errors import BenchError
from bench.study.answers import HIGHEST, LOWEST, Answer, Problems, Role
from bench.study.blinding import Design

Means: TypeAlias = Mapping[tuple[str, str], float]  # (method, question) -> expected rating

TRUTH_MEAN, LOW_MEAN = 4.6, 1.5  # of the attention checks, unless the means include them
DEFAULT_MEANS = (2.0, 4.0)  # the competitors' means are evenly spaced in between by default


@dataclass(frozen=True)
class Presentation:
    """One video shown to one rater, who answers all questions about it."""

    rater: str
    dataset: str
    case: str
    method: str
    role: Role = "rated"


@dataclass(frozen=True)
class Crowd:
    """The parameters of simulated raters.

    bias, clip, noise: standard deviations in steps of the scale. careless: share of raters who
    answer at random; the seed determines which.
    """

    bias: float = 0.4
    clip: float = 0.3
    noise: float = 0.7
    careless: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("bias", "clip", "noise"):
            if not 0.0 <= getattr(self, name) <= 10.0:
                raise BenchError(f"{name}: {getattr(self, name)}; expected a number from 0 to 10.")
        if not 0.0 <= self.careless <= 1.0:
            raise BenchError(f"careless: {self.careless}; expected a share from 0 to 1.")

    @property
    def spread(self) -> float:
        """The standard deviation of latent values around their method's centre."""
        return math.sqrt(self.bias**2 + self.clip**2 + self.noise**2)


def simulate(
    presentations: Sequence[Presentation], questions: Sequence[str], means: Means, crowd: Crowd
) -> tuple[tuple[Answer, ...], tuple[str, ...]]:
    """The answers of simulated raters, marked as simulated, and the names of the careless ones.

    Practice videos get no answers. Raises BenchError for a method without a mean.
    """
    shown = [one for one in presentations if one.role != "training"]
    raters = list(dict.fromkeys(one.rater for one in shown))
    clips = list(dict.fromkeys((one.dataset, one.case) for one in shown))
    generator = np.random.default_rng(crowd.seed)
    bias = dict(zip(raters, generator.normal(0.0, crowd.bias, len(raters)), strict=True))
    effect = dict(zip(clips, generator.normal(0.0, crowd.clip, len(clips)), strict=True))
    chosen = generator.permutation(len(raters))[: round(crowd.careless * len(raters))]
    careless = {raters[place] for place in chosen}
    centres = _centres(shown, questions, means, crowd)
    answers: list[Answer] = []
    for one in shown:
        noise = generator.normal(0.0, crowd.noise, len(questions))
        random = generator.integers(LOWEST, HIGHEST + 1, len(questions))
        for place, question in enumerate(questions):
            latent = centres[one.method, one.role, question] + bias[one.rater] + noise[place]
            latent += effect[one.dataset, one.case]
            rating = int(random[place]) if one.rater in careless else _rounded(latent)
            answers.append(_answer(one, question, rating))
    return tuple(answers), tuple(rater for rater in raters if rater in careless)


def presentations_of(design: Design, raters: int | None = None) -> tuple[Presentation, ...]:
    """Everything that the design shows to its raters; with `raters`, to that many raters."""
    from bench.study.make.sessions import draw_sessions

    sessions = design.sessions
    if raters is not None:
        sessions = draw_sessions(design.plan, design.items.values(), range(raters))
    shown: list[Presentation] = []
    for rater, pages in sessions.items():
        for code in (code for page in pages for code in page):
            item = design.items[code]
            shown.append(Presentation(rater, item.dataset, item.case, item.method, item.role))
    return tuple(shown)


def centre_of(mean: float, spread: float) -> float:
    """The centre at which normal latent values with this spread give ratings of this mean."""
    if spread == 0.0:
        return mean
    low, high = LOWEST - 10.0 * (1.0 + spread), HIGHEST + 10.0 * (1.0 + spread)
    for _ in range(80):  # halves an interval of at most 230 steps: below float's own precision
        middle = (low + high) / 2.0
        low, high = (middle, high) if expected_rating(middle, spread) < mean else (low, middle)
    return (low + high) / 2.0


def expected_rating(centre: float, spread: float) -> float:
    """The mean rounded rating of normal latent values around `centre`; `spread` > 0."""
    steps = range(LOWEST, HIGHEST)
    above = (math.erfc((step + 0.5 - centre) / (spread * math.sqrt(2.0))) / 2.0 for step in steps)
    return LOWEST + sum(above)


def read_means(path: Path) -> dict[tuple[str, str], float]:
    """Reads means from a csv `method,QUESTION,...`, the layout of the paper's Table 3.

    Raises BenchError that lists every bad cell.
    """
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BenchError(
            f"{path}: cannot be read: {error}. It should be a csv: method,QUESTION,..."
        ) from error
    if not rows or len(rows[0]) < 2 or rows[0][0].strip() != "method":
        raise BenchError(
            f"{path}: row 1 should contain `method` and the questions: "
            "method,sync_accuracy,visual_quality,overall_impression"
        )
    problems = Problems(path)
    questions = [name.strip() for name in rows[0][1:]]
    means: dict[tuple[str, str], float] = {}
    for number, cells in enumerate(rows[1:], start=2):
        if not any(map(str.strip, cells)):
            continue
        if len(cells) != len(rows[0]):
            problems.add(number, "", f"has {len(cells)} cells, the header has {len(rows[0])}")
            continue
        for question, text in zip(questions, cells[1:], strict=True):
            mean = _mean(text)
            if mean is None:
                problems.add(
                    number, question, f"{text!r} is not a number between {LOWEST} and {HIGHEST}"
                )
            else:
                means[cells[0].strip(), question] = mean
    problems.raise_any()
    return means


def even_means(methods: Sequence[str], questions: Sequence[str]) -> dict[tuple[str, str], float]:
    """Means from 2 to 4, evenly spaced over the methods in their order."""
    low, high = DEFAULT_MEANS
    steps = max(1, len(methods) - 1)
    return {
        (method, question): low + (high - low) * place / steps
        for place, method in enumerate(methods)
        for question in questions
    }


def _centres(
    shown: Sequence[Presentation], questions: Sequence[str], means: Means, crowd: Crowd
) -> dict[tuple[str, Role, str], float]:
    usual = {"truth": TRUTH_MEAN, "low": LOW_MEAN}
    centres: dict[tuple[str, Role, str], float] = {}
    for method, role in dict.fromkeys((one.method, one.role) for one in shown):
        for question in questions:
            mean = means.get((method, question), usual.get(role))
            if mean is None:
                raise BenchError(
                    f"--means: no mean for the method {method!r} in {question!r}. The file has "
                    f"means of {', '.join(dict.fromkeys(name for name, _ in means)) or 'none'}."
                )
            centres[method, role, question] = centre_of(mean, crowd.spread)
    return centres


def _answer(one: Presentation, question: str, rating: int) -> Answer:
    return Answer(
        one.rater, one.dataset, one.case, one.method, question, rating, one.role, simulated=True
    )


def _rounded(latent: float) -> int:
    return int(min(HIGHEST, max(LOWEST, math.floor(latent + 0.5))))


def _mean(text: str) -> float | None:
    try:
        mean = float(text)
    except ValueError:
        return None
    return mean if LOWEST < mean < HIGHEST else None
