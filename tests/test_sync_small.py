"""The shipped scorer: its form, what it must not be fooled by, and its training."""

from __future__ import annotations

import csv
import functools
import logging
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bench import media
from bench.checks.ladders import LADDERS, specimen
from bench.contract.video import Video
from bench.data.manifest import read_manifest
from bench.data.synth import CORPORA
from bench.data.synth.corpus import build_split
from bench.features.faces import given_track
from bench.ground.errors import BenchError, Undefined
from bench.ground.types import Clip, Sound
from bench.networks import mfcc
from bench.networks.checkpoints import read_state
from bench.train import loop as training
from bench.train.trainable import TrainJob
from metrics.lse import Lse, core, sync_small
from metrics.lse.front_end import tracked
from metrics.lse.sync_small import augmentation
from metrics.lse.sync_small.batches import Batch, Batches, MouthClip
from metrics.lse.sync_small.network import (
    SyncNetwork,
    standardised_cepstra,
    standardised_windows,
    with_constant,
)
from metrics.lse.sync_small.scorer import SmallSync
from metrics.lse.sync_small.settings import Settings, Shape
from metrics.lse.sync_small.training import WEIGHTS, Learner, matching_losses, train
from tests.small_clips import small_job


@pytest.fixture(scope="module", params=sync_small.SHIPPED)
def scorer(request: pytest.FixtureRequest) -> core.Scorer:
    return sync_small.load("cpu", weights=sync_small.SHIPPED[request.param])


@pytest.fixture(scope="module")
def talkers(corpora: Path) -> list[Video]:
    """Two synthetic speakers whom the scorer never saw, in their manifest's box."""
    folder = corpora / f"synth-en-{CORPORA['synth-en']}"
    manifest = build_split("en", "test", folder, clips=2, workers=1, progress=None)
    return [_opened(clip) for clip in read_manifest(manifest)]


def _opened(clip: Clip) -> Video:
    assert clip.box is not None
    frames = media.read_frames(clip.video)
    return Video.of(frames, media.read_sound(clip.video), track=given_track(clip.box, len(frames)))


def _crops_and_sound(video: Video) -> tuple[core.Crops, Sound]:
    sound = video.sound()
    assert sound is not None
    return tracked(video.read(), video.faces()), sound


def _score(video: Video, scorer: core.Scorer, sound: Sound | None = None) -> core.LseResult:
    crops, own = _crops_and_sound(video)
    return core.score(crops, own if sound is None else sound, scorer)


def _noise(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def _sound(samples: int, seed: int = 0) -> Sound:
    return np.random.default_rng(seed).normal(0, 2000, samples).astype(np.int16)


@pytest.mark.parametrize("name", sync_small.SHIPPED)
def test_a_shipped_file_is_small_and_its_digest_is_the_scorers(name: str) -> None:
    assert sync_small.SHIPPED[name].stat().st_size <= 6_000_000
    shipped = SmallSync(sync_small.SHIPPED[name], device="cpu")
    assert sync_small.digest(name).startswith(shipped.digest)
    metric = Lse(Lse.Options(scorer=name))
    metric.load("cpu")
    assert metric.protocol == f"lse[tracked:{{faces}}; {name}@{shipped.digest}]"


def test_there_is_one_embedding_for_each_window_of_the_reference(scorer: core.Scorer) -> None:
    picture, sound = scorer.embed(_noise(12, 224, 224, 3), _sound(10 * 640 + 100))
    assert picture.shape == sound.shape == (5, 257)
    assert picture.dtype == sound.dtype == np.float32


def test_too_short_a_clip_is_undefined(scorer: core.Scorer) -> None:
    with pytest.raises(Undefined, match="too short"):
        scorer.embed(_noise(5, 224, 224, 3), _sound(5 * 640))


def test_embedding_twice_gives_the_same_bytes_and_leaves_the_inputs(scorer: core.Scorer) -> None:
    crops, sound = _noise(9, 224, 224, 3), _sound(9 * 640)
    copies = crops.copy(), sound.copy()
    first, second = scorer.embed(crops, sound), scorer.embed(crops, sound)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert np.array_equal(crops, copies[0])
    assert np.array_equal(sound, copies[1])


def test_zero_padding_costs_as_much_as_an_unrelated_window() -> None:
    right, other = torch.eye(256)[:1], torch.eye(256)[1:2]
    picture, unrelated = with_constant(right), with_constant(other)
    assert np.linalg.norm(picture) == pytest.approx(np.linalg.norm(picture - unrelated))


def test_loudness_and_digital_silence_around_do_not_change_what_is_heard() -> None:
    speech = _sound(16000) // 4
    speech[6000:9000] //= 40
    louder = standardised_cepstra(mfcc.mfcc(speech * np.int16(3)))
    assert np.abs(louder - standardised_cepstra(mfcc.mfcc(speech))).max() < 0.1
    silence = standardised_cepstra(mfcc.mfcc(np.zeros(8000, dtype=np.int16)))
    assert np.array_equal(silence[0], np.full(silence.shape[1], -1.0))
    assert not silence[1:].any()


def test_light_and_contrast_of_a_mouth_are_taken_out_of_a_window() -> None:
    frames = torch.from_numpy(_noise(5, 56, 64, 3) // 4)
    starts = torch.zeros(1, dtype=torch.int64)
    plain = standardised_windows(frames, starts)
    assert torch.allclose(standardised_windows(frames * 2 + 40, starts), plain, atol=1e-4)
    assert plain.mean().abs() < 1e-5


def test_unseen_synthetic_talkers_are_in_step_and_stand_above_their_controls(
    talkers: list[Video], scorer: core.Scorer
) -> None:
    for video, other in zip(talkers, reversed(talkers), strict=True):
        own, wrong = video.sound(), other.sound()
        assert own is not None
        assert wrong is not None
        truth = _score(video, scorer)
        assert abs(truth.offset) <= 1
        delayed = np.concatenate([np.zeros(4 * 640, dtype=np.int16), own[: -4 * 640]])
        assert abs(_score(video, scorer, delayed).offset + 4) <= 1
        fitted = np.pad(wrong[: len(own)], (0, max(0, len(own) - len(wrong))))
        assert truth.lse_c > _score(video, scorer, fitted).lse_c
        still = Video.of(np.repeat(video.read()[:1], len(video.read()), axis=0), own)
        still = Video.of(still.read(), own, track=video.faces())
        assert truth.lse_c > _score(still, scorer).lse_c


@pytest.fixture(scope="module")
def damaged(talkers: list[Video]) -> Callable[[str], list[tuple[core.Crops, Sound]]]:
    """A talker along a ladder, clean first, as every scorer sees and hears it: made once."""

    @functools.cache
    def along(name: str) -> list[tuple[core.Crops, Sound]]:
        ladder, video = LADDERS[name], talkers[0]
        own = video.sound()
        assert own is not None
        clean = specimen(
            "talker",
            frames=video.read(),
            sound=own,
            other_speech=own[::-1].copy(),  # its own, played backwards
            track=video.faces(),
        )
        shown = [video, *(ladder.apply(clean, step).video for step in ladder.steps)]
        return [_crops_and_sound(one) for one in shown]

    return along


@pytest.mark.parametrize("name", ["blur", "noise", "frozen", "exchanged"])
def test_distortions_never_raise_the_score(
    name: str, damaged: Callable[[str], list[tuple[core.Crops, Sound]]], scorer: core.Scorer
) -> None:
    found = [core.score(crops, sound, scorer) for crops, sound in damaged(name)]
    rungs = np.array([[one.lse_c for one in found], [-one.lse_d for one in found]])
    slack = 0.02  # of distances near 1, for rungs that already are at chance
    assert (np.diff(rungs, axis=1) <= slack).all(), rungs
    assert (rungs[:, -1] < rungs[:, 0]).all()


def test_a_file_of_another_network_is_an_error_that_says_so(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    with pytest.raises(BenchError, match="another network"):
        sync_small.load("cpu", weights=path)
    path.write_text("no tensors here")
    with pytest.raises(BenchError, match="no safetensors file"):
        sync_small.load("cpu", weights=path)


def test_cepstra_for_training_equal_the_reference_when_nothing_is_changed() -> None:
    sound = _sound(8000)
    power = np.exp(augmentation.log_power(sound))
    assert np.allclose(augmentation.cepstra(power), mfcc.mfcc(sound), atol=1e-3)
    assert not np.allclose(augmentation.cepstra(power, warp=4), mfcc.mfcc(sound), atol=1.0)


def test_damages_and_frozen_faces_keep_the_form_and_depend_on_the_seed_alone() -> None:
    stored, index = _noise(20, 96, 96, 3), np.arange(20)
    seen = augmentation.view(20, np.random.default_rng(3))
    for seed in range(12):
        once = augmentation.damaged(stored, index, seen, np.random.default_rng(seed))
        again = augmentation.damaged(stored, index, seen, np.random.default_rng(seed))
        assert once[0].shape == (20, 56, 64, 3)
        assert 0.0 < once[1] <= 1.0
        assert np.array_equal(once[0], again[0])
    energy = np.linspace(0, 1, 20, dtype=np.float32)
    still = augmentation.still_mouths(stored, energy, seen, np.random.default_rng(1))
    assert still.shape == (20, 56, 64, 3)


def test_losses_ask_for_the_own_sound_and_for_spoilt_mouths_below_clean_ones() -> None:
    windows = torch.eye(4)
    batch = Batch(
        frames=torch.zeros(0),
        windows=torch.zeros(0),
        sound=torch.zeros(0),
        places=torch.tensor([[0, 3, 6, 9]]),
        severity=torch.tensor([1.0]),
    )
    zeros = torch.zeros(1, 4)
    kept = torch.cat([windows, windows, zeros])  # seen, spoilt but as good, still
    losses = matching_losses(kept, windows, batch, scale=20.0, margin=0.2)
    assert losses["match"] < 1e-3
    assert losses["rank"] == pytest.approx(0.4)  # the margin, twice
    assert losses["still"] == 0.0
    lost = torch.cat([windows, torch.zeros(4, 4), windows[:1]])
    losses = matching_losses(lost, windows, batch, scale=20.0, margin=0.2)
    assert losses["rank"] == 0.0
    assert losses["still"] == pytest.approx(0.25)


def _stored(folder: Path, name: str, seed: int) -> MouthClip:
    place = folder / name
    place.mkdir()
    sound = _sound(30 * 640, seed)
    np.save(place / "mouths.npy", _noise(30, 96, 96, 3, seed=seed))
    np.save(place / "sound.npy", sound)
    np.save(place / "log_power.npy", augmentation.log_power(sound).astype(np.float16))
    return MouthClip(name, name, "made", place)


def test_a_batch_depends_on_seed_and_step_alone(tmp_path: Path) -> None:
    clips = [_stored(tmp_path, name, seed) for seed, name in enumerate(("a", "b"))]
    shape = Shape(clips=2, windows=4, segment=20, damaged=1, still=2)
    first, second = (Batches(clips, shape, steps=9, seed=5, balance=0.5)[3] for _ in range(2))
    assert torch.equal(first.frames, second.frames)
    assert torch.equal(first.sound, second.sound)
    assert len(first.windows) == 2 * 4 + 1 * 4 + 2 * 2
    assert int(first.windows.max()) + 5 <= len(first.frames)
    assert not torch.equal(
        first.sound, Batches(clips, shape, steps=9, seed=5, balance=0.5)[4].sound
    )


SMALL: Mapping[str, object] = {
    "steps": 2,
    "clips": 2,
    "windows": 4,
    "segment": 20,
    "damaged": 1,
    "still": 1,
    "report_every": 1,
    "save_every": 1,
    "faces": ["given"],
}


@pytest.fixture
def job(tmp_path: Path) -> TrainJob[Settings]:
    return small_job(Settings.model_validate(SMALL), tmp_path)


@pytest.mark.slow
def test_a_training_that_was_stopped_and_resumed_writes_the_same_curve_and_weights(
    job: TrainJob[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(job)
    stopped = replace(job, folder=job.folder.with_name("stopped"))
    saved = training.save_checkpoint

    def saved_then_killed(path: Path, step: int, state: training.State, **steps: int) -> None:
        saved(path, step, state, **steps)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(training, "save_checkpoint", saved_then_killed)
        with pytest.raises(KeyboardInterrupt):
            train(stopped)
    resumed = train(replace(stopped, resume=True))
    curves = [(path.parent / training.CURVES).read_text() for path in (whole, resumed)]
    assert curves[0] == curves[1]
    assert whole.read_bytes() == resumed.read_bytes()
    assert whole.name == WEIGHTS
    assert whole.stat().st_mode & 0o044 == 0o044  # others may read it
    sync_small.load("cpu", weights=resumed)


def test_a_training_can_start_from_the_shipped_weights(job: TrainJob[Settings]) -> None:
    still = {"start": "shipped", "learning_rate": 1e-12, "weight_decay": 0.0, "steps": 1}
    settings = Settings.model_validate({**SMALL, **still})
    found, shipped = (
        read_state(train(replace(job, settings=settings))),
        read_state(sync_small.WEIGHTS),
    )
    layers = [name for name in shipped if name.endswith("weight")]
    assert layers
    for name in layers:
        assert torch.equal(found[name], shipped[name]), name


def test_ctrl_c_saves_and_says_how_to_go_on(
    tmp_path: Path,
) -> None:
    clips = [_stored(tmp_path, "a", 0)]
    settings = Settings.model_validate({**SMALL, "steps": 100})
    learner = Learner(settings, seed=0)
    batches = Batches(clips, settings.shape, steps=100, seed=0, balance=0.5)
    loop = training.Loop(
        steps=100,
        report_every=1,
        save_every=100,
        folder=tmp_path / "out",
        resume=False,
        log=logging.getLogger("test"),
    )

    def advance(step: int, batch: Batch) -> dict[str, float]:
        if step == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return learner.advance(step, batch)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(training.Stopped, match="after step 2 of 100; --resume goes on"):
        training.run(loop, learner.states(), batches, advance, validate=lambda _: {})
    saved = torch.load(loop.folder / training.CHECKPOINT, weights_only=True)
    assert saved["step"] == 2
    with (loop.folder / training.CURVES).open() as stream:
        assert [row["step"] for row in csv.DictReader(stream)] == ["1", "2"]
    assert signal.getsignal(signal.SIGINT) is before


def test_unusable_data_are_an_error_a_user_can_put_right(job: TrainJob[Settings]) -> None:
    with pytest.raises(BenchError, match="0 of 2 clips of train can be used"):
        train(
            replace(job, settings=Settings.model_validate({**SMALL, "windows": 30, "segment": 48}))
        )


def test_settings_that_the_training_would_ignore_are_refused() -> None:
    with pytest.raises(ValueError, match="paced: the scorer takes the number of steps"):
        Settings.model_validate({"paced": True, "stop_after": "5 min"})


@pytest.mark.slow
def test_training_leaves_chance_on_pictures_and_sounds_that_belong_together() -> None:
    """A few steps on one easy batch: colour tells which sound belongs to which window."""
    torch.manual_seed(0)
    settings = Settings(steps=30, learning_rate=2e-3)
    learner = Learner(settings, seed=0)
    frames = torch.from_numpy(_noise(30, 56, 64, 3))
    batch = Batch(
        frames=frames,
        windows=torch.cat([torch.arange(0, 24, 3), torch.arange(0, 24, 3), torch.tensor([1])]),
        sound=torch.randn(8, 13, 20),
        places=torch.arange(0, 24, 3)[None],
        severity=torch.tensor([0.0]),
    )
    losses = [learner.advance(step, batch) for step in range(30)]
    assert losses[-1]["match"] < 0.5 * losses[0]["match"]


def test_the_network_is_the_documented_size() -> None:
    assert sum(value.numel() for value in SyncNetwork().parameters()) == 2_076_576
