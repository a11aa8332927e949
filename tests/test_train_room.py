"""`bench.train`, as the author of a plugin with a network uses it."""

from __future__ import annotations

import csv
import logging
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from bench import media
from bench.checks.scaffold import new_plugin
from bench.data.manifest import write_manifest
from bench.ground.errors import BenchError
from bench.ground.types import Clip
from bench.train import (
    BestWeights,
    Draw,
    Loop,
    StageSettings,
    States,
    evenly_by_dataset,
    means_by_dataset,
    run,
    running_average,
    write_strip,
)
from bench.train import loop as training
from bench.train.config import load_train_config
from tests.conftest import ROOT
from tests.small_clips import write_clips
from tests.test_run import bench

LOG = logging.getLogger("test")


def _network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))


def _moved(network: torch.nn.Module) -> None:
    with torch.no_grad():
        for tensor in network.state_dict().values():
            tensor.add_(1)


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.99])
def test_the_average_keeps_less_in_the_beginning_and_no_counters(decay: float) -> None:
    network = _network()
    average = running_average(network, decay=decay)
    expected = {name: x.clone() for name, x in network.state_dict().items()}
    for step in range(5):
        _moved(network)
        average.update_parameters(network)
        keep = min(decay, (1.0 + step) / (10.0 + step))
        for name, mean in expected.items():
            if mean.is_floating_point():
                mean.lerp_(network.state_dict()[name], 1.0 - keep)
    found = average.module.state_dict()
    assert all(torch.equal(expected[name], x) for name, x in found.items())
    assert found["1.num_batches_tracked"] == 0


def test_an_average_that_was_saved_goes_on_alike() -> None:
    averages = []
    for is_stopped in (False, True):
        network = _network()
        average = running_average(network, decay=0.9)
        for step in range(4):
            _moved(network)
            average.update_parameters(network)
            if is_stopped and step == 1:
                saved = average.state_dict()
                average = running_average(_network(), decay=0.9)
                average.load_state_dict(saved)
        averages.append(average.module.state_dict())
    assert all(torch.equal(x, averages[1][name]) for name, x in averages[0].items())


@pytest.mark.parametrize(("power", "share"), [(0.0, 0.5), (0.5, 0.75), (1.0, 0.9)])
def test_groups_are_drawn_by_their_size_to_a_power(power: float, share: float) -> None:
    clips = ["a0", *(f"b{n}" for n in range(9))]
    draw = Draw(clips, group=lambda clip: clip[0], power=power)
    random = np.random.default_rng(0)
    ones = [draw.one(random)[0] for _ in range(2000)]
    singles = [clips[int(draw.several(1, random)[0])][0] for _ in range(2000)]
    for drawn in (ones, singles):
        assert drawn.count("b") / 2000 == pytest.approx(share, abs=0.04)
    assert len(set(draw.several(10, random).tolist())) == 10
    assert len(draw.several(11, random)) == 11  # more than there are: some come twice


def test_figures_are_means_over_the_clips_of_each_data_set() -> None:
    rows = [("b", {"x": 1.0, "y": 0.0}), ("a", {"x": 5.0, "y": 1.0}), ("b", {"x": 3.0, "y": 1.0})]
    assert means_by_dataset(rows) == {"a x": 5.0, "a y": 1.0, "b x": 2.0, "b y": 0.5}
    clips = [Clip(f"{name}{n}", Path(), speaker=name) for name in "ab" for n in range(9)]

    class Known:
        def __init__(self, clip: Clip) -> None:
            self.id, self.dataset = clip.id, clip.speaker

    chosen = [clip.id for clip in evenly_by_dataset([Known(clip) for clip in clips], 6)]
    assert chosen == ["a0", "a4", "a8", "b0", "b4", "b8"]


def test_the_best_weights_are_kept_and_patience_ends() -> None:
    network, best = _network(), BestWeights(patience=2)
    best.saw(network, 0.5)
    kept = {name: x.clone() for name, x in network.state_dict().items()}
    _moved(network)
    best.saw(network, 0.6)
    again = BestWeights(patience=2)
    again.load_state_dict(best.state_dict())
    assert not again.is_enough()
    again.saw(network, 0.7)
    assert again.is_enough()
    assert all(torch.equal(x, kept[name]) for name, x in again.of(network).state_dict().items())
    assert torch.equal(BestWeights().of(network)[0].weight, network[0].weight)


def test_a_strip_shows_its_rows(tmp_path: Path) -> None:
    rows = [np.full((3, 4, 5, 3), level, np.uint8) for level in (10, 200)]
    rows[1][2, :, :, 0] = 255
    write_strip(tmp_path / "strips" / "a.png", rows)
    shown = media.read_image(tmp_path / "strips" / "a.png")
    assert shown.shape == (8, 15, 3)
    assert shown[0, 0].tolist() == [10, 10, 10]
    assert shown[7, 14].tolist() == [255, 200, 200]


# ---- time ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("300 s", 300), ("5 min", 300), ("1.5h", 5400), (20, 20), (0.5, 0.5)],
)
def test_a_time_is_written_with_its_unit(given: object, seconds: float) -> None:
    assert StageSettings.model_validate({"stop_after": given}).stop_after == seconds


@pytest.mark.parametrize(
    "given", ["300 sec", "five", "", "-3 s", "7", 0, "0 s", float("inf"), "nan s"]
)
def test_what_is_no_time_is_refused_with_what_would_be(given: object) -> None:
    with pytest.raises(ValueError, match=r"expected a time as in `300 s`|greater than 0|finite"):
        StageSettings.model_validate({"stop_after": given})


class Numbers:
    """Batches that are their own number."""

    def __len__(self) -> int:
        return 1000

    def __getitem__(self, step: int) -> int:
        return step


class Counter:
    """A state that counts."""

    def __init__(self) -> None:
        self.count = 0

    def state_dict(self) -> dict[str, object]:
        return {"count": self.count}

    def load_state_dict(self, state: dict[str, object]) -> None:
        self.count = int(str(state["count"]))


def _timed(folder: Path, counter: Counter, *, resume: bool, seconds: float | None) -> list[int]:
    """Trains by counting, 20 ms a step; the steps at which it was validated."""
    validated: list[int] = []

    def advance(step: int, batch: int) -> dict[str, float]:
        assert step == batch
        time.sleep(0.02)
        counter.count += 1
        return {"loss": 1.0}

    def validate(step: int) -> dict[str, float]:
        validated.append(step)
        return {"val": 0.0}

    loop = Loop(1000 if seconds else 60, 10, 500, folder, resume, LOG, stop_after=seconds)
    run(loop, States(counter=counter), Numbers(), advance, validate=validate)
    return validated


def test_when_the_time_is_up_a_training_ends_saved_and_validated_and_can_go_on(
    tmp_path: Path,
) -> None:
    counter = Counter()
    started = time.monotonic()
    validated = _timed(tmp_path, counter, resume=False, seconds=0.3)
    assert time.monotonic() - started < 60
    done = counter.count
    assert 0 < done <= 15  # 20 ms a step at least
    assert validated == [done]
    assert training.read_checkpoint(tmp_path / training.CHECKPOINT).step == done
    with (tmp_path / training.CURVES).open() as stream:
        last = list(csv.DictReader(stream))[-1]
    assert last == {"step": str(done), "loss": "1", "val": "0"}
    again = Counter()
    _timed(tmp_path, again, resume=True, seconds=None)
    assert again.count == 60


@pytest.mark.parametrize("save_every", [1, 2, 50, 70, 75, 500])
def test_any_number_of_steps_between_checkpoints_is_one_of_whole_rows(save_every: int) -> None:
    stage = StageSettings(save_every=save_every)
    assert save_every % stage.steps_in_a_row == 0
    with pytest.raises(ValueError, match="must be a multiple of report_every"):
        StageSettings(save_every=save_every, report_every=save_every + 1)


def test_compiling_and_layout_leave_the_values(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(torch, "compile", lambda network: asked.append(network) or network)
    network = torch.nn.Conv2d(3, 4, 3)
    face = torch.rand(2, 3, 8, 8)
    before = network(face)
    assert StageSettings().compiled(network) is network
    assert not asked
    assert StageSettings(compile=True).compiled(network) is network
    assert asked == [network]
    laid_out = StageSettings(channels_last=True).laid_out(network)
    assert laid_out.weight.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(laid_out(face), before, atol=1e-6)


@pytest.mark.parametrize(
    ("precision", "instructions", "in_library", "dtype"),
    [
        ("float32", ("avx512_bf16",), True, torch.float32),
        ("bfloat16", ("avx512_f", "avx512_bf16"), True, torch.bfloat16),
        ("bfloat16", ("amx_bf16",), True, torch.bfloat16),
        ("bfloat16", ("neon", "bf16"), True, torch.bfloat16),
        ("bfloat16", ("avx512_f", "avx512_vnni"), True, torch.float32),  # three times slower there
        ("bfloat16", ("avx2",), True, torch.float32),
        ("bfloat16", ("avx512_bf16",), False, torch.float32),
    ],
)
def test_half_precision_is_for_processors_that_have_it(
    monkeypatch: pytest.MonkeyPatch,
    precision: str,
    instructions: tuple[str, ...],
    in_library: bool,
    dtype: torch.dtype,
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: dict.fromkeys(instructions, True))
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: in_library)
    network, face = torch.nn.Conv2d(3, 4, 3), torch.rand(2, 3, 8, 8)
    settings = StageSettings(precision=precision)
    with settings.autocast("cpu"):
        assert network(face).dtype == dtype
    assert settings.precision_on("cpu") == str(dtype).removeprefix("torch.")


# ---- parts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plugin", "part", "said"),
    [
        ("wav2lip", "expret", r"mine\.yaml:3: part: wav2lip has no part 'expret'.*'expert'\?"),
        ("lse", "expert", r"mine\.yaml:3: part: lse has no parts to choose from; leave it out"),
    ],
)
def test_a_part_that_is_none_is_told_with_its_line(
    tmp_path: Path, plugin: str, part: str, said: str
) -> None:
    path = tmp_path / "mine.yaml"
    text = f"name: mine\nplugin: {plugin}\npart: {part}\ndata: [{{name: a, corpus: synth-en}}]\n"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BenchError, match=said):
        load_train_config(path)
    path.write_text(text.replace(f"part: {part}\n", ""), encoding="utf-8")
    code, output = bench("train", path, "-o", tmp_path / "out", "--device", "cpu", "--part", part)
    assert code == 2
    assert said.partition("part: ")[2].replace("\\", "").partition(".*")[0] in output


# ---- one file of a third party ----------------------------------------------------------------


@pytest.mark.slow
def test_a_third_partys_method_is_trained_from_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also by several processes, which have to find the file; and no torch before it is used."""
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1}, raising=False)
    file = new_plugin("method", "loud_toy", tmp_path, trainable=True) / "bench_loud_toy.py"
    write_manifest(tmp_path / "m.csv", write_clips(tmp_path, 6), root=tmp_path)
    config = tmp_path / "mine.yaml"
    config.write_text(
        f"name: mine\nplugin: loud_toy\nplugins: [{file}]\ndata: [{{name: a, manifest: m.csv}}]\n"
        "settings: {steps: 4, save_every: 2, batch: 2, faces: given}\n",
        encoding="utf-8",
    )
    code, output = bench("train", config, "-o", tmp_path / "out", "--device", "cpu")
    assert code == 0, output
    assert (tmp_path / "out" / "loud_toy.safetensors").is_file()
    with (tmp_path / "out" / training.CURVES).open() as stream:
        assert [row["step"] for row in csv.DictReader(stream)] == ["2", "4"]
    config.write_text(config.read_text().replace("steps: 4", "stepz: 4"), encoding="utf-8")
    code, output = bench("train", config, "-o", tmp_path / "other", "--device", "cpu")
    assert code == 2
    assert "mine.yaml:5: settings.stepz: unknown key. Did you mean 'steps'?" in output


def test_the_room_is_imported_without_torch() -> None:
    code = (
        "import sys, bench, bench.train, methods.wav2lip.method, metrics.lse; print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert not set(done.stdout.split()) & {"torch", "cv2", "scipy"}
