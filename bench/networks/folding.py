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
    """Convolution and ReLU."""

    def __init__(self, layer: Conv | ConvTranspose) -> None:
        super().__init__()
        convolution, norm = layer.conv_block
        assert isinstance(convolution, nn.Conv2d | nn.ConvTranspose2d)
        assert isinstance(norm, nn.BatchNorm2d)
        is_transposed = isinstance(layer, ConvTranspose)
        self.convolution = fuse_conv_bn_eval(convolution, norm, transpose=is_transposed)
        self.is_residual = isinstance(layer, Conv) and layer.is_residual

    def forward(self, x: Tensor) -> Tensor:
        return rectified(self.convolution, x, plus=x if self.is_residual else None)


def rectified(convolution: nn.Module, x: Tensor, *, plus: Tensor | None = None) -> Tensor:
    """relu(convolution(x) + plus), in one step where that is the same convolution, bit by bit.

    The one step saves reading and writing the convolution's output twice.
    """
    if plus is not None and plus.shape[1] != getattr(convolution, "out_channels", None):
        raise ValueError(f"a residual of {plus.shape[1]} channels does not fit {convolution}")
    if isinstance(convolution, nn.Conv2d) and _is_one_step(convolution, x):
        place = (
            convolution.padding,
            convolution.stride,
            convolution.dilation,
            convolution.groups,
        )
        kernel, step = (convolution.weight, convolution.bias), torch.ops.mkldnn
        if plus is None:
            y: Tensor = step._convolution_pointwise(x, *kernel, *place, "relu", [], "")
        else:
            y = step._convolution_pointwise.binary(
                x, plus, *kernel, *place, "add", None, "relu", [], ""
            )
        return y
    y = convolution(x)
    if plus is not None:
        y += plus
    return y.relu_()


def _is_one_step(convolution: nn.Conv2d, x: Tensor) -> bool:
    """Whether torch would take oneDNN for this convolution, and has its fused form.

    Single frames and 1x1 kernels may go other ways, whose results differ in the last bits.
    """
    return (
        not torch.is_grad_enabled()
        and x.device.type == "cpu"
        and x.dtype == convolution.weight.dtype == torch.float32
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and len(x) > 1
        and min(convolution.kernel_size) > 1
        and convolution.padding_mode == "zeros"
        and isinstance(convolution.padding, tuple)
        and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
    )


def laid_out(network: Network) -> Network:
    """`network` with channels-last kernels, which are fastest on CPUs and tensor cores."""
    for parameter in network.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.contiguous(memory_format=torch.channels_last)
    return network
