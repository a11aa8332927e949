"""LMD: how far the points of the mouth are from where the truth has them."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

import bench
from bench.features.landmark_points import eye_distance, mouth
from metrics.features.landmarks.pairs import paired

Distance = Literal["mean", "sum", "l1"]
Points = NDArray[np.floating]  # (T, P, 2) pixels


def distances(
    truth: Points, made: Points, *, centred: bool = True, distance: Distance = "mean"
) -> NDArray[np.float64]:
    """The distance of two point sets (T, P, 2) in each frame, (T,), in their unit.

    centred: each set loses its own mean first, so a moved head costs nothing. distance: mean, the
    points' mean distance; sum, their sum; l1, the mean absolute difference of coordinates.
    """
    apart = made.astype(np.float64) - truth
    if centred:
        apart = apart - apart.mean(axis=1, keepdims=True)
    if distance == "l1":
        return np.asarray(np.abs(apart).mean(axis=(1, 2)))
    lengths = np.linalg.norm(apart, axis=2)  # (T, P)
    return np.asarray(lengths.sum(axis=1) if distance == "sum" else lengths.mean(axis=1))


class Lmd(bench.ClipMetric):
    """Mean distance of the mouth's points from the reference's, both about their own middle.

    LMD sees a mouth that moves wrongly as hardly worse than one that does not move; read it beside
    `mouth.mar_corr`. The landmarks' source decides more than the formula, so the protocol has it.

    Reads: the feature landmarks of video and reference, of one length and frame size.
    Output: lmd, pixels, lower is better, from 0; lmd_iod, the same divided by the truth's distance
        between the eyes' middles, frame by frame; left_out, the share of frames without a face.
    Raises: Undefined without a face, and where the landmarks of video or reference have a score
        below 0.5 in more than a tenth of the frames. BenchError where lengths or sizes differ.
    Source: Chen et al. 2018, arXiv:1803.10404 (LMD), as in Fictionarry/ER-NeRF,
        nerf_triplane/utils.py; variants of other papers by the options.
    """

    name, version = "lmd", "1"
    source = "arXiv:1803.10404, as in Fictionarry/ER-NeRF, nerf_triplane/utils.py"
    reads = frozenset({"landmarks", "faces", "reference"})
    outputs = (
        bench.Output("lmd", unit="px", better="lower", best=0.0, low=0.0, title="LMD"),
        bench.Output(
            "lmd_iod", unit="eye distances", better="lower", best=0.0, low=0.0, title="LMD/eyes"
        ),
        bench.Output(
            "left_out", unit="share", better="none", low=0.0, high=1.0, title="frames left out"
        ),
    )
    sees = frozenset({"blur", "noise", "frozen"})
    tried_on = "talkers"

    class Options(bench.Options):
        """points: the mouth's 20, or all of the face (F-LMD).

        centred: about the points' own middle. distance: mean, or as other papers have it: sum over
        the points (ATVGnet), l1 of the coordinates (ViCo).
        """

        points: Literal["mouth", "face"] = "mouth"
        centred: bool = True
        distance: Distance = "mean"

    options: Options

    @property
    def protocol(self) -> str:
        """Landmarks, which points, about what, how summed up, whose faces."""
        points = "mouth 20" if self.options.points == "mouth" else "whole face"
        centred = "centred" if self.options.centred else "not centred"
        return f"lmd[{{landmarks}}; {points}; {centred}; {self.options.distance}; {{faces}}]"

    def measure(self, sample: bench.Sample) -> dict[str, float]:
        """The clip's distances."""
        pair = paired(sample)
        chosen = mouth if self.options.points == "mouth" else _all
        found = distances(
            chosen(pair.truth),
            chosen(pair.made),
            centred=self.options.centred,
            distance=self.options.distance,
        )
        eyes = eye_distance(pair.truth).astype(np.float64)
        if not eyes.all():
            raise bench.Undefined("the eyes of the reference lie on each other in some frame")
        return {
            "lmd": float(found.mean()),
            "lmd_iod": float((found / eyes).mean()),
            "left_out": pair.left_out,
        }


def _all(arrays: bench.Arrays) -> Points:
    return arrays["points"]


@bench.hookimpl
def register_metrics() -> list[type[bench.Metric]]:
    """Registers lmd."""
    return [Lmd]
