"""The landmarks of a video and of its reference, in the frames in which both show a face."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.contract.jobs import Sample
from bench.contract.video import Arrays, Video
from bench.ground.errors import BenchError, Undefined

LEAST_SCORE = 0.5  # below it a frame counts as showing no face
MOST_LEFT_OUT = 0.1  # the share of frames without a face, in either of the two


@dataclass(frozen=True)
class Pair:
    """The arrays of the feature `landmarks` of reference and video, T frames of both.

    left_out: the share of frames that are in neither, for one of the two shows no face there.
    """

    truth: Arrays
    made: Arrays
    left_out: float


def paired(sample: Sample) -> Pair:
    """The landmarks of a sample's reference and video, the frames without a face left out of both.

    Raises BenchError where there is no reference, or the two differ in length, size or model of the
    landmarks; Undefined where either shows no face, or more than a tenth of the frames would be
    left out.
    """
    if sample.reference is None:
        raise BenchError(
            f"case {sample.case.id}: no reference to compare with; full-reference metrics need"
            " a case of kind reconstruct or probe"
        )
    truth, made = _of(sample.reference), _of(sample.video)
    if len(truth["score"]) != len(made["score"]):
        raise BenchError(
            f"case {sample.case.id}: the video has {len(made['score'])} frames, its reference "
            f"{len(truth['score'])}; conform the video to its reference first, nothing is cut here"
        )
    if str(truth["model"]) != str(made["model"]):
        raise BenchError(
            f"case {sample.case.id}: landmarks of {made['model']} beside those of "
            f"{truth['model']} in the reference; both are to be of one model"
        )
    if (truth["size"] != made["size"]).any():
        raise BenchError(
            f"case {sample.case.id}: the video is {_told(made)}, its reference {_told(truth)} "
            "(width x height); conform the video to its reference first, nothing is resized here"
        )
    is_seen = (truth["score"] >= LEAST_SCORE) & (made["score"] >= LEAST_SCORE)
    left_out = float(1.0 - is_seen.mean())
    if left_out > MOST_LEFT_OUT:
        raise Undefined(
            f"in {left_out:.0%} of the frames the landmarks of video or reference have a score "
            f"below {LEAST_SCORE}; more than {MOST_LEFT_OUT:.0%} would be left out"
        )
    return Pair(_only(truth, is_seen), _only(made, is_seen), left_out)


def _of(video: Video) -> Arrays:
    return video.feature("landmarks")


def _only(arrays: Mapping[str, NDArray[Any]], chosen: NDArray[np.bool_]) -> Arrays:
    by_frame = ("points", "score", "blendshapes")
    return {name: array[chosen] if name in by_frame else array for name, array in arrays.items()}


def _told(arrays: Arrays) -> str:
    height, width = arrays["size"].tolist()
    return f"{width}x{height}"
