"""Conforms clips: brings them into the one form that methods and metrics read, by fixed rules.

The form: mp4, H.264 yuv420p, 25 fps constant, even size of at least 16x16, T frames; AAC mono
16 kHz that decodes to exactly 640 * T samples, or no sound. Every change is noted, for instance
"sound padded by 0.022 s". The rules:

Frames: 25 fps by timestamps (`media.Resampled`); turned upright, without alpha; the last row or
column of an odd size is dropped; less than 16x16 is an error. Of a damaged file, all frames that
decode are used. A still image becomes one frame, or as many as its sound needs.
Sound: of `Clip.audio`, else of the video; mixed to mono, 16 kHz, aligned with the first frame. The
video decides the length: the sound is cut, or padded with silence at its end.
A clip that already has the form is used unchanged; others are encoded at crf 8 into the cache.
That costs little: on nine GRID clips the RGB PSNR is 44.4 to 45.2 dB, the sound's SNR 30 to 34 dB.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.data.manifest import check_content, clip_digest
from bench.files.digests import file_sha256
from bench.files.intact import is_intact
from bench.files.one_move import in_one_move
from bench.ground.errors import BenchError
from bench.ground.types import FPS, LONGEST, SAMPLE_RATE, SAMPLES_PER_FRAME, Clip, Frame, Sound

if TYPE_CHECKING:
    from bench.media import Probe

CONFORM_VERSION = "1"  # raise it when a rule or an encoder setting for clips changes
MISREAD_VERSION = "2"  # for clips that version 1 read with wrong times or tracks
CLIP_CRF = 8
SMALLEST = 16  # pixels, either side
TRACKS = "ffmpeg"  # who chose the track, in cached results; earlier ones took the first track
IMAGES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


@dataclass(frozen=True)
class Conformed:
    """A conformed clip: its file, that file's digest, its frame count, and notes on changes."""

    path: Path
    sha256: str
    frames: int
    notes: tuple[str, ...]
    has_sound: bool


def conform_version(clip: Clip) -> str:
    """The version of the rules for this clip, which enters its keys.

    MISREAD_VERSION for containers other than mp4, mov, MPEG program streams, wav and images,
    because version 1 read some of these wrongly: AVI's times, a stream's first frames. Files that
    cannot be read have CONFORM_VERSION.
    """
    files = (clip.video,) if clip.audio is None else (clip.video, clip.audio)
    return MISREAD_VERSION if any(map(_was_misread, files)) else CONFORM_VERSION


def _was_misread(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return False
    is_mp4 = head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide")
    is_wave = head[:4] == b"RIFF" and head[8:] == b"WAVE"
    return not (is_mp4 or is_wave or head.startswith(b"\0\0\1\xba") or _is_image(path))


def conform_clip(clip: Clip, *, cache: Path, longest: float = LONGEST) -> Conformed:
    """The conformed clip: its own file if that has the form, else one in `cache`/clips.

    longest: seconds of video or sound above which a clip is refused.
    Cached by the clip's digest (that of its files where the manifest has none) and
    `conform_version`; a cached result keeps its notes. Raises BenchError where a file cannot be
    read, or is too small or too long.
    """
    _check_files(clip)
    check_content(clip)
    digest = hashlib.sha256(f"{conform_version(clip)}:{clip_digest(clip)}".encode()).hexdigest()
    target = cache / "clips" / f"{digest}.mp4"
    record = target.with_suffix(".json")
    known = _recalled(record, clip, target)
    if known is not None:
        return known
    check_content(clip, reread=True)
    conformed = _own_file(clip, longest) or _encoded(clip, target, longest)
    line = {
        "is_source": conformed.path == clip.video,
        "tracks": TRACKS,
        "bytes": conformed.path.stat().st_size,
        "sha256": conformed.sha256,
        "frames": conformed.frames,
        "notes": conformed.notes,
        "has_sound": conformed.has_sound,
    }
    with in_one_move(record, lasting=False) as part:  # readers detect a torn file
        part.write_text(json.dumps(line, sort_keys=True, ensure_ascii=False), encoding="utf-8")
    return conformed


def fitted_sound(sound: Sound, frames: int) -> Sound:
    """The sound, cut or padded with silence to the length of that many frames."""
    wanted = frames * SAMPLES_PER_FRAME
    return np.pad(sound[:wanted], (0, max(wanted - len(sound), 0)))


def _check_files(clip: Clip) -> None:
    """Raises BenchError, naming the clip, where it has no digest and a file is missing."""
    if clip.sha256:
        return
    for path in (clip.video, clip.audio):
        if path is not None and not path.is_file():
            raise BenchError(f"clip {clip.id!r}: {path}: does not exist; expected a file")


def _recalled(record: Path, clip: Clip, target: Path) -> Conformed | None:
    """The cached result, if it is complete and its file still has the same bytes."""
    try:
        line = json.loads(record.read_text(encoding="utf-8"))
        path = clip.video if line["is_source"] else target
        if path.stat().st_size != line["bytes"] or not is_intact(path, line["sha256"]):
            return None
        if line.get("tracks") != TRACKS and _has_several_tracks(clip):
            return None
        return Conformed(
            path, line["sha256"], line["frames"], tuple(line["notes"]), line["has_sound"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _has_several_tracks(clip: Clip) -> bool:
    from bench import media

    try:
        found = [media.probe(path) for path in (clip.video, clip.audio) if path is not None]
    except BenchError:
        return True
    return any(max(one.sound_tracks, one.video_tracks) > 1 for one in found)


def _own_file(clip: Clip, longest: float) -> Conformed | None:
    """The clip's own file, if it has the form, which is checked by decoding it to the end."""
    from bench import media

    if clip.audio is not None or clip.video.suffix.lower() != ".mp4":
        return None
    found = media.probe(clip.video)
    if not has_form(found):
        return None
    resampled = media.Resampled(clip.video, longest=longest)
    frames = sum(1 for _ in resampled)
    if resampled.note or resampled.damage:
        return None
    sound = media.read_sound(clip.video, longest=longest)
    if sound is not None and len(sound) != SAMPLES_PER_FRAME * frames:
        return None
    notes = tuple(found.track_notes)
    return Conformed(clip.video, file_sha256(clip.video), frames, notes, sound is not None)


def has_form(found: Probe) -> bool:
    """Whether the headers describe the form; lengths are not compared."""
    codec = found.video_codec == "h264" and found.pixel_format == "yuv420p"
    size = found.width % 2 == 0 == found.height % 2 and min(found.width, found.height) >= SMALLEST
    rate = found.constant_rate and abs(found.fps - FPS) < 1e-6 and found.rotation == 0
    sound = (found.sound_codec, found.sound_rate, found.sound_channels) == ("aac", SAMPLE_RATE, 1)
    return codec and size and rate and (sound or not found.has_sound)


def _encoded(clip: Clip, target: Path, longest: float) -> Conformed:
    from bench import media

    notes: list[str] = []
    is_image = _is_image(clip.video)
    found = media.probe(clip.video)
    sound_file = clip.audio or clip.video
    has_none = is_image and clip.audio is None
    sound = None if has_none else media.read_sound(sound_file, longest=longest)
    if clip.audio is not None and sound is None:
        raise BenchError(f"clip {clip.id!r}: audio {clip.audio}: has no sound track")
    if is_image:
        count = 1 if sound is None else math.ceil(len(sound) / SAMPLES_PER_FRAME)
        still = media.read_image(clip.video)
        shown: Iterable[Frame] = itertools.repeat(still, count)
        notes.append(f"still image shown for {count} frames")
        resampled = None
    else:
        shown = resampled = media.Resampled(clip.video, longest=longest)
        notes.append(f"video re-encoded ({found.video_codec} -> H.264, crf {CLIP_CRF})")
    with in_one_move(target) as part:
        frames = media.write_video(part, _even(shown, clip, notes), crf=CLIP_CRF)
        if sound is not None:  # the sound's length is known only now
            media.replace_sound(part, part, fitted_sound(sound, frames))
    if resampled is not None:
        notes += [note for note in (resampled.note, resampled.damage) if note]
    if sound is not None:
        heard = media.probe(sound_file)
        notes += heard.track_notes
        if (heard.sound_rate, heard.sound_channels) != (SAMPLE_RATE, 1):
            notes.append(
                f"sound {heard.sound_rate} Hz, {heard.sound_channels} channels "
                f"-> {SAMPLE_RATE} Hz, 1 channel"
            )
        notes += length_notes(sound, frames)
    return Conformed(target, file_sha256(target), frames, tuple(notes), sound is not None)


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGES


def _even(frames: Iterable[Frame], clip: Clip, notes: list[str]) -> Iterator[Frame]:
    """The frames at an even size; adds one note where a row or column is dropped."""
    for index, frame in enumerate(frames):
        height, width = frame.shape[0] // 2 * 2, frame.shape[1] // 2 * 2
        if index == 0:
            was = f"{frame.shape[1]}x{frame.shape[0]}"
            if min(height, width) < SMALLEST:
                raise BenchError(
                    f"clip {clip.id!r}: {clip.video}: the frames are {was}; "
                    f"expected at least {SMALLEST}x{SMALLEST}"
                )
            if (height, width) != frame.shape[:2]:
                notes.append(f"size {was} -> {width}x{height}, last row or column dropped")
        yield frame[:height, :width]


def length_notes(sound: Sound, frames: int) -> list[str]:
    """A note on how much sound is cut or padded to last as long as the frames, if any."""
    missing = (SAMPLES_PER_FRAME * frames - len(sound)) / SAMPLE_RATE
    if missing == 0:
        return []
    return [f"sound padded by {missing:.3f} s" if missing > 0 else f"sound cut by {-missing:.3f} s"]
