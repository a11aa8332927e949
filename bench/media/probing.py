"""What media files say about themselves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import av.container
import av.video.stream
import numpy as np

from bench.errors import BenchError
from bench.media.containers import Packets, decoded, opened, stream_seconds, video_stream


@dataclass(frozen=True)
class Probe:
    """What a file says about itself, without decoding it.

    width, height: pixels, before rotation. fps: the mean rate. frames: the header's count, else the
    count of coded pictures, 0 without a picture track. seconds: of the longest track. rotation:
    degrees counter-clockwise by which readers turn the picture. constant_rate: whether all pictures
    are equally far apart. Rates, counts and seconds are 0 and names are "" where there is no track.
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


def probe(path: Path) -> Probe:
    """What the file says about its tracks; raises BenchError without pictures and sound."""
    with opened(path) as container:
        video = video_stream(container)
        sound = container.streams.audio[0] if container.streams.audio else None
        if video is None and sound is None:
            raise BenchError(f"{path}: has neither pictures nor sound")
        found: dict[str, object] = {}
        seconds = [0.0]
        if video is not None:
            timing = _timing(container, video)
            seconds.append(timing.seconds)
            found |= {
                "width": video.codec_context.width,
                "height": video.codec_context.height,
                "fps": timing.fps,
                "frames": video.frames or timing.packets,
                "video_codec": video.codec_context.name,
                "pixel_format": video.codec_context.pix_fmt or "",
                "constant_rate": timing.is_constant,
            }
        if sound is not None:
            sound_seconds = stream_seconds(sound.duration, sound.time_base, container)
            seconds.append(sound_seconds)
            found |= {
                "has_sound": True,
                "sound_codec": sound.codec_context.name,
                "sound_rate": sound.codec_context.sample_rate,
                "sound_channels": sound.codec_context.layout.nb_channels,
                "sound_seconds": sound_seconds,
            }
    if video is not None:
        found["rotation"] = _rotation(path)
    return Probe(**{**found, "seconds": max(seconds)})  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Timing:
    packets: int
    fps: float
    seconds: float
    is_constant: bool


def _timing(container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> _Timing:
    shown = []
    packets = 0
    for packet in Packets(container, stream):
        if packet.size and not packet.is_discard:
            packets += 1
            if packet.pts is not None:
                shown.append(float(packet.pts * packet.time_base))
    seconds = stream_seconds(stream.duration, stream.time_base, container)
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    gaps = np.diff(np.sort(shown))
    # Containers round times to a millisecond at worst (Matroska).
    is_constant = len(shown) == packets and (len(gaps) == 0 or float(np.ptp(gaps)) < 1.5e-3)
    if not rate and seconds:
        rate = packets / seconds
    return _Timing(packets, rate, seconds, is_constant)


def _rotation(path: Path) -> int:
    """Degrees counter-clockwise; 0 too where no picture decodes."""
    with opened(path) as container:
        stream = video_stream(container)
        assert stream is not None
        for packet in Packets(container, stream):
            for raw in decoded(packet):
                assert isinstance(raw, av.VideoFrame)
                return raw.rotation
    return 0
