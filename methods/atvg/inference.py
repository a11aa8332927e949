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
from methods.atvg.checkpoints import Trained
from methods.atvg.coding import Coding
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

    def talk(
        self, still: Frame, example: NDArray[np.floating[Any]], heard: Windows, steps: Steps
    ) -> Iterator[Talk]:
        """The talking face, frame by frame.

        still: (S, S, 3) uint8 RGB, upright (`alignment.cropped`). example: (K,), the coefficients
        of the still; VG-net gets the shape that they stand for. heard: (T, 28, 12).
        """
        known = self.basis.shapes(example)
        moving = self.shapes(example, heard, steps)
        shown = Shown(still, known, moving)
        return painted(self.pictures, shown, steps, batch=self.batch)

    def _tensor(self, array: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(np.array(array, dtype=np.float32)).to(self.device)


class TrainedTalker:
    """Networks that were trained here, ready on one device; landmarks are differences to the still.

    batch: frames painted at once (memory only).
    """

    def __init__(self, trained: Trained, *, device: str = "cpu", batch: int = 16) -> None:
        if trained.pictures is None:
            raise ValueError("a file of AT-net alone paints nothing")
        self.speech = trained.speech.eval().to(device)
        self.pictures = trained.pictures.eval().to(device)
        self.coding: Coding = trained.coding
        self.device = device
        self.batch = batch
        self.side = 16 * self.pictures.map_side  # height and width of the pictures

    @torch.inference_mode()
    def differences(self, still: NDArray[np.float64], heard: Windows) -> NDArray[np.float64]:
        """What AT-net hears, (T, K). still: (2 P,), a shape (`Coding.shapes`)."""
        known = torch.from_numpy(self.coding.known(still).astype(np.float32))[None]
        windows = torch.from_numpy(np.array(heard))[None]
        made = self.speech(known.to(self.device), windows.to(self.device))
        return np.asarray(made[0].double().cpu().numpy())

    def talk(self, still: Frame, face: Points, heard: Windows, steps: Steps) -> Iterator[Talk]:
        """The talking face, frame by frame.

        still: (S, S, 3) uint8 RGB, upright (`alignment.cropped`). face: (P, 2), its landmarks in
        pixels of the frame. heard: (T, 28, 12).
        """
        shape = self.coding.shapes(face[None])[0]
        found = self.differences(shape, heard)
        if steps.strength is not None:
            found = strengthened(found, steps.strength)
        moving = self.coding.moved(shape, found)
        shown = Shown(still, self.coding.shown(shape), self.coding.shown(moving))
        return painted(self.pictures, shown, steps, batch=self.batch)


@dataclass(frozen=True)
class Shown:
    """What VG-net is given. still: (S, S, 3) uint8 RGB. known: (2 P,). moving: (T, 2 P)."""

    still: Frame
    known: NDArray[np.floating[Any]]
    moving: NDArray[np.floating[Any]]


def painted(
    pictures: LandmarksToPictures, shown: Shown, steps: Steps, *, batch: int
) -> Iterator[Talk]:
    """VG-net's faces, frame by frame, `batch` of them at once."""
    device = next(pictures.parameters()).device

    def tensor(array: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(np.array(array, dtype=np.float32)).to(device)

    with torch.inference_mode():
        still = tensor(shown.still).permute(2, 0, 1)[None] / 127.5 - 1  # (1, 3, S, S)
        seen = pictures.see(still, tensor(shown.moving)[None], tensor(shown.known)[None])
        remembered = pictures.convGRU(seen.squeezed, pictures.recurrence)
    for start in range(0, len(shown.moving), batch):
        now = slice(start, start + batch)
        with torch.inference_mode():
            part = Seen(seen.squeezed[:, now], seen.attention[:, now], seen.still)
            made = pictures.paint(still, part, remembered[:, now])
            faces = made.pictures[0].permute(0, 2, 3, 1).cpu().numpy()  # (b, S, S, 3)
            shares = made.attention[0, :, 0].cpu().numpy()
        for face, share in zip(faces, shares, strict=True):
            finish = stretched if steps.contrast == "stretched" else levels
            yield Talk(finish(face), share)
