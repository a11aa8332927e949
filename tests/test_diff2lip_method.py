"""The method diff2lip: the contract, the official way of making faces, files, options, training."""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydantic
import pytest
import torch

import bench
from bench.checks.ladders import talking_patterns
from bench.config.shipped import TRAININGS
from bench.networks.audio import features, first_columns
from bench.networks.face_crops import PADS
from bench.networks.sync_expert import Expert, save_expert
from bench.train import loop as training
from bench.train.config import load_train_config
from bench.train.draws import Draw
from bench.train.face_clips import FaceClip
from bench.train.perceptual_loss import PROJECT
from bench.train.sync_expert import Judge
from bench.train.talking_batches import TalkingBatches
from bench.train.trainable import TrainJob
from methods.diff2lip import checkpoints, method
from methods.diff2lip.checkpoints import (
    OFFICIAL_DIFFUSED,
    Diffused,
    LoadedDenoiser,
    load_denoiser,
    save_denoiser,
)
from methods.diff2lip.hearing import ByExpert, ByMouths, _batch, learn_to_hear
from methods.diff2lip.inference import Talker, one_noise
from methods.diff2lip.judge import fooling_loss, judge_loss
from methods.diff2lip.method import Diff2Lip
from methods.diff2lip.network_training import NetworkLearner, drawn_network
from methods.diff2lip.networks import Denoiser
from methods.diff2lip.settings import DiscriminatorSettings, NetworkSettings, Settings
from methods.diff2lip.sizes import OFFICIAL, SMALL
from methods.diff2lip.training import train, train_on
from methods.diff2lip.validation import Validation
from tests.small_clips import small_job
from tests.small_talkers import TINY, X0, tiny_denoiser, tiny_weights

LIKE_OFFICIAL = replace(TINY, side=128, top=0, hidden=64, has_variance=True, from_reference=False)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """The file of a tiny network, weights as drawn."""
    return tiny_weights(tmp_path / "tiny.safetensors")


def job_of(folder: Path, *, frames: int = 6) -> bench.Job:
    (clean,) = talking_patterns(1, frames=frames)
    video = clean.sample.video
    face = bench.Video.of(video.read(), track=video.faces())
    speech = video.sound()
    assert speech is not None
    log = logging.getLogger(__name__)
    return bench.Job(clean.sample.case, face, speech, len(speech) // 640, folder, 1, log)


def test_bfloat16_is_close(weights: Path, tmp_path: Path) -> None:
    made = []
    for precision in ("float32", "bfloat16"):
        method = Diff2Lip(Diff2Lip.Options(weights=weights, steps=1, precision=precision))
        method.load("cpu")
        video = method.generate(job_of(tmp_path)).video
        assert not isinstance(video, Path)
        made.append(np.stack(list(video)).astype(np.float64))
    off = np.abs(made[0] - made[1])
    assert 0.0 < off.mean() < 1.0


def test_only_the_lower_half_of_the_face_is_new(weights: Path, tmp_path: Path) -> None:
    made = {}
    for reference in ("same", "first", "other"):
        method = Diff2Lip(Diff2Lip.Options(weights=weights, steps=2, reference=reference))
        assert method.protocol == f"reference: {reference}"
        method.load("cpu")
        job = job_of(tmp_path)
        video = method.generate(job).video
        assert not isinstance(video, Path)
        made[reference] = np.stack(list(video))
        box = job.face.faces().boxes[0]
        middle = int((box[1] + box[3] + PADS[1]) / 2)
        assert np.array_equal(made[reference][0][: middle - 1], job.face.read()[0][: middle - 1])
        assert not np.array_equal(made[reference][0], job.face.read()[0])
    assert not np.array_equal(made["same"], made["first"])
    silent = replace(job_of(tmp_path), speech=np.zeros(6 * 640, np.int16))
    with pytest.raises(bench.BenchError, match="is digitally silent"):
        method.generate(silent)


def test_batches_and_repetition_change_nothing() -> None:
    random = np.random.default_rng(0)
    targets, references = random.integers(0, 256, (2, 3, 96, 96, 3), dtype=np.uint8)
    heard = random.normal(0, 1, (3, 1, 80, 16)).astype(np.float32)
    talker = Talker(LoadedDenoiser(tiny_denoiser(), X0), device="cpu", steps=3)
    whole = talker.faces(targets, references, heard)
    apart = [
        talker.faces(targets[i : i + 1], references[i : i + 1], heard[i : i + 1]) for i in (2, 0)
    ]
    assert np.abs(whole[2].astype(int) - apart[0][0]).max() <= 1
    assert np.abs(whole[0].astype(int) - apart[1][0]).max() <= 1
    assert np.array_equal(whole[:, :48], targets[:, :48])
    other = targets.copy()
    other[:, 48:] = 0
    assert np.array_equal(talker.faces(other, references, heard), whole)


def test_the_official_way_is_25_steps_one_noise_and_the_whole_face(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "OFFICIAL", LIKE_OFFICIAL)
    path = tmp_path / "official.pt"
    network = tiny_denoiser(LIKE_OFFICIAL)
    torch.save(network.state_dict(), path)
    loaded = load_denoiser(path)
    assert loaded.diffused == OFFICIAL_DIFFUSED
    method = Diff2Lip(Diff2Lip.Options(weights=path))
    method.load("cpu")
    talker = method._talker
    assert talker is not None
    assert talker.steps.times.tolist() == list(range(0, 1000, 40))
    torch.manual_seed(7)
    assert torch.equal(talker.noise, torch.randn(1, 3, 128, 128))
    talker.steps = replace(
        talker.steps, **{n: getattr(talker.steps, n)[:1] for n in ("times", "kept", "kept_before")}
    )
    job = job_of(tmp_path)
    video = method.generate(job).video
    assert not isinstance(video, Path)
    frame, (x0, y0, x1, y1) = next(iter(video)), job.face.faces().boxes[0].astype(int)
    changed = np.argwhere((frame != job.face.read()[0]).any(axis=2))
    assert (changed[:, 0] >= y0).all()
    assert (changed[:, 0] < y1).all()
    assert (changed[:, 1] >= x0).all()
    assert (changed[:, 1] < x1).all()


def test_files_that_do_not_fit_are_told(tmp_path: Path, weights: Path) -> None:
    with pytest.raises(bench.BenchError, match=r"no such file, expected weights of diff2lip"):
        Diff2Lip(Diff2Lip.Options(weights=tmp_path / "none.pt")).identity()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(method, "SHIPPED", tmp_path)
        for name, config in (("synth", "diff2lip_small"), ("grid", "diff2lip_grid_small")):
            with pytest.raises(bench.BenchError, match=f"bench train configs/train/{config}.yaml"):
                Diff2Lip(Diff2Lip.Options(weights=name)).load("cpu")
    with pytest.raises(pydantic.ValidationError, match="there are no weights 'sinth'"):
        Diff2Lip.Options(weights="sinth")
    path = tmp_path / "other.pt"
    torch.save({"a.weight": torch.zeros(1)}, path)
    with torch.device("meta"):
        full = Denoiser(OFFICIAL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "Denoiser", lambda _size: full)
        with pytest.raises(bench.BenchError, match=r"other.pt: expected 632 tensors"):
            load_denoiser(path)
    loaded = load_denoiser(weights)
    assert (loaded.network.size, loaded.diffused) == (TINY, X0)
    wrong = tmp_path / "wrong.safetensors"
    save_denoiser(tiny_denoiser(), wrong, replace(X0, lead=-1), seed=0, trained_on="")
    with pytest.raises(bench.BenchError, match="as `bench train` writes them"):
        load_denoiser(wrong)


def test_a_frame_hears_what_the_official_one_hears() -> None:
    columns = features(np.ones(640 * 40, np.int16), "mel").shape[1]
    found = first_columns(40, columns, lead=OFFICIAL_DIFFUSED.lead)
    official = [int(80 * max(number - 2, 0) / 25) for number in range(1, 41)]
    whole = [start for start in official if start + 16 <= columns]
    assert found[: len(whole)].tolist() == whole


SETTINGS = {
    "faces": "given",
    "threads": 1,
    "expert": {"width": 0.05, "loss": "matching", "steps": 2, "clips": 2, "windows": 6},
    "network": {
        "multipliers": [1, 1, 1],
        "attention": [],
        "steps": 4,
        "batch": 1,
        "singles": 1,
        "hearing_steps": 2,
        "pyramid": 0.25,
        "perceptual": 0,
        "sync_from": 0.5,
        "adversarial": 0,
        "average": 0.9,
        "sampling": 1,
        "val_clips": 1,
        "report_every": 2,
        "save_every": 2,
    },
}


def _stored(folder: Path, name: str, seed: int, frames: int = 20) -> FaceClip:
    """A flat face with a bar for a mouth, as tall as the sound is loud."""
    random = np.random.default_rng(seed)
    loud = np.repeat(random.random(frames // 3 + 2), 3)[:frames]
    faces = np.full((frames, 96, 96, 3), 150, np.uint8)
    for face, level in zip(faces, loud, strict=True):
        face[70 - int(15 * level) : 72 + int(15 * level), 30:66] = 30
    spectrum = np.repeat(8 * loud - 4, 16)[::5][: frames * 16 // 5 + 1]
    own = folder / name
    own.mkdir()
    np.save(own / "faces.npy", faces)
    rows = np.tile(spectrum, (119, 1)) + random.normal(0, 0.1, (119, len(spectrum)))
    np.save(own / "features.npy", rows.astype(np.float32))
    return FaceClip(name, "one", "made", own)


@pytest.fixture
def stored(tmp_path: Path) -> list[FaceClip]:
    return [_stored(tmp_path, f"c{seed}", seed) for seed in range(3)]


def _random() -> np.random.Generator:
    return np.random.default_rng(0)


def _judge(clips: list[FaceClip]) -> Judge:
    torch.manual_seed(0)
    expert = Expert(width=0.05).eval()
    return Judge(expert, 10.0, clips, "mel", torch.device("cpu"), expert.state_dict())


def _learner(clips: list[FaceClip], **changed: object) -> tuple[NetworkLearner, TalkingBatches]:
    wanted = NetworkSettings.model_validate(
        SETTINGS["network"] | {"channels_last": False} | changed
    )
    diffused = Diffused(wanted.predicts, wanted.noising, wanted.filling, 1)
    network = drawn_network(wanted, 0)
    judged = DiscriminatorSettings(width=4)
    device = torch.device("cpu")
    judge = _judge(clips) if wanted.needs_expert else None
    learner = NetworkLearner(network, wanted, judged, diffused, judge, seed=0, device=device)
    batches = TalkingBatches(
        clips, "mel", batch=wanted.batch, singles=wanted.singles, lead=1, steps=20, seed=0
    )
    return learner, batches


@pytest.mark.slow
def test_a_windows_frames_share_time_and_noise_and_sync_counts_at_its_times(
    stored: list[FaceClip],
) -> None:
    learner, batches = _learner(stored, singles=3, judged_below=100)
    for step in (1, 2):
        batch = batches[step]
        drawn_now = learner._drawn(step, batch, torch.zeros(8, 3, 56, 96))
        assert len(drawn_now.times[:5].unique()) == 1
        assert torch.equal(drawn_now.noise[0], drawn_now.noise[4])
        assert not torch.equal(drawn_now.noise[0], drawn_now.noise[5])
        assert not torch.equal(drawn_now.noise[0], drawn_now.filling[0])
        assert (int(drawn_now.times[0]) < 100) or step < 2
    assert "sync" not in learner.advance(1, batches[1])
    assert set(learner.advance(2, batches[2])) == {"simple", "bands", "sync"}


@pytest.mark.slow
@pytest.mark.parametrize("predicts", ["noise", "x0"])
def test_the_network_learns_a_face(stored: list[FaceClip], predicts: str) -> None:
    kind: dict[str, object] = {"predicts": predicts}
    if predicts == "noise":
        kind |= {"noising": "linear", "filling": "noise", "from_reference": False}
    kind |= {
        "sync": 0,
        "pyramid": 0.25,
        "schedule": "constant",
        "batch": 0,
        "singles": 2,
        "leaning": 1,
    }
    learner, batches = _learner(stored, learning_rate=3e-3, **kind)
    # One batch with one noise: each step draws others, whose losses cannot be compared.
    figures = [learner.advance(0, batches[0])["simple"] for _ in range(10)]
    assert figures[-1] < 0.8 * figures[0]


@pytest.mark.slow
def test_five_mouths_are_judged_together_by_a_discriminator_that_learns(
    stored: list[FaceClip],
) -> None:
    learner, batches = _learner(
        stored, sync=0, adversarial=0.5, adversarial_from=0.5, judged_below=100, perceptual=0.25
    )
    assert set(learner.advance(1, batches[1])) == {"simple", "bands", PROJECT}
    before = [p.detach().clone() for p in learner.discriminator.parameters()]
    figures = learner.advance(2, batches[2])
    assert set(figures) == {"simple", "bands", PROJECT, "fooled", "judged"}
    after = learner.discriminator.parameters()
    assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
    seen: list[torch.Size] = []
    learner.discriminator.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape))
    learner.advance(3, batches[3])
    assert seen == [(1, 15, 48, 96), (2, 15, 48, 96)]


def test_a_judge_is_pleased_by_margins_of_one() -> None:
    one, none = torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)
    assert float(judge_loss(one, -one)) == 0.0
    assert float(judge_loss(none, none)) == 1.0
    assert float(judge_loss(2 * one, -3 * one)) == 0.0
    assert float(fooling_loss(one)) == -1.0


def test_other_sizes_of_faces_train_and_make_faces(stored: list[FaceClip]) -> None:
    learner, batches = _learner(
        stored, side=32, top=0, multipliers=[1], speech_multipliers=[1, 1, 1, 1]
    )
    assert set(learner.advance(2, batches[2])) == {"simple", "bands", "sync"}
    assert learner.network.size.hidden == 16
    held_out = Validation.of(
        stored, X0, sampling=1, count=2, precision="float32", device=torch.device("cpu")
    )
    figures = held_out.figures(learner.averaged, None)
    assert set(figures) == {"val mouth", "val gain", "val sharpness", "val choice"}
    assert 0 < figures["val mouth"] < 1


def test_the_mouths_pixels_count_more_and_one_on_average(stored: list[FaceClip]) -> None:
    learner, _ = _learner(stored, mouth=4)
    counted = learner.counted  # (48, 96)
    assert float(counted.mean()) == pytest.approx(1.0, abs=1e-5)
    assert float(counted[20, 48] / counted[47, 0]) == pytest.approx(4.0)


def test_the_speech_encoder_learns_what_the_expert_hears(stored: list[FaceClip]) -> None:
    network, judge = tiny_denoiser(), _judge(stored)
    before = network.audio_encoder.input_block[0].weight.clone()
    args = {"lead": 1, "seed": 0, "device": torch.device("cpu")}
    right = learn_to_hear(network, stored, ByExpert(judge, 1), steps=1, **args)
    assert 0.0 <= right <= 1.0
    assert not torch.equal(network.audio_encoder.input_block[0].weight, before)


def test_the_speech_encoder_learns_how_mouths_move(stored: list[FaceClip]) -> None:
    teacher = ByMouths(stored)
    assert all(told.shape == (20, 140) for told in teacher.told)
    assert all(float(told.mean(dim=0).abs().max()) < 1e-4 for told in teacher.told)
    still = _batch(
        stored, teacher, Draw(stored, group=lambda clip: clip.dataset, power=0.0), _random(), lead=1
    )[1]
    assert teacher.loss(torch.zeros_like(still), still)[1] == pytest.approx(0.0)
    assert teacher.loss(still, still)[1] == 1.0
    network = tiny_denoiser()
    before = network.audio_encoder.input_block[0].weight.clone()
    right = learn_to_hear(
        network, stored, teacher, lead=1, steps=1, seed=0, device=torch.device("cpu")
    )
    assert right < 1.0
    assert not torch.equal(network.audio_encoder.input_block[0].weight, before)


def _stopping(save: Callable[..., None]) -> Callable[..., None]:
    def saved(path: Path, step: int, *rest: object, **named: object) -> None:
        save(path, step, *rest, **named)
        if step == 1 and path.parent.name == "out":
            raise KeyboardInterrupt

    return saved


@pytest.mark.slow
def test_a_training_that_was_stopped_and_resumed_writes_the_same_curve_and_weights(
    stored: list[FaceClip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two steps that both count: sync is there from the first on.
    shorter = {"steps": 2, "report_every": 1, "save_every": 1, "sync_from": 0.0, "hearing_steps": 1}
    settings = Settings.model_validate(SETTINGS | {"network": SETTINGS["network"] | shorter})
    expert = tmp_path / "expert.safetensors"
    torch.manual_seed(0)
    save_expert(Expert(width=0.05), expert, audio="mel", width=0.05, scale=10.0)
    job = TrainJob((), (), settings, tmp_path / "out", 3, False, "cpu", logging.getLogger("test"))
    ready = {"train": stored, "val": stored[:1]}
    whole = train_on(ready, replace(job, folder=tmp_path / "whole"), expert)
    with monkeypatch.context() as patch:
        patch.setattr(training, "save_checkpoint", _stopping(training.save_checkpoint))
        with pytest.raises(KeyboardInterrupt):
            train_on(ready, job, expert)
    again = train_on(ready, replace(job, resume=True), expert)
    curves = [(path.parent / training.CURVES).read_text() for path in (whole, again)]
    assert curves[0] == curves[1]
    assert whole.read_bytes() == again.read_bytes()
    last = list(csv.DictReader(curves[0].splitlines()))[-1]
    assert {"simple", "bands", "sync", "val gain", "val sharpness", "val choice"} <= set(last)
    assert (tmp_path / "out" / "strips" / "0000002.png").is_file()
    assert load_denoiser(whole).diffused == X0
    assert one_noise(load_denoiser(whole).network).shape == (1, 3, 56, 96)


@pytest.mark.slow
def test_trains_from_clips_expert_first(tmp_path: Path) -> None:
    settings = SETTINGS | {"network": SETTINGS["network"] | {"steps": 1, "hearing_steps": 0}}
    job = small_job(Settings.model_validate(settings), tmp_path)
    only = train(replace(job, parts=("expert",)))
    assert only.name == "expert.safetensors"
    assert load_denoiser(train(job)).network.size.multipliers == (1, 1, 1)


def test_settings_say_what_does_not_fit() -> None:
    with pytest.raises(pydantic.ValidationError, match=r"55 rows .* must be multiples of 8"):
        NetworkSettings(top=41)
    with pytest.raises(pydantic.ValidationError, match="batch and singles are both 0"):
        NetworkSettings(batch=0, singles=0)
    with pytest.raises(pydantic.ValidationError, match="sync and adversarial need clips with five"):
        NetworkSettings(batch=0)
    with pytest.raises(pydantic.ValidationError, match="multiple of 32"):
        NetworkSettings(width=48)


def test_the_configs_have_the_published_and_the_small_sizes_and_the_authors_losses() -> None:
    found = {}
    for name in ("diff2lip", "diff2lip_small", "diff2lip_grid_small", "diff2lip_gpu"):
        (settings,) = load_train_config(TRAININGS / f"{name}.yaml").plugins.values()
        assert isinstance(settings, Settings)
        found[name] = settings
    official, small = found["diff2lip"], found["diff2lip_small"]
    assert official.network.size == replace(OFFICIAL, has_variance=False)
    assert official.diffused == OFFICIAL_DIFFUSED
    own = official.network
    assert (own.perceptual, own.sync, own.adversarial) == (0.25, 0.1, 0.5)
    assert small.network.size == SMALL
    assert small.network == found["diff2lip_grid_small"].network
    assert not small.network.needs_expert
    with torch.device("meta"):
        large = drawn_network(found["diff2lip_gpu"].network, 0)
    assert sum(x.numel() for x in large.parameters()) == 25_605_667


def test_what_is_no_size_is_told() -> None:
    with pytest.raises(pydantic.ValidationError, match="top is 56; the rows from 48 on are drawn"):
        NetworkSettings(top=56)
    with pytest.raises(pydantic.ValidationError, match="and 84 columns must be multiples of 8"):
        NetworkSettings(side=84, top=4)


@pytest.mark.parametrize("path", sorted(method.SHIPPED.glob("*")), ids=lambda path: path.name)
def test_shipped_weights_are_whole_and_small(path: Path) -> None:
    assert path.stat().st_size <= 6e6
    loaded = load_denoiser(path)
    assert (loaded.network.size, loaded.diffused) == (SMALL, X0)
    assert all(bool(x.isfinite().all()) for x in loaded.network.parameters())
