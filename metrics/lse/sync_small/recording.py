"""How a clip was recorded and stored: the speed of its speech, the room, the codecs.

Like the views of `augmentation`, these change nothing that lips and speech have in common: `Speed`
changes both alike, the others leave the time of every frame and column as it is.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import av
import av.video.stream
import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Random = np.random.Generator
Array = NDArray[np.float32]

COLUMN_SECONDS = 0.01  # between columns of the spectrum
CODECS = ("libx264", "mpeg4", "mpeg1video")


@dataclass(frozen=True)
class Speed:
    """A clip played `factor` times as fast."""

    factor: float

    def frames(self, count: int) -> NDArray[np.int64]:
        """Which of `count` frames is shown in each frame: the nearest, as in `bench.media`."""
        shown = int((count - 1) / self.factor) + 1
        nearest = np.rint(np.arange(shown) * self.factor).astype(np.int64)
        return np.asarray(nearest.clip(0, count - 1), dtype=np.int64)

    def columns(self, logarithm: Array) -> Array:
        """The log power (M, 257) at that speed, between its columns linearly."""
        last = len(logarithm) - 1
        places = np.arange(int(last / self.factor) + 1) * self.factor
        low = np.minimum(places.astype(np.int64), max(last - 1, 0))
        share = (places - low).astype(np.float32)[:, None]
        high = np.minimum(low + 1, last)
        return np.asarray(logarithm[low] * (1 - share) + logarithm[high] * share, np.float32)


def speed(random: Random, *, fastest: float) -> Speed:
    """Half of the clips as they are, the others from 0.8 to 1.25 times as fast.

    fastest: no clip becomes faster than this, so that enough of it remains.
    """
    factor = float(np.exp(random.uniform(np.log(0.8), np.log(1.25))))
    return Speed(min(factor, fastest) if random.random() < 0.5 else 1.0)


def stored_sound(logarithm: Array, random: Random) -> Array:
    """The log power (M, 257) of a sound after a room (in 30 %) and a lossy codec (in 20 %)."""
    in_a_room, is_coded = random.random() < 0.3, random.random() < 0.2
    seconds, level = random.uniform(0.2, 1.0), 10.0 ** random.uniform(-1.2, 0.2)
    decibels = random.uniform(16.0, 40.0)
    if in_a_room:
        logarithm = reverberant(logarithm, seconds=seconds, level=level)
    if is_coded:
        logarithm = thinned(logarithm, decibels=decibels)
    return logarithm


def reverberant(logarithm: Array, *, seconds: float, level: float) -> Array:
    """The log power (M, 257) with late reverberation, which follows the direct sound.

    seconds: after which it has fallen by 60 dB. level: its energy relative to the direct sound's.
    """
    keep = 10.0 ** (-6.0 * COLUMN_SECONDS / seconds)  # of the energy, from column to column
    power = np.exp(logarithm.astype(np.float64))
    late = lfilter([0.0, level * (1.0 - keep)], [1.0, -keep], power, axis=0)
    return np.asarray(np.log(power + late), dtype=np.float32)


def thinned(logarithm: Array, *, decibels: float) -> Array:
    """The log power (M, 257) without what lies that far below the loudest of its column.

    Codecs with few bits leave out what the ear would not miss.
    """
    limit = logarithm.max(axis=1, keepdims=True) - decibels * np.log(10.0) / 10.0
    return np.asarray(np.where(logarithm < limit, logarithm - 7.0, logarithm), np.float32)


def stored_pictures(mouths: NDArray[np.uint8], random: Random) -> NDArray[np.uint8]:
    """The frames (T, 96, 96, 3) RGB, in 20 % after a lossy video codec."""
    is_coded = random.random() < 0.2
    codec, quality = CODECS[int(random.integers(len(CODECS)))], float(random.random())
    return coded(mouths, codec=codec, quality=quality) if is_coded else mouths


def coded(mouths: NDArray[np.uint8], *, codec: str, quality: float) -> NDArray[np.uint8]:
    """The frames (T, 96, 96, 3) RGB, encoded and decoded; quality: from 0, coarse, to 1."""
    data = io.BytesIO()
    with av.open(data, "w", format="matroska") as container:
        stream = container.add_stream(codec, rate=25)
        assert isinstance(stream, av.video.stream.VideoStream)
        stream.width, stream.height, stream.pix_fmt = mouths.shape[2], mouths.shape[1], "yuv420p"
        stream.thread_count = 1
        if codec == "libx264":
            stream.options = {"preset": "ultrafast", "crf": str(round(42 - 14 * quality))}
        else:
            scale = str(round(16 - 12 * quality))
            stream.options = {"qmin": scale, "qmax": scale}
        for mouth in mouths:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(mouth), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    data.seek(0)
    with av.open(data, "r") as stored:
        decoded = [frame.to_ndarray(format="rgb24") for frame in stored.decode(video=0)]
    return np.stack(decoded)
