"""The landmarks of a job's face, and the still that methods take which need one face only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import bench

LEAST_SCORE = 0.5  # of the landmarks of a frame that shows a face


@dataclass(frozen=True)
class LandmarkedFace:
    """Landmarks of all frames, which of them show a face, and the place of the first that does.

    arrays: as the feature `landmarks` gives them. is_seen: (T,) bool. notes: for the generation, if
    the still is not the first frame.
    """

    arrays: bench.Arrays
    is_seen: NDArray[np.bool_]
    still: int

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the record should know of the still."""
        return (f"the still is frame {self.still}, the first with a face",) if self.still else ()


def landmarked_face(job: bench.Job) -> LandmarkedFace:
    """The job's face; raises BenchError for silent speech and where no frame shows a face."""
    if not job.speech.any():
        raise bench.BenchError(
            f"the speech of {job.case.speech.id!r} is digitally silent; give a clip with sound"
        )
    arrays, is_seen = landmarks_of(job.face, "face clip")
    return LandmarkedFace(arrays, is_seen, int(np.argmax(is_seen)))


def landmarks_of(video: bench.Video, what: str) -> tuple[bench.Arrays, NDArray[np.bool_]]:
    """The landmarks of a video, and which of its frames show a face, (T,); at least one does.

    what: the video, in words. Raises BenchError where no frame shows a face.
    """
    try:
        arrays = video.feature("landmarks")
    except bench.Undefined as absent:
        raise bench.BenchError(f"no landmarks of the {what}: {absent}") from absent
    is_seen = np.asarray(arrays["score"]) >= LEAST_SCORE
    if not is_seen.any():
        raise bench.BenchError(
            f"no frame shows a face: all landmarks of the {what} have a score below {LEAST_SCORE}"
        )
    return arrays, is_seen
