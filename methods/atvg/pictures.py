"""VG-net: one still face and moving landmarks to pictures.

Source: Chen et al., CVPR 2019; lelechen63/ATVGnet @ 02d8f8f, models.py (shapes, state-dict names).

The repository builds its convolutional GRU for (T, B, ...) and feeds it (B, T, ...): the state runs
over the clips of a batch, and with one clip, as in the demo, there is none. `recurrence: none` is
that demo; `time` is what the paper describes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from methods.atvg.layers import ConvolutionalGRU, Recurrence, Residual, convolution, doubling


@dataclass(frozen=True)
class PictureSize:
    """The sizes of VG-net; the defaults are the published ones.

    side: height and width of the pictures, a multiple of 16. points: landmarks. channels: at full,
    half, quarter and eighth of the side (the last also at a sixteenth and in the GRU). squeezed:
    channels that the GRU reads. last: channels before the output. blocks: residual blocks.
    dropout: in them, in training.
    """

    side: int = 128
    points: int = 68
    channels: tuple[int, int, int, int] = (64, 128, 256, 512)
    squeezed: int = 128
    last: int = 32
    blocks: int = 9
    dropout: float = 0.5


OFFICIAL_PICTURES = PictureSize()
SMALL_PICTURES = PictureSize(
    side=96, channels=(16, 32, 64, 80), squeezed=32, last=16, blocks=2, dropout=0.0
)


class Seen(NamedTuple):
    """What VG-net encodes before its memory.

    squeezed: (B, T, squeezed, S/16, S/16), the GRU's input. attention: (B, T, 1, S/4, S/4) in
    [0, 1], where the landmarks ask for a change. still: (B, C, S/4, S/4), the picture's features.
    """

    squeezed: Tensor
    attention: Tensor
    still: Tensor


class Painted(NamedTuple):
    """Pictures, and what they are made of.

    pictures, colour: (B, T, 3, S, S) in [-1, 1]. attention: (B, T, 1, S, S) in [0, 1], the share of
    `colour`; the rest is the still. landmark_attention: (B, T, 1, S/4, S/4) in [0, 1].
    """

    pictures: Tensor
    colour: Tensor
    attention: Tensor
    landmark_attention: Tensor


class LandmarksToPictures(nn.Module):
    """`VG_net` of the repository, name by name; 58,355,781 parameters at the published size."""

    def __init__(
        self, size: PictureSize = OFFICIAL_PICTURES, *, recurrence: Recurrence = "none"
    ) -> None:
        super().__init__()
        if size.side % 16:
            raise ValueError(f"side must be a multiple of 16, got {size.side}")
        c64, c128, c256, c512 = size.channels
        self.recurrence = recurrence
        self.map_side = size.side // 16
        self.image_encoder1 = nn.Sequential(
            nn.ReflectionPad2d(3),
            convolution(3, c64, kernel=7, padding=0, norm=True),
            convolution(c64, c64, stride=2, norm=True),
            convolution(c64, c128, stride=2, norm=True),
        )
        self.image_encoder2 = nn.Sequential(
            convolution(c128, c256, stride=2, norm=True),
            convolution(c256, c512, stride=2, norm=True),
        )
        self.landmark_encoder = nn.Sequential(
            nn.Linear(2 * size.points, self.map_side**2), nn.ReLU()
        )
        self.landmark_encoder_stage2 = nn.Sequential(convolution(1, c256, norm=True))
        self.lmark_att = nn.Sequential(
            *doubling(2 * c256, c256, bias=True),
            *doubling(c256, c128, bias=True),
            nn.Sequential(nn.Conv2d(c128, 1, 3, 1, 1), nn.Sigmoid()),
        )
        self.lmark_feature = nn.Sequential(convolution(c256, c512, norm=True))
        self.generator1 = nn.Sequential(
            *(Residual(c512, dropout=size.dropout) for _ in range(size.blocks)),
            *doubling(c512, c256),
            *doubling(c256, c128),
        )
        self.base = nn.Sequential(*doubling(c128, c64), *doubling(c64, size.last))
        self.generator_color = nn.Sequential(nn.Conv2d(size.last, 3, 7, 1, 3), nn.Tanh())
        self.generator_attention = nn.Sequential(nn.Conv2d(size.last, 1, 7, 1, 3), nn.Sigmoid())
        self.bottle_neck = nn.Sequential(convolution(2 * c512, size.squeezed, norm=True))
        self.convGRU = ConvolutionalGRU(size.squeezed, c512)

    def forward(self, still: Tensor, landmarks: Tensor, example: Tensor) -> Painted:
        """The pictures of every frame.

        still: (B, 3, S, S) in [-1, 1], RGB. landmarks: (B, T, 2 P) as `landmarks.normalised`.
        example: (B, 2 P), the landmarks of the still.
        """
        seen = self.see(still, landmarks, example)
        return self.paint(still, seen, self.convGRU(seen.squeezed, self.recurrence))

    def see(self, still: Tensor, landmarks: Tensor, example: Tensor) -> Seen:
        """What comes before the memory; arguments as for `forward`."""
        batch, frames = landmarks.shape[:2]
        first = self.image_encoder1(still)
        picture = self.image_encoder2(first)
        shape = self._shape(landmarks.flatten(0, 1))
        known = self._shape(example)
        known_feature = self.lmark_feature(known).repeat_interleave(frames, dim=0)
        attention = self.lmark_att(
            torch.cat([shape, known.repeat_interleave(frames, dim=0)], dim=1)
        )
        squeezed = self.bottle_neck(
            torch.cat(
                [
                    picture.repeat_interleave(frames, dim=0),
                    self.lmark_feature(shape) - known_feature,
                ],
                dim=1,
            )
        )
        apart = (batch, frames)
        return Seen(squeezed.unflatten(0, apart), attention.unflatten(0, apart), first)

    def paint(self, still: Tensor, seen: Seen, remembered: Tensor) -> Painted:
        """The pictures from the GRU's output (B, T, C, S/16, S/16)."""
        batch, frames = remembered.shape[:2]
        share = seen.attention.flatten(0, 1)
        moved = self.generator1(remembered.flatten(0, 1))
        kept = seen.still.repeat_interleave(frames, dim=0)
        before = self.base(kept * (1 - share) + moved * share)
        colour, mask = self.generator_color(before), self.generator_attention(before)
        pictures = mask * colour + (1 - mask) * still.repeat_interleave(frames, dim=0)
        pictures, colour, mask = (
            each.unflatten(0, (batch, frames)) for each in (pictures, colour, mask)
        )
        return Painted(pictures, colour, mask, seen.attention)

    def _shape(self, landmarks: Tensor) -> Tensor:
        """Landmarks (B, 2 P) as a map, (B, C, S/16, S/16)."""
        flat = self.landmark_encoder(landmarks)
        encoded: Tensor = self.landmark_encoder_stage2(
            flat.reshape(-1, 1, self.map_side, self.map_side)
        )
        return encoded
