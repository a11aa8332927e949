"""The digest of a file's coded frames: equal in files that differ only in their sound."""

from __future__ import annotations

import hashlib
from pathlib import Path

from bench.ground.errors import BenchError
from bench.media.containers import Packets, opened, video_stream


def frames_digest(path: Path) -> str:
    """SHA-256 of the coded frames and their times, as hex; nothing is decoded.

    Files with one digest decode to the same frames; the same frames may be coded in several ways.
    Raises BenchError for a file that cannot be opened or has no video track.
    """
    found = hashlib.sha256()
    with opened(path) as container:
        stream = video_stream(container)
        if stream is None:
            raise BenchError(f"{path}: has no video track")
        found.update(f"{stream.codec_context.name} {stream.time_base}".encode())
        found.update(stream.codec_context.extradata or b"")
        packets = Packets(container, stream)
        for packet in packets:
            found.update(f"{packet.size} {packet.pts} {packet.dts}".encode())
            found.update(packet)
        found.update(packets.error.encode())
    return found.hexdigest()
