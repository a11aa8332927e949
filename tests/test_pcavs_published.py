"""The training of PC-AVS's published networks, made narrow: stages, losses, stop, resume, files."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pydantic
import pytest
import torch

from bench.ground.errors import BenchError
from bench.train import loop as training
from bench.train.trainable import TrainJob
from methods.pcavs import published_training
from methods.pcavs.augmentation import estranged
from methods.pcavs.checkpoints import FILES, UNUSED
from methods.pcavs.clips import CroppedClip
from methods.pcavs.judge import Judge
from methods.pcavs.method import PCAVS
from methods.pcavs.networks import Networks
from methods.pcavs.published_batches import ItemBatches
from methods.pcavs.published_learners import judge_loss, similarities, sync_losses
from methods.pcavs.published_training import train_on
from methods.pcavs.settings import Settings, SyncStage
from methods.pcavs.talker import PublishedTalker
from methods.pcavs.training import train

WIDTH = 0.0625
UNTRAINED = {**UNUSED, "identity": ("model.fc.",)}  # the speakers' classifier learns
STAGE = {"steps": 2, "report_every": 1, "save_every": 1, "batch": 2, "windows": 2, "val_clips": 2}
SETTINGS = {
    "size": "official",
    "published": {
        "identity": STAGE,
        "sync": {**STAGE, "frames": 2},
        "generator": {**STAGE, "windows": 1, "frames": 2, "perceptual_net": "project"},
    },
}


def _stored(folder: Path, name: str, seed: int, frames: int = 9) -> CroppedClip:
    random = np.random.default_rng(seed)
    own = folder / name
    own.mkdir()
    flat = random.integers(0, 255, (frames, 1, 1, 3), dtype=np.uint8)
    np.save(own / "pictures.npy", np.tile(flat, (1, 224, 224, 1)))
    np.save(own / "mel.npy", random.random((80, 4 * frames), dtype=np.float32))
    return CroppedClip(name, name, "made", own)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> list[CroppedClip]:
    folder = tmp_path_factory.mktemp("cropped")
    return [_stored(folder, f"clip{seed}", seed) for seed in range(2)]


def _job(folder: Path, **changed: object) -> TrainJob[Settings]:
    settings = Settings.model_validate({**SETTINGS, **changed})
    return TrainJob((), (), settings, folder, 3, False, "cpu", logging.getLogger("test"))


# ---- what is learned from -----------------------------------------------------------------------


def test_items_of_a_clip_share_no_frame_and_depend_on_the_step(stored: list[CroppedClip]) -> None:
    batches = ItemBatches(stored, batch=2, windows=2, frames=3, steps=9, seed=1)
    one, again = batches[4], batches[4]
    assert one.targets.shape == (4, 3, 3, 224, 224)
    assert one.stills.shape == (4, 3, 224, 224)
    assert one.heard.shape == (4, 3, 1, 80, 20)
    assert torch.equal(one.targets, again.targets)
    assert any(not torch.equal(one.targets, batches[step].targets) for step in (5, 6, 7))
    assert one.speakers[0] == one.speakers[1] != one.speakers[2]
    colours = one.targets[:2, :, :, 100, 100].flatten(0, 1)
    assert len({tuple(colour.tolist()) for colour in colours}) == 6
    with pytest.raises(BenchError, match="no clip has 10 frames or more"):
        ItemBatches(stored, batch=2, windows=2, frames=5, steps=9, seed=1)


def test_poses_have_other_colours_form_and_sharpness_but_stay_together() -> None:
    random = torch.Generator().manual_seed(2)
    pictures = torch.rand(2, 1, 3, 32, 32, generator=random).expand(-1, 2, -1, -1, -1)
    found = estranged(pictures, torch.Generator().manual_seed(3))
    assert found.shape == pictures.shape
    assert found.min() >= 0
    assert found.max() <= 1
    assert torch.allclose(found[:, 0], found[:, 1], atol=1e-6)
    assert (found - pictures).abs().mean() > 0.02
    assert found.std() < pictures.std()


# ---- losses -------------------------------------------------------------------------------------


def test_similarity_is_one_over_the_distance_of_whole_items() -> None:
    mouths, sounds = torch.randn(3, 2, 4), torch.randn(3, 2, 4)
    found = similarities(mouths, sounds)
    a, b = (
        each.flatten(1) / each.flatten(1).norm(dim=1, keepdim=True) for each in (mouths, sounds)
    )
    assert torch.allclose(found, 1.0 / torch.cdist(a, b), rtol=1e-3)
    assert similarities(mouths, mouths).isfinite().all()


def test_mouths_learn_from_contrast_and_sounds_from_both() -> None:
    mouths, sounds = (torch.randn(3, 2, 4, requires_grad=True) for _ in range(2))
    losses = sync_losses(sounds, mouths, SyncStage())
    assert {name: weight for name, (weight, _) in losses.items()} == {
        "contrast": 100.0,
        "likeness": 1.0,
    }
    (found,) = torch.autograd.grad(losses["likeness"][1], mouths, allow_unused=True)
    assert found is None
    for tensor in (mouths, sounds):
        (gradient,) = torch.autograd.grad(losses["contrast"][1], tensor, retain_graph=True)
        assert gradient.abs().max() > 0
    right = sync_losses(mouths + 0.01, mouths, SyncStage())["contrast"][1]
    assert right < losses["contrast"][1]


def test_the_judge_loses_nothing_only_beyond_the_margin() -> None:
    def outputs(value: float) -> list[list[torch.Tensor]]:
        return [[torch.zeros(1), torch.full((1, 1, 2, 2), value)]] * 2

    assert judge_loss(outputs(1.0), outputs(-1.0)) == 0
    assert judge_loss(outputs(0.5), outputs(-1.0)) == pytest.approx(0.5)
    assert judge_loss(outputs(2.0), outputs(0.5)) == pytest.approx(1.5)


# ---- settings and parts -------------------------------------------------------------------------


def test_a_config_is_of_one_size(tmp_path: Path) -> None:
    with pytest.raises(pydantic.ValidationError, match="published: of size: official"):
        Settings.model_validate({"published": {}})
    with pytest.raises(pydantic.ValidationError, match="expert: of size: small"):
        Settings.model_validate({"size": "official", "expert": {}})
    with pytest.raises(pydantic.ValidationError, match="pictures: 3 of items of 2 frames"):
        Settings.model_validate({"published": {"generator": {"frames": 2, "pictures": 3}}})
    with pytest.raises(BenchError, match="part: size official has no expert, but identity"):
        train(replace(_job(tmp_path), parts=("expert",)))
    small: TrainJob[Settings] = replace(_job(tmp_path), settings=Settings(), parts=("sync",))
    with pytest.raises(BenchError, match="part: size small has no sync, but expert, generator"):
        train(small)
    assert set(published_training.PARTS) < set(PCAVS.parts)


# ---- training -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_stages_learn_with_every_weight_resume_and_are_read(
    stored: list[CroppedClip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = {"train": stored, "val": stored}
    whole = _job(tmp_path / "whole")
    path = train_on(ready, whole, width=WIDTH)
    assert path == tmp_path / "whole" / "latest_net_G.pth"
    assert (tmp_path / "whole" / "strips" / "0000002.png").is_file()
    columns = (tmp_path / "whole" / training.CURVES).read_text().splitlines()[0].split(",")
    assert {"fooled", "features", "perceptual[project]", "identity", "contrast", "likeness"} < (
        set(columns)
    )
    assert {"judged", "val face"} < set(columns)
    told = json.loads((tmp_path / "whole" / published_training.TRAINED).read_text())
    assert told["perceptual"] == "perceptual[project]"
    assert (told["seed"], told["landmarks"]) == (whole.seed, "small")

    # Part by part, each stopped after its first step and resumed.
    parts = _job(tmp_path / "parts")
    with pytest.raises(BenchError, match=r"latest_net_V\.pth: no such file; .*--part identity"):
        train_on(ready, replace(parts, parts=("generator",)), width=WIDTH)
    for part in published_training.PARTS:
        own = replace(parts, parts=(part,))
        with monkeypatch.context() as patch:
            patch.setattr(training, "save_checkpoint", _stopping(training.save_checkpoint))
            with pytest.raises(training.Stopped):
                train_on(ready, own, width=WIDTH)
        train_on(ready, replace(own, resume=True), width=WIDTH)
    for folder in ("identity", "sync", ""):
        here, there = (tmp_path / each / folder for each in ("whole", "parts"))
        assert (here / training.CURVES).read_text() == (there / training.CURVES).read_text()
        for file in here.glob("*.pth"):
            assert file.read_bytes() == (there / file.name).read_bytes(), file

    _every_weight_changed(tmp_path / "whole")
    monkeypatch.setattr(Networks, "new", partial(Networks.new, width=WIDTH))
    talker = PublishedTalker.of(tmp_path / "whole", "cpu", weight=1.2)
    assert talker.warnings == ()
    still = stored[0].pictures()[0]
    found = np.eye(2, 3)
    made = talker.begin(still, found, seed=None)(
        np.zeros((1, 1, 80, 20), np.float32), [still], found[None]
    )
    assert made.shape == (1, 224, 224, 3)


def _every_weight_changed(folder: Path) -> None:
    """All that makes pictures, and the judge, differs from what was drawn."""
    torch.manual_seed(3)
    drawn = Networks.new(width=WIDTH)
    judge = Judge(width=WIDTH)
    for part, file in FILES.items():
        state = torch.load(folder / file, weights_only=True)
        for name, parameter in getattr(drawn, part).named_parameters():
            is_same = torch.equal(state[name], parameter)
            assert is_same == name.startswith(UNTRAINED[part]), f"{file}: {name}"
    state = training.read_checkpoint(folder / training.CHECKPOINT).state["judge"]
    assert isinstance(state, dict)
    for name, parameter in judge.named_parameters():
        assert not torch.equal(state[name], parameter), name


def _stopping(save: Callable[..., None]) -> Callable[..., None]:
    """Saves the first checkpoint, then stops, as Ctrl-C does."""

    def saved(path: Path, step: int, *rest: object, **named: object) -> None:
        save(path, step, *rest, **named)
        if step == 1:
            raise training.Stopped("stopped")

    return saved
