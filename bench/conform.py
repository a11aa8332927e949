"""Brings clips and outputs into the one form that methods and metrics read, by declared rules.

The form: mp4, H.264 yuv420p, 25 fps constant, even size of at least 16x16, T frames; AAC mono
16 kHz that decodes to exactly 640 * T samples, or no sound. Everything that a rule changes comes
back as a note, such as "sound padded by 0.022 s". The rules:

Pictures: 25 fps by timestamps (`media.Resampled`); turned upright, without alpha; of an odd size
the last row or column is dropped; smaller than 16x16 is an error. A damaged file goes as far as it
decodes. A still image is one frame, or as many as its sound is long.
Sound: of `Clip.audio`, else of the video; mixed to mono, 16 kHz, in step with the first picture;
the pictures decide the length: the sound is cut, or padded with silence at its end.
A clip that has the form already is used as it is; others are encoded at crf 8 into the cache.
That costs little: on nine GRID clips the RGB PSNR is 44.4 to 45.2 dB, the sound's SNR 30 to 34 dB.

Outputs of methods: frames must have the face's size and the job's count. A file may differ: it goes
to 25 fps by timestamps, to the face's size (area means or bicubic), and up to 5 frames too many are
cut, or too few filled with the last one; more is an error. Pictures of another shape (width by
height off by more than 2 %) are an error, unless the method says how to fit them (`Generation`).
Its sound is always replaced by the job's speech, or by the sound that the method names. Pictures
that need none of this and that browsers play (H.264, VP9 or AV1, 8 bits, 4:2:0) are copied as they
are, to the last bit, out of any container. All else is encoded at crf 10 by x264's `ultrafast`: on
videos of the embedded corpora as true as crf 12 by `veryfast` (RGB PSNR 46.3 against 46.5 dB), in
0.3 of the time, with files 1.6 times as large. Of a file a note says why it was encoded anew, and
what that cost: the PSNR of what is measured against what came, which is as much for frames handed
over as arrays and for the same frames in a lossless file.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.data.manifest import check_content, clip_digest
from bench.errors import BenchError
from bench.intact import is_intact
from bench.jobs import Generation, Job
from bench.keys import file_sha256
from bench.one_move import in_one_move
from bench.types import FPS, LONGEST, SAMPLE_RATE, SAMPLES_PER_FRAME, Clip, Fit, Frame, Sound

if TYPE_CHECKING:
    from bench.media import Probe

CONFORM_VERSION = "1"  # raise it when a rule or an encoder setting of clips changes
READ_ANEW_VERSION = "2"  # of clips whose times and tracks were once read wrongly: `conform_version`
OUTPUT_VERSION = "2"  # and this one when one of outputs does
CLIP_CRF = 8
OUTPUT_CRF, OUTPUT_PRESET = 10, "ultrafast"
SMALLEST = 16  # pixels, either side
FRAMES_FORGIVEN = 5  # how far a method's file may miss the count
SHAPE_FORGIVEN = 0.02  # how far width by height may be off: programs round sizes
SOUND_FORGIVEN = 0.1  # seconds; containers pad sound by a block or two
PLAYED = frozenset({"h264", "vp9", "av1", "libdav1d"})  # what browsers play in an mp4, as FFmpeg
PLAYED_PIXELS = frozenset({"yuv420p", "yuvj420p"})  # names decoders and pixels
TRACKS = "ffmpeg"  # whose choice of a track the kept answers follow; once it was the first
IMAGES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


@dataclass(frozen=True)
class Conformed:
    """A clip in the one form: its file, that file's digest, its frame count, what was changed."""

    path: Path
    sha256: str
    frames: int
    notes: tuple[str, ...]
    has_sound: bool


def conform_version(clip: Clip) -> str:
    """The version of the rules for this clip, which enters its keys.

    READ_ANEW_VERSION for containers other than mp4, mov, MPEG program streams, wav and images, for
    what of these was read before may be wrong: AVI's times, a stream's first pictures. What cannot
    be read has CONFORM_VERSION.
    """
    files = (clip.video,) if clip.audio is None else (clip.video, clip.audio)
    return READ_ANEW_VERSION if any(map(_is_read_anew, files)) else CONFORM_VERSION


def _is_read_anew(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return False
    is_mp4 = head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide")
    is_wave = head[:4] == b"RIFF" and head[8:] == b"WAVE"
    return not (is_mp4 or is_wave or head.startswith(b"\0\0\1\xba") or _is_image(path))


def conform_clip(clip: Clip, *, cache: Path, longest: float = LONGEST) -> Conformed:
    """The clip in the one form: its own file if that has it, else one in `cache`/clips.

    longest: seconds of pictures or sound from which a clip is refused.
    Cached by the clip's digest (taken from the files where the manifest has none) and
    `conform_version`; a cached answer has the notes of the first. Raises BenchError where a file
    cannot be read, or is too small or too long.
    """
    _check_files(clip)
    check_content(clip)
    digest = hashlib.sha256(f"{conform_version(clip)}:{clip_digest(clip)}".encode()).hexdigest()
    target = cache / "clips" / f"{digest}.mp4"
    record = target.with_suffix(".json")
    known = _recalled(record, clip, target)
    if known is not None:
        return known
    check_content(clip, anew=True)
    made = _as_it_is(clip, longest) or _encoded(clip, target, longest)
    line = {
        "is_source": made.path == clip.video,
        "tracks": TRACKS,
        "bytes": made.path.stat().st_size,
        "sha256": made.sha256,
        "frames": made.frames,
        "notes": made.notes,
        "has_sound": made.has_sound,
    }
    with in_one_move(record, lasting=False) as part:  # a torn one is noticed
        part.write_text(json.dumps(line, sort_keys=True, ensure_ascii=False), encoding="utf-8")
    return made


def conform_output(generation: Generation, job: Job, target: Path) -> tuple[str, ...]:
    """Writes a method's output to `target` in the one form; the notes say what was changed.

    Raises BenchError, naming what came and what was wanted, where frames have another type, size or
    count than the job's, and where a file cannot be read, misses the count by more than 5 frames,
    or has another shape and the generation refuses to fit it.
    """
    from bench import media

    sound = job.speech if generation.sound is None else generation.sound
    exact = fitted_sound(sound, job.frames)
    notes: list[str] = []
    if not isinstance(generation.video, Path):
        frames = _checked_frames(generation.video, job)
        media.write_video(target, frames, sound=exact, crf=OUTPUT_CRF, preset=OUTPUT_PRESET)
        return tuple(_length_notes(sound, job.frames))
    path = generation.video
    notes += _own_sound_notes(path, job)
    if len(sound) == len(exact) and _has_pictures(path, job):
        own = media.read_sound(path)
        if own is None or not np.array_equal(own, sound):
            media.replace_sound(path, target, sound)
        else:
            with in_one_move(target) as part:
                shutil.copyfile(path, part)
        return tuple(notes)
    reason = _reason_to_encode(path, job)
    if not reason:
        if _is_remuxed(path, target, exact):
            return (*notes, *_length_notes(sound, job.frames))
        reason = "its pictures cannot be copied into an mp4"
    frames = _file_frames(path, job, generation.fit, notes)
    media.write_video(target, frames, sound=exact, crf=OUTPUT_CRF, preset=OUTPUT_PRESET)
    again = _file_frames(path, job, generation.fit, [])
    loss = _psnr(again, media.iter_frames(target))
    cost = "without loss" if math.isinf(loss) else f"PSNR {loss:.1f} dB"
    notes.append(f"pictures encoded anew, for {reason}: {cost}")
    return (*notes, *_length_notes(sound, job.frames))


def fitted_sound(sound: Sound, frames: int) -> Sound:
    """The sound cut, or filled up with silence, to that many frames."""
    wanted = frames * SAMPLES_PER_FRAME
    return np.pad(sound[:wanted], (0, max(wanted - len(sound), 0)))


def _check_files(clip: Clip) -> None:
    """Raises BenchError, naming the clip, where a file to take its digest of is missing."""
    if clip.sha256:
        return
    for path in (clip.video, clip.audio):
        if path is not None and not path.is_file():
            raise BenchError(f"clip {clip.id!r}: {path}: does not exist; expected a file")


def _recalled(record: Path, clip: Clip, target: Path) -> Conformed | None:
    """The cached answer, if it is whole and the file it speaks of has its very bytes still."""
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
    return any(max(one.sound_tracks, one.picture_tracks) > 1 for one in found)


def _as_it_is(clip: Clip, longest: float) -> Conformed | None:
    """The clip's own file, if it has the form; only decoding it to the end can tell."""
    from bench import media

    if clip.audio is not None or clip.video.suffix.lower() != ".mp4":
        return None
    found = media.probe(clip.video)
    if not _has_form(found):
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


def _has_form(found: Probe) -> bool:
    """Whether the header says so; the lengths remain to be seen."""
    pictures = found.video_codec == "h264" and found.pixel_format == "yuv420p"
    size = found.width % 2 == 0 == found.height % 2 and min(found.width, found.height) >= SMALLEST
    rate = found.constant_rate and abs(found.fps - FPS) < 1e-6 and found.rotation == 0
    sound = (found.sound_codec, found.sound_rate, found.sound_channels) == ("aac", SAMPLE_RATE, 1)
    return pictures and size and rate and (sound or not found.has_sound)


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
        pictures: Iterable[Frame] = itertools.repeat(still, count)
        notes.append(f"still image shown for {count} frames")
        resampled = None
    else:
        pictures = resampled = media.Resampled(clip.video, longest=longest)
        notes.append(f"pictures encoded anew ({found.video_codec} -> H.264, crf {CLIP_CRF})")
    with in_one_move(target) as part:
        frames = media.write_video(part, _even(pictures, clip, notes), crf=CLIP_CRF)
        if sound is not None:  # only now its length is known
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
        notes += _length_notes(sound, frames)
    return Conformed(target, file_sha256(target), frames, tuple(notes), sound is not None)


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGES


def _even(pictures: Iterable[Frame], clip: Clip, notes: list[str]) -> Iterator[Frame]:
    """The pictures at an even size; says once in `notes` what it cut off."""
    for index, picture in enumerate(pictures):
        height, width = picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2
        if index == 0:
            was = f"{picture.shape[1]}x{picture.shape[0]}"
            if min(height, width) < SMALLEST:
                raise BenchError(
                    f"clip {clip.id!r}: {clip.video}: the picture is {was}; "
                    f"expected at least {SMALLEST}x{SMALLEST}"
                )
            if (height, width) != picture.shape[:2]:
                notes.append(f"size {was} -> {width}x{height}, last row or column dropped")
        yield picture[:height, :width]


def _length_notes(sound: Sound, frames: int) -> list[str]:
    missing = (SAMPLES_PER_FRAME * frames - len(sound)) / SAMPLE_RATE
    if missing == 0:
        return []
    return [f"sound padded by {missing:.3f} s" if missing > 0 else f"sound cut by {-missing:.3f} s"]


def _size(job: Job) -> tuple[int, int]:
    height, width = job.face.read().shape[1:3]
    return height, width


def _has_pictures(path: Path, job: Job) -> bool:
    """Whether the file's pictures need nothing: the form, the face's size, the count."""
    from bench import media

    if path.suffix.lower() != ".mp4":
        return False
    found = media.probe(path)
    if not _has_form(found) or (found.height, found.width) != _size(job):
        return False
    if path == job.face.path:
        return len(job.face.read()) == job.frames
    resampled = media.Resampled(path, longest=_longest(job))
    frames = sum(1 for _ in resampled)
    return frames == job.frames and not resampled.note and not resampled.damage


def _reason_to_encode(path: Path, job: Job) -> str:
    """Why the file's pictures cannot stay as they are; "" where they can."""
    from bench import media

    found = media.probe(path)
    if found.video_codec not in PLAYED or found.pixel_format not in PLAYED_PIXELS:
        return f"browsers do not play {found.video_codec} {found.pixel_format}"
    if (found.height, found.width) != _size(job) or found.rotation:
        return "their size is another"
    resampled = media.Resampled(path, longest=_longest(job))
    frames = sum(1 for _ in resampled)
    if resampled.note:
        return "their rate is another"
    if resampled.damage:
        return "not all of them decode"
    return "" if frames == job.frames else "their count is another"


def _is_remuxed(path: Path, target: Path, sound: Sound) -> bool:
    """Whether `target` now shows the very pictures of `path`, with this sound.

    The file's own coded sound goes along where it says the same: coding it again would change it.
    """
    from bench import media

    ways: list[Sound | None] = [sound]
    own = media.read_sound(path) if media.probe(path).sound_codec == "aac" else None
    if own is not None and np.array_equal(own, sound):
        ways = [None, sound]
    for way in ways:
        if not media.remux(path, target, way):
            continue
        heard = media.read_sound(target)
        if heard is None or len(heard) != len(sound):
            continue
        if way is None and not np.array_equal(heard, sound):
            continue
        pairs = itertools.zip_longest(media.iter_frames(path), media.iter_frames(target))
        if all(
            came is not None and kept is not None and np.array_equal(came, kept)
            for came, kept in pairs
        ):
            return True
    target.unlink(missing_ok=True)
    return False


def _psnr(came: Iterable[Frame], written: Iterable[Frame]) -> float:
    """Decibels between two series of frames, over all values of R, G and B; infinite if equal."""
    squares = values = 0
    for one, other in zip(came, written, strict=True):
        difference = one.astype(np.int32) - other
        squares += int(np.square(difference).sum(dtype=np.int64))
        values += difference.size
    return 10 * math.log10(255**2 * values / squares) if squares else math.inf


def _longest(job: Job) -> float:
    """Seconds of a method's video that are looked at, so that its length can be told."""
    return max(LONGEST, 2 * job.frames / FPS)


def _file_frames(path: Path, job: Job, fit: Fit, notes: list[str]) -> Iterator[Frame]:
    """The file's frames in the job's size and count; `notes` is filled once they have all come."""
    from bench import media

    height, width = _size(job)
    resampled = media.Resampled(path, longest=_longest(job))
    came = 0
    last: Frame | None = None
    for frame in resampled:
        if came == 0 and frame.shape[:2] != (height, width):
            how = _checked_fit(path, frame, width, height, fit)
            notes.append(f"size {frame.shape[1]}x{frame.shape[0]} -> {width}x{height}{how}")
        came += 1
        if came <= job.frames:
            last = _fitted(frame, width, height, fit)
            yield last
    if last is None or abs(came - job.frames) > FRAMES_FORGIVEN:
        raise BenchError(
            f"{path}: the method's video has {came} frames at {FPS} fps; {job.frames} were wanted, "
            f"and {FRAMES_FORGIVEN} more or fewer are conformed"
        )
    yield from itertools.repeat(last, max(job.frames - came, 0))
    notes += [note for note in (resampled.note, resampled.damage) if note]
    if came > job.frames:
        notes.append(f"last {came - job.frames} frames cut")
    if came < job.frames:
        notes.append(f"last frame repeated {job.frames - came} times")


def _is_of_shape(frame: Frame, width: int, height: int) -> bool:
    across, down = frame.shape[1] * height, frame.shape[0] * width
    return bool(abs(across - down) <= SHAPE_FORGIVEN * down)


def _checked_fit(path: Path, frame: Frame, width: int, height: int, fit: Fit) -> str:
    """How the note names what becomes of the picture; raises BenchError for another shape."""
    if _is_of_shape(frame, width, height):
        return ""
    if fit == "refuse":
        raise BenchError(
            f"{path}: the method's video is {frame.shape[1]}x{frame.shape[0]}, of another shape "
            f"than the face recording's {width}x{height}; make videos in the recording's shape, or "
            "say in the method's options what to do: fit: pad (black bars), crop (the middle) or "
            "stretch (which changes the faces)"
        )
    return {"stretch": ", stretched", "pad": ", with black bars", "crop": ", cut to its middle"}[
        fit
    ]


def _fitted(frame: Frame, width: int, height: int, fit: Fit) -> Frame:
    """The frame at (height, width): shape kept by bars or a cut where `fit` asks for it."""
    from bench import media

    if fit in ("refuse", "stretch") or _is_of_shape(frame, width, height):
        return media.resize(frame, width=width, height=height)
    rows, columns = frame.shape[:2]
    if fit == "crop":
        down, across = min(rows, columns * height / width), min(columns, rows * width / height)
        high, wide = max(1, round(down)), max(1, round(across))
        top, left = (rows - high) // 2, (columns - wide) // 2
        cut = np.ascontiguousarray(frame[top : top + high, left : left + wide])
        return media.resize(cut, width=width, height=height)
    scale = min(width / columns, height / rows)
    wide, high = max(1, round(columns * scale)), max(1, round(rows * scale))
    left, top = (width - wide) // 2, (height - high) // 2
    padded = np.zeros((height, width, 3), dtype=np.uint8)
    padded[top : top + high, left : left + wide] = media.resize(frame, width=wide, height=high)
    return padded


def _own_sound_notes(path: Path, job: Job) -> list[str]:
    from bench import media

    found = media.probe(path)
    wanted = job.frames / FPS
    if not found.has_sound:
        return ["the video had no sound, the case's was added"]
    if abs(found.sound_seconds - wanted) <= SOUND_FORGIVEN:
        return []
    return [f"own sound of {found.sound_seconds:.3f} s replaced by the case's of {wanted:.3f} s"]


def _checked_frames(frames: Iterable[Frame], job: Job) -> Iterator[Frame]:
    """The frames as they come, if type, size and count are the job's."""
    wanted = (*_size(job), 3)
    count = 0
    for frame in frames:
        if not isinstance(frame, np.ndarray):
            raise BenchError(
                f"the method returned a {type(frame).__name__} as frame {count}; "
                "expected an array (H, W, 3) uint8 RGB"
            )
        if frame.dtype != np.uint8 or frame.shape != wanted:
            raise BenchError(
                f"the method returned frame {count} as {frame.dtype} with shape {frame.shape}; "
                f"expected uint8 with shape {wanted}, the size of the face recording"
            )
        count += 1
        if count > job.frames:
            raise BenchError(f"the method returned more than the {job.frames} frames wanted")
        yield frame
    if count != job.frames:
        raise BenchError(f"the method returned {count} frames; {job.frames} were wanted")
