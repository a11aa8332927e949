"""From one still face and a sound's windows to pictures, as the official demo chains its networks.

Source: lelechen63/ATVGnet @ 02d8f8f, demo.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from bench import Frame
from bench.networks.checkpoints import load_weights
from bench.networks.similarity import Points
from methods.atvg.audio import Windows
from methods.atvg.demo import (
    DEMO,
    Basics,
    constant_example,
    levels,
    strengthened,
    stretched,
)
from methods.atvg.landmarks import MESH, Basis, Scheme, normalised
from methods.atvg.layers import Recurrence
from methods.atvg.pictures import LandmarksToPictures, Seen
from methods.atvg.speech import SpeechToLandmarks


@dataclass(frozen=True)
class Steps:
    """How the networks are chained; `OFFICIAL_STEPS` are the demo's.

    strength: factors of the coefficients; None leaves them as the network gave them. contrast:
    "kept" rounds the network's values, "stretched" stretches each picture to 0..255.
    """

    strength: tuple[float, ...] | None = None
    contrast: Literal["kept", "stretched"] = "kept"


OFFICIAL_STEPS = Steps(strength=DEMO, contrast="stretched")


@dataclass(frozen=True)
class Talk:
    """One frame. face: (S, S, 3) uint8 RGB. share: (S, S) float32 in [0, 1], what is new of it."""

    face: Frame
    share: NDArray[np.float32]


def example_coefficients(
    face: Points, basics: Basics, example: Literal["own", "constant"], scheme: Scheme = MESH
) -> NDArray[np.float64]:
    """The coefficients of the still face, (6,), for the official networks.

    face: (68, 2) pixels. example: "constant" is the demo's, the same for everybody; "own" keeps
    whose face it is: laid onto the mean shape by nose and eyes.
    """
    if example == "constant":
        return constant_example(basics)
    mean = basics.mean_norm.reshape(-1, 2)
    return np.asarray(basics.basis.coefficients(normalised(face[None], mean, scheme))[0])


class Talker:
    """Both networks, ready on one device. The same input gives the same pictures.

    batch: frames painted at once (memory only).
    """

    def __init__(
        self,
        speech: SpeechToLandmarks,
        pictures: LandmarksToPictures,
        basis: Basis,
        *,
        device: str = "cpu",
        batch: int = 16,
    ) -> None:
        self.speech = speech.eval().to(device)
        self.pictures = pictures.eval().to(device)
        self.basis = basis
        self.device = device
        self.batch = batch
        self.side = 16 * pictures.map_side  # height and width of the pictures

    @classmethod
    def of_official(
        cls,
        speech: Path,
        pictures: Path,
        basics: Basics,
        *,
        recurrence: Recurrence = "none",
        device: str = "cpu",
    ) -> Talker:
        """With official files, `atnet_lstm_18.pth` and `generator_23.pth`.

        Raises BenchError that names the file and the first difference if one is missing, truncated
        or holds another network. No pickled code runs.
        """
        hears = SpeechToLandmarks()
        load_weights(hears, speech)
        paints = LandmarksToPictures(recurrence=recurrence)
        load_weights(paints, pictures)
        return cls(hears, paints, basics.basis, device=device)

    @torch.inference_mode()
    def shapes(
        self, example: NDArray[np.floating[Any]], heard: Windows, steps: Steps
    ) -> NDArray[np.float64]:
        """The landmarks of every frame, (T, 2 P). example: (K,). heard: (T, 28, 12)."""
        coefficients = self.speech(self._tensor(example)[None], self._tensor(heard)[None])
        found = coefficients[0].double().cpu().numpy()
        if steps.strength is not None:
            found = strengthened(found, steps.strength)
        return self.basis.shapes(found)

    @torch.inference_mode()
    def talk(
        self, still: Frame, example: NDArray[np.floating[Any]], heard: Windows, steps: Steps
    ) -> Iterator[Talk]:
        """The talking face, frame by frame.

        still: (S, S, 3) uint8 RGB, upright (`alignment.cropped`). example: (K,), the coefficients
        of the still; VG-net gets the shape that they stand for. heard: (T, 28, 12).
        """
        moving = self._tensor(self.shapes(example, heard, steps))[None]
        known = self._tensor(self.basis.shapes(example))[None]
        shown = self._tensor(still).permute(2, 0, 1)[None] / 127.5 - 1  # (1, 3, S, S)
        seen = self.pictures.see(shown, moving, known)
        remembered = self.pictures.convGRU(seen.squeezed, self.pictures.recurrence)
        for start in range(0, len(heard), self.batch):
            now = slice(start, start + self.batch)
            part = Seen(seen.squeezed[:, now], seen.attention[:, now], seen.still)
            made = self.pictures.paint(shown, part, remembered[:, now])
            faces = made.pictures[0].permute(0, 2, 3, 1).cpu().numpy()  # (b, S, S, 3)
            shares = made.attention[0, :, 0].cpu().numpy()
            for face, share in zip(faces, shares, strict=True):
                finish = stretched if steps.contrast == "stretched" else levels
                yield Talk(finish(face), share)

    def _tensor(self, array: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(np.array(array, dtype=np.float32)).to(self.device)
