"""VG-net's results on held-out clips: figures to choose weights by, and strips to look at.

The still is each clip's first frame, so that copying it gains nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.train.held_out import evenly, evenly_by_dataset
from bench.train.pixel_losses import sharpness
from bench.train.strips import write_strip
from methods.atvg.batches import Coded
from methods.atvg.pictures import LandmarksToPictures
from methods.atvg.speech import SpeechToLandmarks
from methods.atvg.speech_training import spoken

SHOWN = 6  # clips in a strip
COLUMNS = 12  # frames in a strip
EVERY = 4  # frames that are measured, each after all frames before it
MOUTH = ((0.6, 0.98), (0.26, 0.78))  # rows and columns, in shares of the side


@dataclass(frozen=True)
class Validation:
    """Held-out clips, their places in `coded`, and the AT-net that speaks for them."""

    coded: Coded
    places: tuple[int, ...]
    speech: SpeechToLandmarks
    device: torch.device

    @classmethod
    def of(
        cls, coded: Coded, speech: SpeechToLandmarks, *, count: int, device: torch.device
    ) -> Validation:
        """`count` clips, spread over data sets as evenly as possible."""
        places = {clip.id: place for place, clip in enumerate(coded.clips)}
        chosen = [places[clip.id] for clip in evenly_by_dataset(coded.clips, count)]
        return cls(coded, tuple(chosen), speech.eval().to(device), device)

    @torch.no_grad()
    def figures(self, network: LandmarksToPictures) -> dict[str, float]:
        """Means over the clips.

        mouth: mean absolute difference of the mouth's pixels, from the true landmarks. copied: the
        still's. spoken: the same from AT-net's landmarks. gain: speech gain of these, the mouth's
        PSNR with its own speech minus that with the next clip's, dB. sharpness: of the mouth from
        the true landmarks, over the true one's. choice: the figure that chooses the weights.
        """
        network.eval()
        rows: list[tuple[float, ...]] = []
        for row, place in enumerate(self.places):
            other = self.places[(row + 1) % len(self.places)]
            frames = min(len(self.coded.shapes[place]), len(self.coded.shapes[other]))
            chosen = np.arange(EVERY, frames, EVERY)
            target = self._target(place, chosen)
            still = self._target(place, np.zeros(1, dtype=np.int64))
            told = self.coded.shapes[place]
            true = self.coded.coding.differences(told, told[0])
            own, others = self._spoken(place, place), self._spoken(place, other)
            drawn, said, wrong = (
                self._made(network, place, differences[:frames], chosen)
                for differences in (true, own, others)
            )
            sharp = sharpness(_unit(drawn)).mean() / sharpness(_unit(target)).mean()
            rows.append(
                (
                    _apart(drawn, target),
                    _apart(still.expand_as(target), target),
                    _apart(said, target),
                    _psnr(said, target) - _psnr(wrong, target),
                    float(sharp),
                )
            )
        mouth, copied, said_mouth, gain, sharp_mean = np.mean(rows, axis=0).tolist()
        return {
            "val mouth": mouth,
            "val copied": copied,
            "val spoken": said_mouth,
            "val gain": gain,
            "val sharpness": sharp_mean,
            "val choice": 10.0 * mouth + 0.1 * abs(math.log(max(sharp_mean, 1e-3))),
        }

    @torch.no_grad()
    def strip(self, network: LandmarksToPictures, path: Path) -> None:
        """Writes a picture: for some clips the still and the true frames, below them those from
        the true landmarks, below these those from AT-net's.
        """
        network.eval()
        rows: list[NDArray[np.uint8]] = []
        for place in evenly(self.places, SHOWN):
            told = self.coded.shapes[place]
            chosen = np.linspace(0, len(told) - 1, COLUMNS).astype(np.int64)
            still = self._target(place, np.zeros(1, dtype=np.int64))
            true = self.coded.coding.differences(told, told[0])
            shown = (
                self._target(place, chosen),
                self._made(network, place, true, chosen),
                self._made(network, place, self._spoken(place, place), chosen),
            )
            for faces in shown:
                row = _unit(torch.cat([still, faces])).permute(0, 2, 3, 1)
                rows.append((255.0 * row).round().to(torch.uint8).cpu().numpy())
        write_strip(path, rows)

    def _spoken(self, place: int, speaker: int) -> NDArray[np.float64]:
        """What AT-net hears in a clip's speech, for the first frame of another, (T, K)."""
        still = self.coded.shapes[place][0]
        return spoken(
            self.speech, self.coded, still, self.coded.clips[speaker].heard(), self.device
        )

    def _target(self, place: int, frames: NDArray[np.int64]) -> Tensor:
        """True pictures (F, 3, S, S) in [-1, 1]."""
        chosen = torch.from_numpy(self.coded.clips[place].pictures()[frames]).to(self.device)
        return chosen.permute(0, 3, 1, 2).float() / 127.5 - 1.0

    def _made(
        self,
        network: LandmarksToPictures,
        place: int,
        differences: NDArray[np.float64],
        frames: NDArray[np.int64],
    ) -> Tensor:
        """Pictures of these frames, (F, 3, S, S) in [-1, 1], from differences of all, (T, K)."""
        coding, still = self.coded.coding, self.coded.shapes[place][0]
        shapes = torch.from_numpy(coding.shown(coding.moved(still, differences)))[None]
        known = torch.from_numpy(coding.shown(still))[None]
        picture = self._target(place, np.zeros(1, dtype=np.int64))
        seen = network.see(picture, shapes.to(self.device), known.to(self.device))
        remembered = network.convGRU(seen.squeezed, network.recurrence)
        few = seen._replace(squeezed=seen.squeezed[:, frames], attention=seen.attention[:, frames])
        return network.paint(picture, few, remembered[:, frames]).pictures[0]


def _mouth(faces: Tensor) -> Tensor:
    side = faces.shape[-1]
    rows, columns = (slice(int(side * first), int(side * last)) for first, last in MOUTH)
    return faces[:, :, rows, columns]


def _unit(faces: Tensor) -> Tensor:
    return (0.5 * (faces.float() + 1.0)).clamp(0.0, 1.0)


def _apart(made: Tensor, target: Tensor) -> float:
    """The mean absolute difference of the mouth's pixels, of a range of 1."""
    return float((_mouth(_unit(made)) - _mouth(_unit(target))).abs().mean())


def _psnr(made: Tensor, target: Tensor) -> float:
    """The PSNR of the mouth's pixels, dB."""
    square = (_mouth(_unit(made)) - _mouth(_unit(target))).square().mean()
    return float(-10.0 * square.clamp(min=1e-8).log10())
