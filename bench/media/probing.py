"""What a media file's headers say: size, rate, length, codecs, tracks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from bench.ground.errors import BenchError
from bench.media.containers import (
    Packets,
    decoded,
    is_known,
    opened,
    sound_stream,
    stream_seconds,
    video_stream,
    video_tracks,
)
from bench.media.timing import frame_times


@dataclass(frozen=True)
class Probe:
    """What a file's headers say; nothing is decoded.

    width, height: pixels, before rotation. fps: the mean rate. frames: the header's count, else the
    count of coded frames, 0 without a video track. seconds: length of the longest track. rotation:
    degrees counter-clockwise by which readers turn the frames. constant_rate: whether all frames
    are equally far apart. sound_tracks, video_tracks: how many there are, cover images aside;
    sound_track: the number, from 0, of the one that is read. Rates, counts and seconds are 0 and
    names are "" where there is no such track, or where FFmpeg has no decoder for it.
    """

    width: int = 0
    height: int = 0
    fps: float = 0.0
    frames: int = 0
    seconds: float = 0.0
    rotation: int = 0
    video_codec: str = ""
    pixel_format: str = ""
    constant_rate: bool = False
    has_sound: bool = False
    sound_codec: str = ""
    sound_rate: int = 0
    sound_channels: int = 0
    sound_seconds: float = 0.0
    sound_tracks: int = 0
    sound_track: int = 0
    video_tracks: int = 0

    @property
    def track_notes(self) -> list[str]:
        """Which track is read where there are several, in short sentences; else nothing."""
        notes = []
        if self.video_tracks > 1:
            size = f"{self.width}x{self.height}"
            notes.append(f"{self.video_tracks} video tracks, the one of {size} is read")
        if self.sound_tracks > 1:
            number = self.sound_track + 1
            notes.append(f"{self.sound_tracks} sound tracks, number {number} is read")
        return notes


def probe(path: Path) -> Probe:
    """What the headers say about the file's tracks; raises BenchError if there are none."""
    with opened(path) as container:
        video = video_stream(container)
        sound = sound_stream(container)
        if video is None and sound is None:
            raise BenchError(f"{path}: has neither video nor sound")
        found: dict[str, object] = {
            "has_sound": sound is not None,
            "sound_tracks": len(container.streams.audio),
            "video_tracks": len(video_tracks(container)),
        }
        seconds = [0.0]
        if video is not None and is_known(video):
            seconds.append(stream_seconds(video.duration, video.time_base, container))
            found |= {
                "width": video.codec_context.width,
                "height": video.codec_context.height,
                "frames": video.frames,
                "video_codec": video.codec_context.name,
                "pixel_format": video.codec_context.pix_fmt or "",
            }
        if sound is not None:
            sound_seconds = stream_seconds(sound.duration, sound.time_base, container)
            seconds.append(sound_seconds)
            found["sound_track"] = container.streams.audio.index(sound)
            found["sound_seconds"] = sound_seconds
            if is_known(sound):
                found |= {
                    "sound_codec": sound.codec_context.name,
                    "sound_rate": sound.codec_context.sample_rate,
                    "sound_channels": sound.codec_context.layout.nb_channels,
                }
    if "width" in found:
        found |= _timing(path, int(found["frames"])) | {"rotation": _rotation(path)}  # type: ignore[call-overload]
    return Probe(**{**found, "seconds": max(seconds)})  # type: ignore[arg-type]


def _timing(path: Path, declared: int) -> dict[str, object]:
    times = frame_times(path)
    assert times is not None
    gaps = np.diff(times.coded)
    # The coarsest container, Matroska, rounds times to a millisecond.
    is_whole = len(times.coded) == times.count
    is_constant = is_whole and (len(gaps) == 0 or float(np.ptp(gaps)) < 1.5e-3)
    frames = times.count if times.shown is not None or not declared else declared
    return {"fps": times.rate, "frames": frames, "constant_rate": is_constant}


def _rotation(path: Path) -> int:
    """Degrees counter-clockwise; 0 also where no frame decodes."""
    with opened(path) as container:
        stream = video_stream(container)
        assert stream is not None
        for packet in Packets(container, stream):
            for raw in decoded(packet):
                assert isinstance(raw, av.VideoFrame)
                return raw.rotation
    return 0
