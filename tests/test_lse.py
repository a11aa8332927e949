"""LSE: parity with the reference, the search over shifts, front ends, what has no value."""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydantic
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import bench
from bench.ground.errors import NoFace
from bench.networks.checkpoints import read_state
from bench.networks.mfcc import mfcc
from metrics.lse import Lse, sync_small
from metrics.lse.core import distances, lse, score, windows
from metrics.lse.front_end import lrs, squares_around, tracked
from metrics.lse.sync_small.scorer import SmallSync
from metrics.lse.syncnet import SyncNet, SyncNetScorer

CLIP = bench.Clip("a", Path("a.mp4"))
CASE = bench.Case("set", "reconstruct", CLIP, CLIP)
TOLERANCE = 1e-4  # of the largest absolute value, as the golden values state it


def off(value: np.ndarray, golden: np.ndarray) -> float:
    assert value.shape == golden.shape
    return float(np.abs(value - golden).max() / np.abs(golden).max())


def filled(shared: Path) -> SyncNet:
    """SyncNet with the stand-in weights of the golden values."""
    path = shared / "golden" / "fill_weights.py"
    spec = importlib.util.spec_from_file_location("fill_weights", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.fill(SyncNet())


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, np.ndarray]:
    folder = shared / "golden"
    return {**np.load(folder / "clip.npz"), **np.load(folder / "syncnet_v2.npz")}


# Sound features


@pytest.mark.shared
def test_mfcc_equals_golden(golden: dict[str, np.ndarray]) -> None:
    assert off(mfcc(golden["audio_int16"]), golden["mfcc"]) < 1e-6


@pytest.mark.parametrize("samples", [1, 399, 400, 401, 560, 561, 16_000])
def test_mfcc_equals_python_speech_features(samples: int) -> None:
    reference = pytest.importorskip("python_speech_features")
    sound = np.random.default_rng(samples).integers(-9000, 9000, samples).astype(np.int16)
    assert off(mfcc(sound), reference.mfcc(sound, 16_000).T) < 1e-6


def test_mfcc_of_silence_equals_python_speech_features() -> None:
    reference = pytest.importorskip("python_speech_features")
    sound = np.zeros(4000, np.int16)
    assert off(mfcc(sound), reference.mfcc(sound, 16_000).T) < 1e-6


# The search over shifts


def embeddings(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 16)).astype(np.float32)


def test_distances_equal_torch_pairwise_distance() -> None:
    video, sound = embeddings(40), embeddings(40, 1)
    padded = nn.functional.pad(torch.from_numpy(sound), (0, 0, 15, 15))
    expected = torch.stack(
        [
            nn.functional.pairwise_distance(torch.from_numpy(video), padded[k : k + 40])
            for k in range(31)
        ],
        dim=1,
    )
    assert off(distances(video, sound), expected.numpy()) < 1e-6


def test_distance_of_equal_embeddings_is_the_epsilon() -> None:
    same = embeddings(3)
    assert distances(same, same)[:, 15] == pytest.approx(1e-6 * 4, rel=1e-5)  # sqrt(16) = 4


@pytest.mark.parametrize("shift", [-7, 0, 4])
def test_offset_is_found_with_its_sign(shift: int) -> None:
    # Picture window i holds what sound window i - shift holds: the sound is ahead by `shift`.
    stream = embeddings(60)
    found = lse(stream[10:50], stream[10 + shift : 50 + shift])
    assert found.offset == shift
    assert found.padding_share == abs(shift) / 40


def test_constant_shift_moves_only_the_offset_and_the_scores_at_zero() -> None:
    stream, noise = embeddings(80), embeddings(60, 1)
    video = stream[10:70] + noise
    still, moved = lse(video, stream[10:70]), lse(video, stream[13:73])
    assert (still.offset, moved.offset) == (0, 3)
    assert moved.lse_d == pytest.approx(still.lse_d, rel=0.03)
    assert moved.lse_d_at_0 > still.lse_d_at_0 + 1
    assert moved.lse_c_at_0 < still.lse_c_at_0 - 1


def test_scores_by_hand_on_two_windows() -> None:
    video = np.array([[3.0], [0.0]], np.float32)
    sound = np.array([[0.0], [3.0]], np.float32)
    found = lse(video, sound)
    # Shift +1 (k = 16): |3 - 3| and |0 - padding|, both the epsilon.
    assert found.offset == -1
    assert found.lse_d == pytest.approx(1e-6, rel=1e-2)
    assert found.mean_distance[15] == pytest.approx(3.0)
    assert found.lse_c == pytest.approx(1.5)  # all but three shifts see padding alone
    assert found.lse_c_at_0 == pytest.approx(1.5 - 3.0)
    assert found.padding_share == 0.5


def test_of_equal_shifts_the_first_is_taken() -> None:
    found = lse(np.zeros((4, 2), np.float32), np.zeros((4, 2), np.float32))
    assert found.offset == 15
    assert found.padding_share == 1.0


def test_framewise_confidence_equals_scipys_median_filter() -> None:
    from scipy.signal import medfilt

    video, sound = embeddings(40), embeddings(40, 1)
    found = lse(video, sound)
    column = distances(video, sound)[:, 15 - found.offset].astype(np.float64)
    expected = medfilt(np.median(found.mean_distance) - column, 9)
    assert found.framewise_confidence == pytest.approx(expected)


@pytest.mark.parametrize(
    ("frames", "samples", "count"), [(6, 3840, 1), (60, 640 * 60, 55), (60, 640 * 20 + 639, 15)]
)
def test_window_count_follows_the_reference(frames: int, samples: int, count: int) -> None:
    assert windows(frames, samples) == count


@pytest.mark.parametrize(("frames", "samples"), [(5, 64_000), (60, 3839), (0, 0)])
def test_too_short_is_undefined_with_its_numbers(frames: int, samples: int) -> None:
    with pytest.raises(bench.Undefined, match=f"{frames} frames and {samples} sound samples"):
        windows(frames, samples)


# SyncNet


@pytest.mark.shared
def test_state_dict_has_the_published_names_and_shapes(shared: Path) -> None:
    lines = (shared / "golden" / "names_syncnet_v2.txt").read_text().split("\n")
    state = {f"{name} {tuple(value.shape)}" for name, value in SyncNet().state_dict().items()}
    assert state == {line for line in lines if line}
    count = json.loads((shared / "golden" / "expected.json").read_text())["syncnet_v2"]
    assert sum(value.numel() for value in SyncNet().parameters()) == count["parameters"]


@pytest.mark.shared
@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("batch", [1, 7, 55])
def test_syncnet_equals_golden_at_every_batch_size(
    shared: Path, golden: dict[str, np.ndarray], batch: int, fast: bool
) -> None:
    scorer = SyncNetScorer(filled(shared), batch=batch, integers=fast, winograd=fast)
    lip, sound = scorer.embed(golden["frames_bgr"], golden["audio_int16"])
    assert off(lip[golden["rows"]], golden["lip"]) < TOLERANCE
    assert off(sound[golden["rows"]], golden["aud"]) < TOLERANCE
    assert off(distances(lip, sound), golden["distances"]) < TOLERANCE
    expected = json.loads((shared / "golden" / "expected.json").read_text())["syncnet_v2"]
    found = lse(lip, sound)
    assert off(found.mean_distance, golden["mean_distance"]) < TOLERANCE
    assert found.offset == expected["offset_frames"]
    assert found.lse_d == pytest.approx(expected["lse_d"], rel=TOLERANCE)
    assert found.lse_c == pytest.approx(expected["lse_c"], rel=TOLERANCE)


@pytest.mark.parametrize("windows_seen", [1, 2, 9])
def test_threads_change_neither_values_nor_torchs_setting(windows_seen: int) -> None:
    torch.manual_seed(0)
    scorer = SyncNetScorer(SyncNet().eval())
    draw = np.random.default_rng(0)
    frames = draw.integers(0, 256, (windows_seen + 5, 224, 224, 3), dtype=np.uint8)
    sound = draw.integers(-8000, 8000, len(frames) * 640).astype(np.int16)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        expected = scorer.embed(frames, sound)
        torch.set_num_threads(3)
        found = scorer.embed(frames, sound)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert found[0].shape == (windows_seen, 1024)
    assert off(found[0], expected[0]) < 1e-5
    assert off(found[1], expected[1]) < 1e-5


@pytest.mark.shared
def test_bf16_stays_within_its_stated_error(shared: Path, golden: dict[str, np.ndarray]) -> None:
    scorer = SyncNetScorer(filled(shared), precision="bf16")
    found = score(golden["frames_bgr"], golden["audio_int16"], scorer)
    expected = json.loads((shared / "golden" / "expected.json").read_text())["syncnet_v2"]
    assert found.offset == expected["offset_frames"]
    assert found.lse_d == pytest.approx(expected["lse_d"], rel=2e-3)  # docs/metrics.md
    assert found.lse_c == pytest.approx(expected["lse_c"], rel=2e-3)


# Front ends


def track(boxes: np.ndarray) -> bench.Track:
    return bench.Track(boxes, boxes, np.ones(len(boxes), dtype=bool), "given")


def test_lrs_is_the_whole_frame_in_bgr() -> None:
    frames = np.zeros((2, 100, 60, 3), np.uint8)
    frames[..., 0] = 200
    crops = lrs(frames)
    assert crops.shape == (2, 224, 224, 3)
    assert (crops == [0, 0, 200]).all()


def test_tracked_square_is_the_references() -> None:
    boxes = np.tile(np.array([100, 80, 180, 180], np.float32), (20, 1))  # s = 50, centre 140, 130
    assert squares_around(boxes).tolist() == [[70, 80, 210, 220]] * 20


def test_tracked_equals_a_crop_of_the_padded_frame() -> None:
    import cv2

    frame = np.random.default_rng(0).integers(0, 256, (120, 150, 3), dtype=np.uint8)
    boxes = np.tile(np.array([-20, 60, 50, 140], np.float32), (3, 1))  # s = 40, centre 15, 100
    padded = np.pad(frame, ((100, 100), (100, 100), (0, 0)), constant_values=110)
    square = padded[100 + 60 : 100 + 172, 100 - 41 : 100 + 71]
    expected = cv2.resize(square[:, :, ::-1].copy(), (224, 224))
    assert (tracked(np.stack([frame] * 3), track(boxes)) == expected).all()


def test_a_face_outside_the_frame_gives_grey() -> None:
    boxes = np.tile(np.array([500, 500, 540, 550], np.float32), (3, 1))
    assert (tracked(np.zeros((3, 64, 64, 3), np.uint8), track(boxes)) == 110).all()


def test_one_wild_box_does_not_move_the_crop() -> None:
    boxes = np.tile(np.array([100, 80, 180, 180], np.float32), (20, 1))
    boxes[9] = [0, 0, 10, 10]
    assert squares_around(boxes).tolist() == [[70, 80, 210, 220]] * 20


# The metric


class Loudness:
    """A scorer that sees brightness and hears loudness, each window a pair of numbers."""

    name, digest, front_ends = "loudness", "00000000", frozenset({"lrs", "tracked"})

    def embed(self, crops: np.ndarray, sound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        count = windows(len(crops), len(sound))
        bright = crops.mean(axis=(1, 2, 3)) / 255
        loud = np.abs(sound[: len(crops) * 640].astype(np.float32)).reshape(-1, 640).mean(axis=1)
        pair = [np.stack([x[:count], x[1 : count + 1]], axis=1) for x in (bright, loud / 16_384)]
        return pair[0].astype(np.float32), pair[1].astype(np.float32)


def talking(frames: int = 40) -> tuple[np.ndarray, np.ndarray]:
    level = np.random.default_rng(5).uniform(0.1, 0.9, frames)
    picture = np.broadcast_to((level * 255)[:, None, None, None], (frames, 32, 32, 3))
    return picture.astype(np.uint8), np.repeat(level * 16_384, 640).astype(np.int16)


def metric(front_end: str = "lrs") -> Lse:
    lse_metric = Lse(Lse.Options(scorer="syncnet_v2", front_end=front_end))
    lse_metric._scorer = Loudness()
    return lse_metric


def test_measure_gives_the_declared_outputs_in_their_ranges() -> None:
    picture, sound = talking()
    values = metric().measure(bench.Sample(CASE, bench.Video.of(picture, sound)))
    assert set(values) == {output.name for output in Lse.outputs}
    assert values["offset"] == 0.0
    assert values["lse_d"] < 0.02 < values["lse_c"]
    assert len(values["distances"]) == 31
    assert len(values["framewise_confidence"]) == 35
    assert all(math.isfinite(x) for x in values["distances"] + values["framewise_confidence"])


def test_delayed_sound_moves_the_offset() -> None:
    picture, sound = talking()
    late = np.concatenate([np.zeros(640 * 3, np.int16), sound[: -640 * 3]])
    values = metric().measure(bench.Sample(CASE, bench.Video.of(picture, late)))
    assert values["offset"] == -3.0


@pytest.mark.parametrize(
    ("sound", "reason"),
    [(None, "no sound"), (np.zeros(25_600, np.int16), "silent"), (np.ones(99, np.int16), "short")],
)
def test_without_a_sound_to_score_it_is_undefined(sound: np.ndarray | None, reason: str) -> None:
    picture, _ = talking()
    with pytest.raises(bench.Undefined, match=reason):
        metric().measure(bench.Sample(CASE, bench.Video.of(picture, sound)))


def test_without_a_face_tracked_is_undefined_and_lrs_is_not() -> None:
    def find_nothing(video: bench.Video, name: str) -> bench.Arrays:
        raise NoFace("no face found in any of the 40 frames")

    video = bench.Video.of(*talking())
    video.features = find_nothing
    with pytest.raises(bench.Undefined, match="no face found"):
        metric("tracked").measure(bench.Sample(CASE, video))
    assert metric("lrs").measure(bench.Sample(CASE, video))["offset"] == 0.0


def test_protocol_says_what_changes_the_number() -> None:
    assert metric("lrs").protocol == "lse[lrs; syncnet_v2@961e8696]"
    assert metric("tracked").protocol == "lse[tracked:{faces}; syncnet_v2@961e8696]"
    rough = Lse(Lse.Options(scorer="syncnet_v2", precision="bf16"))
    assert rough.protocol == "lse[tracked:{faces}; syncnet_v2@961e8696; bf16]"
    assert rough.weights == ("syncnet_v2",)


@pytest.mark.parametrize("wrong", [{"front_end": "lrs"}, {"precision": "bf16"}])
def test_options_that_do_not_go_with_the_shipped_scorer_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(pydantic.ValidationError, match="does not go with scorer sync_small"):
        Lse.Options(**wrong)


def test_missing_weights_are_an_error_a_user_can_act_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCH_WEIGHTS", raising=False)
    with pytest.raises(bench.BenchError, match="syncnet_v2"):
        Lse(Lse.Options(scorer="syncnet_v2")).load("cpu")


def test_a_scorer_of_ones_own_is_taken_by_its_path(tmp_path: Path) -> None:
    own = tmp_path / "mine.safetensors"
    with pytest.raises(bench.BenchError, match=r"mine\.safetensors: no such file, expected"):
        _ = Lse(Lse.Options(scorer=own)).protocol
    state = {name: value + 0.01 for name, value in read_state(sync_small.WEIGHTS).items()}
    save_file(state, own)
    mine = Lse(Lse.Options(scorer=str(own)))
    digest = bench.file_sha256(own)
    assert mine.protocol == f"lse[tracked:{{faces}}; sync_small@{digest[:8]}]"
    assert mine.identity() == {"scorer": digest}
    mine.load("cpu")
    assert isinstance(mine._scorer, SmallSync)
    assert mine._scorer.digest == digest[:8]
    with pytest.raises(pydantic.ValidationError, match="there is no scorer 'sync_smal'"):
        Lse.Options(scorer="sync_smal")


def test_importing_the_plugins_loads_neither_torch_nor_cv2() -> None:
    code = (
        "import sys, metrics.lse, metrics.psnr, metrics.ssim;"
        "sys.exit(bool({'torch', 'cv2', 'scipy'} & set(sys.modules)))"
    )
    root = Path(__file__).resolve().parent.parent
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
