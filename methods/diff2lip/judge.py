"""The sequential discriminator: whether five mouths in a row are real, patch by patch.

Sources: Mukhopadhyay et al., arXiv:2308.09716 (it sees five frames together); Isola et al. 2017,
arXiv:1611.07004 (patches); Miyato et al. 2018, arXiv:1802.05957 (spectral normalisation, hinge).
The authors published neither its layers nor its weights: all but the five frames is our guess.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from bench.networks.sync_expert import WINDOW

SLOPE = 0.2  # of the leaky ReLU below zero


class SequenceJudge(nn.Module):
    """Four convolutions; every patch of 46 pixels gets a decision. width: channels of the first."""

    def __init__(self, *, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3 * WINDOW
        for multiplier in (1, 2, 4):
            made = multiplier * width
            layers += [
                spectral_norm(nn.Conv2d(channels, made, 4, 2, 1)),
                nn.LeakyReLU(SLOPE),
            ]
            channels = made
        self.layers = nn.Sequential(*layers, spectral_norm(nn.Conv2d(channels, 1, 4, 1, 1)))

    def forward(self, mouths: Tensor) -> Tensor:
        """Decisions (B, 1, h, w), above 0 for real, of windows (B, 15, H, W) in [0, 1]."""
        found: Tensor = self.layers(2.0 * mouths - 1.0)
        return found


def judge_loss(real: Tensor, made: Tensor) -> Tensor:
    """The judge's hinge loss, halved."""
    return 0.5 * (functional.relu(1.0 - real).mean() + functional.relu(1.0 + made).mean())


def fooling_loss(made: Tensor) -> Tensor:
    """The hinge loss of what made the mouths."""
    return -made.mean()
