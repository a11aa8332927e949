"""ATVGnet, PC-AVS and LPIPS-AttnWav2Lip: frames and training steps a second, beside Wav2Lip's.

Networks alone: no tracking, pasting or encoding. Official sizes have drawn weights, which cost as
much as trained ones.
"""

from __future__ import annotations

import logging
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

from bench.config.reader import read_yaml
from bench.config.shipped import TRAININGS, find_config
from bench.contract.registry import load_registry
from bench.data import synth
from bench.data.manifest import read_manifest
from bench.train.trainable import Trainable, TrainJob
from methods.atvg.checkpoints import load_trained
from methods.atvg.inference import OFFICIAL_STEPS, Steps, Talker, TrainedTalker
from methods.atvg.pictures import LandmarksToPictures
from methods.atvg.speech import SpeechToLandmarks
from methods.pcavs import small
from methods.pcavs.checkpoints import Loaded
from methods.pcavs.face import FaceEncoder
from methods.pcavs.generator import Generator as Synthesis
from methods.pcavs.identity import IdentityEncoder
from methods.pcavs.networks import Networks
from methods.pcavs.speech import SpeechEncoder
from methods.pcavs.talker import PublishedTalker, SmallTalker
from methods.pcavs.talker import Talker as Pcavs
from methods.wav2lip import inference
from methods.wav2lip.checkpoints import LoadedGenerator
from methods.wav2lip.generator import Generator
from methods.wav2lip.variants import ABLATION, LPIPS_ATTNWAV2LIP, Variant
from tests.speed.timing import timed
from tests.speed.training import Hearer
from tests.test_atvg_landmarks import drawn_basics

THREADS = 2
REPEATS = 3
CLIPS = 18
STEPS = 8
SMALL_WIDTH = 1 / 6
ATVG_WEIGHTS = Path(__file__).parents[2] / "methods" / "atvg" / "weights" / "synth_atvg.safetensors"
TRAINED = (
    "atvg_small",
    "pcavs_small",
    "lpips_attnwav2lip_small",
    "diff2lip_small",
)  # in configs/train
_STEP = re.compile(r"^step .*\(([\d.]+) s a step, (\d+)% of it waiting")


def measure() -> str:
    """Frames a second of every size, with Wav2Lip's as the measure; seconds of a training step."""
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    lines = [f"Frames a second, networks alone, {THREADS} threads"]
    for size, frames, jobs in (("small", 48, _small()), ("official", 4, _official())):
        runs: dict[str, Callable[[], int]] = dict(jobs)
        seconds, _ = timed({name: _of(run, frames) for name, run in runs.items()}, REPEATS)
        yardstick = seconds["Wav2Lip"].min()
        lines += [
            f"  {name}, {size}: {frames / each.min():.1f} ({yardstick / each.min():.2f} of Wav2Lip)"
            for name, each in seconds.items()
        ]
    lines.append(f"Training, small, {CLIPS} clips, {STEPS} steps, one thread")
    lines += [f"  {line}" for line in _trainings()]
    return "\n".join(lines)


def _of(run: Callable[[int], int], frames: int) -> Callable[[], int]:
    return lambda: run(frames)


def _small() -> Iterator[tuple[str, Callable[[int], int]]]:
    yield "Wav2Lip", _wav2lip(ABLATION[0], SMALL_WIDTH)
    yield "LPIPS-AttnWav2Lip", _wav2lip(LPIPS_ATTNWAV2LIP, SMALL_WIDTH)
    trained = TrainedTalker(load_trained(ATVG_WEIGHTS))
    face = np.random.default_rng(1).normal(128, 40, (trained.coding.scheme.count, 2))
    yield "ATVGnet", _atvg(lambda still, heard: trained.talk(still, face, heard, Steps()), 96)
    yield "PC-AVS", _pcavs(SmallTalker(small.SmallNetworks().eval(), "cpu", weight=1.0))


def _official() -> Iterator[tuple[str, Callable[[int], int]]]:
    yield "Wav2Lip", _wav2lip(ABLATION[0], 1.0)
    yield "LPIPS-AttnWav2Lip", _wav2lip(LPIPS_ATTNWAV2LIP, 1.0)
    basis = drawn_basics().basis
    drawn = Talker(SpeechToLandmarks(), LandmarksToPictures(), basis)
    example = np.random.default_rng(2).normal(size=6)
    yield (
        "ATVGnet",
        _atvg(lambda still, heard: drawn.talk(still, example, heard, OFFICIAL_STEPS), 128),
    )
    parts = (IdentityEncoder(), SpeechEncoder(), FaceEncoder(), Synthesis())
    networks = Networks(*(part.eval() for part in parts))
    yield "PC-AVS", _pcavs(PublishedTalker(Loaded(networks, (), ()), "cpu", weight=1.2))


def _wav2lip(variant: Variant, width: float) -> Callable[[int], int]:
    talker = inference.Talker(
        LoadedGenerator(Generator.of(variant, width=width).eval(), lead=0, colour="rgb"),
        device="cpu",
    )

    def run(frames: int) -> int:
        draw = np.random.default_rng(0)
        faces = draw.integers(0, 256, (frames, 96, 96, 3), dtype=np.uint8)
        heard = draw.normal(0, 2, (frames, 1, 80, 16)).astype(np.float32)
        return len(talker.faces(faces, faces, heard))

    return run


def _atvg(talk: Callable[..., Iterator[object]], side: int) -> Callable[[int], int]:
    def run(frames: int) -> int:
        draw = np.random.default_rng(0)
        still = draw.integers(0, 256, (side, side, 3), dtype=np.uint8)
        return len(list(talk(still, draw.normal(size=(frames, 28, 12)).astype(np.float32))))

    return run


def _pcavs(talker: Pcavs) -> Callable[[int], int]:
    def run(frames: int) -> int:
        draw = np.random.default_rng(0)
        still = draw.integers(0, 256, (256, 256, 3), dtype=np.uint8)
        found = np.array([[0.9, 0.0, 0.0], [0.0, 0.9, 0.0]])
        speak = talker.begin(still, found, seed=None)
        heard = draw.normal(size=(frames, 1, 80, 20)).astype(np.float32)
        return len(speak(heard, [still] * frames, np.stack([found] * frames)))

    return run


def _trainings() -> Iterator[str]:
    """For each stage of each method, seconds a step and the share spent waiting."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips = tuple(read_manifest(synth.build("synth-zh", folder=folder / "synth", clips=CLIPS)))
        with mock.patch.dict(os.environ, BENCH_CACHE=str(folder / "cache")):
            for config in TRAINED:
                said: list[str] = []
                log = logging.Logger(config, logging.INFO)
                log.addHandler(Hearer(said))
                raw: Any = read_yaml(find_config(config, TRAININGS))[0]
                plugin = load_registry().methods[raw["plugin"]].plugin
                assert issubclass(plugin, Trainable)
                settings = plugin.Settings.model_validate(_shortened(raw["settings"]))
                start = time.perf_counter()
                place = folder / config
                plugin.train(TrainJob(clips, clips[:6], settings, place, 1, False, "cpu", log))
                steps = [match.groups() for line in said if (match := _STEP.match(line))]
                told = ", ".join(
                    f"{seconds} s a step ({share} % waiting)" for seconds, share in steps
                )
                yield f"{config}: {told}; {time.perf_counter() - start:.0f} s with clips made ready"


def _shortened(settings: Any) -> Any:
    """The same settings with `STEPS` steps in every stage."""
    if not isinstance(settings, dict):
        return settings
    short = {name: _shortened(value) for name, value in settings.items()}
    if "steps" in short:
        short |= {"steps": STEPS, "save_every": STEPS, "report_every": STEPS}
    if "hearing_steps" in short:
        short["hearing_steps"] = STEPS
    return short


if __name__ == "__main__":
    print(measure())
