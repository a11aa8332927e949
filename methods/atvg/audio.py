"""What each frame hears: 280 ms of cepstra around it.

Source: lelechen63/ATVGnet @ 02d8f8f, demo.py (python_speech_features' cepstra, without the energy).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench import SAMPLES_PER_FRAME, Sound
from bench.networks.mfcc import STEP, mfcc
from methods.atvg.speech import ROWS

Windows: TypeAlias = NDArray[np.float32]  # (T, 28, 12)

LEAD = 1920  # zeros before and after the sound, 120 ms: a frame is in the middle of what it hears
ROWS_PER_FRAME = SAMPLES_PER_FRAME // STEP  # 4


def windows(sound: Sound) -> Windows:
    """What each whole frame of the sound hears, (T, 28, 12) float32, T = S // 640.

    sound: (S,) int16 at 16 kHz, S >= 640. Frame f hears from 120 ms before it begins to 160 ms
    after. The official program makes one frame less (`official_frames`): its sound ends 10 ms
    before the last window does; here zeros follow. Raises ValueError for a sound below one frame.
    """
    frames = len(sound) // SAMPLES_PER_FRAME
    if frames == 0:
        raise ValueError(f"{len(sound)} samples; a frame takes {SAMPLES_PER_FRAME}")
    silence = np.zeros(LEAD, dtype=np.int16)
    more = np.zeros(STEP, dtype=np.int16)  # for the last window
    rows = mfcc(np.concatenate([silence, sound, silence, more])).T[:, 1:]  # (M, 12)
    starts = ROWS_PER_FRAME * np.arange(frames)
    return np.ascontiguousarray(rows[starts[:, None] + np.arange(ROWS)])


def official_frames(sound: Sound) -> int:
    """How many frames the official program makes of a sound: of whole frames, all but the last."""
    rows = len(mfcc(np.concatenate([sound, np.zeros(2 * LEAD, dtype=np.int16)])).T)
    return max(0, rows // ROWS_PER_FRAME - ROWS // ROWS_PER_FRAME + 1)
