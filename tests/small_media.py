"""Writes small video and sound files for tests, with PyAV."""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import av.stream
import numpy as np

RATE = 16_000


def moving_frames(count: int, width: int = 64, height: int = 48) -> np.ndarray:
    """Frames of a smooth moving pattern; (T, H, W, 3) uint8."""
    y, x = np.mgrid[0:height, 0:width]
    frames = [
        np.stack([np.sin(x / 9 + t / 5), np.sin(y / 9 + t / 7), np.sin((x + y) / 16)], axis=-1)
        for t in range(count)
    ]
    return (128 + 90 * np.stack(frames)).astype(np.uint8)


def numbered_frames(count: int) -> np.ndarray:
    """Frame t is flat grey at level 10 + 3 t, so that a decoded frame shows its number."""
    return np.stack([np.full((32, 32, 3), 10 + 3 * t, np.uint8) for t in range(count)])


def numbers(frames: np.ndarray) -> list[int]:
    """The number in `numbered_frames` of each decoded frame."""
    return [round((float(frame.mean()) - 10) / 3) for frame in frames]


def tone(seconds: float, rate: int = RATE, frequency: float = 440.0) -> np.ndarray:
    """A sine at a quarter of full scale; (S,) int16."""
    time = np.arange(round(seconds * rate)) / rate
    return (8192 * np.sin(2 * np.pi * frequency * time)).astype(np.int16)


def clicks(count: int, places: list[int]) -> np.ndarray:
    """Silence with some single loud samples; (S,) int16."""
    sound = np.zeros(count, np.int16)
    sound[places] = 30_000
    return sound


def beats(count: int, places: tuple[int, ...]) -> np.ndarray:
    """Silence of `count` frames, with 10 ms of tone at the start of some; (S,) int16."""
    sound = np.zeros(640 * count, np.int16)
    for place in places:
        sound[640 * place : 640 * place + 160] = 2 * tone(0.01, frequency=1000.0)
    return sound


def heard(sound: np.ndarray) -> list[float]:
    """The frames, also fractional ones, at which `beats` are heard."""
    loud = np.nonzero(np.abs(sound.astype(int)) > 4000)[0]
    starts = np.concatenate([[True], np.diff(loud) > 1600]) if len(loud) else []
    return [float(place) / 640 for place in loud[starts]]


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
    """Writes frames at given times, and pcm sound from a given time, into any container."""
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


def write_coded(
    path: Path,
    frames: np.ndarray,
    codec: str,
    *,
    sounds: tuple[np.ndarray, ...] = (),
    sound_codec: str = "pcm_s16le",
    default_sound: int = 0,
    pixels: str = "yuv420p",
    b_frames: int = 0,
    container: str | None = None,
) -> Path:
    """Writes frames at 25 fps by any codec into any container, and sounds, (S,) or (S, channels).

    A key frame every 25 frames; good but lossy quality.
    """
    options = {"crf": "8", "g": "25", "qmin": "2", "qmax": "2", "x264-params": "scenecut=0"}
    with av.open(str(path), "w", format=container) as made:
        stream = made.add_stream(codec, rate=25, options=options)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixels
        stream.codec_context.max_b_frames = b_frames
        voices = []
        for number, sound in enumerate(sounds):
            voice = made.add_stream(sound_codec, rate=RATE)
            voice.codec_context.layout = "mono" if sound.ndim == 1 else "stereo"
            voice.disposition = av.stream.Disposition.default if number == default_sound else 0
            voices.append(voice)
        for number, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format=pixels)
            picture.pts, picture.time_base = number, Fraction(1, 25)
            made.mux(stream.encode(picture))
        made.mux(stream.encode(None))
        for voice, sound in zip(voices, sounds, strict=True):
            layout = "mono" if sound.ndim == 1 else "stereo"
            block = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="s16", layout=layout)
            block.sample_rate, block.pts, block.time_base = RATE, 0, Fraction(1, RATE)
            encoder = voice.codec_context
            cut = av.AudioResampler(
                encoder.format.name, layout, RATE, frame_size=encoder.frame_size or 1024
            )
            for piece in (*cut.resample(block), *cut.resample(None)):
                made.mux(voice.encode(piece))
            made.mux(voice.encode(None))
    return path


Change = Callable[[int, "av.Packet"], "av.Packet | None"]


def copy_coded(
    source: Path,
    target: Path,
    change: Change = lambda number, packet: packet,
    *,
    options: dict[str, str] | None = None,
) -> Path:
    """Copies a file's tracks unchanged into another container, as `ffmpeg -c copy` does.

    change: may alter or drop each frame's packet, by its number.
    """
    with av.open(str(source)) as given, av.open(str(target), "w", options=options or {}) as made:
        tracks = [*given.streams.video, *given.streams.audio]
        copies = {track.index: made.add_stream_from_template(track) for track in tracks}
        filters = {}
        if (
            target.suffix == ".avi" and "mp4" in given.format.name
        ):  # AVI does not hold H.264 in mp4's form
            video = given.streams.video[0]
            filters[video.index] = av.BitStreamFilterContext("h264_mp4toannexb", video)
        number = -1
        for packet in given.demux(*tracks):
            if packet.dts is None:
                continue
            index = packet.stream.index
            changed: av.Packet | None = packet
            if packet.stream.type == "video":
                number += 1
                changed = change(number, packet)
            if changed is None:
                continue
            for piece in filters[index].filter(changed) if index in filters else (changed,):
                piece.stream = copies[index]
                made.mux(piece)
    return target


def pack_b_frames(source: Path, target: Path) -> Path:
    """Copies MPEG-4 part 2 with single B-frames from one AVI to another, packed as by DivX.

    A frame and its B-frame share one chunk, followed by a chunk "not coded".
    """
    as_before = b"\0\0\1\xb6\x51\xff\xff"
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        stream = given.streams.video[0]
        chunks = [bytes(packet) for packet in given.demux(stream) if packet.size]
        kinds = [chunk[chunk.index(b"\0\0\1\xb6") + 4] >> 6 for chunk in chunks]  # 2: B
        packed: list[bytes] = []
        for number, chunk in enumerate(chunks):
            if kinds[number] == 2:
                packed[-1] += chunk
                packed.append(as_before)
            else:
                packed.append(chunk)
        packed[0] = b"\0\0\1\xb2DivX503b1393p" + packed[0]
        copied = made.add_stream_from_template(stream)
        for number, chunk in enumerate(packed):
            packet = av.Packet(chunk)
            packet.pts = packet.dts = number
            packet.time_base, packet.is_keyframe, packet.stream = (
                Fraction(1, 25),
                not number,
                copied,
            )
            made.mux(packet)
    return target


def set_display_matrix(path: Path, a: int, b: int, c: int, d: int) -> None:
    """Writes a, b, c, d into an mp4's first track header (ISO 14496-12, version 0)."""
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 4 + 36
    for place, value in ((0, a), (4, b), (12, c), (16, d)):
        data[matrix + place : matrix + place + 4] = struct.pack(">i", value * 65536)
    path.write_bytes(data)
