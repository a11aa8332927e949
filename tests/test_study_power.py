"""The predicted power of a design agrees with simulated studies."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.command.cli import main
from bench.ground.errors import BenchError
from bench.study.answers import Role
from bench.study.balance import Balance, rater_pages
from bench.study.make.new_study import new_study
from bench.study.make.power import (
    Sizes,
    Spread,
    cases_needed,
    least_difference,
    power_sentences,
    probability,
    raters_needed,
)
from bench.study.make.selection import StudyOptions
from bench.study.make.simulation import Crowd, Presentation, simulate
from bench.study.score.bootstrap import Bootstrap
from bench.study.score.ratings import arrange
from bench.study.score.significance import compare_all
from tests.fixtures_run import FakeRun, build_run

RATED: Role = "rated"


def found_in_simulations(sizes: Sizes, difference: float, spread: Spread, studies: int) -> float:
    """The share of simulated studies of a design that find a difference between two methods.

    Simulations have no rater-by-method and method-by-clip effects, so `spread` must have none.
    """
    assert spread.taste == spread.fit == 0.0
    balance = Balance(sizes.methods, sizes.cases, sizes.per_rater, 1, 0)
    shown = [
        Presentation(f"r{rater}", "CLR", f"c{case}", f"m{method}")
        for rater in range(sizes.raters)
        for page in rater_pages(balance, rater)
        for case, method in page
    ]
    # The other methods differ a lot, so that they only add pairs to Holm's correction.
    means = {("m0", "q"): 3.0 - difference / 2, ("m1", "q"): 3.0 + difference / 2}
    means |= {(f"m{number}", "q"): 2.9 for number in range(2, sizes.methods)}
    found = 0
    for seed in range(studies):
        crowd = Crowd(bias=0.4, clip=spread.clip, noise=spread.noise, seed=seed)
        answers, _ = simulate(shown, ["q"], means, crowd)
        ratings = arrange(answers, "q", RATED, [f"m{n}" for n in range(sizes.methods)])
        first = compare_all(ratings, Bootstrap(0, 20))[0]
        assert (first.first, first.second) == ("m0", "m1")
        strictest = 0.05 / (sizes.methods * (sizes.methods - 1) / 2)
        found += first.p_value is not None and first.p_value < strictest
    return found / studies


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sizes", "difference"),
    [
        (Sizes(methods=2, cases=12, raters=16, per_rater=24), 0.2),
        (Sizes(methods=2, cases=12, raters=16, per_rater=8), 0.3),
        (Sizes(methods=3, cases=9, raters=18, per_rater=9), 0.5),
        (Sizes(methods=2, cases=6, raters=13, per_rater=12), 0.35),
    ],
)
def test_simulated_studies_find_differences_as_often_as_predicted(
    sizes: Sizes, difference: float
) -> None:
    spread = Spread(clip=0.3, taste=0.0, fit=0.0, noise=0.7)
    expected = probability(sizes, difference, spread)
    assert 0.25 < expected < 0.95  # where a mistake would show
    assert found_in_simulations(sizes, difference, spread, 200) == pytest.approx(expected, abs=0.1)


def test_thirty_raters_find_what_ten_cannot() -> None:
    thirty = Sizes(methods=2, cases=12, raters=30, per_rater=24)
    ten = replace(thirty, raters=10)
    assert probability(thirty, 0.3, Spread()) > 0.8
    assert probability(ten, 0.3, Spread()) < 0.5
    needed = raters_needed(ten, 0.3, Spread())
    assert needed is not None
    assert 10 < needed <= 30
    assert probability(replace(ten, raters=needed), 0.3, Spread()) >= 0.8
    assert probability(replace(ten, raters=needed - 1), 0.3, Spread()) < 0.8


def test_power_grows_with_raters_cases_videos_and_difference() -> None:
    base = Sizes(methods=4, cases=10, raters=20, per_rater=20)
    chance = probability(base, 0.3, Spread())
    assert probability(replace(base, raters=40), 0.3, Spread()) > chance
    assert probability(replace(base, per_rater=40), 0.3, Spread()) > chance
    assert probability(base, 0.6, Spread()) > chance
    assert probability(base, 0.3, Spread(noise=0.3)) > chance
    assert probability(base, 0.3, Spread(taste=0.0)) > chance
    assert probability(replace(base, methods=3, per_rater=15), 0.3, Spread()) > chance


def test_five_raters_can_never_be_significant() -> None:
    """Two-sided, with five signs p is at least 1/16."""
    five = Sizes(methods=2, cases=20, raters=5, per_rater=40)
    assert probability(five, 4.0, Spread()) == 0.0
    assert least_difference(five, Spread()) == math.inf
    assert probability(replace(five, raters=6), 4.0, Spread()) > 0.8
    assert "FIND NOTHING" in power_sentences(five, 0.3, Spread())[0]


def test_the_sentences_ask_for_more_cases_if_no_number_of_raters_is_enough() -> None:
    one_case = Sizes(methods=2, cases=1, raters=50, per_rater=2)
    spread = Spread(fit=0.4)
    assert raters_needed(one_case, 0.3, spread) is None
    needed = cases_needed(one_case, 0.3, spread)
    assert needed is not None
    assert needed > 1
    assert any(
        f"at least {needed} cases" in line for line in power_sentences(one_case, 0.3, spread)
    )


@pytest.mark.parametrize(("methods", "per_rater"), [(1, 10), (6, 5), (2, 41)])
def test_impossible_sizes_are_refused(methods: int, per_rater: int) -> None:
    with pytest.raises(BenchError):
        Sizes(methods, 20, 10, per_rater)


def test_a_new_study_states_its_power(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", FakeRun(speakers=2, clips_each=1, videos=True))
    made = new_study(
        [run], tmp_path / "study", StudyOptions(raters=4, methods=("wav2lip", "copycat"))
    )
    assert any("FIND NOTHING" in note for note in made.notes)
    assert any("a probability of 0.8 takes" in note for note in made.notes)
    assert any("assumed: standard deviations" in note for note in made.notes)
    alone = new_study([run], tmp_path / "alone", StudyOptions(raters=4, methods=("wav2lip",)))
    assert not any("is found" in note for note in alone.notes)


def test_the_command_needs_no_run() -> None:
    done = CliRunner().invoke(
        main, ["study", "power", "--methods", "2", "--cases", "12", *("--raters", "30")]
    )
    assert done.exit_code == 0, done.output
    assert "found with probability 0.8" in done.output
    assert "probability, by raters and cases" in done.output
    wrong = CliRunner().invoke(main, ["study", "power", "--methods", "6", "--per-rater", "3"])
    assert wrong.exit_code == 2
    assert "--per-rater: 3; expected 6 (each method once) to 120" in wrong.output
