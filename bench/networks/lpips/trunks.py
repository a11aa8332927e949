"""AlexNet and VGG-16 up to their last ReLU, and what LPIPS takes of them.

Sources: Krizhevsky 2014, arXiv:1404.5997; Simonyan and Zisserman 2015, arXiv:1409.1556. Layers and
state-dict names are torchvision's, so that its published weights load.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from bench.files.tensor_files import first_difference, named_tensors
from bench.ground.errors import BenchError
from bench.networks.folding import laid_out

Net: TypeAlias = Literal["alex", "vgg"]

# A layer of convolution: its place, channels in and out, kernel, stride, padding. A place without
# one is a ReLU or, where POOLS says so, a maximum over 3x3 (AlexNet) or 2x2 (VGG) places by steps
# of 2.
_ALEX = (
    (0, 3, 64, 11, 4, 2),
    (3, 64, 192, 5, 1, 2),
    (6, 192, 384, 3, 1, 1),
    (8, 384, 256, 3, 1, 1),
    (10, 256, 256, 3, 1, 1),
)
_VGG_CHANNELS = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
_VGG_PLACES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
_VGG = tuple(
    (place, inputs, outputs, 3, 1, 1)
    for place, inputs, outputs in zip(
        _VGG_PLACES, _VGG_CHANNELS[:-1], _VGG_CHANNELS[1:], strict=True
    )
)
_LAYERS = {"alex": _ALEX, "vgg": _VGG}
_POOLS: Mapping[Net, tuple[int, ...]] = {"alex": (2, 5), "vgg": (4, 9, 16, 23)}
_POOL_SIDE = {"alex": 3, "vgg": 2}
TAKEN: Mapping[Net, tuple[int, ...]] = {"alex": (1, 4, 7, 9, 11), "vgg": (3, 8, 15, 22, 29)}
CHANNELS: Mapping[Net, tuple[int, ...]] = {
    "alex": (64, 192, 384, 256, 256),
    "vgg": (64, 128, 256, 512, 512),
}
LEAST: Mapping[Net, int] = {"alex": 31, "vgg": 16}  # pixels of a side that leave one place at last
WEIGHTS: Mapping[Net, str] = {"alex": "alexnet", "vgg": "vgg16"}  # in `bench weights list`


class Trunk(nn.Module):
    """The convolutions of a network that was trained on ImageNet."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        convolutions = {
            place: nn.Conv2d(inputs, outputs, kernel, stride, padding)
            for place, inputs, outputs, kernel, stride, padding in _LAYERS[net]
        }
        layers: list[nn.Module] = []
        for place in range(TAKEN[net][-1] + 1):
            if place in convolutions:
                layers.append(convolutions[place])
            elif place in _POOLS[net]:
                layers.append(nn.MaxPool2d(_POOL_SIDE[net], 2))
            else:
                layers.append(nn.ReLU(inplace=True))
        self.features = nn.Sequential(*layers)
        self.taken = TAKEN[net]

    def forward(self, x: Tensor) -> list[Tensor]:
        """What five ReLUs pass on, largest first, (B, C, h, w) each; x: (B, 3, H, W)."""
        seen: list[Tensor] = []
        for place, layer in enumerate(self.features):
            x = layer(x)
            if place in self.taken:
                seen.append(x)
        return seen


def load_trunk(net: Net, path: Path) -> Trunk:
    """The trunk with torchvision's published weights, for inference.

    path: a file of the whole network whose digest was compared; its classifier is not read. Raises
    BenchError where the file holds something else.
    """
    trunk = Trunk(net)
    found = {n: x for n, x in named_tensors(path).items() if n.startswith("features.")}
    difference = first_difference(trunk.state_dict(), found)
    if difference:
        raise BenchError(f"{path}: is not torchvision's {WEIGHTS[net]}: {difference}")
    trunk.load_state_dict({name: tensor.float() for name, tensor in found.items()})
    return ready(trunk)


def ready(trunk: Trunk) -> Trunk:
    """The trunk as inference wants it: no gradients, kernels channels last."""
    return laid_out(trunk.eval().requires_grad_(False))


def linear_layers(path: Path, net: Net) -> list[Tensor]:
    """LPIPS' weights of each layer's channels, (C,) each, of the file that ships with it."""
    found = named_tensors(path)
    layers = [found[f"{net}.{layer}"].float() for layer in range(len(CHANNELS[net]))]
    assert [len(layer) for layer in layers] == list(CHANNELS[net])
    return layers


def scaled(pictures: Tensor) -> Tensor:
    """Pictures (B, H, W, 3) uint8 RGB as LPIPS' trunks want them, (B, 3, H, W) float32.

    In memory the channels stay last, which convolutions on processors like best.
    """
    mean = torch.tensor([-0.030, -0.088, -0.188], device=pictures.device)
    deviation = torch.tensor([0.458, 0.448, 0.450], device=pictures.device)
    x = pictures.float().mul_(2.0 / 255.0).sub_(1.0)
    return x.sub_(mean).div_(deviation).permute(0, 3, 1, 2)
