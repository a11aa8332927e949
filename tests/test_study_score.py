"""Scores of a user study, compared with published examples and independent computations."""

from __future__ import annotations

import csv
import itertools
import json
import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from click.testing import CliRunner

from bench.command.cli import main
from bench.ground.errors import BenchError
from bench.study.answers import Answer, is_simulated, read_answers, write_answers
from bench.study.ask.ledger import Ledger
from bench.study.balance import Balance
from bench.study.blinding import Design, Item, SessionPlan, write_design
from bench.study.make.simulation import Crowd, Presentation, even_means, simulate
from bench.study.questionnaire import questionnaire_text
from bench.study.score.agreement import intraclass, ordinal_alpha, variance_components
from bench.study.score.bootstrap import Bootstrap, drawn_means, mean_estimate
from bench.study.score.coefficients import weighted_spearman
from bench.study.score.compute_scores import ScoringSettings, compute_scores
from bench.study.score.correlation import correlate, spearman
from bench.study.score.metric_values import MetricColumn
from bench.study.score.ratings import arrange
from bench.study.score.scores import read_scores, write_scores
from bench.study.score.screening import (
    FarRatings,
    ScreeningRules,
    far_ratings,
    screen,
    screening_notes,
)
from bench.study.sign_flips import sign_flip
from tests.fixtures_run import FakeRun, build_run

NO = math.nan
# Krippendorff, Computing Krippendorff's alpha-reliability (2011), section D: 4 observers, 12 units.
KRIPPENDORFF = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NO, NO, NO],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NO, 3],
        [NO, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NO],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NO],
    ]
)
# Shrout and Fleiss (1979), table 2: 6 targets, 4 judges; here (judges, targets).
SHROUT_FLEISS = np.array(
    [[9, 6, 8, 7, 10, 6], [2, 1, 4, 1, 5, 2], [5, 3, 6, 2, 6, 4], [8, 2, 8, 6, 9, 7]], dtype=float
)


def answer(rater: str, case: str, method: str, rating: int, **more: object) -> Answer:
    return replace(Answer(rater, "CLR", case, method, "q", rating), **more)


def table(ratings: Sequence[Sequence[int]], method: str = "m") -> list[Answer]:
    """The answers for one method; rows are raters, columns are clips."""
    return [
        answer(f"r{row}", f"c{place}", method, rating)
        for row, cells in enumerate(ratings)
        for place, rating in enumerate(cells)
    ]


# ---- agreement --------------------------------------------------------------------------------


def test_alpha_of_krippendorffs_own_example() -> None:
    assert ordinal_alpha(KRIPPENDORFF) == pytest.approx(0.815, abs=5e-4)


@pytest.mark.parametrize("seed", range(5))
def test_alpha_is_one_minus_observed_over_expected_disagreement(seed: int) -> None:
    """Compares with the definition: a loop over pairs instead of coincidence matrices."""
    generator = np.random.default_rng(seed)
    values = generator.integers(1, 6, (5, 9)).astype(float)
    values[generator.random(values.shape) < 0.3] = NO
    units = [unit[~np.isnan(unit)] for unit in values.T]
    units = [unit for unit in units if len(unit) > 1]
    pool = np.concatenate(units)
    counts = {value: int((pool == value).sum()) for value in range(1, 6)}

    def distance(one: float, other: float) -> float:
        low, high = int(min(one, other)), int(max(one, other))
        between = sum(counts[value] for value in range(low, high + 1))
        return (between - (counts[low] + counts[high]) / 2) ** 2

    observed = sum(
        sum(distance(a, b) for a, b in itertools.permutations(unit, 2)) / (len(unit) - 1)
        for unit in units
    ) / len(pool)
    expected = sum(distance(a, b) for a, b in itertools.permutations(pool, 2)) / (
        len(pool) * (len(pool) - 1)
    )
    assert ordinal_alpha(values) == pytest.approx(1 - observed / expected, abs=1e-12)


def test_alpha_is_undefined_if_no_disagreement_is_possible() -> None:
    assert ordinal_alpha(np.full((3, 4), 2.0)) is None
    alone = np.full((3, 3), NO)
    np.fill_diagonal(alone, [1, 3, 5])
    assert ordinal_alpha(alone) is None


def test_intraclass_of_shrout_and_fleiss() -> None:
    average, single = intraclass(SHROUT_FLEISS)
    assert single.value == pytest.approx(0.29, abs=0.005)
    assert average.value == pytest.approx(0.62, abs=0.005)
    # The intervals in the documentation of R's psych::ICC for these data.
    assert (single.low, single.high) == pytest.approx((0.019, 0.761), abs=1e-3)
    assert (average.low, average.high) == pytest.approx((0.071, 0.927), abs=1e-3)
    assert (average.n, single.n) == (6, 6)


def test_variance_components_of_complete_ratings_are_those_of_the_mean_squares() -> None:
    generator = np.random.default_rng(3)
    values = generator.integers(1, 6, (5, 8)).astype(float)
    k, n = values.shape
    of_items, of_raters, mean = values.mean(axis=0), values.mean(axis=1), values.mean()
    rows = k * ((of_items - mean) ** 2).sum() / (n - 1)
    columns = n * ((of_raters - mean) ** 2).sum() / (k - 1)
    rest = ((values - of_items - of_raters[:, None] + mean) ** 2).sum() / ((n - 1) * (k - 1))
    found = variance_components(values)
    assert found is not None
    assert found.video == pytest.approx((rows - rest) / k)
    assert found.rater == pytest.approx((columns - rest) / n)
    assert found.residual == pytest.approx(rest)


def test_variance_components_are_recovered_from_incomplete_ratings() -> None:
    generator = np.random.default_rng(0)
    videos, raters = generator.normal(0, 1.0, 400), generator.normal(0, 0.5, 60)
    values = videos + raters[:, None] + generator.normal(0, 0.8, (60, 400))
    values[generator.random(values.shape) < 0.8] = NO
    found = variance_components(values)
    assert found is not None
    assert found.video == pytest.approx(1.0, abs=0.15)
    assert found.rater == pytest.approx(0.25, abs=0.1)
    assert found.residual == pytest.approx(0.64, abs=0.05)


def test_intraclass_says_why_it_has_no_value() -> None:
    for values, reason in (
        (SHROUT_FLEISS[:1], "two raters"),
        (SHROUT_FLEISS[:, :1], "two videos"),
        (np.full((3, 4), 4.0), "all ratings are equal"),
    ):
        average, single = intraclass(values)
        assert average.value is None
        assert single.value is None
        assert reason in average.reason


def test_incomplete_ratings_have_an_intraclass_without_interval() -> None:
    values = SHROUT_FLEISS.copy()
    values[0, 0] = NO
    average, _ = intraclass(values)
    assert average.value == pytest.approx(0.62, abs=0.05)
    assert average.low is None
    assert "not every rater" in average.reason


# ---- means ------------------------------------------------------------------------------------


def test_mean_median_and_histogram_are_those_of_the_ratings() -> None:
    scores = compute_scores(table([[1, 2, 2], [5, 4, 4]]), name="s")
    (opinion,) = scores.kept.opinions
    assert opinion.mean.value == pytest.approx(3.0)
    assert opinion.median == pytest.approx(3.0)
    assert opinion.histogram == (1, 2, 0, 2, 1)
    assert (opinion.n_ratings, opinion.n_raters, opinion.n_cases) == (6, 2, 3)
    assert opinion.mean.n == 6


def test_a_draw_weighs_a_rating_by_its_rater_and_its_clip() -> None:
    values = np.array([[1.0, 2.0, NO], [3.0, NO, 5.0]])
    draws = Bootstrap(4, 50).draw(2, 3)
    found = drawn_means(values, draws)
    for number in range(50):
        expanded = [
            values[row, place]
            for row in np.repeat(np.arange(2), draws.raters[number].astype(int))
            for place in np.repeat(np.arange(3), draws.clips[number].astype(int))
            if not np.isnan(values[row, place])
        ]
        if expanded:
            assert found[number] == pytest.approx(np.mean(expanded))
        else:
            assert np.isnan(found[number])
    assert (draws.raters.sum(axis=1) == 2).all()
    assert (draws.clips.sum(axis=1) == 3).all()


def test_the_interval_accounts_for_differences_between_raters() -> None:
    """20 raters with one constant rating each, 30 clips; resampling ratings would be too narrow."""
    levels = np.random.default_rng(0).integers(1, 6, 20).astype(float)
    values = np.repeat(levels[:, None], 30, axis=1)
    found = mean_estimate(values, Bootstrap())
    assert found.low is not None
    assert found.high is not None
    expected = 2 * 1.96 * levels.std(ddof=1) / math.sqrt(20)
    assert found.high - found.low == pytest.approx(expected, rel=0.15)


def test_one_rater_or_one_clip_has_an_interval_over_the_other() -> None:
    one_rater = compute_scores(table([[1, 2, 3, 4, 5]]), name="s")
    (opinion,) = one_rater.kept.opinions
    assert opinion.mean.low is not None
    assert any("Only one rater" in note for note in one_rater.notes)
    one_clip = compute_scores(table([[1], [2], [4]]), name="s")
    assert one_clip.kept.opinions[0].mean.low is not None
    assert any("Only one clip" in note for note in one_clip.notes)
    single = compute_scores(table([[4]]), name="s").kept.opinions[0].mean
    assert (single.value, single.low, single.high) == (4.0, None, None)
    assert single.reason


def test_data_sets_are_scored_together_and_separately() -> None:
    answers = [replace(one, dataset="LRS2", rating=1) for one in table([[3, 3], [3, 3]])]
    scores = compute_scores(answers + table([[5, 5], [5, 5]]), name="s")
    found = {one.dataset: one.mean.value for one in scores.kept.opinions}
    assert found == {None: 3.0, "CLR": 5.0, "LRS2": 1.0}


def test_training_is_never_scored() -> None:
    practice = answer("r0", "c9", "m", 1, role="training")
    scores = compute_scores([*table([[5, 5], [5, 5]]), practice], name="s")
    assert scores.kept.n_ratings == 4
    assert scores.kept.opinions[0].mean.value == 5.0


# ---- screening --------------------------------------------------------------------------------


def bt500_by_hand(answers: Sequence[Answer]) -> dict[str, FarRatings]:
    """The recommendation's loop, presentation by presentation."""
    groups: dict[tuple[str, ...], dict[str, int]] = defaultdict(dict)
    for one in answers:
        groups[one.place[1:]][one.rater] = one.rating
    above: dict[str, int] = defaultdict(int)
    below: dict[str, int] = defaultdict(int)
    total: dict[str, int] = defaultdict(int)
    for group in groups.values():
        given = list(group.values())
        mean = sum(given) / len(given)
        second = sum((one - mean) ** 2 for one in given) / len(given)
        for rater in group:
            total[rater] += 1
        if second == 0:
            continue
        deviation = math.sqrt(sum((one - mean) ** 2 for one in given) / (len(given) - 1))
        beta = sum((one - mean) ** 4 for one in given) / len(given) / second**2
        far = 2 * deviation if 2 <= beta <= 4 else math.sqrt(20) * deviation
        for rater, rating in group.items():
            above[rater] += rating >= mean + far
            below[rater] += rating <= mean - far
    return {rater: FarRatings(above[rater], below[rater], total[rater]) for rater in total}


def crowd_of(seed: int, careless: float = 0.1, checks: int = 0) -> tuple[list[Answer], set[str]]:
    shown = [
        Presentation(f"r{rater:02d}", "CLR", f"c{clip}", method)
        for rater in range(20)
        for clip in range(6)
        for method in ("one", "two", "three")
    ]
    for rater in range(20):
        for clip in range(checks):
            shown.append(Presentation(f"r{rater:02d}", "CLR", f"c{clip}", "truth", "truth"))
            shown.append(Presentation(f"r{rater:02d}", "CLR", f"c{clip}", "mismatched", "low"))
    questions = ["sync_accuracy", "visual_quality"]
    means = even_means(("one", "two", "three"), questions)
    answers, random = simulate(shown, questions, means, Crowd(careless=careless, seed=seed))
    return list(answers), set(random)


def test_bt500_counts_equal_those_of_the_recommendations_procedure() -> None:
    for seed in range(3):
        answers, _ = crowd_of(seed)
        assert far_ratings(answers) == bt500_by_hand(answers)


def test_bt500_excludes_erratic_but_not_strict_raters() -> None:
    assert FarRatings(above=3, below=3, ratings=100).excludes
    assert not FarRatings(above=2, below=3, ratings=100).excludes  # 5 % is not more than 5 %
    assert not FarRatings(above=0, below=20, ratings=100).excludes  # strict
    assert FarRatings(above=65, below=36, ratings=200).excludes  # 0.287
    assert not FarRatings(above=13, below=7, ratings=100).excludes  # 0.3 is not less than 0.3
    assert not FarRatings(0, 0, 100).excludes


def test_bt500_identical_ratings_count_against_nobody() -> None:
    counts = far_ratings(table([[4, 4]] * 10))
    assert all(one == FarRatings(0, 0, 2) for one in counts.values())


def test_failed_checks_exclude_a_rater_and_the_reason_counts_them() -> None:
    answers = table([[4, 3, 4, 2]] * 3)
    for place in range(2):
        for rater, truth, low in (("r0", 5, 1), ("r1", 2, 5), ("r2", 3, 3)):
            answers.append(answer(rater, f"t{place}", "truth", truth, role="truth"))
            answers.append(answer(rater, f"l{place}", "mismatched", low, role="low"))
    found = {one.rater: one for one in screen(answers, ScreeningRules(truth_above_low=False))}
    assert set(found) == {"r1"}
    assert found["r1"].reason == (
        "4 of 4 attention checks failed, more than 25%: 2 of 2 ratings of the hidden reference are "
        "below 3, 2 of 2 of the low anchor are above 3"
    )
    both = {one.rater: one.reason for one in screen(answers, ScreeningRules())}
    assert set(both) == {"r1", "r2"}
    assert both["r2"] == "hidden reference not rated above the low anchor (means 3.00 and 3.00)"


def test_early_ratings_are_noted_and_exclude_nobody() -> None:
    answers = [replace(one, at="2026-01-01T00:00:00Z") for one in table([[4, 3, 5], [2, 1, 4]])]
    assert not [
        note
        for note in screening_notes(answers, ScreeningRules())
        if "sooner than they last" in note
    ]
    hasty = [replace(one, early=one.rater == "r1" and one.case != "c2") for one in answers]
    hasty += [replace(one, question="visual_quality", early=False) for one in hasty]
    practice = answer("r0", "p", "wav2lip", 3, role="training")
    hasty.append(replace(practice, early=True))
    (note,) = [
        one for one in screening_notes(hasty, ScreeningRules()) if "sooner than they last" in one
    ]
    assert note.endswith(": r1 (2/3).")  # videos, not ratings; practice is never counted
    assert screen(hasty, ScreeningRules()) == screen(answers, ScreeningRules()) == ()


def test_an_early_rating_stays_marked_in_the_csv(tmp_path: Path) -> None:
    early = replace(table([[4]])[0], early=True)
    write_answers(tmp_path / "a.csv", [early])
    assert read_answers(tmp_path / "a.csv") == (early,)
    text = (tmp_path / "a.csv").read_text(encoding="utf-8").replace(",yes,", ",perhaps,")
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    with pytest.raises(BenchError, match="column early: 'perhaps' is neither yes nor no"):
        read_answers(tmp_path / "a.csv")


def test_the_low_anchor_is_checked_on_the_questions_on_which_it_is_bad() -> None:
    """Other speech breaks the sync, not the frames: rating these highly fails no check."""
    answers = table([[4, 3]] * 2)
    answers = [replace(one, question="sync_accuracy") for one in answers]
    for rater in ("r0", "r1"):
        truth = answer(rater, "t", "truth", 5, role="truth", question="sync_accuracy")
        low = answer(rater, "l", "mismatched", 1, role="low", question="sync_accuracy")
        answers += [truth, low, replace(low, question="visual_quality", rating=5)]
    assert screen(answers, ScreeningRules()) == ()
    strict = ScreeningRules(low_questions=("visual_quality",))
    with pytest.raises(BenchError, match="exclude all 2 raters"):
        screen(answers, strict)


def test_an_unknown_check_question_is_an_error() -> None:
    with pytest.raises(BenchError, match="no answers to the question 'beauty'"):
        screen(table([[3]]), ScreeningRules(low_questions=("beauty",)))


def test_results_are_given_with_and_without_excluded_raters() -> None:
    answers, careless = crowd_of(1, careless=0.2, checks=2)
    scores = compute_scores(answers, name="s", simulated=True)
    excluded = {one.rater for one in scores.exclusions}
    assert excluded <= careless
    assert len(excluded) >= 3
    assert set(scores.everyone.raters) - set(scores.kept.raters) == excluded
    kept = [one for one in answers if one.rater not in excluded]
    for method, question in itertools.product(("one", "two", "three"), ("sync_accuracy",)):
        given = [o.rating for o in kept if (o.method, o.question) == (method, question)]
        opinion = scores.kept.opinion(method, question)
        assert opinion is not None
        assert opinion.mean.value == pytest.approx(np.mean(given))
    before, after = scores.everyone.agreements[0].alpha, scores.kept.agreements[0].alpha
    assert before.value is not None
    assert after.value is not None
    assert after.value > before.value


# ---- pairs ------------------------------------------------------------------------------------


def test_sign_flips_equal_scipys_permutation_test() -> None:
    differences = np.array([0.5, -0.2, 1.0, 0.7, 0.1, 0.9, -0.4, 0.3])
    theirs = scipy.stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip(differences, seed=0) == pytest.approx(theirs.pvalue)


def test_random_sign_flips_approximate_the_exact_p_value() -> None:
    generator = np.random.default_rng(1)
    differences = list(generator.normal(0.25, 0.8, 14))
    exact = sign_flip(differences, seed=0)
    padded = sign_flip([*differences, 0.0], seed=0)  # a rater without an opinion changes nothing
    assert padded == pytest.approx(exact, abs=0.015)


def test_sign_flips_reject_a_true_null_at_the_nominal_rate() -> None:
    generator = np.random.default_rng(2)
    p_values = [sign_flip(generator.normal(0, 1, 8), seed=0) for _ in range(600)]
    assert np.mean(np.array(p_values) < 0.05) == pytest.approx(0.05, abs=0.027)  # three sigma


def test_pairs_are_corrected_after_holm() -> None:
    answers, _ = crowd_of(0, careless=0.0)
    scores = compute_scores(answers, name="s", simulated=True)
    for question in ("sync_accuracy", "visual_quality"):
        pairs = [one for one in scores.kept.comparisons if one.question == question]
        assert [(one.first, one.second) for one in pairs] == [
            ("one", "three"),
            ("one", "two"),
            ("three", "two"),
        ]
        raw = sorted(one.p_value for one in pairs)
        expected = np.maximum.accumulate([min(1.0, p * (3 - k)) for k, p in enumerate(raw)])
        assert sorted(one.p_corrected for one in pairs) == pytest.approx(list(expected))
        assert all(one.pairing == "clip" for one in pairs)
        assert all(one.difference.n == 20 * 6 for one in pairs)


def test_a_pair_is_compared_on_the_same_clips_of_the_same_rater() -> None:
    first = table([[5, 5, 1], [4, 4, 1]], "a")
    second = table([[3, 3], [2, 2]], "b")  # nobody rated the third clip by b
    (pair,) = compute_scores(first + second, name="s").kept.comparisons
    assert pair.difference.value == pytest.approx(2.0)
    assert (pair.difference.n, pair.n_raters, pair.n_cases) == (4, 2, 2)
    assert pair.p_value == pytest.approx(0.5)  # two raters: two of four sign patterns


def test_methods_are_compared_by_rater_if_raters_see_each_clip_once() -> None:
    answers = [
        answer(f"r{rater}", f"c{clip}", "ab"[(rater + clip) % 2], 4 if (rater + clip) % 2 else 2)
        for rater in range(6)
        for clip in range(6)
    ]
    scores = compute_scores(answers, name="s")
    (pair,) = scores.kept.comparisons
    assert pair.pairing == "rater"
    assert pair.difference.value == pytest.approx(-2.0)
    assert pair.p_value == pytest.approx(2 / 64)
    assert any("each clip by one method only" in note for note in scores.notes)


def test_one_rater_cannot_be_tested() -> None:
    answers = table([[5, 4]], "a") + table([[3, 3]], "b")
    (pair,) = compute_scores(answers, name="s").kept.comparisons
    assert pair.p_value is None
    assert pair.p_corrected is None
    assert "at least two" in pair.reason


# ---- correlations -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_spearman_equals_scipys_with_ties(seed: int) -> None:
    generator = np.random.default_rng(seed)
    one = generator.integers(0, 6, 25).astype(float)
    other = one + generator.integers(0, 4, 25)
    assert spearman(one, other) == pytest.approx(scipy.stats.spearmanr(one, other).statistic)


def test_weighted_spearman_equals_that_of_repeated_points() -> None:
    generator = np.random.default_rng(0)
    one, other = generator.integers(0, 5, 12).astype(float), generator.normal(0, 1, 12)
    weights = generator.integers(0, 4, (6, 12)).astype(float)
    found = weighted_spearman(np.tile(one, (6, 1)), np.tile(other, (6, 1)), weights)
    for row in range(6):
        times = weights[row].astype(int)
        theirs = scipy.stats.spearmanr(np.repeat(one, times), np.repeat(other, times)).statistic
        assert found[row] == pytest.approx(theirs)


def test_a_constant_has_no_correlation() -> None:
    assert spearman(np.ones(6), np.arange(6.0)) is None


@pytest.fixture(scope="module")
def run_of_clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_run(tmp_path_factory.mktemp("study") / "clr", FakeRun(speakers=3, clips_each=4))


def metric_of(run: Path, output: str) -> dict[tuple[str, str], float]:
    """The values by case and method, read directly from the records."""
    lines = (run / "generations.jsonl").read_text(encoding="utf-8").splitlines()
    videos = {one["sha256"]: (one["case"], one["method"]) for one in map(json.loads, lines)}
    found = {}
    for line in (run / "measurements.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if output in record["values"]:
            found[videos[record["video_sha256"]]] = record["values"][output]
    return found


def study_of(run: Path, raters: int = 6) -> list[Answer]:
    """Answers of raters who rate three methods by their LSE-C, with noise."""
    generator = np.random.default_rng(0)
    values = metric_of(run, "lse_c")
    cases = sorted({case for case, _ in values if "+" not in case and "~" not in case})
    methods = ("wav2lip", "copycat", "M-CSAWav2Lip")
    return [
        answer(f"r{rater}", case, method, int(np.clip(wish, 1, 5)))
        for rater in range(raters)
        for case in cases
        for method in methods
        for wish in [round(1.0 * values[case, method] - 3.0 + generator.normal(0, 0.6))]
    ]


def test_correlation_by_clip_uses_mean_opinion_scores(run_of_clips: Path, tmp_path: Path) -> None:
    answers = study_of(run_of_clips)
    write_answers(tmp_path / "answers.csv", answers)
    done = CliRunner().invoke(
        main, ["study", "score", str(tmp_path / "answers.csv"), "--run", str(run_of_clips)]
    )
    assert done.exit_code == 0, done.output
    assert re.search(r"(?m)^ *Wav2Lip \(2020\) +\d", done.output)  # by its title, not its label
    scores = read_scores(tmp_path / "answers.scores.json")
    values = metric_of(run_of_clips, "lse_c")
    means: dict[tuple[str, str], list[int]] = defaultdict(list)
    for one in answers:
        means[one.case, one.method].append(one.rating)
    theirs = scipy.stats.spearmanr(
        [values[place] for place in means], [np.mean(given) for given in means.values()]
    ).statistic
    (found,) = [
        one for one in scores.kept.correlations if (one.output, one.level) == ("lse_c", "clip")
    ]
    assert found.rho.value == pytest.approx(theirs)
    assert found.rho.low is not None
    assert found.rho.high is not None
    assert found.rho.low <= theirs <= found.rho.high
    assert found.rho.n == len(means) == len(found.points)
    (by_method,) = [
        one for one in scores.kept.correlations if (one.output, one.level) == ("lse_c", "method")
    ]
    assert by_method.rho.value is None
    assert "3 methods" in by_method.rho.reason
    point = next(one for one in by_method.points if one.method == "wav2lip")
    own = [value for (case, method), value in values.items() if method == "wav2lip"]
    shown = {case for case, _ in means}
    own = [values[case, "wav2lip"] for case in shown]
    assert point.value == pytest.approx(np.mean(own))


def test_runs_are_written_only_with_into_runs(run_of_clips: Path, tmp_path: Path) -> None:
    def files() -> dict[Path, bytes]:
        return {p: p.read_bytes() for p in run_of_clips.rglob("*") if p.is_file()}

    write_answers(tmp_path / "answers.csv", study_of(run_of_clips))
    arguments = ["study", "score", str(tmp_path / "answers.csv"), "--run", str(run_of_clips)]
    before = files()
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert files() == before
    assert "--into-runs" in done.output
    scores = read_scores(tmp_path / "answers.scores.json")
    elsewhere = tmp_path / "new" / "mine.json"
    done = CliRunner().invoke(main, [*arguments, "-o", str(elsewhere), "--into-runs"])
    assert done.exit_code == 0, done.output
    assert read_scores(elsewhere) == scores
    assert elsewhere.with_suffix(".csv").is_file()
    in_run = run_of_clips / "studies" / "answers.json"
    assert read_scores(in_run) == scores
    assert files().keys() - before.keys() == {in_run}
    assert "bench report" in done.output
    done = CliRunner().invoke(main, [*arguments, "-o", str(tmp_path / "mine.csv")])
    assert done.exit_code == 2
    assert "name a .json file" in done.output


def test_correlation_by_method_has_an_interval_with_enough_methods() -> None:
    methods = [f"m{number}" for number in range(6)]
    shown = [
        Presentation(f"r{rater}", "CLR", f"c{clip}", method)
        for rater in range(10)
        for clip in range(8)
        for method in methods
    ]
    answers, _ = simulate(shown, ["q"], even_means(methods, ["q"]), Crowd(noise=0.4))
    values = {
        (("CLR", f"c{clip}"), method): 2.0 * place + 0.1 * clip
        for place, method in enumerate(methods)
        for clip in range(8)
    }
    kinds = {("CLR", f"c{clip}"): "reconstruct" for clip in range(8)}
    column = MetricColumn(
        "run", "lse", "lse_c", "LSE-C", "1", "higher", "lse", False, values, {}, kinds
    )
    of_set = {("CLR", "reconstruct", method): -place for place, method in enumerate(methods)}
    set_column = replace(column, is_set=True, by_clip={}, by_set=of_set, output="fid")
    found = correlate(arrange(answers, "q", "rated"), [column, set_column], Bootstrap(0, 300))
    by = {(one.output, one.level): one for one in found}
    assert set(by) == {("lse_c", "clip"), ("lse_c", "method"), ("fid", "method")}
    assert by["lse_c", "method"].rho.value == pytest.approx(1.0)
    assert by["fid", "method"].rho.value == pytest.approx(-1.0)
    assert by["lse_c", "method"].rho.low is not None
    assert by["lse_c", "method"].rho.low > 0.7


def test_a_run_without_the_rated_videos_is_refused(run_of_clips: Path, tmp_path: Path) -> None:
    write_answers(tmp_path / "answers.csv", table([[3, 4], [2, 5]]))
    done = CliRunner().invoke(
        main, ["study", "score", str(tmp_path / "answers.csv"), "--run", str(run_of_clips)]
    )
    assert done.exit_code == 2
    assert "has none of the rated videos" in done.output
    assert not (tmp_path / "answers.scores.json").exists()


def test_answers_without_a_data_set_get_the_runs_only_one(
    run_of_clips: Path, tmp_path: Path
) -> None:
    answers = [replace(one, dataset="") for one in study_of(run_of_clips, raters=2)]
    write_answers(tmp_path / "answers.csv", answers)
    arguments = ["study", "score", str(tmp_path / "answers.csv"), "--run", str(run_of_clips)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    scores = read_scores(tmp_path / "answers.scores.json")
    assert any(one.points for one in scores.kept.correlations)


# ---- whole studies ------------------------------------------------------------------------------


def test_scores_survive_their_json(tmp_path: Path) -> None:
    answers, _ = crowd_of(2, checks=1)
    scores = compute_scores(answers, name="s", simulated=True)
    write_scores(tmp_path / "scores.json", scores)
    assert read_scores(tmp_path / "scores.json") == scores
    assert "NaN" not in (tmp_path / "scores.json").read_text(encoding="utf-8")


def test_the_order_of_the_answers_does_not_matter() -> None:
    answers, _ = crowd_of(3, checks=1)
    shuffled = [answers[place] for place in np.random.default_rng(0).permutation(len(answers))]
    settings = ScoringSettings(seed=5, resamples=200)
    assert compute_scores(answers, name="s", settings=settings) == compute_scores(
        shuffled, name="s", settings=settings
    )


def test_newer_and_broken_scores_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    path.write_text('{"schema": 99}', encoding="utf-8")
    with pytest.raises(BenchError, match="newer version"):
        read_scores(path)
    path.write_text('{"schema": 1, "name": "s"}', encoding="utf-8")
    with pytest.raises(BenchError, match="title"):
        read_scores(path)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(BenchError, match="cannot be read"):
        read_scores(path)


def test_simulated_answers_are_marked_everywhere(tmp_path: Path) -> None:
    answers, _ = crowd_of(4)
    write_answers(tmp_path / "answers.csv", answers)
    done = CliRunner().invoke(main, ["study", "score", str(tmp_path / "answers.csv")])
    assert done.exit_code == 0, done.output
    assert "Simulated raters" in done.output
    assert read_scores(tmp_path / "answers.scores.json").simulated
    with (tmp_path / "answers.scores.csv").open(encoding="utf-8") as file:
        assert {row["simulated"] for row in csv.DictReader(file)} == {"yes"}


def test_simulated_and_real_answers_are_not_mixed(tmp_path: Path) -> None:
    answers = [answer("r", "c", "m", 3), answer("s", "c", "m", 3, simulated=True)]
    with pytest.raises(BenchError, match="1 of 2 answers are simulated"):
        is_simulated(answers, tmp_path)


@pytest.mark.parametrize(
    "ratings",
    [
        [[4]],  # one rater, one clip
        [[1, 2, 3]],  # one rater
        [[1], [2], [3]],  # one clip
        [[3, 3], [3, 3]],  # all the same
        [[1, 5], [1, 5]],  # raters agree wholly
    ],
)
def test_unusual_studies_have_values_or_reasons(
    ratings: Sequence[Sequence[int]], tmp_path: Path
) -> None:
    answers = table(ratings, "a") + table(ratings, "b")
    write_answers(tmp_path / "answers.csv", answers)
    done = CliRunner().invoke(main, ["study", "score", str(tmp_path / "answers.csv")])
    assert done.exit_code == 0, done.output
    assert "nan" not in done.output.lower()
    scores = read_scores(tmp_path / "answers.scores.json")
    for one in scores.kept.agreements:
        for estimate in (one.alpha, one.icc_average, one.icc_single):
            assert (estimate.value is not None) or estimate.reason
    for pair in scores.kept.comparisons:
        assert (pair.p_value is not None) or pair.reason


@pytest.mark.filterwarnings("error")
def test_incomplete_studies_never_give_nan() -> None:
    """A hundred small studies with missing ratings, few raters, few values and mixed roles."""
    generator = np.random.default_rng(0)
    scored = 0
    for _ in range(100):
        raters, clips, methods = generator.integers(1, 5, 3)
        share, highest = generator.choice([0.2, 0.6, 1.0]), generator.integers(2, 7)
        answers = [
            answer(
                f"r{rater}",
                f"c{clip}",
                f"m{method}",
                int(generator.integers(1, highest)),
                role=str(generator.choice(["rated", "truth", "low"], p=[0.8, 0.1, 0.1])),
            )
            for rater in range(raters)
            for clip in range(clips)
            for method in range(methods)
            if generator.random() < share
        ]
        try:
            scores = compute_scores(answers, name="s", settings=ScoringSettings(resamples=50))
        except BenchError:  # nothing rated, or nobody left
            continue
        json.dumps(asdict(scores), allow_nan=False)
        scored += 1
    assert scored > 50


def test_answers_to_practice_videos_alone_cannot_be_scored() -> None:
    with pytest.raises(BenchError, match="only answers to practice"):
        compute_scores([answer("r", "c", "m", 3, role="training")], name="s")


def test_the_csv_of_scores_is_complete(tmp_path: Path) -> None:
    write_answers(tmp_path / "a.csv", table([[1, 2], [5, 4]], "=m"))
    assert CliRunner().invoke(main, ["study", "score", str(tmp_path / "a.csv")]).exit_code == 0
    with (tmp_path / "a.scores.csv").open(encoding="utf-8", newline="") as file:
        kept, everyone = csv.DictReader(file)
    assert kept["method"] == "'=m"  # no formula in a spreadsheet
    assert (kept["mean"], kept["n_1"], kept["n_ratings"], kept["raters"]) == (
        "3.0",
        "1",
        "4",
        "kept",
    )
    assert everyone["raters"] == "everyone"


# ---- the table of answers -----------------------------------------------------------------------


def test_answers_survive_their_csv(tmp_path: Path) -> None:
    answers = (
        answer("r", "c", "m", 3, comment='=cmd|"x", a\nb\r\nc', at="2026-01-31T14:05:00Z"),
        answer("r", "c", "m", 1, role="truth", comment="'=x"),
        answer("评分者", "c", "m", 5, simulated=True, comment="好"),
    )
    write_answers(tmp_path / "a.csv", answers)
    assert read_answers(tmp_path / "a.csv") == answers
    assert "\n=" not in (tmp_path / "a.csv").read_text(encoding="utf-8")


def test_one_error_lists_all_bad_cells_of_the_answers(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "rater,case,method,question,rating,role,at,simulated\n"
        "r,c,m,q,4.5,,,\n"
        "r,c,m,q,4.5,,,\n"
        "r,c,m,q,,,,\n"
        "r,c,m,q,5 (Excellent),judge,yesterday,perhaps\n"
        ",c,m,q,0,,,\n"
        "r,c,m,q,4.0,,,\n"
        "r,c,m,q,3,rated,,\n",
        encoding="utf-8",
    )
    with pytest.raises(BenchError) as caught:
        read_answers(path)
    told = str(caught.value).splitlines()
    assert any("rows 2-3, column rating: '4.5'" in line for line in told)
    assert any("row 4, column rating: is empty" in line for line in told)
    for column in ("rating", "role", "at", "simulated"):
        assert any(f"row 5, column {column}:" in line for line in told)
    assert any("row 6, column rater: is empty" in line for line in told)
    assert any("row 6, column rating: '0'" in line for line in told)
    assert any(
        "row 8, column rating: row 7 already has this rater's answer" in line for line in told
    )
    assert len(told) == 9


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("rater,case,method,question\n", "column rating: missing"),
        ("rater,case,method,question,rating,mood\nr,c,m,q,3,x\n", "column mood: unknown"),
        ("rater,case,method,question,rating\n", "has no answers"),
        ("rater,case,method,question,rating\nr,c,m,q\n", "has 4 cells"),
    ],
)
def test_files_that_are_not_tables_of_answers_are_refused(
    text: str, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BenchError, match=told):
        read_answers(path)


# ---- a study's folder ---------------------------------------------------------------------------


@pytest.fixture
def study_folder(tmp_path: Path) -> Path:
    """A study of two methods, three cases and checks for three raters, without video files."""
    folder = tmp_path / "mine"
    folder.mkdir()
    text = questionnaire_text(questions=None, layout="single", languages=("en", "zh"))
    (folder / "study.yaml").write_text(text, encoding="utf-8")
    cases = ("s01", "s02", "s03")
    items = [
        Item(f"{case}{method}", "CLR", case, method, "rated", "x.mp4", 1.0)
        for case in cases
        for method in ("wav2lip", "copycat")
    ]
    items.append(Item("truth", "CLR", "s01", "truth", "truth", "x.mp4", 1.0))
    items.append(Item("low", "CLR", "s02", "mismatched", "low", "x.mp4", 1.0))
    items.append(Item("practice", "CLR", "s04", "copycat", "training", "x.mp4", 1.0))
    places = tuple(("CLR", case) for case in cases)
    pages = tuple((item.code,) for item in items)
    design = Design(
        study="5eed",
        created="2026-01-01T00:00:00+00:00",
        runs=(str(tmp_path / "gone"),),
        layout="single",
        plan=SessionPlan(("copycat", "wav2lip"), places, 1, Balance(2, 3, 6, 1, 0)),
        items={item.code: item for item in items},
        examples=(),
        sessions={f"r{number:02d}": pages for number in (1, 2, 3)},
    )
    write_design(folder, design)
    return folder


def test_scores_of_a_served_study_equal_means_computed_by_hand(study_folder: Path) -> None:
    given = {"r01": 5, "r02": 4, "r03": 2}
    with Ledger(study_folder / "answers.sqlite") as ledger:
        for rater, rating in given.items():
            ledger.record(rater, "s01wav2lip", {"sync_accuracy": 1}, comment=None)  # then changed
            for case in ("s01", "s02"):
                ledger.record(rater, f"{case}wav2lip", {"sync_accuracy": rating}, comment="ok")
                ledger.record(rater, f"{case}copycat", {"sync_accuracy": 1}, comment=None)
            ledger.record(rater, "truth", {"sync_accuracy": 5}, comment=None)
            ledger.record(rater, "practice", {"sync_accuracy": 1}, comment=None)
    done = CliRunner().invoke(main, ["study", "score", str(study_folder)])
    assert done.exit_code == 0, done.output
    scores = read_scores(study_folder / "scores.json")
    opinion = scores.kept.opinion("wav2lip", "sync_accuracy")
    assert opinion is not None
    assert opinion.mean.value == pytest.approx((5 + 4 + 2) / 3)
    assert opinion.n_ratings == 6
    assert scores.kept.opinion("truth", "sync_accuracy", "truth") is not None
    assert [one.zh for one in scores.questions] == ["同步准确度"]
    assert (scores.title, scores.title_zh) == ("Talking faces", "说话人脸视频评价")
    assert scores.methods == ("copycat", "wav2lip", "truth")
    assert scores.name == "mine"
    assert "the run no longer exists" in done.output


def test_the_error_for_a_study_without_answers_says_what_to_do(study_folder: Path) -> None:
    done = CliRunner().invoke(main, ["study", "score", str(study_folder)])
    assert done.exit_code == 2
    assert "bench study serve" in done.output


def test_simulated_answers_do_not_touch_real_answers_and_scores(study_folder: Path) -> None:
    run = CliRunner().invoke
    means = study_folder / "means.csv"
    means.write_text(
        "method,sync_accuracy,visual_quality,overall_impression\nwav2lip,4,4,4\ncopycat,2,2,2\n",
        encoding="utf-8",
    )
    arguments = ["study", "simulate", str(study_folder), "--means", str(means), "--noise", "0.2"]
    done = run(main, [*arguments, "--raters", "12", "--bias", "0", "--clip", "0"])
    assert done.exit_code == 0, done.output
    answers = read_answers(study_folder / "simulated.csv")
    assert len({one.rater for one in answers}) == 12
    assert all(one.simulated and one.role != "training" for one in answers)
    done = run(main, ["study", "score", str(study_folder / "simulated.csv")])
    assert done.exit_code == 0, done.output
    assert not (study_folder / "scores.json").exists()
    scores = read_scores(study_folder / "simulated.scores.json")
    assert (scores.name, scores.simulated) == ("mine.simulated", True)
    opinion = scores.kept.opinion("wav2lip", "visual_quality")
    assert opinion is not None
    assert opinion.mean.value == pytest.approx(4.0, abs=0.1)


def test_a_study_that_was_never_served_is_scored_from_its_answers_csv(study_folder: Path) -> None:
    answers = [
        answer(f"r0{rater}", case, "wav2lip", rater + 1, question="sync_accuracy")
        for rater in (1, 2, 3)
        for case in ("s01", "s02")
    ]
    write_answers(study_folder / "answers.csv", answers)
    done = CliRunner().invoke(main, ["study", "score", str(study_folder)])
    assert done.exit_code == 0, done.output
    opinion = read_scores(study_folder / "scores.json").kept.opinion("wav2lip", "sync_accuracy")
    assert opinion is not None
    assert opinion.mean.value == pytest.approx(3.0)
