"""Pictures made from a run's videos (frames, zoomed mouths, differences), and sound envelopes.

Each file is named by the digest of the video that it shows, so that a rebuilt report copies the
files of the previous report instead of decoding the videos again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from bench.files.intact import is_intact
from bench.ground.cores import cores
from bench.ground.errors import BenchError

if TYPE_CHECKING:
    from bench.ground.types import Frame, Frames, Sound

MOMENTS = 8  # frames in a strip, evenly spaced over the clip
FACE = 112  # pixels, side of a frame in a strip
MOUTH = (112, 76)  # pixels, width and height of a zoomed mouth
PORTRAIT = 2  # scale of a portrait, relative to a frame in a strip
GAIN = 4  # a difference of 255 / GAIN grey levels or more is white
PEAKS = 240  # segments of an envelope
QUALITY = 82  # JPEG
VERSION = "2"  # raise it whenever the pictures of the same video may change
# The mouth's region if the run has no box for it: shares of the frame, for a centred face.
FALLBACK = (0.30, 0.56, 0.70, 0.90)  # x0, y0, x1, y1

Region = tuple[float, float, float, float]
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Footage:
    """A video to make pictures of, and its reference, if it has one.

    sha256, reference_sha256: their digests. mouth: the mouth's box x0, y0, x1, y1 in pixels, if the
    run has one. first: the frame of the speech that the video begins with. is_own: whether the
    reference was made for this video alone, cut as it is.
    """

    video: Path
    sha256: str
    mouth: Region | None
    reference: Path | None = None
    reference_sha256: str = ""
    first: int = 0
    is_own: bool = False


@dataclass(frozen=True)
class Evidence:
    """What a case page shows of one video. strip, difference: files in `pictures/`.

    difference: the differences of the strip's frames from the reference; "" without a reference.
    real: the same frames of a reference that was made for this video alone; else "".
    at: frame indices of the strip. peaks: the sound's envelope, 0..255. is_located: whether the run
    has the mouth's box.
    """

    strip: str
    difference: str
    at: tuple[int, ...]
    frames: int
    peaks: tuple[int, ...]
    is_located: bool
    real: str = ""


@dataclass(frozen=True)
class Portrait:
    """One frame of one video, face and mouth; difference: as in Evidence."""

    face: str
    difference: str


class _Reference:
    """The frames of a reference, decoded once for all videos that are compared with it."""

    def __init__(self, video: Path | None, sha256: str) -> None:
        self._video = video
        self._sha256 = sha256
        self._taken: dict[tuple[int, ...], Frames | None] = {}
        self._lock = Lock()

    def frames(self, distinct: tuple[int, ...]) -> Frames | None:
        """These frames, (K, H, W, 3); None if the video or a frame is missing."""
        from bench import media

        with self._lock:
            if self._video is not None and distinct not in self._taken:
                try:
                    _check(self._video, self._sha256)
                    self._taken[distinct] = media.pick_frames(self._video, distinct)
                except BenchError:
                    self._taken[distinct] = None
            return self._taken.get(distinct)


def take_evidence(
    asked: Mapping[Key, Footage], *, folder: Path, before: Path
) -> dict[Key, Evidence]:
    """The evidence of these videos, in `folder`; copied from `before` if it exists there.

    folder, before: the `pictures` folders of the report being built and of the one it replaces.
    A video that cannot be read has no evidence.
    """
    # Equal videos share a file, so one thread takes all videos of one reference.
    groups: dict[str, dict[Footage, None]] = {}
    for one in dict.fromkeys(asked.values()):
        groups.setdefault(one.reference_sha256 or one.sha256, {})[one] = None

    def take(group: Sequence[Footage]) -> dict[Footage, Evidence]:
        compared = next((one for one in group if one.reference is not None), group[0])
        reference = _Reference(compared.reference, compared.reference_sha256)
        found = {one: _evidence(one, reference, folder, before) for one in group}
        return {one: evidence for one, evidence in found.items() if evidence is not None}

    taken: dict[Footage, Evidence] = {}
    with ThreadPoolExecutor(len(cores())) as pool:
        for found in pool.map(take, [list(group) for group in groups.values()]):
            taken |= found
    return {key: taken[one] for key, one in asked.items() if one in taken}


def take_portraits(
    asked: Mapping[Key, Footage], frame: int, *, folder: Path, before: Path
) -> dict[Key, Portrait]:
    """One frame of each of these videos, all at the same index; as in `take_evidence`."""
    references = {
        one.reference_sha256: _Reference(one.reference, one.reference_sha256)
        for one in asked.values()
    }

    def take(one: Footage) -> Portrait | None:
        place = frame - one.first
        name = _name(one, f"frame {place} {PORTRAIT}")
        portrait = Portrait(f"{name}.jpg", f"{name}d.jpg" if one.reference_sha256 else "")
        files = [name for name in (portrait.face, portrait.difference) if name]
        if take_over(files, folder, before):
            return portrait
        try:
            return _make_portrait(one, place, references[one.reference_sha256], portrait, folder)
        except BenchError:
            return None

    distinct = list(dict.fromkeys(asked.values()))  # equal videos share a file
    with ThreadPoolExecutor(len(cores())) as pool:
        taken = dict(zip(distinct, pool.map(take, distinct), strict=True))
    found = {key: taken[one] for key, one in asked.items()}
    return {key: portrait for key, portrait in found.items() if portrait is not None}


def _make_portrait(
    one: Footage, frame: int, reference: _Reference, portrait: Portrait, folder: Path
) -> Portrait:
    from bench import media

    _check(one.video, one.sha256)
    if frame < 0:
        raise BenchError(f"{one.video}: begins after this frame")
    frames = media.pick_frames(one.video, [frame])  # (1, H, W, 3)
    _save(_strip(frames, one.mouth, PORTRAIT), folder / portrait.face)
    real = reference.frames((frame,))
    if real is None or real.shape != frames.shape:
        return Portrait(portrait.face, "")
    _save(_differences(frames, real, PORTRAIT), folder / portrait.difference)
    return portrait


def _name(one: Footage, more: str) -> str:
    asked = f"{VERSION} {one.sha256} {one.mouth} {FALLBACK} {MOMENTS} {FACE} {MOUTH} {more}"
    asked += f" {one.reference_sha256} {GAIN}"
    return hashlib.sha256(asked.encode()).hexdigest()[:20]


def take_over(names: Sequence[str], folder: Path, before: Path) -> bool:
    """Whether `folder` now has all these files; copies them from `before` if needed."""
    for name in names:
        if not (folder / name).is_file():
            if not (before / name).is_file():
                return False
            shutil.copyfile(before / name, folder / name)
    return True


def _evidence(one: Footage, reference: _Reference, folder: Path, before: Path) -> Evidence | None:
    note = f"{_name(one, '')}.json"
    if take_over([note], folder, before):
        evidence = _read(folder / note)
        names = [name for name in (evidence.strip, evidence.difference, evidence.real) if name]
        if take_over(names, folder, before):
            return evidence
    try:
        return _make(one, reference, folder / note)
    except BenchError:
        (folder / note).unlink(missing_ok=True)
        return None  # the page says that it shows no frames; its numbers remain


def _read(note: Path) -> Evidence:
    data = json.loads(note.read_text(encoding="utf-8"))
    return Evidence(
        data["strip"],
        data["difference"],
        tuple(data["at"]),
        data["frames"],
        tuple(data["peaks"]),
        data["is_located"],
        data.get("real", ""),
    )


def _make(one: Footage, reference: _Reference, note: Path) -> Evidence:
    from bench import media

    _check(one.video, one.sha256)
    count = media.count_frames(one.video)
    if not count:
        raise BenchError(f"{one.video}: holds no frame")
    at = tuple(round(index * (count - 1) / (MOMENTS - 1)) for index in range(MOMENTS))
    distinct = tuple(sorted(set(at)))
    places = [distinct.index(index) for index in at]
    frames = media.pick_frames(one.video, distinct)  # (K, H, W, 3)
    strip, difference = note.with_suffix(".jpg"), note.with_name(f"{note.stem}d.jpg")
    _save(_strip(frames[places], one.mouth), strip)
    real = reference.frames(distinct) if one.reference_sha256 else None
    is_compared = real is not None and real.shape == frames.shape
    if real is not None and is_compared:
        _save(_differences(frames[places], real[places]), difference)
    own = note.with_name(f"{note.stem}r.jpg") if is_compared and one.is_own else None
    if own is not None and real is not None:
        _save(_strip(real[places], one.mouth), own)
    peaks = _peaks(media.read_sound(one.video))
    name = difference.name if is_compared else ""
    real_name = "" if own is None else own.name
    located = one.mouth is not None
    evidence = Evidence(strip.name, name, at, count, peaks, located, real_name)
    note.write_text(json.dumps(evidence.__dict__, sort_keys=True) + "\n", encoding="utf-8")
    return evidence


def _check(video: Path, sha256: str) -> None:
    """Raises BenchError for a damaged video, whose pictures must not be kept under its digest."""
    if not is_intact(video, sha256):
        raise BenchError(f"{video}: is damaged: its SHA-256 is not the one in its record")


def _save(picture: Frames, file: Path) -> None:
    import cv2

    options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    done, encoded = cv2.imencode(".jpg", picture[:, :, ::-1], options)
    if not done:
        raise BenchError(f"{file}: its frames cannot be encoded as JPEG")
    file.write_bytes(encoded.tobytes())


def _differences(frames: Frames, reference: Frames, times: int = 1) -> Frames:
    """The difference of each frame from the reference, side by side.

    A pixel is the largest absolute difference of the three channels times GAIN. frames, reference:
    (K, H, W, 3), of one shape. Returns (FACE * times, K * FACE * times, 3).
    """
    import cv2

    side = (FACE * times, FACE * times)
    shown: list[Frame] = []
    for frame, real in zip(frames, reference, strict=True):
        red, green, blue = cv2.split(cv2.absdiff(frame, real))
        apart = cv2.max(cv2.max(red, green), blue)  # (H, W)
        bright = cv2.convertScaleAbs(apart, alpha=GAIN).astype(np.uint8)  # saturates at 255
        small = cv2.resize(_square(bright), side, interpolation=cv2.INTER_AREA)
        shown.append(small.astype(np.uint8))
    return np.repeat(np.hstack(shown)[:, :, None], 3, axis=2)  # (FACE, K * FACE, 3)


def _strip(frames: Frames, mouth: Region | None, times: int = 1) -> Frames:
    """Faces above mouths, one column per frame: (FACE + MOUTH[1], K * FACE, 3), times `times`."""
    import cv2

    height, width = frames.shape[1:3]
    x0, y0, x1, y1 = _inside(mouth, width, height)
    columns = []
    for frame in frames:
        side = (FACE * times, FACE * times)
        face = cv2.resize(_square(frame), side, interpolation=cv2.INTER_AREA)
        part = np.ascontiguousarray(frame[y0:y1, x0:x1])
        mouth_size = (MOUTH[0] * times, MOUTH[1] * times)
        zoomed = cv2.resize(part, mouth_size, interpolation=cv2.INTER_CUBIC)
        columns.append(np.vstack([face, zoomed]))
    return np.hstack(columns).astype(np.uint8)


def _square(frame: Frame) -> Frame:
    """The frame centred in a black square, so that no face is stretched; (H, W, 3) or (H, W)."""
    height, width = frame.shape[:2]
    if height == width:
        return frame
    side = max(height, width)
    square = np.zeros((side, side, *frame.shape[2:]), dtype=np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = frame
    return square


def _inside(mouth: Region | None, width: int, height: int) -> tuple[int, int, int, int]:
    """The mouth's box in whole pixels, widened to the aspect ratio of MOUTH, inside the frame."""
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
    """The peak magnitude of each of PEAKS segments, scaled to the largest; 0..255."""
    if sound is None or len(sound) < PEAKS:
        return ()
    loud = np.abs(sound.astype(np.int32))  # (S,)
    edges = np.linspace(0, len(loud), PEAKS, endpoint=False).astype(int)
    tops = np.maximum.reduceat(loud, edges)  # (PEAKS,)
    return tuple(int(one) for one in tops * 255 // max(1, int(tops.max())))
