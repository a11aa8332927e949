"""The scores of a user study: what `bench study score` found, and its JSON.

A number that cannot be given is None and has a reason beside it; NaN is never written.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from bench.errors import BenchError
from bench.files.json_file import write_json
from bench.study.answers import QuestionTitles, Role

SCHEMA = 1

Level: TypeAlias = Literal["clip", "method"]
Pairing: TypeAlias = Literal["clip", "rater"]
Rule: TypeAlias = Literal["bt500", "checks"]


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval.

    value: None where it is undefined. low, high: None where there is no interval. reason: why one
    of them is missing, else empty. n: what it rests on (ratings, items, pairs, points; the owner
    says which).
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    reason: str = ""


@dataclass(frozen=True)
class Opinion:
    """One method's ratings in one question: the mean opinion score and what it is made of.

    dataset: None for all data sets together (one opinion of each method and question is there
    always; those of single data sets only where there are several). role: `rated` for a competitor,
    `truth` and `low` for the attention checks, which stand in no ranking. histogram: how often 1,
    2, 3, 4, 5 was given. mean.n: ratings.
    """

    dataset: str | None
    method: str
    role: Role
    question: str
    mean: Estimate
    median: float | None
    histogram: tuple[int, int, int, int, int]
    n_ratings: int
    n_raters: int
    n_cases: int


@dataclass(frozen=True)
class Agreement:
    """How far raters agree in one question, on the rated videos (no attention checks).

    alpha: Krippendorff's, ordinal. icc_average: ICC(2,k), the reliability of the mean over all k
    raters; icc_single: ICC(2,1), of one rater. n of each: videos.
    """

    question: str
    n_raters: int
    alpha: Estimate
    icc_average: Estimate
    icc_single: Estimate


@dataclass(frozen=True)
class MethodComparison:
    """Two methods in one question, first minus second.

    pairing: `clip` where the same rater rated both methods' videos of the same clip, and only such
    pairs count (difference.n: pairs); `rater` where the design shows a rater each clip by one
    method only, and each rater's mean of one is compared with the same rater's mean of the other
    (difference.n: ratings). p_value: sign-flip permutation test over raters; p_corrected: after
    Holm over all pairs of methods in this question. None where the test was impossible, `reason`
    says why.
    """

    question: str
    first: str
    second: str
    pairing: Pairing
    difference: Estimate
    p_value: float | None
    p_corrected: float | None
    n_raters: int
    n_cases: int
    reason: str = ""


@dataclass(frozen=True)
class Point:
    """One dot of a correlation: a metric's value and the mean opinion score.

    By clip it is one method's video of one case; by method dataset and case are None and both
    numbers are means over the same cases.
    """

    dataset: str | None
    case: str | None
    method: str
    value: float
    opinion: float


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation of mean opinion score and a metric.

    metric: the label that the config gave it; output, title, unit, better, protocol: as the run
    declares them. rho.n: points. rho.reason says why it is undefined.
    """

    run: str
    question: str
    metric: str
    output: str
    title: str
    unit: str
    better: Literal["higher", "lower", "none"]
    protocol: str
    level: Level
    rho: Estimate
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Panel:
    """Everything computed from one set of raters.

    correlations: empty where no run was given.
    """

    raters: tuple[str, ...]
    n_ratings: int
    opinions: tuple[Opinion, ...]
    agreements: tuple[Agreement, ...]
    comparisons: tuple[MethodComparison, ...]
    correlations: tuple[Correlation, ...]

    def opinion(self, method: str, question: str, role: Role = "rated") -> Opinion | None:
        """The opinion over all data sets, or None where nobody rated it."""
        for one in self.opinions:
            wanted = (None, method, question, role)
            if (one.dataset, one.method, one.question, one.role) == wanted:
                return one
        return None


@dataclass(frozen=True)
class Exclusion:
    """A rater left out of `Scores.kept`, and the numbers that led to it, as a sentence."""

    rater: str
    rule: Rule
    reason: str


@dataclass(frozen=True)
class Scores:
    """The result of one study.

    kept: without the excluded raters, the result to report; everyone: with them. Where nobody was
    excluded the two hold the same. title, title_zh: what raters saw above the study; empty where
    there is none. methods: in the study's order, competitors first. runs: names of
    the runs that the study's videos come from. notes: what a reader must know (design incomplete,
    too few raters to screen). settings: seed, resamples, thresholds. answers_sha256: of the answers
    as csv.
    """

    name: str
    title: str
    simulated: bool
    questions: tuple[QuestionTitles, ...]
    methods: tuple[str, ...]
    runs: tuple[str, ...]
    kept: Panel
    everyone: Panel
    exclusions: tuple[Exclusion, ...]
    notes: tuple[str, ...]
    settings: dict[str, int | float | str]
    answers_sha256: str
    title_zh: str = ""
    schema: int = SCHEMA


def write_scores(path: Path, scores: Scores) -> None:
    """Writes the scores as JSON, at once or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, asdict(scores))


def read_scores(path: Path) -> Scores:
    """The scores in a JSON file; raises BenchError that says which key is wrong."""
    import json

    import pydantic

    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BenchError(
            f"{path}: cannot be read ({error}). Make it again with `bench study score`."
        ) from error
    schema = found.get("schema") if isinstance(found, dict) else None
    if isinstance(schema, int) and schema > SCHEMA:
        raise BenchError(
            f"{path}: schema: written by a newer version (schema {schema}, this is {SCHEMA}). "
            "Upgrade talking-face-bench."
        )
    try:
        return pydantic.TypeAdapter(Scores).validate_python(found)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise BenchError(
            f"{path}: {key}: {first['msg']}. Make it again with `bench study score`."
        ) from error
