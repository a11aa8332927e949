"""Conforms what methods return: brings it into the one form that metrics read.

Frames given as arrays must have the face's size and the job's count, or those that the generation
names (`Generation.cut`, `made`; below, too). A file is brought to 25 fps by
its timestamps and to the face's size (area means or bicubic). Up to 5 frames too many are cut; up
to 5 missing ones are filled with the last frame; a larger difference is an error. So is another
aspect ratio (off by more than 2 %), unless the method says how to fit it (`Generation`). The sound
is always replaced by the job's speech, or by the sound that the method names.

Frames of a file that need none of this and that browsers play (H.264, VP9 or AV1, 8 bits, 4:2:0)
are copied bit by bit, out of any container. All others are encoded at crf 10 by x264's `ultrafast`:
on videos of the embedded corpora as faithful as crf 12 by `veryfast` (RGB PSNR 46.3 against 46.5
dB), in 0.3 of the time, with files 1.6 times as large. A note on a re-encoded file gives the reason
and the loss: the PSNR of the frames that are measured against the file's own. Arrays lose exactly
as much as the same frames in a lossless file.
"""

from __future__ import annotations

import itertools
import math
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from bench.contract.jobs import Generation, Job
from bench.data.conform import fitted_sound, has_form, length_notes
from bench.files.one_move import in_one_move
from bench.ground.errors import BenchError
from bench.ground.types import FPS, LONGEST, SAMPLES_PER_FRAME, Fit, Frame, Sound
from bench.run.output_form import OutputForm

OUTPUT_VERSION = "2"  # raise it when a rule or an encoder setting of outputs changes
OUTPUT_CRF, OUTPUT_PRESET = 10, "ultrafast"
FRAMES_FORGIVEN = 5  # how far a method's file may miss the count
SHAPE_FORGIVEN = 0.02  # how far width by height may be off: programs round sizes
SOUND_FORGIVEN = 0.1  # seconds; containers pad sound by a block or two
# What browsers play in an mp4: FFmpeg's names of decoders and of pixel formats.
PLAYED = frozenset({"h264", "vp9", "av1", "libdav1d"})
PLAYED_PIXELS = frozenset({"yuv420p", "yuvj420p"})


def conform_output(generation: Generation, job: Job, target: Path) -> tuple[str, ...]:
    """Writes a generated video to `target` in the one form; returns notes on what was changed.

    Raises BenchError, naming what was found and what was expected, if frames have another type,
    size or count than the job asks for, or if a file cannot be read, misses the count by more than
    5 frames, or has another aspect ratio and the generation refuses to fit it.
    """
    from bench import media

    form = OutputForm.of(generation, job)
    sound = job.speech if generation.sound is None else generation.sound
    exact = form.heard(fitted_sound(sound, job.frames))
    notes: list[str] = []
    if not isinstance(generation.video, Path):
        frames = form.even(_checked_frames(generation.video, form))
        media.write_video(target, frames, sound=exact, crf=OUTPUT_CRF, preset=OUTPUT_PRESET)
        return tuple(length_notes(sound, job.frames))
    path = generation.video
    notes += _own_sound_notes(path, len(form.made))
    if len(sound) == job.frames * SAMPLES_PER_FRAME and _has_frames(path, job, form):
        own = media.read_sound(path)
        if own is None or not np.array_equal(own, exact):
            media.replace_sound(path, target, exact)
        else:
            with in_one_move(target) as part:
                shutil.copyfile(path, part)
        return tuple(notes)
    reason = _reason_to_encode(path, form)
    if not reason:
        if _is_remuxed(path, target, exact):
            return (*notes, *length_notes(sound, job.frames))
        reason = "they cannot be copied into an mp4"
    frames = _file_frames(path, form, generation.fit, notes)
    media.write_video(target, frames, sound=exact, crf=OUTPUT_CRF, preset=OUTPUT_PRESET)
    again = _file_frames(path, form, generation.fit, [])
    loss = _psnr(again, media.iter_frames(target))
    cost = "without loss" if math.isinf(loss) else f"PSNR {loss:.1f} dB"
    notes.append(f"frames re-encoded because {reason}: {cost}")
    return (*notes, *length_notes(sound, job.frames))


def write_reference(form: OutputForm, job: Job, target: Path) -> None:
    """Writes the recording of the job's face in the form of a generated video, encoded alike."""
    from bench import media

    own = job.face.sound()
    sound = None if own is None else form.heard(own)
    media.write_video(
        target, form.shown(job.face), sound=sound, crf=OUTPUT_CRF, preset=OUTPUT_PRESET
    )


def _has_frames(path: Path, job: Job, form: OutputForm) -> bool:
    """Whether the file's frames need no change: they have the form, its size and its count."""
    from bench import media

    if path.suffix.lower() != ".mp4":
        return False
    found = media.probe(path)
    if not has_form(found) or (found.height, found.width) != form.size:
        return False
    if path == job.face.path:
        return len(job.face.read()) == len(form.made)
    resampled = media.Resampled(path, longest=_longest(form))
    frames = sum(1 for _ in resampled)
    return frames == len(form.made) and not resampled.note and not resampled.damage


def _reason_to_encode(path: Path, form: OutputForm) -> str:
    """Why the file's frames must be re-encoded; "" if they need not be."""
    from bench import media

    found = media.probe(path)
    if found.video_codec not in PLAYED or found.pixel_format not in PLAYED_PIXELS:
        return f"browsers do not play {found.video_codec} {found.pixel_format}"
    if (found.height, found.width) != form.size or found.rotation:
        return "their size differs"
    resampled = media.Resampled(path, longest=_longest(form))
    frames = sum(1 for _ in resampled)
    if resampled.note:
        return "their frame rate differs"
    if resampled.damage:
        return "not all of them decode"
    return "" if frames == len(form.made) else "their number differs"


def _is_remuxed(path: Path, target: Path, sound: Sound) -> bool:
    """Copies the coded frames of `path` to `target`, with this sound; False if that failed.

    The file's own coded sound is copied if it decodes to the same samples: encoding would change
    them.
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
            given is not None and kept is not None and np.array_equal(given, kept)
            for given, kept in pairs
        ):
            return True
    target.unlink(missing_ok=True)
    return False


def _psnr(given: Iterable[Frame], written: Iterable[Frame]) -> float:
    """The PSNR of two series of frames, dB, over all values of R, G and B; infinite if equal."""
    squares = values = 0
    for one, other in zip(given, written, strict=True):
        difference = one.astype(np.int32) - other
        squares += int(np.square(difference).sum(dtype=np.int64))
        values += difference.size
    return 10 * math.log10(255**2 * values / squares) if squares else math.inf


def _longest(form: OutputForm) -> float:
    """Seconds of a method's video that are read: enough to report a wrong length."""
    return max(LONGEST, 2 * form.asked / FPS)


def _file_frames(path: Path, form: OutputForm, fit: Fit, notes: list[str]) -> Iterator[Frame]:
    """The file's frames in the form's size and count; `notes` is complete after the last one."""
    from bench import media

    height, width = form.size
    wanted = len(form.made)
    resampled = media.Resampled(path, longest=_longest(form))
    count = 0
    last: Frame | None = None
    for frame in resampled:
        if count == 0 and frame.shape[:2] != (height, width):
            how = _checked_fit(path, frame, width, height, fit)
            notes.append(f"size {frame.shape[1]}x{frame.shape[0]} -> {width}x{height}{how}")
        count += 1
        if count <= wanted:
            last = _fitted(frame, width, height, fit)
            yield last
    if last is None or abs(count - wanted) > FRAMES_FORGIVEN:
        raise BenchError(
            f"{path}: the method's video has {count} frames at {FPS} fps; {wanted} were "
            f"wanted. At most {FRAMES_FORGIVEN} too many or too few are conformed."
        )
    yield from itertools.repeat(last, max(wanted - count, 0))
    notes += [note for note in (resampled.note, resampled.damage) if note]
    if count > wanted:
        notes.append(f"last {count - wanted} frames cut")
    if count < wanted:
        notes.append(f"last frame repeated {wanted - count} times")


def _is_of_shape(frame: Frame, width: int, height: int) -> bool:
    across, down = frame.shape[1] * height, frame.shape[0] * width
    return bool(abs(across - down) <= SHAPE_FORGIVEN * down)


def _checked_fit(path: Path, frame: Frame, width: int, height: int, fit: Fit) -> str:
    """What the note says about how the frame is fitted. Raises BenchError if that is refused."""
    if _is_of_shape(frame, width, height):
        return ""
    if fit == "refuse":
        raise BenchError(
            f"{path}: the method's video is {frame.shape[1]}x{frame.shape[0]}; its aspect ratio is "
            f"not that of the face clip, {width}x{height}; generate videos in the clip's aspect "
            "ratio, or set how to fit them (`fit` of the method's options, --fit of bench score): "
            "pad (black bars), crop (the middle) or stretch (which distorts the faces)"
        )
    return {"stretch": ", stretched", "pad": ", with black bars", "crop": ", cut to its middle"}[
        fit
    ]


def _fitted(frame: Frame, width: int, height: int, fit: Fit) -> Frame:
    """The frame at (height, width); `fit` decides whether bars or a cut keep its aspect ratio."""
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


def _own_sound_notes(path: Path, frames: int) -> list[str]:
    from bench import media

    found = media.probe(path)
    wanted = frames / FPS
    if not found.has_sound:
        return ["the video had no sound, the case's was added"]
    if abs(found.sound_seconds - wanted) <= SOUND_FORGIVEN:
        return []
    return [f"own sound of {found.sound_seconds:.3f} s replaced by the case's of {wanted:.3f} s"]


def _checked_frames(frames: Iterable[Frame], form: OutputForm) -> Iterator[Frame]:
    """Passes the frames on; raises BenchError if type, size or count are not the form's."""
    wanted = (form.height, form.width, 3)
    whose = "face clip" if form.cut is None else "cut"
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
                f"expected uint8 with shape {wanted}, the size of the {whose}"
            )
        count += 1
        if count > len(form.made):
            raise BenchError(f"the method returned more than the {len(form.made)} frames wanted")
        yield frame
    if count != len(form.made):
        raise BenchError(f"the method returned {count} frames; {len(form.made)} were wanted")
