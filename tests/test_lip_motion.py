"""The second sync judge: bands, curves, correlations by hand, golden values, what has no value."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bench
from bench.contract.jobs import Sample
from bench.ground.types import Case, Clip
from metrics.lip_motion import WEIGHTS, LipMotion
from metrics.lip_motion.agreement import COST, STILLNESS, Agreement, agree
from metrics.lip_motion.fitting import MotionClip, evenly, example
from metrics.lip_motion.mouth_curves import SLOW, mouth_curves, quick_part
from metrics.lip_motion.predictor import Example, Predictor, fit, read_predictor
from metrics.lip_motion.speech_bands import COLUMNS, ROW, heard, rows, speech_bands

CARD = WEIGHTS.with_name("README.md")


def everywhere(frames: int) -> np.ndarray:
    return np.ones(frames, dtype=bool)


def landmarks(heights: dict[int, float], frames: int = 40, *, roll: float = 0.0) -> dict[str, Any]:
    """46 points in a face of 50 pixels between the eyes; heights: y of mouth points, in pixels."""
    where = np.zeros((46, 2))
    for eye, x in ((range(20, 26), -25.0), (range(26, 32), 25.0)):
        where[list(eye)] = [x, 0.0]
    where[33] = [0.0, 20.0]
    for point, y in heights.items():
        where[point] = [0.0, y]
    turn = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    points = np.broadcast_to(where @ turn + [100.0, 80.0], (frames, 46, 2))
    return {
        "points": points.astype(np.float32),
        "score": np.ones(frames, np.float32),
        "blendshapes": np.zeros((frames, 0), np.float32),
        "size": np.array([200, 200]),
        "model": np.array("small"),
    }


LIPS = {2: 30.0, 3: 30.0, 4: 30.0, 8: 50.0, 9: 50.0, 10: 50.0} | {
    **dict.fromkeys((13, 14, 15), 36.0),
    **dict.fromkeys((17, 18, 19), 44.0),
}


@pytest.mark.parametrize("roll", [0.0, 0.3])
def test_curves_are_heights_in_eye_distances_whatever_the_roll(roll: float) -> None:
    curves, seen = mouth_curves(landmarks(LIPS, roll=roll))
    # lips 20 px, opening 8, lower lip 30 below the nose, upper lip 10; eyes 50 apart.
    assert curves[0] == pytest.approx([0.4, 0.16, 0.6, 0.2], abs=1e-5)
    assert seen.all()


def test_slow_changes_and_unseen_frames_do_not_enter_the_quick_part() -> None:
    frames = 200
    time = np.arange(frames)
    slow, quick = np.sin(2 * np.pi * time / 400), np.sin(2 * np.pi * time / 8)
    seen = everywhere(frames)
    found = quick_part(np.stack([slow, quick], axis=1), seen)[50:150]
    assert np.abs(found[:, 0]).max() < 0.02
    assert np.abs(found[:, 1]).max() == pytest.approx(1.0, abs=0.02)
    seen[100:105] = False
    spoilt = np.stack([slow, quick], axis=1)
    spoilt[100:105] = 1e6
    again = quick_part(spoilt, seen)
    assert not again[100:105].any()
    assert np.abs(again[50:95, 0]).max() < 0.05
    assert SLOW == 8.0


def test_an_agreement_by_hand() -> None:
    """Expected +1 -1 +1 -1 ..., made half of it: at offset 0 0.5 / sqrt(0.25 + 0.15^2)."""
    frames = 60
    expected = np.where(np.arange(frames) % 2 == 0, 1.0, -1.0)[:, None]
    found = agree(expected, 0.5 * expected, known=everywhere(frames), seen=everywhere(frames))
    assert found.at_0 == pytest.approx(0.5 / np.sqrt(0.25 + STILLNESS**2))
    even = found.curve[1::2]  # offsets 14, 12, ... 0 ... -14
    assert even == pytest.approx(np.full(15, found.at_0), abs=1e-9)
    assert found.curve[0] == pytest.approx(-found.at_0, abs=0.01)
    assert found.offset == 0  # of equal ones, the one that costs least


def test_confidence_is_the_best_less_its_cost_above_the_median() -> None:
    curve = np.full(31, 0.1)
    curve[12] = 0.5  # offset 15 - 12 = 3
    found = Agreement(curve)
    assert found.offset == 3
    assert found.confidence == pytest.approx(0.5 - 3 * COST - 0.1)
    assert found.at_0 == pytest.approx(0.1)
    curve[15] = 0.45  # a little less, without a cost
    assert Agreement(curve).offset == 0
    assert Agreement(curve).confidence == pytest.approx(0.35)


@pytest.mark.parametrize("late", [-5, 0, 5])
def test_the_offset_is_that_of_the_sound(late: int) -> None:
    """A sound that is 5 frames late has offset -5, as LSE has it."""
    generator = np.random.default_rng(3)
    made = generator.normal(size=(80, 4))
    expected = np.roll(made, late, axis=0)
    known = everywhere(80)
    if late > 0:
        known[:late] = False
    elif late < 0:
        known[late:] = False
    assert agree(expected, made, known=known, seen=everywhere(80)).offset == -late


def test_a_mouth_that_only_trembles_agrees_with_nothing() -> None:
    generator = np.random.default_rng(3)
    expected = generator.normal(size=(75, 4))
    known = everywhere(75)
    follows = agree(expected, expected, known=known, seen=known)
    trembles = agree(expected, 0.01 * expected, known=known, seen=known)
    assert follows.confidence > 0.8
    assert trembles.confidence < 0.08


def test_bands_ignore_gain_and_twenty_samples_a_frame_is_half_a_frame() -> None:
    generator = np.random.default_rng(0)
    loud = np.repeat(generator.uniform(0.05, 1.0, 20), 640)
    sound = (8000 * loud * generator.normal(size=20 * 640) / 3).astype(np.int16)
    found = speech_bands(sound, 20)
    assert found.shape == (40, COLUMNS)
    half = speech_bands((sound // 2).astype(np.int16), 20)
    assert np.abs(found - half).max() < 0.05
    row = rows(found)
    assert row.shape == (20, ROW)
    middle = row[10].reshape(13, 2, COLUMNS)[6]
    assert middle == pytest.approx(found[20:22])
    assert row[0].reshape(13, 2, COLUMNS)[0] == pytest.approx(found[:2])  # repeated at the end


def test_a_tone_is_loudest_in_its_own_band() -> None:
    time = np.arange(32000) / 16000
    tones = np.where(time < 1.0, np.sin(2 * np.pi * 200 * time), np.sin(2 * np.pi * 4000 * time))
    found = speech_bands((8000 * tones).astype(np.int16), 50)
    low, high = found[20, :-1].argmax(), found[80, :-1].argmax()
    assert low <= 2
    assert 11 <= high <= 15


def test_silence_that_a_program_put_at_the_ends_is_not_heard() -> None:
    sound = np.zeros(10 * 640, np.int16)
    sound[3 * 640 + 5 : 8 * 640 - 3] = 100
    sound[5 * 640 : 6 * 640] = 0
    assert heard(sound, 10).tolist() == [False] * 3 + [True] * 5 + [False] * 2


def test_a_fit_finds_the_map_that_made_the_curves() -> None:
    generator = np.random.default_rng(1)
    given = generator.normal(size=(4000, ROW))
    true = np.zeros((ROW, 4))
    true[7, 0], true[100, 1], true[200, 2], true[300, 3] = 0.04, -0.03, 0.02, 0.01
    examples = [
        Example(part, part @ true, group)
        for part, group in zip(np.array_split(given, 2), ("a", "b"), strict=True)
    ]
    found = fit(examples, ridge=1e-6, weights={"a": 3.0})
    assert found.usual == pytest.approx([0.04, 0.03, 0.02, 0.01], rel=0.05)
    made = (given - found.mean) / found.spread @ found.weights * found.usual
    assert np.abs(made - given @ true).max() < 1e-3


def test_data_sets_count_as_their_weights_say() -> None:
    """Two data sets that contradict each other: the heavier one wins by its weight."""
    generator = np.random.default_rng(2)
    given = generator.normal(size=(3000, ROW))
    true = np.zeros((ROW, 4))
    true[5] = 0.04
    examples = [Example(given, given @ true, "real"), Example(given, -given @ true, "drawn")]
    found = fit(examples, ridge=1e-6, weights={"real": 3.0})
    slope = found.weights[5] * found.usual / found.spread[5]
    assert slope == pytest.approx(np.full(4, 0.04 * (3 - 1) / (3 + 1)), rel=0.02)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(bench.BenchError, match="are missing; reinstall"):
        read_predictor(tmp_path / "no.safetensors")
    found = read_predictor(WEIGHTS)
    wrong = Predictor(found.mean, found.spread, found.weights[:, :2].copy(), found.usual)
    with pytest.raises(bench.BenchError, match=r"expected arrays .* found"):
        read_predictor(wrong.save(tmp_path / "wrong.safetensors"))
    (tmp_path / "text.safetensors").write_text("no")
    with pytest.raises(bench.BenchError, match="cannot be read as safetensors"):
        read_predictor(tmp_path / "text.safetensors")


def test_the_card_names_the_shipped_file() -> None:
    assert hashlib.sha256(WEIGHTS.read_bytes()).hexdigest() in CARD.read_text(encoding="utf-8")
    assert WEIGHTS.stat().st_size < 20_000


def spoken(seed: int, frames: int = 75) -> np.ndarray:
    """Noise that comes in syllables, as int16."""
    generator = np.random.default_rng(seed)
    level = np.interp(
        np.arange(frames * 640) / 640,
        np.arange(0, frames + 4, 4),
        generator.uniform(0, 1, len(np.arange(0, frames + 4, 4))),
    )
    return (6000 * level * generator.normal(size=frames * 640) / 3).astype(np.int16)


def talking(sound: np.ndarray, *, share: float = 1.0) -> dict[str, Any]:
    """Landmarks of a mouth that moves as the shipped predictor expects of this sound."""
    frames = len(sound) // 640
    predictor = read_predictor(WEIGHTS)
    expected, _ = predictor.expect(sound, frames)
    curves = expected * predictor.usual * 50.0 * share  # pixels
    found = landmarks(LIPS, frames)
    points = found["points"].copy()
    lips, opening, lower = curves[:, 0], curves[:, 1], curves[:, 2]
    top = lower - lips
    for index in (2, 3, 4):
        points[:, index, 1] += top
    for index in (8, 9, 10):
        points[:, index, 1] += lower
    for index in (17, 18, 19):
        points[:, index, 1] += opening
    return found | {"points": points.astype(np.float32)}


def measured(found: dict[str, Any] | str, sound: np.ndarray | None) -> dict[str, Any]:
    def find(_: bench.Video, name: str) -> dict[str, Any]:
        assert name == "landmarks"
        if isinstance(found, str):
            raise bench.Undefined(found)
        return found

    video = bench.Video.of(np.zeros((1, 8, 8, 3), np.uint8), sound)
    video.features = find
    clip = Clip(id="clip", video=Path("clip.mp4"))
    case = Case(dataset="d", kind="reconstruct", face=clip, speech=clip)
    metric = LipMotion(LipMotion.Options())
    metric.load("cpu")
    return metric.measure(Sample(case=case, video=video, reference=None))


def test_a_mouth_that_does_as_expected_is_told_from_other_speech_and_from_stillness() -> None:
    own, other = spoken(1), spoken(2)
    right = measured(talking(own), own)
    assert right["motion_c"] > 0.6
    assert right["motion_at_0"] > 0.8
    assert right["offset"] == 0
    wrong = measured(talking(own), other)
    assert wrong["motion_at_0"] < 0.4
    assert wrong["motion_c"] < 0.6 * right["motion_c"]
    assert measured(talking(own, share=0.0), own)["motion_c"] == pytest.approx(0.0, abs=1e-6)
    late = np.concatenate([np.zeros(5 * 640, np.int16), own[: -5 * 640]])
    assert measured(talking(own), late)["offset"] == -5
    assert len(right["agreement"]) == 31
    assert right["left_out"] == 0.0


def test_what_has_no_value_says_why() -> None:
    own = spoken(1)
    with pytest.raises(bench.Undefined, match="no sound"):
        measured(talking(own), None)
    with pytest.raises(bench.Undefined, match="digitally silent: all 48000 samples are 0"):
        measured(talking(own), np.zeros(48000, np.int16))
    with pytest.raises(bench.Undefined, match="needs at least 25 frames with sound, got 75 frames"):
        measured(talking(own), own[: 24 * 640])
    with pytest.raises(bench.Undefined, match="no frame shows a face"):
        measured("no frame shows a face", own)
    unseen = talking(own)
    unseen["score"] = np.where(np.arange(75) < 10, 0.2, 1.0).astype(np.float32)
    with pytest.raises(bench.Undefined, match="13% of the frames the landmarks have a score below"):
        measured(unseen, own)
    folded = landmarks(LIPS | {}, 75)
    folded["points"] = folded["points"].copy()
    folded["points"][3, 20:32] = 50.0
    with pytest.raises(bench.Undefined, match="eyes lie on each other"):
        measured(folded, own)


def test_golden() -> None:
    """Values of seeded arrays: they change only with the version or the weights."""
    own = spoken(7)
    moved = talking(own, share=0.7)
    generator = np.random.default_rng(5)
    moved["points"] = (moved["points"] + generator.normal(0, 0.5, (75, 46, 2))).astype(np.float32)
    found = measured(moved, own)
    golden = {"motion_c": 0.30628, "motion_at_0": 0.32033, "offset": 0.0}
    assert {name: found[name] for name in golden} == pytest.approx(golden, abs=2e-4)
    assert LipMotion.version == "1"


def motion_clip(folder: Path, seed: int) -> MotionClip:
    """A clip made ready whose mouth does as the shipped predictor expects; first a mute second."""
    sound = spoken(seed)
    sound[:16000] = 0
    predictor = read_predictor(WEIGHTS)
    expected, _ = predictor.expect(sound, 75)
    folder.mkdir()
    arrays = {"curves": expected * predictor.usual, "seen": everywhere(75), "sound": sound}
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return MotionClip("clip", "one", "grid", folder)


def test_an_example_holds_the_frames_in_which_the_sound_is_heard(tmp_path: Path) -> None:
    found = example(motion_clip(tmp_path / "clip", 1))
    assert found.rows.shape == (50, ROW)
    assert found.curves.shape == (50, 4)
    assert found.group == "grid"


def test_a_fit_to_what_the_shipped_map_expects_expects_the_same(tmp_path: Path) -> None:
    """The map is found again from 39 clips, well enough for the agreement of another one."""
    clips = [motion_clip(tmp_path / str(seed), seed) for seed in range(40)]
    found = fit([example(one) for one in clips[:39]], ridge=1e-4, weights={})
    expected, known = found.expect(clips[39].sound(), 75)
    own = agree(expected, clips[39].curves() / found.usual, known=known, seen=clips[39].seen())
    assert own.at_0 > 0.9
    assert own.offset == 0


def test_clips_to_fit_to_are_spread_evenly_over_each_data_set() -> None:
    clips = [
        Clip(f"{name}{number}", Path("a.mp4"), speaker=f"{name}/s")
        for name, count in (("grid", 10), ("synth", 3))
        for number in range(count)
    ]
    taken = [clip.id for clip in evenly(clips, 4)]
    assert taken == ["grid0", "grid2", "grid4", "grid6", "synth0", "synth1", "synth2"]
    assert evenly(clips, None) == clips
