"""The small network at work: frames and face boxes in, points and scores out."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from bench.files.tensor_files import first_difference, named_tensors
from bench.ground.errors import BenchError
from bench.ground.types import Frames
from bench.networks.folding import laid_out
from metrics.features.landmarks.crops import around, placed
from metrics.features.landmarks.small.network import (
    SHARE,
    SIDE,
    LandmarkNetwork,
    Layer,
    places,
    standardised,
)

BATCH = 16  # frames at once; the points do not depend on it beyond rounding


class SmallFinder:
    """Finds points with the network of a safetensors file."""

    def __init__(self, weights: Path, *, device: str) -> None:
        self.network = read_network(weights)
        self._device = device
        self._ready = folded(self.network).to(device)

    def find(
        self, frames: Frames, boxes: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Points (T, 46, 2) in pixels of the frames, and scores (T,).

        frames: (T, H, W, 3) uint8 RGB. boxes: the face in each, (T, 4) x0 y0 x1 y1.
        """
        return found(self._ready, frames, boxes, device=self._device)


def found(
    network: LandmarkNetwork,
    frames: Frames,
    boxes: NDArray[np.float32],
    *,
    device: str = "cpu",
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """As `SmallFinder.find`, by a network in eval mode."""
    squares = [around(box, SHARE) for box in boxes]
    points, scores = [], []
    for start in range(0, len(frames), BATCH):
        some = slice(start, start + BATCH)
        cut = [one.cut(frame, SIDE) for one, frame in zip(squares[some], frames[some], strict=True)]
        with torch.inference_mode():
            maps, logits = network(standardised(torch.from_numpy(np.stack(cut)).to(device)))
            own = places(maps).cpu().numpy()
        scores.append(torch.sigmoid(logits).cpu().numpy())
        matrices = (one.to_frame(SIDE) for one in squares[some])
        points += [placed(one, matrix) for one, matrix in zip(own, matrices, strict=True)]
    return np.stack(points).astype(np.float32), np.concatenate(scores).astype(np.float32)


def read_network(weights: Path) -> LandmarkNetwork:
    """The network of a file, in eval mode. Raises BenchError where it holds another one."""
    state = named_tensors(weights)
    network = LandmarkNetwork()
    wanted = {n: x for n, x in network.state_dict().items() if x.is_floating_point()}
    difference = first_difference(wanted, state)  # counters are not kept in the file
    if difference:
        raise BenchError(f"{weights}: holds another network than landmarks_small: {difference}")
    network.load_state_dict({name: value.float() for name, value in state.items()}, strict=False)
    return network.eval()


def folded(network: LandmarkNetwork) -> LandmarkNetwork:
    """A copy for finding: batch normalisation multiplied into the convolutions, no gradients."""
    ready = copy.deepcopy(network).eval().requires_grad_(False)
    for layer in ready.modules():
        if isinstance(layer, Layer):
            assert isinstance(layer.norm, nn.BatchNorm2d)
            layer.convolution = fuse_conv_bn_eval(layer.convolution, layer.norm)
            layer.norm = nn.Identity()
    return laid_out(ready)
