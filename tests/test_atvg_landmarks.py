"""ATVGnet's landmarks, windows, crop and the demo's three steps: equal to the official program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import bench
from bench.networks.similarity import applied, inverse, similarity
from methods.atvg import audio, demo
from methods.atvg.alignment import TEMPLATE, crop_transform, cropped, put_back
from methods.atvg.inference import OFFICIAL_STEPS, Steps, Talker, example_coefficients
from methods.atvg.landmarks import (
    MESH,
    SMALL,
    Basis,
    fitted_basis,
    mean_shape,
    mouth_held,
    normalised,
)
from methods.atvg.pictures import LandmarksToPictures, PictureSize
from methods.atvg.speech import SpeechSize, SpeechToLandmarks
from tests.small_weights import drawn, filled

Golden = dict[str, NDArray[np.float64]]


@pytest.fixture(scope="module")
def golden(shared: Path) -> Golden:
    with np.load(shared / "golden" / "atvg.npz") as arrays:
        return {name: arrays[name] for name in arrays}


def basics_of(golden: Golden) -> demo.Basics:
    basis = Basis(golden["mean_lrw"], golden["pca_lrw"])
    return demo.Basics(basis, golden["lm_mean_image"], golden["lm_mean_norm"], golden["lm_basis"])


def drawn_basics(seed: int = 0) -> demo.Basics:
    draw = np.random.default_rng(seed)
    rows, _ = np.linalg.qr(draw.normal(size=(136, 106)))
    mean = draw.normal(size=136)
    mean /= np.linalg.norm(mean)
    basis = Basis(5 * mean, rows[:, 100:])
    return demo.Basics(basis, 300 * mean.reshape(68, 2), mean, rows[:, :100].T)


def faces(count: int, scheme_points: int = 68, seed: int = 1) -> NDArray[np.float64]:
    """One drawn face whose points tremble, (count, P, 2) pixels."""
    draw = np.random.default_rng(seed)
    one = draw.uniform(40, 200, (scheme_points, 2))
    return one + draw.normal(0, 2, (count, scheme_points, 2))


# Windows


@pytest.mark.shared
def test_windows_are_the_official_ones_and_one_more(shared: Path, golden: Golden) -> None:
    with np.load(shared / "golden" / "clip.npz") as arrays:
        sound = arrays["audio_int16"]
    found = audio.windows(sound)
    assert found.shape == (60, 28, 12)
    assert audio.official_frames(sound) == int(golden["n_windows"]) == 59
    assert np.abs(found[10:18] - golden["at_audio"][0]).max() < 1e-4 * np.abs(found).max()
    rows = golden["mfcc"][:, 1:]
    assert np.allclose(found[58], rows[4 * 58 : 4 * 58 + 28], atol=1e-3)


def test_a_frame_hears_from_120_ms_before_to_160_ms_after_its_begin() -> None:
    draw = np.random.default_rng(0)
    sound = draw.integers(-3000, 3000, 20 * 640).astype(np.int16)
    before = audio.windows(sound)
    changed = sound.copy()
    changed[10 * 640 : 10 * 640 + 160] += 2000
    moved = np.abs(audio.windows(changed) - before).max(axis=(1, 2)) > 1e-6
    # The cepstra of 25 ms and the pre-emphasis reach a little further.
    assert np.flatnonzero(moved).tolist() == [6, 7, 8, 9, 10, 11, 12, 13]
    assert audio.official_frames(sound) == len(before) - 1 == 19
    with pytest.raises(ValueError, match="100 samples; a frame takes 640"):
        audio.windows(sound[:100])


# The demo's landmarks


@pytest.mark.shared
def test_the_official_normalisation_is_equal(golden: Golden) -> None:
    basics = basics_of(golden)
    shapes = demo.official_shapes(golden["lm_in"], basics)
    assert np.abs(shapes - golden["lm_out"]).max() < 1e-4 * np.abs(golden["lm_out"]).max()
    found = basics.basis.coefficients(5 * shapes)
    assert np.abs(found - golden["lm_coef"]).max() < 1e-4 * np.abs(golden["lm_coef"]).max()
    # One picture alone: the same for every face, and what the sequence ends with.
    alone = [demo.official_shapes(face[None], basics)[0] for face in golden["lm_in"]]
    assert np.allclose(alone, golden["lm_out"][3], atol=1e-12)
    assert np.allclose(demo.constant_example(basics), golden["lm_coef"][3], atol=1e-12)


@pytest.mark.shared
@torch.no_grad()
def test_the_demos_landmarks_are_equal(shared: Path, golden: Golden) -> None:
    network = filled(shared, SpeechToLandmarks())
    assert isinstance(network, SpeechToLandmarks)
    size = PictureSize(side=32, channels=(16, 16, 16, 16), squeezed=16, last=16, blocks=1)
    talker = Talker(network, LandmarksToPictures(size), basics_of(golden).basis)
    heard = golden["at_audio"][0].astype(np.float32)
    found = talker.shapes(golden["at_example"][0], heard, OFFICIAL_STEPS)
    expected = golden["at_landmarks"]
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()
    plain = talker.shapes(golden["at_example"][0], heard, Steps())
    assert np.abs(plain - expected).max() > 0.1


def test_the_constant_forgets_a_face_and_own_keeps_it() -> None:
    basics = drawn_basics()
    first, second = faces(1)[0], faces(1, seed=2)[0]
    constant = [example_coefficients(face, basics, "constant") for face in (first, second)]
    assert np.allclose(constant[0], constant[1])
    assert np.allclose(
        5 * demo.official_shapes(first[None], basics)[0],
        5 * demo.official_shapes(second[None], basics)[0],
    )
    own = [example_coefficients(face, basics, "own") for face in (first, second)]
    assert np.abs(own[0] - own[1]).max() > 0.05
    turned = applied(np.array([[0.0, -2.0, 30.0], [2.0, 0.0, 9.0]]), first)
    assert np.allclose(example_coefficients(turned, basics, "own"), own[0])


def test_strength_and_contrast_by_hand() -> None:
    assert demo.strengthened(np.ones((2, 6)))[1].tolist() == [1.0, 2.2, 2.4, 2.6, 2.8, 3.0]
    assert demo.strengthened(np.ones(6), demo.ATNET_TEST).tolist() == [1, 2.4, 2.8, 3.2, 3.6, 4]
    picture = np.array([[[-0.5, 0.0, 0.5]]])
    assert demo.stretched(picture).tolist() == [[[0, 128, 255]]]
    assert demo.stretched(np.full((1, 1, 3), 0.3)).tolist() == [[[0, 0, 0]]]
    assert demo.levels(picture).tolist() == [[[64, 128, 191]]]
    assert demo.levels(np.array([[[-1.0, 1.0, 1.2]]])).tolist() == [[[0, 255, 255]]]


def test_basics_are_read_without_running_anything(tmp_path: Path) -> None:
    basics = drawn_basics()
    with pytest.raises(bench.BenchError, match=r"U_grid.npy: no such file; give the folder"):
        demo.read_basics(tmp_path, "grid")
    wide = np.concatenate([basics.basis.components, np.zeros((136, 130))], axis=1)
    arrays = {
        "U_lrw1": wide,
        "mean_lrw1": basics.basis.mean,
        "mean_shape_img": basics.mean_image,
        "mean_shape_norm": basics.mean_norm[None],
        "S": basics.parts,
    }
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    found = demo.read_basics(tmp_path)
    assert np.array_equal(found.basis.components, basics.basis.components)
    assert np.array_equal(found.mean_norm, basics.mean_norm)
    assert np.array_equal(found.parts, basics.parts)
    np.save(tmp_path / "S.npy", basics.parts[:7])
    with pytest.raises(bench.BenchError, match=r"S.npy: expected 13600 numbers, found .*7, 136"):
        demo.read_basics(tmp_path)
    np.save(tmp_path / "S.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(bench.BenchError, match=r"S.npy: cannot be read as an array"):
        demo.read_basics(tmp_path)


# Landmarks of this project


@pytest.mark.parametrize("scheme", [SMALL, MESH], ids=lambda scheme: scheme.name)
def test_shapes_forget_place_size_and_turn_and_nothing_else(scheme) -> None:
    seen = faces(5, scheme.count)
    mean = mean_shape(seen, scheme)
    assert np.linalg.norm(mean) == pytest.approx(1.0)
    shapes = normalised(seen, mean, scheme)
    assert np.abs(shapes).max() < 2.0
    moved = applied(np.array([[0.6, -0.8, 12.0], [0.8, 0.6, -40.0]]) * 1.7, seen)
    assert np.allclose(normalised(moved, mean, scheme), shapes)
    open_mouth = seen.copy()
    open_mouth[0, list(scheme.mouth), 1] += 9.0
    change = normalised(open_mouth, mean, scheme)[0] - shapes[0]
    touched = np.flatnonzero(np.abs(change.reshape(-1, 2)).max(axis=1) > 1e-9)
    assert touched.tolist() == sorted(scheme.mouth)


def test_points_of_another_model_are_refused() -> None:
    arrays = {"points": np.zeros((2, 478, 2), np.float32), "model": np.array("mesh")}
    assert MESH.of(arrays).shape == (2, 68, 2)
    with pytest.raises(bench.BenchError, match="of the model 'small', found those of 'mesh'"):
        SMALL.of(arrays)


def test_the_basis_takes_eight_where_six_hold_too_little() -> None:
    draw = np.random.default_rng(3)
    axes, _ = np.linalg.qr(draw.normal(size=(92, 8)))
    for strengths, count in (([5, 4, 3, 2, 2, 2, 0.01, 0.01], 6), ([1] * 8, 8)):
        differences = draw.normal(size=(400, 8)) * strengths @ axes.T + 0.5
        basis = fitted_basis(differences, SMALL)
        assert basis.components.shape == (92, count)
        assert np.allclose(basis.components.T @ basis.components, np.eye(count), atol=1e-9)
        assert mouth_held(basis, differences, SMALL) > 0.99
        back = basis.shapes(basis.coefficients(differences))
        assert np.abs(back - differences).max() < 0.1


# The crop


def test_similarities_are_found_and_undone() -> None:
    transform = np.array([[0.6, -0.8, 3.0], [0.8, 0.6, -2.0]]) * 1.5
    points = faces(1)[0]
    assert np.allclose(similarity(points, applied(transform, points)), transform)
    assert np.allclose(applied(inverse(transform), applied(transform, points)), points)
    with pytest.raises(bench.BenchError, match="lie at one place"):
        similarity(np.ones((3, 2)), points[:3])


def test_the_crop_has_eyes_and_nose_where_the_template_has_them() -> None:
    scheme, face = SMALL, np.zeros((46, 2))
    there = np.array(TEMPLATE) * 0.75
    face[list(scheme.right_eye)], face[list(scheme.left_eye)] = there[0], there[1]
    face[scheme.nose_tip] = there[2]
    moved = applied(np.array([[1.2, -0.3, 50.0], [0.3, 1.2, 40.0]]), face)
    transform = crop_transform(moved, scheme, side=96)
    assert np.allclose(applied(transform, moved), face)
    frame = np.zeros((200, 220, 3), np.uint8)
    x, y = applied(inverse(transform), there[2]).round().astype(int)
    frame[y - 2 : y + 3, x - 2 : x + 3] = 255
    crop = cropped(frame, transform, side=96)
    brightest = np.unravel_index(crop[:, :, 0].argmax(), (96, 96))
    assert np.abs(np.array(brightest[::-1]) - there[2]).max() <= 2.5


def test_a_face_is_put_back_where_it_is_new_and_nowhere_else() -> None:
    frame = np.full((200, 220, 3), 10, np.uint8)
    transform = np.array([[0.8, 0.0, -30.0], [0.0, 0.8, -20.0]])
    face = np.full((96, 96, 3), 210, np.uint8)
    share = np.zeros((96, 96), np.float32)
    share[40:70, 20:60] = 0.5
    made = put_back(frame, face, share, transform)
    middle = applied(inverse(transform), np.array([40.0, 55.0])).round().astype(int)
    assert made[middle[1], middle[0]].tolist() == [210, 210, 210]
    back = applied(inverse(transform), np.array([[20.0, 40.0], [60.0, 70.0]]))
    rows, columns = np.nonzero((made != frame).any(axis=2))
    assert rows.min() > back[0, 1] - 9
    assert rows.max() < back[1, 1] + 9
    assert columns.min() > back[0, 0] - 9
    assert columns.max() < back[1, 0] + 9
    assert frame.max() == 10


# The chain


def small_talker(**sizes) -> Talker:
    hears = SpeechToLandmarks(SpeechSize((16,) * 5, (16,), (16,), 16, 1))
    size = PictureSize(side=32, channels=(16, 16, 16, 16), squeezed=16, last=16, blocks=1)
    paints = LandmarksToPictures(size, recurrence=sizes.pop("recurrence", "none"))
    return Talker(drawn(hears), drawn(paints), drawn_basics().basis, **sizes)  # type: ignore[arg-type]


@pytest.mark.parametrize("recurrence", ["none", "time"])
def test_the_batch_changes_no_picture(recurrence) -> None:
    draw = np.random.default_rng(5)
    still = draw.integers(0, 256, (32, 32, 3)).astype(np.uint8)
    example, heard = draw.normal(size=6), draw.normal(size=(5, 28, 12)).astype(np.float32)
    made = [
        list(small_talker(batch=batch, recurrence=recurrence).talk(still, example, heard, Steps()))
        for batch in (2, 16)
    ]
    assert len(made[0]) == len(made[1]) == 5
    for first, second in zip(*made, strict=True):
        assert first.face.shape == (32, 32, 3)
        assert first.face.dtype == np.uint8
        assert first.share.shape == (32, 32)
        assert np.abs(first.face.astype(int) - second.face.astype(int)).max() <= 1


def test_the_official_chain_stretches_every_picture() -> None:
    draw = np.random.default_rng(6)
    still = draw.integers(60, 160, (32, 32, 3)).astype(np.uint8)
    example, heard = draw.normal(size=6), draw.normal(size=(2, 28, 12)).astype(np.float32)
    for made in small_talker().talk(still, example, heard, OFFICIAL_STEPS):
        assert (made.face.min(), made.face.max()) == (0, 255)
    kept = list(small_talker().talk(still, example, heard, Steps()))
    assert kept[0].face.max() - kept[0].face.min() < 250


# Official files


def test_official_files_load_with_the_parallel_prefix(tmp_path: Path) -> None:
    from bench.networks.checkpoints import load_weights

    size = SpeechSize((16,) * 5, (16,), (16,), 16, 1)
    saved = drawn(SpeechToLandmarks(size))
    path = tmp_path / "atnet_lstm_18.pth"
    torch.save({f"module.{name}": each for name, each in saved.state_dict().items()}, path)
    network = SpeechToLandmarks(size)
    load_weights(network, path)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, saved.state_dict()[name]), name
    with pytest.raises(bench.BenchError, match=r"atnet_lstm_18.pth: expected .* found"):
        Talker.of_official(path, path, drawn_basics())
    with pytest.raises(bench.BenchError, match="no such file"):
        Talker.of_official(tmp_path / "none.pth", path, drawn_basics())
