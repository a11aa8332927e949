"""Prepares networks for inference: folds batch normalisation into the convolutions.

Source: defined here; in eval mode BatchNorm is affine, so results differ only by rounding.
"""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from bench.networks.layers import Conv, ConvTranspose

Network = TypeVar("Network", bound=nn.Module)


def folded(network: Network, *, channels_last: bool = True) -> Network:
    """A copy of `network` for inference: eval mode, no gradients, no batch normalisation.

    channels_last: the memory layout that is fastest for convolutions on CPUs and tensor cores;
    values differ only by rounding.
    """
    ready = copy.deepcopy(network).eval().requires_grad_(False)
    for parent in list(ready.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, Conv | ConvTranspose):
                setattr(parent, name, _FoldedLayer(layer))
    return laid_out(ready) if channels_last else ready


class _FoldedLayer(nn.Module):
    """Convolution and ReLU, in place in the convolution's output."""

    def __init__(self, layer: Conv | ConvTranspose) -> None:
        super().__init__()
        convolution, norm = layer.conv_block
        assert isinstance(convolution, nn.Conv2d | nn.ConvTranspose2d)
        assert isinstance(norm, nn.BatchNorm2d)
        is_transposed = isinstance(layer, ConvTranspose)
        self.convolution = fuse_conv_bn_eval(convolution, norm, transpose=is_transposed)
        self.is_residual = isinstance(layer, Conv) and layer.is_residual

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.convolution(x)
        if self.is_residual:
            y += x
        return y.relu_()


def laid_out(network: Network) -> Network:
    """`network` with channels-last kernels, which are fastest on CPUs and tensor cores."""
    for parameter in network.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.contiguous(memory_format=torch.channels_last)
    return network
