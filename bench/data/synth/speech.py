"""Speech with phoneme timings from espeak-ng, through its C API, and a voice of its own for each.

espeak-ng comes as a wheel (espeakng-loader) with library and data. It is not thread safe and keeps
state, so each process has one `Synthesiser`. Its noise comes from C's rand(), which is seeded
before every sentence: the same text and voice give the same samples in every process.
"""

from __future__ import annotations

import ctypes
import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, resample_poly, sosfilt

from bench.data.synth.identity import Voice
from bench.data.synth.visemes import Segment
from bench.errors import BenchError
from bench.types import SAMPLE_RATE, Sound

ESPEAK_RATE = 22_050

# espeak-ng/speak_lib.h
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_PHONEME_EVENTS, _PHONEME_IPA, _DONT_EXIT = 0x0001, 0x0002, 0x8000
_CHARS_UTF8, _POS_CHARACTER = 1, 1
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4
_EVENT_LIST_TERMINATED, _EVENT_PHONEME = 0, 7


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass(frozen=True)
class Spoken:
    """Dry speech: (S,) float32 in -1..1 at 16 kHz, and its phonemes in seconds."""

    samples: NDArray[np.float32]
    segments: tuple[Segment, ...]


class Synthesiser:
    """espeak-ng in this process; use `synthesiser()`."""

    def __init__(self) -> None:
        import espeakng_loader

        library, data = espeakng_loader.get_library_path(), espeakng_loader.get_data_path()
        try:
            self._library = ctypes.CDLL(str(library))
        except OSError as error:
            raise BenchError(
                f"{library}: espeak-ng cannot be loaded: {error}. The embedded corpora need the "
                "package espeakng-loader for this platform."
            ) from error
        # the data path is copied into a buffer of 160 bytes or more, depending on the build
        rate = self._library.espeak_Initialize(
            _AUDIO_OUTPUT_SYNCHRONOUS,
            0,
            str(Path(data)).encode(),
            _PHONEME_EVENTS | _PHONEME_IPA | _DONT_EXIT,
        )
        if rate != ESPEAK_RATE:
            raise BenchError(f"{data}: espeak-ng answers {rate}; expected {ESPEAK_RATE} Hz.")
        self._c = ctypes.CDLL(None)
        self._samples: list[bytes] = []
        self._phonemes: list[tuple[int, str]] = []
        self._callback = _CALLBACK(self._receive)  # kept, else it is collected
        self._library.espeak_SetSynthCallback(self._callback)

    def _receive(
        self, wave: ctypes._Pointer[ctypes.c_short], count: int, events: ctypes._Pointer[_Event]
    ) -> int:
        if wave and count > 0:
            self._samples.append(ctypes.string_at(wave, count * 2))
        number = 0
        while events[number].type != _EVENT_LIST_TERMINATED:
            event = events[number]
            if event.type == _EVENT_PHONEME:
                self._phonemes.append((event.sample, event.id.string.decode("utf-8", "ignore")))
            number += 1
        return 0

    def speak(self, text: str, language: str, voice: Voice, *, rate: int) -> Spoken:
        """The text in this voice; language is espeak's ("cmn", "en-gb", "en-us").

        Raises BenchError where espeak knows no such voice or says nothing.
        """
        library = self._library
        name = f"{language}+{voice.variant}"
        if library.espeak_SetVoiceByName(name.encode()) != 0:
            raise BenchError(f"espeak-ng has no voice {name!r}.")
        for parameter, value in (
            (_RATE, rate),
            (_VOLUME, 100),
            (_PITCH, voice.pitch),
            (_RANGE, voice.pitch_range),
        ):
            library.espeak_SetParameter(parameter, value, 0)
        self._samples.clear()
        self._phonemes.clear()
        self._c.srand(1)
        data = text.encode()
        library.espeak_Synth(data, len(data) + 1, 0, _POS_CHARACTER, 0, _CHARS_UTF8, None, None)
        library.espeak_Synchronize()
        raw = np.frombuffer(b"".join(self._samples), np.int16).astype(np.float32) / 32768.0
        if not len(raw) or not any(phoneme for _, phoneme in self._phonemes):
            raise BenchError(f"espeak-ng says nothing for {text!r} in voice {name!r}.")
        # reading the samples at another rate moves pitch, formants and time together
        divisor = int(np.gcd(SAMPLE_RATE, voice.source_rate))
        samples = resample_poly(raw, SAMPLE_RATE // divisor, voice.source_rate // divisor)
        starts = [start for start, _ in self._phonemes] + [len(raw)]
        segments = tuple(
            Segment(phoneme, start / voice.source_rate, starts[number + 1] / voice.source_rate)
            for number, (start, phoneme) in enumerate(self._phonemes)
            if starts[number + 1] > start
        )
        return Spoken(samples.astype(np.float32), segments)


@functools.cache
def synthesiser() -> Synthesiser:
    """This process's espeak-ng."""
    return Synthesiser()


def trimmed(spoken: Spoken) -> Spoken:
    """Without the silence at both ends."""
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
    """The speech as a microphone in a room gives it, (S,) int16; nothing moves in time."""
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
    # rooms rumble more than they hiss
    rumble = sosfilt(butter(1, 300, fs=SAMPLE_RATE, output="sos"), hiss)
    room = 0.35 * hiss / hiss.std() + rumble / rumble.std()
    wet += room * 10 ** ((voice.level_db - voice.noise_db) / 20)
    return np.clip(np.round(wet * 32767.0), -32768, 32767).astype(np.int16)


def _tone(sound: NDArray[np.float64], voice: Voice) -> NDArray[np.float64]:
    """Tilt of the spectrum and one resonance."""
    high = sound - sosfilt(butter(1, 1500, fs=SAMPLE_RATE, output="sos"), sound)
    sound = sound + high * (10 ** (voice.tilt / 20) - 1.0)
    band = [voice.bump_hz * 0.8, voice.bump_hz * 1.25]
    around = sosfilt(butter(1, band, btype="band", fs=SAMPLE_RATE, output="sos"), sound)
    return np.asarray(sound + around * (10 ** (voice.bump_db / 20) - 1.0))


def loudness(dry: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """How loud the speech is in each frame, (frames,) in 0..1 of the clip's loudest."""
    window = SAMPLE_RATE // 25
    padded = np.zeros(frames * window, np.float32)
    padded[: min(len(dry), len(padded))] = dry[: len(padded)]
    rms = np.sqrt((padded.reshape(frames, window) ** 2).mean(axis=1) + 1e-12)
    level = np.clip(1.0 + np.log10(rms / max(float(rms.max()), 1e-5)) / 1.5, 0.0, 1.0)
    return level.astype(np.float32)
