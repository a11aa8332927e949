"""The discriminator of PC-AVS: patches of a picture at two sizes.

Source: Hangz-nju-cuhk/Talking-Face_PC-AVS @ 201d2b9 (CC-BY-4.0), which follows NVlabs/SPADE.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import spectral_norm

from methods.pcavs.widths import scaled

SCALES = 2


class PatchJudge(nn.Module):
    """One size: five layers, all of whose outputs are given (for matching of features)."""

    def __init__(self, *, width: float = 1.0) -> None:
        super().__init__()
        one = scaled(64, width)
        self.model0 = nn.Sequential(nn.Conv2d(3, one, 4, 2, 2), nn.LeakyReLU(0.2))
        self.model1 = _layer(one, 2 * one, stride=2)
        self.model2 = _layer(2 * one, 4 * one, stride=2)
        self.model3 = _layer(4 * one, 8 * one, stride=1)
        self.model4 = nn.Sequential(nn.Conv2d(8 * one, 1, 4, 1, 2))

    def forward(self, x: Tensor) -> list[Tensor]:
        found = []
        for layer in (self.model0, self.model1, self.model2, self.model3, self.model4):
            x = layer(x)
            found.append(x)
        return found


class Judge(nn.Module):
    """netD. 5,527,682 parameters. Trained by hinge losses."""

    def __init__(self, *, width: float = 1.0) -> None:
        super().__init__()
        for scale in range(SCALES):
            self.add_module(f"discriminator_{scale}", PatchJudge(width=width))

    def forward(self, pictures: Tensor) -> list[list[Tensor]]:
        """pictures: (B, 3, H, W) RGB in [-1, 1]. For each size, the outputs of all layers.

        The last of each are the decisions, (B, 1, h, w), above 0 for real.
        """
        found = []
        for judge in self.children():
            found.append(judge(pictures))
            pictures = functional.avg_pool2d(pictures, 3, 2, 1, count_include_pad=False)
        return found


def _layer(entering: int, leaving: int, *, stride: int) -> nn.Sequential:
    conv = spectral_norm(nn.Conv2d(entering, leaving, 4, stride, 2, bias=False))
    return nn.Sequential(nn.Sequential(conv, nn.InstanceNorm2d(leaving)), nn.LeakyReLU(0.2))
