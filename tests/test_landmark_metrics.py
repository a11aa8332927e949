"""Metrics on landmarks: golden values, hand-computed ones, and what has no value."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import pearsonr

import bench
from bench.checks.ladders import talking_patterns
from bench.contract.jobs import Sample
from bench.features import landmark_points as points
from bench.ground.types import Case, Clip
from metrics.aue import LOWER_SHAPES, LOWER_UNITS, UPPER_SHAPES, UPPER_UNITS, Aue, unit_error
from metrics.blink import Blink, Count, blinks, eye_openings
from metrics.features.landmarks.pairs import paired
from metrics.flicker import Flicker
from metrics.lmd import Lmd, distances
from metrics.mouth import Mouth, correlation, opening, unrest

# OpenFace's units, in its order.
OPENFACE = [
    *("01", "02", "04", "05", "06", "07", "09", "10", "12"),
    *("14", "15", "17", "20", "23", "25", "26", "45"),
]


@pytest.fixture(scope="module")
def arrays(shared: Path) -> dict[str, np.ndarray]:
    with np.load(shared / "golden" / "metrics.npz") as stored:
        return {name: stored[name] for name in stored.files}


@pytest.fixture(scope="module")
def expected(shared: Path) -> dict[str, float]:
    return json.loads((shared / "golden" / "expected_metrics.json").read_text())


def landmarks(
    where: np.ndarray,
    *,
    model: str = "mesh",
    score: np.ndarray | None = None,
    blendshapes: np.ndarray | None = None,
    size: tuple[int, int] = (288, 360),
) -> dict[str, np.ndarray]:
    frames = len(where)
    return {
        "points": where.astype(np.float32),
        "score": np.ones(frames, np.float32) if score is None else score.astype(np.float32),
        "blendshapes": np.zeros((frames, 0), np.float32) if blendshapes is None else blendshapes,
        "size": np.array(size),
        "model": np.array(model),
    }


def video(arrays: dict[str, np.ndarray] | str, *, sha256: str = "") -> bench.Video:
    """A video whose landmarks are known, or, for a text, Undefined for that reason."""

    def find(_video: bench.Video, name: str) -> dict[str, np.ndarray]:
        assert name == "landmarks"
        if isinstance(arrays, str):
            raise bench.Undefined(arrays)
        return arrays

    return bench.Video(None, features=find, sha256=sha256)


def sample(
    truth: dict[str, np.ndarray] | str,
    made: dict[str, np.ndarray] | str,
    *,
    names: tuple[str, str] = ("", ""),
) -> Sample:
    clip = Clip(id="clip", video=Path("clip.mp4"))
    case = Case(dataset="d", kind="reconstruct", face=clip, speech=clip)
    first, second = video(truth, sha256=names[0]), video(made, sha256=names[1])
    return Sample(case=case, video=second, reference=first)


def face(frames: int = 12, *, seed: int = 0, still: bool = False) -> np.ndarray:
    """Points of the mesh (T, 478, 2) whose mouth opens and shuts."""
    random = np.random.default_rng(seed)
    where = np.broadcast_to(random.uniform(50, 200, (478, 2)), (frames, 478, 2)).copy()
    order = points.MESH
    for eye, x in ((order.right_eye, 100.0), (order.left_eye, 150.0)):
        where[:, list(eye)] = x + np.array(
            [(-10, 0), (-4, -3), (4, -3), (10, 0), (4, 3), (-4, 3)], dtype=float
        )
        where[:, list(eye), 1] -= x - 100.0
    open_by = np.zeros(frames) if still else 4.0 + 4.0 * np.sin(np.arange(frames))
    for index, x, down in zip(order.lips, (125, 125, 110, 140), (-0.5, 0.5, 0, 0), strict=True):
        where[:, index, 0] = x
        where[:, index, 1] = 160 + down * open_by
    return where


# Golden values


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "which", "centred", "distance"),
    [
        ("lmd_mouth_centred_mean", "mouth", True, "mean"),
        ("lmd_mouth_centred_sum20", "mouth", True, "sum"),
        ("lmd_mouth_uncentred_mean", "mouth", False, "mean"),
        ("lmd_mouth_l1_uncentred_mean_of_coordinates", "mouth", False, "l1"),
        ("lmd_face_centred_mean", "face", True, "mean"),
    ],
)
def test_lmd_has_the_golden_value_of_each_variant(
    arrays: dict, expected: dict, name: str, which: str, centred: bool, distance: str
) -> None:
    truth, made = (landmarks(arrays[f"dlib68_{one}"], model="ibug") for one in ("truth", "made"))
    options = Lmd.Options(points=which, centred=centred, distance=distance)
    found = Lmd(options).measure(sample(truth, made))
    assert found["lmd"] == pytest.approx(expected[name], rel=1e-6)
    if name == "lmd_mouth_centred_mean":
        iod = expected["lmd_mouth_centred_mean_per_interocular"]
        assert found["lmd_iod"] == pytest.approx(iod, rel=1e-6)
        eyes = points.eye_distance(truth).mean()
        assert eyes == pytest.approx(expected["truth_mean_interocular_px"], rel=1e-6)


@pytest.mark.shared
def test_lmd_of_the_mesh_has_the_golden_value(arrays: dict, expected: dict) -> None:
    truth, made = (landmarks(arrays[f"mesh_{one}"]) for one in ("truth", "made"))
    found = Lmd().measure(sample(truth, made))["lmd"]
    assert found == pytest.approx(expected["mesh_lmd_mouth20_centred_mean"], rel=1e-6)


@pytest.mark.shared
def test_openings_of_mouth_and_eyes_have_the_golden_values(arrays: dict, expected: dict) -> None:
    truth, made = (landmarks(arrays[f"mesh_{one}"]) for one in ("truth", "made"))
    np.testing.assert_allclose(opening(truth), expected["mar_truth"], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(opening(made), expected["mar_made"], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        eye_openings(truth),
        np.stack([expected["ear_right_truth"], expected["ear_left_truth"]], axis=1),
        rtol=1e-5,
    )
    found = Mouth().measure(sample(truth, made))
    assert found["mar_corr"] == pytest.approx(expected["mar_pearson"], rel=1e-6)
    assert found["mar_error"] == pytest.approx(expected["mar_mean_abs_error"], rel=1e-6)


@pytest.mark.shared
def test_aue_has_the_golden_values_of_blendshapes_and_of_openface(
    arrays: dict, expected: dict, tmp_path: Path
) -> None:
    truth, made = arrays["blendshapes_truth"], arrays["blendshapes_made"]
    for part, name in ((LOWER_SHAPES, "lower"), (UPPER_SHAPES, "upper")):
        wanted = expected[f"blendshape_error_{name}_sum_of_mse"]
        assert unit_error(truth[:, part], made[:, part]) == pytest.approx(wanted, rel=1e-6)
    for name in ("truth", "made"):
        openface_csv(tmp_path / f"{name}.csv", arrays[f"au_{name}"])
    metric = Aue(Aue.Options(csv=tmp_path))
    found = metric.measure(sample("none", "none", names=("truth", "made")))
    assert found["aue"] == pytest.approx(expected["aue_all_sum_of_mse"], rel=1e-6)
    assert found["aue_lower"] == pytest.approx(expected["aue_lower_sum_of_mse"], rel=1e-6)
    assert found["aue_upper"] == pytest.approx(expected["aue_upper_sum_of_mse"], rel=1e-6)


# By hand


def test_lmd_by_hand() -> None:
    truth = np.zeros((1, 2, 2))
    made = np.array([[[3.0, 4.0], [3.0, 6.0]]])  # moved by (3, 5), then apart by one pixel each
    assert distances(truth, made).tolist() == [1.0]
    assert distances(truth, made, distance="sum").tolist() == [2.0]
    assert distances(truth, made, distance="l1").tolist() == [0.5]
    assert distances(truth, made, centred=False).tolist() == [(5.0 + np.sqrt(45.0)) / 2]


def test_a_moved_head_costs_nothing_and_eye_distances_do_not_depend_on_size() -> None:
    truth = face()
    assert Lmd().measure(sample(landmarks(truth), landmarks(truth + 7.0)))["lmd"] < 1e-5
    made = truth + np.random.default_rng(1).normal(0, 1, truth.shape)
    small = Lmd().measure(sample(landmarks(truth), landmarks(made)))
    large = Lmd().measure(sample(landmarks(3 * truth), landmarks(3 * made)))
    assert large["lmd"] == pytest.approx(3 * small["lmd"], rel=1e-4)
    assert large["lmd_iod"] == pytest.approx(small["lmd_iod"], rel=1e-4)


def test_the_mouths_correlation_is_scipys() -> None:
    random = np.random.default_rng(2)
    truth = random.uniform(0, 0.5, 40)
    made = 0.6 * truth + random.uniform(0, 0.3, 40)
    assert correlation(truth, made) == pytest.approx(pearsonr(truth, made).statistic, rel=1e-12)


def test_a_mouth_at_rest_follows_nothing() -> None:
    moving, resting = landmarks(face()), landmarks(face(still=True))
    found = Mouth().measure(sample(moving, resting))
    assert (found["mar_corr"], found["motion"]) == (0.0, 0.0)
    with pytest.raises(bench.Undefined, match="the reference's mouth does not move"):
        Mouth().measure(sample(resting, moving))


def test_the_truth_itself_is_best() -> None:
    arrays = landmarks(face(), blendshapes=np.random.default_rng(0).random((12, 52)))
    assert Lmd().measure(sample(arrays, arrays)) == {"lmd": 0.0, "lmd_iod": 0.0, "left_out": 0.0}
    found = Mouth().measure(sample(arrays, arrays))
    assert found["mar_corr"] == pytest.approx(1.0)
    assert (found["mar_error"], found["motion"], found["flicker"]) == (0.0, 1.0, 1.0)
    assert set(Aue().measure(sample(arrays, arrays)).values()) == {0.0}


def test_mouth_flicker_by_hand() -> None:
    steady = face(10, still=True)
    steady = steady + np.arange(10)[:, None, None]  # a head that moves on at one speed
    assert unrest(landmarks(steady)) == pytest.approx(0.0, abs=1e-6)
    shaky = steady.copy()
    shaky[::2, list(points.MESH.mouth), 1] += 1.0  # every second frame a pixel lower
    assert unrest(landmarks(shaky)) == pytest.approx(2.0 / 50.0, rel=1e-3)


def test_blinks_by_hand() -> None:
    def shut(text: str) -> np.ndarray:
        return np.array([each == "x" for each in text])

    assert blinks(shut("...xx....x...")) == 2
    assert blinks(shut("...xx..x.....")) == 1  # two open frames within one
    assert blinks(shut("xx...xx...xxx")) == 1  # those at the ends are halves
    assert blinks(shut("." + "x" * 26 + ".")) == 0  # asleep
    assert blinks(shut("")) == 0


def test_blinks_a_minute_are_a_total_over_the_set() -> None:
    metric, blinking, awake = Blink(), face(75), face(75)
    lids = [points.MESH.right_eye, points.MESH.left_eye]
    for eye in lids:
        middle = blinking[:, list(eye), 1].mean(axis=1, keepdims=True)
        blinking[30:33, list(eye), 1] = middle[30:33]
    made, references = metric.start(), metric.start()
    for where in (blinking, awake, blinking, awake):
        metric.update(made, video(landmarks(where)))
        metric.update(references, video(landmarks(awake)))
    assert made == Count(blinks=2, seen=300, frames=300)  # 12 seconds
    assert metric.compute(made, references) == {
        "blinks": 10.0,
        "difference": 10.0,
        "left_out": 0.0,
    }


def test_blinks_by_blendshapes_need_the_mesh() -> None:
    shapes = np.zeros((75, 52), np.float32)
    shapes[20:23, (9, 10)] = 0.8
    metric = Blink(Blink.Options(by="blendshapes"))
    found = metric.start()
    metric.update(found, video(landmarks(face(75), blendshapes=shapes)))
    assert found.blinks == 1
    with pytest.raises(bench.BenchError, match="no blendshapes"):
        metric.update(found, video(landmarks(face(75))))
    with pytest.raises(bench.Undefined, match="no frames"):
        metric.compute(metric.start(), metric.start())


def test_a_clip_without_a_face_is_left_out_of_the_blinks_and_many_leave_no_value() -> None:
    metric, found = Blink(), Count()
    seen = video(landmarks(face(75)))
    lost = video("no face found")
    lost._frames = np.zeros((25, 4, 4, 3), np.uint8)
    for each in (seen, seen, seen, seen, lost):
        metric.update(found, each)
    assert found == Count(blinks=0, seen=300, frames=325)
    assert metric.compute(found, found)["left_out"] == pytest.approx(25 / 325)
    metric.update(found, lost)
    with pytest.raises(bench.Undefined, match="14% of the frames of the videos show no face"):
        metric.compute(found, found)


def test_flicker_by_hand() -> None:
    truth = np.zeros((3, 8, 8, 3), np.uint8)
    truth[1] = 10  # changes by 10 and 10
    made = truth.copy()
    made[2] = 40  # changes by 10 and 30
    clip = Clip(id="clip", video=Path("clip.mp4"))
    case = Case(dataset="d", kind="reconstruct", face=clip, speech=clip)
    metric = Flicker(Flicker.Options(region="frame"))

    def measured(first: np.ndarray, second: np.ndarray) -> dict[str, float]:
        return metric.measure(Sample(case, bench.Video.of(second), bench.Video.of(first)))

    assert measured(truth, made) == {"flicker": 2.0, "flicker_error": 10.0}
    assert measured(truth, truth) == {"flicker": 1.0, "flicker_error": 0.0}
    with pytest.raises(bench.Undefined, match="does not change"):
        measured(made[:1].repeat(3, axis=0), made)
    with pytest.raises(bench.Undefined, match="two frames"):
        measured(truth[:1], made[:1])
    with pytest.raises(bench.BenchError):
        measured(truth, made[:2])


def test_flicker_of_the_face_leaves_the_background_out() -> None:
    (specimen,) = talking_patterns(1)
    truth = specimen.sample.reference
    assert truth is not None
    frames = truth.read().copy()
    frames[1::2, :8] = 255  # a light that blinks at the frame's edge
    made = bench.Video.of(frames, truth.sound(), track=truth.faces())
    found = Flicker().measure(Sample(specimen.sample.case, made, truth))
    assert found == {"flicker": 1.0, "flicker_error": 0.0}


# What has no value


def test_frames_without_a_face_are_left_out_of_both() -> None:
    truth, made = face(20), face(20)
    made[3] += 500.0 * np.random.default_rng(0).random((478, 2))
    score = np.ones(20)
    score[3] = 0.4
    found = Lmd().measure(sample(landmarks(truth), landmarks(made, score=score)))
    assert found == {"lmd": 0.0, "lmd_iod": 0.0, "left_out": pytest.approx(0.05)}
    score[4:6] = 0.0
    for metric in (Lmd(), Mouth()):
        with pytest.raises(bench.Undefined, match="15% of the frames"):
            metric.measure(sample(landmarks(truth, score=score), landmarks(made)))


def test_unequal_lengths_and_sizes_are_errors() -> None:
    with pytest.raises(bench.BenchError, match="11 frames, its reference 12"):
        paired(sample(landmarks(face(12)), landmarks(face(11))))
    with pytest.raises(bench.BenchError, match="360x288, its reference 256x256"):
        paired(sample(landmarks(face(), size=(256, 256)), landmarks(face())))
    with pytest.raises(bench.BenchError, match="landmarks of mesh beside those of small"):
        paired(sample(landmarks(face(), model="small"), landmarks(face())))


def test_no_face_and_no_reference_say_so() -> None:
    with pytest.raises(bench.Undefined, match="no face found"):
        Lmd().measure(sample(landmarks(face()), "no face found"))
    lonely = Sample(sample("", "").case, video(landmarks(face())), None)
    with pytest.raises(bench.BenchError, match="no reference"):
        Mouth().measure(lonely)


# OpenFace's csv


def openface_csv(file: Path, units: np.ndarray, *, names: list[str] | None = None) -> None:
    """As OpenFace 2.2 writes it: blanks before names and values."""
    header = ["frame", " face_id", " success", *(f" AU{unit}_r" for unit in names or OPENFACE)]
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        for frame, row in enumerate(units, 1):
            writer.writerow([frame, " 0", " 1", *(f" {float(value)!r}" for value in row)])


def test_openface_csv_by_hand(tmp_path: Path) -> None:
    truth = np.zeros((4, 17))
    made = truth.copy()
    made[:, OPENFACE.index("25")] = 2.0  # lower: 4
    made[::2, OPENFACE.index("45")] = 2.0  # upper: 2
    openface_csv(tmp_path / "clip.csv", truth)
    openface_csv(tmp_path / "abc.csv", made)
    metric = Aue(Aue.Options(csv=tmp_path))
    found = metric.measure(sample("none", "none", names=("", "abc")))
    assert found == {"aue_lower": 4.0, "aue_upper": 2.0, "aue": 6.0}
    assert set(metric.identity()["csv"]) == {"abc.csv", "clip.csv"}
    assert metric.protocol == "aue[OpenFace csv; lower 9, upper 8; sum of mse]"
    assert len(LOWER_UNITS) + len(UPPER_UNITS) == len(OPENFACE)


def test_unequal_or_missing_csv_are_errors(tmp_path: Path) -> None:
    metric, both = Aue(Aue.Options(csv=tmp_path)), sample("none", "none", names=("", "abc"))
    with pytest.raises(bench.BenchError, match="has no csv files"):
        metric.identity()
    with pytest.raises(bench.BenchError, match=r"no csv of case clip's reference; expected clip"):
        metric.measure(both)
    openface_csv(tmp_path / "clip.csv", np.zeros((4, 17)))
    openface_csv(tmp_path / "abc.csv", np.zeros((3, 17)))
    with pytest.raises(bench.BenchError, match=r"3 frames \(1 to 3\).*4 \(1 to 4\)"):
        metric.measure(both)
    openface_csv(tmp_path / "abc.csv", np.zeros((4, 16)), names=OPENFACE[:-1])
    with pytest.raises(bench.BenchError, match="no column AU45_r"):
        metric.measure(both)
    openface_csv(tmp_path / "abc.csv", np.full((4, 17), np.nan))
    with pytest.raises(bench.BenchError, match="no finite numbers"):
        metric.measure(both)
    (tmp_path / "abc.csv").write_text("")
    with pytest.raises(bench.BenchError, match="is empty"):
        metric.measure(both)


def test_blendshapes_need_the_mesh() -> None:
    arrays = landmarks(face())
    with pytest.raises(bench.BenchError, match="`landmarks: mesh`"):
        Aue().measure(sample(arrays, arrays))


# Points


@pytest.mark.parametrize("model", ["mesh", "small", "ibug"])
def test_every_model_knows_its_points(model: str) -> None:
    order = points.LAYOUTS[model]
    where = np.arange(order.count * 2, dtype=np.float32).reshape(1, order.count, 2)
    arrays = landmarks(where, model=model)
    assert points.mouth(arrays).shape == (1, 20, 2)
    assert points.inner_lips(arrays).shape == (1, 4, 2)
    assert points.eyes(arrays).shape == (1, 2, 6, 2)
    assert points.five_points(arrays).shape == (1, 5, 2)
    assert points.eye_distance(arrays).shape == (1,)
    if model == "mesh":
        assert points.irises(arrays).shape == (1, 2, 2)
    else:
        with pytest.raises(bench.BenchError, match="no irises"):
            points.irises(arrays)
    assert len(points.SMALL_OF_MESH) == points.SMALL.count
