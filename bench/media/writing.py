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

from bench.errors import BenchError
from bench.files.one_move import in_one_move
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
from bench.media.timing import clock
from bench.types import FPS, SAMPLE_RATE, SAMPLES_PER_FRAME, Frame, Sound

MANY_PIXELS = 640 * 480  # from here on one encoder thread is too slow
SOUND_BITS = 96_000  # per second, the most AAC takes at 16 kHz mono; speech keeps an SNR of 30 dB

# Numbers of ITU-T H.273 for what write_video tags.
_BT709 = 1  # primaries and transfer of sRGB pictures, as near as the tables come
_BT601 = 6  # matrix

# The movie's time scale is that in which the end of the sound is written.
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
    fixed_places: bool = False,
) -> int:
    """The number of frames written to an mp4 (H.264 yuv420p, AAC mono 16 kHz, header in front).

    frames: (H, W, 3) uint8 RGB of one even size. sound: (S,) int16 mono at 16 kHz; sample 0 is the
    start of frame 0, and reading gives S samples back.
    The file appears under its name only when it is whole; the same input gives the same bytes (a
    count of encoder threads that depends on the size only, no dates). A key frame every second
    lets browsers step through it. fixed_places: key frames and B-frames stand at the same places
    whatever is shown, so that they tell nothing of the pictures.
    Raises BenchError where there is no frame, or a frame has another type, shape or an odd size.
    """
    if sound is not None and (sound.dtype != np.int16 or sound.ndim != 1):
        raise BenchError(
            f"{path}: sound is {sound.dtype} with shape {sound.shape}; expected int16 (samples,)"
        )
    # x264 with its macroblock tree gave other bytes in some runs (small pictures, AVX-512).
    settings = "mbtree=0:scenecut=0:b-adapt=0" if fixed_places else "mbtree=0"
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
    """Writes the pictures of an mp4 as they are, to the last bit, with another sound beside them.

    sound: (S,) int16 mono at 16 kHz, as long as the pictures. Raises BenchError where `source`
    cannot be read.
    """
    try:
        with (
            in_one_move(target) as part,
            opened(source) as pictures,
            av.open(str(part), "w", format="mp4", options=MP4) as made,
        ):
            stream = video_stream(pictures)
            if stream is None:
                raise BenchError(f"{source}: has no pictures to copy; expected a video")
            copied = made.add_stream_from_template(stream)
            voice = _SoundWriter(made, sound)
            for packet in pictures.demux(stream):
                if packet.dts is None or packet.time_base is None:
                    continue  # the mark of the end
                voice.write_until(max(0, int(packet.dts * packet.time_base * SAMPLE_RATE)))
                packet.stream = copied
                made.mux(packet)
            voice.close()
    except av.error.FFmpegError as error:
        raise BenchError(f"{source}: its pictures cannot be copied: {error}") from error


def remux(source: Path, target: Path, sound: Sound | None) -> bool:
    """Whether the pictures of any container could be put into an mp4 as they are, at 25 fps.

    They keep every bit; their times are made anew from the order in which they are shown, picture k
    at k / 25 s, for what containers store differs. False, and no file, where a coded piece is
    hidden or does not make exactly one picture, or where mp4 does not take the coding.
    sound: (S,) int16 mono at 16 kHz; None copies the file's own blocks. Raises BenchError where
    `source` cannot be read.
    """
    places = _places(source)
    if not places:
        return False
    delay = max(piece - place for piece, place in enumerate(places))
    try:
        with (
            in_one_move(target) as part,
            opened(source) as given,
            av.open(str(part), "w", format="mp4", options=MP4) as made,
        ):
            stream = video_stream(given)
            own = sound_stream(given) if sound is None else None
            assert stream is not None
            copied = made.add_stream_from_template(stream, opaque=True)
            voice = None if sound is None else _SoundWriter(made, sound)
            heard = None if own is None else made.add_stream_from_template(own)
            start = _start(source)
            pieces = iter(enumerate(places))
            for packet in Packets(given, *filter(None, (stream, own))):
                if packet.dts is None and not packet.size:
                    continue  # the mark of the end
                if packet.stream is own:
                    assert heard is not None
                    base = packet.time_base or Fraction(1, SAMPLE_RATE)
                    packet.pts = packet.dts = round((packet.pts or 0) - start / base)
                    packet.stream = heard
                elif packet.size:
                    piece, place = next(pieces)
                    if voice is not None:
                        voice.write_until(max(0, piece - delay) * SAMPLES_PER_FRAME)
                    packet.pts, packet.dts, packet.duration = place, piece - delay, 1
                    packet.time_base = Fraction(1, FPS)
                    packet.stream = copied
                else:
                    continue
                made.mux(packet)
            if voice is not None:
                voice.close()
    except (av.error.FFmpegError, ValueError):
        return False
    return True


def _start(source: Path) -> Fraction:
    times = clock(source)
    return Fraction(0 if times is None or times.start is None else times.start)


def _places(source: Path) -> list[int]:
    """For each coded picture its place among those shown; empty if they are not one to one."""
    with opened(source, as_stored=True) as container:
        stream = video_stream(container)
        if stream is None or not is_known(stream):
            return []
        stream.codec_context.copy_opaque = True
        reorders = stream.codec_context.has_b_frames
        makers: list[object] = []
        count = 0
        for packet in Packets(container, stream):
            if packet.is_discard:
                return []
            if packet.size:
                packet.opaque = count
                count += 1
            makers += [cast("av.VideoFrame", raw).opaque for raw in decoded(packet)]
    if set(makers) == {None} and not reorders:  # some decoders do not pass the number on
        makers = list(range(len(makers)))
    place_of = {maker: place for place, maker in enumerate(makers)}
    if len(makers) != count or set(place_of) != set(range(count)):
        return []
    return [place_of[piece] for piece in range(count)]


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
            picture = yuv420p(convert, frame)
            picture.pts = count
            picture.time_base = 1 / rate
            container.mux(video.encode(picture))
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
    # x264's bytes depend on the count of threads, so that it may depend on the size only.
    context.thread_count = 1 if context.width * context.height <= MANY_PIXELS else 4
    context.gop_size = round(rate)
    context.color_range = ColorRange.MPEG
    context.colorspace = _BT601
    context.color_primaries = _BT709
    context.color_trc = _BT709
    return stream


class _SoundWriter:
    """Puts one sound beside the pictures, so that both lie interleaved in the file."""

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
            # The encoder's first block holds what it needs to start with, and no sound.
            packet.pts = packet.dts = (number - 1) * SOUND_BLOCK
            packet.duration = samples
            packet.time_base = Fraction(1, SAMPLE_RATE)
            packet.is_keyframe = True
            packet.stream = self._stream
            self._container.mux(packet)
        self._written = max(self._written, end)


def _set_up(encoder: av.AudioCodecContext) -> None:
    """One setting for the header and for the blocks."""
    encoder.layout = "mono"
    encoder.bit_rate = SOUND_BITS


@lru_cache(maxsize=4)
def _coded_sound(sound: bytes) -> tuple[tuple[bytes, int], ...]:
    """The AAC blocks of int16 samples, and for how many samples each counts.

    Kept for a while: all methods say a case's one speech.
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
                f"{path}: frame {index} is {frame.shape[1]}x{frame.shape[0]}, the ones before are "
                f"{shape[1]}x{shape[0]}; expected one size"
            )
        shape = frame.shape
        yield np.ascontiguousarray(frame)
