"""Trains one method of a pack in its own process: expert, then generator.

`python -m methods.wav2lip.gpu.line PACK FOLDER METHOD DEVICE`. With `--rescue` it trains nothing:
it takes the weights of the last checkpoint of a training that did not finish. Other methods have
such a module, too.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

import torch
from torch import nn

from bench.ground.errors import BenchError
from bench.networks.audio import AudioKind
from bench.train.best_weights import BestWeights
from bench.train.face_bank import FaceBank
from bench.train.loop import CHECKPOINT, read_checkpoint
from bench.train.packed_clips import read_packed
from bench.train.settings import TrainSettings
from bench.train.trainable import TrainJob
from methods.wav2lip.checkpoints import save_generator
from methods.wav2lip.generator import Generator
from methods.wav2lip.gpu.plan import Plan, read_plan
from methods.wav2lip.settings import Settings
from methods.wav2lip.training import Ready, train_on
from methods.wav2lip.variants import VARIANTS, Variant

Own = TypeVar("Own", bound=TrainSettings)
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Line:
    """How one method is trained from a pack, and saved by force.

    train: with pack, plan, folder and device, returns the weights file. rescue: with plan and
    folder, writes the weights of the last checkpoint.
    """

    train: Callable[[Path, Plan, Path, str], Path]
    rescue: Callable[[Plan, Path], Path]


def packed_clips(pack: Path, kind: AudioKind, device: str) -> Ready:
    """The clips of a pack; those to train on are in the device's memory."""
    packed = read_packed(pack)
    bank = FaceBank(packed["train"], kind, torch.device(device))
    logging.getLogger("line").info("%d clips in the memory of %s", len(bank), device)
    return {"train": bank, "val": packed["val"]}


def packed_job(plan: Plan, settings: Own, folder: Path, device: str) -> TrainJob[Own]:
    """The job of a plan. folder: for all that is written."""
    return TrainJob(
        train=(),
        val=(),
        settings=settings,
        folder=folder,
        seed=plan.seed,
        resume=False,
        device=device,
        log=logging.getLogger("line"),
    )


def rescued(network: Network, folder: Path) -> Network:
    """The network with the weights of the last checkpoint: the best, else the average."""
    state = read_checkpoint(folder / CHECKPOINT).state
    average = cast("dict[str, torch.Tensor]", state["average"])
    prefix = "module."
    network.load_state_dict(
        {k.removeprefix(prefix): v for k, v in average.items() if k.startswith(prefix)}
    )
    best = BestWeights()
    best.load_state_dict(cast("dict[str, object]", state["best"]))
    return best.of(network)


def train_line(pack: Path, plan: Plan, folder: Path, device: str, *, variant: Variant) -> Path:
    """The weights of the generator. folder: for all that is written."""
    job = packed_job(plan, Settings.model_validate(plan.settings), folder, device)
    clips = packed_clips(pack, variant.audio, device)
    return train_on(clips, job, variant, cache=folder / "cache")


def rescue(plan: Plan, folder: Path, *, variant: Variant) -> Path:
    """The weights of the last checkpoint: the best by validation, else the average."""
    settings = Settings.model_validate(plan.settings)
    width = settings.generator.width
    path = folder / f"{variant.name}.safetensors"
    save_generator(
        rescued(Generator.of(variant, width=width), folder),
        path,
        variant=variant,
        width=width,
        lead=settings.lead,
        seed=plan.seed,
        trained_on="a packed data set",
    )
    return path


def command(lines: Mapping[str, Line]) -> None:
    """The command. lines: by the methods' names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pack", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("method", choices=list(lines))
    parser.add_argument("device")
    parser.add_argument("--rescue", action="store_true")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stdout)
    plan, line = read_plan(given.pack), lines[given.method]
    if given.device.startswith("cuda"):
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
    try:
        if given.rescue:
            line.rescue(plan, given.folder)
        else:
            line.train(given.pack, plan, given.folder, given.device)
    except BenchError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    command(
        {
            each.name: Line(partial(train_line, variant=each), partial(rescue, variant=each))
            for each in VARIANTS
        }
    )
