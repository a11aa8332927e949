"""Training the family: clips made ready, batches, losses, expert and generator, stop and resume."""

from __future__ import annotations

import csv
import json
import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydantic
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from bench import media
from bench.data.manifest import write_manifest
from bench.files import weights
from bench.ground.errors import BenchError
from bench.ground.types import Clip
from bench.networks import audio
from bench.networks.audio import AudioKind
from bench.networks.lpips import LINEAR
from bench.networks.lpips.distance import distances
from bench.networks.lpips.trunks import Trunk, linear_layers, load_trunk
from bench.networks.sync_expert import WINDOW, Expert, load_expert, sync_loss
from bench.train import loop as training
from bench.train import pixel_losses, voices
from bench.train.expert_batches import MatchingBatches
from bench.train.expert_settings import ExpertSettings
from bench.train.face_bank import FaceBank
from bench.train.face_clips import FaceClip, make_ready
from bench.train.perceptual_loss import PerceptualLoss
from bench.train.sync_expert import (
    ExpertLearner,
    Judge,
    augmented,
    expert_key,
    matching_loss,
    pairs_loss,
    validation,
)
from bench.train.talking_batches import TalkingBatch, TalkingBatches, reference_window
from bench.train.trainable import TrainJob
from methods.wav2lip import initialisation, losses
from methods.wav2lip.checkpoints import load_generator, save_generator
from methods.wav2lip.generator import Generator
from methods.wav2lip.generator_training import GeneratorLearner, hidden
from methods.wav2lip.initialisation import (
    PICTURES,
    STARTS,
    imitate,
    initial_generator,
    start_as_copy,
)
from methods.wav2lip.settings import DiscriminatorSettings, GeneratorSettings, Settings
from methods.wav2lip.training import train
from methods.wav2lip.validation import Validation
from methods.wav2lip.variants import ABLATION, LPIPS_ATTNWAV2LIP, Variant
from tests.small_clips import small_job

LOG = logging.getLogger("test")
WAV2LIP, OURS = ABLATION[0], ABLATION[-1]
EXPERT = {"width": 0.05, "loss": "matching", "steps": 4, "clips": 2, "windows": 6, "save_every": 2}
GENERATOR = {
    "width": 0.05,
    "steps": 6,
    "batch": 1,
    "singles": 1,
    "sync_from": 0.3,
    "adversarial_from": 0.5,
    "colour": 0.2,
    "pyramid": 1.0,
    "moved": 10.0,
    "other_sentences": 0.2,
    "without_mouth": 0.2,
    "other_persons": 0.5,
    "other_voices": 0.5,
    "shape": 0.1,
    "matching": 0.1,
    "sync_augmentation": True,
    "start": "copy",
    "hearing": "expert",
    "average": 0.9,
    "report_every": 2,
    "save_every": 2,
    "val_clips": 1,
}
SETTINGS = {
    "faces": "given",
    "threads": 1,
    "expert": EXPERT,
    "generator": GENERATOR,
    "discriminator": {"width": 0.05},
}


def _stored(folder: Path, name: str, seed: int, frames: int = 30) -> FaceClip:
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


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> list[FaceClip]:
    folder = tmp_path_factory.mktemp("stored")
    return [_stored(folder, f"clip{seed}", seed) for seed in range(4)]


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainJob[Settings]:
    """Two talking patterns in files, and settings so small that training takes seconds."""
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    return small_job(Settings.model_validate(SETTINGS), tmp_path)


def _learner(
    stored: list[FaceClip], variant: Variant = WAV2LIP, **changes: object
) -> GeneratorLearner:
    learner = ExpertLearner(ExpertSettings.model_validate(EXPERT), "mel", device="cpu")
    state = learner.expert.state_dict()
    judge = Judge(learner.expert.eval(), 10.0, stored, "mel", torch.device("cpu"), state)
    settings = GeneratorSettings.model_validate({**GENERATOR, **changes})
    judged = DiscriminatorSettings(width=0.05)
    return GeneratorLearner(settings, judged, variant, judge, clips=stored, seed=1, device="cpu")


# ---- clips ----------------------------------------------------------------------------------


def test_clips_are_kept_and_those_without_sound_or_face_are_dropped_with_their_reason(
    job: TrainJob[Settings], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    silent, blank = tmp_path / "silent.mp4", tmp_path / "blank.mp4"
    frames = media.read_frames(job.train[0].video)
    media.write_video(silent, frames, sound=None)
    media.write_video(blank, np.zeros_like(frames), sound=media.read_sound(job.train[0].video))
    clips = [*job.train, Clip("silent", silent, box=(30, 30, 70, 72))]
    with caplog.at_level(logging.INFO):
        ready = make_ready(clips, split="train", detector="given", cache=tmp_path / "c", log=LOG)
    assert [clip.id for clip in ready] == ["0", "1"]
    assert "dropped silent: it has no sound" in caplog.text
    assert "train: 2 clips; dropped 1 1 x it has no sound" in caplog.text
    assert ready[0].faces().shape == (30, 96, 96, 3)
    assert ready[0].features("mel").shape[0] == 80
    assert ready[0].features("mfcc").shape[0] == 39
    with pytest.raises(BenchError, match=r"0 of 1 clips of val can be used.*1 x .*face"):
        make_ready(
            [Clip("blank", blank)], split="val", detector="haar", cache=tmp_path / "c", log=LOG
        )


# ---- batches --------------------------------------------------------------------------------


def test_a_batch_depends_on_seed_and_step_alone(stored: list[FaceClip]) -> None:
    def made(seed: int) -> TalkingBatches:
        return TalkingBatches(stored, "mel", batch=3, singles=1, lead=1, steps=9, seed=seed)

    one, again, other = made(1)[4], made(1)[4], made(2)[4]
    assert torch.equal(one.targets, again.targets)
    assert torch.equal(one.heard, again.heard)
    assert not torch.equal(one.targets, other.targets)
    assert one.targets.shape == one.references.shape == (3 * WINDOW + 1, 96, 96, 3)
    assert one.heard.shape == (3 * WINDOW + 1, 1, 80, 16)
    assert one.owners.tolist() == [0] * WINDOW + [1] * WINDOW + [2] * WINDOW + [3]
    assert len(one.clips) == len(one.starts) == 3


def test_targets_hear_their_own_sound(stored: list[FaceClip]) -> None:
    batch = TalkingBatches(stored, "mel", batch=3, singles=1, lead=0, steps=1, seed=0)[0]
    dark = (batch.targets[..., 0] < 60).float().mean(dim=(1, 2))
    loud = batch.heard[:, 0, :, :3].mean(dim=(1, 2))  # its first columns
    assert np.corrcoef(dark, loud)[0, 1] > 0.9


@given(frames=st.integers(15, 80), seed=st.integers(0, 1000))
def test_the_reference_is_never_among_the_targets(frames: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    start = int(random.integers(frames - WINDOW + 1))
    index = reference_window(frames, start, random)
    assert index.min() >= 0
    assert index.max() < frames
    assert not set(index) & set(range(start, start + WINDOW))


def test_references_may_be_from_another_sentence_of_the_same_speaker(tmp_path: Path) -> None:
    """The faces of each clip have one grey level, which tells it: 0, 1 of one speaker, 2 alone."""
    clips = []
    for number, speaker in enumerate(("a", "a", "b")):
        one = _stored(tmp_path, f"clip{number}", number)
        np.save(one.folder / "faces.npy", np.full((30, 96, 96, 3), number, np.uint8))
        clips.append(replace(one, speaker=speaker))

    def shown(share: float, step: int) -> list[tuple[int, int]]:
        batches = TalkingBatches(
            clips, "mel", batch=3, singles=6, lead=1, steps=50, seed=0, other_sentences=share
        )
        batch = batches[step]
        return list(
            zip(
                batch.targets[:, 0, 0, 0].tolist(),
                batch.references[:, 0, 0, 0].tolist(),
                strict=True,
            )
        )

    always = {pair for step in range(9) for pair in shown(1.0, step)}
    assert always == {(0, 1), (1, 0), (2, 2)}
    assert {pair for step in range(9) for pair in shown(0.0, step)} == {(0, 0), (1, 1), (2, 2)}
    some = [pair for step in range(50) for pair in shown(0.3, step)[3 * WINDOW :]]
    with_twin = [pair for pair in some if pair[0] < 2]
    assert 0.2 < np.mean([a != b for a, b in with_twin]) < 0.4


def test_a_share_of_the_speakers_looks_like_others_in_target_and_reference_alike(
    tmp_path: Path,
) -> None:
    """Flat faces: what is left of a colour tells the look, and light changes it across a face."""
    clips = [_stored(tmp_path, f"clip{number}", number) for number in range(3)]
    for clip in clips:
        np.save(clip.folder / "faces.npy", np.full((30, 96, 96, 3), 150, np.uint8))

    def batch(share: float, step: int) -> TalkingBatch:
        return TalkingBatches(
            clips, "mel", batch=3, singles=20, lead=1, steps=9, seed=0, other_persons=share
        )[step]

    same = batch(0.0, 0)
    assert (same.targets == 150).all()
    assert (same.references == 150).all()
    half = [batch(0.5, step) for step in range(9)]
    for one in half:
        assert torch.equal(one.targets, one.references)
    is_other = torch.cat([(one.targets != 150).flatten(1).any(dim=1)[15:] for one in half])
    assert 0.35 < float(is_other.float().mean()) < 0.65  # of 180 single frames
    everyone = batch(1.0, 0)
    assert len(everyone.targets[15:].float().mean(dim=(1, 2)).unique(dim=0)) == 20  # no look twice
    for window in everyone.targets[:15].split(WINDOW):
        assert (window == window[0]).all()  # one look for all frames
    assert torch.equal(everyone.targets, batch(1.0, 0).targets)
    assert torch.equal(everyone.heard, same.heard)


def test_a_share_of_the_speech_is_heard_in_other_voices_at_the_same_time(tmp_path: Path) -> None:
    """A tone that comes and goes: its band moves with the voice, its time does not."""
    clip = _stored(tmp_path, "clip", 1)
    mel = np.full((80, 97), -4.0, np.float32)
    mel[40, 20:60] = 3.0
    np.save(clip.folder / "features.npy", audio.features_of_mel(mel, "fused"))

    def heard(kind: AudioKind, share: float, step: int) -> Tensor:
        batches = TalkingBatches(
            [clip], kind, batch=1, singles=20, lead=1, steps=9, seed=0, other_voices=share
        )
        return batches[step].heard[:, 0]

    own, other = heard("mel", 0.0, 0), heard("mel", 1.0, 0)
    loud = own.amax(dim=1) > 0
    assert 0.1 < float(loud.float().mean()) < 0.9
    assert torch.equal(other.amax(dim=1) > other.amax(dim=1).mean(), loud)
    bands = {int(one.sum(dim=1).argmax()) for one in other if one.max() > 0}
    assert min(bands) < 38
    assert max(bands) > 42
    assert len({tuple(one.flatten().tolist()) for one in other[:WINDOW, :, :1]}) <= 2  # one voice
    half = torch.cat(
        [(heard("mel", 0.5, k) != heard("mel", 0.0, k)).any(dim=(1, 2)) for k in range(9)]
    )
    assert 0.35 < float(half.float().mean()) < 0.65
    fused, cepstra = heard("fused", 1.0, 3), heard("mfcc", 1.0, 3)
    assert torch.equal(fused[:, :80], heard("mel", 1.0, 3))
    assert torch.equal(fused[:, 80:], cepstra)


@pytest.mark.parametrize("factor", [0.82, 1.0, 1.22])
def test_a_voice_moves_every_frequency_by_one_factor(factor: float) -> None:
    hertz = audio.mel_centres(audio.LOWEST, audio.HIGHEST)
    formants = [500.0, 1500.0, 2500.0]

    def spectrum(scale: float) -> NDArray[np.float64]:
        return np.sum([np.exp(-(((hertz / (scale * one) - 1) / 0.15) ** 2)) for one in formants], 0)

    moved = voices.warped(factor) @ spectrum(1.0).astype(np.float32)
    assert np.abs(moved - spectrum(factor)).max() < 0.12
    if factor != 1.0:
        assert np.abs(moved - spectrum(1.0)).max() > 0.5


def test_looks_cannot_change_in_a_devices_memory(stored: list[FaceClip]) -> None:
    bank = FaceBank(stored, "mel", torch.device("cpu"))
    with pytest.raises(BenchError, match=r"other_persons 0\.5 .*leave both out"):
        TalkingBatches(bank, "mel", batch=1, singles=0, lead=1, steps=1, seed=0, other_persons=0.5)


def test_references_without_a_mouth_lose_their_lower_half_in_a_share_of_the_draws(
    stored: list[FaceClip],
) -> None:
    learner = _learner(stored, without_mouth=0.5)
    owners = torch.arange(40).repeat_interleave(WINDOW)
    references = torch.rand(40 * WINDOW, 3, 96, 96)
    shown = learner._shown_references(7, references, owners)
    assert torch.equal(shown[:, :, :48], references[:, :, :48])
    is_hidden = (shown[:, :, 48:] == 0).flatten(1).all(dim=1)
    assert torch.equal(shown[~is_hidden], references[~is_hidden])
    by_draw = is_hidden.reshape(40, WINDOW)
    assert torch.equal(by_draw.all(dim=1), by_draw.any(dim=1))  # all frames of a window alike
    assert 10 < int(by_draw.all(dim=1).sum()) < 30
    assert torch.equal(shown, learner._shown_references(7, references, owners))
    assert not torch.equal(shown, learner._shown_references(8, references, owners))


# ---- losses ---------------------------------------------------------------------------------


def test_pixels_count_as_told_and_one_on_average() -> None:
    counted = pixel_losses.weights_map(3.0, 6.0, torch.device("cpu"))
    assert counted.mean() == pytest.approx(1.0)
    assert counted[70, 48] == pytest.approx(2 * counted[95, 5])
    assert counted[95, 5] == pytest.approx(3 * counted[0, 0])


def test_what_is_unlike_the_reference_counts_more() -> None:
    reference = torch.zeros(2, 3, 96, 96)
    target = reference.clone()
    target[0, :, 60:80, 30:60] = 0.5
    counted = losses.moved_map(target, reference, 10.0)
    assert counted.shape == (2, 1, 96, 96)
    assert counted.mean() == pytest.approx(1.0, rel=1e-5)
    assert counted[0, 0, 70, 45] == pytest.approx(6.0 * float(counted[1, 0, 0, 0]), rel=1e-5)
    same = losses.moved_map(reference, reference, 10.0)
    assert torch.equal(same, torch.ones_like(same))


def test_the_pyramid_sees_blur_that_sharpness_measures() -> None:
    face = torch.rand(1, 3, 96, 96)
    blurred = torch.nn.functional.avg_pool2d(face, 3, 1, 1)
    assert pixel_losses.pyramid_loss(face, face) == 0
    assert pixel_losses.pyramid_loss(blurred, face) > 0.1
    assert pixel_losses.sharpness(blurred) < 0.2 * pixel_losses.sharpness(face)


def test_peaks_are_what_lies_beyond_the_limit_and_are_taken_once() -> None:
    block = torch.nn.Identity()
    peaks = losses.Peaks([block])
    values = torch.full((1, 1, 2, 2), losses.Peaks.limit)
    values[0, 0, 0, 0], values[0, 0, 1, 1] = -losses.Peaks.limit - 8.0, 3.0
    values.requires_grad_()
    block(values)
    taken = peaks.taken()
    assert taken.item() == pytest.approx(8.0 / 4)
    taken.backward()
    assert values.grad is not None
    assert values.grad[0, 0].tolist() == [[-0.25, 0.0], [0.0, 0.0]]
    block(torch.zeros(1, 1, 2, 2))
    assert peaks.taken().item() == 0.0


def test_sync_loss_is_least_for_the_right_sound_and_leaves_neighbours_aside() -> None:
    sounds = torch.nn.functional.normalize(torch.rand(12, 8), dim=1)
    right = sync_loss(sounds[4:5], [sounds], [4], 20.0)
    assert right < sync_loss(sounds[4:5], [sounds], [9], 20.0)
    doubled = sounds.clone()
    doubled[5] = doubled[4]  # a neighbour that sounds the same does not count against it
    assert sync_loss(sounds[4:5], [doubled], [4], 20.0) <= right
    assert sync_loss(sounds[4:5], [sounds], [4], 0.0) == pytest.approx(0.0, abs=1e-4)  # -log cos


def test_matching_and_pairs_reward_the_diagonal() -> None:
    gaps = (torch.arange(6)[:, None] - torch.arange(6)).abs()[None]
    right, wrong = torch.eye(6)[None], torch.eye(6).roll(3, 1)[None]
    scale = torch.tensor(10.0)
    assert matching_loss(right, gaps, scale) < 0.01 < 5 < matching_loss(wrong, gaps, scale)
    assert pairs_loss(right, step=0) < 0.01 < 3 < pairs_loss(wrong, step=2)


def test_augmentation_keeps_range_and_treats_a_clip_alike() -> None:
    frames = torch.rand(1, 3, 48, 96).expand(4, -1, -1, -1).contiguous()
    owners = torch.tensor([0, 0, 1, 1])
    made = augmented(frames, owners, torch.Generator().manual_seed(3))
    assert made.shape == frames.shape
    assert made.min() >= 0
    assert made.max() <= 1
    within, across = (made[0] - made[1]).abs().mean(), (made[0] - made[2]).abs().mean()
    assert within < across


def test_what_the_generator_sees_holds_no_lower_half_of_the_target() -> None:
    target, reference = torch.rand(2, 3, 96, 96), torch.rand(2, 3, 96, 96)
    seen = hidden(target, reference)
    assert torch.equal(seen[:, :3, :48], target[:, :, :48])
    assert not seen[:, :3, 48:].any()
    assert torch.equal(seen[:, 3:], reference)


def test_a_copying_start_passes_the_reference_through() -> None:
    torch.manual_seed(0)
    generator = Generator(width=0.1)
    start_as_copy(generator)
    faces = torch.nn.functional.interpolate(torch.rand(8, 3, 6, 6), (96, 96), mode="bilinear")
    made = generator(torch.randn(8, 1, 80, 16), hidden(faces.flip(0), faces))
    like = [np.corrcoef(made[n].detach().flatten(), faces[n].flatten())[0, 1] for n in range(8)]
    unlike = np.corrcoef(made[0].detach().flatten(), faces[1].flatten())[0, 1]
    assert min(like) > 0.9 > 0.5 > unlike


def _starter(folder: Path, width: float = 0.05) -> tuple[Generator, Path]:
    torch.manual_seed(3)
    generator = Generator(width=width).eval()
    path = folder / "start.safetensors"
    described = {"variant": WAV2LIP, "width": width, "lead": 1, "seed": 3, "trained_on": "made"}
    save_generator(generator, path, **described)
    return load_generator(path, WAV2LIP).network, path


def _begun(path: Path | str, clips: list[FaceClip], hearing: str, width: float = 0.05) -> Generator:
    expert = Expert(audio="fused", width=width).state_dict()
    options = {"width": width, "start": path, "hearing": hearing, "expert": expert}
    return initial_generator(OURS, **options, clips=clips, seed=1)


def test_a_start_from_a_file_takes_its_pictures(stored: list[FaceClip], tmp_path: Path) -> None:
    starter, path = _starter(tmp_path)
    begun = _begun(path, stored, "expert").state_dict()
    taken = {name: x for name, x in starter.state_dict().items() if name.startswith(PICTURES)}
    assert len(taken) > 100
    assert all(torch.equal(begun[name], x) for name, x in taken.items())


@pytest.mark.parametrize("name", STARTS)
def test_a_start_by_its_name_is_a_shipped_wav2lip(stored: list[FaceClip], name: str) -> None:
    theirs = load_generator(STARTS[name], WAV2LIP).network.state_dict()
    begun = _begun(name, stored, "expert", width=0.167).state_dict()
    taken = [part for part in theirs if part.startswith(PICTURES)]
    assert len(taken) > 100
    assert all(torch.equal(begun[part], theirs[part]) for part in taken)


@pytest.mark.slow
def test_a_speech_encoder_learns_to_say_what_the_starts_says(
    stored: list[FaceClip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(initialisation, "IMITATION_CLIPS", 3)
    torch.set_num_threads(1)
    starter, path = _starter(tmp_path)
    generator = _begun(path, stored, "expert")
    missed = [imitate(generator, starter, stored, "fused", steps=n, seed=1) for n in (2, 18)]
    assert missed[1] < 0.7 * missed[0]


def test_a_start_of_another_width_or_without_ears_is_refused(
    stored: list[FaceClip], tmp_path: Path
) -> None:
    _, path = _starter(tmp_path, width=0.1)
    with pytest.raises(BenchError, match=r"start\.safetensors: .* at this width"):
        _begun(path, stored, "expert")
    with pytest.raises(pydantic.ValidationError, match="needs a start that hears"):
        GeneratorSettings.model_validate({"start": "copy", "hearing": "start"})


@pytest.mark.parametrize(
    ("start", "told"),
    [
        ("reel", r"there is no file .*reel\..* copy, shipped, real"),
        ("wide.safetensors", "at this width"),
    ],
)
def test_an_unfit_start_is_told_before_anything_is_trained(
    job: TrainJob[Settings], tmp_path: Path, start: str, told: str
) -> None:
    _starter(tmp_path, width=0.1)[1].rename(tmp_path / "wide.safetensors")
    unfit = {**GENERATOR, "start": tmp_path / start}
    job = replace(job, settings=Settings.model_validate({**SETTINGS, "generator": unfit}))
    with pytest.raises(BenchError, match=f"settings.generator.start: .*{told}"):
        train(job, OURS)
    assert not (job.folder / "expert").exists()


def test_a_shallower_generator_takes_the_starts_outer_blocks(
    stored: list[FaceClip], tmp_path: Path
) -> None:
    starter, path = _starter(tmp_path)
    expert = Expert(audio="mel", width=0.05).state_dict()
    options = {"width": 0.05, "start": path, "hearing": "expert", "expert": expert}
    begun = initial_generator(LPIPS_ATTNWAV2LIP, **options, clips=stored, seed=1).state_dict()
    theirs = starter.state_dict()
    for own, their in (
        ("face_encoder_blocks.4.1", "face_encoder_blocks.4.1"),
        ("face_decoder_blocks.1.0", "face_decoder_blocks.3.0"),
        ("face_decoder_blocks.4.1", "face_decoder_blocks.6.1"),
        ("output_block.0", "output_block.0"),
    ):
        rest = ".conv_block.0.weight"
        assert torch.equal(begun[own + rest], theirs[their + rest])
    assert "face_encoder_blocks.2.2.conv_block.0.weight" not in begun  # one residual layer
    first = "face_decoder_blocks.0.0.conv_block.0.weight"
    assert begun[first].shape[2:] == (3, 3)  # it sees the face, the start's hears the speech


# ---- the perceptual loss ----------------------------------------------------------------------


def test_lpips_attnwav2lip_learns_by_a_perceptual_loss_instead_of_a_discriminator(
    stored: list[FaceClip], tmp_path: Path
) -> None:
    none = {"adversarial": 0.0, "matching": 0.0, "adversarial_from": 0.0, "steps": 9}
    by = {"perceptual": 0.5, "perceptual_net": "project", "learning_rate": 3e-3}
    plain = {"start": "random", "colour": 0.0, "sync": 0.0, "sync_from": 1.0}
    torch.set_num_threads(1)
    learner = _learner(stored, LPIPS_ATTNWAV2LIP, **none, **by, **plain)
    before = {name: x.clone() for name, x in learner.generator.state_dict().items()}
    batches = TalkingBatches(stored, "mel", batch=1, singles=1, lead=1, steps=9, seed=0)
    told = [learner.advance(step, batches[0]) for step in range(4)]
    assert all(np.isfinite(value) for row in told for value in row.values())
    assert "fooled" not in told[-1]
    assert told[-1]["perceptual[project]"] < told[0]["perceptual[project]"]
    for part in ("face_attention.4.after", "decoder_attention.4.after", "alignments.1.norms.0"):
        moved = [n for n in before if n.startswith(part) and n.endswith("weight")]
        assert moved
        assert all(not torch.equal(before[n], learner.generator.state_dict()[n]) for n in moved)
    learner.took_note(1, {"val sync": 1.0, "val choice": 0.5})
    assert learner.best.figure == 0.5  # no loss is still to come
    other = _learner(stored, LPIPS_ATTNWAV2LIP, **none)
    with pytest.raises(BenchError, match=r"the perceptual loss perceptual\[project\].*now.* None"):
        other.load_state_dict(learner.state_dict())


def test_without_lpips_trunk_the_log_and_the_name_say_what_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("BENCH_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    cpu = torch.device("cpu")
    with caplog.at_level(logging.INFO):
        found = PerceptualLoss.of("found", cpu, LOG)
    assert found.name == "perceptual[project]"
    assert "perceptual[project], not LPIPS: weights 'alexnet' are not here" in caplog.text
    target = torch.nn.functional.avg_pool2d(torch.rand(2, 3, 96, 96), 5, 1, 2)
    made = (0.8 * target + 0.2 * torch.rand_like(target)).requires_grad_()
    assert found(target, target) == 0
    found(made, target).backward()
    assert made.grad is not None
    assert made.grad.any()
    with pytest.raises(BenchError, match="weights 'alexnet' are not here"):
        PerceptualLoss.of("alex", cpu, LOG)


def test_with_the_trunk_the_loss_is_the_metrics_lpips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(2)
    trunk = tmp_path / "alexnet.safetensors"
    save_file(Trunk("alex").state_dict(), trunk)
    monkeypatch.setattr(weights, "find", lambda name: {"alexnet": trunk}[name])
    loss = PerceptualLoss.of("found", torch.device("cpu"), LOG)
    assert loss.name == "LPIPS[alex v0.1]"
    shown = np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3), dtype=np.uint8)
    wanted = list(
        distances([tuple(shown)], load_trunk("alex", trunk), linear_layers(LINEAR, "alex"))
    )
    faces = torch.from_numpy(shown).permute(0, 3, 1, 2).float() / 255
    made = faces[1:].clone().requires_grad_()
    value = loss(made, faces[:1])
    assert value.item() == pytest.approx(wanted[0], rel=1e-4)
    value.backward()
    assert made.grad is not None
    assert made.grad.any()


# ---- expert and generator -------------------------------------------------------------------


@pytest.mark.slow
def test_matching_leaves_chance_and_the_expert_is_found_again(
    stored: list[FaceClip], tmp_path: Path
) -> None:
    settings = ExpertSettings.model_validate(
        {**EXPERT, "steps": 60, "clips": 2, "windows": 12, "learning_rate": 4e-3}
        | {"precision": "float32"}
    )
    torch.set_num_threads(1)
    learner = ExpertLearner(settings, "mel", device="cpu")
    batches = MatchingBatches(stored, "mel", batch=2, windows=12, steps=60, seed=0)
    told = [learner.advance(step, batches[step]) for step in range(60)]
    assert told[0]["sync"] > 2.0  # ln 12 = 2.5
    assert np.mean([row["sync"] for row in told[-5:]]) < 1.0
    path = learner.save(tmp_path / "expert.safetensors")
    expert, scale = load_expert(path, "mel")
    assert scale == pytest.approx(float(learner.log_scale.detach().exp()))
    figures = validation(expert, stored, "mel", torch.device("cpu"))
    assert figures["made in_step"] >= 0.75
    with pytest.raises(BenchError, match=r"expected a sync expert that hears fused, found .*mel"):
        load_expert(path, "fused")


def test_sync_comes_in_when_validation_says_so_and_the_best_weights_are_kept(
    stored: list[FaceClip],
) -> None:
    learner = _learner(stored, sync_from=1.0, patience=2, steps=10)
    assert not learner.has_sync
    learner.took_note(2, {"val sync": 0.8, "val choice": 0.1})
    assert not learner.has_sync
    assert learner.best.figure == np.inf  # before the adversarial loss there is no candidate
    learner.took_note(5, {"val sync": 0.7, "val choice": 0.5})
    assert learner.has_sync
    best = learner.chosen().state_dict()["output_block.1.bias"].clone()
    with torch.no_grad():
        learner.averaged.output_block[1].bias.add_(1.0)
    learner.took_note(6, {"val sync": 0.7, "val choice": 0.6})
    assert not learner.best.is_enough()
    learner.took_note(7, {"val sync": 0.7, "val choice": 0.6})
    assert learner.best.is_enough()
    assert torch.equal(learner.chosen().state_dict()["output_block.1.bias"], best)


def test_validation_gives_figures_and_a_strip(stored: list[FaceClip], tmp_path: Path) -> None:
    import cv2

    learner = _learner(stored)
    held_out = Validation.of(stored, "mel", lead=1, count=3, device=torch.device("cpu"))
    figures = held_out.figures(learner.averaged, learner.judge)
    assert all(np.isfinite(value) for value in figures.values())
    assert figures["val mouth"] > 0
    held_out.strip(learner.averaged, tmp_path / "strip.png")
    picture = cv2.imread(str(tmp_path / "strip.png"))
    assert picture.shape == (2 * 3 * 96, 13 * 96, 3)
    truth = stored[0].faces()[0, :, :, ::-1]
    assert np.array_equal(picture[:96, :96], truth)  # the reference comes first


@pytest.mark.slow
def test_a_training_that_was_stopped_and_resumed_writes_the_same_curve_and_weights(
    job: TrainJob[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two steps that both count: sync and the adversarial loss are there from the first on.
    shorter = {**GENERATOR, "steps": 2, "report_every": 1, "save_every": 1}
    shorter |= {"sync_from": 0.0, "adversarial_from": 0.0}
    job = replace(job, settings=Settings.model_validate({**SETTINGS, "generator": shorter}))
    whole = train(job, OURS)
    stopped = replace(job, folder=job.folder.with_name("stopped"))
    saved = training.save_checkpoint
    checkpoints: list[int] = []

    def saved_then_killed(path: Path, step: int, state: training.State, **steps: int) -> None:
        saved(path, step, state, **steps)
        checkpoints.append(step)
        if step == 1:  # of the generator: the expert is in the cache
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(training, "save_checkpoint", saved_then_killed)
        with pytest.raises(KeyboardInterrupt):
            train(stopped, OURS)
    assert checkpoints == [1]
    resumed = train(replace(stopped, resume=True), OURS)
    curves = [(path.parent / training.CURVES).read_text() for path in (whole, resumed)]
    assert curves[0] == curves[1]
    assert whole.read_bytes() == resumed.read_bytes()
    rows = list(csv.DictReader(curves[0].splitlines()))
    assert [row["step"] for row in rows] == ["1", "2"]
    assert rows[-1]["judged"]
    assert rows[-1]["val gain"]
    assert (job.folder / training.PICTURE).read_text().startswith("<svg")
    assert (job.folder / "strips" / "0000002.png").is_file()
    load_generator(whole, OURS)
    with pytest.raises(BenchError, match="wav2lip"):
        load_generator(whole, WAV2LIP)


@pytest.mark.slow
def test_expert_and_generator_are_trained_one_by_one_and_may_run_out_of_time(
    job: TrainJob[Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BenchError, match=r"no sync expert for mel features .* first"):
        train(replace(job, parts=("generator",)), WAV2LIP)
    expert = train(replace(job, parts=("expert",)), WAV2LIP)
    assert expert == job.folder / "expert" / "expert.safetensors"
    assert [path.name for path in job.folder.iterdir()] == ["expert"]
    load_expert(expert, "mel")
    other = replace(job, folder=tmp_path / "other", parts=("expert",))
    assert train(other, WAV2LIP).read_bytes() == expert.read_bytes()  # from the cache
    brief = Settings.model_validate({**SETTINGS, "generator": {**GENERATOR, "stop_after": 1e-3}})
    weights = train(replace(job, settings=brief, parts=("generator",)), WAV2LIP)
    load_generator(weights, WAV2LIP)
    assert training.read_checkpoint(job.folder / training.CHECKPOINT).step == 1
    rows = list(csv.DictReader((job.folder / training.CURVES).read_text().splitlines()))
    assert [row["step"] for row in rows] == ["1"]
    assert rows[0]["val choice"]
    assert (job.folder / "strips" / "0000001.png").is_file()


def test_an_experts_name_in_the_cache_is_the_one_it_always_had() -> None:
    """A changed name would make everybody train every expert once more."""
    ready: dict[str, list[FaceClip]] = {"train": [], "val": []}
    settings = ExpertSettings.model_validate(EXPERT)
    kept = expert_key(settings, "mel", ready)
    assert kept == "8464b6a1ccb0a9aa51a3185bc511a15054ef02404bbe4a2f835a45e5c0271087"
    changed = settings.model_copy(update={"stop_after": 5.0})
    assert expert_key(changed, "mel", ready) != kept


@pytest.mark.slow
def test_two_processes_train_one_network(job: TrainJob[Settings], tmp_path: Path) -> None:
    manifest = tmp_path / "made.csv"
    clips = [replace(clip, split=split) for split in ("train", "val") for clip in job.train]
    write_manifest(
        manifest,
        [replace(clip, id=f"{clip.split}{clip.id}", speaker="one") for clip in clips],
        root=tmp_path,
    )
    config = {
        "name": "two",
        "plugin": "wav2lip",
        "data": [{"name": "made", "manifest": str(manifest)}],
        "settings": {
            **SETTINGS,
            "expert": {**EXPERT, "steps": 1},
            "generator": {**GENERATOR, "steps": 2},
        },
    }
    (tmp_path / "two.yaml").write_text(json.dumps(config), encoding="utf-8")
    bench = Path(sys.executable).with_name("bench")
    command = [bench, "train", "two.yaml", "--device", "cpu", "--devices", "2", "-o", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("step 2/2") == 1  # the first process alone tells
    load_generator(tmp_path / "out" / "wav2lip.safetensors", WAV2LIP)
    saved = torch.load(tmp_path / "out" / training.CHECKPOINT, weights_only=True)
    assert saved["step"] == 2


def test_a_full_disk_leaves_the_last_checkpoint_whole(
    stored: list[FaceClip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = _learner(stored)
    path = tmp_path / training.CHECKPOINT
    training.save_checkpoint(path, 1, learner)
    before = path.read_bytes()

    def full(state: object, stream: object) -> None:
        stream.write(b"half")  # type: ignore[attr-defined]
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(torch, "save", full)
        with pytest.raises(OSError, match="No space left"):
            training.save_checkpoint(path, 2, learner)
    assert path.read_bytes() == before


def test_settings_that_leave_no_weight_to_the_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="reconstruction"):
        Settings.model_validate({"generator": {"sync": 0.6, "adversarial": 0.5}})
