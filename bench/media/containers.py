"""Opens media files for reading: what is no such file is one clear error."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import av.container
import av.error
import av.stream
import av.video.stream

from bench.errors import BenchError

# A text that claims to be a playlist must not make ffmpeg open other files or the network.
_OPTIONS = {"protocol_whitelist": "file", "pattern_type": "none"}


@contextlib.contextmanager
def opened(path: Path) -> Iterator[av.container.InputContainer]:
    """The file, open for reading; raises BenchError where it is none, or cannot be read on."""
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


class Packets:
    """The coded pieces of some tracks as far as the file can be read; `error` says why it ended."""

    def __init__(self, container: av.container.InputContainer, *streams: av.stream.Stream) -> None:
        self._pieces = container.demux(*streams)
        self.error = ""

    def __iter__(self) -> Iterator[av.Packet[av.stream.Stream]]:
        try:
            yield from self._pieces
        except av.error.FFmpegError as error:
            self.error = str(error)


def decoded(packet: av.Packet[av.stream.Stream]) -> Sequence[object]:
    """What a coded piece holds; nothing where it is damaged, as ffmpeg goes on after it."""
    try:
        return packet.decode()
    except av.error.FFmpegError:
        return ()


def video_stream(
    container: av.container.InputContainer,
) -> av.video.stream.VideoStream | None:
    """The first picture track that is not the cover image of a sound file."""
    for stream in container.streams.video:
        if av.stream.Disposition.attached_pic not in stream.disposition:
            return stream
    return None


def stream_seconds(
    duration: int | None, time_base: Fraction | None, container: av.container.InputContainer
) -> float:
    """How long a track is by its header, else the whole file; 0 where neither says it."""
    if duration is not None and duration > 0 and time_base is not None:
        return float(duration * time_base)
    return max(container.duration or 0, 0) / av.time_base
