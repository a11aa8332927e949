"""The visual quality discriminator: whether the lower half of a face is real or generated.

Sources: Rudrabha/Wav2Lip, models/wav2lip.py, Wav2Lip_disc_qual (layers, state-dict names; FIELD.md,
4.7); doi 10.11896/jsjkx.241200067, section 3.2.2 (instance normalisation between convolution and
leaky ReLU, which Wav2Lip's lacks). The normalisation has no weights, so the names are the same with
and without it. The last two layers cannot have it: their maps have one pixel.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.networks.layers import Stride, scaled

SLOPE = 0.01  # of the leaky ReLU below zero


class _Layer(nn.Module):
    """Convolution, instance normalisation if asked for, leaky ReLU."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        kernel: int,
        stride: Stride = 1,
        padding: int,
        is_normalised: bool,
    ) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, padding))
        if is_normalised:
            self.conv_block.append(nn.InstanceNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return functional.leaky_relu(self.conv_block(x), SLOPE)


class Discriminator(nn.Module):
    """Wav2Lip's discriminator; with all defaults it is the published one, name by name.

    instance_norm: as in the paper. width: scales all channels but those of input and output.
    """

    def __init__(self, *, instance_norm: bool = False, width: float = 1.0) -> None:
        super().__init__()
        c32, c64, c128, c256, c512 = (scaled(c, width) for c in (32, 64, 128, 256, 512))

        def layer(inputs: int, outputs: int, kernel: int, stride: Stride = 1) -> _Layer:
            return _Layer(
                inputs,
                outputs,
                kernel=kernel,
                stride=stride,
                padding=kernel // 2,
                is_normalised=instance_norm,
            )

        self.face_encoder_blocks = nn.ModuleList(
            [
                nn.Sequential(layer(3, c32, 7)),  # 48x96
                nn.Sequential(layer(c32, c64, 5, (1, 2)), layer(c64, c64, 5)),  # 48x48
                nn.Sequential(layer(c64, c128, 5, 2), layer(c128, c128, 5)),  # 24x24
                nn.Sequential(layer(c128, c256, 5, 2), layer(c256, c256, 5)),  # 12x12
                nn.Sequential(layer(c256, c512, 3, 2), layer(c512, c512, 3)),  # 6x6
                nn.Sequential(layer(c512, c512, 3, 2), layer(c512, c512, 3)),  # 3x3
                nn.Sequential(
                    _Layer(c512, c512, kernel=3, padding=0, is_normalised=False),
                    _Layer(c512, c512, kernel=1, padding=0, is_normalised=False),
                ),
            ]
        )
        self.binary_pred = nn.Sequential(nn.Conv2d(c512, 1, 1), nn.Sigmoid())

    def forward(self, faces: Tensor) -> Tensor:
        """The probability that each face is real, (B, 1), or (T * B, 1), time before batch.

        faces: (B, 3, 96, 96), or (B, 3, T, 96, 96), in [0, 1]. Only their lower half is used.
        """
        return torch.sigmoid(self.logits(faces))

    def logits(self, faces: Tensor) -> Tensor:
        """The same before the sigmoid, for losses that are safe in half precision."""
        return self.judged(faces)[0]

    def judged(self, faces: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The logits, and the output of each block."""
        if faces.dim() == 5:
            faces = faces.permute(2, 0, 1, 3, 4).flatten(0, 1)  # (T * B, 3, H, W)
        x = faces[:, :, faces.shape[2] // 2 :]  # (B, 3, H / 2, W)
        seen: list[Tensor] = []
        for block in self.face_encoder_blocks:
            x = block(x)
            seen.append(x)
        score: Tensor = self.binary_pred[0](x)
        return score.flatten(1), seen


def generator_loss(logits_of_made: Tensor) -> Tensor:
    """-log D(generated): the non-saturating form of eq. 13. logits: (B, 1) or (B, 1, h, w)."""
    return functional.softplus(-logits_of_made).mean()


def discriminator_loss(logits_of_real: Tensor, logits_of_made: Tensor) -> Tensor:
    """-log D(real) - log(1 - D(generated)), halved (eq. 14)."""
    real, made = functional.softplus(-logits_of_real), functional.softplus(logits_of_made)
    return 0.5 * (real.mean() + made.mean())
