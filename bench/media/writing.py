"""Writes mp4 files: H.264 and AAC, the same bytes for the same input."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import cast

import av
import av.container
import av.error
import av.stream
import av.video.stream
import numpy as np
from av.video.reformatter import ColorRange, VideoReformatter

from bench.files.one_move import in_one_move
from bench.ground.errors import BenchError
from bench.ground.types import FPS, SAMPLE_RATE, SAMPLES_PER_FRAME, Frame, Sound
from bench.media.containers import (
    Packets,
    decoded,
    is_known,
    opened,
    sound_stream,
    video_stream,
)
from bench.media.pixels import yuv420p
from bench.media.sound import SOUND_BLOCK
from bench.media.timing import frame_times

MANY_PIXELS = 640 * 480  # above this one encoder thread is too slow
SOUND_BITS = 96_000  # per second, AAC's most at 16 kHz mono; speech keeps an SNR of 30 dB

# Codes of ITU-T H.273 for the tags that write_video sets.
_BT709 = 1  # primaries and transfer function, the nearest to sRGB in H.273's tables
_BT601 = 6  # matrix

# The end of the sound is written in the movie's time scale, so one sample is its unit.
MP4 = {"movflags": "+faststart", "fflags": "+bitexact", "movie_timescale": str(SAMPLE_RATE)}

_AAC = {"flags": "+bitexact+global_header"}  # mp4 keeps the decoder's settings in its header


def write_video(
    path: Path,
    frames: Iterable[Frame],
    *,
    fps: float = FPS,
    sound: Sound | None = None,
    crf: int = 12,
    preset: str = "veryfast",
    fixed_gop: bool = False,
) -> int:
    """The number of frames written to an mp4 (H.264 yuv420p, AAC mono 16 kHz, header in front).

    frames: (H, W, 3) uint8 RGB of one even size. sound: (S,) int16 mono at 16 kHz; sample 0 is the
    start of frame 0, and reading gives S samples back.
    The file appears under its name only when it is complete; the same input gives the same bytes (a
    number of encoder threads that depends on the frame size only, no dates). A key frame every
    second lets browsers step through the video. fixed_gop: key frames and B-frames have the same
    places in every video, so that they reveal nothing about its content.
    Raises BenchError where there is no frame, or a frame has another type, shape or an odd size.
    """
    if sound is not None and (sound.dtype != np.int16 or sound.ndim != 1):
        raise BenchError(
            f"{path}: sound is {sound.dtype} with shape {sound.shape}; expected int16 (samples,)"
        )
    # x264's macroblock tree gave different bytes in some runs (small frames, AVX-512).
    settings = "mbtree=0:scenecut=0:b-adapt=0" if fixed_gop else "mbtree=0"
    options = {"crf": str(crf), "preset": preset, "x264-params": settings}
    try:
        with in_one_move(path) as part:
            count = _encode(
                part,
                _checked(frames, path),
                Fraction(fps).limit_denominator(100_000),
                sound=sound,
                options=options,
            )
            if count == 0:
                raise BenchError(f"{path}: no frame to write; expected at least one")
    except av.error.FFmpegError as error:
        raise BenchError(f"{path}: cannot be written as H.264 mp4: {error}") from error
    return count


def replace_sound(source: Path, target: Path, sound: Sound) -> None:
    """Writes an mp4 with the video track of `source`, copied bit by bit, and another sound.

    sound: (S,) int16 mono at 16 kHz, as long as the video. Raises BenchError where `source` cannot
    be read.
    """
    try:
        with (
            in_one_move(target) as part,
            opened(source) as given,
            av.open(str(part), "w", format="mp4", options=MP4) as written,
        ):
            stream = video_stream(given)
            if stream is None:
                raise BenchError(f"{source}: has no video track to copy; expected a video")
            copied = written.add_stream_from_template(stream)
            voice = _SoundWriter(written, sound)
            for packet in given.demux(stream):
                if packet.dts is None or packet.time_base is None:
                    continue  # the empty packet at the end
                voice.write_until(max(0, int(packet.dts * packet.time_base * SAMPLE_RATE)))
                packet.stream = copied
                written.mux(packet)
            voice.close()
    except av.error.FFmpegError as error:
        raise BenchError(f"{source}: its video track cannot be copied: {error}") from error


def remux(source: Path, target: Path, sound: Sound | None) -> bool:
    """Copies the video track of any container into an mp4 at 25 fps; whether that was possible.

    Frames keep every bit; frame k is shown at k / 25 s, whatever times the container stores. False,
    and no file, where a packet is hidden or does not hold exactly one frame, or where mp4 does not
    support the codec.
    sound: (S,) int16 mono at 16 kHz; None copies the file's own packets. Raises BenchError where
    `source` cannot be read.
    """
    places = _places(source)
    if not places:
        return False
    delay = max(number - place for number, place in enumerate(places))
    try:
        with (
            in_one_move(target) as part,
            opened(source) as given,
            av.open(str(part), "w", format="mp4", options=MP4) as written,
        ):
            stream = video_stream(given)
            own = sound_stream(given) if sound is None else None
            assert stream is not None
            copied = written.add_stream_from_template(stream, opaque=True)
            voice = None if sound is None else _SoundWriter(written, sound)
            copied_sound = None if own is None else written.add_stream_from_template(own)
            start = _start(source)
            numbered = iter(enumerate(places))
            for packet in Packets(given, *filter(None, (stream, own))):
                if packet.dts is None and not packet.size:
                    continue  # the empty packet at the end
                if packet.stream is own:
                    assert copied_sound is not None
                    base = packet.time_base or Fraction(1, SAMPLE_RATE)
                    packet.pts = packet.dts = round((packet.pts or 0) - start / base)
                    packet.stream = copied_sound
                elif packet.size:
                    number, place = next(numbered)
                    if voice is not None:
                        voice.write_until(max(0, number - delay) * SAMPLES_PER_FRAME)
                    packet.pts, packet.dts, packet.duration = place, number - delay, 1
                    packet.time_base = Fraction(1, FPS)
                    packet.stream = copied
                else:
                    continue
                written.mux(packet)
            if voice is not None:
                voice.close()
    except (av.error.FFmpegError, ValueError):
        return False
    return True


def _start(source: Path) -> Fraction:
    times = frame_times(source)
    return Fraction(0 if times is None or times.start is None else times.start)


def _places(source: Path) -> list[int]:
    """Each coded frame's place in presentation order; empty unless each packet gives one frame."""
    with opened(source, as_stored=True) as container:
        stream = video_stream(container)
        if stream is None or not is_known(stream):
            return []
        stream.codec_context.copy_opaque = True
        reorders = stream.codec_context.has_b_frames
        origins: list[object] = []
        count = 0
        for packet in Packets(container, stream):
            if packet.is_discard:
                return []
            if packet.size:
                packet.opaque = count
                count += 1
            origins += [cast("av.VideoFrame", raw).opaque for raw in decoded(packet)]
    if set(origins) == {None} and not reorders:  # some decoders do not pass the number on
        origins = list(range(len(origins)))
    place_of = {origin: place for place, origin in enumerate(origins)}
    if len(origins) != count or set(place_of) != set(range(count)):
        return []
    return [place_of[number] for number in range(count)]


def _encode(
    part: Path,
    frames: Iterable[Frame],
    rate: Fraction,
    *,
    sound: Sound | None,
    options: dict[str, str],
) -> int:
    count = 0
    convert = VideoReformatter()
    with av.open(str(part), "w", format="mp4", options=MP4) as container:
        video: av.video.stream.VideoStream | None = None
        voice: _SoundWriter | None = None
        for frame in frames:
            if video is None:
                video = _video_track(container, rate, frame, options)
                voice = None if sound is None else _SoundWriter(container, sound)
            raw = yuv420p(convert, frame)
            raw.pts = count
            raw.time_base = 1 / rate
            container.mux(video.encode(raw))
            count += 1
            if voice is not None:
                voice.write_until(int(count * SAMPLE_RATE / rate))
        if video is not None:
            container.mux(video.encode(None))
        if voice is not None:
            voice.close()
    return count


def _video_track(
    container: av.container.OutputContainer, rate: Fraction, frame: Frame, options: dict[str, str]
) -> av.video.stream.VideoStream:
    stream = container.add_stream("libx264", rate=rate, options={**options, "flags": "+bitexact"})
    assert isinstance(stream, av.video.stream.VideoStream)
    context = stream.codec_context
    context.height, context.width = frame.shape[:2]
    context.pix_fmt = "yuv420p"
    context.time_base = 1 / rate
    # x264's bytes depend on the number of threads, so that number depends on the size only.
    context.thread_count = 1 if context.width * context.height <= MANY_PIXELS else 4
    context.gop_size = round(rate)
    context.color_range = ColorRange.MPEG
    context.colorspace = _BT601
    context.color_primaries = _BT709
    context.color_trc = _BT709
    return stream


class _SoundWriter:
    """Writes a sound track, interleaved with the video."""

    def __init__(self, container: av.container.OutputContainer, sound: Sound) -> None:
        self._container = container
        self._stream = container.add_stream("aac", rate=SAMPLE_RATE, options=_AAC)
        _set_up(self._stream.codec_context)
        self._blocks = _coded_sound(sound.tobytes())
        self._written = 0

    def write_until(self, samples: int) -> None:
        """Writes the whole blocks before `samples`."""
        self._write(min(samples // SOUND_BLOCK, len(self._blocks)))

    def close(self) -> None:
        """Writes the rest."""
        self._write(len(self._blocks))

    def _write(self, end: int) -> None:
        for number in range(self._written, end):
            coded, samples = self._blocks[number]
            packet = av.Packet(coded)
            # The encoder's first block is its start-up delay and holds no sound.
            packet.pts = packet.dts = (number - 1) * SOUND_BLOCK
            packet.duration = samples
            packet.time_base = Fraction(1, SAMPLE_RATE)
            packet.is_keyframe = True
            packet.stream = self._stream
            self._container.mux(packet)
        self._written = max(self._written, end)


def _set_up(encoder: av.AudioCodecContext) -> None:
    """The same settings for the file's header and for the blocks."""
    encoder.layout = "mono"
    encoder.bit_rate = SOUND_BITS


@lru_cache(maxsize=4)
def _coded_sound(sound: bytes) -> tuple[tuple[bytes, int], ...]:
    """The AAC blocks of int16 samples, each with its number of samples.

    The last ones are kept, because all methods are given the same speech of a case.
    """
    encoder = av.CodecContext.create("aac", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.format, encoder.options = SAMPLE_RATE, "fltp", _AAC
    _set_up(encoder)
    samples = np.frombuffer(sound, np.int16).astype(np.float32) / 32768.0  # (S,)
    packets: list[av.Packet[av.stream.Stream]] = []
    for start in range(0, len(samples), SOUND_BLOCK):
        block = samples[None, start : start + SOUND_BLOCK]  # (1, 1024), the last one shorter
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = start
        frame.time_base = Fraction(1, SAMPLE_RATE)
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    return tuple((bytes(packet), packet.duration or SOUND_BLOCK) for packet in packets)


def _checked(frames: Iterable[Frame], path: Path) -> Iterator[Frame]:
    shape: tuple[int, ...] | None = None
    for index, frame in enumerate(frames):
        if not isinstance(frame, np.ndarray):
            raise BenchError(
                f"{path}: frame {index} is a {type(frame).__name__}; "
                "expected an array (H, W, 3) uint8 RGB"
            )
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
            raise BenchError(
                f"{path}: frame {index} is {frame.dtype} with shape {frame.shape}; "
                "expected uint8 (H, W, 3) RGB"
            )
        if shape is None and (frame.shape[0] % 2 or frame.shape[1] % 2 or not frame.size):
            raise BenchError(
                f"{path}: frames are {frame.shape[1]}x{frame.shape[0]}; expected even width and "
                "height above zero (H.264 yuv420p)"
            )
        if shape is not None and frame.shape != shape:
            raise BenchError(
                f"{path}: frame {index} is {frame.shape[1]}x{frame.shape[0]}, those before are "
                f"{shape[1]}x{shape[0]}; expected one size"
            )
        shape = frame.shape
        yield np.ascontiguousarray(frame)
