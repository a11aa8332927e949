"""ER-NeRF's head: three hashed planes, and speech and eyes that act where a point is.

Source: Fictionarry/ER-NeRF @ 0cf72d8, `NeRFNetwork`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from methods.radiance.codes import HARMONICS, harmonics
from methods.radiance.planes import PAIRS, DensePlanes
from methods.radiance.speech_networks import BANDS, AudioAttNet, AudioNet
from methods.saliency_portrait.hashed_grid import HEAD_PLANE, GridSize, HashedGrid

MARGIN = 0.001  # by which colours may leave [0, 1]


class Planes(Protocol):
    """Features of points: (N, 3) in [-1, 1] -> (N, width)."""

    width: int

    def __call__(self, points: Tensor, /) -> Tensor: ...


def perceptron(entering: int, leaving: int, hidden: int, layers: int) -> nn.Module:
    """Linear layers without biases, ReLU between them; official name `net`."""
    widths = [entering, *[hidden] * (layers - 1), leaving]
    return _Perceptron(widths)


class _Perceptron(nn.Module):
    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.net = nn.ModuleList(
            nn.Linear(entering, leaving, bias=False) for entering, leaving in pairwise(widths)
        )

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.net[:-1]:
            x = torch.relu(layer(x))
        return self.net[-1](x)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class HeadSize:
    """The size of a head; the defaults are the official ones.

    planes: hashed planes of that size, or dense ones with so many cells and channels. heard: width
    of the audio feature. frames: recordings' frames that have a code of their own, for what changes
    from frame to frame. hidden: width of the layers.
    """

    planes: GridSize | tuple[int, ...] = field(default_factory=lambda: HEAD_PLANE)
    channels: int = 6  # of dense planes
    heard: int = 32
    bands: int = BANDS
    frames: int = 10_000
    code: int = 4
    hidden: int = 64


OFFICIAL = HeadSize()


@dataclass(frozen=True)
class Looks:
    """A point: density (N,), colour (N, 3), how much speech and eyes act there, (N, 1) each.

    uncertainty: (N, 1) >= 0. attention: (N, heard), the factors of the audio feature. N may be
    several dimensions, here and below: rays and samples.
    """

    density: Tensor
    colour: Tensor
    speech_acts: Tensor
    eyes_act: Tensor
    uncertainty: Tensor
    attention: Tensor


class Head(nn.Module):
    """ER-NeRF's head. 587,989 parameters without the torso's codes and anchors.

    Official names: `encoder_xy`, `encoder_yz`, `encoder_xz` of hashed planes; dense planes are
    `planes`.
    """

    def __init__(self, size: HeadSize = OFFICIAL) -> None:
        super().__init__()
        self.size = size
        self.individual_codes = nn.Parameter(0.1 * torch.randn(size.frames, size.code))
        self.audio_net = AudioNet(size.heard, bands=size.bands)
        self.audio_att_net = AudioAttNet()
        if isinstance(size.planes, GridSize):
            self.encoder_xy, self.encoder_yz, self.encoder_xz = (
                HashedGrid(size.planes) for _ in PAIRS
            )
            width = 3 * size.planes.width
        else:
            self.planes = DensePlanes(size.planes, size.channels)
            width = self.planes.width
        hidden = size.hidden
        self.eye_att_net = perceptron(width, 1, 16, 2)
        self.sigma_net = perceptron(width + size.heard + 1, 1 + hidden, hidden, 3)
        self.color_net = perceptron(HARMONICS + hidden + size.code, 3, hidden, 2)
        self.unc_net = perceptron(width, 1, 32, 2)
        self.aud_ch_att_net = perceptron(width, size.heard, 64, 2)
        self.width = width

    def listen(self, windows: Tensor) -> Tensor:
        """windows: (8, 16, bands) of speech around a frame -> (1, heard)."""
        return self.audio_att_net(self.audio_net(windows))[None]  # type: ignore[no-any-return]

    def encoded(self, points: Tensor) -> Tensor:
        """points: (N, 3) in [-1, 1] -> (N, width)."""
        flat = points.reshape(-1, 3)
        if isinstance(self.size.planes, GridSize):
            grids = (self.encoder_xy, self.encoder_yz, self.encoder_xz)
            made = [grid(flat[:, list(pair)]) for grid, pair in zip(grids, PAIRS, strict=True)]
            features = torch.cat(made, dim=-1)
        else:
            features = self.planes(flat)
        return features.view(*points.shape[:-1], self.width)

    def forward(
        self, points: Tensor, directions: Tensor, heard: Tensor, eye: Tensor, code: Tensor
    ) -> Looks:
        """points: (N, 3) in [-1, 1]. directions: (N, 3) of length 1.

        heard: (1 or N, heard). eye: (1 or N, 1), how far the lids are closed. code: (1 or N, C).
        """
        return self.looks(self.encoded(points), directions, heard, eye, code)

    def looks(
        self, features: Tensor, directions: Tensor, heard: Tensor, eye: Tensor, code: Tensor
    ) -> Looks:
        """The same from features, (N, width), of the points."""
        attention, eyes_act = self.gates(features)
        return self.gated(features, directions, heard, eye, code, attention, eyes_act)

    def gates(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """How much speech, (N, heard), and eyes, (N, 1) in [0, 1], act at points."""
        return self.aud_ch_att_net(features), torch.sigmoid(self.eye_att_net(features))

    def gated(
        self,
        features: Tensor,
        directions: Tensor,
        heard: Tensor,
        eye: Tensor,
        code: Tensor,
        attention: Tensor,
        eyes_act: Tensor,
    ) -> Looks:
        """Density and colour, once it is known what acts where."""
        shape = features.shape[:-1]
        hidden = self.sigma_net(torch.cat([features, heard * attention, eye * eyes_act], dim=-1))
        seen_from = harmonics(directions).expand(*shape, -1)
        given = [seen_from, hidden[..., 1:], code.expand(*shape, -1)]
        colour = torch.sigmoid(self.color_net(torch.cat(given, dim=-1)))
        return Looks(
            density=torch.exp(hidden[..., 0].clamp(max=15.0)),
            colour=colour * (1 + 2 * MARGIN) - MARGIN,
            speech_acts=attention.norm(dim=-1, keepdim=True),
            eyes_act=eyes_act,
            uncertainty=functional.softplus(self.unc_net(features.detach())),
            attention=attention,
        )
