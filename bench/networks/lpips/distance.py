"""The distance of pictures in what a trunk sees: LPIPS' formula, in batches.

Source: Zhang et al. 2018, arXiv:1801.03924, eq. 1; richzhang/PerceptualSimilarity, version 0.1 of
the linear layers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.ground.types import Frame
from bench.networks.lpips.trunks import Trunk, scaled

Pair = tuple[Frame, Frame]  # (h, w, 3) uint8 RGB of one shape
BATCH = 4  # pairs that go through a trunk together; changes speed, not values
PIXELS = 4 * 256 * 256  # of one side of them, at most: VGG needs 2 kB for each
EPSILON = 1e-10  # added to the length of each place's features, as in the package `lpips`


def distances(
    pairs: Iterable[Pair], trunk: Trunk, linear: Sequence[Tensor], *, batch: int = BATCH
) -> Iterator[float]:
    """LPIPS of each pair in order, at least 0; 0 for equal pictures.

    Neighbours of one shape go through the trunk together.
    """
    device = linear[0].device
    for group in _of_one_shape(pairs, batch):
        stacked = np.stack([picture for side in zip(*group, strict=True) for picture in side])
        with torch.inference_mode():
            seen = trunk(scaled(torch.from_numpy(stacked).to(device)))
            total = sum(
                layer_distance(features, weights)
                for features, weights in zip(seen, linear, strict=True)
            )
            assert isinstance(total, Tensor)
            yield from total.tolist()


def _of_one_shape(pairs: Iterable[Pair], most: int) -> Iterator[list[Pair]]:
    group: list[Pair] = []
    for pair in pairs:
        height, width = pair[0].shape[:2]
        is_full = len(group) == most or (len(group) + 1) * height * width > PIXELS
        if group and (is_full or group[0][0].shape != pair[0].shape):
            yield group
            group = []
        group.append(pair)
    if group:
        yield group


def layer_distance(features: Tensor, weights: Tensor) -> Tensor:
    """One layer's share of the distance, (B,), of the features of both sides, (2 B, C, h, w)."""
    flat = features.permute(0, 2, 3, 1).flatten(1, 2)  # (2 B, h w, C): no copy of channels-last
    unit = flat / (torch.linalg.vector_norm(flat, dim=2, keepdim=True) + EPSILON)
    first, second = unit.chunk(2)
    apart: Tensor = (first - second).square_()  # of unit lengths
    return torch.mv(apart.flatten(0, 1), weights).reshape(apart.shape[:2]).mean(dim=1)


def resized(picture: Frame, side: int) -> NDArray[np.uint8]:
    """A picture (h, w, 3) as a square of that side: by areas where it shrinks, else bilinearly."""
    import cv2

    height, width = picture.shape[:2]
    if (height, width) == (side, side):
        return picture
    shrinks = height * width > side * side
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (side, side), interpolation=how), dtype=np.uint8)
