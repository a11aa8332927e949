"""Reads frames: all as stored, all at a constant rate, or only some."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import av.error
import av.stream
import av.video.stream
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from bench.files.paths import cache_dir
from bench.ground.errors import BenchError
from bench.ground.types import FPS, LONGEST, Frame, Frames
from bench.media.containers import Packets, opened, video_stream
from bench.media.pixels import display_matrix, rgb, upright
from bench.media.timing import FrameTimes, frame_times

GIBIBYTE = 2**30
MAX_BYTES = 8 * GIBIBYTE
MOST_IN_MEMORY = GIBIBYTE // 2  # bytes; the frames of a larger video are kept in a file


@dataclass(frozen=True)
class Decoded:
    """The frames of a file, (T, H, W, 3) uint8 RGB.

    times: (T,) float64, when the frames are shown, in seconds on the file's own clock.
    complete: whether these are all frames that the file should hold. note: if not, why; else "".
    """

    frames: Frames
    times: NDArray[np.float64]
    complete: bool
    note: str


def decode(path: Path, *, max_bytes: int = MAX_BYTES) -> Decoded:
    """All frames that decode, with their times; raises BenchError if none does."""
    stored = StoredFrames(path)
    frames: Frames | None = None
    times: list[float] = []
    for time, frame in stored:
        if frames is None:
            room = max(stored.expected, 1)
            _check_memory(path, room, frame, max_bytes)
            frames = _room(room, frame)
        elif len(times) == len(frames):
            room = len(times) + max(len(times) // 2, 16)
            _check_memory(path, len(times) + 1, frame, max_bytes)
            before, frames = frames, _room(room, frame)
            frames[: len(before)] = before
        frames[len(times)] = frame
        times.append(time)
    if frames is None:
        raise BenchError(f"{path}: no frame decodes; {stored.note or 'the track is empty'}")
    return Decoded(frames[: len(times)], np.array(times), not stored.note, stored.note)


def read_frames(path: Path, *, max_bytes: int = MAX_BYTES) -> Frames:
    """All frames as stored, (T, H, W, 3) uint8 RGB, turned upright, without alpha.

    Raises BenchError where nothing decodes, where the frame size changes, or where the frames would
    take more than `max_bytes`. A damaged file gives the frames that decode: see `decode`.
    """
    return decode(path, max_bytes=max_bytes).frames


def iter_frames(path: Path) -> Iterator[Frame]:
    """The frames as stored, one (H, W, 3) uint8 RGB at a time; a damaged file gives fewer."""
    for _, frame in StoredFrames(path):
        yield np.ascontiguousarray(frame)


def count_frames(path: Path) -> int:
    """How many coded frames the file has; fewer may decode. 0 without a video track."""
    times = frame_times(path)
    return 0 if times is None else times.count


def pick_frames(path: Path, chosen: Collection[int]) -> Frames:
    """Some of the frames as stored, (K, H, W, 3) uint8 RGB, in presentation order.

    chosen: their numbers, from 0. The others are decoded, but not converted to RGB. Raises
    BenchError where a chosen frame does not decode.
    """
    frames = [frame for _, frame in StoredFrames(path, chosen=frozenset(chosen))]
    if len(frames) < len(set(chosen)):
        raise BenchError(f"{path}: only {len(frames)} of the frames {sorted(chosen)} decode")
    return np.stack(frames)


def read_frames_at(
    path: Path, fps: float = FPS, *, max_bytes: int = MAX_BYTES
) -> tuple[Frames, str]:
    """The frames at a constant rate, (T, H, W, 3) uint8 RGB, and a note on what that changed.

    `Resampled` has the rule. The note is "" where every frame was used once, in order.
    """
    resampled = Resampled(path, fps)
    frames: list[Frame] = []
    for frame in resampled:
        _check_memory(path, 2 * (len(frames) + 1), frame, 2 * max_bytes)
        frames.append(frame)
    return np.stack(frames), resampled.note


class StoredFrames:
    """The frames of a file in presentation order: (seconds, (H, W, 3) uint8 RGB, upright).

    Iterate once. Afterwards `note` says what is wrong with the track ("" if nothing is), and `end`
    is the time at which the last frame stops being shown. From the first frame on, `expected` is
    the count of coded frames, `start` the time of the first of them, whether it decodes or not, on
    the clock of `bench.media.timing`, and `rate` the mean rate in frames per second.
    Stretches that do not decode are left out, as in ffmpeg. Raises BenchError if the frame size
    changes.
    chosen: the numbers of the frames to return; None returns all.
    """

    def __init__(self, path: Path, *, chosen: Collection[int] | None = None) -> None:
        self.path = path
        self.chosen = chosen
        self.expected = 0
        self.start: float | None = None
        self.note = ""
        self.count = 0
        self.end = 0.0
        self.rate = 0.0

    def __iter__(self) -> Iterator[tuple[float, Frame]]:
        times = frame_times(self.path)
        if times is None:
            raise BenchError(f"{self.path}: has no video track")
        self.expected, self.start, self.rate = times.count, times.start, times.rate
        step = 1 / self.rate
        last = (self.start or 0.0) - step
        damage = _Damage(times)
        shape: tuple[int, ...] | None = None
        convert = VideoReformatter()
        with opened(self.path) as container:
            stream = video_stream(container)
            assert stream is not None
            packets = Packets(container, stream)
            for packet in packets:
                for raw in damage.decoded(packet):
                    if times.shown is not None and self.count < len(times.shown):
                        time = times.shown[self.count]
                    else:
                        time = last + step if raw.time is None else float(raw.time)
                    damage.first = time if self.count == 0 else damage.first
                    last = max(time, last)
                    self.count += 1
                    if self.chosen is not None and self.count - 1 not in self.chosen:
                        continue
                    frame = upright(rgb(convert, raw), display_matrix(raw))
                    if shape is not None and frame.shape != shape:
                        raise BenchError(
                            f"{self.path}: the frame size changes from {shape[1]}x{shape[0]} to "
                            f"{frame.shape[1]}x{frame.shape[0]} at frame {self.count - 1}; "
                            "expected one size, cut the file there"
                        )
                    shape = frame.shape
                    yield time, frame
            self.end = last + step
            seconds = self.end - (self.start or 0.0)
            self.note = damage.note(packets.error, stream, self.count, seconds)


class _Damage:
    """Decodes packets, and counts what is damaged, hidden or interlaced."""

    def __init__(self, times: FrameTimes) -> None:
        self._times = times
        self._damaged = self._undecodable = self._hidden = self._interlaced = 0
        self.first = 0.0  # when the first frame that decodes is shown

    def decoded(self, packet: av.Packet[av.stream.Stream]) -> Iterator[av.VideoFrame]:
        """The frames of a packet."""
        self._hidden += packet.is_discard or (packet.size == 0 and packet.dts is not None)
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            self._undecodable += 1
            return
        for raw in frames:
            assert isinstance(raw, av.VideoFrame)
            self._damaged += raw.is_corrupt
            self._interlaced += raw.interlaced_frame
            yield raw

    def note(
        self, error: str, stream: av.video.stream.VideoStream, count: int, seconds: float
    ) -> str:
        """What is wrong with a track that shows `count` frames in `seconds`; "" if nothing is."""
        reasons = []
        if error:
            reasons.append(f"the file ends early ({error})")
        damaged = self._damaged + self._undecodable
        if damaged:
            reasons.append(f"{damaged} frames are damaged")
        # By the header's count. A frame that AVI leaves out extends the one before: no damage.
        declared = stream.frames - self._hidden
        slot = 1 / float(stream.average_rate or stream.guessed_rate or FPS)
        if max(count, round(seconds / slot)) < declared:
            if slot * self._times.rate > 0.5:
                reasons.append(f"{count} of {declared} frames decode")
            else:  # the header counts ticks that are shorter than a frame
                reasons.append(f"the video ends after {seconds:.2f} of {declared * slot:.2f} s")
        # By the coded frames. The two fields of an interlaced frame may be coded separately.
        elif (lost := self._times.certain - count - self._undecodable) > self._interlaced:
            unseen = sum(time < self.first - 1e-6 for time in self._times.coded)
            if unseen:
                what = "frame does" if unseen == 1 else f"{unseen} frames do"
                reasons.append(f"the first {what} not decode")
            if lost > unseen:
                reasons.append(f"{count} of {self._times.count} frames decode")
        return ", ".join(reasons)


class Resampled:
    """The frames at a constant rate, chosen by timestamp; iterate once, then read `note`.

    Frame k of the result is the stored frame whose time is nearest to start + k / fps (the earlier
    of two that are equally near). The count is the length of the track (last time plus one mean
    interval, minus start) times fps, rounded, at least 1. `start` is the time of the first coded
    frame; if that does not decode, the first one that does takes its place, and `damage` says so.
    longest: seconds; raises BenchError for a frame that is shown later, before repeating any.
    """

    def __init__(self, path: Path, fps: float = FPS, *, longest: float = LONGEST) -> None:
        self.path = path
        self.fps = fps
        self.longest = longest
        self.note = ""
        self.damage = ""
        self.count = 0

    def __iter__(self) -> Iterator[Frame]:
        stored = StoredFrames(self.path)
        before: Frame | None = None
        start = before_time = 0.0
        used = repeats = early = 0
        for time, view in stored:
            frame = np.ascontiguousarray(view)
            if before is None:
                start = time if stored.start is None else min(time, stored.start)
                before_time = time
                before = frame
                self._check_length(time - start, frame)
                continue
            if time <= before_time:
                early += 1
                continue
            self._check_length(time - start, frame)
            middle = (before_time + time) / 2
            taken = 0
            # The tolerance matches a frame to its own instant although both times are rounded.
            while start + self.count / self.fps <= middle + 1e-9:
                yield before
                self.count += 1
                taken += 1
            used += taken > 0
            repeats += max(taken - 1, 0)
            before, before_time = frame, time
        self.damage = stored.note
        if before is None:
            raise BenchError(
                f"{self.path}: no frame decodes; {stored.note or 'the track is empty'}"
            )
        self._check_length(stored.end - start, before)
        wanted = max(round((stored.end - start) * self.fps), self.count, 1)
        taken = wanted - self.count
        while self.count < wanted:
            yield before
            self.count += 1
        used += taken > 0
        repeats += max(taken - 1, 0)
        if used != stored.count or repeats:
            self.note = (
                f"{stored.rate:.5g} fps -> {self.fps:g} fps by timestamps, "
                f"{stored.count} -> {self.count} frames"
            )
        if early:
            self.note += f", {early} left out that are not later than the frame before"

    def _check_length(self, seconds: float, frame: Frame) -> None:
        """Raises BenchError where the video would become too long, or repeat a frame too often."""
        if seconds > self.longest:
            raise BenchError(
                f"{self.path}: a frame is shown {seconds:.0f} s after the first; at most "
                f"{self.longest:.0f} s are read, cut the file, or raise `longest` in the config"
            )
        repeats = seconds * self.fps - self.count
        if repeats * frame.nbytes > MAX_BYTES:
            raise BenchError(
                f"{self.path}: one frame of {frame.shape[1]}x{frame.shape[0]} is shown for "
                f"{repeats / self.fps:.0f} s; the timestamps are broken, rewrite the file"
            )


def read_image(path: Path) -> Frame:
    """The first frame of an image or video, (H, W, 3) uint8 RGB, upright, without alpha."""
    for frame in iter_frames(path):
        return frame
    raise BenchError(f"{path}: no frame decodes; expected an image file such as jpg or png")


def _room(count: int, frame: Frame) -> Frames:
    """An array for that many frames, (count, H, W, 3); a large one is mapped from a file.

    The file has no name and is freed with the array. The system keeps its pages in memory while
    there is room and writes them out when there is not: a run keeps up to four such videos.
    """
    shape = (count, *frame.shape)
    size = count * frame.nbytes
    if size > MOST_IN_MEMORY:
        folder = cache_dir() / "frames"
        # On a full or read-only disk, or a system without this call, the array is in memory.
        with contextlib.suppress(OSError, AttributeError):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as file:
                # Allocated at once: a disk that fills up later would kill the process.
                os.posix_fallocate(file.fileno(), 0, size)
                return np.asarray(np.memmap(file, np.uint8, "r+", shape=shape))
    return np.empty(shape, np.uint8)


def _check_memory(path: Path, count: int, frame: Frame, max_bytes: int) -> None:
    if count * frame.nbytes > max_bytes:
        raise BenchError(
            f"{path}: {count} frames of {frame.shape[1]}x{frame.shape[0]} take "
            f"{count * frame.nbytes / GIBIBYTE:.1f} GiB; at most {max_bytes / GIBIBYTE:.1f} GiB "
            "are read at once, cut or shrink the video"
        )
