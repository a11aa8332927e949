"""PC-AVS in small: networks, views of aligned faces, disguise, batches, files, stop and resume."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydantic
import pytest
import torch
from torch.nn import functional

from bench.files.tensor_files import named_tensors
from bench.ground.errors import BenchError
from bench.networks.face_crops import crops
from bench.networks.sync_expert import WINDOW, Expert, save_expert
from bench.train import loop as training
from bench.train.face_clips import FaceClip
from bench.train.trainable import TrainJob
from methods.pcavs import small
from methods.pcavs.augmentation import disguised
from methods.pcavs.batches import FaceBatches, still_frame
from methods.pcavs.clips import AlignedClip, viewed, views
from methods.pcavs.generator_training import grown
from methods.pcavs.method import PCAVS, SHIPPED
from methods.pcavs.pictures import SIDE, at_side, small_picture
from methods.pcavs.settings import GeneratorSettings, Settings
from methods.pcavs.small import SmallNetworks, StyledConv
from methods.pcavs.small_checkpoints import load_small, save_small
from methods.pcavs.training import train_on

PARTS = {
    "identity": 171_936,
    "speech": 261_600,
    "face": 218_764,
    "to_mouth": 10_836,
    "generator": 530_710,
}


@pytest.fixture(scope="module")
def networks() -> SmallNetworks:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return SmallNetworks().eval()


# ---- networks -----------------------------------------------------------------------------------


def test_parts_have_their_sizes() -> None:
    with torch.device("meta"):
        parts = dict(SmallNetworks().named_children())
    assert {name: sum(p.numel() for p in part.parameters()) for name, part in parts.items()} == (
        PARTS
    )


def test_speech_still_and_pose_make_the_picture(networks: SmallNetworks) -> None:
    random = torch.Generator().manual_seed(1)
    stills = 2.0 * torch.rand(2, 3, 96, 96, generator=random) - 1.0
    heard = torch.rand(3, 1, 80, 20, generator=random)
    poses = 2.0 * torch.rand(3, 3, 96, 96, generator=random) - 1.0
    with torch.no_grad():
        who = networks.who(stills[:1])
        made = networks.pictures(who, heard, poses)
        assert made.shape == (3, 3, 96, 96)
        assert made.abs().max() <= 1.0
        # In training each frame has its clip's still; the same frames give the same pictures.
        several = networks(stills, torch.tensor([0, 0, 1]), heard, poses)
        assert torch.allclose(several[:2], made[:2], atol=1e-5)
        assert not torch.allclose(several[2], made[2], atol=1e-3)
        for changed in (
            networks.pictures(who, heard.roll(1, 0), poses),
            networks.pictures(who, heard, poses.roll(1, 0)),
            networks.pictures(who, heard, poses, mouth_weight=2.0),
        ):
            assert not torch.allclose(changed, made, rtol=0.0, atol=1e-6)
        still_pose = networks.pictures(who, heard, poses[:1])
        assert torch.allclose(still_pose[0], made[0], atol=1e-5)


def test_the_pose_never_sees_the_mouth(networks: SmallNetworks) -> None:
    pictures = torch.rand(1, 3, 96, 96)
    rows, columns = small.MOUTH_REGION
    spoken = pictures.clone()
    spoken[:, :, rows, columns] = 1.0
    turned = pictures.clone()
    turned[:, :, : rows.start] = 1.0
    with torch.no_grad():
        assert torch.equal(networks.face(spoken), networks.face(pictures))
        assert not torch.allclose(networks.face(turned), networks.face(pictures), atol=1e-3)


def test_a_styled_convolution_is_one_with_scaled_and_normalised_weights() -> None:
    layer = StyledConv(5, 7)
    x, style = torch.randn(2, 5, 6, 6), torch.randn(2, small.STYLE)
    scales = 1.0 + layer.to_scales(style)
    wanted = []
    for picture, own in zip(x, scales, strict=True):
        weight = layer.weight * own[None, :, None, None]
        weight = weight / weight.square().sum((1, 2, 3), keepdim=True).sqrt()
        y = functional.conv2d(picture[None], weight, layer.bias, padding=1)
        wanted.append(functional.leaky_relu(y, 0.2) * 2.0**0.5)
    assert torch.allclose(layer(x, style), torch.cat(wanted), atol=1e-5)


# ---- aligned faces and the tracked face's cut ---------------------------------------------------


def _scene() -> np.ndarray:
    """A frame whose colours change slowly, (200, 240, 3) uint8."""
    rows, columns = np.mgrid[:200, :240]
    red, green = 128 + 100 * np.sin(rows / 20), 128 + 100 * np.sin(columns / 25)
    return np.stack([red, green, (red + green) / 2], axis=2).astype(np.uint8)


def test_a_view_of_the_aligned_picture_is_the_tracked_face() -> None:
    frame = _scene()
    turn = np.deg2rad(8.0)
    linear = 1.2 * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle = np.array([120.0, 100.0])
    inner = np.concatenate([linear, (112.0 - linear @ middle)[:, None]], axis=1)[None]
    boxes = np.array([[80, 70, 150, 150]])
    aligned = small_picture(frame, inner[0], 96)
    assert aligned.shape == (96, 96, 3)
    where = torch.from_numpy(views(at_side(inner, 96), boxes))
    picture = torch.from_numpy(aligned)[None].permute(0, 3, 1, 2).float()
    found = viewed(picture, where)[0].permute(1, 2, 0).numpy()
    wanted = crops(frame[None], boxes)[0].astype(float)
    assert np.abs(found - wanted).mean() < 1.5
    off = viewed(picture, where + torch.tensor([0, 0, 0.05]))[0].permute(1, 2, 0).numpy()
    assert np.abs(off - wanted).mean() > 2.5


def test_pictures_at_another_side_show_the_same_place() -> None:
    inner = np.array([[[1.5, 0.0, -20.0], [0.0, 1.5, -30.0]]])
    assert np.array_equal(at_side(inner, SIDE), inner)
    corner = np.array([-0.5, -0.5])  # of the 224x224 picture, and of any other
    place = np.linalg.solve(inner[0, :, :2], corner - inner[0, :, 2])
    half = at_side(inner, 112)[0]
    assert np.allclose(half[:, :2] @ place + half[:, 2], corner)


def test_disguise_is_one_for_all_frames_of_a_clip() -> None:
    pictures = torch.from_numpy(_scene()[:96, :96].copy()).permute(2, 0, 1)[None] / 255.0
    frames = pictures.expand(3, -1, -1, -1)
    owners = torch.tensor([0, 0, 1])
    found = disguised(frames, owners, torch.Generator().manual_seed(1))
    assert found.shape == frames.shape
    assert found.min() >= 0
    assert found.max() <= 1
    assert torch.equal(found[0], found[1])
    assert not torch.allclose(found[0], found[2], atol=0.01)
    again = disguised(frames, owners, torch.Generator().manual_seed(1))
    assert torch.equal(found, again)


# ---- batches ------------------------------------------------------------------------------------


def _stored(folder: Path, name: str, seed: int, frames: int = 30) -> AlignedClip:
    """A flat face with a bar for a mouth, as tall as the sound is loud."""
    random = np.random.default_rng(seed)
    loud = np.repeat(random.random(frames // 3 + 2), 3)[:frames]
    faces = np.full((frames, 96, 96, 3), 150, np.uint8)
    for face, level in zip(faces, loud, strict=True):
        face[64 - int(8 * level) : 66 + int(8 * level), 36:60] = 30
    faces[:, :, :20] = 40  # so that left and right differ
    own = folder / name
    own.mkdir()
    np.save(own / "faces.npy", faces)
    spectrum = np.repeat(8 * loud - 4, 16)[::5][: frames * 16 // 5 + 1]
    rows = np.tile(spectrum, (119, 1)) + random.normal(0, 0.1, (119, len(spectrum)))
    np.save(own / "features.npy", rows.astype(np.float32))
    np.save(own / "pictures.npy", faces)
    np.save(own / "mel.npy", np.tile(np.repeat(loud, 4), (80, 1)).astype(np.float32))
    same = np.tile(np.array([[1, 0, 0], [0, 1, 0]], np.float32), (frames, 1, 1))
    np.save(own / "views.npy", same)
    return AlignedClip(name, "one", "made", own, FaceClip(name, "one", "made", own))


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> list[AlignedClip]:
    folder = tmp_path_factory.mktemp("stored")
    return [_stored(folder, f"clip{seed}", seed) for seed in range(3)]


def test_batches_depend_on_the_step_and_hold_what_they_say(stored: list[AlignedClip]) -> None:
    batches = FaceBatches(stored, batch=1, singles=2, steps=8, seed=5)
    one, again, other = batches[3], batches[3], batches[4]
    assert torch.equal(one.targets, again.targets)
    assert not torch.equal(one.heard, other.heard)
    assert one.owners.tolist() == [0] * WINDOW + [1, 2]
    assert one.stills.shape == (3, 96, 96, 3)
    assert one.heard.shape == (7, 1, 80, 20)
    assert one.views.shape == (7, 2, 3)
    clip, start = stored[int(one.clips[0])], int(one.starts[0])
    columns = slice(None, None, -1 if one.is_mirrored[0] else 1)
    wanted = clip.pictures()[start : start + WINDOW, :, columns]
    assert np.array_equal(one.targets[:WINDOW].numpy(), wanted)
    assert any(batch.is_mirrored.any() for batch in (one, other, batches[5]))


def test_the_still_is_the_first_frame_half_of_the_time_or_lies_outside_the_window() -> None:
    random = np.random.default_rng(1)
    drawn = [still_frame(30, 10, random) for _ in range(400)]
    assert 150 < drawn.count(0) < 250
    assert not set(drawn) & set(range(10, 15))
    assert len(set(drawn)) == 25


# ---- files --------------------------------------------------------------------------------------


def test_networks_are_written_and_read(networks: SmallNetworks, tmp_path: Path) -> None:
    path = tmp_path / "small.safetensors"
    words = {"trained_on": "nothing", "landmarks": "small", "perceptual": "none"}
    save_small(networks, path, seed=1, **words)
    assert path.stat().st_size <= 2.5e6
    found, described = load_small(path)
    assert described["trained_on"] == "nothing"
    for name, tensor in found.state_dict().items():
        assert torch.allclose(tensor, networks.state_dict()[name], atol=1e-3), name
    expert = tmp_path / "expert.safetensors"
    save_expert(Expert(width=0.05), expert, audio="mel", width=0.05, scale=10.0)
    with pytest.raises(BenchError, match="expected the small networks of pcavs"):
        load_small(expert)


def test_options_name_weights_that_exist(tmp_path: Path) -> None:
    for strange in ({"weights": "sinth"}, {"pose": "stil"}, {"noise": "drawn"}):
        with pytest.raises(pydantic.ValidationError):
            PCAVS.Options.model_validate(strange)
    absent = PCAVS(PCAVS.Options(weights=tmp_path / "a.safetensors"))
    with pytest.raises(BenchError, match="no such file, expected weights of pcavs; train them"):
        absent.identity()
    with pytest.raises(BenchError, match=r"options\.pose: .*no such file; give a video"):
        PCAVS(PCAVS.Options(pose=tmp_path / "a.mp4")).identity()


# ---- training -----------------------------------------------------------------------------------

GENERATOR = {
    "steps": 2,
    "batch": 1,
    "singles": 1,
    "hearing_steps": 1,
    "sync_from": 0.0,
    "adversarial_from": 0.0,
    "matching": 0.1,
    "perceptual_net": "project",
    "average": 0.9,
    "report_every": 1,
    "save_every": 1,
    "val_clips": 1,
}


@pytest.mark.slow
def test_a_training_that_was_stopped_and_resumed_writes_the_same_curve_and_weights(
    stored: list[AlignedClip], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    expert = tmp_path / "expert.safetensors"
    save_expert(Expert(width=0.05), expert, audio="mel", width=0.05, scale=10.0)
    settings = Settings.model_validate({"generator": GENERATOR, "discriminator": {"width": 0.05}})
    ready = {"train": stored, "val": stored[:1]}
    log = logging.getLogger("test")
    job: TrainJob[Settings] = TrainJob((), (), settings, tmp_path / "whole", 3, False, "cpu", log)
    whole = train_on(ready, job, expert)
    assert {"l1", "bands", "sync", "shape", "fooled", "judged", "val gain", "val choice"} <= set(
        (tmp_path / "whole" / training.CURVES).read_text().splitlines()[0].split(",")
    )
    assert (tmp_path / "whole" / "strips" / "0000002.png").is_file()
    stopped = replace(job, folder=tmp_path / "parts")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "save_checkpoint", _stopping(training.save_checkpoint))
        with pytest.raises(training.Stopped):
            train_on(ready, stopped, expert)
    train_on(ready, replace(stopped, resume=True), expert)
    again = tmp_path / "parts" / whole.name
    curves = [(path.parent / training.CURVES).read_text() for path in (whole, again)]
    assert curves[0] == curves[1]
    assert whole.read_bytes() == again.read_bytes()


def _stopping(save: Callable[..., None]) -> Callable[..., None]:
    """Saves the first checkpoint, then stops, as Ctrl-C does."""

    def saved(path: Path, step: int, *rest: object, **named: object) -> None:
        save(path, step, *rest, **named)
        if step == 1:
            raise training.Stopped("stopped")

    return saved


def test_losses_that_set_in_later_grow() -> None:
    found = [grown(step, begin=0.5, steps=100) for step in (0, 49, 54, 59, 99)]
    assert np.allclose(found, [0.0, 0.0, 0.5, 1.0, 1.0])
    assert grown(9, begin=0.0, steps=100) == pytest.approx(1.0)


def test_settings_leave_something_to_the_pixels() -> None:
    with pytest.raises(pydantic.ValidationError, match="leave nothing"):
        GeneratorSettings(sync=0.5, perceptual=0.5)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.safetensors")), ids=lambda path: path.name)
def test_shipped_weights_are_whole_and_small(path: Path) -> None:
    assert path.stat().st_size <= 2.5e6
    networks, described = load_small(path)
    assert described["landmarks"] == "small"
    assert sum(p.numel() for p in networks.parameters()) == sum(PARTS.values())
    assert set(named_tensors(path)) == set(networks.state_dict())
