"""FID, KID and FVD: the networks behind them, their features, sets in checks and in a run."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import bench
from bench.checks import run_checks
from bench.checks.ladders import talking_patterns
from bench.features.computing import chosen
from bench.features.faces import chosen_faces
from metrics.features.i3d import I3dFeatures, convert
from metrics.features.i3d import network as i3d
from metrics.features.inception import InceptionFeatures
from metrics.features.inception import network as inception
from metrics.fid import Fid
from metrics.fvd import Fvd
from metrics.kid import Kid
from tests.conftest import ROOT
from tests.small_data import make_config, make_manifest
from tests.small_records import read_records
from tests.small_weights import drawn, filled, put_network
from tests.test_psnr_ssim import track
from tests.test_run import bench as run_bench


@pytest.fixture
def small_inception(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Drawn weights in the place of Inception's."""
    network = drawn(inception.Inception())
    return put_network(monkeypatch, tmp_path / "weights", "inception_fid", network)


def frames(count: int, height: int = 40, width: int = 50) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


@pytest.mark.shared
def test_golden_features_of_inception(shared: Path) -> None:
    arrays = np.load(shared / "golden" / "metrics.npz")
    pictures = torch.from_numpy(np.concatenate([arrays["face_truth"], arrays["face_made"]]))
    network = inception.ready(filled(shared, inception.Inception()))
    with torch.inference_mode():
        for batch in (5, 12):
            parts = [inception.scaled(part) for part in pictures.split(batch)]
            found = torch.cat([network(part) for part in parts]).numpy()
            first = torch.cat([network.first(part).mean(dim=(2, 3)) for part in parts]).numpy()
            for own, name in ((found, "inception_2048"), (first, "inception_64")):
                expected = arrays[name]
                assert np.abs(own - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.mark.shared
def test_state_names_are_those_of_the_published_file(shared: Path) -> None:
    lines = (shared / "golden" / "names_inception_fid.txt").read_text().splitlines()
    state = inception.Inception().state_dict()
    assert {f"{name} {tuple(tensor.shape)}" for name, tensor in state.items()} == set(lines)


def test_resizing_is_tensorflows_first() -> None:
    """Row i of 299 lies at i H / 299; no half pixels, the last row repeated beyond the end."""
    picture = frames(1, 7, 400)[0]
    found = inception.scaled(torch.from_numpy(picture[None]))[0].permute(1, 2, 0) * 128 + 128
    for row, column in ((0, 0), (1, 298), (150, 17), (298, 298)):
        y, x = row * 7 / 299, column * 400 / 299
        top, left = int(y), int(x)
        bottom, right = min(top + 1, 6), min(left + 1, 399)
        square = picture[[top, top, bottom, bottom], [left, right, left, right]].astype(float)
        upper = square[0] + (square[1] - square[0]) * (x - left)
        lower = square[2] + (square[3] - square[2]) * (x - left)
        expected = upper + (lower - upper) * (y - top)
        np.testing.assert_allclose(found[row, column].numpy(), expected, atol=1e-2)


def test_a_picture_of_the_right_size_is_not_resized() -> None:
    picture = torch.from_numpy(frames(1, 299, 299))
    expected = (picture.float() - 128) / 128
    assert torch.equal(inception.scaled(picture).permute(0, 2, 3, 1), expected)


@pytest.mark.usefixtures("small_inception")
def test_every_fifth_frame_is_looked_at() -> None:
    feature = InceptionFeatures()
    feature.load("cpu")
    clip = frames(11)
    video = bench.Video.of(clip, track=track((4, 6, 36, 30), 11))
    arrays = feature.compute(video)
    assert arrays["frames"].tolist() == [0, 5, 10]
    one = InceptionFeatures(InceptionFeatures.Options(every=1))
    one.load("cpu")
    alone = one.compute(bench.Video.of(clip[5:6], track=track((4, 6, 36, 30), 1)))
    np.testing.assert_allclose(arrays["features"][1], alone["features"][0], rtol=1e-4, atol=1e-5)
    with pytest.raises(bench.Undefined, match="outside frame 0"):
        feature.compute(bench.Video.of(clip, track=track((60, 60, 90, 90), 11)))
    with pytest.raises(bench.Undefined, match="no frames"):
        feature.compute(bench.Video.of(clip[:0], track=track((4, 6, 36, 30), 0)))


class Rough(bench.Feature):
    """A few numbers of every fifth frame's edges, for Inception takes too long for all checks.

    Reads: video (T, H, W, 3) uint8 RGB.
    Gives: as the feature inception.
    Raises: never.
    Source: defined here.
    """

    name, version, source = "inception", "1", "defined here"
    reads = frozenset({"video"})
    arrays = InceptionFeatures.arrays

    def compute(self, video: bench.Video) -> bench.Arrays:
        every = video.read().astype(np.float32).mean(axis=3)
        chosen = np.arange(0, len(every), 5)
        edges = np.abs(np.diff(every[chosen], axis=2))[:, :120, :120]
        rows = edges.reshape(len(chosen), 4, 30, 4, 30).mean(axis=(2, 4)).reshape(len(chosen), 16)
        return {"features": rows.astype(np.float32), "frames": chosen}


@pytest.mark.parametrize("metric", [Fid, Kid])
def test_the_contract_with_its_ladders(metric: type[bench.SetMetric]) -> None:
    results = run_checks(metric, sample=lambda: talking_patterns(3, frames=20), features=[Rough])
    assert [each for each in results if each.status != "passed"] == []


@pytest.mark.slow
@pytest.mark.usefixtures("small_inception")
def test_the_feature_keeps_to_the_contract() -> None:
    results = run_checks(InceptionFeatures, sample=lambda: talking_patterns(1, frames=1))
    assert [each for each in results if each.status != "passed"] == []


def test_protocols_name_what_features_rest_on() -> None:
    faces = chosen_faces("haar", "central")
    feature = chosen(InceptionFeatures(), {"faces": faces})
    expected = "inception-2015; face:haar central; every 5th; tf1 bilinear 299"
    assert feature.protocol == expected
    assert Fid().protocol == "fid[{inception}]"


def test_missing_weights_are_an_error_a_user_can_act_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCH_WEIGHTS", raising=False)
    with pytest.raises(bench.BenchError, match="bench weights pull inception_fid"):
        InceptionFeatures().load("cpu")


def test_a_file_of_another_network_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    put_network(monkeypatch, tmp_path / "weights", "inception_fid", nn.Linear(2, 2))
    with pytest.raises(bench.BenchError, match="is not the Inception of FID"):
        InceptionFeatures().load("cpu")


# ---- in a run -----------------------------------------------------------------------------------


def prepare(folder: Path, *names: str, **changes: object) -> Path:
    make_manifest(folder / "data", names or ("one", "two", "three"))
    shutil.copy(ROOT / "tests" / "plugins" / "grey_distance.py", folder)
    return make_config(
        folder,
        plugins=["brightness.py", "grey_distance.py"],
        metrics=[{"name": "grey_distance"}],
        cases={"kinds": ["reconstruct"]},
        tables=[{"name": "comparison", "columns": ["grey_distance.grey_distance"]}],
        **changes,
    )


def test_a_set_with_a_missing_video_has_no_value_until_it_is_whole(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("two")
    config = prepare(
        tmp_path,
        methods=[{"name": "truth"}, {"name": "breaking", "options": {"broken": str(broken)}}],
    )
    run = tmp_path / "run"
    assert run_bench("run", config, "-o", run)[0] == 1
    found = {each["status"]: each for each in read_records(run / "measurements.jsonl")}
    assert set(found) == {"ok", "undefined"}
    assert found["ok"]["values"]["grey_distance"] == 0.0
    assert "1 of 3 videos are missing" in str(found["undefined"]["reason"])
    broken.unlink()
    assert run_bench("run", config, "-o", run, "--retry")[0] == 0
    assert [each["status"] for each in read_records(run / "measurements.jsonl")][-1] == "ok"


@pytest.mark.slow
@pytest.mark.usefixtures("small_inception")
def test_a_run_has_fid_and_kid_of_its_sets(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data", ("one", "two", "three"))
    config = make_config(
        tmp_path,
        features=[{"name": "inception", "options": {"region": "frame"}}],
        methods=[{"name": "truth"}, {"name": "still"}],
        metrics=[{"name": "fid"}, {"name": "kid"}],
        cases={"kinds": ["reconstruct", "cross"]},
        tables=[{"name": "comparison", "columns": ["fid.fid", "fid.fid_frames", "kid.kid"]}],
    )
    run = tmp_path / "run"
    code, output = run_bench("run", config, "-o", run)
    assert code == 0, output
    records = list(read_records(run / "measurements.jsonl"))
    assert {each["protocol"] for each in records} == {
        f"{name}[inception-2015; frame; every 5th; tf1 bilinear 299]" for name in ("fid", "kid")
    }
    fids = [each["values"] for each in records if each["metric"] == "fid"]
    assert len(fids) == 2  # none for `cross`, which has no references
    truth, still = sorted(fids, key=lambda values: values["fid"])
    assert truth["fid"] < 1e-6 < still["fid"]
    assert still["fid_low"] <= still["fid"] <= still["fid_high"]
    assert truth["fid_clips"] == 3.0
    assert truth["fid_frames"] == still["fid_frames"] > 3.0


def test_what_was_missing_matters_no_more_once_it_is_not_asked_for(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("three")
    methods = [{"name": "breaking", "options": {"broken": str(broken)}}]
    config = prepare(tmp_path, methods=methods)
    run = tmp_path / "run"
    assert run_bench("run", config, "-o", run)[0] == 1
    (record,) = read_records(run / "measurements.jsonl")
    assert record["status"] == "undefined"
    make_manifest(tmp_path / "data", ("one", "two"))
    assert run_bench("run", config, "-o", run)[0] == 0
    assert [each["status"] for each in read_records(run / "measurements.jsonl")][-1] == "ok"


def test_the_report_shows_the_interval_that_a_metric_gives(tmp_path: Path) -> None:
    config = prepare(tmp_path, methods=[{"name": "truth"}, {"name": "still"}])
    assert run_bench("run", config, "-o", tmp_path / "run")[0] == 0
    table = (tmp_path / "run" / "report" / "tables" / "summary.csv").read_text()
    records = list(read_records(tmp_path / "run" / "measurements.jsonl"))
    still = max(records, key=lambda each: each["values"]["grey_distance"])["values"]
    row = next(line for line in table.splitlines() if ",still," in line and "grey_distance" in line)
    assert f"{still['grey_distance_high']!r}"[:8] in row


# ---- I3D ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def i3d_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn weights, as `convert.py` would write the published ones."""
    state = drawn(i3d.I3d()).state_dict()
    path = tmp_path_factory.mktemp("i3d") / "i3d.safetensors"
    save_file({n: x for n, x in state.items() if x.is_floating_point()}, path)
    return path


def test_padding_is_tensorflows_same() -> None:
    x = torch.ones(1, 1, 7, 8, 9)
    assert i3d._padded(x, (7, 7, 7), (2, 2, 2)).shape[2:] == (7 + 6, 8 + 5, 9 + 6)
    column = i3d._padded(torch.ones(1, 1, 1, 1, 8), (1, 1, 7), (1, 1, 2))[0, 0, 0, 0]
    assert column.tolist() == [0, 0, *[1] * 8, 0, 0, 0]  # the odd zero stands at the end
    pooled = i3d._largest(torch.arange(5.0).reshape(1, 1, 1, 1, 5), (1, 1, 3), (1, 1, 2))
    assert pooled.flatten().tolist() == [1, 3, 4]


def test_i3d_has_the_layers_of_the_paper() -> None:
    state = i3d.I3d().state_dict()
    assert state["Mixed_4e.b1b.conv3d.weight"].shape == (288, 144, 3, 3, 3)
    assert state["logits.conv3d.weight"].shape == (400, 1024, 1, 1, 1)
    kept = {n: x for n, x in state.items() if not n.endswith(("running_mean", "running_var"))}
    parameters = sum(x.numel() for n, x in kept.items() if x.is_floating_point())
    assert round(parameters / 1e6, 1) == 12.7


def test_frames_are_scaled_to_one() -> None:
    x = torch.zeros(1, 16, 30, 40, 3, dtype=torch.uint8)
    x[0, 3] = 255
    found = i3d.scaled(x)
    assert found.shape == (1, 3, 16, 224, 224)
    np.testing.assert_allclose(found[0, :, 3].unique(), 1.0, atol=1e-6)
    np.testing.assert_allclose(found[0, :, 4].unique(), -1.0, atol=1e-6)


@pytest.mark.slow
def test_each_sixteen_frames_are_one_row(i3d_file: Path) -> None:
    feature = I3dFeatures(I3dFeatures.Options(weights=i3d_file))
    feature.load("cpu")
    clip = frames(35)
    found = feature.compute(bench.Video.of(clip, track=track((4, 6, 36, 30), 35)))["features"]
    assert found.shape == (2, 400)
    again = feature.compute(bench.Video.of(clip[16:32], track=track((4, 6, 36, 30), 16)))
    np.testing.assert_allclose(found[1], again["features"][0], rtol=1e-5)
    assert np.abs(found[0] - found[1]).max() > 0
    assert feature.protocol.startswith("i3d@")
    with pytest.raises(bench.Undefined, match="needs 16 frames, got 15"):
        feature.compute(bench.Video.of(clip[:15], track=track((4, 6, 36, 30), 15)))


def test_fvd_is_the_frechet_distance_of_what_i3d_sees() -> None:
    random = np.random.default_rng(4)
    metric = Fvd()
    sets = []
    for shift in (0.0, 2.0):
        summary = metric.start()
        for _ in range(6):
            rows = (random.normal(size=(3, 400)) + shift).astype(np.float32)
            video = bench.Video.of(frames(1))
            video._known["i3d"] = {"features": rows}
            metric.update(summary, video)
        sets.append(summary)
    values = metric.compute(sets[1], sets[0])
    assert values["fvd"] > 400 * 4 / 2
    assert values["fvd_low"] <= values["fvd"] <= values["fvd_high"]
    assert (values["fvd_windows"], values["fvd_clips"]) == (18.0, 6.0)
    assert metric.compute(sets[0], sets[0])["fvd"] == pytest.approx(0.0, abs=1e-6)


def test_programs_are_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "i3d_torchscript.pt"
    path.write_bytes(b"PK")
    feature = I3dFeatures(I3dFeatures.Options(weights=path))
    with pytest.raises(bench.BenchError, match=r"convert them once with .*i3d\.convert"):
        feature.load("cpu")
    gone = I3dFeatures(I3dFeatures.Options(weights=tmp_path / "gone.safetensors"))
    assert gone.protocol == "i3d@missing; face:{faces}; 16 frames; bilinear 224"
    with pytest.raises(bench.BenchError, match="are not here"):
        gone.load("cpu")


def test_converting_finds_tensors_by_name_or_by_order() -> None:
    wanted = {n: x for n, x in i3d.I3d().state_dict().items() if x.is_floating_point()}
    named = {f"model.{name}": tensor for name, tensor in reversed(list(wanted.items()))}
    named |= {"model.Conv3d_1a_7x7.bn.num_batches_tracked": torch.tensor(0)}
    found, wrong = convert.matched(named, wanted)
    assert not wrong
    assert all(torch.equal(found[name], tensor) for name, tensor in wanted.items())
    plain = {name: tensor for name, tensor in named.items() if not name.endswith("bn.weight")}
    scaleless, wrong = convert.matched(plain, wanted)
    assert not wrong
    assert scaleless["Conv3d_1a_7x7.bn.weight"].unique().tolist() == [1.0]
    numbered = {str(place): tensor for place, tensor in enumerate(wanted.values())}
    found, wrong = convert.matched(numbered, wanted)
    assert not wrong
    assert torch.equal(found["logits.conv3d.bias"], wanted["logits.conv3d.bias"])
    assert "2 tensors" in convert.matched({"a": torch.ones(1), "b": torch.ones(1)}, wanted)[1]
    numbered["0"] = torch.ones(1)
    assert "Conv3d_1a_7x7.conv3d.weight would be" in convert.matched(numbered, wanted)[1]
