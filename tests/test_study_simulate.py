"""Simulated raters: scoring recovers the model's parameters, and results are marked simulated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.ground.errors import BenchError
from bench.study.make.simulation import (
    Crowd,
    Presentation,
    centre_of,
    even_means,
    expected_rating,
    read_means,
    simulate,
)
from bench.study.score.agreement import ordinal_alpha
from bench.study.score.bootstrap import Bootstrap, mean_estimate
from bench.study.score.ratings import arrange
from bench.study.score.screening import ScreeningRules, screen

METHODS = ("poor", "fair", "good")
MEANS = {("poor", "q"): 1.6, ("fair", "q"): 3.0, ("good", "q"): 4.5}


def presentations(raters: int, clips: int, *, checks: int = 0) -> list[Presentation]:
    """A design in which all raters see all videos, and `checks` checks of each kind."""
    shown = []
    for rater in range(raters):
        name = f"r{rater:02d}"
        for clip in range(clips):
            shown += [Presentation(name, "d", f"c{clip}", method) for method in METHODS]
        for clip in range(checks):
            shown.append(Presentation(name, "d", f"c{clip}", "truth", "truth"))
            shown.append(Presentation(name, "d", f"c{clip}", "mismatched", "low"))
    return shown


@pytest.mark.parametrize("mean", [1.05, 1.6, 3.0, 4.5, 4.95])
@pytest.mark.parametrize("spread", [0.3, 0.9, 2.0])
def test_the_centre_gives_the_wanted_mean(mean: float, spread: float) -> None:
    centre = centre_of(mean, spread)
    assert expected_rating(centre, spread) == pytest.approx(mean, abs=1e-9)
    options = np.random.default_rng(0).normal(centre, spread, 200_000)
    rounded = np.clip(np.floor(options + 0.5), 1, 5)
    assert rounded.mean() == pytest.approx(mean, abs=0.02)


def test_answers_depend_on_the_seed_only() -> None:
    shown = presentations(4, 3)
    first, _ = simulate(shown, ["q"], MEANS, Crowd(seed=1))
    again, _ = simulate(shown, ["q"], MEANS, Crowd(seed=1))
    other, _ = simulate(shown, ["q"], MEANS, Crowd(seed=2))
    assert first == again
    assert first != other
    assert all(answer.simulated for answer in first)


def test_practice_videos_get_no_simulated_answers() -> None:
    answers, _ = simulate(
        [Presentation("r", "d", "c", "poor", "training"), Presentation("r", "d", "c", "poor")],
        ["q"],
        MEANS,
        Crowd(),
    )
    assert [answer.role for answer in answers] == ["rated"]


def test_intervals_contain_the_true_mean_at_the_nominal_rate() -> None:
    """120 studies of 20 raters and 10 clips; nominal rate 95 %. The Monte Carlo error of 360
    intervals, in groups of three with the same raters and clips, is below 2 % (one sigma)."""
    shown = presentations(20, 10)
    held, errors = [], []
    for seed in range(120):
        answers, _ = simulate(shown, ["q"], MEANS, Crowd(seed=seed))
        ratings = arrange(answers, "q", "rated")
        for method in METHODS:
            found = mean_estimate(ratings.of_method(method), Bootstrap(seed, 400))
            assert found.value is not None
            assert found.low is not None
            assert found.high is not None
            errors.append(found.value - MEANS[method, "q"])
            held.append(found.low <= MEANS[method, "q"] <= found.high)
    assert 0.90 <= np.mean(held) <= 0.995
    assert abs(np.mean(errors)) < 0.03  # no bias: rounding and the scale's ends are accounted for


def test_intervals_contain_the_true_mean_in_incomplete_designs() -> None:
    generator = np.random.default_rng(0)
    held = []
    for seed in range(60):
        shown = [one for one in presentations(20, 12) if generator.random() < 0.3]
        answers, _ = simulate(shown, ["q"], MEANS, Crowd(seed=seed))
        ratings = arrange(answers, "q", "rated")
        for method in METHODS:
            found = mean_estimate(ratings.of_method(method), Bootstrap(seed, 400))
            assert found.low is not None
            assert found.high is not None
            held.append(found.low <= MEANS[method, "q"] <= found.high)
    assert np.mean(held) >= 0.90


def test_screening_excludes_careless_raters_and_no_others() -> None:
    """Forty studies with 2 careless raters of 20, two checks of each kind, three questions."""
    questions = ["sync_accuracy", "visual_quality", "overall_impression"]
    means = even_means(METHODS, questions)
    caught = careful = lost = 0
    for seed in range(40):
        answers, careless = simulate(
            presentations(20, 8, checks=2), questions, means, Crowd(careless=0.1, seed=seed)
        )
        excluded = {one.rater for one in screen(answers, ScreeningRules())}
        caught += len(excluded & set(careless))
        lost += len(excluded - set(careless))
        careful += 20 - len(careless)
    assert caught / (2 * 40) >= 0.95
    assert lost / careful <= 0.02


def test_excluding_careless_raters_restores_the_mean() -> None:
    answers, careless = simulate(
        presentations(20, 20, checks=2), ["q"], MEANS, Crowd(careless=0.3, seed=3)
    )
    excluded = {one.rater for one in screen(answers, ScreeningRules())}
    assert set(careless) <= excluded
    kept = [answer for answer in answers if answer.rater not in excluded]
    with_all = arrange(answers, "q", "rated").of_method("good").mean()
    without = arrange(kept, "q", "rated").of_method("good").mean()
    assert abs(without - 4.5) < abs(with_all - 4.5) - 0.2


def test_agreement_falls_as_noise_grows() -> None:
    alphas = []
    for noise in (0.2, 0.8, 1.6, 3.2):
        answers, _ = simulate(presentations(12, 12), ["q"], MEANS, Crowd(bias=0.2, noise=noise))
        alpha = ordinal_alpha(arrange(answers, "q", "rated").items)
        assert alpha is not None
        alphas.append(alpha)
    assert alphas == sorted(alphas, reverse=True)
    assert alphas[0] > 0.8
    assert alphas[-1] < 0.6 * alphas[0]


def test_means_are_read_in_the_layout_of_the_papers_table(tmp_path: Path) -> None:
    path = tmp_path / "means.csv"
    path.write_text("method,sync_accuracy,visual_quality\nWav2Lip,3.437,3.359\n", encoding="utf-8")
    assert read_means(path) == {
        ("Wav2Lip", "sync_accuracy"): 3.437,
        ("Wav2Lip", "visual_quality"): 3.359,
    }


def test_one_error_lists_all_bad_means(tmp_path: Path) -> None:
    path = tmp_path / "means.csv"
    path.write_text("method,q\nfirst,0.5\nsecond,many\nthird,3,4\n", encoding="utf-8")
    with pytest.raises(BenchError) as caught:
        read_means(path)
    told = str(caught.value)
    assert "row 2, column q" in told
    assert "row 3, column q" in told
    assert "row 4" in told


def test_a_method_without_a_mean_is_an_error() -> None:
    with pytest.raises(BenchError, match="no mean for the method 'unknown'"):
        simulate([Presentation("r", "d", "c", "unknown")], ["q"], MEANS, Crowd())


@pytest.mark.parametrize("wrong", [{"careless": 1.5}, {"noise": -1.0}, {"bias": float("nan")}])
def test_impossible_crowds_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(BenchError):
        Crowd(**wrong)
