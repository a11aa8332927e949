"""The feature landmarks: the mesh, the small network and its training, keys and protocols."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

import bench
from bench import media
from bench.checks.ladders import Specimen, specimen
from bench.contract.video import Video
from bench.data.manifest import read_manifest
from bench.data.synth import CORPORA
from bench.data.synth.corpus import build_split, points_of
from bench.features import landmark_points as points
from bench.features.computing import Features, chosen
from bench.features.faces import chosen_faces, given_track
from bench.files import weights
from bench.ground.errors import BenchError, Undefined
from bench.ground.types import Clip, Track
from bench.networks.checkpoints import save_halves
from bench.run.config import load_config
from bench.run.plan import make_plan
from bench.train.trainable import TrainJob
from metrics.aue import Aue
from metrics.features.landmarks import Landmarks, small
from metrics.features.landmarks.crops import Square, around, placed
from metrics.features.landmarks.mesh import Mesh, square_around
from metrics.features.landmarks.small import augmentation
from metrics.features.landmarks.small.batches import MIRROR, SCALE, Batches
from metrics.features.landmarks.small.finder import SmallFinder, folded, found
from metrics.features.landmarks.small.network import SIDE, LandmarkNetwork, places, standardised
from metrics.features.landmarks.small.ready_faces import FaceClip, make_ready
from metrics.features.landmarks.small.settings import Settings
from metrics.features.landmarks.small.training import (
    WEIGHTS,
    Learner,
    hills,
    losses,
    train,
)
from metrics.lmd import Lmd
from metrics.mouth import Mouth
from tests.small_data import make_config, make_manifest

LATE = (1, 2, 4)  # frames


@pytest.fixture(scope="module")
def clips(corpora: Path) -> list[Clip]:
    """Clips of two synthetic speakers whom the network never saw."""
    folder = corpora / f"synth-en-{CORPORA['synth-en']}"
    return read_manifest(build_split("en", "test", folder, clips=2, workers=1, progress=None))


@pytest.fixture(scope="module")
def decoded(clips: list[Clip]) -> list[tuple[np.ndarray, np.ndarray]]:
    """The first 40 frames and the sound of each clip."""
    found = []
    for clip in clips:
        frames, sound = media.read_frames(clip.video)[:40], media.read_sound(clip.video)
        assert sound is not None
        found.append((frames, sound[: 640 * len(frames)]))
    return found


@pytest.fixture
def talkers(clips: list[Clip], decoded: list[tuple[np.ndarray, np.ndarray]]) -> list[Specimen]:
    """Fresh specimens: a video remembers the landmarks that it was asked for."""
    return [
        specimen(
            clip.id,
            frames=frames,
            sound=sound,
            other_speech=sound,
            track=given_track(clip.box, len(frames)),
        )
        for clip, (frames, sound) in zip(clips, decoded, strict=True)
    ]


@pytest.fixture(scope="module")
def finder() -> SmallFinder:
    return SmallFinder(small.WEIGHTS, device="cpu")


@pytest.fixture
def face_mesh(shared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The development data's copy of the weights."""
    monkeypatch.setenv("BENCH_WEIGHTS", str(shared / "weights"))
    return weights.find("face_mesh")


def with_landmarks(video: Video, *, model: str = "small", looks: str = "track") -> Video:
    """The video with the feature landmarks, on the faces that it has."""
    faces = chosen_faces("haar", "largest")
    options = Landmarks.Options(model=model, looks=looks)
    one = chosen(Landmarks(options), {"faces": faces})
    video.features = Features({"faces": faces, "landmarks": one})
    return video


def of(frames: np.ndarray, track: Track | None) -> Video:
    return with_landmarks(Video.of(frames, track=track))


def cut(track: Track, frames: int) -> Track:
    return replace(
        track,
        boxes=track.boxes[:frames],
        mouths=track.mouths[:frames],
        found=track.found[:frames],
    )


# Squares


def test_a_square_and_the_way_back() -> None:
    square = Square(70.0, 50.0, 64.0, turn=0.3)
    matrix = square.to_frame(32)
    np.testing.assert_allclose(placed(np.array([16.0, 16.0]), matrix), (70.0, 50.0))
    right = placed(np.array([[16.0, 16.0], [17.0, 16.0]]), matrix)
    np.testing.assert_allclose(right[1] - right[0], (2 * np.cos(0.3), 2 * np.sin(0.3)))


@pytest.mark.parametrize("side", [40.0, 150.0, 400.0])
def test_what_a_square_shows_is_where_it_says(side: float) -> None:
    frame = np.zeros((480, 480, 3), np.uint8)
    rows, columns = np.mgrid[0:480, 0:480]
    at = (260.0, 215.0)
    frame[np.hypot(columns - at[0], rows - at[1]) < side / 10] = 255
    square = Square(250.0, 220.0, side, turn=-0.2)
    shown = square.cut(frame, 64)[..., 0].astype(float)
    rows, columns = np.mgrid[0:64, 0:64]
    middle = np.array([(columns * shown).sum(), (rows * shown).sum()]) / shown.sum()
    np.testing.assert_allclose(placed(middle, square.to_frame(64)), at, atol=side / 64)


def test_squares_outside_of_the_frame_and_tiny_ones_are_cut_too() -> None:
    frame = np.full((20, 30, 3), 7, np.uint8)
    for square in (Square(-500, -500, 10), Square(-500, -500, 400), Square(15, 10, 1e-3)):
        assert (square.cut(frame, 32) == 7).all()


# The mesh


@pytest.mark.shared
def test_the_mesh_has_the_golden_blendshapes_and_points(shared: Path, face_mesh: Path) -> None:
    mesh = Mesh(face_mesh)
    with np.load(shared / "golden" / "metrics.npz") as golden:
        for frame, known, shapes in zip(
            golden["mesh_ref_frames"],
            golden["mesh_ref_landmarks"][..., :2],
            golden["mesh_ref_blendshapes"],
            strict=True,
        ):
            np.testing.assert_allclose(mesh.blendshapes(known), shapes, atol=1e-5)
            seen = mesh.look(frame, square_around(known))
            assert seen.score > 0.99
            # Google's crop was made by its own detector: METRICS' distance of whole pipelines.
            assert np.linalg.norm(seen.points - known, axis=1).mean() < 0.7
            (left, top), (right, bottom) = known.min(axis=0), known.max(axis=0)
            again = mesh.twice(frame, np.array([left, top + 15, right, bottom], np.float32))
            assert np.linalg.norm(again.points - known, axis=1).mean() < 0.9


@pytest.mark.shared
def test_tracking_needs_the_box_only_where_points_fail(shared: Path, face_mesh: Path) -> None:
    mesh = Mesh(face_mesh)
    with np.load(shared / "golden" / "metrics.npz") as golden:
        frame, known = golden["mesh_ref_frames"][0], golden["mesh_ref_landmarks"][0, :, :2]
    box = np.concatenate([known.min(axis=0), known.max(axis=0)]).astype(np.float32)
    nowhere = np.array([0, 0, 5, 5], np.float32)
    grey = np.full_like(frame, 128)
    frames = np.stack([frame, frame, grey, frame])
    seen = mesh.follow(frames, np.stack([box, nowhere, nowhere, box]), track=True)
    assert [one.score > 0.5 for one in seen] == [True, True, False, True]
    assert np.linalg.norm(seen[1].points - seen[0].points, axis=1).mean() < 0.5
    apart = mesh.follow(frames, np.stack([box, nowhere, nowhere, box]), track=False)
    assert [one.score > 0.5 for one in apart] == [True, False, False, True]
    assert np.array_equal(apart[0].points, apart[3].points)


@pytest.mark.shared
def test_the_feature_of_the_mesh(talkers: list[Specimen], face_mesh: Path) -> None:
    clean = talkers[0].sample.video
    video = with_landmarks(Video.of(clean.read()[:6], track=cut(clean.faces(), 6)), model="mesh")
    arrays = video.feature("landmarks")
    assert {name: array.shape for name, array in arrays.items()} == {
        "points": (6, 478, 2),
        "score": (6,),
        "blendshapes": (6, 52),
        "size": (2,),
        "model": (),
    }
    assert arrays["points"].dtype == arrays["blendshapes"].dtype == np.float32
    assert (arrays["score"] > 0.5).all()
    assert 0.0 <= arrays["blendshapes"].min() <= arrays["blendshapes"].max() <= 1.0
    assert points.irises(arrays).shape == (6, 2, 2)


def test_missing_weights_say_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_WEIGHTS", str(tmp_path))
    feature = Landmarks(Landmarks.Options(model="mesh"))
    assert feature.weights == ("face_mesh",)
    with pytest.raises(BenchError, match="bench weights pull face_mesh"):
        feature.load("cpu")
    wanted = weights.weight("face_mesh")
    (tmp_path / wanted.file).write_bytes(b"PK" + bytes(wanted.bytes - 2))
    with pytest.raises(BenchError, match="damaged"):
        feature.load("cpu")
    with pytest.raises(BenchError, match="cannot be read by OpenCV"):
        Mesh(tmp_path / wanted.file)


# The small network


def test_the_shipped_file_is_small_and_is_in_the_key() -> None:
    assert small.WEIGHTS.stat().st_size <= 2_000_000
    assert Landmarks().identity() == {"small": small.digest()}
    assert Landmarks(Landmarks.Options(model="mesh")).identity() == {}


def test_points_of_unseen_talkers_are_where_the_renderer_has_them(
    clips: list[Clip], finder: SmallFinder
) -> None:
    for clip in clips:
        assert clip.box is not None
        frames = media.read_frames(clip.video)
        seen, score = finder.find(frames, given_track(clip.box, len(frames)).boxes)
        known = points_of(clip)
        eyes = np.linalg.norm(known.eyes[:, 1].mean(axis=1) - known.eyes[:, 0].mean(axis=1), axis=1)
        apart = np.linalg.norm(seen[:, :20] - known.mouth, axis=2) / eyes[:, None]
        assert apart.mean() < 0.05
        assert (score > 0.5).mean() > 0.9


def test_points_do_not_depend_on_the_batch_or_on_memory(
    talkers: list[Specimen], finder: SmallFinder
) -> None:
    video = talkers[0].sample.video
    frames, boxes = video.read()[:20], video.faces().boxes[:20]
    whole, score = finder.find(frames, boxes)
    for index in (0, 7, 19):
        one, own = finder.find(frames[index : index + 1], boxes[index : index + 1])
        np.testing.assert_allclose(one[0], whole[index], atol=2e-3)
        assert own[0] == pytest.approx(score[index], abs=1e-4)
    assert np.array_equal(finder.find(frames, boxes)[0], whole)


def test_folding_changes_nothing_but_rounding(talkers: list[Specimen]) -> None:
    video = talkers[0].sample.video
    frames, boxes = video.read()[:4], video.faces().boxes[:4]
    network = SmallFinder(small.WEIGHTS, device="cpu").network
    plain, ready = (found(each, frames, boxes) for each in (network, folded(network)))
    np.testing.assert_allclose(plain[0], ready[0], atol=5e-3)


def test_what_shows_no_face_has_no_score(talkers: list[Specimen], finder: SmallFinder) -> None:
    grain = 3 * np.random.default_rng(0).standard_normal((256, 256, 3))
    ramp = np.broadcast_to(np.arange(256)[:, None], (256, 256, 3))
    shown = [np.full((256, 256, 3), grey) for grey in (0, 128, 255)]
    frames = np.stack([*shown, 128 + grain, ramp]).astype(np.uint8)
    boxes = np.repeat(talkers[0].sample.video.faces().boxes[:1], len(frames), axis=0)
    assert (finder.find(frames, boxes)[1] < 0.5).all()


def test_grey_frames_are_left_out_and_many_leave_no_value(talkers: list[Specimen]) -> None:
    clean = talkers[0].sample
    assert clean.reference is not None
    frames, track = clean.video.read(), clean.video.faces()
    for grey, is_defined in ((3, True), (12, False)):
        made = frames.copy()
        made[5 : 5 + grey] = 128
        sample = replace(clean, video=of(made, track), reference=with_landmarks(clean.reference))
        if is_defined:
            assert Lmd().measure(sample)["left_out"] == pytest.approx(grey / len(frames))
        else:
            with pytest.raises(Undefined, match="of the frames"):
                Lmd().measure(sample)


def test_awkward_videos(talkers: list[Specimen]) -> None:
    clean = talkers[0].sample.video
    frames, track = clean.read(), clean.faces()
    one = of(frames[:1], cut(track, 1)).feature("landmarks")
    assert one["points"].shape == (1, 46, 2)
    assert one["blendshapes"].shape == (1, 0)
    with pytest.raises(Undefined, match="no frames"):
        of(frames[:0], cut(track, 0)).feature("landmarks")
    with pytest.raises(Undefined, match="no face"):
        of(np.full((5, 64, 64, 3), 90, np.uint8), None).feature("landmarks")
    with pytest.raises(BenchError, match="4 boxes"):
        of(frames[:5], cut(track, 4)).feature("landmarks")
    outside = replace(cut(track, 5), boxes=track.boxes[:5] + 5000)
    assert np.isfinite(of(frames[:5], outside).feature("landmarks")["points"]).all()


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(BenchError, match="another network than landmarks_small"):
        SmallFinder(tmp_path / "other.safetensors", device="cpu")


# Metrics on it


# Blurred by 8 pixels, a face of the specimens is none to the mesh: there is no value.
class LmdOfTheMesh(Lmd):
    asks: ClassVar = {"landmarks": {"model": "mesh"}}
    sees = frozenset({"noise", "frozen"})


class MouthOfTheMesh(Mouth):
    asks: ClassVar = {"landmarks": {"model": "mesh"}}
    sees = frozenset({"noise", "frozen"})


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize("metric", [Aue, LmdOfTheMesh, MouthOfTheMesh], ids=lambda m: m.__name__)
def test_the_contract_holds_on_the_mesh(
    metric: type, talkers: list[Specimen], face_mesh: Path
) -> None:
    results = bench.checks.run_checks(metric, sample=lambda: talkers)
    # Of classes of this file neither the docstring nor the imports are those of a plugin.
    about_this_file = ("docstring has its sections", "import loads nothing heavy")
    assert [
        each
        for each in results
        if each.status != "passed" and (metric is Aue or each.name not in about_this_file)
    ] == []


def test_pictures_that_come_late_and_another_mouth_are_worse(talkers: list[Specimen]) -> None:
    def measured(made: np.ndarray, which: int) -> tuple[float, float, float]:
        clean = talkers[which].sample
        assert clean.reference is not None
        sample = replace(
            clean, video=of(made, clean.video.faces()), reference=with_landmarks(clean.reference)
        )
        lmd, mouth = Lmd().measure(sample), Mouth().measure(sample)
        return lmd["lmd_iod"], mouth["mar_error"], -mouth["mar_corr"]

    for which, each in enumerate(talkers):
        frames = each.sample.video.read()
        late = [measured(frames[np.maximum(np.arange(len(frames)) - n, 0)], which) for n in LATE]
        still = measured(frames[:1].repeat(len(frames), axis=0), which)
        for before, after in zip([(0.0, 0.0, -1.0), *late], late, strict=False):
            assert before[0] < after[0]
            assert before[1] < after[1]
        assert late[0][2] < late[2][2]
        assert late[0] < still


# Its training


def test_heat_maps_and_places_are_each_others_inverse() -> None:
    wanted = torch.tensor([[[30.0, 64.0], [100.0, 20.0]]])
    maps = hills(wanted).clamp(min=1e-12).log()
    torch.testing.assert_close(places(maps), wanted, atol=0.05, rtol=0)


def test_losses_by_hand() -> None:
    wanted = torch.full((1, points.SMALL.count, 2), 64.0)
    maps = hills(wanted).clamp(min=1e-12).log()
    logits = torch.tensor([20.0, -20.0])
    right = losses(torch.cat([maps, maps]), logits, wanted)
    assert float(right["error"]) < 0.01
    assert float(right["gaps"]) < 0.01
    assert float(right["face"]) < 1e-6
    wrong = losses(torch.cat([maps, maps]), -logits, wanted + torch.tensor([4.0, 0.0]))
    assert float(wrong["error"]) == pytest.approx(4.0, abs=0.05)
    assert float(wrong["gaps"]) < 0.01  # all are off alike
    assert float(wrong["face"]) > 10
    assert float(wrong["maps"]) > float(right["maps"])
    beyond = losses(torch.cat([maps, maps]), logits, wanted + 500.0)
    assert float(beyond["error"]) == 0.0  # points outside of the square teach nothing


def test_a_mirror_twice_is_the_same_and_keeps_sides() -> None:
    assert (MIRROR[MIRROR] == np.arange(points.SMALL.count)).all()
    square = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    where = np.random.default_rng(1).uniform(0, SIDE, (points.SMALL.count, 2)).astype(np.float32)
    once = augmentation.mirrored(square, where, MIRROR)
    again = augmentation.mirrored(*once, MIRROR)
    assert np.array_equal(again[0], square)
    np.testing.assert_allclose(again[1], where, atol=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_points_move_with_the_picture(seed: int) -> None:
    random = np.random.default_rng(seed)
    stored = np.zeros((176, 176, 3), np.uint8)
    where = np.array([[88.0, 100.0], [70.0, 80.0], [100.0, 75.0]], np.float32)
    rows, columns = np.mgrid[0:176, 0:176]
    for place in where:
        dots = np.hypot(columns - place[0], rows - place[1]) < 4
        shown = stored.copy()
        shown[dots] = 255
        square, (seen,) = augmentation._moved(shown, place[None], random, SCALE)
        rows_, columns_ = np.mgrid[0:SIDE, 0:SIDE]
        bright = square[..., 0].astype(float)
        middle = np.array([(columns_ * bright).sum(), (rows_ * bright).sum()]) / bright.sum()
        np.testing.assert_allclose(middle, seen, atol=0.8)


@pytest.mark.parametrize("seed", range(12))
def test_views_are_squares_and_leave_what_is_stored(seed: int) -> None:
    random = np.random.default_rng(seed)
    stored = random.integers(0, 256, (176, 176, 3), dtype=np.uint8)
    where = random.uniform(40, 140, (points.SMALL.count, 2)).astype(np.float32)
    before = stored.copy(), where.copy()
    square, moved = augmentation.seen(stored, where, random, scale=SCALE, bearded=seed % 2)
    assert square.shape == augmentation.nothing(stored, random).shape == (SIDE, SIDE, 3)
    assert square.dtype == np.uint8
    assert np.isfinite(moved).all()
    assert np.array_equal(stored, before[0])
    assert np.array_equal(where, before[1])


def job(folder: Path, clips: list[Clip], *, resume: bool = False, **settings: object) -> TrainJob:
    quick = {"steps": 4, "batch": 3, "nothing": 1, "report_every": 1, "save_every": 2}
    return TrainJob(
        train=tuple(clips),
        val=tuple(clips),
        settings=Settings.model_validate({**quick, "faces": ["given"], **settings}),
        folder=folder,
        seed=1,
        resume=resume,
        device="cpu",
        log=logging.Logger("test"),
    )


class Stopping(logging.Handler):
    """Ends a training with its third report, as a second Ctrl-C would."""

    reports = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.reports += record.getMessage().startswith("step ")
        if self.reports == 3:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_training_goes_on_where_it_stopped_and_writes_what_is_read(
    clips: list[Clip], tmp_path: Path
) -> None:
    named = [replace(clip, speaker=f"synth-en/{clip.speaker}") for clip in clips]
    whole = train(job(tmp_path / "whole", named))
    assert whole.name == WEIGHTS
    SmallFinder(whole, device="cpu")
    stopped = job(tmp_path / "parts", named)
    stopped.log.addHandler(stop := Stopping())
    with pytest.raises(KeyboardInterrupt):
        train(stopped)
    stopped.log.removeHandler(stop)
    again = train(job(tmp_path / "parts", named, resume=True))
    assert again.read_bytes() == whole.read_bytes()
    ready = make_ready(
        named, split="val", detectors=("given",), cache=tmp_path / "c", log=logging.getLogger("t")
    )
    batches = Batches(ready, Settings(batch=3, nothing=2), seed=1)
    batch = batches[5]
    assert batch.squares.shape == (5, SIDE, SIDE, 3)
    assert torch.equal(batch.squares, batches[5].squares)
    assert isinstance(ready[0], FaceClip)


def test_half_precision_keeps_the_network(tmp_path: Path) -> None:
    learner = Learner(Settings(steps=2), seed=3, device="cpu")
    path = save_halves(learner.network, tmp_path / WEIGHTS)
    other = SmallFinder(path, device="cpu").network
    squares = standardised(torch.randint(0, 256, (2, SIDE, SIDE, 3), dtype=torch.uint8))
    with torch.inference_mode():
        first, second = learner.network.eval()(squares)[0], other(squares)[0]
    torch.testing.assert_close(first, second, atol=2e-2, rtol=2e-2)
    assert isinstance(other, LandmarkNetwork)


# In configs


def test_a_config_says_whose_landmarks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_manifest(tmp_path / "data")

    def planned(**changes: object) -> tuple[str, str]:
        settings = {"metrics": [{"name": "lmd"}], "tables": [], **changes}
        plan = make_plan(load_config(make_config(tmp_path, **settings)))
        return plan.metrics[0].protocol, plan.metrics[0].key

    usual = planned()
    assert usual[0] == "lmd[small; mouth 20; centred; mean; given]"
    mesh = planned(landmarks="mesh")
    assert mesh[0] == "lmd[mesh:track; mouth 20; centred; mean; given]"
    looks = [{"name": "landmarks", "options": {"looks": "2pass"}}]
    assert "mesh:2pass" in planned(landmarks="mesh", features=looks)[0]
    assert len({usual[1], mesh[1], planned(landmarks="mesh", features=looks)[1]}) == 3
    with pytest.raises(BenchError, match="goes with model: mesh only"):
        planned(features=looks)
    with pytest.raises(BenchError, match="set by the key `landmarks`"):
        planned(features=[{"name": "landmarks", "options": {"model": "mesh"}}])
    with pytest.raises(BenchError, match="landmarks"):
        planned(landmarks="dlib")


def test_what_a_metric_asks_of_landmarks_is_told_before_anything_runs(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data")
    by_shapes = {"name": "blink", "options": {"by": "blendshapes"}}
    path = make_config(tmp_path, metrics=[{"name": "aue"}, by_shapes], tables=[])
    with pytest.raises(BenchError) as told:
        load_config(path)
    assert "metrics[0]: 'aue' has values only with `model: mesh`" in str(told.value)
    assert "metrics[1]: 'blink'" in str(told.value)
    assert "Write `landmarks: mesh` at the top level." in str(told.value)
    recorded = {"name": "aue", "options": {"csv": "units"}}
    lids = {"name": "blink"}
    load_config(make_config(tmp_path, metrics=[recorded, lids], tables=[]))
    both = make_config(tmp_path, metrics=[{"name": "aue"}, by_shapes], landmarks="mesh", tables=[])
    assert load_config(both).config.landmarks == "mesh"


def test_the_small_ones_square_lies_around_the_box() -> None:
    square = around(np.array([10, 20, 50, 80], np.float32), 1.5)
    assert (square.x, square.y, square.side, square.turn) == (30.0, 50.0, 90.0, 0.0)
