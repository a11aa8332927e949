"""Convolutions with fewer multiplications: Winograd's minimal filtering along the rows.

Source: Lavin and Gray 2016, Fast Algorithms for Convolutional Neural Networks (arXiv:1509.09308);
matrices by Toom and Cook's interpolation, strides by grouping rows. A tile of m output rows, with a
kernel of r rows, takes m + r - 1 products of rows instead of m * r. Each product is an ordinary
convolution along the columns, done by the library. We tried to treat columns in the same way: the
extra data movement cancels the saving, and rounding errors grow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

Floats = NDArray[np.float64]

# Where polynomials are evaluated, besides infinity; small numbers keep rounding errors small.
# The first is 1, where all output rows have the weight 1, so that the bias can be added there.
POINTS = (1.0, 0.0, -1.0, 2.0, -2.0, 0.5, -0.5)


@dataclass(frozen=True)
class _Point:
    """The algorithm's matrices at one point, with one row for each tile that uses the point."""

    gather: Floats  # (tiles, groups of input rows)
    spread: Floats  # (tiles, output rows)
    powers: Floats  # (r,), weights of the kernel's rows


@dataclass(frozen=True)
class _Product:
    """A convolution along the columns, for all tiles at one point."""

    tiles: int
    kernel: Tensor  # (out, in, stride, width)
    bias: Tensor | None


class RowWinograd:
    """functional.conv2d with these weights, for inputs of one height, up to rounding.

    weight: (out, in, R, S) float32, with R above `stride` and less than 7 times it. bias: (out,).
    A call takes (B, in, height, W) float32 on the CPU, preferably channels-last, and returns
    (B, out, h, w) float32, with rows outermost in memory. The error is about 3e-6 of the largest
    value; the library's is 1e-6.
    """

    def __init__(
        self, weight: Tensor, bias: Tensor, *, height: int, stride: int, padding: int
    ) -> None:
        self._stride, self._padding = stride, padding
        self._missing = -height % stride  # rows of zeros that complete the last group
        taps = weight.permute(2, 0, 3, 1)  # (R, out, S, in)
        rows = (height + 2 * padding - len(taps)) // stride + 1
        # Zeros around the taps align their ends with groups of `stride` rows, too.
        above = -padding % stride
        taps = functional.pad(taps, (0,) * 6 + (above, -(above + len(taps)) % stride))
        reach = len(taps) // stride  # r
        if not 2 <= reach <= len(POINTS):
            raise ValueError(f"kernels of {weight.shape[2]} rows are not for stride {stride}")
        most = len(POINTS) + 2 - reach  # rows of a tile
        tiles = [len(tile) for tile in np.array_split(range(rows), -(-rows // most))]
        points = [
            _point(k, tiles, reach, -(padding + above) // stride, (height - 1) // stride + 1)
            for k in range(tiles[0] + reach - 1)  # the first tile is among the largest
        ]
        self._gather = _tensor(np.concatenate([point.gather for point in points]))
        self._spread = _tensor(np.concatenate([point.spread for point in points]).T)
        taps = taps.reshape(reach, stride, *taps.shape[1:]).transpose(1, 2)
        kernels = _tensor(np.array([point.powers for point in points])) @ taps.flatten(1)
        kernels = kernels.view(-1, *taps.shape[1:])  # (points, out, stride, S, in)
        self._products = [
            _Product(len(point.gather), kernel.permute(0, 3, 1, 2), None if i else bias)
            for i, (point, kernel) in enumerate(zip(points, kernels, strict=True))
        ]

    def __call__(self, x: Tensor) -> Tensor:
        batch, channels, _, width = x.shape
        if self._missing:
            x = functional.pad(x, (0, 0, 0, self._missing))
        groups = x.permute(2, 0, 3, 1).reshape(-1, self._stride, batch, width, channels)
        columns = groups.transpose(1, 2).flatten(1)  # (groups, B * stride * W * in)
        seen = self._gather @ columns  # (tiles at all points, B * stride * W * in)
        parts = torch.split(seen, [product.tiles for product in self._products])
        made: list[Tensor] = []
        for part, product in zip(parts, self._products, strict=True):
            picture = part.view(product.tiles, batch * self._stride, width, channels)
            y = functional.conv2d(
                picture.permute(0, 3, 1, 2),
                product.kernel,
                product.bias,
                self._stride,
                (0, self._padding),
            )
            made.append(y.permute(0, 2, 3, 1))  # (tiles, B, w, out)
        together = torch.cat(made)
        y = self._spread @ together.flatten(1)  # (h, B * w * out)
        return y.view(-1, *together.shape[1:]).permute(1, 3, 0, 2)


def _point(k: int, tiles: list[int], reach: int, first: int, groups: int) -> _Point:
    """The k-th point; infinity comes after the finite points of the largest tile.

    tiles: the number of output rows of each. first: the group of input rows, out of `groups`, at
    which the first tile starts; rows outside the input are padding.
    """
    infinite = k == tiles[0] + reach - 2
    gather: list[Floats] = []
    spread: list[Floats] = []
    start, rows = 0, sum(tiles)
    for tile in tiles:
        finite = POINTS[: tile + reach - 2]
        if infinite or k < len(finite):
            gather.append(_placed(_interpolation(finite, k), first + start, groups))
            spread.append(_placed(_powers(k, infinite, tile), start, rows))
        start += tile
    return _Point(np.array(gather), np.array(spread), _powers(k, infinite, reach))


def _interpolation(finite: tuple[float, ...], k: int) -> Floats:
    """Coefficients, lowest first, of the polynomial that is 1 at point k and 0 at the others.

    For infinity, the one that is 0 at all of them and starts with 1.
    """
    others = finite[:k] + finite[k + 1 :]
    coefficients = np.ones(1)
    for other in others:
        scale = finite[k] - other if k < len(finite) else 1.0
        coefficients = np.convolve(coefficients, [-other / scale, 1 / scale])
    return coefficients


def _powers(k: int, infinite: bool, count: int) -> Floats:
    """Powers 0 to count - 1 of the k-th point; at infinity, only the highest power counts."""
    powers: Floats = np.eye(count)[-1] if infinite else np.array([POINTS[k]]) ** np.arange(count)
    return powers


def _placed(values: Floats, start: int, length: int) -> Floats:
    """Zeros, (length,), with `values` from `start` on as far as they lie inside."""
    row = np.zeros(length)
    inside = slice(max(-start, 0), max(length - start, 0))
    row[max(start, 0) :][: len(values[inside])] = values[inside]
    return row


def _tensor(matrix: Floats) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(matrix)).float()
