"""The log-mel picture of what is heard in a case, on the time axis of its players.

Its file is named by the digest of the video it was taken from, as those of `reports.pictures`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from bench.ground.cores import cores
from bench.ground.errors import BenchError
from bench.ground.types import SAMPLE_RATE, SAMPLES_PER_FRAME
from reports.drawing import LEFT, RIGHT, Scale, caption_x, caption_y, drawn, grid_x, number
from reports.pictures import take_over

if TYPE_CHECKING:
    from bench.ground.types import Sound

HOP = SAMPLES_PER_FRAME // 2  # samples, 20 ms: two columns for each frame of the video
WINDOW = 512  # samples, 32 ms
BANDS = 64  # from 0 Hz to half the sample rate, on HTK's mel scale
RANGE = 60.0  # dB below the loudest that are told apart
LABELLED = {250: "250", 1000: "1k", 4000: "4k"}  # Hz
QUALITY = 80  # WebP
VERSION = "1"  # raise it when the picture of the same video would differ
TOP, BOTTOM, HEIGHT = 16, 100, 138  # of the drawing


@dataclass(frozen=True)
class Heard:
    """A video whose sound is to be seen. frames: its length; its sound is as long."""

    video: Path
    sha256: str
    frames: int


def take_mels(asked: Mapping[str, Heard], *, folder: Path, before: Path) -> dict[str, str]:
    """The names of the pictures, in `folder`; taken over from `before` where they lie there.

    folder, before: the `pictures` folders of the report being built and of the one it replaces.
    A video that cannot be read, has no sound or only silence has none.
    """

    def take(one: Heard) -> str:
        asked_for = f"{VERSION} {one.sha256} {one.frames} {HOP} {WINDOW} {BANDS} {RANGE} {QUALITY}"
        name = f"{hashlib.sha256(asked_for.encode()).hexdigest()[:20]}m.webp"
        return name if take_over([name], folder, before) or _make(one, folder / name) else ""

    distinct = list(dict.fromkeys(asked.values()))  # equal videos share a file
    with ThreadPoolExecutor(len(cores())) as pool:
        taken = dict(zip(distinct, pool.map(take, distinct), strict=True))
    return {key: taken[one] for key, one in asked.items() if taken[one]}


def draw_mel(
    title: str, about: str, x_title: str, picture: str, shown: float, seconds: float
) -> Markup:
    """The picture with its axes; nothing without a picture.

    picture: its address. shown: how many seconds of sound it shows. seconds: how far the axis
    goes, as that of the page's other drawings over time.
    """
    if not picture:
        return Markup("")
    across = Scale(0.0, max(seconds, shown), LEFT, RIGHT)
    up = Scale(0.0, mel(SAMPLE_RATE / 2), BOTTOM, TOP)
    image = Markup(
        '<image href="{}" x="{}" y="{}" width="{:.1f}" height="{}" preserveAspectRatio="none"/>'
    ).format(picture, LEFT, TOP, across(shown) - LEFT, BOTTOM - TOP)
    labels = [
        Markup(
            '<line class="ground" x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}"/>'
            '<text class="tick" x="{3}" y="{4:.1f}" text-anchor="end">{5}</text>'
        ).format(LEFT - 4, LEFT, up(mel(hertz)), LEFT - 6, up(mel(hertz)) + 4, label)
        for hertz, label in LABELLED.items()
    ]
    body = [grid_x(across, TOP, BOTTOM), image, *labels, caption_y("Hz")]
    body.append(caption_x(x_title, LEFT, HEIGHT))
    said = [f"0 – {SAMPLE_RATE // 2} Hz, 0 – {number(round(shown, 2))} s"]
    return drawn(title, about, HEIGHT, body, classes="timed", frame=(TOP, BOTTOM), numbers=said)


def mel(hertz: float) -> float:
    """HTK's mel scale."""
    return 2595.0 * math.log10(1.0 + hertz / 700.0)


def loudness(sound: Sound, frames: int) -> NDArray[np.float32]:
    """How loud each band is, in dB from -RANGE to 0, the loudest; (BANDS, 2 * frames), low first.

    Column k is the window around (k + 1/2) * HOP. What lacks of the frames' sound is silence.
    """
    # Not librosa.feature: with a fresh installation its import compiles for a quarter of a minute.
    from librosa.filters import mel as mel_bands

    length, around = frames * SAMPLES_PER_FRAME, (WINDOW - HOP) // 2
    own = sound[:length].astype(np.float32) / 32768.0
    padded = np.pad(own, (around, around + length - len(own)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]  # (2 * frames, 512)
    hann = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
    power = np.square(np.abs(np.fft.rfft(windows * hann)))
    bands = mel_bands(sr=SAMPLE_RATE, n_fft=WINDOW, n_mels=BANDS, htk=True) @ power.T
    loud = 10.0 * np.log10(np.maximum(bands, 1e-12) / bands.max())
    decibels: NDArray[np.float32] = np.maximum(loud, -RANGE).astype(np.float32)
    return decibels


def _make(one: Heard, file: Path) -> bool:
    """Whether the picture could be made."""
    import cv2

    from bench import media

    try:
        sound = media.read_sound(one.video)
    except BenchError:
        return False  # the page says elsewhere that the video cannot be read
    if sound is None or not sound.any():
        return False
    shares = loudness(sound, one.frames) / RANGE + 1.0  # (BANDS, 2 * frames), 0..1
    grey = (shares * 255.0).round().astype(np.uint8)[::-1]  # low bands at the foot
    coloured = cv2.applyColorMap(np.ascontiguousarray(grey), cv2.COLORMAP_VIRIDIS)
    done, encoded = cv2.imencode(".webp", coloured, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    if not done:
        raise BenchError(f"{file}: the sound's picture cannot be encoded as WebP")
    file.write_bytes(encoded.tobytes())
    return True
