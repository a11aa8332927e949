"""When pictures are shown: one clock for the pictures and the sound of a file.

Most containers store when each picture is shown. AVI, and ASF and Matroska with tracks in AVI's
manner, store only when each is decoded; what libavformat makes of that is wrong as soon as pictures
are coded in another order than shown. There the k-th picture shown has the k-th time of decoding,
as in players. So too where both times are stored and equal although pictures change their order.
"""

from __future__ import annotations

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
from bench.media.containers import Packets, decoded, is_known, opened, video_stream
from bench.types import FPS

SKIPPED_BYTES = 19  # an MPEG-4 picture of at most so many says "as before" (libavcodec's rule)
MOST_REORDERED = 16  # pictures that H.264 and HEVC may hold back
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

    Also where FFmpeg has no decoder for the pictures.
    """
    with opened(path, as_stored=True) as container:
        stream = video_stream(container)
        if stream is None:
            return None
        if not is_known(stream):
            raise BenchError(
                f"{path}: FFmpeg does not know how its pictures are coded; convert the file, "
                "for instance to H.264 in mp4"
            )
        if _is_made_up(container, stream):
            return _decoding_order(path)
    return _stored(path)


def _is_made_up(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream
) -> bool:
    """Whether the track has times of decoding alone, in a container opened as stored."""
    reorders = stream.codec_context.has_b_frames
    has_times = False
    for packet in Packets(container, stream):
        if packet.pts is not None and (packet.pts != packet.dts or not reorders):
            return False
        has_times |= packet.dts is not None
    return has_times


def _stored(path: Path) -> Clock:
    with opened(path) as container:
        stream = _picture_track(container)
        codec = stream.codec_context.name
        times: list[float | None] = []  # None where the file has none
        certain = 0
        for packet in Packets(container, stream):
            if not _is_picture(packet, codec):
                continue
            certain += _is_certain(packet, codec)
            has_time = packet.pts is not None and packet.time_base is not None
            times.append(float(packet.pts * packet.time_base) if has_time else None)
        known = sorted(time for time in times if time is not None)
        mean = _mean_rate(known)
        rate = float(stream.average_rate or mean or stream.guessed_rate or FPS)
    if known:
        step = 1 / (mean or rate)
        known = [known[0] - step * number for number in range(_early(times), 0, -1)] + known
    return Clock(tuple(known), None, len(times), certain, rate)


def _early(times: list[float | None]) -> int:
    """How many pictures without a time come before the first that has one, in order of showing.

    times: in order of decoding. Matroska cannot store times before its zero; a stream may be cut
    where a time is not at hand. These pictures go on in the track's own step.
    """
    if not times or times[0] is not None:
        return 0
    first = next((place for place, time in enumerate(times) if time is not None), len(times))
    return sum(time is None for time in times[: first + MOST_REORDERED])


def _decoding_order(path: Path) -> Clock:
    """The times of decoding, given to the pictures in order of showing.

    The pictures are decoded once to see which coded ones come to nothing, for these keep their
    times: else one that is damaged would pull all that follow it forward.
    """
    with opened(path, as_stored=True) as container:
        stream = _picture_track(container)
        stream.codec_context.copy_opaque = True
        codec = stream.codec_context.name
        ticks: dict[int, int] = {}  # by number of the coded piece
        certain = 0
        makers: list[int] = []  # the piece that each picture was made of
        for number, packet in enumerate(Packets(container, stream)):
            packet.opaque = number
            if packet.dts is not None and _is_picture(packet, codec):
                ticks[number] = packet.dts
                certain += _is_certain(packet, codec)
            makers += [cast("av.VideoFrame", raw).opaque for raw in decoded(packet)]
        base = stream.time_base or Fraction(1, FPS)
        guessed = float(stream.average_rate or stream.guessed_rate or FPS)
    coded = sorted(ticks.values())
    gaps = np.diff(sorted(set(coded)))
    step = Fraction(int(np.percentile(gaps, 50, method="lower"))) if len(gaps) else None
    rate = float(1 / (step * base)) if step else guessed
    shown: list[float] = sorted({ticks[maker] for maker in makers if maker in ticks})
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
