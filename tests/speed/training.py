"""A training step of the paper's batch, 16 windows of 5 frames: how much of it waits for data."""

from __future__ import annotations

import logging
import os
import re
import tempfile
from pathlib import Path
from unittest import mock

from bench.data import synth
from bench.data.manifest import read_manifest
from bench.train.trainable import TrainJob
from methods.wav2lip.settings import Settings
from methods.wav2lip.training import train
from methods.wav2lip.variants import VARIANTS

OURS = VARIANTS[-1]
CLIPS = 18
STEPS = 8
WIDTH = 1 / 6
_WAITED = re.compile(r"([\d.]+) s a step, (\d+)% of it waiting")
SETTINGS = {
    "expert": {"width": WIDTH, "loss": "matching", "steps": 2, "clips": 4, "save_every": 2},
    "generator": {
        "width": WIDTH,
        "steps": STEPS,
        "batch": 16,
        "report_every": STEPS,
        "save_every": STEPS,
        "val_clips": 2,
        "sync_from": 0,
        "shape": 0.3,
        "adversarial_from": 0,
        "matching": 0.4,
        "pyramid": 1,
    },
    "discriminator": {"width": WIDTH},
}


def measure() -> str:
    """One line: seconds a step and the share spent waiting, every loss taking part.

    A small generator, whose steps are short, is the harder case for the loader.
    """
    said: list[str] = []
    log = logging.getLogger("tests.speed.training")
    log.setLevel(logging.INFO)
    log.propagate = False
    log.handlers = [Hearer(said)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest = synth.build("synth-zh", folder=folder / "synth", clips=CLIPS)
        clips = tuple(read_manifest(manifest))
        with mock.patch.dict(os.environ, BENCH_CACHE=str(folder / "cache")):
            settings = Settings.model_validate(SETTINGS)
            train(TrainJob(clips, clips[:6], settings, folder, 1, False, "cpu", log), OURS)
    found = [match for line in said if (match := _WAITED.search(line))]
    seconds, share = found[-1].groups()
    return (
        f"training {OURS.title} (width 1/6), batch 16 x 5 frames: {seconds} s a step, "
        f"{share} % of it waiting for data (asked: below 5)"
    )


class Hearer(logging.Handler):
    def __init__(self, said: list[str]) -> None:
        super().__init__()
        self.said = said

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


if __name__ == "__main__":
    print(measure())
