"""The scores of a user study: the result of `bench study score`, and its JSON.

A missing number is None and comes with a reason; NaN is never written.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from bench.files.json_file import write_json
from bench.ground.errors import BenchError
from bench.study.answers import QuestionTitles, Role

SCHEMA = 1

Level: TypeAlias = Literal["clip", "method"]
Pairing: TypeAlias = Literal["clip", "rater"]
Rule: TypeAlias = Literal["bt500", "checks"]


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval.

    value: None if undefined. low, high: None if there is no interval. reason: why one of these is
    missing, else empty. n: the number of ratings, videos, pairs or points behind the value; the
    class that holds the estimate says which.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    reason: str = ""


@dataclass(frozen=True)
class Opinion:
    """One method's mean opinion score on one question, and the counts behind it.

    dataset: None for all data sets together (always present); opinions on single data sets exist
    only if there are several. role: `rated` for a competitor; `truth` and `low` for the attention
    checks, which are not ranked. histogram: counts of the ratings 1 to 5. mean.n: ratings.
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
    """Inter-rater agreement on one question, over the rated videos (without attention checks).

    alpha: Krippendorff's, ordinal. icc_average: ICC(2,k), the reliability of the mean over all k
    raters. icc_single: ICC(2,1), the reliability of a single rater. n of each: videos.
    """

    question: str
    n_raters: int
    alpha: Estimate
    icc_average: Estimate
    icc_single: Estimate


@dataclass(frozen=True)
class MethodComparison:
    """The difference between two methods on one question, first minus second.

    pairing: `clip` if raters rated both methods' videos of the same clips; only such pairs count
    (difference.n: pairs). `rater` if the design shows each rater a clip by one method only; then
    the rater's mean for one method is compared with the rater's mean for the other (difference.n:
    ratings). p_value: sign-flip permutation test over raters; p_corrected: with Holm's correction
    over all pairs of methods on this question. Both are None if the test is impossible; `reason`
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
    """One point of a correlation: a metric's value and a mean opinion score.

    By clip, a point is one method's video of one case. By method, dataset and case are None and
    both numbers are means over the same cases.
    """

    dataset: str | None
    case: str | None
    method: str
    value: float
    opinion: float


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation between mean opinion scores and a metric.

    metric: its label in the config. output, title, unit, better, protocol: as in the run's
    manifest. rho.n: points. rho.reason: why rho is undefined.
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
    """All results from one set of raters.

    correlations: empty if no run was given.
    """

    raters: tuple[str, ...]
    n_ratings: int
    opinions: tuple[Opinion, ...]
    agreements: tuple[Agreement, ...]
    comparisons: tuple[MethodComparison, ...]
    correlations: tuple[Correlation, ...]

    def opinion(self, method: str, question: str, role: Role = "rated") -> Opinion | None:
        """The opinion over all data sets, or None if nobody rated the method."""
        for one in self.opinions:
            wanted = (None, method, question, role)
            if (one.dataset, one.method, one.question, one.role) == wanted:
                return one
        return None


@dataclass(frozen=True)
class Exclusion:
    """A rater left out of `Scores.kept`, and the reason as a sentence with numbers."""

    rater: str
    rule: Rule
    reason: str


@dataclass(frozen=True)
class Scores:
    """The result of one study.

    kept: without excluded raters, the result to report. everyone: with them; equal to `kept` if
    nobody was excluded. title, title_zh: the study's title as raters saw it; may be empty. methods:
    in the study's order, competitors first. runs: names of the runs that generated the videos.
    notes: caveats for the reader (incomplete design, too few ratings to screen). settings: seed,
    resamples, thresholds. answers_sha256: digest of the answers as csv.
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
    """Writes the scores as JSON in one move."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, asdict(scores))


def read_scores(path: Path) -> Scores:
    """Reads scores from a JSON file; raises BenchError that names the invalid key."""
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
