"""Face tracking: its logic with a detector that is told what to see, real detectors on GRID."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from bench import BenchError, Frame, Frames, Track, Video
from bench.features import faces
from bench.features.faces import Corners, Detection
from bench.features.store import FeatureStore
from bench.ground.errors import NoFace
from bench.ground.types import Box


class Seer:
    """Sees in frame i what `sights[i]` holds; frames carry their number in the first pixel."""

    name = "seer"

    def __init__(self, sights: Sequence[Sequence[Detection]]) -> None:
        self.sights = sights
        self.looks: list[int] = []

    def detect(self, frame: Frame) -> list[Detection]:
        index = int(frame[0, 0, 0])
        self.looks.append(index)
        return list(self.sights[index])


def numbered(count: int, *, height: int = 200, width: int = 300) -> Frames:
    frames = np.zeros((count, height, width, 3), dtype=np.uint8)
    frames[:, 0, 0, 0] = np.arange(count)
    return frames


def face(
    x: float, y: float, *, width: float = 40, height: float = 50, score: float = 1
) -> Detection:
    return Detection((x - width / 2, y - height / 2, x + width / 2, y + height / 2), None, score)


def middles(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def overlap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes (T, 4), (T, 4): (T,)."""
    sides = np.minimum(first[:, 2:], second[:, 2:]) - np.maximum(first[:, :2], second[:, :2])
    common = np.prod(np.clip(sides, 0, None), axis=1)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (first, second)]
    return common / (areas[0] + areas[1] - common)


def test_a_face_that_stands_still_is_looked_at_on_every_fifth_frame_and_found_on_all() -> None:
    seer = Seer([[face(100, 80)]] * 23)
    track = faces.track_faces(numbered(23), seer)
    assert seer.looks == [0, 5, 10, 15, 20, 22]
    assert track.found.all()
    assert track.detector == "seer"
    assert track.boxes.dtype == track.mouths.dtype == np.float32
    np.testing.assert_allclose(track.boxes, np.tile([80, 55, 120, 105], (23, 1)))


def test_the_mouth_of_a_bare_box_lies_at_the_calibrated_place() -> None:
    track = faces.track_faces(numbered(3), Seer([[face(100, 80, width=100, height=100)]] * 3))
    np.testing.assert_allclose(track.mouths[0], [69, 83.5, 131, 125.5])


def test_the_mouth_follows_the_corners_where_the_detector_sees_them() -> None:
    seen = Detection((50, 30, 150, 130), (60, 100, 100, 110), 1)
    track = faces.track_faces(numbered(3), Seer([[seen]] * 3))
    np.testing.assert_allclose(track.mouths[0], [49, 84, 111, 126])


def test_a_moving_face_is_followed_closely_and_looked_at_on_every_frame() -> None:
    sights = [[face(60 + 3 * index, 80)] for index in range(40)]
    seer = Seer(sights)
    track = faces.track_faces(numbered(40), seer)
    assert sorted(seer.looks) == list(range(40))
    assert track.found.all()
    wanted = [60 + 3 * index for index in range(40)]
    np.testing.assert_allclose(middles(track.boxes)[2:-2, 0], wanted[2:-2], atol=0.6)


def test_a_gap_is_not_found_and_its_boxes_lie_on_the_line_between_its_ends() -> None:
    sights = [[face(100, 80)] for _ in range(41)]
    for index in range(12, 28):
        sights[index] = []
    for index in range(28, 41):
        sights[index] = [face(116, 80)]
    track = faces.track_faces(numbered(41), Seer(sights))
    assert np.flatnonzero(~track.found).tolist() == list(range(12, 28))
    assert track.missing == pytest.approx(16 / 41)
    x = middles(track.boxes)[:, 0]
    line = np.interp(np.arange(41), [11, 28], [100, 116])
    np.testing.assert_allclose(x[14:26], line[14:26], atol=0.001)


def test_a_face_that_leaves_stays_where_it_was_and_is_not_found() -> None:
    sights = [[face(100, 80)] if index < 18 else [] for index in range(40)]
    track = faces.track_faces(numbered(40), Seer(sights))
    assert np.flatnonzero(track.found).tolist() == list(range(18))
    np.testing.assert_allclose(track.boxes[-1], track.boxes[0])


def test_a_face_that_comes_late_is_not_found_before() -> None:
    sights = [[face(100, 80)] if index >= 7 else [] for index in range(30)]
    track = faces.track_faces(numbered(30), Seer(sights))
    assert np.flatnonzero(~track.found).tolist() == list(range(7))


def test_the_larger_of_two_faces_is_followed_whatever_the_order_of_detections() -> None:
    small, large = face(220, 60), face(100, 80, width=60, height=75)
    sights = [[small, large] if index % 2 else [large, small] for index in range(20)]
    track = faces.track_faces(numbered(20), Seer(sights))
    np.testing.assert_allclose(middles(track.boxes), np.tile([100, 80], (20, 1)))


def test_a_lasting_face_beats_a_larger_one_that_passes() -> None:
    lasting = [face(220, 60)]
    sights = [
        [*lasting, *([face(90, 80, width=70, height=80)] * (index < 6))] for index in range(40)
    ]
    track = faces.track_faces(numbered(40), Seer(sights))
    assert track.found.all()
    np.testing.assert_allclose(middles(track.boxes), np.tile([220, 60], (40, 1)))


TWO = [face(60, 60, width=60, height=75), face(160, 100)]  # the smaller one in the middle


@pytest.mark.parametrize(
    ("choice", "box", "expected"),
    [
        ("largest", None, (60, 60)),
        ("largest", (150.0, 80.0, 30.0, 40.0), (60, 60)),
        ("central", None, (160, 100)),
        ("given", (150.0, 80.0, 30.0, 40.0), (160, 100)),
        ("given", (50.0, 40.0, 30.0, 40.0), (60, 60)),
        ("given", None, (60, 60)),
    ],
)
def test_a_choice_says_which_of_two_faces_is_followed(
    choice: faces.Choice, box: Box | None, expected: tuple[int, int]
) -> None:
    sights = [TWO if index % 2 else TWO[::-1] for index in range(20)]
    track = faces.track_faces(numbered(20), Seer(sights), face=choice, box=box)
    np.testing.assert_allclose(middles(track.boxes), np.tile(expected, (20, 1)))
    assert track.found.all()


def test_a_lasting_face_beats_a_more_central_one_that_passes() -> None:
    sights = [[face(90, 80), *([face(150, 100)] * (index < 6))] for index in range(40)]
    track = faces.track_faces(numbered(40), Seer(sights), face="central")
    np.testing.assert_allclose(middles(track.boxes), np.tile([90, 80], (40, 1)))


def test_a_given_box_follows_its_face_when_it_moves() -> None:
    sights = [[face(60 + 2 * index, 80), face(250, 80, width=60)] for index in range(40)]
    box = (40.0, 55.0, 40.0, 50.0)  # as drawn on the first frame
    track = faces.track_faces(numbered(40), Seer(sights), face="given", box=box)
    assert middles(track.boxes)[-3, 0] == pytest.approx(60 + 2 * 37, abs=0.6)


def test_a_box_with_no_face_on_it_is_told() -> None:
    seer = Seer([[face(100, 80)]] * 10)
    with pytest.raises(NoFace, match=r"no face found on the given box \(200"):
        faces.track_faces(numbered(10), seer, face="given", box=(200.0, 150.0, 40.0, 40.0))


def test_all_faces_are_tracked_and_no_frame_is_looked_at_twice() -> None:
    seer = Seer([[*TWO, face(250, 180)] if index == 5 else TWO for index in range(20)])
    tracks = faces.track_all_faces(numbered(20), seer)
    assert [tuple(middles(track.boxes)[0]) for track in tracks] == [(60, 60), (160, 100)]
    assert len(seer.looks) == len(set(seer.looks))


def test_tracks_of_different_choices_are_kept_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faces, "detector", lambda _name: Seer([TWO] * 10))

    def middle(choice: faces.Choice, box: Box | None = None) -> list[float]:
        video = digested(10)
        video.features = faces.finding_faces("haar", face=choice, store=FeatureStore(tmp_path))
        video.box = box
        track = video.faces()
        return [float(edge) for edge in middles(track.boxes)[0]]

    for _ in range(2):  # made, then read again
        assert middle("largest") == [60, 60]
        assert middle("largest", (150.0, 80.0, 30.0, 40.0)) == [60, 60]
        assert middle("central") == [160, 100]
        assert middle("given", (150.0, 80.0, 30.0, 40.0)) == [160, 100]
        assert middle("given", (50.0, 40.0, 30.0, 40.0)) == [60, 60]
        assert middle("given") == [60, 60]
    assert len(kept(tmp_path)) == 5  # of "given" one for each box, and one without


def test_faces_that_cross_keep_their_identity_by_size() -> None:
    sights = [
        [
            face(60 + 4 * index, 80, width=60, height=75),
            face(240 - 4 * index, 80, width=30, height=37),
        ]
        for index in range(40)
    ]
    track = faces.track_faces(numbered(40), Seer(sights))
    assert (np.diff(middles(track.boxes)[:, 0]) > 0).all()


def test_one_wild_detection_does_not_move_the_track() -> None:
    sights = [[face(100, 80)] for _ in range(31)]
    sights[15] = [face(112, 92)]
    track = faces.track_faces(numbered(31), Seer(sights))
    np.testing.assert_allclose(middles(track.boxes), np.tile([100, 80], (31, 1)), atol=0.01)


def test_a_single_sight_among_many_looks_is_no_face() -> None:
    sights: list[list[Detection]] = [[] for _ in range(40)]
    sights[10] = [face(100, 80)]
    with pytest.raises(BenchError, match="no face found in any of the 40 frames by seer"):
        faces.track_faces(numbered(40), Seer(sights))


def test_a_video_without_a_face_is_searched_to_the_end_before_it_is_given_up() -> None:
    seer = Seer([[]] * 12)
    with pytest.raises(BenchError, match="no face found in any of the 12 frames"):
        faces.track_faces(numbered(12), seer)
    assert sorted(seer.looks) == list(range(12))


def test_a_video_without_frames_has_no_face() -> None:
    with pytest.raises(BenchError, match="any of the 0 frames"):
        faces.track_faces(numbered(0), Seer([]))


@pytest.mark.parametrize("count", [1, 2])
def test_a_face_in_one_or_two_frames_is_a_track(count: int) -> None:
    track = faces.track_faces(numbered(count), Seer([[face(100, 80)]] * count))
    assert track.found.tolist() == [True] * count
    assert track.boxes.shape == track.mouths.shape == (count, 4)


def test_boxes_end_at_the_frame() -> None:
    track = faces.track_faces(numbered(3), Seer([[face(10, 190, width=60, height=80)]] * 3))
    np.testing.assert_allclose(track.boxes[0], [0, 150, 40, 200])
    x0, y0, x1, y1 = track.mouths[0]
    assert 0 <= x0 < x1 <= 300
    assert 0 <= y0 < y1 <= 200


def test_tracking_leaves_read_only_frames_alone() -> None:
    frames = numbered(6)
    frames.flags.writeable = False
    assert len(faces.track_faces(frames, Seer([[face(100, 80)]] * 6)).found) == 6


def test_a_given_box_is_constant_and_found() -> None:
    track = faces.given_track((50, 30, 100, 100), 4)
    np.testing.assert_allclose(track.boxes, np.tile([50, 30, 150, 130], (4, 1)))
    np.testing.assert_allclose(track.mouths, np.tile([69, 83.5, 131, 125.5], (4, 1)))
    assert track.found.tolist() == [True] * 4
    assert track.detector == "given"


def given(box: Box | None) -> Video:
    """A video whose face is where the manifest says."""
    video = Video.of(numbered(2))
    video.features, video.box = faces.finding_faces("given"), box
    return video


def test_the_track_of_a_given_box_cuts_it_at_the_frame() -> None:
    track = given((-10, 10, 60, 80)).faces()
    np.testing.assert_allclose(track.boxes, np.tile([0, 10, 50, 90], (2, 1)))


def test_a_given_box_outside_of_the_frame_is_an_error_with_its_numbers() -> None:
    with pytest.raises(BenchError, match=r"\(400, 10, 60, 80\).*300x200"):
        given((400, 10, 60, 80)).faces()


def test_given_without_a_box_is_an_error_that_names_the_way_out() -> None:
    with pytest.raises(BenchError, match=r"no face box for this clip.*faces: haar"):
        given(None).faces()


def test_an_unknown_detector_is_an_error_that_names_the_known() -> None:
    with pytest.raises(BenchError, match="'harr' is no detector; use yunet or haar"):
        faces.detector("harr")  # type: ignore[arg-type]


@pytest.fixture
def seer(monkeypatch: pytest.MonkeyPatch) -> Seer:
    """A detector that stands where "haar" is asked for, and counts its looks."""
    seer = Seer([[face(100, 80)]] * 8)
    monkeypatch.setattr(faces, "detector", lambda name: seer)
    return seer


def digested(count: int) -> Video:
    video = Video.of(numbered(count))
    video.sha256 = "c0ffee"
    return video


def tracked(folder: Path) -> Track:
    """The track of a video that is opened anew, with what is kept in the folder."""
    video = digested(8)
    video.features = faces.finding_faces("haar", store=FeatureStore(folder))
    return video.faces()


def kept(folder: Path) -> list[Path]:
    return sorted((folder / "faces").rglob("*.npz"))


def same(first: Track, second: Track) -> bool:
    return all(
        np.array_equal(getattr(first, name), getattr(second, name))
        for name in ("boxes", "mouths", "found")
    )


def test_a_track_is_searched_once_per_digest(seer: Seer, tmp_path: Path) -> None:
    first = tracked(tmp_path)
    looks = len(seer.looks)
    second = tracked(tmp_path)
    assert len(seer.looks) == looks
    assert same(first, second)
    assert second.detector == "seer"
    assert len(kept(tmp_path)) == 1


def test_no_face_is_remembered_too(seer: Seer, tmp_path: Path) -> None:
    seer.sights = [[]] * 8
    for _ in range(2):
        with pytest.raises(NoFace, match="any of the 8 frames by seer"):
            tracked(tmp_path)
    assert len(seer.looks) == 8


def test_a_video_without_a_digest_keeps_nothing(seer: Seer, tmp_path: Path) -> None:
    video = Video.of(numbered(8))
    video.features = faces.finding_faces("haar", store=FeatureStore(tmp_path))
    assert video.faces().found.all()
    assert not list(tmp_path.iterdir())


def test_haar_finds_nothing_in_grey_noise_and_tiny_frames() -> None:
    haar = faces.detector("haar")
    noise = np.random.default_rng(0).integers(0, 256, (3, 120, 160, 3), dtype=np.uint8)
    for frame in (*noise, np.full((120, 160, 3), 128, np.uint8), np.zeros((1, 1, 3), np.uint8)):
        assert haar.detect(frame) == []


@pytest.mark.parametrize("share", [0.9, 0.35, 0.22])
def test_haar_finds_faces_large_and_small(share: float) -> None:
    import cv2

    from bench.data.synth.clip import shoot
    from bench.data.synth.corpus import _renderer, plan_clips

    (plan,) = plan_clips("zh", "test", 1)
    take = shoot(_renderer("zh", plan.speaker), plan.texts[:1], plan.seed)
    person = next(iter(take.frames))  # (256, 256, 3)
    side = round(256 * share)
    frame = np.full((256, 256, 3), 90, np.uint8)
    frame[20 : 20 + side, 10 : 10 + side] = cv2.resize(person, (side, side))
    (found,) = faces.detector("haar").detect(frame)
    (whole,) = faces.detector("haar").detect(person)
    expected = np.array(whole.box) * share + (10, 20, 10, 20)
    assert np.allclose(found.box, expected, atol=0.1 * side)


def frames_of(path: Path) -> Frames:
    from bench import media

    return media.read_frames(path)


def detector_of(name: str, shared: Path, monkeypatch: pytest.MonkeyPatch) -> faces.Detector:
    monkeypatch.setenv("BENCH_WEIGHTS", str(shared / "weights"))
    return faces.detector("yunet" if name == "yunet" else "haar")


SPEAKERS = ("s1", "s2", "s26", "s31", "unknown")


@pytest.mark.shared
@pytest.mark.parametrize("speaker", SPEAKERS)
def test_haar_and_yunet_agree_on_grid(
    shared: Path, monkeypatch: pytest.MonkeyPatch, speaker: str
) -> None:
    path = sorted((shared / "data/grid/original" / speaker).glob("*.mpg"))[0]
    frames = frames_of(path)
    yunet, haar = (
        faces.track_faces(frames, detector_of(name, shared, monkeypatch))
        for name in ("yunet", "haar")
    )
    assert yunet.missing == haar.missing == 0
    assert overlap(yunet.boxes, haar.boxes).min() > 0.8
    assert overlap(yunet.mouths, haar.mouths).mean() > 0.7


@pytest.mark.shared
def test_haars_boxes_are_unbiased_against_yunets_over_speakers(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    yunet, haar = (detector_of(name, shared, monkeypatch) for name in ("yunet", "haar"))
    ratios = []
    for speaker in SPEAKERS:
        for path in sorted((shared / "data/grid/original" / speaker).glob("*.mpg"))[1:3]:
            frames = frames_of(path)[:26]
            truth, other = (faces.track_faces(frames, each).boxes for each in (yunet, haar))
            size = (truth[:, 2:] - truth[:, :2]).mean(axis=0)
            growth = (other[:, 2:] - other[:, :2]).mean(axis=0) / size
            ratios.append([*growth, *((middles(other) - middles(truth)).mean(axis=0) / size)])
    np.testing.assert_allclose(np.mean(ratios, axis=0), [1, 1, 0, 0], atol=0.04)


@pytest.mark.shared
@pytest.mark.parametrize(
    "name",
    [
        "small_face_426x240.mp4",
        "portrait_1080x1920_30fps_hevc.mp4",
        "voxceleb_224_b.mp4",
        "digital_silence_30fps.mp4",
        "example_offset3.avi",
    ],
)
def test_both_detectors_find_the_face_of_every_kind_of_clip(
    shared: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    from bench import media

    frames = np.stack(list(islice(media.iter_frames(shared / "data/clips" / name), 30)))
    yunet, haar = (
        faces.track_faces(frames, detector_of(each, shared, monkeypatch))
        for each in ("yunet", "haar")
    )
    assert yunet.missing == 0
    assert haar.missing < 0.1
    assert overlap(yunet.boxes, haar.boxes).mean() > 0.6


@pytest.mark.shared
def test_a_real_face_that_leaves_is_missing_exactly_there(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sorted((shared / "data/grid/original/s26").glob("*.mpg"))[0]
    frames = frames_of(path).copy()
    frames[30:50] = 120
    for name in ("yunet", "haar"):
        track = faces.track_faces(frames, detector_of(name, shared, monkeypatch))
        assert np.flatnonzero(~track.found).tolist() == list(range(30, 50))


@pytest.mark.shared
@pytest.mark.parametrize("name", ["yunet", "haar"])
def test_of_a_grid_clip_every_fifth_frame_is_searched(
    shared: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    frames = frames_of(sorted((shared / "data/grid/original/s1").glob("*.mpg"))[0])
    detector = detector_of(name, shared, monkeypatch)
    detect, searched = detector.detect, []
    monkeypatch.setattr(detector, "detect", lambda frame: searched.append(1) or detect(frame))
    faces.track_faces(frames, detector)
    assert len(searched) == len(range(0, len(frames), faces.STRIDE)) + 1  # and the last one


def test_the_module_loads_no_opencv() -> None:
    import subprocess
    import sys

    code = "import sys, bench.features.faces, bench.files.weights; print('cv2' in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "False"


def test_mouth_boxes_keep_their_share_of_the_face() -> None:
    box: Corners = (20, 20, 120, 170)
    track = faces.track_faces(numbered(2), Seer([[Detection(box, None, 1)]] * 2))
    size = track.mouths[0, 2:] - track.mouths[0, :2]
    np.testing.assert_allclose(size, [100 * faces.MOUTH_WIDTH, 150 * faces.MOUTH_HEIGHT])
