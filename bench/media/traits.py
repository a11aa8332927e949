"""What a file says of its pictures beside their numbers: fields, the pixels' shape, HDR.

Nothing here is undone when pictures are read: they are taken as stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av

from bench.media.containers import Packets, decoded, opened, video_stream

FRAMES = 50  # that are asked whether they are made of two fields; files may mix both kinds
_FIELD_ORDERS = range(2, 6)  # AVFieldOrder: all that are not unknown (0) or progressive (1)
_HDR = {16: "PQ", 18: "HLG"}  # AVColorTransferCharacteristic: SMPTE ST 2084, ARIB STD-B67


@dataclass(frozen=True)
class Traits:
    """interlaced: whether pictures are made of two fields, half a picture's time apart.

    pixel_shape: how many times as wide as high a pixel is to be shown; 1 where nothing is said.
    hdr: "PQ" or "HLG" where the picture has that scale of light, else "".
    """

    interlaced: bool = False
    pixel_shape: Fraction = Fraction(1)
    hdr: str = ""


def traits(path: Path) -> Traits:
    """The traits of a file's pictures; raises BenchError where it cannot be opened."""
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
