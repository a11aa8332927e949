"""AD-NeRF's head at the official size: two fields, of which the second sees where the first saw.

Source: YudongGuo/AD-NeRF @ 9fdcd7e. The box, the speech and the rays drawn are this project's.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from methods.adnerf.field import HEAD, Field
from methods.adnerf.portrait import HearingPortrait
from methods.adnerf.rendering import Sampling, rendered
from methods.radiance.rays import Rays
from methods.radiance.volume import Integral

HEARD = 64
RATE = 0.25  # of the small portrait's: 5e-4, the official one
FINE = 2  # samples of the second look, for each of the first: 64 and 128


@dataclass(frozen=True)
class TwoLooks(Integral):
    """The second look at N rays. first: (N, 3), the colours of the first."""

    first: Tensor


class OfficialPortrait(HearingPortrait):
    """1,358,258 parameters: two fields, AudioNet, AudioAttNet, and the guess of the opening.

    samples: of a ray's first look; the second has twice as many more.
    """

    def __init__(self, samples: int) -> None:
        super().__init__(HEARD)
        self.coarse, self.fine = Field(HEAD), Field(HEAD)
        self.register_buffer("background", torch.zeros(3))
        self.samples = samples

    def look(
        self, rays: Rays, signal: Tensor, near: Tensor, far: Tensor, random: torch.Generator | None
    ) -> TwoLooks:
        background = self.background.expand(len(signal), 3)
        sampling = Sampling(near, far, self.samples, FINE * self.samples)
        made = rendered(
            rays, background, signal, sampling, coarse=self.coarse, fine=self.fine, random=random
        )
        return TwoLooks(**vars(made.fine), first=made.coarse.colour)

    def loss(self, seen: Integral, target: Tensor, share: float) -> Tensor:
        """The squared errors of both looks."""
        assert isinstance(seen, TwoLooks)
        return super().loss(seen, target, share) + functional.mse_loss(seen.first, target)

    def groups(self, rate: float) -> list[dict[str, object]]:
        unused = {id(each.feature_linear) for each in (self.coarse, self.fine)}
        parts = [part for part in self.modules() if id(part) not in unused]
        used = [each for part in parts for each in part.parameters(recurse=False)]
        return [{"params": used, "lr": RATE * rate}]
