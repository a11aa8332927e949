"""Reads pictures: as stored, at a constant rate, or some of them."""

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

from bench.errors import BenchError
from bench.files.paths import cache_dir
from bench.media.containers import Packets, opened, video_stream
from bench.media.pixels import display_matrix, rgb, upright
from bench.media.timing import Clock, clock
from bench.types import FPS, LONGEST, Frame, Frames

GIBIBYTE = 2**30
MAX_BYTES = 8 * GIBIBYTE
MOST_IN_MEMORY = GIBIBYTE // 2  # frames of one video that take more stand on a file


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


def count_frames(path: Path) -> int:
    """How many coded pictures the file has; fewer may decode. 0 without a picture track."""
    times = clock(path)
    return 0 if times is None else times.count


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
    when the last one stops being shown. Known once the first picture comes: `promised` is the count
    of coded pictures, `start` when the first of them is shown, whether it decodes or not, on the
    clock of `bench.media.timing`, and `rate` the mean rate.
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
        times = clock(self.path)
        if times is None:
            raise BenchError(f"{self.path}: has no pictures")
        self.promised, self.start, self.rate = times.count, times.start, times.rate
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
                    picture = upright(rgb(convert, raw), display_matrix(raw))
                    if shape is not None and picture.shape != shape:
                        raise BenchError(
                            f"{self.path}: the picture size changes from {shape[1]}x{shape[0]} to "
                            f"{picture.shape[1]}x{picture.shape[0]} at frame {self.count - 1}; "
                            "expected one size, cut the file there"
                        )
                    shape = picture.shape
                    yield time, picture
            self.end = last + step
            seconds = self.end - (self.start or 0.0)
            self.note = damage.note(packets.error, stream, self.count, seconds)


class _Damage:
    """Decodes, and tells what did not come of it."""

    def __init__(self, times: Clock) -> None:
        self._times = times
        self._damaged = self._undecodable = self._hidden = self._interlaced = 0
        self.first = 0.0  # when the first picture that decodes is shown

    def decoded(self, packet: av.Packet[av.stream.Stream]) -> Iterator[av.VideoFrame]:
        """The pictures that come of a coded piece."""
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
        """What is wrong with a track of which so many pictures are shown for so long."""
        reasons = []
        if error:
            reasons.append(f"the file ends early ({error})")
        damaged = self._damaged + self._undecodable
        if damaged:
            reasons.append(f"{damaged} pictures are damaged")
        # By the header. What AVI leaves out is a longer showing of the picture before, no damage.
        promised = stream.frames - self._hidden
        slot = 1 / float(stream.average_rate or stream.guessed_rate or FPS)
        if max(count, round(seconds / slot)) < promised:
            if slot * self._times.rate > 0.5:
                reasons.append(f"{count} of {promised} pictures decode")
            else:  # a clock of finer steps than the pictures come in
                reasons.append(f"the pictures end after {seconds:.2f} of {promised * slot:.2f} s")
        # By what is there. The two fields of an interlaced picture may be coded apart.
        elif (lost := self._times.certain - count - self._undecodable) > self._interlaced:
            unseen = sum(time < self.first - 1e-6 for time in self._times.coded)
            if unseen:
                what = "picture does" if unseen == 1 else f"{unseen} pictures do"
                reasons.append(f"the first {what} not decode")
            if lost > unseen:
                reasons.append(f"{count} of {self._times.count} pictures decode")
        return ", ".join(reasons)


class Resampled:
    """The pictures at a constant rate, by their timestamps; iterate once, then read `note`.

    Frame k is the picture whose time is nearest to start + k / fps (the earlier one where two are
    equally near). The count is the length of the track (last time plus one mean interval, minus
    start) times fps, rounded, at least 1. `start` is the time of the first coded picture: where
    that does not decode, the first that does stands in its place, and `damage` says so.
    longest: seconds; raises BenchError for pictures that are shown later, before any is repeated.
    """

    def __init__(self, path: Path, fps: float = FPS, *, longest: float = LONGEST) -> None:
        self.path = path
        self.fps = fps
        self.longest = longest
        self.note = ""
        self.damage = ""
        self.count = 0

    def __iter__(self) -> Iterator[Frame]:
        pictures = Pictures(self.path)
        before: Frame | None = None
        start = before_time = 0.0
        used = repeats = early = 0
        for time, view in pictures:
            picture = np.ascontiguousarray(view)
            if before is None:
                start = time if pictures.start is None else min(time, pictures.start)
                before_time = time
                before = picture
                self._check_length(time - start, picture)
                continue
            if time <= before_time:
                early += 1
                continue
            self._check_length(time - start, picture)
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
        self._check_length(pictures.end - start, before)
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
        if early:
            self.note += f", {early} left out that are not shown after the one before"

    def _check_length(self, seconds: float, picture: Frame) -> None:
        """Raises BenchError where going on would take too many seconds, or too many repeats."""
        if seconds > self.longest:
            raise BenchError(
                f"{self.path}: a picture is shown {seconds:.0f} s after the first; at most "
                f"{self.longest:.0f} s are taken, cut the file, or raise `longest` in the config"
            )
        repeats = seconds * self.fps - self.count
        if repeats * picture.nbytes > MAX_BYTES:
            raise BenchError(
                f"{self.path}: one picture of {picture.shape[1]}x{picture.shape[0]} is shown for "
                f"{repeats / self.fps:.0f} s; the timestamps are broken, rewrite the file"
            )


def read_image(path: Path) -> Frame:
    """The first picture of an image or video, (H, W, 3) uint8 RGB, upright, without alpha."""
    for frame in iter_frames(path):
        return frame
    raise BenchError(f"{path}: no picture decodes; expected an image file such as jpg or png")


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
