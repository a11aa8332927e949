"""Finds one face on every frame: by given boxes, by Haar cascade or by YuNet.

If a video shows several faces, an option chooses which one to track: the largest (the default), the
most central, or the one at a given box.

A face box reaches from the brows to the chin and from ear to ear: it is YuNet's box, to which
Haar's square is mapped. A mouth region has a fixed size relative to the face box. It is centred
between the corners of the mouth if the detector finds them (YuNet), else at a fixed place.

The constants below were fitted with YuNet's boxes and landmarks as truth on 406 frames (every 10th)
of 51 GRID clips of eight speakers, as means over speakers; the spread is over frames. Turned heads
move the mouth sideways by up to 0.06 of the box, in both directions, so the offset is taken as 0.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.contract.hookspecs import hookimpl
from bench.contract.plugins import Feature, Options
from bench.contract.video import Arrays, Video
from bench.features.computing import ChosenFeature, Features, chosen
from bench.features.store import FeatureStore
from bench.ground.errors import BenchError, NoFace
from bench.ground.types import Box, Frame, Frames, Track

if TYPE_CHECKING:
    import cv2

FACES_VERSION = (
    "3"  # raise it whenever a track may change; it enters every key that depends on tracks
)

DetectorName: TypeAlias = Literal["yunet", "haar"]
Choice: TypeAlias = Literal["largest", "central", "given"]
Sights: TypeAlias = Mapping[int, "Detection"]  # one face, by frame
Numbers: TypeAlias = NDArray[np.float64]
Corners: TypeAlias = tuple[float, float, float, float]  # x0, y0, x1, y1 in pixels

# Haar's square -> face box, in sides of the square (spread 0.018, 0.026, 0.050).
HAAR_CENTRE_Y = 0.010
HAAR_WIDTH = 0.751
HAAR_HEIGHT = 1.060
# Mouth in the face box: YuNet's corners lie 0.43 box widths apart, 0.245 box heights (spread 0.011)
# below the middle. The region is 1.45 mouths wide, and as high as an open jaw needs.
MOUTH_CENTRE_Y = 0.245
MOUTH_WIDTH = 0.62
MOUTH_HEIGHT = 0.42

STRIDE = 5  # every 5th frame is searched, 0.2 s apart; others only where that is not enough
STILL = 0.15  # between two searches, a face that moved or grew less (in sides) is interpolated
REACH = 0.5  # a face found again lies at most this far (in sides) from where it was,
REACH_PER_FRAME = 0.04  # plus this for each frame since,
REACH_LIMIT = 1.5  # up to this,
SIZE_RATIO = 1.6  # and is at most this many times larger or smaller
LEAST_SHARE = 0.1  # a face in fewer of the searched frames is taken for an error of the detector


@dataclass(frozen=True)
class Detection:
    """One face in one frame: box and, if the detector finds it, mouth region; both in pixels.

    score: the detector's confidence, on its own scale; comparable only within one detector.
    """

    box: Corners
    mouth: Corners | None
    score: float


class Detector(Protocol):
    """Finds faces in a frame. `name` enters the protocols of metrics that read faces."""

    @property
    def name(self) -> str:
        """As in configs: "yunet", "haar"."""

    def detect(self, frame: Frame) -> list[Detection]:
        """All faces of one frame (H, W, 3) uint8 RGB, in no particular order."""


class Yunet:
    """YuNet through `cv2.FaceDetectorYN`; weights `yunet` from `bench weights`.

    Frames are searched at 360 pixels on the longer side, and at 1080 if that shows no face.
    """

    name = "yunet"
    sides = (360, 1080)
    smallest = 0.04  # face width in shares of the frame's shorter side

    def __init__(self) -> None:
        import cv2

        from bench.files import weights

        path = str(weights.find("yunet"))
        self._network = cv2.FaceDetectorYN.create(path, "", (360, 360), 0.6, 0.3, 50)

    def detect(self, frame: Frame) -> list[Detection]:
        """All faces with a score of at least 0.6."""
        return _first_hit(frame, self.sides, self._detect_at)

    def _detect_at(self, frame: Frame, scale: float) -> list[Detection]:
        import cv2

        height, width = frame.shape[:2]
        self._network.setInputSize((width, height))
        _, rows = self._network.detect(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        if rows is None:
            return []
        least = self.smallest * min(height, width)
        return [_of_yunet(row, scale) for row in rows if row[2] >= least]


class Haar:
    """OpenCV's frontal face cascade (ships with OpenCV), its squares mapped to face boxes.

    Frames are searched at 256 pixels on the longer side, and at 480 if that shows no face; each
    time for large faces first, which takes half the time with the same results. Frames are extended
    at their edges: otherwise the square of a face that fills the frame has no room (found in 29
    instead of 28 of 29 frames of 224-pixel face crops, and 8 % closer to YuNet's width).
    """

    name = "haar"
    sides = (256, 480)
    smallest = (0.3, 0.16)  # side of the square in shares of the frame's shorter side
    clear = 1.2  # a face of so many times the smallest size has all its neighbours
    margin = 0.15  # by which the frame is extended, in shares of its shorter side
    least_score = 1.0  # sum of the last stage; faces of the development data have 1.7 to 13

    def __init__(self) -> None:
        _cascade()  # raises now, and not for every video, if it is missing

    def detect(self, frame: Frame) -> list[Detection]:
        """All faces that at least three neighbouring windows agree on."""
        return _first_hit(frame, self.sides, self._detect_at)

    def _detect_at(self, frame: Frame, scale: float) -> list[Detection]:
        import cv2

        shorter = min(frame.shape[:2])
        margin = round(self.margin * shorter)
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        wide = cv2.copyMakeBorder(grey, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
        for smallest in self.smallest:
            least = max(24, round(smallest * shorter))  # 24: the cascade's own window
            squares = self._squares(np.asarray(wide), least)
            # A square is the mean of its neighbours; near the smallest size some were not searched.
            if squares and min(side for *_, side, _ in squares) >= self.clear * least:
                break
        return [
            _of_haar((x - margin, y - margin, side), score, scale) for x, y, side, score in squares
        ]

    def _squares(self, grey: NDArray[np.uint8], least: int) -> list[tuple[int, int, int, float]]:
        """Left, top, side (at least `least` pixels) and score of the faces in grey (H, W)."""
        squares, _, scores = _cascade().detectMultiScale3(
            grey,
            scaleFactor=1.2,
            minNeighbors=3,
            minSize=(least, least),
            outputRejectLevels=True,
        )
        return [
            (int(x), int(y), int(side), float(score))
            for (x, y, side, _), score in zip(squares, np.ravel(scores), strict=True)
            if score >= self.least_score
        ]


_OF_THREAD = threading.local()


def _cascade() -> cv2.CascadeClassifier:
    """This thread's cascade: threads cannot share one, and reading it takes as long as 6 frames."""
    import cv2

    if not hasattr(_OF_THREAD, "cascade"):
        path = Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_default.xml"
        cascade = cv2.CascadeClassifier(str(path))
        if cascade.empty():
            raise BenchError(f"{path}: OpenCV's face cascade is missing; reinstall OpenCV 4")
        _OF_THREAD.cascade = cascade
    kept: cv2.CascadeClassifier = _OF_THREAD.cascade
    return kept


def detector(name: DetectorName) -> Detector:
    """The detector of that name, ready to use. Do not share it between threads.

    Raises BenchError if there is none of that name, or if its weights are missing.
    """
    if name == "yunet":
        return Yunet()
    if name == "haar":
        return Haar()
    raise BenchError(f"faces: {name!r} is no detector; use yunet or haar, or given for boxes")


def track_faces(
    frames: Frames,
    detector: Detector,
    *,
    stride: int = STRIDE,
    face: Choice = "largest",
    box: Box | None = None,
) -> Track:
    """The track of one face over frames (T, H, W, 3) uint8 RGB, boxes within the frame.

    Searches every `stride`-th frame and the last. If the face was not found in one of two
    neighbouring ones, or moved or grew by more than STILL, searches every frame between them.
    Detections that follow each other closely in place and size are one face. `face` chooses among
    several; each rule sums over the searched frames, which favours faces that stay:

    largest: score times size. central: 1 in the middle of the frame, 0 at its edges. given: the
    overlap of the face with `box` (x, y, width, height in pixels); without a box, the largest.

    found: True if the face was detected, or lies between two detections of a face that kept still.
    Elsewhere boxes are interpolated linearly; before the first and after the last detection they
    are constant. Smoothing: a median of three detections, then, after interpolation, a mean over
    five frames.

    Raises BenchError if there is no face in any frame, or none at the box.
    """
    rule = _rule(face, box, frames.shape[2], frames.shape[1])
    track = _follow(frames, _Looks(frames, detector), stride, rule)
    if track is None:
        raise _no_face(len(frames), detector.name, box if face == "given" else None)
    return track


def track_all_faces(frames: Frames, detector: Detector, *, stride: int = STRIDE) -> list[Track]:
    """The tracks of all lasting faces over frames (T, H, W, 3) uint8 RGB, the largest first.

    Each is tracked as by `track_faces`; no frame is searched twice.
    """
    looks = _Looks(frames, detector)
    seen = looks.at({*range(0, len(frames), stride), len(frames) - 1}) if len(frames) else {}
    tracks = []
    for sights in sorted(lasting_faces(seen), key=_largest, reverse=True):
        box = mean_box(sights)
        rule = _rule("given", box, frames.shape[2], frames.shape[1])
        if (track := _follow(frames, looks, stride, rule)) is not None:
            tracks.append(track)
    return tracks


def lasting_faces(seen: Mapping[int, Sequence[Detection]]) -> list[Sights]:
    """The faces that these detections belong to, each by frame, in no particular order.

    A face found in only one searched frame, or in less than LEAST_SHARE of them, is taken for an
    error of the detector, unless only one or two frames were searched.
    """
    least = max(2, LEAST_SHARE * len(seen)) if len(seen) > 2 else 1
    return [face for face in _linked(seen) if len(face) >= least]


def mean_box(sights: Sights) -> Box:
    """The mean box of a face over its detections: x, y, width, height in pixels."""
    x, y, width, height = np.mean([_middle_and_size(each) for each in sights.values()], axis=0)
    return (float(x - width / 2), float(y - height / 2), float(width), float(height))


def overlap(first: Box, second: Box) -> float:
    """Intersection over union of two boxes (x, y, width, height), 0 to 1."""
    return _overlap(_corners(first), _corners(second))


def shared(first: Box, second: Box) -> float:
    """The share of the smaller box (x, y, width, height) that lies in the other one, 0 to 1."""
    one, other = _corners(first), _corners(second)
    return _common(one, other) / min(_area(one), _area(other))


def given_track(box: Box, frames_count: int) -> Track:
    """The track of a face that stays in one given box (x, y, width, height in pixels)."""
    x, y, width, height = box
    values = np.array([[x + width / 2, y + height / 2, width, height, 0, 0]])  # (1, 6)
    values[:, 4:] = _usual_mouth(values[:, :4])
    boxes, mouths = _regions(np.repeat(values, frames_count, axis=0))
    return Track(boxes, mouths, np.ones(frames_count, dtype=np.bool_), "given")


def tracking(name: str, face: Choice) -> str:
    """A detector and a choice as protocols name them: `haar`, `haar central`."""
    return name if name == "given" or face == "largest" else f"{name} {face}"


class Faces(Feature):
    """The track of the one face that speaks: the boxes of face and mouth in each frame.

    A config sets its options by the keys `faces` and `face`. `Video.faces()` returns it as a Track.

    Reads: video (T, H, W, 3) uint8 RGB; the manifest's box, for detector or face "given".
    Gives: boxes, mouths, found and detector, the fields of bench.Track.
    Raises: Undefined if no frame shows a face. BenchError for detector "given" without a box, or
        with one whose middle lies outside the frame, and if weights are missing.
    Source: defined here; the detectors are YuNet and OpenCV's Haar cascade.
    """

    name, version = "faces", FACES_VERSION
    source = "defined here; the detectors are YuNet and OpenCV's frontal face cascade"
    reads = frozenset({"video"})
    arrays: ClassVar = {
        "boxes": "(T, 4) float32, x0 y0 x1 y1 in pixels, from the brows to the chin",
        "mouths": "(T, 4) float32, x0 y0 x1 y1 in pixels, with room for an open jaw",
        "found": "(T,) bool, False where the box is interpolated",
        "detector": "() text, the detector's name",
    }
    tried_on = "talkers"

    class Options(Options):
        """detector: what finds the faces. face: which of several is tracked."""

        detector: Literal["given", "haar", "yunet"] = "haar"
        face: Choice = "largest"

    options: Options

    @property
    def weights(self) -> tuple[str, ...]:
        """YuNet's, if it is the detector; the cascade ships with OpenCV."""
        return ("yunet",) if self.options.detector == "yunet" else ()

    @property
    def protocol(self) -> str:
        """The detector, and the choice if it is not the default."""
        return tracking(self.options.detector, self.options.face)

    def compute(self, video: Video) -> Arrays:
        """The track of one video."""
        name, face = self.options.detector, self.options.face
        if name == "given":
            return _given(video).arrays()
        # Without a box, only the size is left to choose by.
        pointer = video.box if face == "given" else None
        choice = "largest" if face == "given" and pointer is None else face
        return track_faces(video.read(), detector(name), face=choice, box=pointer).arrays()


def finding_faces(
    name: Literal["given", "haar", "yunet"],
    *,
    face: Choice = "largest",
    store: FeatureStore | None = None,
) -> Features:
    """Features for a `Video` of which only the face is read."""
    return Features({"faces": chosen_faces(name, face)}, store=store)


def chosen_faces(name: Literal["given", "haar", "yunet"], face: Choice) -> ChosenFeature:
    """The feature with these options, as a run chooses it."""
    feature = Faces(Faces.Options(detector=name, face=face))
    return chosen(feature, {}, reads_boxes="given" in (name, face))


def _given(video: Video) -> Track:
    if video.box is None:
        raise BenchError(
            "faces: given, but the manifest has no face box for this clip; "
            "fill in its box columns, or write faces: haar or faces: yunet"
        )
    count, height, width = video.read().shape[:3]
    x, y, box_width, box_height = video.box
    inside = 0 <= x + box_width / 2 < width and 0 <= y + box_height / 2 < height
    if not inside or min(box_width, box_height) < 1:
        raise BenchError(
            f"{video.path or 'video'}: the given face box {video.box} (x, y, width, height) does "
            f"not lie in the frame of {width}x{height} pixels; correct the box in the manifest"
        )
    track = given_track(video.box, count)
    boxes, mouths = (_within(each, width, height) for each in (track.boxes, track.mouths))
    return Track(boxes, mouths, track.found, "given")


def _no_face(count: int, name: str, box: Box | None = None) -> NoFace:
    if box is not None:
        return NoFace(
            f"no face found on the given box {box} (x, y, width, height) in any of the {count} "
            f"frames by {name}; correct the box in the manifest, or leave it empty"
        )
    return NoFace(
        f"no face found in any of the {count} frames by {name}; "
        "check the video, try the other detector (faces: yunet or haar), or give face boxes"
    )


def _first_hit(
    frame: Frame, sides: Sequence[int], detect_at: Callable[[Frame, float], list[Detection]]
) -> list[Detection]:
    """The detections at the first size that has any; no size exceeds the frame's."""
    import cv2

    longer = max(frame.shape[:2])
    for side in dict.fromkeys(min(side, longer) for side in sides):
        scale = side / longer
        size = (max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale)))
        small = frame if scale == 1 else cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        if detections := detect_at(np.asarray(small, dtype=np.uint8), scale):
            return detections
    return []


class _Looks:
    """A detector's findings in the frames, each searched at most once."""

    def __init__(self, frames: Frames, detector: Detector) -> None:
        self.name = detector.name
        self._frames = frames
        self._detector = detector
        self._seen: dict[int, list[Detection]] = {}
        self._last: int | None = None

    def at(self, indices: Collection[int]) -> dict[int, list[Detection]]:
        for index in sorted(indices):
            if index not in self._seen:
                self._seen[index] = self._detected(index)
        return {index: self._seen[index] for index in indices}

    def _detected(self, index: int) -> list[Detection]:
        """What the detector finds; frames like the last searched one show what that one shows."""
        last = self._last
        if last is None or not np.array_equal(self._frames[last], self._frames[index]):
            self._last = index
            return self._detector.detect(self._frames[index])
        return self._seen[last]


def _rule(face: Choice, box: Box | None, width: int, height: int) -> Callable[[Sights], float]:
    """How well a face fits the choice; 0 or less: not at all. width, height: the frame's."""
    if face == "central":
        return lambda sights: sum(_centrality(each, width, height) for each in sights.values())
    if face == "given" and box is not None:
        wanted = _corners(box)
        return lambda sights: sum(_overlap(each.box, wanted) for each in sights.values())
    return _largest


def _corners(box: Box) -> Corners:
    x, y, width, height = box
    return (x, y, x + width, y + height)


def _largest(sights: Sights) -> float:
    return sum(map(_weight, sights.values()))


def _centrality(detection: Detection, width: int, height: int) -> float:
    x, y, _, _ = _middle_and_size(detection)
    from_middle = float(np.hypot(2 * x / width - 1, 2 * y / height - 1))
    return max(1e-9, 1 - from_middle)  # a face in a corner is better than none


def _overlap(first: Corners, second: Corners) -> float:
    """Intersection over union, 0 to 1."""
    common = _common(first, second)
    return common / (_area(first) + _area(second) - common)


def _common(first: Corners, second: Corners) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return max(width, 0.0) * max(height, 0.0)


def _area(box: Corners) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _follow(
    frames: Frames, see: _Looks, stride: int, rule: Callable[[Sights], float]
) -> Track | None:
    """Like `track_faces`, but None if `rule` accepts no face."""
    count = len(frames)
    if not count:
        return None
    looks = sorted({*range(0, count, stride), count - 1})
    seen = see.at(looks)
    seen |= see.at(_doubtful(looks, _chosen(seen, rule)))
    face = _chosen(seen, rule)
    if not face:
        return None
    found = np.array([index in face for index in range(count)])  # (T,)
    for before, after in pairwise(looks):
        if before + 1 not in seen:
            found[before + 1 : after] = found[before] and found[after]
    boxes, mouths = _regions(_paths(face, count))
    height, width = frames.shape[1:3]
    return Track(_within(boxes, width, height), _within(mouths, width, height), found, see.name)


def _chosen(seen: Mapping[int, Sequence[Detection]], rule: Callable[[Sights], float]) -> Sights:
    """The detections of the one face to track, by frame; empty if there is none."""
    best = max(lasting_faces(seen), key=rule, default={})
    return best if best and rule(best) > 0 else {}


def _doubtful(looks: Sequence[int], face: Sights) -> list[int]:
    """The frames between two searched ones in which the face is missing, or moved too far."""
    return [
        index
        for before, after in pairwise(looks)
        if before not in face or after not in face or _moved(face[before], face[after])
        for index in range(before + 1, after)
    ]


def _moved(before: Detection, after: Detection) -> bool:
    step, growth = _change(before, after)
    return step > STILL or growth > 1 + STILL


def _change(before: Detection, after: Detection) -> tuple[float, float]:
    """How far the face's middle moved, in sides, and by what factor its size changed."""
    old, new = _middle_and_size(before), _middle_and_size(after)
    sides = float(np.sqrt(old[2] * old[3])), float(np.sqrt(new[2] * new[3]))
    step = float(np.hypot(*(new[:2] - old[:2]))) / (sum(sides) / 2)
    return step, max(sides) / min(sides)


def _linked(seen: Mapping[int, Sequence[Detection]]) -> list[dict[int, Detection]]:
    """Groups detections that follow each other closely in place and size."""
    faces: list[dict[int, Detection]] = []
    for index in sorted(seen):
        open_faces = list(faces)
        for detection in sorted(seen[index], key=_weight, reverse=True):
            face = _continued(open_faces, index, detection)
            if face is None:
                faces.append({index: detection})
                continue
            face[index] = detection
            open_faces = [other for other in open_faces if other is not face]
    return faces


def _continued(
    faces: Sequence[dict[int, Detection]], index: int, detection: Detection
) -> dict[int, Detection] | None:
    """The face that this detection continues: the nearest within reach, if any."""
    nearest, nearest_step = None, float("inf")
    for face in faces:
        last = max(face)
        step, growth = _change(face[last], detection)
        reach = min(REACH + REACH_PER_FRAME * (index - last), REACH_LIMIT)
        if step <= reach and growth <= SIZE_RATIO and step < nearest_step:
            nearest, nearest_step = face, step
    return nearest


def _weight(detection: Detection) -> float:
    _, _, width, height = _middle_and_size(detection)
    return float(detection.score * np.sqrt(width * height))


def _middle_and_size(detection: Detection) -> Numbers:
    x0, y0, x1, y1 = detection.box
    return np.array([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0])  # (4,)


def _paths(face: Sights, count: int) -> Numbers:
    """Middle and size of the box and middle of the mouth on every frame, smooth: (T, 6)."""
    indices = sorted(face)
    boxes = np.stack([_middle_and_size(face[index]) for index in indices])  # (K, 4)
    mouths = _usual_mouth(boxes)  # (K, 2)
    for row, index in enumerate(indices):
        if (mouth := face[index].mouth) is not None:
            mouths[row] = (mouth[0] + mouth[2]) / 2, (mouth[1] + mouth[3]) / 2
    sights = np.concatenate([boxes, mouths], axis=1)  # (K, 6)
    padded = np.pad(sights, ((1, 1), (0, 0)), mode="edge")
    steady = np.median([padded[:-2], padded[1:-1], padded[2:]], axis=0)  # (K, 6)
    frames = np.arange(count)
    paths = np.stack([np.interp(frames, indices, column) for column in steady.T], axis=1)  # (T, 6)
    padded = np.pad(paths, ((2, 2), (0, 0)), mode="edge")
    mean: Numbers = np.mean([padded[shift : shift + count] for shift in range(5)], axis=0)
    return mean  # (T, 6)


def _usual_mouth(boxes: Numbers) -> Numbers:
    """The usual middle of the mouth, (K, 2), if only the box is known, (K, 4)."""
    return boxes[:, :2] + boxes[:, 2:] * (0, MOUTH_CENTRE_Y)


def _regions(paths: Numbers) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Face boxes and mouth regions, (T, 4) each as x0 y0 x1 y1, from the (T, 6) of `_paths`."""
    size, mouth_size = paths[:, 2:4], paths[:, 2:4] * (MOUTH_WIDTH, MOUTH_HEIGHT)
    return _around(paths[:, :2], size), _around(paths[:, 4:], mouth_size)


def _around(middle: Numbers, size: Numbers) -> NDArray[np.float32]:
    return np.concatenate([middle - size / 2, middle + size / 2], axis=1).astype(np.float32)


def _within(boxes: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    """Boxes (T, 4) clipped to the frame, with sides of at least one pixel."""
    low = np.clip(boxes[:, :2], 0, (width - 1, height - 1))
    high = np.minimum(np.maximum(boxes[:, 2:], low + 1), (width, height))
    return np.concatenate([low, high], axis=1).astype(np.float32)


def _of_yunet(row: NDArray[np.float32], scale: float) -> Detection:
    """From YuNet's row: box as x y width height, five landmarks (the last two: mouth corners)."""
    x, y, width, height, *landmarks = (float(value) / scale for value in row[:14])
    mouth_x, mouth_y = (landmarks[6] + landmarks[8]) / 2, (landmarks[7] + landmarks[9]) / 2
    half_width, half_height = MOUTH_WIDTH * width / 2, MOUTH_HEIGHT * height / 2
    mouth = (
        mouth_x - half_width,
        mouth_y - half_height,
        mouth_x + half_width,
        mouth_y + half_height,
    )
    return Detection((x, y, x + width, y + height), mouth, float(row[14]))


def _of_haar(square: Sequence[int], score: float, scale: float) -> Detection:
    """From Haar's square, x y side side, which is mapped to our face box."""
    x, y, side = (float(value) / scale for value in square)
    middle_x, middle_y = x + side / 2, y + side * (0.5 + HAAR_CENTRE_Y)
    half_width, half_height = side * HAAR_WIDTH / 2, side * HAAR_HEIGHT / 2
    box = (
        middle_x - half_width,
        middle_y - half_height,
        middle_x + half_width,
        middle_y + half_height,
    )
    return Detection(box, None, score)


@hookimpl
def register_features() -> list[type[Feature]]:
    """Registers faces."""
    return [Faces]
