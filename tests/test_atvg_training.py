"""ATVGnet's training: coding of faces, batches, both parts with small networks, files."""

from __future__ import annotations

import csv
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.ground.errors import BenchError
from bench.ground.types import Clip
from bench.train.loop import Stopped
from bench.train.trainable import TrainJob
from methods.atvg.batches import Coded, PictureBatches, SpeechBatches
from methods.atvg.checkpoints import SPEECH, load_trained
from methods.atvg.clips import AlignedClip, filled, laid_by
from methods.atvg.coding import Coding, fitted_coding, opening
from methods.atvg.judge import JudgeSize
from methods.atvg.judging import ClipJudging, Shown
from methods.atvg.landmarks import SMALL
from methods.atvg.picture_losses import MOUTH, counted, landmark_loss
from methods.atvg.picture_training import PictureLearner
from methods.atvg.settings import PictureSettings, Settings
from methods.atvg.speech_training import SpeechLearner, correlation, speech_figures
from methods.atvg.training import Ready, coded, train, train_on
from tests.small_clips import small_job

LOG = logging.getLogger(__name__)
STEPS = {"steps": 4, "report_every": 1, "save_every": 2, "batch": 2, "frames": 3, "val_clips": 2}
SETTINGS = {
    "threads": 1,
    "moving": "mouth",
    "speech": {"size": "small", "changes": 0.5, "noise": 0.1, "average": 0.5, **STEPS},
    "pictures": {
        "size": "small",
        "judge": "lower",
        "judge_width": 0.05,
        "adversarial_from": 0.5,
        "matching": 1.0,
        "colour": 0.1,
        "mouth": 4,
        "moved": 5,
        "pyramid": 1.0,
        **STEPS,
        "reader": {"steps": 2, "batch": 4, "report_every": 1, "save_every": 1},
    },
}


def _points(loud: np.ndarray) -> np.ndarray:
    """A face of 46 points whose mouth opens by loudness, wandering over the frame."""
    random = np.random.default_rng(5)
    face = random.uniform(30, 90, (46, 2))
    face[list(SMALL.right_eye)] += (-10, -20) - face[list(SMALL.right_eye)].mean(0) + (60, 60)
    face[list(SMALL.left_eye)] += (10, -20) - face[list(SMALL.left_eye)].mean(0) + (60, 60)
    for place, at in enumerate(((50, 80), (54, 80), (60, 80), (66, 80), (70, 80)), start=12):
        face[place] = at
    face[17:20] = [(66, 80), (60, 80), (54, 80)]
    points = np.tile(face, (len(loud), 1, 1))
    points[:, 17:20, 1] += 10 * loud[:, None]
    return points + np.linspace(0, 6, len(loud))[:, None, None]


def _stored(folder: Path, name: str, seed: int, frames: int = 24) -> AlignedClip:
    """A flat face with a bar for a mouth, as tall as the sound is loud."""
    loud = np.repeat(np.random.default_rng(seed).random(frames // 3 + 1), 3)[:frames]
    pictures = np.full((frames, 96, 96, 3), 150, np.uint8)
    for face, level in zip(pictures, loud, strict=True):
        face[72 : 74 + int(15 * level), 35:60] = 30
    own = folder / name
    own.mkdir()
    np.save(own / "pictures.npy", pictures)
    np.save(own / "points.npy", _points(loud).astype(np.float32))
    noise = np.random.default_rng(seed).normal(0, 0.1, (frames, 28, 12))
    np.save(own / "heard.npy", (noise + 8 * loud[:, None, None]).astype(np.float32))
    return AlignedClip(name, "one", "made", own)


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Ready:
    folder = tmp_path_factory.mktemp("stored")
    clips = [_stored(folder, f"clip{seed}", seed) for seed in range(4)]
    return coded(clips, clips[:2], Settings.model_validate(SETTINGS), seed=1)


def _job(folder: Path, **changes: object) -> TrainJob[Settings]:
    settings = Settings.model_validate(SETTINGS)
    job = TrainJob((), (), settings, folder, 1, resume=False, device="cpu", log=LOG)
    return replace(job, **changes)


# ---- faces as numbers -----------------------------------------------------------------------


def _coding() -> Coding:
    loud = [np.random.default_rng(seed).random(30) for seed in range(5)]
    return fitted_coding([_points(each) for each in loud], SMALL, moving="mouth", seed=0)


def test_differences_move_a_still_to_the_face_they_were_taken_from() -> None:
    coding, loud = _coding(), np.linspace(0, 1, 12)
    shapes = coding.shapes(_points(loud))
    differences = coding.differences(shapes, shapes[0])
    np.testing.assert_allclose(coding.moved(shapes[0], differences), shapes, atol=1e-6)
    assert correlation(opening(shapes, SMALL), loud) > 0.999
    assert opening(shapes, SMALL)[0] == pytest.approx(0, abs=1e-6)  # this mouth is shut
    moved = coding.moved(shapes[0], differences + 1.0).reshape(-1, 46, 2)
    np.testing.assert_allclose(moved[0, 20:], shapes[0].reshape(46, 2)[20:], atol=1e-9)
    assert abs(moved[0, :20] - shapes[0].reshape(46, 2)[:20]).max() > 1e-3


def test_a_constant_correlates_with_nothing() -> None:
    assert correlation(np.ones(5), np.arange(5.0)) == 0.0


# ---- clips and batches ----------------------------------------------------------------------


def test_faces_that_are_not_seen_are_their_neighbours() -> None:
    points = np.arange(5.0)[:, None, None] * np.ones((1, 46, 2))
    is_seen = np.array([False, True, True, False, True])
    assert filled(points, is_seen)[:, 0, 0].tolist() == [1, 1, 2, 2, 4]


def test_crops_follow_the_head_or_stay_where_they_are() -> None:
    points = np.arange(5.0)[:, None, None] * np.ones((1, 46, 2))
    assert laid_by(points, alignment="clip")[:, 0, 0].tolist() == [2, 2, 2, 2, 2]
    assert laid_by(points, alignment="frame")[:, 0, 0].tolist() == [0.6, 1.2, 2, 2.8, 3.4]


def test_a_batch_depends_on_seed_and_step_alone_and_hears_what_it_shows(ready: Ready) -> None:
    def made(seed: int) -> PictureBatches:
        return PictureBatches(ready.train, batch=3, frames=4, steps=9, seed=seed)

    one, again, other = made(1)[4], made(1)[4], made(2)[4]
    assert torch.equal(one.pictures, again.pictures)
    assert torch.equal(one.shapes, again.shapes)
    assert not torch.equal(one.pictures, other.pictures)
    assert one.pictures.shape == (3, 4, 96, 96, 3)
    assert one.shapes.shape == (3, 4, 92)
    heard = SpeechBatches(ready.train, batch=3, frames=4, steps=9, seed=1)[4]
    dark = (one.pictures[..., 0] < 60).float().mean(dim=(2, 3)).flatten()
    assert np.corrcoef(dark, heard.heard.mean(dim=(2, 3)).flatten())[0, 1] > 0.9
    assert torch.equal(heard.wanted, one.differences)


# ---- losses ---------------------------------------------------------------------------------


def test_mouths_changes_and_the_networks_own_share_count_more() -> None:
    settings = PictureSettings(size="small", mouth=4, moved=10)
    still, target = torch.zeros(1, 3, 96, 96), torch.zeros(1, 3, 96, 96)
    target[..., MOUTH[0], 30:40] = 1.0
    weights = counted(torch.full((1, 1, 96, 96), 0.5), still, target, settings)[0, 0]
    assert weights[75, 70] == pytest.approx(4 * float(weights[10, 10]))
    assert weights[75, 35] == pytest.approx(6 * float(weights[75, 70]))
    plain = counted(torch.full((1, 1, 96, 96), 0.25), still, target, PictureSettings())
    assert torch.equal(plain, torch.full((1, 1, 96, 96), 0.75))


def test_the_heights_of_the_mouth_count_as_in_the_official_program() -> None:
    true = torch.zeros(1, 1, 92)
    wide, high, eye = (true.clone() for _ in range(3))
    wide[..., 0], high[..., 1], eye[..., 51] = 1.0, 1.0, 1.0
    assert float(landmark_loss(high, true, SMALL)) == pytest.approx(1e4 / 92)
    assert landmark_loss(wide, true, SMALL) == landmark_loss(eye, true, SMALL)


def test_the_official_judge_learns_and_gives_gradients() -> None:
    size = JudgeSize(side=32, points=46, channels=(4, 4, 4, 4), known=(8, 8), memory=8, layers=1)
    torch.manual_seed(0)
    judging = ClipJudging(PictureSettings(judge_rate=0.01), size, SMALL, torch.device("cpu"))
    made = torch.rand(2, 3, 3, 32, 32).requires_grad_()
    real = torch.ones(2, 3, 3, 32, 32)
    known, shapes = torch.zeros(2, 92), torch.zeros(2, 3, 92)
    shown = Shown(real[:, 0], made, real, known, shapes, torch.zeros(2, 3, 6))
    losses = judging.losses(shown, is_adversarial=True)
    assert set(losses) == {"landmarks", "fooled"}
    sum(losses.values()).backward()
    assert made.grad is not None
    assert float(made.grad.abs().sum()) > 0
    assert set(judging.losses(shown, is_adversarial=False)) == {"landmarks"}
    first = judging.advance(shown)["judged"]
    assert min(judging.advance(shown)["judged"] for _ in range(20)) < first


# ---- training -------------------------------------------------------------------------------


def _curve(folder: Path) -> list[dict[str, str]]:
    with (folder / "curves.csv").open() as stream:
        return list(csv.DictReader(stream))


@pytest.mark.slow
def test_both_networks_are_trained_resumed_to_the_same_curve_and_filed(
    ready: Ready, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with torch.random.fork_rng():
        whole = train_on(ready, _job(tmp_path / "whole"))

        def stopped(learner: PictureLearner, step: int, figures: dict[str, float]) -> None:
            if step == 4:
                raise Stopped("here")

        with monkeypatch.context() as patched:
            patched.setattr(PictureLearner, "took_note", stopped)
            with pytest.raises(Stopped):
                train_on(ready, _job(tmp_path / "parts"))
        resumed = train_on(ready, _job(tmp_path / "parts", resume=True))
    curve = _curve(tmp_path / "whole")
    assert _curve(tmp_path / "parts") == curve
    assert {"pixels", "landmarks", "fooled", "val mouth", "val gain", "val copied"} <= set(curve[0])
    assert resumed.read_bytes() == whole.read_bytes()
    assert sorted(each.name for each in (tmp_path / "whole" / "strips").iterdir()) == [
        "0000002.png",
        "0000004.png",
    ]
    found = load_trained(whole)
    assert found.pictures is not None
    assert found.known["trained_on"] == "made"
    assert found.known["landmarks"] == "small"
    np.testing.assert_allclose(found.coding.mean, ready.train.coding.mean, atol=1e-3)
    with pytest.raises(BenchError, match="expected AT-net of ATVGnet, found atvg"):
        load_trained(whole, network=SPEECH)
    alone = load_trained(tmp_path / "whole" / "speech" / "speech.safetensors", network=SPEECH)
    assert alone.pictures is None
    data = bytearray(whole.read_bytes())
    data[-1] ^= 1
    (tmp_path / "damaged.safetensors").write_bytes(data)
    with pytest.raises(BenchError, match="The file is damaged"):
        load_trained(tmp_path / "damaged.safetensors")


def test_pictures_alone_want_an_at_net_of_the_same_faces(ready: Ready, tmp_path: Path) -> None:
    job = _job(tmp_path, parts=("pictures",))
    with pytest.raises(BenchError, match=r"train it first .*--part speech"):
        train(job)
    with torch.random.fork_rng():
        speech = train_on(ready, _job(tmp_path / "one", parts=("speech",)))
    assert speech == tmp_path / "one" / "speech" / "speech.safetensors"
    coding = ready.train.coding
    turned = replace(coding.basis, components=-coding.basis.components)
    strange = Coded(ready.train.clips, ready.train.shapes, replace(coding, basis=turned))
    with pytest.raises(BenchError, match="its components of faces are not those of these clips"):
        train_on(replace(ready, train=strange), _job(tmp_path / "one", parts=("pictures",)))


def test_at_net_learns_a_mouth_that_follows_the_loudness(ready: Ready) -> None:
    settings = Settings.model_validate(SETTINGS).speech
    settings = settings.model_copy(update={"learning_rate": 2e-3, "noise": 0.0, "batch": 4})
    batches = SpeechBatches(ready.train, batch=4, frames=8, steps=25, seed=1)
    with torch.random.fork_rng():
        learner = SpeechLearner(settings, ready.train, seed=1, device="cpu")
        for step in range(25):
            learner.advance(step, batches[step])
    figures = speech_figures(learner.network, ready.val, 2, torch.device("cpu"))
    assert figures["val opening"] > 0.8
    assert figures["val others"] < 0.5


def test_settings_tell_what_does_not_go_together() -> None:
    with pytest.raises(ValueError, match="both networks are of one size"):
        Settings.model_validate({"speech": {"size": "small"}})
    with pytest.raises(ValueError, match="judge: lower sees faces of 96x96"):
        Settings.model_validate({"pictures": {"judge": "lower"}})
    with pytest.raises(ValueError, match="pyramid and moved go with size: small"):
        Settings.model_validate({"pictures": {"moved": 1.0}})


def test_clips_are_made_ready_with_their_landmarks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    settings = Settings.model_validate({**SETTINGS, "faces": "given"})
    job = small_job(settings, tmp_path)
    with torch.random.fork_rng():
        path = train(replace(job, parts=("speech",)))
    found = load_trained(path, network=SPEECH)
    assert found.known["trained_on"]
    assert isinstance(job.train[0], Clip)
