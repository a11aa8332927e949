"""AD-NeRF in small: its ears, and a field of its own class or of dense planes."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from methods.adnerf.field import Field, FieldSize
from methods.adnerf.rendering import Sampling, rendered
from methods.radiance.codes import octaves, octaves_width
from methods.radiance.learning import Portrait
from methods.radiance.planes import DensePlanes
from methods.radiance.rays import Rays
from methods.radiance.speech_networks import AudioAttNet, AudioNet
from methods.radiance.volume import Integral

HEARD = 32
SMALL = FieldSize(HEARD, depth=5, width=96, again_after=2, views=1, position=7, direction=2)
CELLS, CHANNELS, HIDDEN, DIRECTION = (24, 48, 96), 6, 64, 2
FIRST_DENSITY = 1.0  # before the softplus: a field that starts as fog does not stay transparent
PLANES_RATE = 5.0  # times the networks' rate

FieldKind = Literal["mlp", "planes"]


class PlaneField(nn.Module):
    """The same as Field, from dense planes, with speech gated channel by channel where a point is.

    ER-NeRF's head in small, without eyes and codes of frames.
    """

    def __init__(self) -> None:
        super().__init__()
        self.planes = DensePlanes(CELLS, CHANNELS)
        width = self.planes.width
        self.gate = nn.Linear(width, HEARD)
        self.density = nn.Sequential(
            nn.Linear(width + HEARD, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU()
        )
        self.alpha_linear = nn.Linear(HIDDEN, 1)
        self.colour = nn.Sequential(
            nn.Linear(HIDDEN + octaves_width(3, DIRECTION), HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 3)
        )

    def forward(self, points: Tensor, directions: Tensor, signal: Tensor) -> Tensor:
        features = self.planes(points)
        heard = signal * self.gate(features)
        hidden = self.density(torch.cat([features, heard], dim=-1))
        seen = torch.cat([hidden, octaves(directions, DIRECTION)], dim=-1)
        return torch.cat([self.colour(seen), self.alpha_linear(hidden)], dim=-1)


class SmallPortrait(Portrait):
    """A person's head. About 110,000 numbers as "mlp", 290,000 as "planes".

    The density is softplus, not ReLU, and 0 outside the coordinates [-1, 1].
    """

    def __init__(self, field: FieldKind, samples: int) -> None:
        super().__init__()
        self.audio_net = AudioNet(HEARD)
        self.audio_att_net = AudioAttNet()
        self.guess = nn.Linear(HEARD, 1)
        self.field: nn.Module = Field(SMALL) if field == "mlp" else PlaneField()
        nn.init.constant_(self.field.alpha_linear.bias, FIRST_DENSITY)
        self.register_buffer("background", torch.zeros(3))
        self.samples = samples

    def listen(self, heard: Tensor, *, is_smoothed: bool) -> Tensor:
        count, windows = heard.shape[:2]
        if not is_smoothed:
            return self.audio_net(heard[:, windows // 2])  # type: ignore[no-any-return]
        every = self.audio_net(heard.flatten(0, 1)).view(count, windows, HEARD)
        return self.audio_att_net(every)  # type: ignore[no-any-return]

    def look(
        self, rays: Rays, signal: Tensor, near: Tensor, far: Tensor, random: torch.Generator | None
    ) -> Integral:
        background = self.background.expand(len(signal), 3)
        sampling = Sampling(near, far, self.samples, 0)
        made = rendered(rays, background, signal, sampling, coarse=self._seen, random=random)
        return made.fine

    def opening(self, signal: Tensor) -> Tensor:
        return self.guess(signal)[:, 0]  # type: ignore[no-any-return]

    def groups(self, rate: float) -> list[dict[str, object]]:
        planes = [each for name, each in self.named_parameters() if ".planes." in name]
        others = [each for name, each in self.named_parameters() if ".planes." not in name]
        groups: list[dict[str, object]] = [{"params": others, "lr": rate}]
        return groups + ([{"params": planes, "lr": PLANES_RATE * rate}] if planes else [])

    def _seen(self, points: Tensor, directions: Tensor, signal: Tensor) -> Tensor:
        raw = self.field(points, directions, signal)
        is_inside = (points.abs() <= 1).all(-1, keepdim=True)
        return torch.cat([raw[:, :3], functional.softplus(raw[:, 3:]) * is_inside], dim=-1)
