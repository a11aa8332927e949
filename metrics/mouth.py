"""Does the mouth open when the reference's does, as far, as lively, and as calmly?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import bench
from bench.features import landmark_points as points
from metrics.features.landmarks.pairs import paired

Curve = NDArray[np.float64]  # (T,)
STILL = 0.002  # deviation of MAR below which a mouth does not move
LEAST_FRAMES = 3


def opening(arrays: bench.Arrays) -> Curve:
    """MAR, the mouth's aspect ratio, in each frame (T,): the inner lips' height by their width."""
    above, below, right, left = points.inner_lips(arrays).astype(np.float64).swapaxes(0, 1)
    width = np.linalg.norm(right - left, axis=1)
    if not width.all():
        raise bench.Undefined("the corners of a mouth lie on each other in some frame")
    return np.asarray(np.linalg.norm(above - below, axis=1) / width)


def correlation(truth: Curve, made: Curve) -> float:
    """Pearson's correlation of two curves; 0 where the second, which follows nothing, stands still.

    Raises Undefined where the truth does not move: there is nothing to follow.
    """
    if truth.std() < STILL:
        raise bench.Undefined(
            f"the reference's mouth does not move: MAR deviates by {truth.std():.4f}, "
            f"less than {STILL}"
        )
    if made.std() < STILL:
        return 0.0
    own, other = truth - truth.mean(), made - made.mean()
    found = float((own * other).sum() / np.sqrt((own**2).sum() * (other**2).sum()))
    return min(1.0, max(-1.0, found))


def unrest(arrays: bench.Arrays) -> float:
    """The mean length of the second differences of the mouth's points, about the eyes' middle.

    In eye distances: steady motion costs nothing, trembling does.
    """
    middle = points.eye_middles(arrays).mean(axis=1, keepdims=True)  # (T, 1, 2)
    mouth = (points.mouth(arrays) - middle).astype(np.float64)
    size = float(points.eye_distance(arrays).mean())
    return float(np.linalg.norm(np.diff(mouth, n=2, axis=0), axis=2).mean() / size)


class Mouth(bench.ClipMetric):
    """The mouth's opening over time (MAR, height by width of the lips) against the reference's.

    mar_corr tells copying from lip movement at once: it asks when the mouth opens, mar_error also
    how far. motion and flicker say how lively and how shaky the mouth is beside the reference's.

    Reads: the feature landmarks of video and reference, of one length and frame size.
    Output: mar_corr, Pearson's correlation of the openings, in [-1, 1], higher is better; 0 for a
        mouth that does not move (deviation of MAR below 0.002). mar_error, the mean absolute
        difference of the openings, from 0, lower is better. motion, the deviation of MAR divided by
        the reference's, from 0, 1 is as lively. flicker, the mean second difference of the mouth's
        points about the eyes divided by the truth's, from 0, 1 is as calm. left_out, the share of
        frames without a face.
    Raises: Undefined without a face, where more than a tenth of the frames have landmarks with a
        score below 0.5, with fewer than 3 frames, and where the reference's mouth does not move.
        BenchError where lengths or sizes differ.
    Source: defined here; MAR as the eye aspect ratio of Soukupova and Cech 2016 for the inner lips.
    """

    name, version = "mouth", "1"
    source = "defined here"
    reads = frozenset({"landmarks", "faces", "reference"})
    outputs = (
        bench.Output(
            "mar_corr",
            unit="correlation",
            better="higher",
            best=1.0,
            low=-1.0,
            high=1.0,
            title="MAR corr.",
        ),
        bench.Output("mar_error", unit="MAR", better="lower", best=0.0, low=0.0, title="MAR error"),
        bench.Output("motion", unit="1", better="none", best=1.0, low=0.0, title="mouth motion"),
        bench.Output("flicker", unit="1", better="none", best=1.0, low=0.0, title="mouth flicker"),
        bench.Output(
            "left_out", unit="share", better="none", low=0.0, high=1.0, title="frames left out"
        ),
    )
    sees = frozenset({"blur", "noise", "frozen"})
    tried_on = "talkers"

    @property
    def protocol(self) -> str:
        """Landmarks and whose faces."""
        return "mouth[{landmarks}; inner lips; {faces}]"

    def measure(self, sample: bench.Sample) -> dict[str, float]:
        """The clip's values."""
        pair = paired(sample)
        frames = len(pair.truth["score"])
        if frames < LEAST_FRAMES:
            raise bench.Undefined(f"needs at least {LEAST_FRAMES} frames with a face, got {frames}")
        truth, made = opening(pair.truth), opening(pair.made)
        return {
            "mar_corr": correlation(truth, made),
            "mar_error": float(np.abs(made - truth).mean()),
            "motion": float(made.std() / truth.std()),
            "flicker": _shakier(unrest(pair.truth), unrest(pair.made)),
            "left_out": pair.left_out,
        }

    def independent(self, sample: bench.Sample) -> dict[str, float]:
        """The correlation by SciPy."""
        from scipy.stats import pearsonr

        pair = paired(sample)
        return {"mar_corr": float(pearsonr(opening(pair.truth), opening(pair.made)).statistic)}


def _shakier(truth: float, made: float) -> float:
    if truth == 0.0:
        raise bench.Undefined("the reference's landmarks do not move at all")
    return made / truth


@bench.hookimpl
def register_metrics() -> list[type[bench.Metric]]:
    """Registers mouth."""
    return [Mouth]
