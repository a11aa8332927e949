"""Winograd's filtering equals the library's convolution, for less work."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as some
from torch import Tensor
from torch.nn import functional

from metrics.lse.winograd import POINTS, RowWinograd

SYNCNET = [  # in, out, height, width, kernel, stride: the layers that SyncNetScorer gives it
    (96, 256, 54, 54, 5, 2),
    (256, 256, 13, 13, 3, 1),
    (1, 64, 13, 20, 3, 1),
    (64, 192, 13, 20, 3, 1),
    (192, 384, 11, 9, 3, 1),
    (384, 256, 11, 9, 3, 1),
    (256, 256, 11, 9, 3, 1),
]


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def off(value: Tensor, exact: Tensor) -> float:
    assert value.shape == exact.shape
    return float((value - exact).abs().max() / exact.abs().max())


def exact(x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int) -> Tensor:
    return functional.conv2d(x.double(), weight.double(), bias.double(), stride, padding)


@given(
    batch=some.integers(1, 3),
    channels=some.tuples(some.integers(1, 9), some.integers(1, 9)),
    picture=some.tuples(some.integers(1, 40), some.integers(1, 20)),
    kernel=some.tuples(some.integers(2, 8), some.integers(1, 5)),
    stride=some.integers(1, 3),
    padding=some.integers(0, 3),
)
@settings(max_examples=150, deadline=None)
def test_equals_the_librarys_convolution(
    batch: int,
    channels: tuple[int, int],
    picture: tuple[int, int],
    kernel: tuple[int, int],
    stride: int,
    padding: int,
) -> None:
    height, width = picture
    tall = max(kernel[0], stride + 1) if stride > 1 else min(kernel[0], len(POINTS))
    assume(height + 2 * padding >= tall and width + 2 * padding >= kernel[1])
    weight, bias = drawn(channels[1], channels[0], tall, kernel[1]), drawn(channels[1])
    x = drawn(batch, channels[0], height, width)
    ours = RowWinograd(weight, bias, height=height, stride=stride, padding=padding)
    scale = functional.conv2d(  # sums that cancel are judged by what they are sums of
        x.double().abs(), weight.double().abs(), bias.double().abs(), stride, padding
    ).max()
    assert (ours(x) - exact(x, weight, bias, stride, padding)).abs().max() < 1e-5 * scale


@pytest.mark.parametrize("layer", SYNCNET, ids=str)
def test_layers_of_syncnet_are_equal_to_1e_5_in_fewer_rows(layer: tuple[int, ...]) -> None:
    channels, outputs, height, width, kernel, stride = layer
    weight, bias = drawn(outputs, channels, kernel, kernel), drawn(outputs)
    x = drawn(2, channels, height, width).contiguous(memory_format=torch.channels_last)
    ours = RowWinograd(weight, bias, height=height, stride=stride, padding=1)
    expected = exact(x, weight, bias, stride, 1)
    assert off(ours(x), expected) < 1e-5
    rows = sum(product.tiles * product.kernel.shape[2] for product in ours._products)
    assert rows <= 0.6 * expected.shape[2] * kernel


def test_what_came_out_goes_in_whatever_lies_outermost() -> None:
    weight, bias = drawn(8, 8, 3, 3), drawn(8)
    ours = RowWinograd(weight, bias, height=13, stride=1, padding=1)
    x = drawn(3, 8, 13, 9)
    once = ours(x)
    assert torch.equal(once, ours(x.contiguous(memory_format=torch.channels_last)))
    assert torch.equal(ours(once), ours(once.contiguous()))


def test_input_is_left_as_it_was() -> None:
    x = drawn(2, 4, 11, 9)
    before = x.clone()
    RowWinograd(drawn(4, 4, 4, 3), drawn(4), height=11, stride=2, padding=1)(x)
    assert torch.equal(x, before)


@pytest.mark.parametrize(("rows", "stride"), [(1, 1), (2, 2), (8, 1)])
def test_kernels_with_nothing_to_save_or_too_tall_are_refused(rows: int, stride: int) -> None:
    with pytest.raises(ValueError, match=f"kernels of {rows} rows .* stride {stride}"):
        RowWinograd(drawn(4, 4, rows, 3), drawn(4), height=13, stride=stride, padding=0)
