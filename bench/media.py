"""Reads and writes video, sound and images, through PyAV; no other module touches such files.

Pictures: RGB uint8. The file's own tags decide matrix and range of the conversion; an untagged
file is BT.601, as in ffmpeg and OpenCV. Files written here are BT.601, limited range, and say so:
readers that know the tags and readers that ignore them see the same colours. Conversion is
swscale's accurate path with full chroma interpolation: a flat colour comes back within 1 grey level
and without bias (the default fast path is 1.2 levels too dark on average, and off by up to 4).

Time: a file's clock starts at its first picture. Sound that starts later is padded with silence in
front, sound that starts earlier is cut there, so sample 640 * k belongs to frame k at 25 fps.

Every function raises BenchError with file and reason where a file cannot be read.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import av.audio.stream
import av.container
import av.error
import av.stream
import av.video.stream
import numpy as np
from av.sidedata.sidedata import SideDataContainer
from av.sidedata.sidedata import Type as SideDataType
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from bench.errors import BenchError
from bench.one_move import in_one_move
from bench.paths import cache_dir
from bench.types import FPS, SAMPLE_RATE, Frame, Frames, Sound

GIBIBYTE = 2**30
MAX_BYTES = 8 * GIBIBYTE
MOST_IN_MEMORY = GIBIBYTE // 2  # frames of one video that take more stand on a file
MAX_START_SECONDS = 60.0  # sound further than this from the pictures means broken timestamps
MANY_PIXELS = 640 * 480  # from here on one encoder thread is too slow
SOUND_BITS = 96_000  # per second, the most AAC takes at 16 kHz mono; speech keeps an SNR of 30 dB
SOUND_BLOCK = 1024  # samples of one AAC block

_EXACT = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.BITEXACT
_DECODING = Interpolation.BILINEAR | _EXACT
_ENCODING = Interpolation.AREA | Interpolation.FULL_CHR_H_INP | _EXACT
_ENLARGING = Interpolation.BICUBIC | _EXACT
_SHRINKING = Interpolation.AREA | _EXACT

# Numbers of ITU-T H.273 for what write_video tags.
_BT709 = 1  # primaries and transfer of sRGB pictures, as near as the tables come
_BT601 = 6  # matrix

# The movie's time scale is that in which the end of the sound is written.
_MP4 = {"movflags": "+faststart", "fflags": "+bitexact", "movie_timescale": str(SAMPLE_RATE)}

_NO_SEI = "filter_units=remove_types=6"  # type 6 of H.264's table 7-1: what encoders note

# A text that claims to be a playlist must not make ffmpeg open other files or the network.
_OPTIONS = {"protocol_whitelist": "file", "pattern_type": "none"}


@dataclass(frozen=True)
class Probe:
    """What a file says about itself, without decoding it.

    width, height: pixels, before rotation. fps: the mean rate. frames: the header's count, else the
    count of coded pictures, 0 without a picture track. seconds: of the longest track. rotation:
    degrees counter-clockwise by which readers turn the picture. constant_rate: whether all pictures
    are equally far apart. Rates, counts and seconds are 0 and names are "" where there is no track.
    """

    width: int = 0
    height: int = 0
    fps: float = 0.0
    frames: int = 0
    seconds: float = 0.0
    rotation: int = 0
    video_codec: str = ""
    pixel_format: str = ""
    constant_rate: bool = False
    has_sound: bool = False
    sound_codec: str = ""
    sound_rate: int = 0
    sound_channels: int = 0
    sound_seconds: float = 0.0


@dataclass(frozen=True)
class Decoded:
    """All pictures of a file, (T, H, W, 3) uint8 RGB, and whether these are all it promised.

    times: (T,) float64, seconds at which the pictures are shown, on the file's own clock.
    note: why `complete` is False, else "".
    """

    frames: Frames
    times: NDArray[np.float64]
    complete: bool
    note: str


def probe(path: Path) -> Probe:
    """What the file says about its tracks; raises BenchError without pictures and sound."""
    with _opened(path) as container:
        video = _video_stream(container)
        sound = container.streams.audio[0] if container.streams.audio else None
        if video is None and sound is None:
            raise BenchError(f"{path}: has neither pictures nor sound")
        found: dict[str, object] = {}
        seconds = [0.0]
        if video is not None:
            timing = _timing(container, video)
            seconds.append(timing.seconds)
            found |= {
                "width": video.codec_context.width,
                "height": video.codec_context.height,
                "fps": timing.fps,
                "frames": video.frames or timing.packets,
                "video_codec": video.codec_context.name,
                "pixel_format": video.codec_context.pix_fmt or "",
                "constant_rate": timing.is_constant,
            }
        if sound is not None:
            sound_seconds = _stream_seconds(sound.duration, sound.time_base, container)
            seconds.append(sound_seconds)
            found |= {
                "has_sound": True,
                "sound_codec": sound.codec_context.name,
                "sound_rate": sound.codec_context.sample_rate,
                "sound_channels": sound.codec_context.layout.nb_channels,
                "sound_seconds": sound_seconds,
            }
    if video is not None:
        found["rotation"] = _rotation(path)
    return Probe(**{**found, "seconds": max(seconds)})  # type: ignore[arg-type]


def decode(path: Path, *, max_bytes: int = MAX_BYTES) -> Decoded:
    """The pictures as far as they decode, with their times; raises BenchError if none does."""
    pictures = Pictures(path)
    frames: Frames | None = None
    times: list[float] = []
    for time, picture in pictures:
        if frames is None:
            room = max(pictures.promised, 1)
            _check_memory(path, room, picture, max_bytes)
            frames = _room(room, picture)
        elif len(times) == len(frames):
            room = len(times) + max(len(times) // 2, 16)
            _check_memory(path, len(times) + 1, picture, max_bytes)
            before, frames = frames, _room(room, picture)
            frames[: len(before)] = before
        frames[len(times)] = picture
        times.append(time)
    if frames is None:
        raise BenchError(f"{path}: no picture decodes; {pictures.note or 'the track is empty'}")
    return Decoded(frames[: len(times)], np.array(times), not pictures.note, pictures.note)


def read_frames(path: Path, *, max_bytes: int = MAX_BYTES) -> Frames:
    """All pictures as stored, (T, H, W, 3) uint8 RGB, turned upright, without alpha.

    Raises BenchError where nothing decodes, where the size changes on the way, or where the frames
    would take more than `max_bytes`. A damaged file gives what decodes: `decode` tells which.
    """
    return decode(path, max_bytes=max_bytes).frames


def iter_frames(path: Path) -> Iterator[Frame]:
    """The pictures as stored, one (H, W, 3) uint8 RGB at a time; the last ones may be missing."""
    for _, picture in Pictures(path):
        yield np.ascontiguousarray(picture)


def pick_frames(path: Path, chosen: Collection[int]) -> Frames:
    """Some of the pictures as stored, (K, H, W, 3) uint8 RGB, in order of showing.

    chosen: their numbers from 0. The others are decoded, too, yet nothing is made of them. Raises
    BenchError where one of the chosen does not decode.
    """
    frames = [picture for _, picture in Pictures(path, chosen=frozenset(chosen))]
    if len(frames) < len(set(chosen)):
        raise BenchError(f"{path}: of frames {sorted(chosen)} only {len(frames)} decode")
    return np.stack(frames)


def read_frames_at(
    path: Path, fps: float = FPS, *, max_bytes: int = MAX_BYTES
) -> tuple[Frames, str]:
    """The pictures at a constant rate, (T, H, W, 3) uint8 RGB, and a note of what this changed.

    See `Resampled` for the rule. The note is "" where every picture was taken once, in order.
    """
    resampled = Resampled(path, fps)
    frames: list[Frame] = []
    for frame in resampled:
        _check_memory(path, 2 * (len(frames) + 1), frame, 2 * max_bytes)
        frames.append(frame)
    return np.stack(frames), resampled.note


class Pictures:
    """The pictures of a file in the order of showing: (seconds, (H, W, 3) uint8 RGB, upright).

    Iterate once. Then `note` says what is wrong with the track, "" if nothing is, and `end` is
    when the last one stops being shown. By the header: `promised` is the count of pictures, 0 where
    it has none, `start` the time of the first one, `rate` the mean rate.
    Undecodable stretches are left out, as ffmpeg does. Raises BenchError if the size changes.
    chosen: the numbers of the pictures to give; None gives all.
    """

    def __init__(self, path: Path, *, chosen: Collection[int] | None = None) -> None:
        self.path = path
        self.chosen = chosen
        self.promised = 0
        self.start: float | None = None
        self.note = ""
        self.count = 0
        self.end = 0.0
        self.rate = 0.0

    def __iter__(self) -> Iterator[tuple[float, Frame]]:
        damaged = hidden = 0
        shape: tuple[int, ...] | None = None
        convert = VideoReformatter()
        with _opened(self.path) as container:
            stream = _video_stream(container)
            if stream is None:
                raise BenchError(f"{self.path}: has no pictures")
            self.promised = stream.frames
            self.rate = float(stream.average_rate or stream.guessed_rate or FPS)
            step = 1 / self.rate
            if stream.start_time is not None and stream.time_base is not None:
                self.start = float(stream.start_time * stream.time_base)
            last = (self.start or 0.0) - step
            packets = _Packets(container, stream)
            for packet in packets:
                hidden += packet.is_discard or (packet.size == 0 and packet.dts is not None)
                try:
                    decoded = packet.decode()
                except av.error.FFmpegError:
                    damaged += 1
                    continue
                for raw in decoded:
                    assert isinstance(raw, av.VideoFrame)
                    damaged += raw.is_corrupt
                    time = last + step if raw.time is None else float(raw.time)
                    last = max(time, last)
                    self.count += 1
                    if self.chosen is not None and self.count - 1 not in self.chosen:
                        continue
                    picture = _upright(_rgb(convert, raw), _display_matrix(raw))
                    if shape is not None and picture.shape != shape:
                        raise BenchError(
                            f"{self.path}: the picture size changes from {shape[1]}x{shape[0]} to "
                            f"{picture.shape[1]}x{picture.shape[0]} at frame {self.count - 1}; "
                            "expected one size, cut the file there"
                        )
                    shape = picture.shape
                    yield time, picture
        self.end = last + step
        # A picture that AVI leaves out is a longer showing of the one before, and no damage.
        shown = max(self.count, round((self.end - (self.start or 0.0)) / step))
        self.note = _damage(packets.error, damaged, self.count, self.promised - hidden, shown)


class Resampled:
    """The pictures at a constant rate, by their timestamps; iterate once, then read `note`.

    Frame k is the picture whose time is nearest to start + k / fps (the earlier one where two are
    equally near). The count is the length of the track (last time plus one mean interval, minus
    start) times fps, rounded, at least 1. `start` is the time of the first picture by the header.
    """

    def __init__(self, path: Path, fps: float = FPS) -> None:
        self.path = path
        self.fps = fps
        self.note = ""
        self.damage = ""
        self.count = 0

    def __iter__(self) -> Iterator[Frame]:
        pictures = Pictures(self.path)
        before: Frame | None = None
        start = before_time = 0.0
        used = repeats = 0
        for time, view in pictures:
            picture = np.ascontiguousarray(view)
            if before is None:
                start = time if pictures.start is None else min(time, pictures.start)
                before_time = time
                before = picture
                continue
            if time <= before_time:
                continue
            middle = (before_time + time) / 2
            taken = 0
            # The tolerance keeps a picture on its own instant where both are rounded numbers.
            while start + self.count / self.fps <= middle + 1e-9:
                yield before
                self.count += 1
                taken += 1
            used += taken > 0
            repeats += max(taken - 1, 0)
            before, before_time = picture, time
        self.damage = pictures.note
        if before is None:
            raise BenchError(
                f"{self.path}: no picture decodes; {pictures.note or 'the track is empty'}"
            )
        wanted = max(round((pictures.end - start) * self.fps), self.count, 1)
        taken = wanted - self.count
        while self.count < wanted:
            yield before
            self.count += 1
        used += taken > 0
        repeats += max(taken - 1, 0)
        if used != pictures.count or repeats:
            self.note = (
                f"{pictures.rate:.5g} fps -> {self.fps:g} fps by timestamps, "
                f"{pictures.count} -> {self.count} frames"
            )


def read_image(path: Path) -> Frame:
    """The first picture of an image or video, (H, W, 3) uint8 RGB, upright, without alpha."""
    for frame in iter_frames(path):
        return frame
    raise BenchError(f"{path}: no picture decodes; expected an image file such as jpg or png")


def read_sound(path: Path, rate: int = SAMPLE_RATE) -> Sound | None:
    """The first sound track, (S,) int16 mono at `rate`; None where the file has no sound track.

    Equals `ffmpeg -i FILE -ac 1 -ar 16000 -acodec pcm_s16le` but for two declared things: the sound
    is put in step with the pictures (silence in front where it starts later than they do, cut where
    it starts earlier), and an mp4's sound ends where its header says, without the padding of AAC.
    int16 mono at `rate` passes bit by bit. Undecodable blocks are left out, as ffmpeg does.
    SNR against ffmpeg 5.1's output, by file: MP2 44.1 kHz stereo (20 GRID mpg) 75.4 to 79.7 dB, wav
    48 kHz stereo 72.9, AAC 44.1 kHz stereo at least 94.6, AAC 16 kHz mono at least 100.5, MP3 and
    wav 16 kHz mono equal in every bit; two versions of one resampler differ in the last bits.
    Raises BenchError where the track holds no sample, or starts over a minute from the pictures.
    """
    with _opened(path) as container:
        if not container.streams.audio:
            return None
        stream = container.streams.audio[0]
        video = _video_stream(container)
        shown: list[float] = []  # seconds; the header's start is wrong where sound comes much later
        blocks: list[NDArray[np.int16]] = []
        resampler: av.AudioResampler | None = None
        setting: tuple[object, ...] = ()
        start: float | None = None
        tracks = [stream] if video is None else [stream, video]
        for packet in _Packets(container, *tracks):
            if packet.stream.type == "video":
                if packet.pts is not None and not packet.is_discard:
                    shown.append(float(packet.pts * packet.time_base))
                continue
            try:
                decoded = packet.decode()
            except av.error.FFmpegError:
                continue
            for raw in decoded:
                assert isinstance(raw, av.AudioFrame)
                if start is None and raw.samples and raw.time is not None:
                    start = float(raw.time)
                # Some files change rate or channels on the way: each stretch is converted alone.
                if resampler is None or setting != _sound_setting(raw):
                    blocks += _flushed(resampler)
                    setting = _sound_setting(raw)
                    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
                raw.pts = None
                blocks += [piece.to_ndarray()[0] for piece in resampler.resample(raw)]
        blocks += _flushed(resampler)
        declared = _declared_samples(container, stream, rate)
        coded_rate = stream.codec_context.sample_rate or rate
    if not blocks:
        raise BenchError(f"{path}: the sound track holds no sample that decodes")
    sound = np.concatenate(blocks)  # (S,)
    if declared is not None and len(sound) - declared <= 2 * rate * SOUND_BLOCK // coded_rate:
        sound = sound[:declared]  # less than two blocks: the encoder's padding
    if not shown or start is None:
        return sound
    late = start - min(shown)
    if abs(late) > MAX_START_SECONDS:
        raise BenchError(
            f"{path}: the sound starts {late:.1f} s after the pictures; expected at most "
            f"{MAX_START_SECONDS:.0f} s, the timestamps are broken, rewrite the file"
        )
    shift = round(late * rate)
    return np.concatenate([np.zeros(shift, np.int16), sound]) if shift > 0 else sound[-shift:]


def write_video(
    path: Path,
    frames: Iterable[Frame],
    *,
    fps: float = FPS,
    sound: Sound | None = None,
    fit_sound: bool = False,
    crf: int = 12,
    preset: str = "veryfast",
) -> int:
    """The number of frames written to an mp4 (H.264 yuv420p, AAC mono 16 kHz, header in front).

    frames: (H, W, 3) uint8 RGB of one even size. sound: (S,) int16 mono at 16 kHz; sample 0 is the
    start of frame 0, and reading gives S samples back. fit_sound: the sound is cut, or padded with
    silence, to the pictures' length (640 samples a frame at 25 fps) while they come.
    The file appears under its name only when it is whole; the same input gives the same bytes (a
    count of encoder threads that depends on the size only, no dates). A key frame every second
    lets browsers step through it.
    Raises BenchError where there is no frame, or a frame has another type, shape or an odd size.
    """
    if sound is not None and (sound.dtype != np.int16 or sound.ndim != 1):
        raise BenchError(
            f"{path}: sound is {sound.dtype} with shape {sound.shape}; expected int16 (samples,)"
        )
    # x264 with its macroblock tree gave other bytes in some runs (small pictures, AVX-512).
    options = {"crf": str(crf), "preset": preset, "x264-params": "mbtree=0"}
    try:
        with in_one_move(path) as part:
            count = _encode(
                part,
                _checked(frames, path),
                Fraction(fps).limit_denominator(100_000),
                sound=sound,
                fit_sound=fit_sound,
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
            _opened(source) as pictures,
            av.open(str(part), "w", format="mp4", options=_MP4) as made,
        ):
            stream = _video_stream(pictures)
            if stream is None:
                raise BenchError(f"{source}: has no pictures to copy; expected a video")
            copied = made.add_stream_from_template(stream)
            voice = _SoundWriter(made, sound, fit=False)
            for packet in pictures.demux(stream):
                if packet.dts is None or packet.time_base is None:
                    continue  # the mark of the end
                voice.write_until(max(0, int(packet.dts * packet.time_base * SAMPLE_RATE)))
                packet.stream = copied
                made.mux(packet)
            voice.close()
    except av.error.FFmpegError as error:
        raise BenchError(f"{source}: its pictures cannot be copied: {error}") from error


def copy_anonymous(source: Path, target: Path) -> None:
    """Copies pictures and sound as they are, to the last bit, and nothing that tells their origin.

    Titles, dates and encoder names of the container stay behind, and so do the notes that H.264
    encoders leave in the pictures (SEI, where x264 writes its settings). Raises BenchError where
    `source` cannot be read or cannot stand in an mp4.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (
            _opened(source) as given,
            av.open(str(target), "w", format="mp4", options=_MP4) as made,
        ):
            copies: dict[int, av.stream.Stream] = {}
            filters: dict[int, av.BitStreamFilterContext] = {}
            for stream in (*given.streams.video[:1], *given.streams.audio[:1]):
                copies[stream.index] = copied = made.add_stream_from_template(stream)
                if stream.codec_context.name == "h264":
                    filters[stream.index] = av.BitStreamFilterContext(_NO_SEI, stream, copied)
            for packet in given.demux(*(given.streams[index] for index in copies)):
                if packet.dts is None:
                    continue  # the mark of the end
                index = packet.stream.index
                for piece in filters[index].filter(packet) if index in filters else (packet,):
                    piece.stream = copies[index]
                    made.mux(piece)
    except av.error.FFmpegError as error:
        raise BenchError(f"{source}: cannot be copied into an mp4: {error}") from error


def resize(frame: Frame, *, width: int, height: int) -> Frame:
    """The frame at another size, (height, width, 3): area means to shrink, bicubic to enlarge."""
    if frame.shape[:2] == (height, width):
        return frame
    shrinks = width * height < frame.shape[0] * frame.shape[1]
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
    scaled = picture.reformat(
        width=width, height=height, interpolation=_SHRINKING if shrinks else _ENLARGING
    )
    return np.ascontiguousarray(_plane(scaled))


def _encode(
    part: Path,
    frames: Iterable[Frame],
    rate: Fraction,
    *,
    sound: Sound | None,
    fit_sound: bool,
    options: dict[str, str],
) -> int:
    count = 0
    convert = VideoReformatter()
    with av.open(str(part), "w", format="mp4", options=_MP4) as container:
        video: av.video.stream.VideoStream | None = None
        voice: _SoundWriter | None = None
        for frame in frames:
            if video is None:
                video = _video_track(container, rate, frame, options)
                voice = None if sound is None else _SoundWriter(container, sound, fit=fit_sound)
            picture = convert.reformat(
                av.VideoFrame.from_ndarray(frame, format="rgb24"),
                format="yuv420p",
                dst_colorspace=Colorspace.SMPTE170M,
                dst_color_range=ColorRange.MPEG,
                interpolation=_ENCODING,
            )
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
    """Encodes one sound beside the pictures, so that both lie interleaved in the file."""

    def __init__(self, container: av.container.OutputContainer, sound: Sound, *, fit: bool) -> None:
        self._container = container
        self._sound = sound
        self._fit = fit
        self._written = 0
        self._allowed = 0
        self._stream = container.add_stream("aac", rate=SAMPLE_RATE, options={"flags": "+bitexact"})
        self._stream.codec_context.layout = "mono"
        self._stream.codec_context.bit_rate = SOUND_BITS

    def write_until(self, samples: int) -> None:
        """Encodes the whole blocks before `samples`, with silence after the sound if fitted."""
        self._allowed = samples
        if not self._fit:
            samples = min(samples, len(self._sound))
        while self._written + SOUND_BLOCK <= samples:
            self._write(self._written + SOUND_BLOCK)

    def close(self) -> None:
        """Encodes the rest: to the pictures' end where the sound is fitted, else to its own."""
        end = self._allowed if self._fit else len(self._sound)
        while self._written < end:
            self._write(min(self._written + SOUND_BLOCK, end))
        self._container.mux(self._stream.encode(None))

    def _write(self, end: int) -> None:
        piece = self._sound[self._written : end].astype(np.float32) / 32768.0
        block = np.zeros((1, end - self._written), np.float32)  # (1, S)
        block[0, : len(piece)] = piece
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = self._written
        frame.time_base = Fraction(1, SAMPLE_RATE)
        self._container.mux(self._stream.encode(frame))
        self._written = end


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


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[av.container.InputContainer]:
    path = Path(path)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise BenchError(f"{path}: {what}; expected a video, sound or image file")
    if path.stat().st_size == 0:
        raise BenchError(f"{path}: is empty (0 bytes); expected a video, sound or image file")
    try:
        # An absolute path, for ffmpeg takes what stands before a colon for a protocol.
        container = av.open(
            os.path.abspath(path),  # noqa: PTH100 (resolve() would follow links)
            metadata_errors="replace",
            container_options=dict(_OPTIONS),
        )
    except (av.error.FFmpegError, ValueError, OSError) as error:
        raise BenchError(
            f"{path}: cannot be opened as video, sound or image ({error}); is it complete?"
        ) from error
    with container:
        try:
            yield container
        except av.error.FFmpegError as error:
            raise BenchError(f"{path}: cannot be decoded ({error}); is it complete?") from error


class _Packets:
    """The coded pieces of some tracks as far as the file can be read; `error` says why it ended."""

    def __init__(self, container: av.container.InputContainer, *streams: av.stream.Stream) -> None:
        self._pieces = container.demux(*streams)
        self.error = ""

    def __iter__(self) -> Iterator[av.Packet[av.stream.Stream]]:
        try:
            yield from self._pieces
        except av.error.FFmpegError as error:
            self.error = str(error)


@dataclass(frozen=True)
class _Timing:
    packets: int
    fps: float
    seconds: float
    is_constant: bool


def _timing(container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> _Timing:
    shown = []
    packets = 0
    for packet in _Packets(container, stream):
        if packet.size and not packet.is_discard:
            packets += 1
            if packet.pts is not None:
                shown.append(float(packet.pts * packet.time_base))
    seconds = _stream_seconds(stream.duration, stream.time_base, container)
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    gaps = np.diff(np.sort(shown))
    # Containers round times to a millisecond at worst (Matroska).
    is_constant = len(shown) == packets and (len(gaps) == 0 or float(np.ptp(gaps)) < 1.5e-3)
    if not rate and seconds:
        rate = packets / seconds
    return _Timing(packets, rate, seconds, is_constant)


def _stream_seconds(
    duration: int | None, time_base: Fraction | None, container: av.container.InputContainer
) -> float:
    if duration is not None and duration > 0 and time_base is not None:
        return float(duration * time_base)
    return max(container.duration or 0, 0) / av.time_base


def _video_stream(
    container: av.container.InputContainer,
) -> av.video.stream.VideoStream | None:
    """The first picture track that is not the cover image of a sound file."""
    for stream in container.streams.video:
        if av.stream.Disposition.attached_pic not in stream.disposition:
            return stream
    return None


def _rotation(path: Path) -> int:
    """Degrees counter-clockwise; 0 too where no picture decodes."""
    with _opened(path) as container:
        stream = _video_stream(container)
        assert stream is not None
        for packet in _Packets(container, stream):
            try:
                decoded = packet.decode()
            except av.error.FFmpegError:
                continue
            for raw in decoded:
                assert isinstance(raw, av.VideoFrame)
                return raw.rotation
    return 0


def _rgb(convert: VideoReformatter, raw: av.VideoFrame) -> Frame:
    return _plane(convert.reformat(raw, format="rgb24", interpolation=_DECODING))


def _plane(picture: av.VideoFrame) -> Frame:
    """A view on the pixels of an rgb24 picture, (H, W, 3); its rows may lie apart in memory."""
    plane = picture.planes[0]
    pixels: NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8)
    rows = pixels.reshape(plane.height, plane.line_size)  # (H, bytes)
    return rows[:, : plane.width * 3].reshape(plane.height, plane.width, 3)


def _display_matrix(raw: av.VideoFrame) -> tuple[int, int, int, int]:
    """a, b, c, d of x' = a x + c y, y' = b x + d y (ISO 14496-12, 16.16 fixed point)."""
    side_data = cast("SideDataContainer", raw.side_data)  # PyAV's stubs type it as a dict of names
    try:
        data = side_data[SideDataType.DISPLAYMATRIX]
    except KeyError:
        return (1, 0, 0, 1)
    numbers = np.frombuffer(bytes(data)[:36], "=i4").tolist()
    return (numbers[0], numbers[1], numbers[3], numbers[4])


def _upright(picture: Frame, matrix: tuple[int, int, int, int]) -> Frame:
    """The picture turned and mirrored as the matrix says, to the nearest quarter turn."""
    a, b, c, d = matrix
    if abs(a) >= abs(b):
        return picture[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
    return picture.transpose(1, 0, 2)[:: -1 if b < 0 else 1, :: -1 if c < 0 else 1]


def _damage(error: str, damaged: int, count: int, expected: int, shown: int) -> str:
    reasons = []
    if error:
        reasons.append(f"the file ends early ({error})")
    if damaged:
        reasons.append(f"{damaged} pictures are damaged")
    if shown < expected:
        reasons.append(f"{count} of {expected} pictures decode")
    return ", ".join(reasons)


def _room(count: int, picture: Frame) -> Frames:
    """Room for so many pictures, (count, H, W, 3); much of it stands on a file, not in memory.

    The file has no name and goes with the array. Its pages stay in memory for as long as there is
    enough, and the system writes them out where there is not: a run keeps up to four such videos.
    """
    shape = (count, *picture.shape)
    size = count * picture.nbytes
    if size > MOST_IN_MEMORY:
        folder = cache_dir() / "frames"
        # A full or read-only disk, a system without this call: then in memory after all.
        with contextlib.suppress(OSError, AttributeError):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as file:
                # All of it at once: a disk that fills up later would end the process.
                os.posix_fallocate(file.fileno(), 0, size)
                return np.asarray(np.memmap(file, np.uint8, "r+", shape=shape))
    return np.empty(shape, np.uint8)


def _check_memory(path: Path, count: int, picture: Frame, max_bytes: int) -> None:
    if count * picture.nbytes > max_bytes:
        raise BenchError(
            f"{path}: {count} frames of {picture.shape[1]}x{picture.shape[0]} take "
            f"{count * picture.nbytes / GIBIBYTE:.1f} GiB; at most {max_bytes / GIBIBYTE:.1f} GiB "
            "are read at once, cut or shrink the video"
        )


def _sound_setting(raw: av.AudioFrame) -> tuple[object, ...]:
    return (raw.format.name, raw.layout.name, raw.layout.nb_channels, raw.sample_rate)


def _flushed(resampler: av.AudioResampler | None) -> list[NDArray[np.int16]]:
    if resampler is None:
        return []
    return [
        piece.to_ndarray()[0].astype(np.int16, copy=False) for piece in resampler.resample(None)
    ]


def _declared_samples(
    container: av.container.InputContainer, stream: av.audio.stream.AudioStream, rate: int
) -> int | None:
    """Where an mp4 says that its sound ends, in samples at `rate`; None for other files."""
    if "mp4" not in container.format.name or stream.time_base is None or not stream.duration:
        return None
    return round(stream.duration * stream.time_base * rate)
