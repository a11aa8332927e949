"""SSIM against the reference, on the face, the mouth region or the whole frame."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

import bench
from bench.ground.types import Frame, Frames
from metrics.regions import Region, check_shapes, region_pairs

Window = Literal["gaussian", "uniform"]
Map = NDArray[np.float32]  # (h, w, 3)

C1 = (0.01 * 255) ** 2  # Wang et al. 2004, equation 7, K1 = 0.01, L = 255
C2 = (0.03 * 255) ** 2  # equation 9, K2 = 0.03
SIGMA, GAUSSIAN_SIDE = 1.5, 11  # Wang et al. 2004, section III C
UNIFORM_SIDE = 7  # scikit-image's default
ROWS, COLUMNS = 64, 246  # of a tile: small enough for the CPU's cache and an even middle
SHARES = 2  # of a clip's frames, each for a thread; OpenCV and numpy release the interpreter lock


@dataclass(frozen=True)
class _Filter:
    """A window: its side, and the factor that turns its variances into sample variances."""

    window: Window

    @property
    def side(self) -> int:
        return GAUSSIAN_SIDE if self.window == "gaussian" else UNIFORM_SIDE

    @property
    def correction(self) -> float:
        pixels = self.side**2
        return 1.0 if self.window == "gaussian" else pixels / (pixels - 1)

    def local_mean(self, values: Map, out: Map) -> None:
        """The weighted mean around each pixel; the outer side // 2 pixels are invalid."""
        import cv2

        if self.window == "uniform":
            cv2.boxFilter(values, -1, (self.side, self.side), out)
            return
        weights = _gaussian_weights()
        cv2.sepFilter2D(values, -1, weights, weights, out)


@cache
def _gaussian_weights() -> NDArray[np.float32]:
    """The 11 weights; their sum is exactly 1, else flat regions would seem to vary in float32."""
    place = np.arange(GAUSSIAN_SIDE) - GAUSSIAN_SIDE // 2
    exact = np.exp(-0.5 * (place / SIGMA) ** 2)
    weights: NDArray[np.float32] = (exact / exact.sum()).astype(np.float32)
    for end in (0, -1):  # the smallest weights have the finest resolution
        weights[end] += np.float32((1.0 - weights.sum(dtype=np.float64)) / (2 if end == 0 else 1))
    return weights


class _Workspace:
    """Memory for the maps of a tile, reused for every frame, since new pages take time."""

    def __init__(self) -> None:
        self._memory: NDArray[np.float32] = np.empty(0, np.float32)

    def maps(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Six uninitialised maps of a tile's shape, (6, h, w, 3)."""
        size = 6 * math.prod(shape)
        if size > len(self._memory):
            self._memory = np.empty(size, np.float32)
        return self._memory[:size].reshape(6, *shape)


def ssim(truth: Frames, made: Frames, *, window: Window = "gaussian") -> float:
    """Mean SSIM over frames of two (T, H, W, 3) uint8 RGB arrays of one shape, in [-1, 1].

    Raises BenchError if shapes differ, Undefined if frames are smaller than the window.
    """
    check_shapes(truth, made)
    return _mean(zip(truth, made, strict=True), window)


def _mean(pairs: Iterable[tuple[Frame, Frame]], window: Window) -> float:
    import cv2

    chosen, every = _Filter(window), list(pairs)
    shares = [every[start::SHARES] for start in range(SHARES)]
    # On a processor of its own, a process's threads would only take the lock from each other.
    with ThreadPoolExecutor(min(SHARES, cv2.getNumThreads())) as pool:
        values = list(pool.map(lambda share: _of_frames(share, chosen), shares))
    return float(sum(sum(share) for share in values) / len(every))


def _of_frames(pairs: Iterable[tuple[Frame, Frame]], chosen: _Filter) -> list[float]:
    workspace = _Workspace()
    return [_of_frame(truth, made, chosen, workspace) for truth, made in pairs]


def _of_frame(truth: Frame, made: Frame, chosen: _Filter, workspace: _Workspace) -> float:
    """The mean SSIM of two (h, w, 3) frames over channels and all positions of the window."""
    height, width, channels = truth.shape
    context = chosen.side - 1
    if height < chosen.side or width < chosen.side:
        raise bench.Undefined(
            f"the region is {width}x{height} pixels in a frame, smaller than SSIM's window of"
            f" {chosen.side}x{chosen.side}"
        )
    total = 0.0
    for top in range(0, height - context, ROWS):
        for left in range(0, width - context, COLUMNS):
            tile = np.s_[top : top + ROWS + context, left : left + COLUMNS + context]
            maps = workspace.maps(truth[tile].shape)
            total += _of_tile(truth[tile], made[tile], chosen, maps)
    return total / float((height - context) * (width - context) * channels)


def _of_tile(truth: Frame, made: Frame, chosen: _Filter, maps: NDArray[np.float32]) -> float:
    """The sum of SSIM over all positions of the window and all channels.

    Computed from the sum s and the difference d of the two frames, which takes four filters instead
    of five: with local means S, D and local variances V(s), V(d),
        SSIM = (S^2 - D^2 + 2 C1) (V(s) - V(d) + 2 C2) / ((S^2 + D^2 + 2 C1) (V(s) + V(d) + 2 C2)).
    A middle value of the tile is subtracted before squaring, which changes no variance: otherwise
    float32 rounding would swamp the variances of bright flat regions.
    """
    import cv2

    added, apart, mean_added, mean_apart, spread_added, spread_apart = maps
    mean_added[...], mean_apart[...] = truth, made
    cv2.add(mean_added, mean_apart, added)
    cv2.subtract(mean_added, mean_apart, apart)
    # OpenCV subtracts one number per channel much faster than numpy's broadcasting.
    middle_added, middle_apart = _rounded(cv2.mean(added)), _rounded(cv2.mean(apart))
    cv2.subtract(added, middle_added, added)
    cv2.subtract(apart, middle_apart, apart)
    chosen.local_mean(added, mean_added)
    chosen.local_mean(apart, mean_apart)
    added *= added
    apart *= apart
    chosen.local_mean(added, spread_added)
    chosen.local_mean(apart, spread_apart)
    spread_added -= np.multiply(mean_added, mean_added, out=added)
    spread_apart -= np.multiply(mean_apart, mean_apart, out=apart)
    cv2.add(mean_added, middle_added, mean_added)
    cv2.add(mean_apart, middle_apart, mean_apart)
    mean_added *= mean_added
    mean_apart *= mean_apart
    if chosen.correction != 1.0:
        spread_added *= chosen.correction
        spread_apart *= chosen.correction
    mean_added += 2 * C1
    spread_added += 2 * C2
    upper = np.subtract(mean_added, mean_apart, out=added)
    upper *= np.subtract(spread_added, spread_apart, out=apart)
    mean_added += mean_apart
    spread_added += spread_apart
    mean_added *= spread_added
    upper /= mean_added
    edge = chosen.side // 2
    return float(sum(cv2.sumElems(upper[edge:-edge, edge:-edge])))


def _rounded(middle: Sequence[float]) -> NDArray[np.float64]:
    """Whole numbers, so that subtracting them is exact; (4,), one per channel and a spare."""
    return np.rint(np.asarray(middle, dtype=np.float64))


class Ssim(bench.ClipMetric):
    """SSIM of Wang et al. 2004 per frame, mean over the three channels and over frames.

    window "gaussian": 11x11, sigma 1.5, population variances, as in Wang et al. window "uniform":
    7x7, sample variances, scikit-image's default. C1 = (0.01 * 255)^2, C2 = (0.03 * 255)^2.
    Averaged over the positions where the window lies inside the region.

    Reads: video and reference, (T, H, W, 3) uint8 RGB of one shape; for regions face and mouth
        the reference's face track, rounded outwards to whole pixels and clipped.
    Output: ssim, without unit, higher is better, 1 for equal frames, from -1 to 1.
    Raises: Undefined if there is no face, or if in some frame the region is smaller than the
        window. BenchError if the shapes differ.
    Source: Wang, Bovik, Sheikh, Simoncelli, IEEE TIP 13(4), 2004; equal to
        skimage.metrics.structural_similarity with these settings.
    Deviations: three colour channels, where the paper has grey; no downsampling of large frames.
    """

    name, version = "ssim", "1"
    source = "Wang et al., IEEE TIP 13(4), 2004; skimage.metrics.structural_similarity"
    reads = frozenset({"video", "faces", "reference"})
    outputs = (
        bench.Output("ssim", unit="", better="higher", best=1.0, low=-1.0, high=1.0, title="SSIM"),
    )
    sees = frozenset({"blur", "noise", "frozen"})

    class Options(bench.Options):
        """region: what to compare; window: the weights of a pixel's neighbourhood."""

        region: Region = "face"
        window: Window = "gaussian"

    options: Options

    @property
    def protocol(self) -> str:
        """Region and detector, colour space, window, size."""
        region = self.options.region
        place = region if region == "frame" else region + ":{faces}"
        side = _Filter(self.options.window).side
        return f"ssim[{place}; rgb; {self.options.window} {side}x{side}; native]"

    def measure(self, sample: bench.Sample) -> dict[str, float]:
        """The clip's mean SSIM."""
        value = _mean(region_pairs(sample, self.options.region), self.options.window)
        return {"ssim": min(1.0, max(-1.0, value))}  # rounding may exceed the range by 1e-16

    def independent(self, sample: bench.Sample) -> dict[str, float]:
        """The same by scikit-image."""
        from skimage.metrics import structural_similarity

        # Those of Wang et al.; scikit-image's defaults are those of the window "uniform".
        gaussian = {"gaussian_weights": True, "sigma": SIGMA, "use_sample_covariance": False}
        window = gaussian if self.options.window == "gaussian" else {}
        values = [
            structural_similarity(truth, made, data_range=255, channel_axis=-1, **window)
            for truth, made in region_pairs(sample, self.options.region)
        ]
        return {"ssim": float(sum(values) / len(values))}


@bench.hookimpl
def register_metrics() -> list[type[bench.Metric]]:
    """Registers ssim."""
    return [Ssim]
