"""The method pcavs, with small drawn networks in place of the published files."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

import bench
from bench import media
from bench.checks import run_checks
from bench.checks.ladders import talking_patterns
from bench.features.landmark_points import LAYOUTS, SMALL
from methods.pcavs import talker
from methods.pcavs.checkpoints import FILES, Loaded
from methods.pcavs.generator import Generator, Noise
from methods.pcavs.identity import Identity
from methods.pcavs.method import PCAVS
from methods.pcavs.networks import Networks
from methods.pcavs.pictures import SIDE, anchors
from methods.pcavs.putting_back import put_back

Make = Callable[..., PCAVS]


class SmallIdentity(nn.Module):
    """In place of the identity encoder: a vector of 8, a map of 16 x 7 x 7."""

    def __init__(self) -> None:
        super().__init__()
        self.vector, self.map = nn.Linear(3, 8), nn.Conv2d(3, 16, 1)

    def forward(self, pictures: Tensor) -> Identity:
        small = functional.adaptive_avg_pool2d(pictures, 7)
        return Identity(self.vector(small.mean((2, 3))), self.map(small))


class SmallFace(nn.Module):
    """In place of the face encoder: a mouth of 6, a pose of 4."""

    def __init__(self) -> None:
        super().__init__()
        self.mouth_style, self.pose = nn.Linear(6, 6), nn.Linear(48, 4)

    def forward(self, pictures: Tensor) -> Tensor:
        return functional.adaptive_avg_pool2d(pictures, 4).flatten(1)


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    """Small networks, drawn, as if their files lacked one tensor."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        speech = nn.Sequential(nn.Flatten(), nn.Linear(1600, 6))
        narrow = Generator(channels=(16, 8, 8, 4, 4, 4), style=18)
        for module in narrow.modules():
            if isinstance(module, Noise):
                nn.init.constant_(module.weight, 0.1)
        parts = SmallIdentity(), speech, SmallFace(), narrow
        name = "latest_net_E.pth: model.fc.bias"
        return Loaded(Networks(*parts), (name,), (name,))  # type: ignore[arg-type]


@pytest.fixture
def make(loaded: Loaded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Make:
    """The method, loaded, with these options."""
    monkeypatch.setattr(talker, "load_official", lambda _folder: loaded)

    def made(**options: object) -> PCAVS:
        method = PCAVS(PCAVS.Options.model_validate({"folder": tmp_path, **options}))
        method.load("cpu")
        return method

    return made


def placed(boxes: NDArray[np.float32]) -> NDArray[np.float64]:
    """The small network's 46 points in boxes (T, 4), as far as eyes and mouth matter."""
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    points = np.zeros((len(boxes), 46, 2)) + low + 0.5 * (high - low)
    for indices, place in (
        (SMALL.right_eye, (0.3, 0.4)),
        (SMALL.left_eye, (0.7, 0.4)),
        (SMALL.mouth, (0.5, 0.8)),
    ):
        points[:, list(indices)] = low + np.array(place) * (high - low)
    return points


def job_of(
    folder: Path, *, score: float = 1.0, recorded: int = 6, silent: bool = False
) -> bench.Job:
    """A job of 6 frames on a drawn face, whose landmarks go along with its box.

    score: that of all landmarks but the last frame's.
    """
    (clean,) = talking_patterns(1, frames=6)
    sound, frames = clean.sample.video.sound(), clean.sample.video.read()[:recorded]
    assert sound is not None
    boxes = clean.sample.video.faces().boxes[:recorded]
    points = placed(boxes)
    scores = np.full(recorded, score)
    scores[-1] = max(score, 0.9) if score else 0.0
    face = bench.Video.of(frames)
    arrays = {"points": points, "score": scores, "model": np.array("small")}
    face.features = lambda _video, _name: arrays
    speech = np.zeros_like(sound) if silent else sound
    return bench.Job(clean.sample.case, face, speech, 6, folder, 1, logging.getLogger(__name__))


def frames_of(method: PCAVS, job: bench.Job) -> NDArray[np.uint8]:
    video = method.generate(job).video
    assert not isinstance(video, Path)
    return np.stack(list(video))


class Placed(bench.Feature):
    """Points where the face's box says, instead of a network's: quick.

    Reads:  the face track.
    Gives:  points, score, model.
    Raises: nothing.
    Source: defined here.
    """

    name, version, source = "landmarks", "1", "defined here"
    reads = frozenset({"faces", "video"})
    arrays = {"points": "(T, 46, 2)", "score": "(T,)", "model": "() text"}  # noqa: RUF012

    def compute(self, video: bench.Video) -> bench.Arrays:
        points = placed(video.faces().boxes)
        return {"points": points, "score": np.ones(len(points)), "model": np.array("small")}


def test_the_contract_is_kept(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(talker, "load_official", lambda _folder: loaded)
    for file in FILES.values():
        (tmp_path / file).write_bytes(file.encode())
    results = run_checks(
        PCAVS,
        PCAVS.Options(folder=tmp_path),
        sample=lambda: talking_patterns(1, frames=6),
        features=[Placed],
    )
    assert {each.name: each.detail for each in results if each.status != "passed"} == {}
    assert "makes the frames asked for in probe" in {each.name for each in results}


def test_a_frame_for_every_frame_and_batches_do_not_matter(make: Make, tmp_path: Path) -> None:
    job = job_of(tmp_path)
    found = frames_of(make(), job)
    assert found.shape == (6, *job.face.read().shape[1:])
    assert found.dtype == np.uint8
    assert not np.array_equal(found[0], job.face.read()[0])
    other = frames_of(make(batch=3), job)
    assert np.abs(found.astype(int) - other.astype(int)).max() <= 1
    official = make(output="crop", frames="official").generate(job)
    assert official.made == range(2, 5)
    assert official.cut is not None
    assert official.cut.transforms.shape == (6, 2, 3)
    assert not isinstance(official.video, Path)
    pictures = np.stack(list(official.video)).astype(int)
    assert pictures.shape == (3, SIDE, SIDE, 3)
    assert np.abs(pictures - frames_of(make(output="crop"), job)[2:5]).max() <= 1
    # An image is a clip of one frame.
    assert frames_of(make(), job_of(tmp_path, recorded=1)).shape == found.shape


def test_speech_and_pose_and_their_weights_change_the_picture(make: Make, tmp_path: Path) -> None:
    job = job_of(tmp_path)
    crops = {
        name: frames_of(make(output="crop", **options), job)
        for name, options in (
            ("plain", {}),
            ("still", {"pose": "still"}),
            ("weaker", {"mouth_weight": 0.1}),
            ("drawn", {"noise": "drawn"}),
        )
    }
    again = frames_of(make(output="crop"), job)
    assert np.array_equal(crops["plain"], again)
    assert not np.array_equal(crops["weaker"], crops["plain"])
    assert not np.array_equal(crops["still"], crops["plain"])
    assert not np.array_equal(crops["drawn"], crops["plain"])
    assert make(pose="still").protocol == "reference: first; pose: still; output: frame"


def test_the_pose_may_be_that_of_another_recording(make: Make, tmp_path: Path) -> None:
    job = job_of(tmp_path)
    # The same frames in another order; the landmarks that stand in are one for all videos.
    path = tmp_path / "other.mp4"
    media.write_video(path, np.ascontiguousarray(job.face.read()[::-1]))
    method = make(pose=path, output="crop")
    pose = "reference: first; pose: another recording"
    assert method.protocol == f"{pose}; output: crop, reference cut alike"
    found, own = frames_of(method, job), frames_of(make(output="crop"), job)
    assert found.shape == own.shape
    assert not np.array_equal(found[0], own[0])
    # It is put into the still's frame, whose border shows.
    whole, still = frames_of(make(pose=path), job), job.face.read()[0]
    assert np.array_equal(whole[3][0, 0], still[0, 0])


def test_the_still_is_the_first_frame_with_a_face(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    method = make()
    assert method.generate(job_of(tmp_path)).notes == ()
    assert "latest_net_E.pth: model.fc.bias" in caplog.text
    late = method.generate(job_of(tmp_path, score=0.1))
    assert late.notes == ("the still is frame 5, the first with a face",)
    with pytest.raises(bench.BenchError, match="no frame shows a face"):
        method.generate(job_of(tmp_path, score=0.0))
    with pytest.raises(bench.BenchError, match="is digitally silent; give a clip with sound"):
        method.generate(job_of(tmp_path, silent=True))


def test_missing_files_are_told(tmp_path: Path) -> None:
    method = PCAVS(PCAVS.Options(folder=tmp_path))
    with pytest.raises(bench.BenchError, match=r"latest_net_V\.pth: no such file; get it as"):
        method.identity()
    for file in FILES.values():
        (tmp_path / file).write_bytes(file.encode())
    assert set(method.identity()) == {"identity", "speech", "face", "generator"}


MESH_EYES = ((33, 160, 158, 133, 153, 144), (362, 385, 387, 263, 373, 380))


@pytest.mark.parametrize(
    ("model", "parts"),
    [
        ("small", (range(20, 26), range(26, 32), range(12, 20))),
        ("mesh", (*MESH_EYES, (78, 81, 13, 311, 308, 402, 14, 178))),
    ],
)
def test_anchors_are_the_middles_of_eyes_and_inner_mouth(
    model: str, parts: tuple[Sequence[int], ...]
) -> None:
    order = LAYOUTS[model]
    expected = (order.right_eye, order.left_eye, order.mouth[12:])
    assert tuple(map(tuple, parts)) == expected
    points = np.random.default_rng(1).random((3, order.count, 2)).astype(np.float32)
    found = anchors({"points": points, "model": np.array(model)}, np.ones(3, dtype=bool))
    for place, part in enumerate(parts):
        assert np.allclose(found[:, place], points[:, list(part)].mean(axis=1), atol=1e-6)


def test_frames_without_a_face_take_what_lies_between() -> None:
    points = np.zeros((4, 46, 2), dtype=np.float32) + np.arange(4, dtype=np.float32)[:, None, None]
    points[1:3] = 99.0
    arrays = {"points": points, "model": np.array("small")}
    found = anchors(arrays, np.array([True, False, False, True]))
    assert found.shape == (4, 3, 2)
    assert np.allclose(found[:, 0, 0], [0.0, 1.0, 2.0, 3.0])
    assert np.allclose(anchors(arrays, np.array([True, False, False, False])), 0.0)


def test_a_picture_goes_back_where_it_came_from() -> None:
    frame = np.full((300, 320, 3), 10, dtype=np.uint8)
    picture = np.full((SIDE, SIDE, 3), 200, dtype=np.uint8)
    half = np.array([[2.0, 0.0, -200.0], [0.0, 2.0, -100.0]])  # 112 pixels from (100, 50)
    hard = put_back(frame, picture, half, feather=0)
    rows, columns = np.nonzero(hard[..., 0] == 200)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (50, 161, 100, 211)
    soft = put_back(frame, picture, half, feather=20)
    assert soft[106, 156, 0] == 200
    assert 10 <= soft[50, 156, 0] < 30
    assert np.array_equal(soft[hard[..., 0] == 10], frame[hard[..., 0] == 10])
