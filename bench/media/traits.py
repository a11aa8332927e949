"""Properties of a video that reading does not undo: interlacing, pixel shape, HDR.

Frames are read as stored; the doctor marks videos with these properties.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av

from bench.media.containers import Packets, decoded, opened, video_stream

FRAMES = 50  # are checked for interlacing, since a file may mix both kinds
_FIELD_ORDERS = range(2, 6)  # AVFieldOrder: all that are not unknown (0) or progressive (1)
_HDR = {16: "PQ", 18: "HLG"}  # AVColorTransferCharacteristic: SMPTE ST 2084, ARIB STD-B67


@dataclass(frozen=True)
class Traits:
    """interlaced: whether frames consist of two fields, half a frame's time apart.

    pixel_shape: a pixel's width divided by its height; 1 where the file gives none.
    hdr: "PQ" or "HLG" where the video has that transfer function, else "".
    """

    interlaced: bool = False
    pixel_shape: Fraction = Fraction(1)
    hdr: str = ""


def traits(path: Path) -> Traits:
    """The traits of a file's video; raises BenchError where it cannot be opened."""
    with opened(path) as container:
        stream = video_stream(container)
        if stream is None:
            return Traits()
        context = stream.codec_context
        packets = Packets(container, stream)
        frames = islice((raw for packet in packets for raw in decoded(packet)), FRAMES)
        first = [raw for raw in frames if isinstance(raw, av.VideoFrame)]
        scales = [context.color_trc, *(int(raw.color_trc) for raw in first)]
        return Traits(
            interlaced=context.field_order in _FIELD_ORDERS
            or any(raw.interlaced_frame for raw in first),
            pixel_shape=stream.sample_aspect_ratio or Fraction(1),
            hdr=next((_HDR[scale] for scale in scales if scale in _HDR), ""),
        )
