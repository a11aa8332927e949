"""The evaluation of the small scorer: what it asks of each clip, and what it sums up."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from bench import media
from bench.data.manifest import read_manifest
from bench.data.synth import CORPORA
from bench.data.synth.corpus import build_split
from bench.features.faces import given_track
from bench.ground.types import SAMPLES_PER_FRAME, Clip, Sound
from metrics.lse import core, sync_small
from metrics.lse.front_end import tracked
from metrics.lse.sync_small.evaluation import (
    Evaluation,
    Verdict,
    evaluate,
    fine_offset,
    judge,
    moved,
    summary,
)
from metrics.lse.sync_small.scorer import SmallSync

SHORT = 1.0  # seconds


@pytest.fixture(scope="module")
def scorer() -> SmallSync:
    return SmallSync(sync_small.WEIGHTS, device="cpu")


@pytest.fixture(scope="module")
def clips(corpora: Path) -> list[Clip]:
    """Two synthetic speakers whom the scorer never saw."""
    folder = corpora / f"synth-en-{CORPORA['synth-en']}"
    return read_manifest(build_split("en", "test", folder, clips=2, workers=1, progress=None))


@pytest.fixture(scope="module")
def taken(clips: list[Clip]) -> tuple[core.Crops, Sound, Sound]:
    """The first clip's crops and sound, and the second clip's sound."""
    frames = media.read_frames(clips[0].video)
    assert clips[0].box is not None
    crops = tracked(frames, given_track(clips[0].box, len(frames)))
    own, other = (media.read_sound(clip.video) for clip in clips)
    assert own is not None
    assert other is not None
    return crops, own, other


@pytest.mark.parametrize("seconds", [None, SHORT])
def test_a_clip_in_step_is_above_its_controls_and_its_offset_follows_the_sound(
    clips: list[Clip],
    taken: tuple[core.Crops, Sound, Sound],
    scorer: SmallSync,
    seconds: float | None,
) -> None:
    crops, own, other = taken
    found = judge(clips[0], crops, own, other, scorer, seconds=seconds)
    assert found is not None
    assert abs(found.offset) < 1.0
    assert found.followed == 1.0
    assert found.lse_c > max(found.mismatched, found.still)
    late = judge(clips[0], crops, moved(own, 4), other, scorer, seconds=seconds)
    assert late is not None
    assert late.offset == pytest.approx(found.offset - 4.0, abs=1.0)


def test_a_face_with_the_wrong_speech_is_found_out(
    clips: list[Clip], taken: tuple[core.Crops, Sound, Sound], scorer: SmallSync
) -> None:
    crops, own, other = taken
    wrong = np.resize(other, len(own))
    found = judge(clips[0], crops, wrong, own, scorer)
    assert found is not None
    assert found.lse_c < found.mismatched  # the "other" speech is the right one


def test_what_is_cut_is_the_middle_and_shorter_clips_have_no_verdict(
    clips: list[Clip], taken: tuple[core.Crops, Sound, Sound], scorer: SmallSync
) -> None:
    crops, own, _ = taken
    first = (min(len(crops), len(own) // SAMPLES_PER_FRAME) - 25) // 2
    middle = own[first * SAMPLES_PER_FRAME :][: 25 * SAMPLES_PER_FRAME]
    length = first * 2 + 25  # so that the middle is a whole frame
    whole = crops[:length], own[: length * SAMPLES_PER_FRAME]
    cut = judge(clips[0], *whole, None, scorer, seconds=SHORT)
    by_hand = judge(clips[0], crops[first : first + 25], middle, None, scorer)
    assert cut is not None
    assert by_hand is not None
    assert (cut.offset, cut.lse_c) == pytest.approx((by_hand.offset, by_hand.lse_c))
    assert judge(clips[0], crops[:24], own, None, scorer, seconds=SHORT) is None


def test_the_offset_between_frames_is_the_parabolas_lowest_point() -> None:
    x = np.arange(15, -16, -1)  # offsets, as mean_distance has them
    for at in (-3.3, 0.0, 2.4):
        mean = (1.0 + 0.01 * (x - at) ** 2).astype(np.float32)
        found = core.LseResult(0, 0, int(x[mean.argmin()]), 0, 0, 0, mean, np.zeros(1))
        assert fine_offset(found) == pytest.approx(at, abs=1e-3)
    ramp = np.linspace(1, 2, 31).astype(np.float32)
    assert fine_offset(core.LseResult(0, 0, 15, 0, 0, 0, ramp, np.zeros(1))) == 15.0


def _verdict(speaker: str, lse_c: float, wrong: float, **other: float) -> Verdict:
    clip = Clip(id=speaker, video=Path("x.mp4"), speaker=speaker)
    facts = {"offset": 0.0, "lse_d": 1.0, "still": 0.0, "followed": 1.0} | other
    return Verdict(clip=clip, seconds=None, lse_c=lse_c, mismatched=wrong, **facts)


def test_shares_medians_and_the_area_by_hand() -> None:
    verdicts = [
        _verdict("a", 0.4, 0.1, offset=-2.5),
        _verdict("a", 0.3, 0.35, offset=0.5, still=0.9, followed=0.5),
        _verdict("b", 0.2, np.nan, offset=0.25),
    ]
    found = summary("corpus", "all", verdicts)
    assert found.clips == 3
    assert found.above_mismatched == 0.5
    assert found.above_still == pytest.approx(2 / 3)
    assert found.followed == pytest.approx(2.5 / 3)
    assert found.auc == 0.75  # of 0.4 and 0.3 over 0.1 and 0.35: three of four
    assert found.offset == 0.25
    assert found.within_one == pytest.approx(2 / 3)
    assert found.mismatched == pytest.approx(0.225)


def test_figures_are_by_corpus_length_and_speaker(
    clips: list[Clip], scorer: SmallSync, tmp_path: Path
) -> None:
    broken = Clip(id="broken", video=tmp_path / "none.mp4", speaker="x")
    found = evaluate(
        {"two": [*clips, broken]},
        scorer=scorer,
        detector="given",
        cache=tmp_path,
        lengths=(None, SHORT),
    )
    rows = list(csv.DictReader(found.csv().splitlines()))
    names = sorted({clip.speaker for clip in clips})
    assert [(row["speaker"], row["seconds"]) for row in rows] == [
        ("all", "whole"),
        *((name, "whole") for name in names),
        ("all", "1"),
        *((name, "1") for name in names),
    ]
    assert rows[0]["clips"] == "2"
    assert rows[0]["above_still"] == "1"
    assert [name for name, _ in found.left_out] == ["broken"]
    assert "broken: not scored" in found.table()
    assert found.table().count("| **two** |") == 2


def test_without_a_second_clip_nothing_is_said_of_wrong_speech() -> None:
    alone = Evaluation({"one": [_verdict("a", 0.4, np.nan)]}, [])
    (row,) = csv.DictReader(alone.csv().splitlines())
    assert (row["above_mismatched"], row["auc"], row["lse_c"]) == ("", "", "0.4")
    assert "nan" not in alone.table()
