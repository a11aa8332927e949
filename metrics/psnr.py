"""PSNR against the reference, on the face, the mouth region or the whole frame."""

from __future__ import annotations

import math
from collections.abc import Iterable

import bench
from bench.ground.types import Frame, Frames
from metrics.regions import Region, check_shapes, region_pairs

PEAK = 255.0


def psnr(truth: Frames, made: Frames) -> float:
    """Mean PSNR in dB over frames of two (T, H, W, 3) uint8 RGB arrays of one shape.

    Raises BenchError if shapes differ, Undefined if all frames are identical.
    """
    check_shapes(truth, made)
    return _mean(zip(truth, made, strict=True))


def _mean(pairs: Iterable[tuple[Frame, Frame]]) -> float:
    errors = [_squared_error(truth, made) for truth, made in pairs]  # one per frame
    if not any(errors):
        raise bench.Undefined("frames are identical to the reference: PSNR is infinite")
    differing = [error for error in errors if error > 0.0]
    return sum(10.0 * math.log10(PEAK**2 / error) for error in differing) / len(differing)


def _squared_error(truth: Frame, made: Frame) -> float:
    """The mean squared difference of two (h, w, 3) frames, exact: it sums whole numbers."""
    import cv2

    if truth.size == 0:
        raise bench.Undefined("the region lies outside the frame")
    return cv2.norm(truth, made, cv2.NORM_L2SQR) / truth.size


class Psnr(bench.ClipMetric):
    """PSNR = 10 log10(255^2 / MSE) per frame, MSE over pixels and channels of the region.

    The value of a clip is the mean over the frames that differ from the reference. An identical
    frame has an infinite PSNR; leaving it out keeps the mean finite and can only lower it, so no
    method gains by it. If all frames are identical, there is no value.

    Reads: video and reference, (T, H, W, 3) uint8 RGB of one shape; for regions face and mouth
        the reference's face track, rounded outwards to whole pixels and clipped.
    Output: psnr, dB, higher is better, at least 0, no upper limit.
    Raises: Undefined if all frames are identical, if there is no face, or if the region lies
        outside the frame. BenchError if the shapes differ.
    Source: the usual definition; equal to skimage.metrics.peak_signal_noise_ratio(data_range=255).
    Deviations: none. Unlike in some published scripts, uint8 differences do not wrap around.
    """

    name, version = "psnr", "1"
    source = "the usual definition; skimage.metrics.peak_signal_noise_ratio(data_range=255)"
    reads = frozenset({"video", "faces", "reference"})
    outputs = (bench.Output("psnr", unit="dB", better="higher", low=0.0, title="PSNR"),)
    sees = frozenset({"blur", "noise", "frozen"})

    class Options(bench.Options):
        """region: what to compare, by the reference's face track; "frame" needs no face."""

        region: Region = "face"

    options: Options

    @property
    def protocol(self) -> str:
        """Region and detector, colour space, size."""
        region = self.options.region
        return f"psnr[{region if region == 'frame' else region + ':{faces}'}; rgb; native]"

    def measure(self, sample: bench.Sample) -> dict[str, float]:
        """The clip's mean PSNR."""
        return {"psnr": _mean(region_pairs(sample, self.options.region))}

    def independent(self, sample: bench.Sample) -> dict[str, float]:
        """The same by scikit-image."""
        from skimage.metrics import peak_signal_noise_ratio

        values = [
            peak_signal_noise_ratio(truth, made, data_range=PEAK)
            for truth, made in region_pairs(sample, self.options.region)
            if (truth != made).any()
        ]
        return {"psnr": float(sum(values) / len(values))}


@bench.hookimpl
def register_metrics() -> list[type[bench.Metric]]:
    """Registers psnr."""
    return [Psnr]
