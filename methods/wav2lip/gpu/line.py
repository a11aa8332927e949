"""Trains one method of a pack in its own process: expert, then generator.

`python -m methods.wav2lip.gpu.line PACK FOLDER METHOD DEVICE`. With `--rescue` it trains nothing:
it takes the weights of the last checkpoint of a training that did not finish.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import cast

import torch

from bench.ground.errors import BenchError
from bench.train.best_weights import BestWeights
from bench.train.face_bank import FaceBank
from bench.train.loop import CHECKPOINT, read_checkpoint
from bench.train.packed_clips import read_packed
from bench.train.trainable import TrainJob
from methods.wav2lip.checkpoints import save_generator
from methods.wav2lip.generator import Generator
from methods.wav2lip.gpu.plan import Plan, read_plan
from methods.wav2lip.settings import Settings
from methods.wav2lip.training import train_on
from methods.wav2lip.variants import VARIANTS, Variant


def train_line(pack: Path, plan: Plan, folder: Path, variant: Variant, device: str) -> Path:
    """The weights of the generator. folder: for all that is written."""
    log = logging.getLogger("line")
    packed = read_packed(pack)
    bank = FaceBank(packed["train"], variant.audio, torch.device(device))
    log.info("%d clips in the memory of %s", len(bank), device)
    job = TrainJob(
        train=(),
        val=(),
        settings=Settings.model_validate(plan.settings),
        folder=folder,
        seed=plan.seed,
        resume=False,
        device=device,
        log=log,
    )
    return train_on({"train": bank, "val": packed["val"]}, job, variant, cache=folder / "cache")


def rescue(plan: Plan, folder: Path, variant: Variant) -> Path:
    """The weights of the last checkpoint: the best by validation, else the average."""
    state = read_checkpoint(folder / CHECKPOINT).state
    settings = Settings.model_validate(plan.settings)
    network = Generator.of(variant, width=settings.generator.width)
    average = cast("dict[str, torch.Tensor]", state["average"])
    prefix = "module."
    network.load_state_dict(
        {k.removeprefix(prefix): v for k, v in average.items() if k.startswith(prefix)}
    )
    best = BestWeights()
    best.load_state_dict(cast("dict[str, object]", state["best"]))
    path = folder / f"{variant.name}.safetensors"
    save_generator(
        best.of(network),
        path,
        variant=variant,
        width=settings.generator.width,
        lead=settings.lead,
        seed=plan.seed,
        trained_on="a packed data set",
    )
    return path


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pack", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("method", choices=[variant.name for variant in VARIANTS])
    parser.add_argument("device")
    parser.add_argument("--rescue", action="store_true")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stdout)
    plan = read_plan(given.pack)
    (variant,) = (each for each in VARIANTS if each.name == given.method)
    if given.device.startswith("cuda"):
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
    try:
        if given.rescue:
            rescue(plan, given.folder, variant)
        else:
            train_line(given.pack, plan, given.folder, variant, given.device)
    except BenchError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
