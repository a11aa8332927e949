"""How a mouth is expected to move with a speech: a linear map, and how it is fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.files.one_move import in_one_move
from bench.ground.errors import BenchError
from bench.ground.types import SAMPLES_PER_FRAME, Sound
from metrics.lip_motion.mouth_curves import NAMES
from metrics.lip_motion.speech_bands import ROW, heard, rows, speech_bands

Numbers = NDArray[np.float32]
SHAPES = {
    "mean": (ROW,),
    "spread": (ROW,),
    "weights": (ROW, len(NAMES)),
    "usual": (len(NAMES),),
}


@dataclass(frozen=True)
class Predictor:
    """A linear map from the bands around a frame to the mouth's four curves.

    mean, spread: of each number of a row, (494,). weights: (494, 4). usual: the deviation of each
    curve over the clips that it was fitted to, (4,), in eye distances: the unit of what it expects.
    """

    mean: Numbers
    spread: Numbers
    weights: Numbers
    usual: Numbers

    def expect(self, sound: Sound, frames: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """How the mouth should move with this sound, (frames, 4), in units of `usual`.

        And the frames, (frames,), for which that is known (`heard`); in the others it is 0.
        """
        known = heard(sound, frames)
        expected = np.zeros((frames, len(self.usual)))
        if known.any():
            row = (heard_rows(sound, known) - self.mean) / self.spread
            expected[known] = row @ self.weights.astype(np.float64)
        return expected, known

    def save(self, path: Path) -> Path:
        """Writes it as safetensors, in one move."""
        from safetensors.numpy import save_file

        with in_one_move(path) as part:
            save_file({one.name: getattr(self, one.name) for one in fields(self)}, part)
        return path


def heard_rows(sound: Sound, known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The rows of the frames in which the sound is heard, (K, 494), as if there were no others."""
    first, count = int(np.argmax(known)), int(known.sum())
    return rows(speech_bands(sound[first * SAMPLES_PER_FRAME :], count))


@dataclass(frozen=True)
class Example:
    """A clip to fit to. rows: (T, 494). curves: (T, 4) in eye distances. group: its data set."""

    rows: NDArray[np.float64]
    curves: NDArray[np.float64]
    group: str


def fit(examples: Sequence[Example], *, ridge: float, weights: Mapping[str, float]) -> Predictor:
    """The map with the least squared error.

    ridge: the penalty of ridge regression on standardised numbers, per frame. weights: by data set,
    what it counts in all; 1 for one that is not named.
    """
    frames: dict[str, int] = {}
    for one in examples:
        frames[one.group] = frames.get(one.group, 0) + len(one.rows)
    counted = {group: weights.get(group, 1.0) / count for group, count in frames.items()}
    share = np.concatenate([np.full(len(one.rows), counted[one.group]) for one in examples])  # (N,)
    share /= share.sum()
    given = np.concatenate([one.rows for one in examples])  # (N, 494)
    wanted = np.concatenate([one.curves for one in examples])  # (N, 4)
    mean = share @ given
    spread = np.sqrt(share @ (given - mean) ** 2) + 1e-3
    usual = np.sqrt(share @ (wanted - share @ wanted) ** 2)
    z = (given - mean) / spread
    gram = (z * share[:, None]).T @ z + ridge * np.eye(z.shape[1])
    solved = np.linalg.solve(gram, (z * share[:, None]).T @ (wanted / usual))
    return Predictor(*(one.astype(np.float32) for one in (mean, spread, solved, usual)))


def read_predictor(path: Path) -> Predictor:
    """The predictor of a file. Raises BenchError where it is missing or holds something else."""
    from safetensors.numpy import load_file

    if not path.is_file():
        raise BenchError(f"{path}: the weights of lip_motion are missing; reinstall")
    try:
        found = load_file(path)
    except Exception as error:
        raise BenchError(f"{path}: cannot be read as safetensors: {error}") from error
    shapes = {name: array.shape for name, array in found.items()}
    if shapes != SHAPES:
        raise BenchError(f"{path}: expected arrays {SHAPES}, found {shapes}")
    return Predictor(**{name: array.astype(np.float32) for name, array in found.items()})
