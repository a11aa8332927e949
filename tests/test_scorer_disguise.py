"""Other people made of one, and other recordings: what must not change when they do."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bench import media
from bench.data.manifest import read_manifest
from bench.data.synth import CORPORA
from bench.data.synth.corpus import build_split
from bench.features.faces import given_track
from bench.ground.types import Sound
from bench.train.looks import skin_of
from metrics.lse.front_end import tracked
from metrics.lse.sync_small import augmentation, recording
from metrics.lse.sync_small.batches import Batches, MouthClip, persons_of
from metrics.lse.sync_small.crops import mouth_square
from metrics.lse.sync_small.disguise import disguise, voice
from metrics.lse.sync_small.settings import Shape

PERSONS = range(8)
LAGS = range(-8, 9)  # columns of 10 ms


@pytest.fixture(scope="module")
def talker(corpora: Path) -> tuple[NDArray[np.uint8], Sound]:
    """The stored mouths and the sound of a synthetic speaker."""
    folder = corpora / f"synth-en-{CORPORA['synth-en']}"
    (clip, _) = read_manifest(build_split("en", "test", folder, clips=2, workers=1, progress=None))
    frames, sound = media.read_frames(clip.video), media.read_sound(clip.video)
    assert clip.box is not None
    assert sound is not None
    return mouth_square(tracked(frames, given_track(clip.box, len(frames)))), sound


def _energy(logarithm: NDArray[np.float32]) -> NDArray[np.float64]:
    """The loudness of each column, (M,), with mean 0."""
    loud = np.log(np.exp(logarithm.astype(np.float64)).sum(axis=1))
    return np.asarray(loud - loud.mean())


def _lag(one: NDArray[np.float64], other: NDArray[np.float64]) -> int:
    """By how many steps `other` is later than `one`, where their correlation is highest."""
    inner = slice(len(LAGS), -len(LAGS))
    return max(LAGS, key=lambda lag: float(one[inner] @ np.roll(other, -lag)[inner]))


def _motion(mouths: NDArray[np.uint8]) -> NDArray[np.float64]:
    """How much the middle of the mouth changes from frame to frame, (T - 1,), with mean 0."""
    inner = mouths[:, 30:80, 20:76].astype(np.float64)
    change = np.abs(np.diff(inner, axis=0)).mean(axis=(1, 2, 3))
    return np.asarray(change - change.mean())


@pytest.mark.slow
def test_the_measure_of_lag_finds_a_lag(talker: tuple[NDArray[np.uint8], Sound]) -> None:
    energy = _energy(augmentation.log_power(talker[1]))
    assert _lag(energy, np.roll(energy, 3)) == 3
    motion = _motion(talker[0])
    assert _lag(motion, np.roll(motion, -1)) == -1


@pytest.mark.parametrize("person", PERSONS)
def test_another_voice_says_the_same_at_the_same_time(
    person: int, talker: tuple[NDArray[np.uint8], Sound]
) -> None:
    logarithm = augmentation.log_power(talker[1])
    changed = disguise([1, person]).heard(logarithm)
    assert changed.shape == logarithm.shape
    assert _lag(_energy(logarithm), _energy(changed)) == 0
    assert np.corrcoef(_energy(logarithm), _energy(changed))[0, 1] > 0.95
    assert np.abs(augmentation.cepstra(np.exp(changed))[1:] - _cepstra(logarithm)).mean() > 1.0


def _cepstra(logarithm: NDArray[np.float32]) -> NDArray[np.float32]:
    return augmentation.cepstra(np.exp(logarithm))[1:]


def test_pitch_moves_the_harmonics_and_formants_the_envelope() -> None:
    bins = np.arange(257)
    envelope = 6.0 * np.exp(-(((bins - 60) / 25.0) ** 2))
    harmonics = np.cos(2 * np.pi * bins / 6.0)
    row = (envelope + harmonics).astype(np.float32)[None]
    same = row @ voice(pitch=1.0, formants=1.0)
    assert np.allclose(same, row, atol=1e-4)
    higher = (row @ voice(pitch=1.5, formants=1.0))[0]
    # From 6 bins between harmonics to 9, with the formant where it was.
    spectrum = np.abs(
        np.fft.rfft(higher[40:220] - np.convolve(higher, np.ones(18) / 18, "same")[40:220])
    )
    assert int(spectrum.argmax()) == pytest.approx(180 / 9, abs=1)
    smooth = np.convolve(higher, np.ones(18) / 18, "same")
    assert int(smooth.argmax()) == pytest.approx(60, abs=4)
    longer = (row @ voice(pitch=1.0, formants=0.8))[0]
    assert int(np.convolve(longer, np.ones(18) / 18, "same").argmax()) == pytest.approx(48, abs=4)


@pytest.mark.parametrize("person", PERSONS)
def test_another_face_moves_at_the_same_time(
    person: int, talker: tuple[NDArray[np.uint8], Sound]
) -> None:
    mouths, _ = talker
    worn = disguise([1, person]).look.worn(mouths, skin_of(mouths))
    assert worn.shape == mouths.shape
    assert _lag(_motion(mouths), _motion(worn)) == 0
    assert np.corrcoef(_motion(mouths), _motion(worn))[0, 1] > 0.7


def test_all_frames_of_a_clip_turn_into_the_same_person(
    talker: tuple[NDArray[np.uint8], Sound],
) -> None:
    mouths, _ = talker
    other = disguise([1, 3]).look
    skin = skin_of(mouths)
    together = other.worn(mouths, skin)
    for frame in (0, 7, len(mouths) - 1):
        alone = other.worn(mouths[frame : frame + 1], skin)
        assert np.array_equal(alone[0], together[frame])
    assert np.array_equal(disguise([1, 3]).look.worn(mouths, skin), together)


def test_persons_differ_and_skin_becomes_theirs(
    talker: tuple[NDArray[np.uint8], Sound],
) -> None:
    mouths, _ = talker
    skin = skin_of(mouths)
    people = [disguise([1, person]).look for person in PERSONS]
    # Without the light, which changes colours on purpose.
    lit = [one.worn(mouths, skin) / one.light for one in people]
    found = np.array([skin_of(np.clip(one, 0, 255).astype(np.uint8)) for one in lit])
    wanted = np.array([one.skin for one in people])
    assert np.abs(found - wanted).mean() < 5.0  # CIELAB
    assert np.corrcoef(found[:, 0], wanted[:, 0])[0, 1] > 0.95
    assert found[:, 0].std() > 5.0


@pytest.mark.parametrize("person", range(40))
def test_no_face_is_folded(person: int) -> None:
    warp = disguise([2, person]).look.warp
    across, down = np.gradient(warp[..., 0], axis=1), np.gradient(warp[..., 1], axis=0)
    other = np.gradient(warp[..., 0], axis=0) * np.gradient(warp[..., 1], axis=1)
    assert (across * down - other).min() > 0.3
    steps = np.arange(96, dtype=np.float32)
    moved = warp - np.dstack(np.meshgrid(steps, steps))
    assert 0.5 < np.abs(moved).max() < 9.0


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.2])
def test_speed_changes_frames_and_sound_alike(factor: float) -> None:
    speed = recording.Speed(factor)
    frames = speed.frames(100)
    columns = speed.columns(np.arange(400, dtype=np.float32)[:, None].repeat(257, axis=1))[:, 0]
    count = min(len(frames), len(columns) // 4)
    late = columns[: 4 * count : 4] / 4 - frames[:count]  # frames, of sound against picture
    assert np.abs(late).max() <= 0.5 + 1e-4
    assert abs(late.mean()) < 0.05
    assert len(frames) == pytest.approx(100 / factor, abs=1)


def test_a_room_comes_after_the_direct_sound_and_a_codec_leaves_its_time() -> None:
    logarithm = np.full((60, 257), -30.0, dtype=np.float32)
    logarithm[20] = 5.0
    wet = recording.reverberant(logarithm, seconds=0.5, level=0.5)
    assert (wet[:20] < -29.0).all()
    assert wet[20].argmax() == logarithm[20].argmax()
    late = (
        np.exp(wet.astype(np.float64))[21:].sum() - np.exp(logarithm.astype(np.float64))[21:].sum()
    )
    assert late / np.exp(5.0) / 257 == pytest.approx(0.5, rel=0.1)
    assert (wet[21] - wet[46])[0] == pytest.approx(np.log(10.0) * 6 * 0.25 / 0.5, rel=0.1)
    logarithm[20, :100] = 0.0
    thin = recording.thinned(logarithm, decibels=10.0)
    assert np.array_equal(thin[20, 100:], logarithm[20, 100:])
    assert (thin[20, :100] < logarithm[20, :100]).all()


@pytest.mark.parametrize("codec", recording.CODECS)
def test_a_codec_keeps_every_frame_in_its_place(
    codec: str, talker: tuple[NDArray[np.uint8], Sound]
) -> None:
    mouths, _ = talker
    coarse = recording.coded(mouths, codec=codec, quality=0.0)
    fine = recording.coded(mouths, codec=codec, quality=1.0)
    assert coarse.shape == mouths.shape
    error = [np.abs(one.astype(float) - mouths).mean() for one in (coarse, fine)]
    assert error[1] < error[0] < 12.0
    assert _lag(_motion(mouths), _motion(fine)) == 0


def _stored(folder: Path, name: str, *, seed: int, speaker: str, frames: int = 40) -> MouthClip:
    place = folder / name
    place.mkdir()
    random = np.random.default_rng(seed)
    sound = random.normal(0, 2000, frames * 640).astype(np.int16)
    small = random.integers(60, 200, (frames, 6, 6, 3), dtype=np.uint8)
    np.save(place / "mouths.npy", [cv2.resize(one, (96, 96)) for one in small])
    np.save(place / "log_power.npy", augmentation.log_power(sound).astype(np.float16))
    return MouthClip(name, speaker, "made", place)


def test_each_so_many_clips_of_a_speaker_are_a_person_and_all_persons_are_as_likely(
    tmp_path: Path,
) -> None:
    many = [_stored(tmp_path, f"many{k}", seed=k, speaker="many") for k in range(12)]
    one = _stored(tmp_path, "one", seed=99, speaker="one")
    assert persons_of([*many, one], 3) == {("made", "many"): 4, ("made", "one"): 1}
    assert persons_of([*many, one], None) == {("made", "many"): 1, ("made", "one"): 1}
    shape = Shape(clips=2, windows=4, segment=20, damaged=1, still=1, person_clips=3)
    batches = Batches([*many, one], shape, steps=9, seed=5, balance=0.0)
    random = np.random.default_rng(0)
    drawn = [batches.draw.one(random).speaker for _ in range(2000)]
    assert drawn.count("one") / 2000 == pytest.approx(1 / 5, abs=0.03)


def test_wide_batches_have_the_usual_form_and_depend_on_seed_and_step_alone(
    tmp_path: Path,
) -> None:
    clips = [_stored(tmp_path, f"c{k}", seed=k, speaker="a", frames=24) for k in range(6)]
    plain = Shape(clips=3, windows=8, segment=20, damaged=1, still=2)
    wide = Shape(
        clips=3, windows=8, segment=20, damaged=1, still=2, person_clips=1, recordings=True
    )
    made = [Batches(clips, wide, steps=9, seed=5, balance=0.5) for _ in range(2)]
    for step in range(9):
        one, again = (batches[step] for batches in made)
        assert torch.equal(one.frames, again.frames)
        assert torch.equal(one.sound, again.sound)
        assert len(one.windows) == 3 * 8 + 8 + 3 * 2
        assert int(one.windows.max()) + 5 <= len(one.frames)
    usual = Batches(clips, plain, steps=9, seed=5, balance=0.5)[0]
    assert not torch.equal(usual.sound, made[0][0].sound)
