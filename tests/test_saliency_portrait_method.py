"""The method saliency_portrait: contract, ablations, resumed preparation, where rays pass."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import bench
from methods.radiance import learning
from methods.radiance.learning import Learning, face_shown, looked
from methods.radiance.light import light_of
from methods.radiance.recording import Recording
from methods.saliency_portrait.method import RegionSaliency
from methods.saliency_portrait.portrait import SaliencyPortrait, Seen, TorsoKind, is_face
from methods.saliency_portrait.saliency import Ablation
from tests.test_adnerf_method import few, job, opened, person

QUICK = {"side": 16, "samples": 6, "steps": 6, "rays": 32, "patience": 3, "keep_every": 2}
LOG = logging.getLogger(__name__)


@pytest.fixture(autouse=True)
def one_seed() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def quick(**changes: object) -> RegionSaliency:
    method = RegionSaliency(RegionSaliency.Options.model_validate({**QUICK, **changes}))
    method.load("cpu")
    return method


def portrait(
    saliency: Ablation = "both", torso: TorsoKind = "none", clips: int = 1
) -> SaliencyPortrait:
    return SaliencyPortrait(saliency, torso, "small", samples=6, side=16, clips=clips)


def attempt(made: SaliencyPortrait, recording: Recording, **settings: float) -> learning._Attempt:
    wanted = dataclasses.replace(Learning(rays=64), **settings)
    return learning._Attempt(lambda: made, recording, wanted, Path("none"), (1, 0), "cpu", LOG)


@pytest.mark.parametrize(
    ("saliency", "torso"),
    [
        ("none", "none"),
        ("gates", "none"),
        ("scale_and_shift", "none"),
        ("both", "grid"),
        ("both", "reference"),
    ],
)
def test_every_ablation_learns_with_every_weight(saliency: Ablation, torso: TorsoKind) -> None:
    recording, _ = Recording.of(opened(few()[0]), 16)
    made = portrait(saliency, torso)
    running = attempt(made, recording, steps=3)
    before = {name: each.detach().clone() for name, each in made.named_parameters()}
    for number in range(3):  # the last one hears eight windows
        running._step(number)
    unlearned = {name for name, each in made.named_parameters() if torch.equal(each, before[name])}
    assert unlearned == set()


def test_a_portrait_learns_the_colours_of_a_face_and_its_file_opens_alike(tmp_path: Path) -> None:
    recording, _ = Recording.of(opened(few()[0]), 16)
    twice = Recording.joined([recording, recording])
    made = portrait("both", "reference", clips=2)
    running = attempt(made, twice, steps=60, rate=5e-3)
    heard, one = torch.from_numpy(recording.heard[:1]), recording.cameras.at(np.array([0]))

    def error() -> float:
        shown = face_shown(made, one, heard, side=16).astype(float)
        return float(np.square(shown - recording.faces[0]).mean())

    first = error()
    assert running.run() is made
    assert error() < 0.6 * first
    assert made.head.individual_codes.shape == (1, 4)
    read = portrait("both", "reference")
    read.load_state_dict(made.state_dict())
    assert np.array_equal(
        face_shown(read, one, heard, side=16), face_shown(made, one, heard, side=16)
    )


def test_lids_and_pose_are_heard_beside_speech() -> None:
    recording, _ = Recording.of(opened(few()[0]), 16)
    made = portrait()
    torch.nn.init.normal_(made.head.change.weight, std=0.1)
    cameras = recording.cameras.at(np.array([0, 0]))
    signal = made.listen(torch.from_numpy(recording.heard[[0, 0]]), is_smoothed=True)
    told = made.told(signal, cameras, torch.tensor([0.0, 1.0]))
    seen = looked(made, cameras, np.array([[8, 8], [8, 8]]), told, side=16)
    assert not torch.allclose(seen.colour[0], seen.colour[1], atol=1e-5)


def test_rays_know_where_in_the_box_they_pass() -> None:
    recording, _ = Recording.of(opened(few()[0]), 16)
    made = portrait()
    pixels = np.array([[-0.5, -0.5], [15.5, 15.5], [7.5, 7.5], [0, 0], [8, 2], [8, 15]])
    cameras = recording.cameras.at(np.zeros(6, dtype=np.int64))
    signal = made.listen(torch.from_numpy(recording.heard[:1]), is_smoothed=True)
    told = made.told(signal, cameras.at(np.array([0])), torch.zeros(1)).expand(6, -1)
    seen = looked(made, cameras, pixels, told, side=16)
    assert isinstance(seen, Seen)
    assert seen.is_face.tolist() == [False, False, True, False, False, False]
    assert is_face(torch.tensor([[0.0, 0.8], [0.0, -0.6], [0.8, 0.0]])).tolist() == [
        True,
        False,
        False,
    ]


def test_what_is_drawn_heard_and_takes_part_stands_in_the_protocol() -> None:
    assert quick(saliency="gates", torso="reference").protocol == (
        "region: face; pose, lids, light: the recording's; speech: mel29; "
        "saliency: gates; torso: reference"
    )


def test_the_light_is_the_recordings_and_comes_from_the_upper_face() -> None:
    random = np.random.default_rng(0)
    rendered = random.integers(60, 160, (3, 20, 20, 3), dtype=np.uint8)
    gain, offset = np.array([1.2, 0.8, 1.0]), np.array([5.0, 0.0, -10.0])
    recorded = (rendered * gain + offset).round().astype(np.uint8)
    recorded[:, 9:] = 0  # the mouth's half says nothing
    light = light_of(recorded, rendered)
    assert light.gain == pytest.approx(gain, abs=0.01)
    assert light.offset == pytest.approx(offset, abs=0.5)
    assert abs(light.on(rendered[0])[:9].astype(int) - recorded[0, :9]).max() <= 1
    plain = np.full((1, 20, 20, 3), 100, dtype=np.uint8)
    assert light_of(plain + 20, plain).on(plain[0]).tolist() == (plain[0] + 20).tolist()


def test_a_few_clips_of_many_are_learned_from(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "ann").mkdir()
    silent = opened(few()[0], with_sound=False)
    several = [opened(few()[0]), silent, opened(few()[0]), silent, opened(few()[0])]
    with caplog.at_level(logging.INFO):
        quick(clips=3).prepare(person(tmp_path / "ann", *several))
    assert "3 of 5 clips, 24 frames" in caplog.text
    with pytest.raises(bench.BenchError, match="none of 1 clips of ann can be used"):
        quick().prepare(person(tmp_path / "none", silent))
    with pytest.raises(bench.BenchError, match="learns each person first: give the config"):
        quick().generate(job(tmp_path, None))
