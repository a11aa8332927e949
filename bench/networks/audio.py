"""Speech features of the Wav2Lip family: mel spectrogram, cepstra with differences, or both.

Sources: Rudrabha/Wav2Lip, audio.py and hparams.py (the mel spectrogram; librosa's defaults as of
0.10 and later: periodic Hann window, zero padding, Slaney's mel scale and area normalisation);
doi 10.11896/jsjkx.241200067, section 3.1.1 (cepstra and their fusion with the mel spectrogram).

Deviation from the paper: its eq. 3, as printed, is not orthonormal; this is the orthonormal DCT-II.
Its logarithm (eq. 2) is that of the mel spectrogram, in decibels. Our choices where the paper is
silent: thirteen coefficients, differences by regression over two columns to either side, and the
range, see `cepstra`.
"""

from __future__ import annotations

from functools import cache
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.ground.types import SAMPLE_RATE, Sound

AudioKind: TypeAlias = Literal["mel", "mfcc", "fused"]
Features: TypeAlias = NDArray[np.float32]  # (D, M), one column per 12.5 ms

# Wav2Lip, hparams.py
MELS = 80
SPECTRUM = 800  # points of the Fourier transform, samples of its window
HOP = 200  # samples from column to column
LOWEST, HIGHEST = 55.0, 7600.0  # hertz
PREEMPHASIS = 0.97
FLOOR, REFERENCE = -100.0, 20.0  # decibels
LIMIT = 4.0  # the features lie in [-LIMIT, LIMIT]
COLUMNS = 16  # of one window, 0.2 s

COEFFICIENTS = 13
REACH = 2  # columns to either side that enter a difference
HEIGHTS: dict[AudioKind, int] = {
    "mel": MELS,
    "mfcc": 3 * COEFFICIENTS,
    "fused": MELS + 3 * COEFFICIENTS,
}


def features(sound: Sound, kind: AudioKind) -> Features:
    """The features of a sound, (D, M) float32 in [-4, 4]; D is 80, 39 or 119 (`HEIGHTS`).

    sound: (S,) int16 at 16 kHz, S >= 1; M = 1 + S // 200. "fused" is mel above cepstra: both come
    from the same columns, so there is nothing to truncate.
    """
    return features_of_mel(mel_spectrogram(sound), kind)


def features_of_mel(mel: Features, kind: AudioKind) -> Features:
    """The features (D, M), as `features` returns them, of a mel spectrogram (80, M)."""
    if kind == "mel":
        return mel
    return cepstra(mel) if kind == "mfcc" else np.concatenate([mel, cepstra(mel)])


def mel_spectrogram(sound: Sound) -> Features:
    """Wav2Lip's mel spectrogram, (80, 1 + S // 200) float32 in [-4, 4].

    sound: (S,) int16 at 16 kHz. Decibels of the mel magnitudes less 20, mapped from [-100, 0] to
    [-4, 4] and clipped. Raises ValueError for an empty sound or one that is not int16.
    """
    if sound.ndim != 1 or len(sound) == 0 or sound.dtype != np.int16:
        raise ValueError(f"sound must be (S,) int16, S >= 1; got {sound.dtype} {sound.shape}")
    signal = sound / 32768.0
    signal[1:] -= PREEMPHASIS * signal[:-1].copy()
    padded = np.pad(signal, SPECTRUM // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, SPECTRUM)[::HOP]  # (M, 800)
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(SPECTRUM) / SPECTRUM)
    magnitude = np.abs(np.fft.rfft(frames * window))  # (M, 401)
    mel = mel_filters(SPECTRUM, LOWEST, HIGHEST) @ magnitude.T  # (80, M)
    decibels = 20.0 * np.log10(np.maximum(1e-5, mel)) - REFERENCE
    scaled = 2.0 * LIMIT * (decibels - FLOOR) / -FLOOR - LIMIT
    return np.clip(scaled, -LIMIT, LIMIT).astype(np.float32)


@cache
def mel_filters(spectrum: int, lowest: float, highest: float) -> NDArray[np.float64]:
    """Triangles of equal area, spaced evenly on Slaney's mel scale, (80, spectrum // 2 + 1).

    spectrum: points of the Fourier transform. lowest, highest: hertz.
    """
    hertz = _mel_edges(lowest, highest)
    bins = np.fft.rfftfreq(spectrum, 1.0 / SAMPLE_RATE)
    low, middle, high = (hertz[i : i + MELS, None] for i in range(3))
    triangles = np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle))
    return np.asarray(np.maximum(triangles, 0.0) * 2.0 / (high - low))


def mel_centres(lowest: float, highest: float) -> NDArray[np.float64]:
    """The middles of the triangles of `mel_filters`, (80,) hertz, rising."""
    return _mel_edges(lowest, highest)[1:-1]


def _mel_edges(lowest: float, highest: float) -> NDArray[np.float64]:
    """The corners of the triangles, (82,) hertz: each middle is the next one's low corner."""
    # The scale is linear up to 1 kHz (15 mel), then logarithmic: 27 mel for a factor of 6.4.
    step = np.log(6.4) / 27.0
    top = 15.0 + np.log(highest / 1000.0) / step
    mels = np.linspace(lowest * 3.0 / 200.0, top, MELS + 2)
    return np.where(mels < 15.0, mels * 200.0 / 3.0, 1000.0 * np.exp(step * (mels - 15.0)))


def cepstra(mel: Features) -> Features:
    """Cepstra, their differences and the differences of these, (39, M) float32 in [-4, 4].

    mel: (80, M) as `mel_spectrogram` gives it, affine in decibels. Rows 0 to 12 are
    c_k(t) = a_k sum_m mel(m, t) cos(pi k (2 m + 1) / 160), the orthonormal DCT-II (a_0 = 1/sqrt 80,
    else a_k = sqrt(2/80)). Rows 13 to 25 are d(t) = sum_n n (c(t + n) - c(t - n)) / 10 for n = 1, 2
    with the edge columns repeated; rows 26 to 38 are the same of d.

    Then each row is multiplied by its own constant (`_scales`) and clipped to the mel spectrogram's
    range: row 0 becomes the mean of the column; the others get about the spread of the mel
    spectrogram's rows in running speech, so that no row dominates.
    """
    coefficients = _cosines() @ mel.astype(np.float64)  # (13, M)
    first = _differences(coefficients)
    rows = np.concatenate([coefficients, first, _differences(first)])  # (39, M)
    return np.clip(rows * _scales(), -LIMIT, LIMIT).astype(np.float32)


@cache
def _cosines() -> NDArray[np.float64]:
    """The first rows of the orthonormal DCT-II, (13, 80)."""
    order, place = np.arange(COEFFICIENTS)[:, None], np.arange(MELS)[None, :]
    cosines = np.cos(np.pi * order * (2 * place + 1) / (2 * MELS)) * np.sqrt(2.0 / MELS)
    cosines[0] /= np.sqrt(2.0)
    return np.asarray(cosines)


def _differences(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The slope of the regression line through five columns, in units per column, (D, M)."""
    padded = np.pad(rows, ((0, 0), (REACH, REACH)), mode="edge")
    columns = rows.shape[1]
    total = np.zeros_like(rows)
    for n in range(1, REACH + 1):
        later, earlier = REACH + n, REACH - n
        total += n * (padded[:, later : later + columns] - padded[:, earlier : earlier + columns])
    return total / (2 * sum(n * n for n in range(1, REACH + 1)))


@cache
def _scales() -> NDArray[np.float64]:
    """The factors of the rows of `cepstra`, (39, 1).

    Rounded from running speech of a few speakers: c_k has a spread of about 3 k^(-3/4), its
    differences a quarter of that, and theirs a tenth.
    """
    order = np.arange(1, COEFFICIENTS)
    static = np.concatenate([[1.0 / np.sqrt(MELS)], order**0.75 / 3.0])  # (13,)
    return np.concatenate([static, 4.0 * static, 10.0 * static])[:, None]


def first_columns(frames: int, columns: int, *, lead: int = 0) -> NDArray[np.int64]:
    """The first of the 16 columns that each video frame hears, (frames,).

    Frame f hears the columns from int(80 (f - lead) / 25) on. lead=0 is the official program's rule
    when it generates (inference.py): a frame hears the 0.2 s that begin with it. lead=1 is its rule
    when it trains (`indiv_mels`: one frame earlier). A method has to use the same rule for both.

    columns: the number M >= 16 of feature columns. Windows are moved to lie within them, so every
    frame has one. The official program rejects windows that begin too early. Of those that end too
    late, inference.py keeps the first and ends the video with it; the generator of its LRS test
    videos keeps none (`reference_frames`).
    """
    if columns < COLUMNS:
        raise ValueError(f"{columns} columns of features; a window takes {COLUMNS}")
    starts = COLUMNS * (np.arange(frames) - lead) // 5  # exact: 80 columns are 25 frames
    return np.clip(starts, 0, columns - COLUMNS)


def reference_frames(columns: int, *, is_partial_window_kept: bool) -> int:
    """How many frames the official program generates from M >= 16 columns of features.

    inference.py keeps the last, partial window by shifting it back; gen_videos_from_filelist.py
    drops it. For the sound of T frames this gives T - 3 and T - 4 frames: both lose the end of the
    speech.
    """
    whole = (5 * (columns - COLUMNS) + 4) // COLUMNS + 1
    return whole + 1 if is_partial_window_kept else whole


def windows(features: Features, starts: NDArray[np.int64]) -> Features:
    """The 16 columns from each start, (B, 1, D, 16), as the networks take them.

    features: (D, M). starts: (B,) in 0..M - 16, from `first_columns`.
    """
    index = starts[:, None] + np.arange(COLUMNS)  # (B, 16)
    return np.ascontiguousarray(features[:, index].transpose(1, 0, 2)[:, None])
