"""Blinks a minute, over all clips of a set: a single clip of a few seconds has none or one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

import bench
from bench.features import landmark_points as points
from bench.ground.types import FPS
from metrics.features.landmarks.pairs import LEAST_SCORE, MOST_LEFT_OUT

SHUT = 0.6  # of the clip's usual opening of the eyes: below it they are shut
USUAL = 75.0  # the percentile that is the usual opening
BLENDSHAPE = 0.5  # of eyeBlink: above it the eyes are shut
EYE_BLINK = (9, 10)  # eyeBlinkLeft, eyeBlinkRight
GAP = 2  # frames of open eyes within one blink
LONGEST = FPS  # frames; eyes that are shut for longer do not blink


def eye_openings(arrays: bench.Arrays) -> NDArray[np.float64]:
    """EAR, the eye aspect ratio, of the right and the left eye in each frame, (T, 2)."""
    lids = points.eyes(arrays).astype(np.float64)  # (T, 2, 6, 2)
    heights = np.linalg.norm(lids[:, :, (1, 2)] - lids[:, :, (5, 4)], axis=3).sum(axis=2)
    widths = np.linalg.norm(lids[:, :, 0] - lids[:, :, 3], axis=2)
    return np.asarray(heights / (2.0 * np.maximum(widths, 1e-6)))


def blinks(shut: NDArray[np.bool_]) -> int:
    """How often eyes that are shut in these frames (T,) blink.

    Runs of shut frames at most two open ones apart are one blink; eyes that are shut at the first
    or at the last frame, or for more than a second, do not count: half a blink is none.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], shut, [False]]).astype(np.int8)))
    runs: list[list[int]] = []
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if runs and start - runs[-1][1] <= GAP:
            runs[-1][1] = end
        else:
            runs.append([start, end])
    whole = [end - start for start, end in runs if start > 0 and end < len(shut)]
    return sum(length <= LONGEST for length in whole)


@dataclass
class Count:
    """What is known of a set: blinks, frames with a face, frames in all."""

    blinks: int = 0
    seen: int = 0
    frames: int = 0

    @property
    def a_minute(self) -> float:
        """Blinks a minute of frames with a face."""
        return self.blinks * FPS * 60.0 / self.seen

    @property
    def left_out(self) -> float:
        """The share of frames without a face."""
        return 1.0 - self.seen / self.frames


class Blink(bench.SetMetric):
    """Blinks a minute over a whole set, and how many more or fewer than its references have.

    by lids: the eyes are shut where the mean of their aspect ratios (EAR) is below 0.6 of its 75th
    percentile in the clip. by blendshapes: where the mean of MediaPipe's eyeBlink is above 0.5.
    Frames whose landmarks have a score below 0.5 are left out.

    Reads: the feature landmarks of videos and references.
    Output: blinks, blinks a minute of the videos, from 0; no direction. difference, that minus the
        references', blinks a minute, 0 is best; no direction. left_out, the share of the videos'
        frames without a face.
    Raises: Undefined where more than a tenth of the frames of the videos or of the references show
        no face, and for a set without frames. BenchError where blendshapes are asked for and the
        landmarks are not the mesh's.
    Source: Soukupova and Cech 2016 (EAR); the threshold relative to the clip is defined here.
    """

    name, version = "blink", "1"
    source = "Soukupova and Cech 2016 (EAR); the relative threshold is defined here"
    reads = frozenset({"landmarks", "faces", "reference"})
    outputs = (
        bench.Output("blinks", unit="1/min", better="none", low=0.0, title="blinks"),
        bench.Output(
            "difference", unit="1/min", better="none", best=0.0, title="blinks, difference"
        ),
        bench.Output(
            "left_out", unit="share", better="none", low=0.0, high=1.0, title="frames left out"
        ),
    )
    tried_on = "talkers"

    class Options(bench.Options):
        """by: what says that the eyes are shut."""

        by: Literal["lids", "blendshapes"] = "lids"

    options: Options

    @property
    def protocol(self) -> str:
        """Landmarks, what shuts, whose faces."""
        how = f"EAR < {SHUT:g} of p{USUAL:g}"
        if self.options.by == "blendshapes":
            how = f"eyeBlink > {BLENDSHAPE:g}"
        return f"blink[{{landmarks}}; {how}; {{faces}}]"

    @property
    def asks(self) -> Mapping[str, Mapping[str, object]]:
        """The mesh, where its blendshapes are read."""
        return {} if self.options.by == "lids" else {"landmarks": {"model": "mesh"}}

    def start(self) -> Count:
        """No clip yet."""
        return Count()

    def update(self, summary: Count, video: bench.Video) -> None:
        """Counts the blinks of one clip."""
        try:
            arrays = video.feature("landmarks")
        except bench.Undefined:  # one clip without a face is no reason to say nothing of the others
            summary.frames += len(video.read())
            return
        is_seen = arrays["score"] >= LEAST_SCORE
        summary.frames += len(is_seen)
        if not is_seen.any():
            return
        summary.seen += int(is_seen.sum())
        summary.blinks += blinks(self._shut(arrays, is_seen) & is_seen)

    def compute(self, summary: Count, references: Count) -> dict[str, float]:
        """The set's values."""
        for count, what in ((summary, "videos"), (references, "references")):
            if not count.frames:
                raise bench.Undefined(f"the {what} have no frames")
            if count.left_out > MOST_LEFT_OUT:
                raise bench.Undefined(
                    f"{count.left_out:.0%} of the frames of the {what} show no face with a score "
                    f"of at least {LEAST_SCORE}; more than {MOST_LEFT_OUT:.0%} would be left out"
                )
        return {
            "blinks": summary.a_minute,
            "difference": summary.a_minute - references.a_minute,
            "left_out": summary.left_out,
        }

    def _shut(self, arrays: bench.Arrays, is_seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        if self.options.by == "lids":
            wide = eye_openings(arrays).mean(axis=1)
            return np.asarray(wide < SHUT * np.percentile(wide[is_seen], USUAL))
        if not arrays["blendshapes"].shape[1]:
            raise bench.BenchError(
                f"landmarks of model {arrays['model']} have no blendshapes; "
                "write `landmarks: mesh` in the config, or `by: lids`"
            )
        return np.asarray(arrays["blendshapes"][:, EYE_BLINK].mean(axis=1) > BLENDSHAPE)


@bench.hookimpl
def register_metrics() -> list[type[bench.Metric]]:
    """Registers blink."""
    return [Blink]
