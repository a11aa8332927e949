"""The generator's further losses, apart from those of `bench.train.pixel_losses`.

Sources: of `moved_map`, this project; Karras et al. 2020, doi 10.1109/CVPR42600.2020.00813, section
2 (why normalised decoders grow `Peaks`).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional


def moved_map(target: Tensor, reference: Tensor, moved: float) -> Tensor:
    """Pixel weights that grow with the difference from the reference face, (B, 1, 96, 96).

    target, reference: (B, 3, 96, 96) in [0, 1]. The weights are 1 on average. moved: what a
    difference of the whole range adds to 1. An open mouth counts more if the reference shows it
    shut, so that copying the reference costs more.
    """
    change = (target - reference).abs().mean(dim=1, keepdim=True)
    near = functional.avg_pool2d(change, 5, stride=1, padding=2, count_include_pad=False)
    counted = 1.0 + moved * near
    return counted / counted.mean()


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
