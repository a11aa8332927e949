"""The features of a set's clips, kept outside the memory until the set is whole."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

import bench

Rows = NDArray[np.float32]  # (N, D)
LEAST_CLIPS = 2


class FeatureRows:
    """Rows of features, clip after clip, in a file without a name: it goes when this object goes.

    In memory are only the clips' lengths, so that a set may be of any size.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (as long as this object)
        self._columns = 0
        self.lengths: list[int] = []

    def add(self, features: NDArray[np.float32]) -> None:
        """Takes in a clip's features, (K, D)."""
        self._columns = features.shape[1]
        self._file.write(np.ascontiguousarray(features, np.float32).tobytes())
        self.lengths.append(len(features))

    @property
    def clips(self) -> int:
        """How many clips were taken in."""
        return len(self.lengths)

    def rows(self) -> Rows:
        """All features, (N, D), mapped from the file."""
        self._file.flush()
        if not sum(self.lengths):
            return np.empty((0, self._columns), np.float32)
        shape = (sum(self.lengths), self._columns)
        return np.memmap(self._file, np.float32, "r", shape=shape)

    def places(self) -> NDArray[np.int64]:
        """Which clip each row belongs to, (N,)."""
        return np.repeat(np.arange(self.clips), self.lengths)


def check_equal_sets(made: FeatureRows, recorded: FeatureRows) -> None:
    """Raises Undefined unless both sides have the same number of clips, at least two, and frames.

    These distances grow with fewer frames, whatever is measured.
    """
    if made.clips < LEAST_CLIPS:
        raise bench.Undefined(f"needs at least {LEAST_CLIPS} clips, got {made.clips}")
    if made.lengths != recorded.lengths:
        raise bench.Undefined(
            f"{_said(made.lengths)} of the videos against {_said(recorded.lengths)} of their "
            "references: the distance is only comparable between equal sets"
        )


def _said(lengths: Sequence[int]) -> str:
    return f"{sum(lengths)} features of {len(lengths)} clips"
