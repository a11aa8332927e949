"""The generator of PC-AVS: StyleGAN2's synthesis from an identity's 7x7 map to 224x224.

Sources: Hangz-nju-cuhk/Talking-Face_PC-AVS @ 201d2b9 (CC-BY-4.0); Karras et al., CVPR 2020. The
modulation scales what enters a convolution and normalises what leaves it, which equals scaling each
sample's weights, without a grouped convolution over the batch.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

STYLE = 2560  # 2048 of the identity, 500 of the mouth, 12 of the pose
START = 7  # the side of the map where it begins
CHANNELS = (512, 512, 512, 512, 256, 128)  # at sides 7, 14, 28, 56, 112, 224
MAPPINGS = 8  # layers of StyleGAN2's mapping network, which PC-AVS never uses
MAPPING_RATE = 0.01


class StyleLinear(nn.Module):
    """A linear layer that scales its weights by 1 / sqrt(inputs) each time."""

    def __init__(
        self, entering: int, leaving: int, *, bias: float = 0.0, rate: float = 1.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(leaving, entering) / rate)
        self.bias = nn.Parameter(torch.full((leaving,), bias))
        self.scale = rate / math.sqrt(entering)
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight * self.scale, self.bias * self.rate)


class Blur(nn.Module):
    """[1, 3, 3, 1] in both directions, of sum 4: it follows an enlarging by zeros."""

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        line = torch.tensor([1.0, 3.0, 3.0, 1.0])
        self.register_buffer("kernel", torch.outer(line, line) / 16.0)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, 2H + 1, 2W + 1) of a transposed convolution -> (B, C, 2H, 2W)."""
        kernel = self.kernel.expand(x.shape[1], 1, 4, 4)
        return functional.conv2d(x, kernel, padding=1, groups=x.shape[1])


class Doubling(Blur):
    """A picture at twice its size: zeros between the pixels, then the blur."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, 2H, 2W)."""
        kernel = self.kernel.expand(x.shape[1], 1, 4, 4)
        return functional.conv_transpose2d(x, kernel, stride=2, padding=1, groups=x.shape[1])


class ModulatedConv(nn.Module):
    """A convolution whose input channels the style scales.

    is_doubling: at twice the size. is_normalised: then every output channel is divided by the norm
    of its scaled weights, as if its inputs had variance 1.
    """

    def __init__(
        self,
        entering: int,
        leaving: int,
        size: int,
        *,
        style: int,
        is_doubling: bool = False,
        is_normalised: bool = True,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, leaving, entering, size, size))
        if is_doubling:
            self.blur = Blur()
        self.modulation = StyleLinear(style, entering, bias=1.0)
        self.scale = 1.0 / math.sqrt(entering * size * size)
        self.is_doubling, self.is_normalised = is_doubling, is_normalised
        self.padding = size // 2

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """x: (B, entering, H, W). style: (B, style)."""
        weight = self.weight[0] * self.scale
        factors = self.modulation(style)  # (B, entering)
        x = x * factors[:, :, None, None]
        if self.is_doubling:
            x = self.blur(functional.conv_transpose2d(x, weight.transpose(0, 1), stride=2))
        else:
            x = functional.conv2d(x, weight, padding=self.padding)
        if self.is_normalised:
            norms = factors.square() @ weight.square().sum((2, 3)).T + 1e-8  # (B, leaving)
            x = x * norms.rsqrt()[:, :, None, None]
        return x


class Noise(nn.Module):
    """Adds noise, the same to all channels, by a learned amount."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        return x + self.weight * noise


class Activation(nn.Module):
    """A bias, then leaky ReLU, scaled to keep the variance."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return functional.leaky_relu(x + self.bias, 0.2) * math.sqrt(2.0)


class StyledConv(nn.Module):
    """A modulated convolution, noise, activation."""

    def __init__(self, entering: int, leaving: int, *, style: int, is_doubling: bool) -> None:
        super().__init__()
        self.conv = ModulatedConv(entering, leaving, 3, style=style, is_doubling=is_doubling)
        self.noise = Noise()
        self.activate = Activation(leaving)

    def forward(self, x: Tensor, style: Tensor, noise: Tensor) -> Tensor:
        return self.activate(self.noise(self.conv(x, style), noise))  # type: ignore[no-any-return]


class ToPicture(nn.Module):
    """A picture from features, added to the smaller picture before it."""

    def __init__(self, channels: int, *, style: int, is_first: bool) -> None:
        super().__init__()
        if not is_first:
            self.upsample = Doubling()
        self.conv = ModulatedConv(channels, 3, 1, style=style, is_normalised=False)
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))

    def forward(self, x: Tensor, style: Tensor, before: Tensor | None) -> Tensor:
        picture = self.conv(x, style) + self.bias
        return picture if before is None else picture + self.upsample(before)  # type: ignore[no-any-return]


class Constant(nn.Module):
    """StyleGAN2's learned start, used only where no identity's map is given."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.input = nn.Parameter(torch.randn(1, channels, side, side))


class Generator(nn.Module):
    """netG. 89,570,205 parameters, of which `style` (52,449,280) is never used.

    channels: at the start's side and at each doubling; style: the length of the style vector.
    """

    def __init__(
        self, *, channels: tuple[int, ...] = CHANNELS, style: int = STYLE, start: int = START
    ) -> None:
        super().__init__()
        mappings = (StyleLinear(style, style, rate=MAPPING_RATE) for _ in range(MAPPINGS))
        self.style = nn.Sequential(nn.Identity(), *mappings)  # not used
        self.input = Constant(channels[0], start)
        self.conv1 = StyledConv(channels[0], channels[0], style=style, is_doubling=False)
        self.to_rgb1 = ToPicture(channels[0], style=style, is_first=True)
        self.convs = nn.ModuleList()
        self.to_rgbs = nn.ModuleList()
        self.noises = nn.Module()
        self.noises.register_buffer("noise_0", torch.randn(1, 1, start, start))
        for level, (entering, leaving) in enumerate(pairwise(channels)):
            self.convs.append(StyledConv(entering, leaving, style=style, is_doubling=True))
            self.convs.append(StyledConv(leaving, leaving, style=style, is_doubling=False))
            self.to_rgbs.append(ToPicture(leaving, style=style, is_first=False))
            side = start * 2 ** (level + 1)
            for number in (2 * level + 1, 2 * level + 2):
                self.noises.register_buffer(f"noise_{number}", torch.randn(1, 1, side, side))

    def forward(
        self, style: Tensor, start: Tensor | None = None, *, random: torch.Generator | None = None
    ) -> Tensor:
        """Pictures (B, 3, 224, 224), RGB in [-1, 1].

        style: (B, 2560). start: (B, 512, 7, 7), the identity's map; without it, the learned
        constant. random: draws new noise for every picture, as the official program does; without
        it, the noise stored with the weights is used, so that a picture depends on its inputs only.
        """
        noises = self._noises(len(style), random)
        x = self.input.input.expand(len(style), -1, -1, -1) if start is None else start
        x = self.conv1(x, style, noises[0])
        picture = self.to_rgb1(x, style, None)
        for level, to_picture in enumerate(self.to_rgbs):
            x = self.convs[2 * level](x, style, noises[2 * level + 1])
            x = self.convs[2 * level + 1](x, style, noises[2 * level + 2])
            picture = to_picture(x, style, picture)
        return torch.tanh(picture)

    def _noises(self, pictures: int, random: torch.Generator | None) -> list[Tensor]:
        stored = list(self.noises.buffers())
        if random is None:
            return stored
        return [
            torch.randn((pictures, *noise.shape[1:]), generator=random).to(noise.device)
            for noise in stored
        ]
