"""The voice in which a text is said where only its phonemes matter."""

from __future__ import annotations

from bench.data.synth.identity import Voice


def plain_voice() -> Voice:
    """espeak's own voice; its sound is thrown away."""
    return Voice(
        variant="m1",
        pitch=50,
        pitch_range=50,
        rate=175,
        source_rate=22_050,
        tilt=0.0,
        bump_hz=1000.0,
        bump_db=0.0,
        reverb=0.0,
        reverb_seconds=0.1,
        noise_db=60.0,
        level_db=-20.0,
        top_hz=8000.0,
    )
