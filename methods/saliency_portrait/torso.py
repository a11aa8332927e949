"""The torso as a picture that follows the head's pose: by ER-NeRF's grid, or from a reference.

Source: Fictionarry/ER-NeRF @ 0cf72d8 (`forward_torso`). The torso from a reference frame is a guess
at what the region-saliency paper does, of which only the abstract is public.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from methods.radiance.codes import octaves, octaves_width
from methods.saliency_portrait.hashed_grid import TORSO_PLANE, GridSize, HashedGrid
from methods.saliency_portrait.head import MARGIN, perceptron

SHRINK = 0.8  # places of pixels, so that shifted ones still lie in the plane
PLACE, POSE = 8, 3  # octaves
ANCHORS = ((0.01, 0.01, 0.1, 1.0), (-0.1, -0.1, 0.1, 1.0), (0.1, -0.1, 0.1, 1.0))
GIVEN = octaves_width(2, PLACE) + octaves_width(6, POSE)


@dataclass(frozen=True)
class Torso:
    """alpha: (N, 1). colour: (N, 3). shift: (N, 2), of the places that were looked up."""

    alpha: Tensor
    colour: Tensor
    shift: Tensor


class TorsoByGrid(nn.Module):
    """ER-NeRF's torso. 1,199,692 parameters, of which 80,000 are codes of frames.

    frames: of the recording, each with a code of its own.
    """

    def __init__(
        self, size: GridSize = TORSO_PLANE, *, frames: int = 10_000, code: int = 8
    ) -> None:
        super().__init__()
        self.individual_codes_torso = nn.Parameter(0.1 * torch.randn(frames, code))
        self.anchor_points = nn.Parameter(torch.tensor(ANCHORS))
        self.torso_deform_net = perceptron(GIVEN + code, 2, 32, 3)
        self.torso_encoder = HashedGrid(size)
        self.torso_net = perceptron(size.width + GIVEN + code, 4, 32, 3)

    def forward(self, places: Tensor, pose: Tensor, code: Tensor) -> Torso:
        """places: (N, 2) x y of pixels in [-1, 1]. pose: (4, 4) or (N, 4, 4). code: (1 or N, C)."""
        given = _given(places, pose_code(self.anchor_points, pose), code)
        shift = self.torso_deform_net(given)
        looked_up = (SHRINK * places + shift).clamp(-1, 1)
        return _torso(self.torso_net(torch.cat([self.torso_encoder(looked_up), given], -1)), shift)


class TorsoByReference(nn.Module):
    """A torso that takes colour and shape from a reference frame of the person.

    Guess: a small encoder of the reference frame, whose features are read where the shift network
    says. Everything else is ER-NeRF's.
    """

    def __init__(self, *, frames: int, code: int = 8, channels: int = 16) -> None:
        super().__init__()
        self.individual_codes_torso = nn.Parameter(0.1 * torch.randn(frames, code))
        self.anchor_points = nn.Parameter(torch.tensor(ANCHORS))
        self.encoder = nn.Sequential(
            nn.Conv2d(3, channels, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, 1, 1),
        )
        self.torso_deform_net = perceptron(GIVEN + code, 2, 32, 3)
        self.torso_net = perceptron(channels + 3 + GIVEN + code, 4, 32, 3)

    def forward(self, places: Tensor, pose: Tensor, code: Tensor, reference: Tensor) -> Torso:
        """As TorsoByGrid; reference: (3, H, W) in [0, 1], of which pixels are in [-1, 1], too."""
        given = _given(places, pose_code(self.anchor_points, pose), code)
        shift = self.torso_deform_net(given)
        at = (places + shift).clamp(-1, 1)[None, None]
        picture = reference[None]
        found = [
            functional.grid_sample(each, at, align_corners=False, padding_mode="border")[0, :, 0].T
            for each in (self.encoder(picture), picture)
        ]
        return _torso(self.torso_net(torch.cat([*found, given], -1)), shift)


def pose_code(anchors: Tensor, pose: Tensor) -> Tensor:
    """Where the head carries three points, in octaves, (1 or N, 42).

    anchors: (3, 4). pose: (4, 4) or (N, 4, 4), camera to world.
    """
    carried = anchors @ torch.linalg.inv(pose).mT  # (3, 4) or (N, 3, 4)
    seen = carried[..., :2] / carried[..., 3:] / carried[..., 2:3]
    return octaves(seen.reshape(-1, 6), POSE)


def _given(places: Tensor, pose: Tensor, code: Tensor) -> Tensor:
    count = len(places)
    shrunk = octaves(SHRINK * places, PLACE)
    return torch.cat([shrunk, pose.expand(count, -1), code.expand(count, -1)], dim=-1)


def _torso(raw: Tensor, shift: Tensor) -> Torso:
    made = torch.sigmoid(raw) * (1 + 2 * MARGIN) - MARGIN
    return Torso(made[:, :1], made[:, 1:], shift)
