"""PC-AVS in small: the same parts and the same flow at 96x96, for training on two cores.

Not the authors': of the published networks only the plan is kept (see README.md for each part). A
picture begins at the identity's 6x6 map, and every later layer knows the style only: what identity,
speech and pose say in 192 numbers.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.networks.layers import Conv
from methods.pcavs.identity import Identity
from methods.pcavs.mel import COLUMNS

SIDE = 96  # pixels of all pictures
VECTOR, MOUTH, POSE = 96, 84, 12  # of the style
STYLE = VECTOR + MOUTH + POSE
HEARD = 128  # numbers that the speech encoder gives
CHANNELS = (96, 96, 64, 48, 24)  # of the generator, at sides 6, 12, 24, 48, 96
COLOURS = 3
MOST = 0.95  # of a colour, so that its inverse hyperbolic tangent stays small
# Rows and columns of a picture in which the mouth lies: hidden where the pose is looked at.
MOUTH_REGION = (slice(48, 84), slice(27, 69))


class SmallIdentityEncoder(nn.Module):
    """Who is in a picture. vector: (B, 96). map: (B, 99, 6, 6), the last three its mean colours."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(*_halving(3, 16, 32, 64, VECTOR), Conv(VECTOR, VECTOR))
        self.to_map = nn.Conv2d(VECTOR, CHANNELS[0], 1)

    def forward(self, pictures: Tensor) -> Identity:
        """pictures: (B, 3, 96, 96) RGB in [-1, 1]."""
        features = self.encoder(pictures)
        colours = functional.adaptive_avg_pool2d(pictures, features.shape[2:])
        return Identity(features.mean((2, 3)), torch.cat([self.to_map(features), colours], 1))


class SmallSpeechEncoder(nn.Module):
    """What the mouth says, from sound."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(*_halving(1, 16, 32, 64, HEARD))  # 80x20 to 5x2
        rows, columns = 80 // 16, -(-COLUMNS // 16)
        self.to_feature = nn.Linear(HEARD * rows * columns, HEARD)

    def forward(self, windows: Tensor) -> Tensor:
        """windows: (B, 1, 80, 20) in [0, 1] (`mel.windows`) -> (B, 128)."""
        return self.to_feature(self.encoder(windows).flatten(1))  # type: ignore[no-any-return]


class SmallPoseEncoder(nn.Module):
    """How a head is held, in 12 numbers. It never sees the mouth (MOUTH_REGION)."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(*_halving(3, 16, 32, 64, 96, 96))  # to 3x3
        self.to_pose = nn.Sequential(nn.Linear(96 * 9, 64), nn.ReLU(), nn.Linear(64, POSE))

    def forward(self, pictures: Tensor) -> Tensor:
        """pictures: (B, 3, 96, 96) RGB in [-1, 1] -> (B, 12)."""
        return self.to_pose(self.encoder(mouth_hidden(pictures)).flatten(1))  # type: ignore[no-any-return]


class StyledConv(nn.Module):
    """A 3x3 convolution whose input channels the style scales, normalised, then leaky ReLU.

    Every output channel is divided by the norm of its scaled weights, as if its inputs had variance
    1. This runs in float32: half precision is too coarse for it. is_doubling: at twice the size,
    bilinearly, after the scaling, which has fewer pixels to go through there.
    """

    def __init__(self, entering: int, leaving: int, *, is_doubling: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(leaving, entering, 3, 3) / (9 * entering) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(leaving))
        self.to_scales = nn.Linear(STYLE, entering)
        self.is_doubling = is_doubling

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """x: (B, entering, H, W). style: (B, 192) -> (B, leaving, H, W), or 2H and 2W."""
        with torch.autocast(x.device.type, enabled=False):
            scales = 1.0 + self.to_scales(style.float())  # (B, entering)
            squares = self.weight.float().square().sum((2, 3))  # (leaving, entering)
            # The square root of 2 keeps the variance; leaky ReLU lets it through.
            norms = (2.0 / (scales.square() @ squares.T + 1e-8)).sqrt()  # (B, leaving)
            bias = 2.0**0.5 * self.bias.float()
        x = x * scales[:, :, None, None].to(x.dtype)
        if self.is_doubling:
            x = functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        y = functional.conv2d(x, self.weight, padding=1)
        y = torch.addcmul(bias[:, None, None].to(y.dtype), y, norms[:, :, None, None].to(y.dtype))
        return functional.leaky_relu_(y, 0.2)


class SmallGenerator(nn.Module):
    """From the identity's map to a picture; bilinear doubling, no noise, colours at the end.

    It paints over the still's mean colours, 6x6 of them, as the published one adds pictures of all
    sides from 7x7 on; so faces and rooms that no training showed have their colours.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first = StyledConv(CHANNELS[0] + COLOURS, CHANNELS[0])
        self.doubled = nn.ModuleList(
            StyledConv(a, b, is_doubling=True) for a, b in pairwise(CHANNELS)
        )
        self.further = nn.ModuleList(StyledConv(b, b) for b in CHANNELS[1:])
        self.to_colours = nn.Conv2d(CHANNELS[-1], COLOURS, 1)
        nn.init.normal_(self.to_colours.weight, std=0.02)  # nearly the mean colours at first

    def forward(self, style: Tensor, start: Tensor) -> Tensor:
        """style: (B, 192). start: (B, 99, 6, 6). Pictures (B, 3, 96, 96), RGB in [-1, 1]."""
        x = self.first(start, style)
        for doubled, further in zip(self.doubled, self.further, strict=True):
            x = further(doubled(x, style), style)
        below = torch.atanh(MOST * start[:, -COLOURS:].float())
        size = x.shape[2:]
        below = functional.interpolate(below, size, mode="bilinear", align_corners=False)
        return torch.tanh(below + self.to_colours(x).float())


class SmallNetworks(nn.Module):
    """All that generates: it takes and gives what `networks.Networks` does, at 96x96."""

    def __init__(self) -> None:
        super().__init__()
        self.identity = SmallIdentityEncoder()
        self.speech = SmallSpeechEncoder()
        self.face = SmallPoseEncoder()
        self.to_mouth = nn.Sequential(nn.ReLU(), nn.Linear(HEARD, MOUTH))
        self.generator = SmallGenerator()

    def who(self, still: Tensor) -> Identity:
        """still: (B, 3, 96, 96) RGB in [-1, 1]. Once for a video."""
        return self.identity(still)  # type: ignore[no-any-return]

    def pictures(
        self, who: Identity, windows: Tensor, poses: Tensor, *, mouth_weight: float = 1.0
    ) -> Tensor:
        """Pictures (B, 3, 96, 96), RGB in [-1, 1], for B frames.

        who: of one video, or (B, ..) of each frame's. windows: (B, 1, 80, 20), what each frame
        hears. poses: (B or 1, 3, 96, 96) RGB in [-1, 1]. mouth_weight: what the speech feature is
        multiplied by.
        """
        frames = len(windows)
        mouth = self.to_mouth(mouth_weight * self.speech(windows))
        pose = self.face(poses).expand(frames, -1)
        style = torch.cat([who.vector.expand(frames, -1), mouth, pose], 1)
        return self.generator(style, who.map.expand(frames, -1, -1, -1))  # type: ignore[no-any-return]

    def forward(self, stills: Tensor, owners: Tensor, windows: Tensor, poses: Tensor) -> Tensor:
        """In training: stills (D, 3, 96, 96); owners (B,), which still each frame's person has."""
        who = self.who(stills)
        each = Identity(who.vector[owners], who.map[owners])
        return self.pictures(each, windows, poses)


def mouth_hidden(pictures: Tensor) -> Tensor:
    """The pictures (B, 3, 96, 96) with a grey mouth."""
    hidden = pictures.clone()
    hidden[:, :, MOUTH_REGION[0], MOUTH_REGION[1]] = 0.0
    return hidden


def _halving(*channels: int) -> list[nn.Module]:
    """Layers that halve height and width, rounded up."""
    return [Conv(entering, leaving, stride=2) for entering, leaving in pairwise(channels)]
