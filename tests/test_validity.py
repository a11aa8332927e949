"""A scorer is judged by what it is for: controls made by hand, verdicts by intervals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import reports
from bench.checks.scorer import CONTROLS as ASKED
from bench.command import terminal
from bench.ground.stats import Interval, share_interval
from reports.terminal import scorer_findings, scorer_verdict
from reports.validity import Validity, judge, verdict
from reports.worth import read_judged
from tests.fixtures_run import COMPETITORS, CONTROLS, FakeMethod, FakeRun, build_run

TRUTH, STILL, LATER, MISMATCHED = CONTROLS
EARLIER = FakeMethod("shifted", label="earlier", control=True, offset=-5, kinds=("reconstruct",))
Values = Callable[[int], float]


def measured(
    folder: Path,
    clips: int,
    *,
    truth: Values = lambda _: 6.0,
    mismatched: Values = lambda _: 1.0,
    still: Values = lambda _: 0.1,
    offset: Values = lambda _: 0.0,
    moved: Values | None = None,
    methods: tuple[FakeMethod, ...] = CONTROLS,
    dataset: str = "CLR",
) -> Path:
    """A run whose controls have these values by number of the clip.

    offset: the truth's. moved: of a sound that is 5 frames earlier; without it, it is followed.
    """
    fake = FakeRun(
        methods=(*methods, *COMPETITORS[:2]), speakers=clips, clips_each=1, dataset=dataset
    )
    run = build_run(folder, fake)
    made = [json.loads(line) for line in (run / "generations.jsonl").read_text().splitlines()]
    owner = {one["sha256"]: (one["method"], one["case"]) for one in made}
    lines: list[str] = []
    for line in (run / "measurements.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        method, case = owner[record["video_sha256"]]
        if record["metric"] == "lse" and "~" not in case and "+" not in case:
            number = int(case[1:3])
            confidence = {"truth": truth, "mismatched": mismatched, "still": still}.get(method)
            if confidence is not None:
                record["values"]["lse_c"] = confidence(number)
            if method == "truth":
                record["values"]["offset"] = offset(number)
            if method in ("shifted", "earlier"):
                own = offset(number) + (5 if method == "shifted" else -5)
                record["values"]["offset"] = own if moved is None else moved(number)
        lines.append(json.dumps(record))
    (run / "measurements.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return run


def judged(run: Path) -> Validity:
    (validity,) = read_judged([run]).validities
    return validity


def chance(number: int) -> float:
    return float(np.random.default_rng([7, number]).random() * 2)


def test_recordings_that_lag_do_not_condemn_the_scorer(tmp_path: Path) -> None:
    """As MEAD: every clip above wrong speech, moved sounds followed, yet 2.5 frames late."""
    run = measured(tmp_path / "run", 40, offset=lambda number: -2.0 - number % 2)
    found = judged(run)
    assert (found.state, found.works, found.offset, found.is_lagging) == ("works", True, -2.5, True)
    assert found.within_one is not None
    assert found.within_one.mean == 0.0
    page = reports.build([run], tmp_path / "out").read_text(encoding="utf-8")
    assert "lse works on CLR; the sound of the clips is about 2.5 frames late." in page
    assert "median −2.5 frames" in page
    assert "meaningless" not in page


def test_a_scorer_at_chance_is_rejected(tmp_path: Path) -> None:
    found = judged(
        measured(
            tmp_path / "run",
            40,
            truth=chance,
            mismatched=lambda number: chance(number + 1000),
            offset=lambda number: round(15 * (chance(number + 2000) - 1)),
            moved=lambda number: round(15 * (chance(number + 3000) - 1)),
        )
    )
    assert (found.state, found.works) == ("fails", False)
    assert found.auc is not None
    assert found.auc.mean == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("clips", [3, 5, 8, 12])
def test_one_miss_of_few_clips_is_no_rejection(tmp_path: Path, clips: int) -> None:
    found = judged(measured(tmp_path / "run", clips, truth=lambda number: 6.0 * (number > 0)))
    assert found.state in ("unsure", "works")
    found = judged(measured(tmp_path / "b", clips, moved=lambda number: 5.0 if number else -9.0))
    assert found.state in ("unsure", "works")


@pytest.mark.parametrize(
    ("hits", "count", "state"),
    [
        (0, 1, "unsure"),
        (1, 1, "unsure"),
        (5, 5, "unsure"),
        (6, 6, "works"),
        (7, 8, "unsure"),
        (8, 8, "works"),
        (4, 8, "fails"),
        (56, 60, "works"),
        (30, 60, "fails"),
        (51, 60, "unsure"),
        (45, 60, "fails"),
        (850, 1000, "fails"),
    ],
)
def test_the_interval_decides(hits: int, count: int, state: str) -> None:
    values = [index < hits for index in range(count)]
    share = share_interval(values, [str(index) for index in range(count)], exact=True)
    assert verdict(share) == state


@pytest.mark.parametrize("count", [1, 2, 4, 8, 20, 60, 300])
def test_a_coin_is_seldom_said_to_work(count: int) -> None:
    """Exact: over all outcomes of `count` fair coins, at most 2.5 % of them are said to work."""
    from scipy.stats import binom, binomtest

    def state(hits: int) -> str:
        found = binomtest(hits, count).proportion_ci(method="exact")
        return verdict(Interval(hits / count, found.low, found.high, count, 1, "clip"))

    wrong = sum(binom.pmf(k, count, 0.5) for k in range(count + 1) if state(k) == "works")
    assert wrong <= 0.025


def test_a_sound_that_is_not_followed_condemns_the_scorer(tmp_path: Path) -> None:
    found = judged(measured(tmp_path / "run", 20, moved=lambda _: 0.0))
    assert (found.state, found.above_mismatched.mean, found.followed.mean) == ("fails", 1.0, 0.0)


def test_a_still_face_above_the_truth_condemns_the_scorer(tmp_path: Path) -> None:
    found = judged(measured(tmp_path / "run", 20, still=lambda _: 7.0))
    assert (found.state, found.above_mismatched.mean, found.above_still.mean) == ("fails", 1.0, 0.0)


def test_following_is_relative_to_the_clips_own_offset_in_both_directions(tmp_path: Path) -> None:
    run = measured(
        tmp_path / "run", 20, offset=lambda number: number % 7 - 3.0, methods=(*CONTROLS, EARLIER)
    )
    found = judged(run)
    assert (found.followed.mean, found.followed.n) == (1.0, 40)
    near = judged(measured(tmp_path / "near", 20, moved=lambda number: 5.0 + (-1) ** number))
    assert near.followed.mean == 1.0
    far = judged(measured(tmp_path / "far", 20, moved=lambda _: 7.0))
    assert far.followed.mean == 0.0


def test_a_sound_moved_out_of_the_searched_range_tests_nothing(tmp_path: Path) -> None:
    found = judged(
        measured(tmp_path / "run", 20, offset=lambda number: 12.0 if number < 4 else 0.0)
    )
    assert (found.followed.mean, found.followed.n) == (1.0, 16)


def test_a_run_without_moved_sounds_says_not_measured(tmp_path: Path) -> None:
    run = measured(tmp_path / "run", 20, methods=(TRUTH, STILL, MISMATCHED))
    found = judged(run)
    assert (found.state, found.followed) == ("works", None)
    page = reports.build([run], tmp_path / "out").read_text(encoding="utf-8")
    assert "(<code>shifted</code>) within one frame: not measured" in page


def test_shifts_that_could_pass_by_standing_still_are_no_test(tmp_path: Path) -> None:
    near = FakeMethod("shifted", control=True, offset=1, kinds=("reconstruct",))
    run = measured(tmp_path / "run", 20, methods=(TRUTH, STILL, MISMATCHED, near))
    assert judged(run).followed is None


def test_too_few_clips_are_said_to_be_too_few(tmp_path: Path) -> None:
    run = measured(tmp_path / "run", 4)
    assert judged(run).state == "unsure"
    page = reports.build([run], tmp_path / "out").read_text(encoding="utf-8")
    assert "Whether lse works on CLR cannot be told" in page
    assert "meaningless" not in page


def test_different_clips_are_compared_poorly_and_that_is_said(tmp_path: Path) -> None:
    """Every clip is above its own wrong speech, yet clips differ more than truth and wrong do."""
    run = measured(
        tmp_path / "run",
        30,
        truth=lambda number: 2.0 + 0.2 * number,
        mismatched=lambda number: 1.0 + 0.2 * number,
    )
    found = judged(run)
    assert (found.state, found.above_mismatched.mean) == ("works", 1.0)
    assert found.auc.mean == pytest.approx(0.68, abs=0.05)
    page = reports.build([run], tmp_path / "out").read_text(encoding="utf-8")
    assert "compare methods by LSE-C on the same clips only" in page
    lines = (tmp_path / "out/tables/summary.csv").read_text(encoding="utf-8").splitlines()
    outputs = [line.split(",")[3] for line in lines if line.startswith("scorer_validity")]
    assert outputs == [
        "works",
        "within_one",
        "above_mismatched",
        "above_still",
        "followed",
        "auc_mismatched",
        "offset_median",
    ]


def test_each_data_set_has_its_own_verdict(tmp_path: Path) -> None:
    good = measured(tmp_path / "good", 20)
    bad = measured(tmp_path / "bad", 20, mismatched=lambda _: 7.0, dataset="LRS2")
    results, validities, _ = read_judged([good, bad])
    assert [(one.dataset.name, one.works) for one in validities] == [("CLR", True), ("LRS2", False)]
    for dataset, is_void in zip(results.datasets, (False, True), strict=True):
        lse = [column for column in results.columns(dataset) if column.metric == "lse"]
        assert {column.is_void for column in lse} == {is_void}
        rest = [column for column in results.columns(dataset) if column.metric != "lse"]
        assert not any(column.is_void for column in rest)
    assert judge(results) == validities


def test_the_doctor_moves_sounds_both_ways_and_tells_lag_and_shares(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shifts = [one["options"]["frames"] for one in ASKED if one["name"] == "shifted"]
    assert sorted(shifts) == [-5, 5]
    run = measured(tmp_path / "run", 12, offset=lambda _: -3.0, methods=(*CONTROLS, EARLIER))
    found = judged(run)
    terminal.show_scorer(
        found.protocol,
        scorer_findings(found),
        scorer_verdict(found),
        works=found.works,
        asked=(12, 12),
        lacking={},
    )
    text = " ".join(capsys.readouterr().out.split())
    assert "truth above mismatched in LSE-C: 100% of 12 (95 %: 74% to 100%)" in text
    assert "followed within one frame: 100% of 24" in text
    assert "it works on these clips; your sound is about 3 frames late" in text
    few = judged(measured(tmp_path / "few", 4))
    assert "too few to tell whether it works" in scorer_verdict(few)
