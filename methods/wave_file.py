"""Writes a sound as a wave file, which every program reads."""

from __future__ import annotations

from pathlib import Path

import bench


def write_wave(target: Path, sound: bench.Sound) -> None:
    """Writes (S,) int16 samples: RIFF, mono, 16 kHz, 16 bit."""
    import wave

    with target.open("wb") as stream, wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(bench.SAMPLE_RATE)
        file.writeframes(sound.astype("<i2").tobytes())
