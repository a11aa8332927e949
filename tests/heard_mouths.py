"""How much of a mouth its speech tells: a regression from what the Wav2Lip family's networks get.

GRID_ROOT=... python -m tests.heard_mouths [--columns 0,16,32,64]

It gets the frame's upper half, the clip's first frame, and columns of the mel spectrogram around
the frame (16, as the family's networks; 0: no speech); its answer is the mouth. One man teaches it,
s1, and further clips of him are the test, with their own speech and with the next clip's. The least
squared error makes blurred mouths: this shows how much can be heard, and is no method. Two methods
with `weights: real` stand beside it, in the same 96 pixels.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.data.grid import import_grid
from bench.files.paths import cache_dir
from bench.ground.stats import mean_interval
from bench.networks import audio
from bench.networks.face_crops import SIZE
from bench.train.face_clips import FaceClip, make_ready
from bench.train.pixel_losses import MOUTH
from methods.wav2lip.checkpoints import load_generator
from methods.wav2lip.inference import Talker
from methods.wav2lip.initialisation import WEIGHTS
from methods.wav2lip.variants import VARIANTS

WIDEST = 64  # columns, 0.8 s
UPPER = (24, 12)  # columns and rows, to which the upper half is scaled
OF_UPPER, OF_MOUTH = 48, 96  # principal components
STEPS, BATCH, RATE = 4000, 256, 2e-3

METHODS = ("wav2lip", "m_csawav2lip")

Rows = NDArray[np.float32]
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Frames:
    """All frames of some clips.

    heard: (N, 80, WIDEST). first: the number of the first frame of a frame's clip; own: its clip.
    """

    upper: Rows
    mouths: NDArray[np.uint8]
    heard: NDArray[np.float16]
    first: NDArray[np.int64]
    own: NDArray[np.int64]

    @classmethod
    def of(cls, clips: Sequence[FaceClip]) -> Frames:
        """Reads them."""
        upper, mouths, heard, own = [], [], [], []
        for number, clip in enumerate(clips):
            faces = clip.faces()
            halves = faces[:, : SIZE // 2]
            small = [cv2.resize(half, UPPER, interpolation=cv2.INTER_AREA) for half in halves]
            upper.append(np.stack(small).reshape(len(faces), -1) / np.float32(255.0))
            mouths.append(faces[:, MOUTH[0], MOUTH[1]].reshape(len(faces), -1))
            heard.append(_around(clip.features("mel"), len(faces)))
            own.append(np.full(len(faces), number))
        owners = np.concatenate(own)
        first = np.searchsorted(owners, np.arange(len(clips)))[owners]
        return cls(
            np.concatenate(upper), np.concatenate(mouths), np.concatenate(heard), first, owners
        )

    def others(self) -> NDArray[np.int64]:
        """For each frame, the one of the next clip at the same time."""
        clips = [np.flatnonzero(self.own == clip) for clip in range(int(self.own[-1]) + 1)]
        turned = zip(clips, [*clips[1:], clips[0]], strict=True)
        return np.concatenate(
            [other[np.minimum(np.arange(len(mine)), len(other) - 1)] for mine, other in turned]
        )


def _around(mel: Rows, frames: int) -> NDArray[np.float16]:
    """The mel columns around each frame, (frames, 80, WIDEST), as the family hears in training."""
    wide = np.pad(mel, ((0, 0), (WIDEST, WIDEST)), mode="edge")
    first = audio.COLUMNS * (np.arange(frames) - 1) // 5 + (audio.COLUMNS - WIDEST) // 2 + WIDEST
    index = np.minimum(first[:, None] + np.arange(WIDEST), wide.shape[1] - 1)
    return wide[:, index].transpose(1, 0, 2).astype(np.float16)


class Components:
    """Principal components of rows, scaled so that the first has a spread of one."""

    def __init__(self, rows: Rows, count: int) -> None:
        self.mean = rows.mean(axis=0)
        _, spread, directions = np.linalg.svd(rows - self.mean, full_matrices=False)
        self.scale = np.float32(spread[0] / np.sqrt(len(rows)))
        self.directions = directions[:count]

    def of(self, rows: NDArray[np.generic]) -> Tensor:
        """(N, count) float32."""
        parts = np.array_split(rows, max(1, len(rows) // 4000))
        found = [(part.astype(np.float32) - self.mean) @ self.directions.T for part in parts]
        return torch.from_numpy(np.concatenate(found) / self.scale)


class Regression(nn.Module):
    """From what is seen, (B, V), and heard, (B, 80, WIDEST), to a mouth's parts, (B, OF_MOUTH)."""

    def __init__(self, seen: int, columns: int) -> None:
        super().__init__()
        self.columns = columns
        if columns:
            self.hears = nn.Sequential(
                nn.Conv1d(audio.MELS, 128, 5, 2, 2), nn.GELU(),
                nn.Conv1d(128, 128, 5, 2, 2), nn.GELU(), nn.Flatten(), nn.Dropout(0.2),
                nn.Linear(128 * ((columns + 3) // 4), 256), nn.GELU(),
            )  # fmt: skip
        self.answers = nn.Sequential(
            nn.Linear(seen + 256 * bool(columns), 512), nn.GELU(), nn.Dropout(0.1),
            nn.Linear(512, 512), nn.GELU(), nn.Linear(512, OF_MOUTH),
        )  # fmt: skip

    def forward(self, seen: Tensor, heard: Tensor) -> Tensor:
        if self.columns:
            start = (WIDEST - self.columns) // 2
            window = heard[:, :, start : start + self.columns].float() / audio.LIMIT
            seen = torch.cat([seen, self.hears(window)], dim=1)
        answer: Tensor = self.answers(seen)
        return answer


def main() -> None:
    """Trains one regression for each width of the window, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--columns", default="0,16,32,64", help="of 12.5 ms; 0: no speech")
    parser.add_argument("--limit", type=int, default=24, help="clips of test_seen")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    clips = import_grid(Path(os.environ["GRID_ROOT"])).clips
    taught, asked_of = (
        make_ready(
            [clip for clip in clips if clip.split == split][:most],
            split=split, detector="haar", cache=cache_dir(), log=logging.getLogger(),
        )
        for split, most in (("train", None), ("test_seen", asked.limit))
    )  # fmt: skip
    sys.stdout.write("| | mouth PSNR | other speech | speech gain |\n|---|---|---|---|\n")
    for name in METHODS:
        _row(name, *talking(name, asked_of))
    train, test = Frames.of(taught), Frames.of(asked_of)
    some = np.random.default_rng(0).choice(len(train.own), 5000, replace=False)
    upper = Components(train.upper[some], OF_UPPER)
    mouth = Components(train.mouths[some].astype(np.float32), OF_MOUTH)
    true, true_test = mouth.of(train.mouths), mouth.of(test.mouths)
    kept = true_test.numpy() @ mouth.directions * mouth.scale + mouth.mean
    lost = np.square(test.mouths - kept).mean(axis=1)  # beyond the components, (N,)

    def errors(answer: Tensor) -> Numbers:
        of_frames = (answer - true_test).square().sum(dim=1).numpy() * mouth.scale**2
        of_frames = of_frames / test.mouths.shape[1] + lost
        return np.bincount(test.own, of_frames) / np.bincount(test.own)

    still = errors(true_test[test.first])
    _row("the first frame", still, still)
    views = []
    for frames, shown in ((train, true), (test, true_test)):
        above = upper.of(frames.upper)
        views.append(torch.cat([above, above[frames.first], shown[frames.first]], dim=1))
    sounds = [torch.from_numpy(heard) for heard in (test.heard, test.heard[test.others()])]
    for columns in map(int, asked.columns.split(",")):
        torch.manual_seed(0)
        network = fitted(Regression(views[0].shape[1], columns), views[0], train, true)
        with torch.no_grad():
            right, wrong = (network(views[1], heard) + true_test[test.first] for heard in sounds)
        _row(f"{12.5 * columns:.0f} ms", errors(right), errors(wrong))


def _row(name: str, right: Numbers, wrong: Numbers) -> None:
    """Prints a row for each clip's mean squared errors, of grey levels 0..255."""
    psnr, other = (10.0 * np.log10(255.0**2 / each) for each in (right, wrong))
    gain = mean_interval((psnr - other).tolist(), [str(clip) for clip in range(len(psnr))])
    sys.stdout.write(
        f"| {name} | {psnr.mean():.2f} | {other.mean():.2f} | "
        f"{gain.mean:.2f} [{gain.low:.2f}, {gain.high:.2f}] |\n"
    )
    sys.stdout.flush()


def talking(name: str, clips: Sequence[FaceClip]) -> tuple[Numbers, Numbers]:
    """The errors of a method with `weights: real`: own speech, and the next clip's."""
    variant = next(each for each in VARIANTS if each.name == name)
    file = WEIGHTS / f"real_{name}.safetensors"
    talker = Talker(load_generator(file, variant), device="cpu")
    found: tuple[list[float], list[float]] = ([], [])
    for clip, other in zip(clips, [*clips[1:], clips[0]], strict=True):
        faces = np.array(clip.faces())  # the file itself is not writable
        references = np.repeat(faces[:1], len(faces), axis=0)
        for said, errors in zip((clip, other), found, strict=True):
            spectrum = said.features(variant.audio)
            first = audio.first_columns(len(faces), spectrum.shape[1], lead=talker.lead)
            made = talker.faces(faces, references, audio.windows(spectrum, first), is_lower=True)
            missed = (made.astype(np.float32) - faces)[:, MOUTH[0], MOUTH[1]]
            errors.append(float(np.square(missed).mean()))
    return np.array(found[0]), np.array(found[1])


def fitted(network: Regression, seen: Tensor, frames: Frames, true: Tensor) -> Regression:
    """Trains it to answer with the difference from the mouth of the clip's first frame."""
    random = np.random.default_rng(1)
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=STEPS)
    network.train()
    for _ in range(STEPS):
        chosen = random.integers(len(true), size=BATCH)
        heard = torch.from_numpy(frames.heard[chosen])
        answer = network(seen[chosen], heard) + true[frames.first[chosen]]
        loss = (answer - true[chosen]).square().sum(dim=1).mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return network.eval()


if __name__ == "__main__":
    main()
