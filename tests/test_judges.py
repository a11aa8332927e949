"""Where two sync judges disagree: zones, reversed pairs, worst clips, and who has a say."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

import reports
from bench.ground.stats import Interval
from reports.judges import Disagreement, Heard, Opinion, TwoOpinions, Zone, disagreements
from reports.worth import read_judged
from tests.fixtures_run import CONTROLS, FakeMethod, FakeRun, build_run

TRUTH, STILL, LATER, MISMATCHED = CONTROLS  # sync 6.5, 0.6, 6.4, 1.2; motion a tenth
FLATTERER = FakeMethod("wav2lip", label="flatterer", sync=7.5, motion=0.35)
HONEST = FakeMethod("wav2lip", label="honest", sync=5.0, motion=0.50)
DEAF = FakeMethod("wav2lip", label="deaf", sync=4.0, motion=0.12)
METHODS = (*CONTROLS, FLATTERER, HONEST, DEAF)
RUN = FakeRun(methods=METHODS, speakers=12, second=True, reference=None)


def found(folder: Path, fake: FakeRun = RUN) -> Disagreement:
    judged = read_judged([build_run(folder / "run", fake)])
    (one,) = disagreements(judged.results, judged.validities)
    return one


def opinion(zone: Zone) -> Opinion:
    return Opinion(Interval(0.5, 0.4, 0.6, 10, 5, "speaker"), 1, zone)


@pytest.mark.parametrize(
    ("first", "second", "contradict"),
    [
        ("above", "between", True),
        ("between", "above", True),
        ("above", "wrong", True),
        ("level", "wrong", True),
        ("between", "wrong", True),
        ("above", "level", False),
        ("level", "between", False),
        ("above", "above", False),
        ("wrong", "wrong", False),
    ],
)
def test_what_a_contradiction_is(first: Zone, second: Zone, contradict: bool) -> None:
    one = TwoOpinions("some", opinion(first), opinion(second))
    assert one.is_contradiction is contradict


def test_means_are_on_the_clips_scale_and_zones_by_tests(tmp_path: Path) -> None:
    one = found(tmp_path)
    assert (one.missing, one.compared) == (None, 36)
    said = {each.label: each for each in one.methods}
    # LSE-C: (7.5 - 1.2) / (6.5 - 1.2) = 1.19; motion C: (0.35 - 0.12) / (0.65 - 0.12) = 0.43
    assert said["flatterer"].first.mean.mean == pytest.approx(1.19, abs=0.06)
    assert said["flatterer"].second.mean.mean == pytest.approx(0.43, abs=0.06)
    zones = {label: (each.first.zone, each.second.zone) for label, each in said.items()}
    assert zones["flatterer"] == ("above", "between")
    assert zones["honest"] == ("between", "between")
    assert zones["deaf"] == ("between", "wrong")
    assert zones["truth"] == ("level", "level")
    assert zones["mismatched"] == ("wrong", "wrong")
    assert said["truth"].first.mean.mean == said["truth"].second.mean.mean == 1.0
    assert [each.label for each in one.contradictions] == ["flatterer", "deaf"]
    ranks = {label: (each.first.rank, each.second.rank) for label, each in said.items()}
    assert ranks["flatterer"] == (1, 2)
    assert ranks["honest"] == (2, 1)
    assert ranks["truth"] == (None, None)
    assert one.reversed == (("flatterer", "honest"),)


def test_the_worst_clips_are_those_that_one_judge_puts_at_the_truth(tmp_path: Path) -> None:
    one = found(tmp_path)
    assert one.clips
    assert {clip.label for clip in one.clips} == {"flatterer"}
    assert len(one.clips) == 2  # of one method
    for clip in one.clips:
        assert clip.first.made >= clip.first.truth
        assert clip.second.made < (clip.second.truth + clip.second.wrong) / 2
    distances = [clip.distance for clip in one.clips]
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > 0.7  # from 1.2 to 0.4 of the way, and noise


@pytest.mark.parametrize(
    ("made", "truth", "wrong", "good", "bad"),
    [
        (0.5, 0.5, 0.1, True, False),
        (0.49, 0.5, 0.1, False, False),
        (0.31, 0.5, 0.1, False, False),
        (0.29, 0.5, 0.1, False, True),
        (0.6, 0.1, 0.2, False, False),  # the judge does not know its own truth here
        (0.0, 0.1, 0.2, False, False),
    ],
)
def test_what_is_good_and_bad_in_one_clip(
    made: float, truth: float, wrong: float, good: bool, bad: bool
) -> None:
    heard = Heard(made, truth, wrong)
    assert (heard.is_good, heard.is_bad) == (good, bad)


def test_a_method_with_few_values_does_not_shrink_the_comparison(tmp_path: Path) -> None:
    missing = tuple((DEAF.shown, f"s{n:02d}_{clip:03d}") for n in range(10) for clip in range(3))
    one = found(tmp_path, replace(RUN, undefined=missing))
    assert one.compared == 36
    assert "deaf" not in {each.label for each in one.methods}


@pytest.mark.parametrize(
    ("fake", "missing", "silent"),
    [
        (replace(RUN, second=False), "alone", ()),
        (replace(RUN, second_works=False), "invalid", ("lip_motion",)),
        (replace(RUN, works=False), "invalid", ("lse",)),
        (replace(RUN, speakers=1, clips_each=3), "invalid", ("lse", "lip_motion")),
    ],
)
def test_only_judges_that_work_have_a_say(
    tmp_path: Path, fake: FakeRun, missing: str, silent: tuple[str, ...]
) -> None:
    one = found(tmp_path, fake)
    assert (one.missing, one.silent, one.methods) == (missing, silent, ())


def test_the_page_says_it_in_sentences_and_links_the_cases(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", RUN)
    index = reports.build([run], tmp_path / "out")
    page = index.read_text(encoding="utf-8")
    section = page[page.index('<section id="judges">') :]
    section = section[: section.index("</section>")]
    assert (
        "flatterer: by LSE-C above the real video, by motion C below the real video, above wrong"
        " speech." in section
    )
    assert "LSE-C puts flatterer above honest; motion C puts honest above flatterer." in section
    assert "The two sync judges contradict each other 3 times" in page
    links = re.findall(r'href="(cases/[^"]+)"', section)
    assert len(links) == 2
    assert all((index.parent / link).is_file() for link in links)
    reports.build([run], tmp_path / "zh", lang="zh")
    chinese = (tmp_path / "zh/index.html").read_text(encoding="utf-8")
    assert "flatterer：按 LSE-C 高于真实视频；按 口型运动置信度 低于真实视频" in chinese


def test_a_run_with_one_judge_says_why_nothing_is_compared(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", replace(RUN, second=False))
    page = reports.build([run], tmp_path / "out").read_text(encoding="utf-8")
    assert "Not compared: only lse was measured on CLR." in page
    assert "contradict each other" not in page.replace("judges contradict each other about", "")
