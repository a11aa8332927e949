"""Channel and spatial attention, in that order.

Source: doi 10.11896/jsjkx.241200067, section 3.1.2, eq. 4-9. Our choices where the paper is silent,
as in the literature: a squeeze factor of 16 and a spatial kernel of 7 by 7. There are at least
eight squeezed channels: 32 channels would get two, whose ReLUs are sometimes both dead from the
start, and then the weights never learn. Unlike CBAM's, the paper's channel attention pools only by
the mean, as eq. 4 says. CBAM, for `ResidualAttention`: Woo et al. 2018, arXiv:1807.06521.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.networks.folding import rectified
from bench.networks.layers import Conv
from methods.wav2lip.variants import AttentionKind

REDUCTION = 16
LEAST = 8  # squeezed channels
KERNEL = 7


class ChannelAttention(nn.Module):
    """Scales each channel by a weight in (0, 1) that depends on the means of all channels.

    has_largest: whether it depends on their largest values, too, by the same layers.
    """

    def __init__(self, channels: int, *, has_largest: bool = False) -> None:
        super().__init__()
        self.has_largest = has_largest
        squeezed = max(LEAST, channels // REDUCTION)
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.expand = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        mean = x.mean(dim=(2, 3), keepdim=True)  # (B, C, 1, 1), eq. 4
        weight = self.expand(torch.relu(self.squeeze(mean)))
        if self.has_largest:
            largest = functional.max_pool2d(x, x.shape[2:])  # amax takes ten times as long
            weight = weight + self.expand(torch.relu(self.squeeze(largest)))
        return x * torch.sigmoid(weight)  # eq. 5


class SpatialAttention(nn.Module):
    """Scales each position by a weight in (0, 1) from the maximum and mean over its channels."""

    def __init__(self) -> None:
        super().__init__()
        self.weigh = nn.Conv2d(2, 1, KERNEL, padding=KERNEL // 2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        largest, mean = x.amax(dim=1, keepdim=True), x.mean(dim=1, keepdim=True)  # eq. 6, 7
        weight = torch.sigmoid(self.weigh(torch.cat([largest, mean], dim=1)))  # eq. 8, 9
        return x * weight


class Attention(nn.Module):
    """Channel attention, spatial attention, one after the other, or the identity."""

    def __init__(self, kind: AttentionKind, channels: int) -> None:
        super().__init__()
        has_channel, has_spatial = kind in ("channel", "both"), kind in ("spatial", "both")
        self.channel = ChannelAttention(channels) if has_channel else nn.Identity()
        self.spatial = SpatialAttention() if has_spatial else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        attended: Tensor = self.spatial(self.channel(x))
        return attended


class ResidualAttention(nn.Module):
    """A residual block whose branch is attended: x + convolution(CBAM(convolution(x))), ReLU.

    Which layers the branch has, and that attention lies between them, is a guess: the abstract of
    arXiv:2602.00189 says "residual CBAM" only.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.before = Conv(channels, channels)
        self.channel = ChannelAttention(channels, has_largest=True)
        self.spatial = SpatialAttention()
        self.after = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        attended = self.spatial(self.channel(self.before(x)))
        return rectified(self.after, attended, plus=x)


def attention(kind: AttentionKind, channels: int) -> nn.Module:
    """The attention of a kind for maps with so many channels, (B, C, H, W) to the same shape."""
    return ResidualAttention(channels) if kind == "residual" else Attention(kind, channels)
