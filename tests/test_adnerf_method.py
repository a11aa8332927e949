"""The method ad_nerf learns a person: kept contract, watched collapse, resumed, pasted in place."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import bench
from bench.checks.ladders import Specimen, talking_patterns
from bench.features.head_pose import HALF_VIEW, HEAD, head_poses, projected
from bench.ground.types import Clip
from bench.train.trained import find_trained
from methods.adnerf import portrait
from methods.adnerf.method import ADNeRF
from methods.adnerf.portrait import FieldKind, SmallPortrait
from methods.radiance import ahead, learning
from methods.radiance.learning import CHECKPOINT, Learning, face_shown, learned
from methods.radiance.person_method import put_in
from methods.radiance.recording import Cameras, Recording, cut_out
from methods.radiance.speech import around, speech_windows

QUICK = {"side": 16, "samples": 6, "steps": 6, "rays": 32, "patience": 3, "keep_every": 2}


class Placed(bench.Feature):
    """Points of a head that fills the face's box, instead of a network's: quick.

    Reads:  the face track.
    Gives:  points, score, size, model.
    Raises: nothing.
    Source: defined here.
    """

    name, version, source = "landmarks", "1", "defined here"
    reads = frozenset({"faces", "video"})
    arrays = {"points": "(T, 46, 2)", "score": "(T,)", "size": "(2,)", "model": "() text"}  # noqa: RUF012

    class Options(bench.Options):
        """unseen: frames at the start whose face is not found."""

        unseen: int = 0

    options: Options

    def compute(self, video: bench.Video) -> bench.Arrays:
        boxes, (height, width) = video.faces().boxes, video.read().shape[1:3]
        focal, centre = height / (2 * np.tan(HALF_VIEW)), ((width - 1) / 2, (height - 1) / 2)
        heads = np.tile(np.eye(4), (len(boxes), 1, 1))
        heads[:, 2, 3] = -focal * 16 / (boxes[:, 3] - boxes[:, 1])
        middles = (boxes[:, :2] + boxes[:, 2:]) / 2 - centre
        heads[:, :2, 3] = middles * [1, -1] * -heads[:, 2:3, 3] / focal
        score = np.ones(len(boxes), dtype=np.float32)
        score[: self.options.unseen] = 0.0
        return {
            "points": projected(HEAD, np.linalg.inv(heads), focal, centre).astype(np.float32),
            "score": score,
            "size": np.array([height, width]),
            "model": np.array("small"),
        }


def few() -> list[Specimen]:
    return talking_patterns(2, frames=8, size=96)


def opened(clean: Specimen, *, unseen: int = 0, with_sound: bool = True) -> bench.Video:
    track, feature = clean.sample.video.faces(), Placed(Placed.Options(unseen=unseen))
    arrays = {"faces": track.arrays()}
    sound = clean.sample.video.sound() if with_sound else None
    video = bench.Video.of(clean.sample.video.read(), sound, track=track)
    video.features = lambda video, name: arrays.get(name) or feature.compute(video)
    return video


@pytest.fixture(autouse=True)
def one_seed() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def quick(field: FieldKind = "mlp", **changes: object) -> ADNeRF:
    method = ADNeRF(ADNeRF.Options.model_validate({**QUICK, "field": field, **changes}))
    method.load("cpu")
    return method


def person(folder: Path, *clips: bench.Video, landmarks: str = "small") -> bench.PrepareJob:
    log, given = logging.getLogger(__name__), clips or (opened(few()[0]),)
    names = tuple(clip.sha256 or f"{number:064x}" for number, clip in enumerate(given))
    features = {"landmarks": landmarks}
    return bench.PrepareJob("ann", given, folder, 1, "cpu", log, names, features)


def job(folder: Path, prepared: Path | None, *, unseen: int = 0) -> bench.Job:
    clean = few()[1]
    sound = clean.sample.video.sound()
    assert sound is not None
    face, log = opened(clean, unseen=unseen), logging.getLogger(__name__)
    return bench.Job(clean.sample.case, face, sound, 8, folder, 1, log, None, prepared)


@pytest.mark.slow
def test_persons_learned_ahead_have_a_file_each_and_a_stopped_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = [
        Clip(id=one, video=tmp_path / "none.mp4", speaker=f"set/{one}", sha256=64 * one)
        for one in "ab"
    ]
    monkeypatch.setattr(ahead, "opened", lambda *_: [opened(few()[0])])
    options = {**QUICK, "steps": 4}
    log, asked = logging.getLogger(__name__), ADNeRF.Settings.model_validate({"options": options})
    job = bench.TrainJob(tuple(clips), (), asked, tmp_path, 1, False, "cpu", log)
    step = learning._Attempt._step
    steps: list[int] = []

    def stopped(self: learning._Attempt, number: int) -> object:
        steps.append(number)
        if len(steps) == 8:
            raise KeyboardInterrupt
        return step(self, number)

    monkeypatch.setattr(learning._Attempt, "_step", stopped)
    with pytest.raises(KeyboardInterrupt):
        ADNeRF.train(job)
    assert (tmp_path / "set_b" / CHECKPOINT).is_file()
    assert find_trained(tmp_path).can_go_on
    ADNeRF.train(replace(job, resume=True))
    assert steps == [0, 1, 2, 3, 0, 1, 2, 3, 2, 3]
    made = sorted(path.name for path in (tmp_path / "persons").iterdir())
    assert made == ["set-a.safetensors", "set-b.safetensors"]
    none = ADNeRF.Settings(options=options, only=("c",))
    with pytest.raises(bench.BenchError, match="'c' has no clip to learn from"):
        ADNeRF.train(replace(job, settings=none))


def test_between_surveys_the_field_is_asked_where_something_was_seen_alone() -> None:
    made = SmallPortrait("mlp", 6).train()
    made.seen.zero_()
    made.seen[16, 16, 16] = 1.0
    points = torch.tensor([[0.03, 0.03, 0.03], [0.09, 0.03, 0.03], [0.5, 0.5, 0.5]])
    asked: list[int] = []
    made.field.register_forward_pre_hook(lambda _, given: asked.append(len(given[0])))
    raw = made._where_seen(points, torch.zeros(3, 3), torch.zeros(3, 32))
    assert asked == [2]
    assert raw[2].tolist() == [0.0] * 4
    assert torch.equal(raw[:2], made._everywhere(points[:2], torch.zeros(2, 3), torch.zeros(2, 32)))
    made.finish()
    assert int(made.there.sum()) == 27
    assert {"seen", "looks"}.isdisjoint(made.state_dict())


def test_a_transparent_portrait_is_started_anew_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    densities = iter([-30.0, 1.0])
    recording, _ = Recording.of(opened(few()[0]), 16)
    settings = Learning(steps=4, rays=32, patience=2, keep_every=100)

    def made() -> SmallPortrait:
        monkeypatch.setattr(portrait, "FIRST_DENSITY", next(densities))
        return SmallPortrait("mlp", 6)

    log = logging.getLogger(__name__)
    wanted = {"folder": tmp_path, "seed": 1, "device": "cpu", "log": log}
    with caplog.at_level(logging.INFO):
        learned(made, recording, settings, **wanted)
    assert "attempt 1 is transparent: opacity 0.00 in the face's box after 2 steps" in caplog.text
    assert "step 4 of 4" in caplog.text
    densities = iter([-30.0] * 3)
    with pytest.raises(bench.BenchError, match="transparent with 3 seeds"):
        learned(made, recording, settings, **wanted)


def test_a_portrait_learns_the_colours_of_a_face(tmp_path: Path) -> None:
    recording, _ = Recording.of(opened(few()[0]), 16)
    settings = Learning(steps=30, rays=128, rate=1e-2, patience=20, keep_every=100)
    log = logging.getLogger(__name__)
    new, heard = SmallPortrait("planes", 8), torch.from_numpy(recording.heard[:1])
    new.background.copy_(torch.from_numpy(learning.border_colour(recording.faces)))
    found = learned(
        lambda: SmallPortrait("planes", 8),
        recording,
        settings,
        folder=tmp_path,
        seed=1,
        device="cpu",
        log=log,
    )
    one = recording.cameras.at(np.array([0]))
    errors = [
        np.square(face_shown(each, one, heard, side=16) - recording.faces[0].astype(float)).mean()
        for each in (new, found)
    ]
    assert errors[1] < 0.5 * errors[0]


def test_frames_and_clips_that_cannot_be_used_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "ann").mkdir()
    silent, late = opened(few()[0], with_sound=False), opened(few()[0], unseen=3)
    recording, missing = Recording.of(late, 16)
    assert (len(recording), missing) == (5, 3)
    with pytest.raises(bench.BenchError, match="none of 1 clips of ann can be used"):
        quick().prepare(person(tmp_path / "ann", silent))
    quick().prepare(person(tmp_path / "ann", silent, late))
    generation = quick().generate(job(tmp_path, tmp_path / "ann", unseen=2))
    assert generation.notes == ("2 frames without a face are left out",)
    assert not isinstance(generation.video, Path)
    assert len(list(generation.video)) == 8
    with pytest.raises(bench.BenchError, match="learns each person first: give the config"):
        quick().generate(job(tmp_path, None))


def test_the_box_is_cut_out_and_put_back_in_its_place() -> None:
    clean = few()[0]
    video = opened(clean)
    frame = video.read()[0]
    cameras = Cameras.of(head_poses(video.feature("landmarks"), smoothed_over=0))
    x0, y0, side = (float(value) for value in cameras.boxes[0])
    box = video.faces().boxes[0]
    assert x0 < box[0] < box[2] < x0 + side
    pixels = np.full((32, 32, 3), 255, dtype=np.uint8)
    there = put_in(frame, pixels, cameras.boxes[0], 0.1)
    assert np.array_equal(there[0, 0], frame[0, 0])
    row, column = round(y0 + side / 2), round(x0 + side / 2)
    assert (there[row, column] == 255).all()
    again = put_in(frame, cut_out(frame, cameras.boxes[0], 128), cameras.boxes[0], 0.1)
    assert abs(again.astype(int) - frame).mean() < 2.0


def test_a_frame_hears_the_speech_around_it() -> None:
    sound = np.zeros(640 * 20, dtype=np.int16)
    sound[640 * 10 : 640 * 11] = (8000 * np.sin(np.arange(640) / 2)).astype(np.int16)
    windows = speech_windows(sound)
    assert windows.shape == (20, 16, 29)
    assert float(windows.min()) == -1.0
    assert float(windows.max()) <= 1.0
    loud = [bool((window > -0.9).any()) for window in windows]
    assert loud == [6 <= frame <= 15 for frame in range(20)]
    eight = around(windows, np.array([0, 19]))
    assert eight.shape == (2, 8, 16, 29)
    assert not eight[0, :4].any()
    assert np.array_equal(eight[0, 4], windows[0])
    assert not eight[1, 5:].any()
