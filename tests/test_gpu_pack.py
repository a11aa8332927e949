"""The training that travels to a borrowed GPU, run here on the processor in seconds."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load, load_file

from bench.data.manifest import write_manifest
from bench.ground.errors import BenchError
from bench.ground.types import Clip
from bench.networks.audio import features
from bench.networks.checkpoints import metadata
from bench.networks.sync_expert import load_expert
from bench.train.config import load_train_config
from bench.train.expert_batches import MatchingBatches
from bench.train.face_bank import FaceBank
from bench.train.face_clips import FaceClip
from bench.train.loop import Loop
from bench.train.pacing import paced
from bench.train.packed_clips import pack_clips, read_packed
from bench.train.parcels import LIST, cut, join
from bench.train.settings import StageSettings
from bench.train.talking_batches import TalkingBatches
from methods.adnerf.method import ADNeRF
from methods.diff2lip.checkpoints import load_denoiser
from methods.diff2lip.gpu import line as diff2lip
from methods.diff2lip.method import Diff2Lip
from methods.pcavs.method import PCAVS
from methods.radiance.gpu import packing
from methods.radiance.gpu.line import person_line
from methods.radiance.gpu.packed_person import PackedPerson, pack_person, read_person
from methods.radiance.learning import CHECKPOINT
from methods.radiance.person_method import PersonMethod
from methods.radiance.recording import Recording
from methods.saliency_portrait.method import RegionSaliency
from methods.wav2lip.checkpoints import load_generator
from methods.wav2lip.gpu.pack import _line_of, pack
from methods.wav2lip.gpu.plan import PLAN, Plan, read_plan
from methods.wav2lip.gpu.run import RESULTS
from methods.wav2lip.variants import ABLATION
from tests.conftest import ROOT
from tests.small_clips import write_clips
from tests.test_adnerf_method import few, opened

LOG = logging.getLogger("test")
# What a machine with PyTorch for GPUs may well lack.
ABSENT = ("av", "platformdirs", "pooch", "librosa", "espeakng_loader", "skimage", "ray")
# A method's line that saves a checkpoint and hangs; from that one its own line takes the weights.
HANGS = """
import runpy, shutil, sys, time
if "--rescue" in sys.argv:
    runpy.run_module("methods.wav2lip.gpu.line", run_name="__main__", alter_sys=True)
else:
    shutil.copy({checkpoint!r}, sys.argv[2])
    time.sleep(3600)
"""
BUDGET = {"paced": True, "width": 0.05}
SETTINGS = {
    "faces": "given",
    "threads": 1,
    "expert": {**BUDGET, "stop_after": "0.1 s", "loss": "matching", "clips": 2, "windows": 4},
    "generator": {
        **BUDGET,
        "stop_after": "0.1 s",
        "batch": 1,
        "singles": 1,
        "start": "copy",
        "hearing": "expert",
        "average": 0.9,
        "val_clips": 1,
    },
    "discriminator": {"width": 0.05},
}


def _clip(folder: Path, seed: int, frames: int) -> FaceClip:
    """A face that is smooth as faces are, and a sound."""
    random = np.random.default_rng(seed)
    place = np.linspace(0, 1, 96)
    faces = np.empty((frames, 96, 96, 3), np.uint8)
    for number in range(frames):
        shade = 120 + 60 * np.sin(4 * place[:, None] + 0.2 * number + seed) * place[None]
        faces[number] = shade[:, :, None] + np.array([20, 0, -20])
    own = folder / f"clip{seed}"
    own.mkdir(parents=True)
    np.save(own / "faces.npy", faces)
    sound = (3000 * random.standard_normal(640 * frames)).astype(np.int16)
    np.save(own / "features.npy", features(sound, "fused"))
    return FaceClip(f"clip{seed}", "one", "made", own)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[FaceClip]:
    folder = tmp_path_factory.mktemp("clips")
    return [_clip(folder, seed, frames) for seed, frames in enumerate((30, 17, 41))]


def test_what_is_packed_comes_back_nearly_the_same(clips: list[FaceClip], tmp_path: Path) -> None:
    packed = pack_clips({"train": clips[1:], "val": clips[:1]}, tmp_path, limit=300_000)
    assert packed.bytes == sum(path.stat().st_size for path in tmp_path.iterdir()) <= 300_000
    back = read_packed(tmp_path)
    assert [clip.id for clip in back["train"]] == ["clip1", "clip2"]
    for before, after in zip(clips, [*back["val"], *back["train"]], strict=True):
        assert after.faces().shape == before.faces().shape
        error = after.faces().astype(float) - before.faces()
        assert 10 * np.log10(255**2 / np.square(error).mean()) > 35
        for kind in ("mel", "fused"):
            difference = after.features(kind)[:80] - before.features(kind)[:80]
            assert np.abs(difference).max() <= 0.5 * 8 / 255 + 1e-6
        assert np.abs(after.features("mfcc") - before.features("mfcc")).max() < 0.2


def test_a_tight_limit_codes_coarsely_and_one_too_tight_is_refused(
    clips: list[FaceClip], tmp_path: Path
) -> None:
    ready = {"train": clips[1:2], "val": clips[:1]}
    sizes = []
    for limit in (300_000, 24_000):
        folder = tmp_path / str(limit)
        folder.mkdir()
        sizes.append(pack_clips(ready, folder, limit=limit))
    assert sizes[1].crf > sizes[0].crf
    assert sizes[1].bytes <= 24_000
    (tmp_path / "none").mkdir()
    with pytest.raises(BenchError, match="do not fit"):
        pack_clips(ready, tmp_path / "none", limit=15_000)


def test_a_damaged_pack_is_told(clips: list[FaceClip], tmp_path: Path) -> None:
    pack_clips({"train": clips[1:], "val": clips[:1]}, tmp_path, limit=300_000)
    video = tmp_path / "val.mp4"
    video.write_bytes(video.read_bytes()[:-20])
    with pytest.raises(BenchError, match=r"val\.mp4: is damaged"):
        read_packed(tmp_path)
    video.unlink()
    with pytest.raises(BenchError, match="is no folder of packed clips"):
        read_packed(tmp_path)


@pytest.mark.parametrize("kind", ["mel", "fused"])
def test_batches_drawn_in_a_devices_memory_are_those_that_are_read(
    clips: list[FaceClip], kind: str
) -> None:
    bank = FaceBank(clips, kind, torch.device("cpu"))
    for step in range(3):
        pairs = [
            [
                MatchingBatches(given, kind, batch=2, windows=6, steps=9, seed=1)[step]
                for given in (clips, bank)
            ],
            [
                TalkingBatches(
                    given,
                    kind,
                    batch=2,
                    singles=3,
                    lead=1,
                    steps=9,
                    seed=1,
                    other_sentences=0.5,
                )[step]
                for given in (clips, bank)
            ],
        ]
        for read, taken in pairs:
            for name, value in vars(read).items():
                assert torch.equal(value, getattr(taken, name)), name


@pytest.mark.parametrize("size", [0, 1, 1000, 1001])
def test_files_are_cut_and_joined(size: int, tmp_path: Path) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(np.random.default_rng(0).normal(size=size).astype(np.float16).tobytes()[:size])
    pieces = cut([file], tmp_path / "parcel", piece=100)
    assert all(path.stat().st_size <= 100 for path in pieces if path.name != LIST)
    (joined,) = join(tmp_path / "parcel", tmp_path / "whole")
    assert joined.read_bytes() == file.read_bytes()


def test_a_parcel_that_is_not_whole_is_told(tmp_path: Path) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(bytes(range(256)) * 4)
    folder = tmp_path / "parcel"
    first, *_ = cut([file], folder, piece=300)
    data = first.read_bytes()
    first.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(BenchError, match=r"weights\.bin\.00: is damaged"):
        join(folder, tmp_path / "whole")
    first.unlink()
    with pytest.raises(BenchError, match=r"weights\.bin\.00: is missing"):
        join(folder, tmp_path / "whole")
    listed = json.loads((folder / LIST).read_text())
    (folder / LIST).write_text(json.dumps({"../weights.bin": listed["weights.bin"]}))
    with pytest.raises(BenchError, match="no plain file name"):
        join(folder, tmp_path / "whole")
    assert not (tmp_path / "whole" / "weights.bin").exists()


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code, with a pack of two small clips, and a Python without what may lack."""
    folder = tmp_path_factory.mktemp("clean")
    root = folder / "tree"
    for package in ("bench", "methods"):
        # Compiled files go with it, so that not every process compiles the code again.
        shutil.copytree(
            ROOT / package, root / package, ignore=shutil.ignore_patterns("*.safetensors")
        )
    for name in ABSENT:
        absent = root / "bare" / name
        absent.mkdir(parents=True)
        (absent / "__init__.py").write_text("raise ImportError('not on this machine')\n")
    write_manifest(folder / "clips.csv", write_clips(folder, frames=30))
    config = {
        "name": "small",
        "plugin": ["wav2lip", "m_csawav2lip"],
        "data": [{"name": "made", "manifest": str(folder / "clips.csv")}],
        "settings": SETTINGS,
    }
    (folder / "small.yaml").write_text(yaml.safe_dump(config))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_CACHE", str(folder / "cache"))
        pack(folder / "small.yaml", root / "build" / "gpu-pack", limit=2**20, log=LOG)
    return root


def _run(tree: Path, out: Path, *given: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "build/gpu-pack/run.sh", *given],
        cwd=tree,
        env={
            **os.environ,
            "PYTHON": sys.executable,
            "PYTHONPATH": str(tree / "bare"),
            "OUT": str(out),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture(scope="module")
def trained(tree: Path) -> Path:
    """The tree, with the results of its trainings: the first parcel is in the folder `1`."""
    ended = _run(tree, tree.parent / "1", "--device", "cpu")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return tree


class _Counted:
    """A learner that only counts, a hundredth of a second a step; compiled, it fails."""

    def __init__(self, *, is_compiled: bool = False) -> None:
        self.done = 0
        self.is_compiled = is_compiled

    def advance(self, _step: int, _batch: int) -> None:
        self.done += 1
        if self.is_compiled:
            raise RuntimeError("no compiler\nand a long story")
        time.sleep(0.01)

    def run_uncompiled(self) -> None:
        self.is_compiled = False

    def state_dict(self) -> dict[str, object]:
        return {"done": self.done}

    def load_state_dict(self, state: dict[str, object]) -> None:
        self.done = int(str(state["done"]))


@pytest.mark.parametrize("is_compiled", [False, True])
def test_a_paced_stage_has_the_steps_that_fit(tmp_path: Path, is_compiled: bool) -> None:
    stage = StageSettings(steps=10_000, stop_after=10, paced=True, compile=is_compiled)
    loop = Loop(10_000, 50, 500, tmp_path, False, LOG)
    learner = _Counted(is_compiled=is_compiled)
    fitted = paced(stage, loop, learner, range(10_000), learner.advance)
    assert learner.done == 0
    assert not learner.is_compiled
    assert 10 < fitted.steps <= 0.9 * 10 / 0.01
    assert fitted.save_every % fitted.steps_in_a_row == 0
    assert fitted.steps // 12 <= fitted.save_every <= fitted.steps // 6
    few = paced(stage.model_copy(update={"steps": 5}), loop, learner, range(5), learner.advance)
    assert few.steps == 5


def test_what_fails_without_a_compiler_is_not_tried_twice(tmp_path: Path) -> None:
    stage = StageSettings(steps=10, stop_after=10, paced=True)
    learner = _Counted(is_compiled=True)
    with pytest.raises(RuntimeError):
        paced(stage, Loop(10, 5, 5, tmp_path, False, LOG), learner, range(10), learner.advance)
    assert learner.done == 1


def test_pacing_needs_an_end() -> None:
    with pytest.raises(ValueError, match="paced needs a stop_after"):
        StageSettings(paced=True)


@pytest.mark.slow
def test_a_pack_trains_from_a_clean_copy_and_brings_weights_curves_and_strips(
    tmp_path: Path, trained: Path
) -> None:
    out = trained.parent
    for number in ("2", "3"):
        assert _run(trained, out / number, "--parcel", number).returncode == 0
    for number in ("1", "2", "3"):
        brought = list((out / number).iterdir())
        assert len(brought) <= 8
        assert all(path.is_file() and path.stat().st_size < 16 * 2**20 for path in brought)
        join(out / number, tmp_path / "whole")
    for variant in (ABLATION[0], ABLATION[-1]):
        loaded = load_generator(tmp_path / "whole" / f"{variant.name}.safetensors", variant)
        assert loaded.lead == 1
        load_expert(tmp_path / "whole" / f"{variant.name}.expert.safetensors", variant.audio)
        with zipfile.ZipFile(tmp_path / "whole" / "report.zip") as report:
            names = [name for name in report.namelist() if name.startswith(variant.name)]
        assert f"{variant.name}/curves.csv" in names
        assert f"{variant.name}/expert/curves.csv" in names
        assert any(name.endswith(".jpg") for name in names)


@pytest.mark.slow
def test_a_method_that_fails_or_hangs_takes_nothing_from_the_others(
    tmp_path: Path, trained: Path
) -> None:
    """M-CSAWav2Lip fails at once; Wav2Lip hangs after a checkpoint, whose weights are taken."""
    tree = tmp_path / "tree"
    own = tree / "build" / "gpu-pack"
    shutil.copytree(trained / "build" / "gpu-pack", own)
    for each in ("bench", "methods", "bare"):
        (tree / each).symlink_to(trained / each)
    (tree / "fails.py").write_text("raise RuntimeError('as it should here')\n")
    checkpoint = trained / RESULTS / "wav2lip" / CHECKPOINT
    (tree / "hangs.py").write_text(HANGS.format(checkpoint=str(checkpoint)))
    plan = json.loads((own / PLAN).read_text())
    changed = {"lines": {"wav2lip": "hangs", "m_csawav2lip": "fails"}, "limit": 5}
    (own / PLAN).write_text(json.dumps(plan | changed))
    ended = _run(tree, tmp_path / "out", "--device", "cpu")
    assert ended.returncode == 1
    assert "m_csawav2lip: failed" in ended.stdout
    assert "wav2lip: stopped when the time was up; its last checkpoint was taken" in ended.stdout
    join(tmp_path / "out", tmp_path / "whole")
    load_generator(tmp_path / "whole" / "wav2lip.safetensors", ABLATION[0])


def test_what_is_missing_is_told_in_one_sentence(tmp_path: Path, tree: Path) -> None:
    ended = _run(tree, tmp_path / "out")
    assert ended.returncode == 1
    assert "sees no GPU here" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_diff2lip_trains_from_a_pack_and_its_last_checkpoint_can_be_taken(
    clips: list[FaceClip], tmp_path: Path
) -> None:
    (tmp_path / "pack").mkdir()
    pack_clips({"train": clips[1:], "val": clips[:1]}, tmp_path / "pack", limit=300_000)
    network = {
        "side": 32,
        "top": 0,
        "multipliers": [1],
        "attention": [],
        "hearing": "mouths",
        "hearing_steps": 1,
        "batch": 0,
        "singles": 2,
        "val_clips": 1,
        "sync": 0,
        "perceptual": 0,
        "adversarial": 0,
        "sampling": 1,
        "steps": 4,
        "paced": True,
        "stop_after": "5 s",
    }
    settings = {"threads": 1, "network": network}
    plan = Plan(("diff2lip",), 1, settings, {"diff2lip": _line_of(Diff2Lip)})
    path = diff2lip.train_line(tmp_path / "pack", plan, tmp_path / "out", "cpu")
    whole = path.read_bytes()
    path.unlink()
    assert diff2lip.rescue(plan, tmp_path / "out") == path
    assert load_denoiser(path).network.size.side == 32
    assert load_file(path).keys() == load(whole).keys()
    assert all(torch.equal(x, load(whole)[name]) for name, x in load_file(path).items())


PERSONS = pytest.mark.parametrize(
    ("method", "options"),
    [
        (ADNeRF, {"field": "official", "samples": 4}),
        (RegionSaliency, {"head": "official", "torso": "reference", "samples": 4}),
    ],
    ids=["ad_nerf", "saliency_portrait"],
)


@PERSONS
def test_a_person_is_learned_from_a_pack_at_the_official_size_and_can_be_rescued(
    method: type[PersonMethod],
    options: dict[str, object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clips = [Clip(id="a", video=tmp_path / "none.mp4", speaker="made/ann", sha256=64 * "a")]
    monkeypatch.setattr(packing, "clips_of", lambda *_: (clips, []))
    monkeypatch.setattr(packing, "opened", lambda *_: [opened(few()[0])])
    quick = {"side": 16, "rays": 32, "steps": 6, "patience": 9, "keep_every": 2}
    config = {
        "name": "small",
        "plugin": method.name,
        "data": [{"name": "made", "manifest": "none.csv"}],
        "settings": {"threads": 1, "options": {**quick, **options, "stop_after": "20 s"}},
    }
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(config))
    packed = pack(path, tmp_path / "pack", limit=2**20, log=LOG)
    assert packed.frames == 8
    assert packed.bytes <= 2**20
    plan, out = read_plan(tmp_path / "pack"), tmp_path / "out"
    line = person_line(method)
    made = line.train(tmp_path / "pack", plan, out, "cpu")
    assert made.name == f"{method.name}.safetensors"
    known = metadata(made)
    assert (known["person"], known["clips"]) == ("ann", 16 * "a")
    assert method(method.Options.model_validate({**quick, **options}))._read(made)
    made.unlink()
    assert (out / CHECKPOINT).is_file()
    assert line.rescue(plan, out) == made
    assert metadata(made).items() >= {"person": "ann", "clips": 16 * "a"}.items()


def test_a_packed_person_comes_back_nearly_the_same_and_damage_is_told(tmp_path: Path) -> None:
    recording, _ = Recording.of(opened(few()[0]), 32)
    person = PackedPerson("ann", "a b", "small", recording)
    packed = pack_person(person, tmp_path, limit=2**20)
    back = read_person(tmp_path)
    assert (back.person, back.said, back.clips) == ("ann", "a b", 1)
    assert np.abs(back.recording.heard - recording.heard).max() <= 1 / 255 + 1e-6
    assert np.array_equal(back.recording.cameras.poses, recording.cameras.poses)
    error = np.square(back.recording.faces.astype(float) - recording.faces).mean()
    assert 10 * np.log10(255**2 / error) > packed.psnr - 1 > 30
    arrays = tmp_path / "frames.npz"
    arrays.write_bytes(arrays.read_bytes()[:-9])
    with pytest.raises(BenchError, match=r"frames\.npz: is damaged"):
        read_person(tmp_path)


def test_a_pack_of_persons_needs_one_person_and_an_end(tmp_path: Path) -> None:
    path = tmp_path / "endless.yaml"
    data = [{"name": "made", "manifest": "none.csv"}]
    for plugin, settings, told in (
        ("ad_nerf", {}, "a pack needs a stop_after"),
        (["ad_nerf", "wav2lip"], {}, "ad_nerf and wav2lip are packed differently"),
    ):
        path.write_text(
            yaml.safe_dump({"name": "e", "plugin": plugin, "data": data, "settings": settings})
        )
        with pytest.raises(BenchError, match=told):
            pack(path, tmp_path / "pack", limit=2**20, log=LOG)


@pytest.mark.parametrize("name", ["ad_nerf_gpu", "saliency_portrait_gpu"])
def test_the_configs_for_persons_on_a_gpu_are_of_official_size(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRID_ROOT", "/nowhere")
    loaded = load_train_config(ROOT / "configs" / "train" / f"{name}.yaml")
    for plugin, settings in loaded.plugins.items():
        made: PersonMethod = plugin(plugin.Options.model_validate(settings.options))
        portrait = made.new(clips=1)
        parameters = sum(each.numel() for each in portrait.parameters())
        assert parameters > 500_000
        assert made.learning.stop_after == 420


def test_what_cannot_be_packed_is_told(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"pcavs: cannot be packed; .* methods.pcavs.gpu.line"):
        _line_of(PCAVS)
    config = {"name": "endless", "plugin": "diff2lip", "data": [{"name": "e", "manifest": "e.csv"}]}
    path = tmp_path / "endless.yaml"
    path.write_text(yaml.safe_dump(config))
    with pytest.raises(BenchError, match="expert and network need a stop_after"):
        pack(path, tmp_path / "pack", limit=2**20, log=LOG)
    stages = {"expert": {"stop_after": 9}, "generator": {"stop_after": 9, "other_voices": 0.5}}
    path.write_text(yaml.safe_dump({**config, "plugin": "wav2lip", "settings": stages}))
    with pytest.raises(BenchError, match=r"generator\.other_voices cannot be packed.*leave them"):
        pack(path, tmp_path / "pack", limit=2**20, log=LOG)
