"""Encodes videos again, all with one setting, so that no file shows which method generated it."""

from __future__ import annotations

import math
from pathlib import Path

import av
import av.error
import av.stream
import numpy as np

from bench.ground.errors import BenchError
from bench.ground.types import FPS, SAMPLES_PER_FRAME, Sound
from bench.media.containers import opened
from bench.media.frames import Resampled, iter_frames
from bench.media.probing import probe
from bench.media.sound import read_sound
from bench.media.writing import MP4, write_video

CRF = 8  # of x264: nobody sees what this encoding costs, see docs/study.md
MOST_PSNR = 100.0  # dB, in place of infinity where all frames are equal

_NO_SEI = "filter_units=remove_types=6"  # NAL type 6 of H.264's table 7-1: SEI, encoders' remarks
_BOX_HEAD = 8  # bytes of the header of an mp4's box: its size and name (ISO 14496-12, 4.2)


def copy_anonymous(source: Path, target: Path) -> float:
    """Encodes video and sound again with one setting; returns the PSNR of the copy in dB.

    All copies have the same codec, profile, setting and places of key frames and B-frames, 25
    frames per second and mono sound at 16 kHz, whatever their sources have; only what depends on
    the frame size (H.264's level) differs where sizes do. Titles, dates and encoder names in the
    container are left out, and so are the SEI messages that H.264 encoders write into the stream.
    The PSNR (RGB, 8 bits, over all frames, at most 100) compares the copy with the source.
    Raises BenchError where `source` cannot be read.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with_sei = target.with_name(f".{target.stem}.sei.mp4")
    try:
        write_video(with_sei, Resampled(source), sound=_sound(source), crf=CRF, fixed_gop=True)
        _copy_without_sei(with_sei, target)
    finally:
        with_sei.unlink(missing_ok=True)
    return _psnr(source, target)


def pad_alike(paths: list[Path]) -> None:
    """Pads mp4 files to one size in bytes, with an empty box (`free`) at the end of each."""
    wanted = max((path.stat().st_size for path in paths), default=0) + _BOX_HEAD
    for path in paths:
        empty = wanted - path.stat().st_size
        with path.open("ab") as file:
            file.write(empty.to_bytes(4, "big") + b"free" + bytes(empty - _BOX_HEAD))


def _sound(source: Path) -> Sound | None:
    """The sound at the video's length: its own length would show which program wrote the file."""
    sound, found = read_sound(source), probe(source)
    if sound is None or not found.fps:
        return sound
    wanted = round(found.frames / found.fps * FPS) * SAMPLES_PER_FRAME
    return np.pad(sound[:wanted], (0, max(0, wanted - len(sound))))


def _copy_without_sei(source: Path, target: Path) -> None:
    try:
        with (
            opened(source) as given,
            av.open(str(target), "w", format="mp4", options=MP4) as written,
        ):
            copies: dict[int, av.stream.Stream] = {}
            filters: dict[int, av.BitStreamFilterContext] = {}
            for stream in (*given.streams.video, *given.streams.audio):
                copies[stream.index] = copied = written.add_stream_from_template(stream)
                if stream.codec_context.name == "h264":
                    filters[stream.index] = av.BitStreamFilterContext(_NO_SEI, stream, copied)
            for packet in given.demux(*(given.streams[index] for index in copies)):
                if packet.dts is None:
                    continue  # the empty packet at the end
                index = packet.stream.index
                for kept in filters[index].filter(packet) if index in filters else (packet,):
                    kept.stream = copies[index]
                    written.mux(kept)
    except av.error.FFmpegError as error:
        raise BenchError(f"{target}: cannot be written as mp4: {error}") from error


def _psnr(source: Path, copy: Path) -> float:
    """The PSNR over all frames in dB; both files have frames of one size and count."""
    squares = values = 0
    for given, copied in zip(Resampled(source), iter_frames(copy), strict=True):
        difference = given.astype(np.int32) - copied  # (H, W, 3)
        squares += int((difference * difference).sum())
        values += difference.size
    return MOST_PSNR if squares == 0 else 10.0 * math.log10(255.0**2 * values / squares)
