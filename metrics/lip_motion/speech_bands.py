"""What a mouth can be told from: the loudness of speech in bands, twice a frame.

It shares nothing with SyncNet's cepstrum (`bench.networks.mfcc`): logarithms of band energies with
a window function, against the clip's own loud level and mean spectrum.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from bench.ground.types import SAMPLE_RATE, SAMPLES_PER_FRAME, Sound

Bands = NDArray[np.float64]

BANDS = 18  # on the mel scale
LOWEST, HIGHEST = 80.0, 7600.0  # hertz
COLUMNS = BANDS + 1  # and the loudness
PER_FRAME = 2
REACH = 6  # frames before and after that enter a frame's row
ROW = (2 * REACH + 1) * PER_FRAME * COLUMNS

_WINDOW = 400  # samples, 25 ms
_SPECTRUM = 512
_STEPS = 4  # windows a frame; two are averaged
_QUIET = 1e-7  # power that is added before a logarithm
_LOUD = 6.0  # nats below the loud level: what counts as speech
_RANGE = (-8.0, 6.0)  # nats about the clip's mean spectrum


def speech_bands(sound: Sound, frames: int) -> Bands:
    """The bands of a sound, (2 frames, 19): 18 mel bands and the loudness, in nats.

    sound: (S,) int16 at 16 kHz; what is missing at its end is silence. Bands are about the clip's
    mean over loud windows, the loudness is about the level that 5 % of the windows exceed; so
    neither the gain nor the colour of a microphone matters.
    """
    half = _WINDOW // 2
    step = SAMPLES_PER_FRAME // _STEPS
    length = frames * SAMPLES_PER_FRAME
    signal = np.zeros(length + _WINDOW)
    taken = sound[:length].astype(np.float64) / 32768.0
    signal[half : half + len(taken)] = taken
    start = np.arange(frames * _STEPS) * step + step // 2
    cut = np.lib.stride_tricks.sliding_window_view(signal, _WINDOW)[start]  # (4 T, 400)
    power = np.abs(np.fft.rfft(cut * np.hanning(_WINDOW), _SPECTRUM)) ** 2  # (4 T, 257)
    bands = np.log(power @ _filters().T + _QUIET)  # (4 T, 18)
    loudness = np.log(power.sum(axis=1) + _QUIET)  # (4 T,)
    level = float(np.quantile(loudness, 0.95))
    loud = loudness > level - _LOUD
    bands = np.clip(bands - bands[loud].mean(axis=0), *_RANGE)
    loudness = np.clip(loudness - level, _RANGE[0] - 1.0, 2.0)
    both = np.concatenate([bands, loudness[:, None]], axis=1)  # (4 T, 19)
    return np.asarray(both.reshape(frames * PER_FRAME, -1, COLUMNS).mean(axis=1))


def heard(sound: Sound, frames: int) -> NDArray[np.bool_]:
    """The frames, (T,), from the first to the last sample that is not 0.

    Digital silence at the ends was put there by a program (a shifted or a lengthened sound), and
    says nothing of a mouth.
    """
    found = np.zeros(frames, dtype=np.bool_)
    there = np.flatnonzero(sound[: frames * SAMPLES_PER_FRAME]) // SAMPLES_PER_FRAME
    if len(there):
        found[there[0] : there[-1] + 1] = True
    return found


def rows(bands: Bands) -> NDArray[np.float64]:
    """For each frame the bands from REACH frames before to REACH after, (T, 494).

    Beyond the ends the first and the last frame are repeated.
    """
    frames = len(bands) // PER_FRAME
    flat = bands.reshape(frames, PER_FRAME * COLUMNS)
    padded = np.pad(flat, ((REACH, REACH), (0, 0)), mode="edge")
    return np.concatenate([padded[at : at + frames] for at in range(2 * REACH + 1)], axis=1)


@cache
def _filters() -> NDArray[np.float64]:
    """Triangles over the spectrum, (18, 257), with corners evenly spaced in mel."""
    low, high = (2595.0 * np.log10(1.0 + hertz / 700.0) for hertz in (LOWEST, HIGHEST))
    corners = 700.0 * (10.0 ** (np.linspace(low, high, BANDS + 2) / 2595.0) - 1.0)  # (20,)
    bins = np.fft.rfftfreq(_SPECTRUM, 1.0 / SAMPLE_RATE)  # (257,)
    rising = (bins - corners[:-2, None]) / (corners[1:-1] - corners[:-2])[:, None]
    falling = (corners[2:, None] - bins) / (corners[2:] - corners[1:-1])[:, None]
    return np.asarray(np.clip(np.minimum(rising, falling), 0.0, None))
