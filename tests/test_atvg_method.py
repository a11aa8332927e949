"""The method atvg: with small drawn networks in place of the published ones, and as shipped."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

import bench
from bench.checks import run_checks
from bench.checks.ladders import Specimen, talking_patterns
from methods.atvg.checkpoints import load_trained
from methods.atvg.inference import Talker
from methods.atvg.landmarks import SMALL
from methods.atvg.method import SHIPPED, ATVGnet
from tests.test_atvg_landmarks import drawn_basics, small_talker


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Files where the authors' would be, and the arrays of `basics`."""
    basics = drawn_basics()
    arrays = {
        "U_lrw1": basics.basis.components,
        "mean_lrw1": basics.basis.mean,
        "mean_shape_img": basics.mean_image,
        "mean_shape_norm": basics.mean_norm,
        "S": basics.parts,
    }
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    for name in ("speech", "pictures"):
        (tmp_path / f"{name}.pth").write_bytes(name.encode())
    return {
        "speech": tmp_path / "speech.pth",
        "pictures": tmp_path / "pictures.pth",
        "basics": tmp_path,
    }


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Small drawn networks instead of the published files' content."""

    def of_official(*_files: object, recurrence: str, device: str) -> Talker:
        return small_talker(recurrence=recurrence, device=device)

    monkeypatch.setattr(Talker, "of_official", of_official)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


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

    class Options(bench.Options):
        """score: of every frame but the last."""

        score: float = 1.0

    options: Options

    def compute(self, video: bench.Video) -> bench.Arrays:
        boxes = video.faces().boxes
        low, high = boxes[:, None, :2], boxes[:, None, 2:]
        points = low + np.random.default_rng(0).uniform(0.2, 0.8, (46, 2)) * (high - low)
        eyes = ((list(SMALL.right_eye), (0.3, 0.4)), (list(SMALL.left_eye), (0.7, 0.4)))
        for indices, at in (*eyes, ([SMALL.nose_tip], (0.5, 0.6))):
            points[:, indices] = low + np.array(at) * (high - low)
        score = np.full(len(boxes), self.options.score)
        score[-1] = 1.0
        return {"points": points, "score": score, "model": np.array("small")}


def few() -> list[Specimen]:
    return talking_patterns(1, frames=6)


def job_of(folder: Path, *, score: float = 1.0, silent: bool = False) -> bench.Job:
    """A job on a drawn face of 6 frames, 128x128, opened with `Placed`."""
    (clean,) = few()
    track, feature = clean.sample.video.faces(), Placed(Placed.Options(score=score))
    arrays = {"faces": track.arrays()}
    face = bench.Video.of(clean.sample.video.read(), track=track)
    face.features = lambda video, name: arrays.get(name) or feature.compute(video)
    sound = clean.sample.video.sound()
    assert sound is not None
    speech = np.zeros_like(sound) if silent else sound
    log = logging.getLogger(__name__)
    return bench.Job(clean.sample.case, face, speech, len(speech) // 640, folder, 1, log)


def test_the_contract_is_kept(files: dict[str, Path], small: None) -> None:
    options = ATVGnet.Options(**files)
    results = run_checks(ATVGnet, options, sample=few, features=[Placed])
    assert {each.name: each.detail for each in results if each.status != "passed"} == {}
    assert "makes the frames asked for in probe" in {each.name for each in results}


def test_the_still_is_the_first_frame_with_a_face(
    files: dict[str, Path], small: None, tmp_path: Path
) -> None:
    method = ATVGnet(ATVGnet.Options(**files))
    method.load("cpu")
    assert method.generate(job_of(tmp_path)).notes == ()
    late = method.generate(job_of(tmp_path, score=0.1))
    assert late.notes == ("the still is frame 5, the first with a face",)
    with pytest.raises(bench.BenchError, match="is digitally silent; give a clip with sound"):
        method.generate(job_of(tmp_path, silent=True))


def test_frame_and_crop_differ_and_own_wants_the_mesh(
    files: dict[str, Path], small: None, tmp_path: Path
) -> None:
    made: dict[str, list[bench.Frame]] = {}
    for output in ("frame", "crop"):
        method = ATVGnet(ATVGnet.Options.model_validate({**files, "output": output}))
        method.load("cpu")
        generation = method.generate(job_of(tmp_path))
        assert not isinstance(generation.video, Path)
        made[output] = list(generation.video)
        cut = generation.cut
        assert (cut is None) == (output == "frame")
        if cut is not None:
            assert (cut.height, cut.width, 3) == made[output][0].shape
        assert method.protocol.startswith(f"reference: first; output: {output}")
    still = job_of(tmp_path).face.read()[0]
    assert all(np.array_equal(each[0], still[0]) for each in made["frame"])
    assert not np.array_equal(made["crop"][0][0], still[0])
    assert len(made["frame"]) == len(made["crop"]) == job_of(tmp_path).frames
    official = ATVGnet(ATVGnet.Options.model_validate({**files, "frames": "official"}))
    official.load("cpu")
    generation = official.generate(job_of(tmp_path))
    assert generation.made == range(5)
    assert not isinstance(generation.video, Path)
    shown = list(generation.video)
    assert all(np.array_equal(*pair) for pair in zip(shown, made["frame"][:5], strict=True))
    own = ATVGnet(ATVGnet.Options.model_validate({**files, "example": "own"}))
    own.load("cpu")
    with pytest.raises(bench.BenchError, match="of the model 'mesh', found those of 'small'"):
        own.generate(job_of(tmp_path))


def test_missing_files_are_told(files: dict[str, Path]) -> None:
    method = ATVGnet(ATVGnet.Options(**{**files, "pictures": Path("none.pth")}))
    with pytest.raises(bench.BenchError, match=r"options.pictures: none.pth: no such file; get it"):
        method.identity()
    with pytest.raises(bench.BenchError, match=r"speech.pth: .* cannot be read as weights"):
        ATVGnet(ATVGnet.Options(**files)).load("cpu")
    assert set(ATVGnet(ATVGnet.Options(**files)).identity()) == {"speech", "pictures", "basics"}


def test_the_shipped_networks_move_the_mouth_by_the_speech(tmp_path: Path) -> None:
    method = ATVGnet(ATVGnet.Options())
    assert set(method.identity()) == {"weights"}
    method.load("cpu")
    job = job_of(tmp_path)
    made = list(cast("Iterator[bench.Frame]", method.generate(job).video))
    again = list(cast("Iterator[bench.Frame]", method.generate(job).video))
    other = replace(job, speech=job.speech[::-1].copy())
    others = list(cast("Iterator[bench.Frame]", method.generate(other).video))
    still = job.face.read()[0]
    assert len(made) == job.frames
    assert all(np.array_equal(one, two) for one, two in zip(made, again, strict=True))
    assert any(not np.array_equal(one, two) for one, two in zip(made, others, strict=True))
    assert all(np.array_equal(frame[0], still[0]) for frame in made)  # beside the face


@pytest.mark.parametrize(("name", "data"), [("synth", "synth-en+synth-zh"), ("grid", "grid")])
def test_the_shipped_files_say_what_they_are(name: str, data: str) -> None:
    path = SHIPPED / f"{name}_atvg.safetensors"
    assert ATVGnet(ATVGnet.Options(weights=name)).identity() == {"weights": bench.file_sha256(path)}
    trained = load_trained(path)
    assert path.stat().st_size < 2_500_000
    assert trained.known["landmarks"] == "small"
    assert trained.known["trained_on"] == data
    assert trained.size == "small"


def test_options_that_do_not_go_together_are_told() -> None:
    for options, told in (
        ({"speech": "a.pth"}, "the authors' files are speech, pictures, basics, all three"),
        ({"example": "own"}, "example goes with the authors' files"),
        ({"strength": "demo"}, "strength goes with the authors' files"),
        ({"weights": "lrw"}, "there are no weights 'lrw'; write one of synth, grid, or the path"),
    ):
        with pytest.raises(ValueError, match=told):
            ATVGnet.Options.model_validate(options)
    method = ATVGnet(ATVGnet.Options.model_validate({"weights": "here.safetensors"}))
    with pytest.raises(bench.BenchError, match=r"here.safetensors: no such file; train it with"):
        method.identity()
