"""Generates the pictures of a video, by the published networks or by the small ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.ground.types import Frame, Frames
from bench.networks.folding import folded
from methods.pcavs import small
from methods.pcavs.checkpoints import Loaded, load_official
from methods.pcavs.mel import Mel
from methods.pcavs.pictures import Transforms, crop, inner_transforms, seen, small_picture
from methods.pcavs.small_checkpoints import load_small

# Windows (B, 1, 80, 20), B pose frames, their transforms (B, 2, 3) -> pictures (B, S, S, 3) uint8.
Speak: TypeAlias = Callable[[Mel, Sequence[Frame], Transforms], Frames]


class Talker(ABC):
    """Networks on a device. warnings: what the user should know of their files."""

    warnings: tuple[str, ...] = ()

    @abstractmethod
    def begin(self, still: Frame, found: NDArray[np.float64], *, seed: int | None) -> Speak:
        """Looks at the person, once for a video; what is returned makes its pictures.

        still: (H, W, 3) uint8 RGB. found: (2, 3), of `pictures.transforms`. seed: of new noise for
        each picture; None for what is stored.
        """


class PublishedTalker(Talker):
    """The networks of the authors, at 224x224."""

    def __init__(self, loaded: Loaded, device: str, *, weight: float) -> None:
        self._networks, self._device, self._weight = loaded.networks, device, weight
        self._networks.to(device)
        if loaded.harmful:
            told = (
                f"the files lack {len(loaded.harmful)} tensors that pictures depend on "
                f"({loaded.harmful[0]} ..); they are random"
            )
            self.warnings = (told,)

    @classmethod
    def of(cls, folder: Path, device: str, *, weight: float) -> PublishedTalker:
        """From the folder of the official files; weight: that of the speech feature."""
        return cls(load_official(folder), device, weight=weight)

    def begin(self, still: Frame, found: NDArray[np.float64], *, seed: int | None) -> Speak:
        """As `Talker.begin`."""
        random = None if seed is None else torch.Generator().manual_seed(seed)
        with torch.inference_mode():
            who = self._networks.who(self._looked([still], found[None]))

        def speak(windows: Mel, poses: Sequence[Frame], found: Transforms) -> Frames:
            with torch.inference_mode():
                made = self._networks.pictures(
                    who,
                    torch.from_numpy(windows).to(self._device),
                    self._looked(poses, found),
                    mouth_weight=self._weight,
                    random=random,
                )
                return _levels(made)

        return speak

    def _looked(self, frames: Sequence[Frame], found: Transforms) -> Tensor:
        crops = np.stack([crop(frame, each) for frame, each in zip(frames, found, strict=True)])
        return torch.from_numpy(seen(crops)).to(self._device)


class SmallTalker(Talker):
    """The small networks, at 96x96."""

    def __init__(self, networks: small.SmallNetworks, device: str, *, weight: float) -> None:
        self._networks, self._device, self._weight = folded(networks).to(device), device, weight

    @classmethod
    def of(cls, path: Path, device: str, *, weight: float) -> SmallTalker:
        """From a file that `bench train` wrote; weight: that of the speech feature."""
        networks, _ = load_small(path)
        return cls(networks, device, weight=weight)

    def begin(self, still: Frame, found: NDArray[np.float64], *, seed: int | None) -> Speak:
        """As `Talker.begin`; there is no noise."""
        del seed
        with torch.inference_mode():
            who = self._networks.who(self._looked([still], found[None]))

        def speak(windows: Mel, poses: Sequence[Frame], found: Transforms) -> Frames:
            with torch.inference_mode():
                made = self._networks.pictures(
                    who,
                    torch.from_numpy(windows).to(self._device),
                    self._looked(poses, found),
                    mouth_weight=self._weight,
                )
                return _levels(made)

        return speak

    def _looked(self, frames: Sequence[Frame], found: Transforms) -> Tensor:
        inner = inner_transforms(found)
        shown = zip(frames, inner, strict=True)
        pictures = np.stack([small_picture(frame, each, small.SIDE) for frame, each in shown])
        scaled = torch.from_numpy(pictures).to(self._device).permute(0, 3, 1, 2).float()
        return scaled / 127.5 - 1.0


def _levels(made: Tensor) -> Frames:
    """Pictures (B, 3, S, S) in [-1, 1] as (B, S, S, 3) uint8."""
    levels = ((made.float() + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)
    pictures: Frames = levels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return pictures
