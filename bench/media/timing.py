"""When each frame is shown: one clock for the video and the sound of a file.

Most containers store presentation times. AVI, and ASF and Matroska files whose tracks imitate AVI,
store only decoding times; libavformat's presentation times for these are wrong as soon as frames
are coded in another order than shown. For such files, and for those whose writer stored decoding
times as presentation times, the k-th frame shown gets the k-th decoding time, as in players. MPEG
program streams store a time only every few frames; where the times that libavformat fills in run
backwards, frames follow each other at the track's rate.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import av.container
import av.stream
import av.video.stream
import numpy as np

from bench.files.intact import Stamp, stamp_of
from bench.ground.errors import BenchError
from bench.ground.types import FPS
from bench.media.containers import (
    Packets,
    decoded,
    is_known,
    opened,
    stores_all_times,
    video_stream,
)

SKIPPED_BYTES = 19  # an MPEG-4 frame of at most this size may be "not coded" (libavcodec's rule)
MOST_REORDERED = 16  # frames that a decoder of H.264 or HEVC may hold back
NEVER_REORDERED = frozenset({"Baseline", "Constrained Baseline"})  # H.264, ITU-T H.264 A.2.1
VP8_SHOWN = 0x10  # the bit of a frame's first byte that is set in frames that are shown


@dataclass(frozen=True)
class FrameTimes:
    """The presentation times of a file's frames, in seconds on the clock that its sound shares.

    coded: of every coded frame, in order, whether it decodes or not; empty where the file stores no
    times. shown: of the frames that decode, where the container does not store their times; None
    where each decoded frame carries its own. count: of coded frames; certain: the same without
    those that may be "not coded" (MPEG-4). rate: the mean, in frames per second.
    """

    coded: tuple[float, ...]
    shown: tuple[float, ...] | None
    count: int
    certain: int
    rate: float

    @property
    def start(self) -> float | None:
        """When the first frame is shown; None where the file stores no times."""
        return self.coded[0] if self.coded else None


def frame_times(path: Path) -> FrameTimes | None:
    """The presentation times of a file's frames; None if it has no video track.

    Raises BenchError as `opened` does, and where FFmpeg has no decoder for the video. Frames, sound
    and headers of a file are mostly read one after another, so the last results are kept until
    their files change.
    """
    try:
        stamp = stamp_of(path.stat())
    except OSError:
        return _frame_times(path)  # raises the right error
    return _frame_times_in_state(path, stamp)


@functools.lru_cache(maxsize=64)
def _frame_times_in_state(path: Path, _stamp: Stamp) -> FrameTimes | None:
    return _frame_times(path)


def _frame_times(path: Path) -> FrameTimes | None:
    with opened(path) as container:
        stream = video_stream(container)
        if stream is None:
            return None
        if not is_known(stream):
            raise BenchError(
                f"{path}: FFmpeg has no decoder for its video; convert the file, for instance to "
                "H.264 in mp4"
            )
        found = _Found.of(container, stream)
        has_own_times = stores_all_times(container) and (
            not found.rises or stream.codec_context.profile in NEVER_REORDERED
        )
    order = None if has_own_times or not _has_coded_order(path) else _decoding_order(path)
    return order or _stored(path, found)


def _has_coded_order(path: Path) -> bool:
    """Whether the stored times rise from each coded frame to the next.

    If so they are decoding times, or frames are coded in presentation order.
    """
    with opened(path, as_stored=True) as container:
        stream = _video_track(container)
        reorders = stream.codec_context.has_b_frames
        before = -math.inf
        for packet in Packets(container, stream):
            if not packet.size:
                continue
            if packet.pts is None and packet.dts is None:
                return False
            if packet.pts is not None:
                if packet.pts <= before or not reorders:
                    return False
                before = packet.pts
    return True


@dataclass(frozen=True)
class _Found:
    """The coded frames of a file, with libavformat's times for them.

    times: seconds, in decoding order, None where there is none. certain: as in FrameTimes. rates:
    the header's, and libavformat's guess; None where there is none. rises: whether every time is
    later than the one before.
    """

    times: list[float | None]
    certain: int
    rates: tuple[Fraction | None, Fraction | None]
    rises: bool

    @classmethod
    def of(
        cls, container: av.container.InputContainer, stream: av.video.stream.VideoStream
    ) -> _Found:
        codec = stream.codec_context.name
        times: list[float | None] = []
        certain = 0
        rises = True
        before = -math.inf
        for packet in Packets(container, stream):
            if packet.size and packet.pts is not None:
                rises &= packet.pts > before
                before = packet.pts
            if not _is_shown(packet, codec):
                continue
            certain += _is_certain(packet, codec)
            has_time = packet.pts is not None and packet.time_base is not None
            times.append(float((packet.pts or 0) * packet.time_base) if has_time else None)
        return cls(times, certain, (stream.average_rate, stream.guessed_rate), rises)


def _stored(path: Path, found: _Found) -> FrameTimes:
    times, certain = found.times, found.certain
    known = sorted(time for time in times if time is not None)
    mean = _mean_rate(known)
    rate = float(found.rates[0] or mean or found.rates[1] or FPS)
    if len(set(known)) < len(known) and _is_sparse(path):
        known = [known[0] + number / rate for number in range(len(times))]
        return FrameTimes(tuple(known), tuple(known), len(times), certain, rate)
    if known:
        step = 1 / (mean or rate)
        known = [known[0] - step * number for number in range(_early(times), 0, -1)] + known
    return FrameTimes(tuple(known), None, len(times), certain, rate)


def _is_sparse(path: Path) -> bool:
    """Whether the file stores times for less than half of its frames."""
    with opened(path, as_stored=True) as container:
        packets = Packets(container, _video_track(container))
        has_time = [packet.pts is not None for packet in packets if packet.size]
    return sum(has_time) < len(has_time) / 2


def _early(times: list[float | None]) -> int:
    """How many frames without a time are shown before the first that has one.

    times: in decoding order. Matroska cannot store times before its zero, and a stream may be cut
    at a frame without a time. Such frames are dated back from the first time at the mean rate.
    """
    if not times or times[0] is not None:
        return 0
    first = next((place for place, time in enumerate(times) if time is not None), len(times))
    return sum(time is None for time in times[: first + MOST_REORDERED])


def _decoding_order(path: Path) -> FrameTimes | None:
    """The decoding times, assigned to the frames in presentation order.

    None where the file stores presentation times, and shows frames in the order of coding.
    All frames are decoded once to see which coded ones fail. These keep their times; otherwise one
    damaged frame would move all later ones forward.
    """
    with opened(path, as_stored=True) as container:
        stream = _video_track(container)
        stream.codec_context.copy_opaque = True
        codec = stream.codec_context.name
        ticks: dict[int, int] = {}  # by packet number
        certain = 0
        has_own = False
        origins: list[int | None] = []  # each frame's packet number; not all decoders say
        for number, packet in enumerate(Packets(container, stream)):
            packet.opaque = number
            has_own |= packet.pts is not None
            tick = packet.dts if packet.pts is None else packet.pts
            if tick is not None and _is_shown(packet, codec):
                ticks[number] = tick
                certain += _is_certain(packet, codec)
            origins += [_origin(raw) for raw in decoded(packet)]
        base = stream.time_base or Fraction(1, FPS)
        guessed = float(stream.average_rate or stream.guessed_rate or FPS)
    known = [origin for origin in origins if origin is not None]
    if has_own and (known == sorted(known) or len(known) < len(origins)):
        return None
    coded = sorted(ticks.values())
    gaps = np.diff(sorted(set(coded)))
    step = Fraction(int(np.percentile(gaps, 50, method="lower"))) if len(gaps) else None
    rate = float(1 / (step * base)) if step else guessed
    shown: list[float] = sorted({ticks[origin] for origin in known if origin in ticks})
    if len(shown) < len(origins):  # one packet holds two frames (MPEG-4's packed bitstream)
        after = float(step or 1)
        last = coded[-1]
        shown = [*coded, *(last + after * (number + 1) for number in range(len(origins)))]
        shown = shown[: len(origins)]
    seconds = float(base)
    return FrameTimes(
        tuple(tick * seconds for tick in coded),
        tuple(tick * seconds for tick in shown),
        len(coded),
        certain,
        rate,
    )


def _origin(raw: object) -> int | None:
    """The number of the packet from which a frame was decoded; None if the decoder does not say."""
    assert isinstance(raw, av.VideoFrame)
    return cast("int | None", raw.opaque)


def _is_shown(packet: av.Packet[av.stream.Stream], codec: str) -> bool:
    """Whether a packet holds a frame that is shown, neither discarded nor hidden."""
    if not packet.size or packet.is_discard:
        return False
    return codec != "vp8" or bool(memoryview(packet)[0] & VP8_SHOWN)


def _is_certain(packet: av.Packet[av.stream.Stream], codec: str) -> bool:
    """Whether a packet must give a frame; a short one of MPEG-4 may hold a frame "not coded"."""
    return codec != "mpeg4" or packet.size > SKIPPED_BYTES


def _video_track(container: av.container.InputContainer) -> av.video.stream.VideoStream:
    stream = video_stream(container)
    assert stream is not None
    return stream


def _mean_rate(times: list[float]) -> float:
    """Frames per second, 0 where the times do not give a rate."""
    between = times[-1] - times[0] if times else 0.0
    return (len(times) - 1) / between if between > 0 else 0.0
