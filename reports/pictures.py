"""Pictures and envelopes taken from a run's videos: frame strips, zoomed mouths, waveforms.

Their files are named by the digest of the video they show, so that a rebuilt report takes over
those of the report before it instead of decoding again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.errors import BenchError

if TYPE_CHECKING:
    from bench.types import Frames, Sound

MOMENTS = 8  # frames in a strip, evenly spread over the clip
FACE = 112  # pixels, side of a strip's frame
MOUTH = (112, 76)  # pixels, width and height of a zoomed mouth
PEAKS = 240  # stretches of an envelope
QUALITY = 82  # JPEG
VERSION = "1"  # raise it when the pictures of the same video would differ
# Where a run does not say where the mouth is: a part of the frame, for a centred face.
FALLBACK = (0.30, 0.56, 0.70, 0.90)  # x0, y0, x1, y1

Region = tuple[float, float, float, float]


@dataclass(frozen=True)
class Evidence:
    """What was taken from one video. strip: file in `pictures/`. at: frame indices of the strip.

    peaks: the sound's envelope, 0..255. is_located: whether the run said where the mouth is.
    """

    strip: str
    at: tuple[int, ...]
    frames: int
    peaks: tuple[int, ...]
    is_located: bool


def take_evidence(
    video: Path, sha256: str, *, mouth: Region | None, folder: Path, before: Path
) -> Evidence:
    """The evidence of one video, in `folder`; taken over from `before` where it lies there.

    folder, before: the `pictures` folders of the report being built and of the one it replaces.
    Raises BenchError if the video cannot be read.
    """
    asked = f"{VERSION} {sha256} {mouth} {FALLBACK} {MOMENTS} {FACE} {MOUTH}"
    name = hashlib.sha256(asked.encode()).hexdigest()[:20]
    strip, note = folder / f"{name}.jpg", folder / f"{name}.json"
    if strip.is_file() and note.is_file():
        return _read(note)
    old = (before / strip.name, before / note.name)
    if all(path.is_file() for path in old):
        shutil.copyfile(old[0], strip)
        shutil.copyfile(old[1], note)
        return _read(note)
    return _make(video, mouth, strip, note)


def _read(note: Path) -> Evidence:
    data = json.loads(note.read_text(encoding="utf-8"))
    return Evidence(
        data["strip"], tuple(data["at"]), data["frames"], tuple(data["peaks"]), data["is_located"]
    )


def _make(video: Path, mouth: Region | None, strip: Path, note: Path) -> Evidence:
    import cv2

    from bench import media

    count = media.probe(video).frames
    if not count:
        raise BenchError(f"{video}: holds no frame")
    at = tuple(round(index * (count - 1) / (MOMENTS - 1)) for index in range(MOMENTS))
    distinct = sorted(set(at))
    frames = media.pick_frames(video, distinct)  # (K, H, W, 3)
    picture = _strip(frames[[distinct.index(one) for one in at]], mouth)
    options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    done, encoded = cv2.imencode(".jpg", picture[:, :, ::-1], options)
    if not done:
        raise BenchError(f"{video}: its frames cannot be encoded as JPEG")
    strip.write_bytes(encoded.tobytes())
    peaks = _peaks(media.read_sound(video))
    evidence = Evidence(strip.name, at, count, peaks, mouth is not None)
    note.write_text(json.dumps(evidence.__dict__, sort_keys=True) + "\n", encoding="utf-8")
    return evidence


def _strip(frames: Frames, mouth: Region | None) -> Frames:
    """Faces above mouths, (FACE + mouth height, MOMENTS * FACE, 3), a column for each moment."""
    import cv2

    height, width = frames.shape[1:3]
    x0, y0, x1, y1 = _inside(mouth, width, height)
    columns = []
    for frame in frames:
        face = cv2.resize(_square(frame), (FACE, FACE), interpolation=cv2.INTER_AREA)
        part = np.ascontiguousarray(frame[y0:y1, x0:x1])
        zoomed = cv2.resize(part, MOUTH, interpolation=cv2.INTER_CUBIC)
        columns.append(np.vstack([face, zoomed]))
    return np.hstack(columns).astype(np.uint8)


def _square(frame: Frames) -> Frames:
    """The frame in the middle of a square, so that no face is stretched."""
    height, width = frame.shape[:2]
    side = max(height, width)
    square = np.zeros((side, side, 3), dtype=np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = frame
    return square


def _inside(mouth: Region | None, width: int, height: int) -> tuple[int, int, int, int]:
    """The mouth's box in whole pixels, widened to the picture's shape and kept inside the frame."""
    if mouth is None:
        x0, y0, x1, y1 = FALLBACK
        mouth = (x0 * width, y0 * height, x1 * width, y1 * height)
    across, down = (mouth[0] + mouth[2]) / 2, (mouth[1] + mouth[3]) / 2
    half = max((mouth[2] - mouth[0]) / 2, (mouth[3] - mouth[1]) / 2 * MOUTH[0] / MOUTH[1], 2.0)
    tall = half * MOUTH[1] / MOUTH[0]
    left, right = max(0, round(across - half)), min(width, round(across + half))
    top, bottom = max(0, round(down - tall)), min(height, round(down + tall))
    if right - left < 1 or bottom - top < 1:
        return 0, 0, width, height
    return left, top, right, bottom


def _peaks(sound: Sound | None) -> tuple[int, ...]:
    """The largest magnitude of each of PEAKS stretches, scaled to the loudest, 0..255."""
    if sound is None or len(sound) < PEAKS:
        return ()
    loud = np.abs(sound.astype(np.int32))  # (S,)
    edges = np.linspace(0, len(loud), PEAKS, endpoint=False).astype(int)
    tops = np.maximum.reduceat(loud, edges)  # (PEAKS,)
    return tuple(int(one) for one in tops * 255 // max(1, int(tops.max())))
