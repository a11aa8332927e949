"""Speech with phoneme timings from espeak-ng, recorded with a microphone and room per voice.

The wheel espeakng-loader contains espeak-ng's library and data; espeak.py calls it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from bench.data.synth.identity import Voice
from bench.data.synth.visemes import Segment
from bench.ground.errors import BenchError
from bench.ground.types import SAMPLE_RATE, Sound


@dataclass(frozen=True)
class Spoken:
    """Dry speech: (S,) float32 in -1..1 at 16 kHz, and its phonemes in seconds."""

    samples: NDArray[np.float32]
    segments: tuple[Segment, ...]


class Synthesiser:
    """A fresh espeak-ng process, as a context manager; one for each clip.

    Each sentence changes how the next one sounds, so a clip is repeatable only from a fresh start.
    """

    def __enter__(self) -> Synthesiser:
        import espeakng_loader

        script = str(Path(__file__).with_name("espeak.py"))
        paths = (str(espeakng_loader.get_library_path()), str(espeakng_loader.get_data_path()))
        # isolated and without site-packages, which the script does not need: starts 3 times faster
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-X", "utf8", script, *paths],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()

    def speak(self, text: str, language: str, voice: Voice, *, rate: int) -> Spoken:
        """The text in this voice. language: espeak's name ("cmn", "en", "en-us").

        Raises BenchError where espeak cannot be loaded, lacks the voice or gives no speech.
        """
        from scipy.signal import resample_poly

        asked = {
            "text": text,
            "voice": f"{language}+{voice.variant}",
            "rate": rate,
            "pitch": voice.pitch,
            "range": voice.pitch_range,
        }
        facts, raw = self._ask(json.dumps(asked).encode() + b"\n")
        # reading the samples at another rate scales pitch, formants and time together
        divisor = int(np.gcd(SAMPLE_RATE, voice.source_rate))
        samples = resample_poly(raw, SAMPLE_RATE // divisor, voice.source_rate // divisor)
        starts = [start for start, _ in facts] + [len(raw)]
        segments = tuple(
            Segment(phoneme, start / voice.source_rate, starts[number + 1] / voice.source_rate)
            for number, (start, phoneme) in enumerate(facts)
            if starts[number + 1] > start
        )
        return Spoken(samples.astype(np.float32), segments)

    def _ask(self, line: bytes) -> tuple[list[tuple[int, str]], NDArray[np.float32]]:
        """Phonemes with their first samples, and the samples (S,) in -1..1 at 22050 Hz."""
        pipes = self._process
        assert pipes.stdin is not None
        assert pipes.stdout is not None
        try:
            pipes.stdin.write(line)
            pipes.stdin.flush()
        except BrokenPipeError:
            pass  # the process has ended: the empty answer below leads to its error message
        first = pipes.stdout.readline()
        if not first:
            _, stderr = pipes.communicate()
            last = (stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
            raise BenchError(
                f"espeak-ng does not run: {last}. The embedded corpora need the package "
                "espeakng-loader for this platform."
            )
        facts = json.loads(first)
        if "error" in facts:
            raise BenchError(str(facts["error"]))
        sound = pipes.stdout.read(facts["bytes"])
        raw = np.frombuffer(sound, np.int16).astype(np.float32) / 32768.0
        return [(int(start), str(name)) for start, name in facts["phonemes"]], raw


def trimmed(spoken: Spoken) -> Spoken:
    """The speech without the silence at both ends."""
    voiced = [segment for segment in spoken.segments if segment.phoneme]
    start, end = voiced[0].start, voiced[-1].end
    first, last = int(start * SAMPLE_RATE), int(end * SAMPLE_RATE)
    moved = tuple(
        Segment(segment.phoneme, segment.start - start, segment.end - start)
        for segment in spoken.segments
        if segment.start >= start - 1e-9 and segment.end <= end + 1e-9
    )
    return Spoken(spoken.samples[first:last], moved)


def recorded(dry: NDArray[np.float32], voice: Voice, rng: np.random.Generator) -> Sound:
    """The speech as recorded by a microphone in a room, (S,) int16; timings are unchanged."""
    from scipy.signal import butter, fftconvolve, sosfilt

    tone = _tone(dry.astype(np.float64), voice)
    count = int(voice.reverb_seconds * SAMPLE_RATE)
    decay = np.exp(-6.9 * np.arange(count) / count) * rng.standard_normal(count)
    decay[: int(0.004 * SAMPLE_RATE)] = 0.0  # the direct sound comes first
    decay *= voice.reverb / max(float(np.sqrt((decay**2).sum())), 1e-9)
    wet = tone + fftconvolve(tone, decay)[: len(tone)] * 2.0
    if voice.top_hz < 7500:
        wet = sosfilt(butter(4, voice.top_hz, fs=SAMPLE_RATE, output="sos"), wet)
    loud = np.abs(wet) > 0.02 * np.abs(wet).max()
    rms = max(float(np.sqrt((wet[loud] ** 2).mean())), 1e-6)
    wet *= 10 ** (voice.level_db / 20) / rms
    hiss = rng.standard_normal(len(wet))
    # room noise is more rumble than hiss
    rumble = sosfilt(butter(1, 300, fs=SAMPLE_RATE, output="sos"), hiss)
    room = 0.35 * hiss / hiss.std() + rumble / rumble.std()
    wet += room * 10 ** ((voice.level_db - voice.noise_db) / 20)
    return np.clip(np.round(wet * 32767.0), -32768, 32767).astype(np.int16)


def _tone(sound: NDArray[np.float64], voice: Voice) -> NDArray[np.float64]:
    """Applies the voice's spectral tilt and one resonance."""
    from scipy.signal import butter, sosfilt

    high = sound - sosfilt(butter(1, 1500, fs=SAMPLE_RATE, output="sos"), sound)
    sound = sound + high * (10 ** (voice.tilt / 20) - 1.0)
    band = [voice.bump_hz * 0.8, voice.bump_hz * 1.25]
    around = sosfilt(butter(1, band, btype="band", fs=SAMPLE_RATE, output="sos"), sound)
    return np.asarray(sound + around * (10 ** (voice.bump_db / 20) - 1.0))


def loudness(dry: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """The loudness of each frame, (frames,) in 0..1, relative to the clip's loudest frame."""
    window = SAMPLE_RATE // 25
    padded = np.zeros(frames * window, np.float32)
    padded[: min(len(dry), len(padded))] = dry[: len(padded)]
    rms = np.sqrt((padded.reshape(frames, window) ** 2).mean(axis=1) + 1e-12)
    level = np.clip(1.0 + np.log10(rms / max(float(rms.max()), 1e-5)) / 1.5, 0.0, 1.0)
    return np.asarray(level, np.float32)
