"""When pictures are shown: one clock for the pictures and the sound of a file.

Most containers store when each picture is shown. AVI, and ASF and Matroska with tracks in AVI's
manner, store only when each is decoded; what libavformat makes of that is wrong as soon as pictures
are coded in another order than shown. There the k-th picture shown has the k-th time of decoding,
as in players. So too where a careless writer stored times of decoding as times of showing. MPEG
program streams store a time every few pictures; where what libavformat fills in between runs
backwards, pictures follow each other at the track's rate.
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

from bench.errors import BenchError
from bench.files.intact import Stamp, stamp_of
from bench.media.containers import (
    Packets,
    decoded,
    is_known,
    opened,
    stores_all_times,
    video_stream,
)
from bench.types import FPS

SKIPPED_BYTES = 19  # an MPEG-4 picture of at most so many says "as before" (libavcodec's rule)
MOST_REORDERED = 16  # pictures that H.264 and HEVC may hold back
NEVER_REORDERED = frozenset({"Baseline", "Constrained Baseline"})  # H.264, ITU-T H.264 A.2.1
VP8_SHOWN = 0x10  # the bit of the first byte that tells shown pictures from mere references


@dataclass(frozen=True)
class Clock:
    """The times of a file's pictures, in seconds on the clock that its sound shares.

    coded: when each coded picture is to be shown, in order, whether it decodes or not; empty where
    the file tells no times. shown: the same for those that decode, where the container has no such
    times; None where each decoded picture brings its own. count: of coded pictures; certain: of
    these without the ones that may only say "as before". rate: the mean, in pictures per second.
    """

    coded: tuple[float, ...]
    shown: tuple[float, ...] | None
    count: int
    certain: int
    rate: float

    @property
    def start(self) -> float | None:
        """When the first picture is shown; None where the file tells no times."""
        return self.coded[0] if self.coded else None


def clock(path: Path) -> Clock | None:
    """The times of the pictures; None for a file without any. Raises BenchError as `opened` does.

    Also where FFmpeg has no decoder for the pictures. Pictures, sound and header of one file are
    mostly asked for one after another, so the last answers are kept for as long as files stay.
    """
    try:
        stamp = stamp_of(path.stat())
    except OSError:
        return _clock(path)  # which says what is wrong
    return _clock_in_state(path, stamp)


@functools.lru_cache(maxsize=64)
def _clock_in_state(path: Path, _stamp: Stamp) -> Clock | None:
    return _clock(path)


def _clock(path: Path) -> Clock | None:
    with opened(path) as container:
        stream = video_stream(container)
        if stream is None:
            return None
        if not is_known(stream):
            raise BenchError(
                f"{path}: FFmpeg does not know how its pictures are coded; convert the file, for "
                "instance to H.264 in mp4"
            )
        found = _Found.of(container, stream)
        is_told = stores_all_times(container) and (
            not found.rises or stream.codec_context.profile in NEVER_REORDERED
        )
    order = None if is_told or not _has_coded_order(path) else _decoding_order(path)
    return order or _stored(path, found)


def _has_coded_order(path: Path) -> bool:
    """Whether the times rise from each coded picture to the next, in a container as stored.

    Either they are of decoding, or the pictures are coded in the order in which they are shown.
    """
    with opened(path, as_stored=True) as container:
        stream = _picture_track(container)
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
    """The coded pictures of a file, with the times that libavformat has for them.

    times: seconds, in order of decoding, None where there is none. certain: as in Clock. rates: by
    the header, and as a guess; None where there is none. rises: whether each of all times is later
    than the one before.
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
            if not _is_picture(packet, codec):
                continue
            certain += _is_certain(packet, codec)
            is_told = packet.pts is not None and packet.time_base is not None
            times.append(float((packet.pts or 0) * packet.time_base) if is_told else None)
        return cls(times, certain, (stream.average_rate, stream.guessed_rate), rises)


def _stored(path: Path, found: _Found) -> Clock:
    times, certain = found.times, found.certain
    known = sorted(time for time in times if time is not None)
    mean = _mean_rate(known)
    rate = float(found.rates[0] or mean or found.rates[1] or FPS)
    if len(set(known)) < len(known) and _is_sparse(path):
        known = [known[0] + number / rate for number in range(len(times))]
        return Clock(tuple(known), tuple(known), len(times), certain, rate)
    if known:
        step = 1 / (mean or rate)
        known = [known[0] - step * number for number in range(_early(times), 0, -1)] + known
    return Clock(tuple(known), None, len(times), certain, rate)


def _is_sparse(path: Path) -> bool:
    """Whether the file has times for less than half of its pictures."""
    with opened(path, as_stored=True) as container:
        packets = Packets(container, _picture_track(container))
        has_time = [packet.pts is not None for packet in packets if packet.size]
    return sum(has_time) < len(has_time) / 2


def _early(times: list[float | None]) -> int:
    """How many pictures without a time come before the first that has one, in order of showing.

    times: in order of decoding. Matroska cannot store times before its zero; a stream may be cut
    where a time is not at hand. These pictures go on in the track's own step.
    """
    if not times or times[0] is not None:
        return 0
    first = next((place for place, time in enumerate(times) if time is not None), len(times))
    return sum(time is None for time in times[: first + MOST_REORDERED])


def _decoding_order(path: Path) -> Clock | None:
    """The times of decoding, given to the pictures in order of showing.

    None where the file has times of its own, and the pictures are shown as they are coded.
    The pictures are decoded once to see which coded ones come to nothing, for these keep their
    times: else one that is damaged would pull all that follow it forward.
    """
    with opened(path, as_stored=True) as container:
        stream = _picture_track(container)
        stream.codec_context.copy_opaque = True
        codec = stream.codec_context.name
        ticks: dict[int, int] = {}  # by number of the coded piece
        certain = 0
        has_own = False
        makers: list[int | None] = []  # the piece each picture was made of; not all decoders say
        for number, packet in enumerate(Packets(container, stream)):
            packet.opaque = number
            has_own |= packet.pts is not None
            tick = packet.dts if packet.pts is None else packet.pts
            if tick is not None and _is_picture(packet, codec):
                ticks[number] = tick
                certain += _is_certain(packet, codec)
            makers += [_maker(raw) for raw in decoded(packet)]
        base = stream.time_base or Fraction(1, FPS)
        guessed = float(stream.average_rate or stream.guessed_rate or FPS)
    told = [maker for maker in makers if maker is not None]
    if has_own and (told == sorted(told) or len(told) < len(makers)):
        return None
    coded = sorted(ticks.values())
    gaps = np.diff(sorted(set(coded)))
    step = Fraction(int(np.percentile(gaps, 50, method="lower"))) if len(gaps) else None
    rate = float(1 / (step * base)) if step else guessed
    shown: list[float] = sorted({ticks[maker] for maker in told if maker in ticks})
    if len(shown) < len(makers):  # two pictures of one piece, as MPEG-4 packs them
        after = float(step or 1)
        last = coded[-1]
        shown = [*coded, *(last + after * (number + 1) for number in range(len(makers)))]
        shown = shown[: len(makers)]
    seconds = float(base)
    return Clock(
        tuple(tick * seconds for tick in coded),
        tuple(tick * seconds for tick in shown),
        len(coded),
        certain,
        rate,
    )


def _maker(raw: object) -> int | None:
    assert isinstance(raw, av.VideoFrame)
    return cast("int | None", raw.opaque)


def _is_picture(packet: av.Packet[av.stream.Stream], codec: str) -> bool:
    """Whether a coded piece stands for a picture that is shown, and not left out or hidden."""
    if not packet.size or packet.is_discard:
        return False
    return codec != "vp8" or bool(memoryview(packet)[0] & VP8_SHOWN)


def _is_certain(packet: av.Packet[av.stream.Stream], codec: str) -> bool:
    """Whether a picture must come of it; a short one of MPEG-4 may only say "as before"."""
    return codec != "mpeg4" or packet.size > SKIPPED_BYTES


def _picture_track(container: av.container.InputContainer) -> av.video.stream.VideoStream:
    stream = video_stream(container)
    assert stream is not None
    return stream


def _mean_rate(times: list[float]) -> float:
    """Pictures per second, 0 where that cannot be told."""
    between = times[-1] - times[0] if times else 0.0
    return (len(times) - 1) / between if between > 0 else 0.0
