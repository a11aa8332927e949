"""Examines clips before a run: what each file contains, and what is wrong with it.

A clip is decoded once, to its end. Frames are judged on a reduced copy (at most 384 pixels on the
longer side) in blocks of 16x16. The limits below were set on the 986 GRID clips of the development
data; the marked clips and the nearest unmarked ones were inspected one by one (docs/data.md).
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from bench.data.manifest import content_digest, has_content
from bench.files.one_move import in_one_move
from bench.files.paths import cache_dir
from bench.ground.errors import BenchError
from bench.ground.types import FPS, LONGEST, SAMPLE_RATE, Clip, Frame, Sound
from bench.machine.faults import raise_machine_fault

if TYPE_CHECKING:
    from bench.features.faces import Choice, Detection, Detector, Sights
    from bench.media import Probe, Traits

DOCTOR_VERSION = "2"  # raise it whenever findings may change; the cache of other versions is unused

LONGER_SIDE = 384  # pixels of a reduced frame
BLOCK = 16  # pixels, the side of a block
LOOK_EVERY = 5  # every 5th frame is searched for faces

FLAT_CONTRAST = 3.0  # grey levels, standard deviation; a frame below it has one colour
# A frame is pale, having lost most of its content, if its contrast is below PALE_CONTRAST and below
# PALE_SHARE of the clip's upper quartile.
PALE_CONTRAST = 20.0
PALE_SHARE = 0.45
# A frame repeats the one before if its blocks change by less than REPEAT_BLOCK grey levels, and all
# of it by less than REPEAT_MEAN, or REPEAT_USUAL of the clip's median change, if that is more.
REPEAT_MEAN, REPEAT_BLOCK = 0.1, 1.25
REPEAT_USUAL = 0.1
FROZEN_REPEATS = 2  # one frame shown three times; single repeats are common in captured video
LONG_FROZEN_SECONDS = 0.4
MANY_REPEATS = 0.08  # share of repeated frames that suggests conversion from a lower rate
CUT_CONTENT = 30.0  # mean change of hue, saturation and value: PySceneDetect 0.5.1's threshold
# A block jumps if it changes by JUMP_BLOCK grey levels more than just before and just after. The
# video jumps where the share of such blocks is at least JUMP_SHARE, and at least JUMP_TIMES the
# 95th percentile of that share over the clip, without its JUMPS_APART largest values.
JUMP_BLOCK = 15.0
JUMP_SHARE = 0.03
JUMP_TIMES = 12.0
JUMPS_APART = 3
SILENT_PEAK = 1  # of 32768
QUIET_DB = -55.0  # dB of full scale, root mean square of the whole sound
LENGTH_SECONDS, LONG_LENGTH_SECONDS = 0.1, 0.5  # sound longer or shorter than the video
FACE_SHARE = 0.9
OTHER_SHARE = 0.25  # share of frames with a second face, above which it is no passer-by
OTHER_HEIGHT = 0.3  # of the highest face; lower faces are in the background
SAME_PLACE = 0.5  # share of the smaller box inside the larger one: one face detected twice
SQUARE = 0.01  # tolerance for the pixels' aspect ratio, since programs round sizes
FACE_PIXELS = 50.0
SHORT_SECONDS = 1.0

OTHER_CONTENT = "the content differs from the manifest's sha256"

Severity: TypeAlias = Literal["error", "warning"]
_Number = TypeVar("_Number", np.uint8, np.float32)
Stretch: TypeAlias = tuple[int, int]  # first and last frame


@dataclass(frozen=True)
class Mark:
    """One thing that is wrong, in a short sentence: damage (error) or a peculiarity (warning)."""

    text: str
    severity: Severity


@dataclass(frozen=True)
class Findings:
    """What an examination found in one clip.

    fps, seconds: of the video. sound_db: root mean square, dB of full scale; None without sound.
    length_difference: by how many seconds the sound is longer than the video. face_share: the share
    of the searched frames that show a face; face_pixels: the median height of the largest face;
    faces: how many there are; all None where faces were not searched for. flat, frozen: stretches
    of frames. jumps: frames at which part of the image changes at once and then stays, as where
    damaged frames end. repeats: how many frames repeat the one before.
    """

    id: str
    fps: float = 0.0
    frames: int = 0
    seconds: float = 0.0
    width: int = 0
    height: int = 0
    decodes: bool = False
    has_sound: bool = False
    sound_db: float | None = None
    length_difference: float | None = None
    face_share: float | None = None
    face_pixels: float | None = None
    faces: int | None = None
    flat: tuple[Stretch, ...] = ()
    frozen: tuple[Stretch, ...] = ()
    cuts: tuple[int, ...] = ()
    jumps: tuple[int, ...] = ()
    repeats: int = 0
    found: tuple[Mark, ...] = ()

    @property
    def marks(self) -> tuple[str, ...]:
        """What is wrong, in short sentences; empty if nothing is."""
        return tuple(mark.text for mark in self.found)

    @property
    def severity(self) -> Severity | Literal["ok"]:
        """The worst of the marks."""
        if not self.found:
            return "ok"
        return "error" if any(mark.severity == "error" for mark in self.found) else "warning"

    def row(self) -> tuple[str, ...]:
        """Cells for a table: clip, fps, frames, size, sound, face, marks."""
        share = "" if self.face_share is None else f"{self.face_share:.0%}"
        pixels = "" if self.face_pixels is None else f"{self.face_pixels:.0f} px"
        face = ", ".join(filter(None, (share, pixels)))
        sound = "none" if self.sound_db is None else f"{self.sound_db:.0f} dB"
        size = f"{self.width}x{self.height}"
        marks = "; ".join(self.marks)
        return (self.id, f"{self.fps:.5g}", str(self.frames), size, sound, face, marks)


def examine(clip: Clip, *, detector: Detector | None = None, face: Choice = "largest") -> Findings:
    """What one clip contains and what is wrong with it; a bad file never raises.

    detector: searches every fifth frame for faces; without one the manifest's box is used, and
    without a box faces are not examined. face: which of several faces a run will follow.
    """
    marks: list[Mark] = []
    findings = Findings(clip.id)
    try:
        if not has_content(clip):
            marks.append(Mark(OTHER_CONTENT, "error"))
        findings = _video(clip, detector, face, marks)
    except BenchError as error:
        raise_machine_fault(error)  # else it would be cached as the clip's mark
        marks.append(Mark(f"unreadable: {_reason(error, clip)}", "error"))
    findings = _with_sound(clip, findings, marks)
    return dataclasses.replace(findings, found=tuple(marks))


def examine_all(
    clips: Sequence[Clip],
    *,
    faces: Literal["given", "haar", "yunet"] = "haar",
    face: Choice = "largest",
    workers: int = 2,
) -> Iterator[Findings]:
    """The findings of all clips in order, each as soon as it is known.

    faces: the detector; "given" uses the manifest's boxes. face: which of several faces a run will
    follow. Raises BenchError where a detector's weights are missing.
    """
    local = threading.local()  # OpenCV's detectors must not be shared by threads

    def examine_one(clip: Clip) -> Findings:
        if not hasattr(local, "detector"):
            local.detector = _detector(faces)
        return examine(clip, detector=local.detector, face=face)

    _detector(faces)  # raises once for missing weights, not once for each clip
    pool = ThreadPoolExecutor(max(1, workers))
    try:
        yield from pool.map(examine_one, clips)
    finally:
        pool.shutdown(cancel_futures=True)


def marks_of(clips: Sequence[Clip], *, workers: int = 2) -> dict[str, list[str]]:
    """The marks of the clips that have any, by id; faces are not searched for.

    Marks are cached by the content's digest, so a second call only reads them.
    """

    def look(clip: Clip) -> list[str]:
        try:
            name, is_right = content_digest(clip), has_content(clip)
        except BenchError as error:
            raise_machine_fault(error)
            return [f"unreadable: {_reason(error, clip)}"]
        # This mark depends on the manifest, not on the content, so it is not cached.
        other = [] if is_right else [OTHER_CONTENT]
        kept = cache_dir() / "doctor" / DOCTOR_VERSION / name[:2] / f"{name[2:]}.json"
        with contextlib.suppress(OSError, ValueError):
            return other + [str(text) for text in json.loads(kept.read_text(encoding="utf-8"))]
        marks = list(examine(dataclasses.replace(clip, box=None, sha256="")).marks)
        # A missing cache only costs time.
        with contextlib.suppress(OSError), in_one_move(kept, lasting=False) as part:
            part.write_text(json.dumps(marks), encoding="utf-8")
        return other + marks

    with ThreadPoolExecutor(max(1, workers)) as pool:
        found = pool.map(look, clips)
        return {clip.id: marks for clip, marks in zip(clips, found, strict=True) if marks}


def _video(clip: Clip, detector: Detector | None, face: Choice, marks: list[Mark]) -> Findings:
    """Everything but the sound; adds to `marks`."""
    from bench import media

    probe = media.probe(clip.video)
    stored = media.StoredFrames(clip.video)
    statistics = _FrameStatistics()
    seen: dict[int, list[Detection]] = {}
    times: list[float] = []
    for number, (time, frame) in enumerate(stored):
        times.append(time)
        statistics.add(frame)
        if detector is not None and number % LOOK_EVERY == 0:
            seen[number] = detector.detect(frame)
    count = statistics.count
    if count == 0:
        raise BenchError(f"no frame decodes; {stored.note or 'the track is empty'}")
    if stored.note.startswith("the first") and "," not in stored.note:
        marks.append(Mark(stored.note, "error"))
    elif stored.note:
        marks.append(Mark(f"does not decode to its end: {stored.note}", "error"))
    marks += [Mark(note, "warning") for note in _tracks(clip, probe)]
    late = sum(late <= early for early, late in itertools.pairwise(times))
    if late:
        marks.append(Mark(f"{late} frames are not later than the frame before", "error"))
    step = (times[-1] - times[0]) / (count - 1) if count > 1 else 1 / (probe.fps or FPS)
    seconds = times[-1] - times[0] + step
    if seconds > LONGEST:
        text = f"{seconds:.0f} s long; at most {LONGEST:.0f} s are read unless `longest` is raised"
        marks.append(Mark(text, "error"))
    if seconds < SHORT_SECONDS:
        marks.append(Mark(f"short: {count} frames, {seconds:.2f} s", "warning"))
    if not probe.constant_rate:
        marks.append(Mark("the frame rate varies", "warning"))
    marks += _trait_marks(media.traits(clip.video))
    findings = Findings(
        clip.id,
        fps=probe.fps,
        frames=count,
        seconds=seconds,
        width=statistics.width,
        height=statistics.height,
        decodes=not stored.note,
        flat=statistics.flat(),
        frozen=statistics.frozen(),
        cuts=statistics.cuts(),
        jumps=statistics.jumps(),
        repeats=int(statistics.repeated().sum()),
    )
    marks += _frame_marks(findings)
    if detector is not None:
        findings = _with_face(findings, seen, marks)
        return _with_others(findings, seen, clip, face, marks)
    if clip.box is not None:
        return dataclasses.replace(findings, face_pixels=clip.box[3])
    return findings


def _frame_marks(found: Findings) -> list[Mark]:
    marks = [Mark(f"flat {_frames(stretch)}", "error") for stretch in found.flat]
    for first, last in found.frozen:
        is_long = last - first >= LONG_FROZEN_SECONDS * (found.fps or FPS)
        marks.append(Mark(f"frozen {_frames((first, last))}", "error" if is_long else "warning"))
    in_frozen = sum(last - first for first, last in found.frozen)
    if found.repeats - in_frozen >= max(MANY_REPEATS * found.frames, 3):
        text = f"{found.repeats} of {found.frames} frames repeat the one before"
        marks.append(Mark(text, "warning"))
    if found.cuts:
        marks.append(Mark(f"cut at {_listed(found.cuts)}", "warning"))
    if found.jumps:
        marks.append(Mark(f"the video jumps at {_listed(found.jumps)}", "warning"))
    return marks


def _trait_marks(traits: Traits) -> list[Mark]:
    marks = []
    if traits.interlaced:
        text = "interlaced: each frame holds two moments in alternate lines; deinterlace it"
        marks.append(Mark(text, "warning"))
    if abs(traits.pixel_shape - 1) > SQUARE:
        shape = f"{traits.pixel_shape.numerator}:{traits.pixel_shape.denominator}"
        text = f"the pixels are not square ({shape}), faces appear distorted; rescale it"
        marks.append(Mark(text, "warning"))
    if traits.hdr:
        text = f"high dynamic range ({traits.hdr}), read as if it were standard; convert it"
        marks.append(Mark(text, "warning"))
    return marks


def _with_face(
    findings: Findings, seen: Mapping[int, Sequence[Detection]], marks: list[Mark]
) -> Findings:
    heights = [max(_height(face) for face in faces) for faces in seen.values() if faces]
    share = len(heights) / len(seen)
    if not heights:
        marks.append(Mark("no face found", "error"))
        return dataclasses.replace(findings, face_share=0.0, faces=0)
    if share < FACE_SHARE:
        marks.append(Mark(f"a face in only {share:.0%} of the frames", "warning"))
    pixels = float(np.median(heights))
    if pixels < FACE_PIXELS:
        marks.append(Mark(f"small face: {pixels:.0f} pixels high", "warning"))
    return dataclasses.replace(findings, face_share=share, face_pixels=pixels)


def _with_others(
    findings: Findings,
    seen: Mapping[int, Sequence[Detection]],
    clip: Clip,
    face: Choice,
    marks: list[Mark],
) -> Findings:
    """Counts the lasting faces; marks clips where the face to follow is unclear or wrong."""
    from bench.features.faces import lasting_faces, mean_box, overlap

    box = clip.box if face == "given" else None
    lasting = [face for face in lasting_faces(seen) if len(face) >= OTHER_SHARE * len(seen)]
    sights = [mean_box({number: sight}) for each in lasting for number, sight in each.items()]
    if box is not None and not any(overlap(sight, box) for sight in sights):
        marks.append(Mark("no face on the manifest's box", "error"))
    distinct = _distinct(lasting)
    if len(distinct) > 1 and box is None:
        both = sum(sum(number in each for each in distinct) > 1 for number in seen) / len(seen)
        followed = "no box says which to follow" if face == "given" else f"the {face} is followed"
        text = f"{len(distinct)} faces, two or more in {both:.0%} of the frames; {followed}"
        marks.append(Mark(text, "warning"))
    return dataclasses.replace(findings, faces=max(len(distinct), 1 if findings.face_share else 0))


def _distinct(faces: Sequence[Sights]) -> list[Sights]:
    """The faces, the most often seen first, without duplicates and those in the background."""
    from bench.features.faces import mean_box, shared

    least = OTHER_HEIGHT * max((mean_box(face)[3] for face in faces), default=0.0)
    near = [face for face in faces if mean_box(face)[3] >= least]
    kept: list[Sights] = []
    for face in sorted(near, key=len, reverse=True):
        if all(shared(mean_box(face), mean_box(other)) < SAME_PLACE for other in kept):
            kept.append(face)
    return kept


def _with_sound(clip: Clip, findings: Findings, marks: list[Mark]) -> Findings:
    from bench import media

    try:
        sound = media.read_sound(clip.audio or clip.video)
    except BenchError as error:
        raise_machine_fault(error)
        if clip.audio is not None or findings.frames:  # else the file already has a mark
            marks.append(Mark(f"unreadable sound: {_reason(error, clip)}", "error"))
        return findings
    if sound is None or len(sound) == 0:
        if findings.frames:
            marks.append(Mark("no sound", "error"))
        return findings
    loudness = _loudness(sound)
    if _is_silent(sound):
        marks.append(Mark(_silence(clip), "error"))
    elif loudness < QUIET_DB:
        marks.append(Mark(f"the sound is very quiet ({loudness:.0f} dB)", "warning"))
    findings = dataclasses.replace(findings, has_sound=True, sound_db=loudness)
    if not findings.frames:
        return findings
    longer = len(sound) / SAMPLE_RATE - findings.seconds
    if abs(longer) > LENGTH_SECONDS:
        word = "longer" if longer > 0 else "shorter"
        is_error = abs(longer) > LONG_LENGTH_SECONDS
        text = f"the sound is {abs(longer):.2f} s {word} than the video"
        marks.append(Mark(text, "error" if is_error else "warning"))
    return dataclasses.replace(findings, length_difference=longer)


def _tracks(clip: Clip, probe: Probe) -> list[str]:
    """Which of several tracks are read, in the video and in the file of the sound."""
    from bench import media

    if clip.audio is None:
        return probe.track_notes
    notes = dataclasses.replace(probe, sound_tracks=0).track_notes
    with contextlib.suppress(BenchError):  # _with_sound marks an unreadable file
        notes += dataclasses.replace(media.probe(clip.audio), video_tracks=0).track_notes
    return notes


def _silence(clip: Clip) -> str:
    """The mark of a silent sound, which names a track of the file that is not silent, if any."""
    from bench import media

    path = clip.audio or clip.video
    probe = media.probe(path)
    for track in range(probe.sound_tracks):
        if track == probe.sound_track:
            continue
        with contextlib.suppress(BenchError):
            other = media.read_sound(path, track=track)
            if other is not None and len(other) and not _is_silent(other):
                return (
                    f"the sound is silent; track {track + 1} of the file is not: flag it as default"
                )
    return "the sound is silent"


def _is_silent(sound: Sound) -> bool:
    return int(np.abs(sound.astype(np.int32)).max()) <= SILENT_PEAK


class _FrameStatistics:
    """A few numbers of each frame, collected frame by frame, so memory stays small."""

    def __init__(self) -> None:
        self.count = 0
        self.width = 0
        self.height = 0
        self._contrast: list[float] = []  # standard deviation of each frame's grey levels
        self._content: list[float] = []  # mean change of hue, saturation, value to the next frame
        self._change: list[tuple[float, float]] = []  # of grey levels: mean, largest block
        self._blocks: list[NDArray[np.uint8]] = []  # (H/16, W/16), the colour that changes most
        self._last: tuple[Frame, NDArray[np.uint8], NDArray[np.int16]] | None = None

    def add(self, frame: Frame) -> None:
        """Adds the next frame, (H, W, 3) uint8 RGB."""
        import cv2

        self.count += 1
        self.height, self.width = frame.shape[:2]
        small = _reduced(frame)  # (h, w, 3)
        grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)  # (h, w)
        hsv = _hsv(small)  # (h / 4, w / 4, 3)
        self._contrast.append(float(grey.std()))
        if self._last is not None:
            last_small, last_grey, last_hsv = self._last
            change = cv2.absdiff(grey, last_grey).astype(np.float32)
            self._change.append((float(change.mean()), float(_block_means(change).max())))
            self._content.append(float(np.abs(hsv - last_hsv).mean()))
            colours = _block_means(
                np.asarray(cv2.absdiff(small, last_small), np.uint8)
            )  # (h / 16, w / 16, 3)
            self._blocks.append(np.asarray(colours.max(axis=2), np.uint8))
        self._last = (small, grey, hsv)

    def flat(self) -> tuple[Stretch, ...]:
        """Stretches of one colour, or with far less contrast than most of the clip."""
        return _stretches(self._is_flat())

    def repeated(self) -> NDArray[np.bool_]:
        """(T,) whether a frame repeats the one before, apart from coding noise.

        Flat frames do not count: they have a mark of their own.
        """
        change = np.array(self._change, np.float32).reshape(-1, 2)
        usual = float(np.median(change[:, 0])) if len(change) else 0.0
        is_still = change[:, 0] < max(REPEAT_MEAN, REPEAT_USUAL * usual)
        repeats = is_still & (change[:, 1] < REPEAT_BLOCK)
        return np.concatenate([[False], repeats]) & ~self._is_flat()

    def frozen(self) -> tuple[Stretch, ...]:
        """Stretches of the same frame."""
        runs = _stretches(self.repeated())
        return tuple(
            (first - 1, last) for first, last in runs if last - first + 1 >= FROZEN_REPEATS
        )

    def cuts(self) -> tuple[int, ...]:
        """The first frames of new scenes; ends of flat stretches do not count."""
        flat = self._is_flat()
        found = (np.array(self._content) >= CUT_CONTENT).nonzero()[0] + 1
        return tuple(int(frame) for frame in found if not flat[frame] and not flat[frame - 1])

    def jumps(self) -> tuple[int, ...]:
        """Frames at which many blocks change at once, but not just before or after.

        Motion lasts longer than one frame; where fast motion is usual (a face that fills the
        frame), a jump must exceed it. Cuts and ends of flat and frozen stretches have marks of
        their own. Repeated frames are removed first: in a video converted from a lower rate
        everything moves in single steps.
        """
        moves = ~self.repeated()[1:]
        blocks = np.array(self._blocks, np.float32)[moves]  # (changes, h / 16, w / 16)
        if len(blocks) < 2 + 2 * JUMPS_APART:
            return ()
        alone = blocks[1:-1] - np.maximum(blocks[:-2], blocks[2:])
        share = (alone > JUMP_BLOCK).mean(axis=(1, 2))
        usual = float(np.percentile(np.sort(share)[:-JUMPS_APART], 95))
        least = max(JUMP_SHARE, JUMP_TIMES * usual)
        frames = (moves.nonzero()[0] + 1)[1:-1][share >= least]
        flat = self._is_flat()
        known = {*self.cuts(), *(last + 1 for _, last in self.frozen())}
        return tuple(
            int(frame)
            for frame in frames
            if frame not in known and not flat[frame] and not flat[frame - 1]
        )

    def _is_flat(self) -> NDArray[np.bool_]:
        contrast = np.array(self._contrast)  # (T,)
        own = float(np.percentile(contrast, 75))
        is_pale = (contrast < PALE_CONTRAST) & (contrast < PALE_SHARE * own)
        return np.asarray((contrast < FLAT_CONTRAST) | is_pale, np.bool_)


def _reduced(frame: Frame) -> Frame:
    """The frame, at most 384 pixels on the longer side, cropped to whole blocks."""
    import cv2

    height, width = frame.shape[:2]
    scale = min(1.0, LONGER_SIDE / max(height, width))
    wanted = [max(1, round(side * scale)) for side in (width, height)]
    size = [side // BLOCK * BLOCK if side >= BLOCK else side for side in wanted]
    if scale == 1.0:
        return np.ascontiguousarray(frame[: size[1], : size[0]])
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


def _hsv(small: Frame) -> NDArray[np.int16]:
    import cv2

    size = [max(1, small.shape[1] // 4), max(1, small.shape[0] // 4)]
    tiny = cv2.resize(small, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(tiny, cv2.COLOR_RGB2HSV), np.int16)


def _block_means(values: NDArray[_Number]) -> NDArray[_Number]:
    """(h, w, ...) -> (h / 16, w / 16, ...); an array smaller than a block is one block."""
    import cv2

    size = [max(1, values.shape[1] // BLOCK), max(1, values.shape[0] // BLOCK)]
    means = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    return means.astype(values.dtype)


def _height(face: Detection) -> float:
    return face.box[3] - face.box[1]


def _detector(faces: Literal["given", "haar", "yunet"]) -> Detector | None:
    if faces == "given":
        return None
    from bench.features.faces import detector

    return detector(faces)


def _loudness(sound: Sound) -> float:
    """Root mean square in dB of full scale; -120 for digital silence."""
    power = float(np.mean((sound.astype(np.float64) / 32768) ** 2))
    return max(-120.0, 10 * float(np.log10(max(power, 1e-12))))


def _stretches(is_in: NDArray[np.bool_]) -> tuple[Stretch, ...]:
    edges = np.diff(np.concatenate([[0], is_in.astype(np.int8), [0]]))
    starts, ends = (edges == 1).nonzero()[0], (edges == -1).nonzero()[0] - 1
    return tuple((int(first), int(last)) for first, last in zip(starts, ends, strict=True))


def _frames(stretch: Stretch) -> str:
    first, last = stretch
    return f"frame {first}" if first == last else f"frames {first}-{last}"


def _listed(frames: Sequence[int], shown: int = 5) -> str:
    word = "frame" if len(frames) == 1 else "frames"
    more = f" and {len(frames) - shown} more" if len(frames) > shown else ""
    return f"{word} {', '.join(map(str, frames[:shown]))}{more}"


def _reason(error: BenchError, clip: Clip) -> str:
    """The error's message with file names in place of paths."""
    text = str(error)
    for file in (clip.video, clip.audio):
        if file is not None:
            text = text.removeprefix(f"{file}: ").replace(str(file), file.name)
    return text
