"""Opens media files for reading; anything else is refused with one clear error.

Only containers that hold their own video and sound are accepted. Playlists and the like (concat,
hls, dash, sdp, image sequences) would read other files, whatever their own name is; `tty` turns any
text into frames; subtitles and devices are of no use here.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import av.audio.stream
import av.container
import av.error
import av.stream
import av.video.stream

from bench.ground.errors import BenchError

# FFmpeg's names. Those that end in _pipe are single images; image2 reads only the file that it is
# given, since patterns are switched off below.
VIDEO_FORMATS = (
    "mov,matroska,avi,mpeg,mpegts,mpegvideo,flv,asf,ogg,mxf,rm,dv,nut,ivf,obu,av1,h264,hevc,m4v,vc1,"
    "mjpeg,yuv4mpegpipe,gif,apng"
)
IMAGE_FORMATS = "image2,bmp_pipe,jpeg_pipe,png_pipe,ppm_pipe,pgm_pipe,tiff_pipe,webp_pipe"
SOUND_FORMATS = "wav,w64,flac,mp3,aac,ac3,eac3,dts,aiff,au,caf,amr,nistsphere,tta,wv,ape,voc,sox"
TAKEN = (
    "mp4, mov, m4a, mkv, webm, avi, mpg, ts, flv, wmv, ogg, mxf, gif and raw streams; wav, flac, "
    "mp3, aac, aiff, au, sph; bmp, jpg, png, ppm, tif, webp"
)

MAX_PIXELS = 2**26  # of one frame, 8192x8192; a header of a few bytes may claim any size
DEFAULT_COUNTS = 5_000_000  # the weight of the flag "default" in ffmpeg's choice of a track

# A text file that looks like a playlist must not make ffmpeg open other files or the network.
_OPTIONS = {
    "format_whitelist": f"{VIDEO_FORMATS},{IMAGE_FORMATS},{SOUND_FORMATS}",
    "protocol_whitelist": "file",
    "pattern_type": "none",
}
# With several threads FFmpeg leaves the lost parts of an H.264 frame as they are, and would take as
# many as there are processors: damaged files would be read differently from machine to machine.
_DECODING = {"max_pixels": str(MAX_PIXELS), "threads": "1"}


@contextlib.contextmanager
def opened(path: Path, *, as_stored: bool = False) -> Iterator[av.container.InputContainer]:
    """The file, open for reading; raises BenchError where it is no media file, or is damaged.

    as_stored: packets carry only the times that the file stores, None where it stores none; without
    it libavformat fills in the missing ones.
    """
    path = Path(path)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise BenchError(f"{path}: {what}; expected a video, sound or image file")
    if path.stat().st_size == 0:
        raise BenchError(f"{path}: is empty (0 bytes); expected a video, sound or image file")
    try:
        # An absolute path, because ffmpeg reads anything before a colon as a protocol.
        container = av.open(
            os.path.abspath(path),  # noqa: PTH100 (resolve() would follow links)
            metadata_errors="replace",
            options=dict(_DECODING),
            container_options={**_OPTIONS, **({"fflags": "nofillin"} if as_stored else {})},
        )
    except av.error.ArgumentError as error:  # a format outside the whitelist
        raise BenchError(f"{path}: has a format that is not accepted; accepted: {TAKEN}") from error
    except (av.error.FFmpegError, ValueError, OSError) as error:
        raise BenchError(
            f"{path}: cannot be opened as video, sound or image ({error}); is it complete?"
        ) from error
    with container:
        for stream in container.streams.video:
            if not is_known(stream):
                continue
            context = stream.codec_context
            if context.width * context.height > MAX_PIXELS:
                raise BenchError(
                    f"{path}: the frames are {context.width}x{context.height}; at most "
                    f"{MAX_PIXELS:,} pixels are read, shrink the video"
                )
            context.options = dict(_DECODING)
        try:
            yield container
        except av.error.FFmpegError as error:
            raise BenchError(f"{path}: cannot be decoded ({error}); is it complete?") from error


class Packets:
    """The packets of some tracks as far as the file can be read; `error` says why reading ended.

    The last packet of each track is empty: it makes the decoder return the frames it still holds.
    """

    def __init__(self, container: av.container.InputContainer, *streams: av.stream.Stream) -> None:
        self._packets = container.demux(*streams)
        self._streams = streams
        self.error = ""

    def __iter__(self) -> Iterator[av.Packet[av.stream.Stream]]:
        ended: set[int] = set()
        try:
            for packet in self._packets:
                if packet.dts is None and packet.size == 0:
                    ended.add(packet.stream.index)
                yield packet
        except av.error.FFmpegError as error:
            self.error = str(error)
        except IndexError:  # PyAV 18 fails at the end of a file if a track appeared after its start
            for stream in self._streams:
                if stream.index not in ended:
                    last: av.Packet[av.stream.Stream] = av.Packet()
                    last.stream = stream
                    yield last


def decoded(packet: av.Packet[av.stream.Stream]) -> Sequence[object]:
    """The frames of a packet; none where it is damaged: ffmpeg, too, skips damaged packets."""
    try:
        return packet.decode()
    except av.error.FFmpegError:
        return ()


def stores_all_times(container: av.container.InputContainer) -> bool:
    """Whether the header holds a presentation time for every packet, as in mp4 and mov."""
    return "mp4" in container.format.name.split(",")


def is_known(stream: av.stream.Stream) -> bool:
    """Whether FFmpeg has a decoder for the track."""
    return stream.codec_context is not None


def video_tracks(
    container: av.container.InputContainer,
) -> list[av.video.stream.VideoStream]:
    """All video tracks except the cover images of sound files."""
    return [
        stream
        for stream in container.streams.video
        if av.stream.Disposition.attached_pic not in stream.disposition
    ]


def video_stream(
    container: av.container.InputContainer,
) -> av.video.stream.VideoStream | None:
    """The video track that ffmpeg chooses: the largest, and the flag "default" weighs heavily.

    A track without a decoder comes last: see `is_known`.
    """
    return max(video_tracks(container), key=_video_score, default=None)


def sound_stream(
    container: av.container.InputContainer,
) -> av.audio.stream.AudioStream | None:
    """The sound track that ffmpeg chooses: one flagged "default", else that with most channels.

    The first of equals. A track without a decoder comes last: see `is_known`.
    """
    return max(container.streams.audio, key=_sound_score, default=None)


def stream_seconds(
    duration: int | None, time_base: Fraction | None, container: av.container.InputContainer
) -> float:
    """A track's length by its header, else the file's; 0 where neither gives one."""
    if duration is not None and duration > 0 and time_base is not None:
        return float(duration * time_base)
    return max(container.duration or 0, 0) / av.time_base


def _video_score(stream: av.video.stream.VideoStream) -> tuple[bool, int]:
    if not is_known(stream):
        return False, 0
    context = stream.codec_context
    return True, context.width * context.height + _default_score(stream)


def _sound_score(stream: av.audio.stream.AudioStream) -> tuple[bool, int]:
    if not is_known(stream):
        return False, 0
    return True, stream.codec_context.layout.nb_channels + _default_score(stream)


def _default_score(stream: av.stream.Stream) -> int:
    return DEFAULT_COUNTS * (av.stream.Disposition.default in stream.disposition)
