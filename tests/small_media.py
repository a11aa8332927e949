"""Makes small video and sound files for tests, by PyAV alone."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE = 16_000


def moving_picture(count: int, width: int = 64, height: int = 48) -> np.ndarray:
    """A smooth picture that moves with time; (T, H, W, 3) uint8."""
    y, x = np.mgrid[0:height, 0:width]
    frames = [
        np.stack([np.sin(x / 9 + t / 5), np.sin(y / 9 + t / 7), np.sin((x + y) / 16)], axis=-1)
        for t in range(count)
    ]
    return (128 + 90 * np.stack(frames)).astype(np.uint8)


def counting_picture(count: int) -> np.ndarray:
    """Frame t is flat grey at level 10 + 3 t, so that a decoded frame tells its number."""
    return np.stack([np.full((32, 32, 3), 10 + 3 * t, np.uint8) for t in range(count)])


def numbers(frames: np.ndarray) -> list[int]:
    """Which frame of `counting_picture` each decoded frame is."""
    return [round((float(frame.mean()) - 10) / 3) for frame in frames]


def tone(seconds: float, rate: int = RATE, frequency: float = 440.0) -> np.ndarray:
    """A sine at a quarter of full scale; (S,) int16."""
    time = np.arange(round(seconds * rate)) / rate
    return (8192 * np.sin(2 * np.pi * frequency * time)).astype(np.int16)


def clicks(count: int, places: list[int]) -> np.ndarray:
    """Silence with single loud samples; (S,) int16."""
    sound = np.zeros(count, np.int16)
    sound[places] = 30_000
    return sound


def write_wav(path: Path, sound: np.ndarray, rate: int, layout: str = "mono") -> Path:
    """Writes interleaved int16 sound, (S, channels) or (S,), as a wav file."""
    with av.open(str(path), "w", format="wav") as container:
        stream = container.add_stream("pcm_s16le", rate=rate)
        stream.codec_context.layout = layout
        frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="s16", layout=layout)
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_timed(
    path: Path,
    frames: np.ndarray,
    times_ms: list[int],
    *,
    sound: np.ndarray | None = None,
    sound_ms: int = 0,
    matrix: int | None = None,
) -> Path:
    """Writes frames at given times (and pcm sound from a given time) into any container."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "5", "bf": "0"})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        if matrix is not None:
            stream.codec_context.colorspace = matrix
            stream.codec_context.color_range = 1
        voice = None
        if sound is not None:
            voice = container.add_stream("pcm_s16le", rate=RATE)
            voice.codec_context.layout = "mono"
        for frame, time in zip(frames, times_ms, strict=True):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            if matrix is not None:
                picture = picture.reformat(
                    format="yuv420p", dst_colorspace=matrix, dst_color_range=1
                )
            picture.pts, picture.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
        if voice is not None:
            block = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="s16", layout="mono")
            block.sample_rate = RATE
            block.pts, block.time_base = sound_ms * RATE // 1000, Fraction(1, RATE)
            container.mux(voice.encode(block))
            container.mux(voice.encode(None))
    return path


def set_display_matrix(path: Path, a: int, b: int, c: int, d: int) -> None:
    """Writes a, b, c, d into the first track header of an mp4 (ISO 14496-12, version 0)."""
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 4 + 36
    for place, value in ((0, a), (4, b), (12, c), (16, d)):
        data[matrix + place : matrix + place + 4] = struct.pack(">i", value * 65536)
    path.write_bytes(data)
