"""Sharpness of the mouth relative to the reference's: reveals blur, which PSNR rewards."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

import bench
from bench.ground.types import Frame
from metrics.last_of import LastOf
from metrics.regions import faces_with_mouths

SIDE = 96  # pixels of the faces that Wav2Lip and its successors generate


def laplacian_variance(face: Frame, mouth: NDArray[np.float64]) -> float:
    """Variance of the Laplacian of the mouth in grey, with the face scaled to 96x96 pixels.

    face: (h, w, 3) uint8 RGB; mouth: x0 y0 x1 y1 as shares of the face's width and height.
    """
    import cv2

    small = cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    edges = cv2.Laplacian(grey, cv2.CV_32F, ksize=1)
    left, top = np.floor(mouth[:2] * SIDE).astype(int)
    right, bottom = np.ceil(mouth[2:] * SIDE).astype(int)
    return float(edges[top:bottom, left:right].var())


class Sharpness(bench.ClipMetric):
    """The mouth's mean variance of the Laplacian over frames, divided by the reference's.

    Below 1, the mouth is softer than the reference's; above 1, it has edges or noise that the
    reference lacks. 1 means equally sharp, not correct. The face (the box of the reference's track)
    is scaled to 96x96 in both, so that a small network does not seem soft beside a large video.

    Reads: video and reference, (T, H, W, 3) uint8 RGB of one shape; the reference's face track.
    Output: sharpness, a ratio, at least 0, 1 for the reference itself; no direction is better.
    Raises: Undefined if there is no face, if the mouth lies outside the frame, or if the
        reference's mouth is one flat colour. BenchError if the shapes differ.
    Source: Pech-Pacheco et al. 2000, doi 10.1109/ICPR.2000.903548 (variance of the Laplacian);
        the ratio is defined here.
    """

    name, version = "sharpness", "1"
    source = "Pech-Pacheco et al. 2000, doi 10.1109/ICPR.2000.903548; the ratio is defined here"
    reads = frozenset({"video", "faces", "reference"})
    outputs = (
        bench.Output(
            "sharpness", unit="1", better="none", best=1.0, low=0.0, title="mouth sharpness"
        ),
    )

    def __init__(self, options: bench.Options | None = None) -> None:
        super().__init__(options)
        self._truth = LastOf[float]()

    @property
    def protocol(self) -> str:
        """Region, detector and size."""
        return f"sharpness[mouth:{{faces}}; grey; face {SIDE}]"

    def measure(self, sample: bench.Sample) -> dict[str, float]:
        """The clip's ratio."""
        pairs = list(faces_with_mouths(sample))
        assert sample.reference is not None  # or there would be no pairs
        truth = self._truth.of(
            sample.reference,
            lambda: _mean_variance((face, mouth) for face, _, mouth in pairs),
        )
        if truth == 0.0:
            raise bench.Undefined("the truth's mouth is one flat colour: it has no sharpness")
        return {"sharpness": _mean_variance((face, mouth) for _, face, mouth in pairs) / truth}


def _mean_variance(faces: Iterable[tuple[Frame, NDArray[np.float64]]]) -> float:
    values = [laplacian_variance(face, mouth) for face, mouth in faces]
    return sum(values) / len(values)  # summed in this order since version 1


@bench.hookimpl
def register_metrics() -> list[type[bench.Metric]]:
    """Registers sharpness."""
    return [Sharpness]
