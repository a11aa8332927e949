"""The generator's losses on pixels. All take faces (B, 3, 96, 96) float in [0, 1].

Sources: doi 10.11896/jsjkx.241200067, eq. 10-15 (L1, adversarial); Denton et al. 2015, "Deep
generative image models using a Laplacian pyramid" (the bands of `pyramid_loss`); Karras et al.
2020, doi 10.1109/CVPR42600.2020.00813, section 2 (why normalised decoders grow `Peaks`).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.networks.face_crops import SIZE

# Rows and columns of the mouth in a 96x96 face, as the harness's tracks place it (measured on all
# three corpora: 19..79, 48..86).
MOUTH = (slice(50, 90), slice(20, 76))


def weights_map(lower: float, mouth: float, device: torch.device) -> Tensor:
    """The weight of each pixel, (96, 96), 1 on average: the lower half and the mouth count more.

    lower, mouth: weights relative to the upper half's.
    """
    counted = torch.ones(SIZE, SIZE, device=device)
    counted[SIZE // 2 :] = lower
    counted[MOUTH] = mouth
    return counted / counted.mean()


def moved_map(target: Tensor, reference: Tensor, moved: float) -> Tensor:
    """Pixel weights that grow with the difference from the reference face, (B, 1, 96, 96).

    Their average is 1. moved: what a difference of the whole range adds to 1. An open mouth counts
    more if the reference shows it shut, so that copying the reference costs more.
    """
    change = (target - reference).abs().mean(dim=1, keepdim=True)
    near = functional.avg_pool2d(change, 5, stride=1, padding=2, count_include_pad=False)
    counted = 1.0 + moved * near
    return counted / counted.mean()


def reconstruction_loss(made: Tensor, target: Tensor, counted: Tensor) -> Tensor:
    """Mean absolute difference (eq. 10), weighted by `counted`, (H, W) or (B, 1, H, W)."""
    return ((made - target).abs() * counted).mean()


def pyramid_loss(made: Tensor, target: Tensor, *, levels: int = 3) -> Tensor:
    """Mean absolute difference of the lower halves' Laplacian bands, so that edges count."""
    a, b = made[:, :, SIZE // 2 :], target[:, :, SIZE // 2 :]
    total = torch.zeros((), device=made.device)
    for _ in range(levels):
        small_a, small_b = functional.avg_pool2d(a, 2), functional.avg_pool2d(b, 2)
        band_a = a - functional.interpolate(small_a, scale_factor=2.0, mode="bilinear")
        band_b = b - functional.interpolate(small_b, scale_factor=2.0, mode="bilinear")
        total = total + (band_a - band_b).abs().mean()
        a, b = small_a, small_b
    return total


class Peaks:
    """Measures by how much the outputs of some blocks exceed `limit`.

    With layers that are normalised by their own statistics, a decoder may learn very large values
    at one position, which set the scale of all others. On faces unlike those of the training, a
    coloured patch appears there.
    """

    limit = 10.0  # the encoder has no such position, and its largest values are 9

    def __init__(self, blocks: Iterable[nn.Module]) -> None:
        self._beyond: list[Tensor] = []
        for block in blocks:
            block.register_forward_hook(self._note)

    def taken(self) -> Tensor:
        """The mean excess of each block since the last call, summed."""
        total = torch.stack(self._beyond).sum()
        self._beyond.clear()
        return total

    def _note(self, _block: nn.Module, _inputs: object, output: Tensor) -> None:
        self._beyond.append(functional.relu(output.float().abs() - self.limit).mean())


def sharpness(faces: Tensor) -> Tensor:
    """The variance of the Laplacian of the mouth in grey, (B,); grey levels 0..255."""
    red, green, blue = faces[:, :, MOUTH[0], MOUTH[1]].float().unbind(1)
    grey = 255.0 * (0.299 * red + 0.587 * green + 0.114 * blue)[:, None]  # (B, 1, h, w)
    kernel = torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]], device=grey.device)
    return functional.conv2d(grey, kernel[None, None]).flatten(1).var(dim=1)
