"""Codes videos anew, all alike: neither file nor stream tells who made them."""

from __future__ import annotations

import math
from pathlib import Path

import av
import av.error
import av.stream
import numpy as np

from bench.errors import BenchError
from bench.media.containers import opened
from bench.media.pictures import Resampled, iter_frames
from bench.media.probing import probe
from bench.media.sound import read_sound
from bench.media.writing import MP4, write_video
from bench.types import FPS, SAMPLES_PER_FRAME, Sound

CRF = 8  # of x264: one more coding costs less than anybody sees, see docs/study.md
MOST_PSNR = 100.0  # dB, in place of infinity where all pictures are equal

_NO_SEI = "filter_units=remove_types=6"  # type 6 of H.264's table 7-1: what encoders note
_BOX_HEAD = 8  # bytes of the head of an mp4's box: its length and its name (ISO 14496-12, 4.2)


def copy_anonymous(source: Path, target: Path) -> float:
    """Codes pictures and sound anew by one setting; the PSNR says what that cost, in dB.

    All copies have one codec, profile and setting, key frames and B-frames at the same places, 25
    pictures a second and mono sound at 16 kHz, whatever their sources had; only what depends on the
    picture's size (the level) differs where sizes do. Titles, dates and encoders' names of the
    container stay behind, and so do the notes that H.264 encoders leave in the pictures (SEI).
    The PSNR (RGB, 8 bits, over all pictures, at most 100) is of the copy against the source.
    Raises BenchError where `source` cannot be read.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    noted = target.with_name(f".{target.stem}.noted.mp4")
    try:
        write_video(noted, Resampled(source), sound=_sound(source), crf=CRF, fixed_places=True)
        _copy_without_notes(noted, target)
    finally:
        noted.unlink(missing_ok=True)
    return _psnr(source, target)


def pad_alike(paths: list[Path]) -> None:
    """Makes these mp4 files equally long: a box of nothing (`free`) at the end of each."""
    wanted = max((path.stat().st_size for path in paths), default=0) + _BOX_HEAD
    for path in paths:
        empty = wanted - path.stat().st_size
        with path.open("ab") as file:
            file.write(empty.to_bytes(4, "big") + b"free" + bytes(empty - _BOX_HEAD))


def _sound(source: Path) -> Sound | None:
    """The sound, as long as the pictures: its own length would tell who wrote the file."""
    sound, found = read_sound(source), probe(source)
    if sound is None or not found.fps:
        return sound
    wanted = round(found.frames / found.fps * FPS) * SAMPLES_PER_FRAME
    return np.pad(sound[:wanted], (0, max(0, wanted - len(sound))))


def _copy_without_notes(source: Path, target: Path) -> None:
    try:
        with (
            opened(source) as given,
            av.open(str(target), "w", format="mp4", options=MP4) as made,
        ):
            copies: dict[int, av.stream.Stream] = {}
            filters: dict[int, av.BitStreamFilterContext] = {}
            for stream in (*given.streams.video, *given.streams.audio):
                copies[stream.index] = copied = made.add_stream_from_template(stream)
                if stream.codec_context.name == "h264":
                    filters[stream.index] = av.BitStreamFilterContext(_NO_SEI, stream, copied)
            for packet in given.demux(*(given.streams[index] for index in copies)):
                if packet.dts is None:
                    continue  # the mark of the end
                index = packet.stream.index
                for piece in filters[index].filter(packet) if index in filters else (packet,):
                    piece.stream = copies[index]
                    made.mux(piece)
    except av.error.FFmpegError as error:
        raise BenchError(f"{target}: cannot be written as mp4: {error}") from error


def _psnr(source: Path, copy: Path) -> float:
    """Of all pictures together, of one size and count in both, in dB."""
    squares = values = 0
    for given, made in zip(Resampled(source), iter_frames(copy), strict=True):
        difference = given.astype(np.int32) - made  # (H, W, 3)
        squares += int((difference * difference).sum())
        values += difference.size
    return MOST_PSNR if squares == 0 else 10.0 * math.log10(255.0**2 * values / squares)
