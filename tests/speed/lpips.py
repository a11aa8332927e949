"""LPIPS against the way of its reference package: both pictures of a frame, one after another."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.networks.lpips import LINEAR
from bench.networks.lpips.distance import distances
from bench.networks.lpips.trunks import Trunk, linear_layers, ready
from tests.small_weights import drawn
from tests.speed.timing import timed

FRAMES, SIDE = 8, 256
REPEATS = 5


def measure() -> str:
    """How many times faster LPIPS of a clip is, and by how much off; the same drawn trunk."""
    draw = np.random.default_rng(0)
    truth = draw.integers(0, 256, (FRAMES, SIDE, SIDE, 3), dtype=np.uint8)
    made = np.clip(truth + draw.normal(0, 6, truth.shape), 0, 255).astype(np.uint8)
    linear = linear_layers(LINEAR, "alex")
    plain, fast = drawn(Trunk("alex")).requires_grad_(False), ready(drawn(Trunk("alex")))

    def ours() -> list[float]:
        return list(distances(zip(truth, made, strict=True), fast, linear))

    def theirs() -> list[float]:
        pairs = zip(truth, made, strict=True)
        return [_one_after_another(plain, linear, first, second) for first, second in pairs]

    seconds, values = timed({"ours": ours, "theirs": theirs}, REPEATS)
    mine, other = seconds["ours"], seconds["theirs"]
    off = np.abs(np.divide(values["ours"], values["theirs"]) - 1).max()
    return (
        f"LPIPS (AlexNet), {SIDE}x{SIDE}: {np.median(other / mine):.2f} times faster than a frame"
        f" at a time as the package `lpips` does (best of {REPEATS} each:"
        f" {other.min() / mine.min():.2f}), {1000 * mine.min() / FRAMES:.0f} ms a pair, off by"
        f" {off:.0e}"
    )


def _one_after_another(
    trunk: Trunk, linear: list[Tensor], first: NDArray[np.uint8], second: NDArray[np.uint8]
) -> float:
    """As lpips 0.1.4 computes: channels first, each layer's difference weighed by a convolution."""
    shift = torch.tensor([-0.030, -0.088, -0.188])[None, :, None, None]
    scale = torch.tensor([0.458, 0.448, 0.450])[None, :, None, None]
    total = torch.zeros(1)
    with torch.no_grad():
        seen = []
        for picture in (first, second):
            x = torch.from_numpy(picture.transpose(2, 0, 1)[None] / np.float32(127.5) - 1)
            seen.append(trunk((x.contiguous() - shift) / scale))
        for one, other, weights in zip(*seen, linear, strict=True):
            apart = (_unit(one) - _unit(other)) ** 2
            weighed = nn.functional.conv2d(apart, weights[None, :, None, None])
            total = total + weighed.mean(dim=(2, 3))[0]
    return float(total)


def _unit(features: Tensor) -> Tensor:
    return features / (torch.sqrt(torch.sum(features**2, dim=1, keepdim=True)) + 1e-10)


if __name__ == "__main__":
    from bench.run.provenance import machine

    print(machine())
    print(measure())
