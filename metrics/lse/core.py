"""LSE-D and LSE-C from the embeddings of a clip: distances over 31 shifts, minimum and median.

Source: joonson/syncnet_python @ 6efbb1c, SyncNetInstance.py, and Rudrabha/Wav2Lip @ 5c90fa9,
evaluation/scores_LSE (FIELD.md, section 4.1, steps 5 to 10). Everything here works on arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bench.ground.errors import Undefined
from bench.ground.types import SAMPLES_PER_FRAME, Sound

SHIFT = 15  # frames searched to either side
WINDOW = 5  # frames that one embedding sees
SYNCNET_DIGEST = "961e8696"  # of the reference scorer's weights, without loading torch
EPS = 1e-6  # added to every difference by torch's pairwise_distance
MEDIAN_KERNEL = 9  # frames, smoothing of the framewise confidence

Embeddings = NDArray[np.float32]  # (N, D), row i sees frames i to i + 4
Crops = NDArray[np.uint8]  # (T, 224, 224, 3) BGR


class Scorer(Protocol):
    """A pair of networks that embed five frames of a face and 0.2 s of sound in one space.

    name: as in configs and protocols. digest: first 8 hexadecimal digits of the weights' SHA-256.
    front_ends: the front ends whose crops it accepts ("lrs", "tracked").
    """

    name: str
    digest: str
    front_ends: frozenset[str]

    def embed(self, crops: Crops, sound: Sound) -> tuple[Embeddings, Embeddings]:
        """Embeddings of frames and sound, both (N, D) float32 with N = `windows(T, S)`.

        crops: (T, 224, 224, 3) uint8 BGR. sound: (S,) int16 at 16 kHz.
        """
        ...


@dataclass(frozen=True)
class LseResult:
    """The result of the search over shifts.

    lse_d: the smallest mean distance; lse_c: their median minus the smallest.
    offset: frames; positive if the sound is ahead of the frames.
    lse_d_at_0, lse_c_at_0: the same two without a search, at offset 0.
    padding_share: in [0, 1], the share of windows that, at the found offset, are compared with the
    zero rows beyond the ends of the sound.
    mean_distance: (31,) float32, entry k belongs to offset 15 - k.
    framewise_confidence: (N,) float64, median of mean_distance minus the distance of each window at
    the found offset, smoothed.
    """

    lse_d: float
    lse_c: float
    offset: int
    lse_d_at_0: float
    lse_c_at_0: float
    padding_share: float
    mean_distance: NDArray[np.float32]
    framewise_confidence: NDArray[np.float64]


def windows(frames: int, samples: int) -> int:
    """The number N of five-frame windows that are scored: min(frames, samples // 640) - 5.

    The original code leaves out the last possible window, so six frames give one. Raises Undefined
    if there is none.
    """
    count = min(frames, samples // SAMPLES_PER_FRAME) - WINDOW
    if count <= 0:
        raise Undefined(
            f"too short for LSE: {frames} frames and {samples} sound samples; it needs at least"
            f" {WINDOW + 1} frames and {(WINDOW + 1) * SAMPLES_PER_FRAME} samples"
        )
    return count


def distances(video: Embeddings, sound: Embeddings, *, shift: int = SHIFT) -> NDArray[np.float32]:
    """Distances of every frame window to the sound at every shift, (N, 2 shift + 1) float32.

    Column k compares frame window i with sound window i + k - shift; rows beyond the ends are
    zeros. Raises ValueError if the shapes differ.
    """
    if video.shape != sound.shape or video.ndim != 2:
        raise ValueError(f"embeddings must both be (N, D), got {video.shape} and {sound.shape}")
    count = len(video)
    shifted = video.astype(np.float64) + EPS  # (N, D)
    padded = np.pad(sound.astype(np.float64), ((shift, shift), (0, 0)))  # (N + 2 shift, D)
    table = np.empty((count, 2 * shift + 1), dtype=np.float32)
    # One (N, D) difference per shift: a Gram matrix would be no faster at these sizes and loses the
    # small distances to cancellation.
    for k in range(2 * shift + 1):
        difference = shifted - padded[k : k + count]
        table[:, k] = np.sqrt(np.einsum("nd,nd->n", difference, difference))
    return table


def lse(video: Embeddings, sound: Embeddings) -> LseResult:
    """LSE-D, LSE-C and the other outputs, from embeddings of frames and sound, N >= 1."""
    from scipy.ndimage import median_filter

    table = distances(video, sound)  # (N, 31)
    # Rounded to float32 as in the original code, so that the same shifts tie.
    mean = table.mean(axis=0, dtype=np.float64).astype(np.float32)  # (31,)
    best = int(mean.argmin())  # the first of equals
    median = float(np.sort(mean)[SHIFT])  # the middle of 31: torch.median and the median agree
    return LseResult(
        lse_d=float(mean[best]),
        lse_c=median - float(mean[best]),
        offset=SHIFT - best,
        lse_d_at_0=float(mean[SHIFT]),
        lse_c_at_0=median - float(mean[SHIFT]),
        padding_share=min(abs(best - SHIFT), len(video)) / len(video),
        mean_distance=mean,
        # A running median with zeros beyond the ends, as in scipy.signal.medfilt.
        framewise_confidence=median_filter(
            median - table[:, best].astype(np.float64), MEDIAN_KERNEL, mode="constant"
        ),
    )


def score(crops: Crops, sound: Sound, scorer: Scorer) -> LseResult:
    """LSE of (T, 224, 224, 3) uint8 BGR crops at 25 fps and (S,) int16 sound at 16 kHz.

    Raises Undefined if there is no window to score.
    """
    windows(len(crops), len(sound))
    return lse(*scorer.embed(crops, sound))
