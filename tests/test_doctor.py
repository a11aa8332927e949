"""The doctor: each kind of damage is found at its place, and intact clips have no marks."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from bench import media
from bench.data.doctor import Findings, examine, examine_all, marks_of
from bench.data.grid import import_grid
from bench.data.manifest import content_digest
from bench.features.faces import Choice, Detection
from bench.ground.types import Box, Clip, Frame, Frames, Sound
from tests.conftest import shared_clips
from tests.small_media import copy_coded


def scene(frames: int = 40, *, seed: int = 0, size: int = 128) -> Frames:
    """A moving pattern with camera noise: (T, size, size, 3)."""
    noise = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    drawn = []
    for number in range(frames):
        place = 0.5 + 0.2 * np.sin(number / 6)
        ball = np.exp(-((x - place) ** 2 + (y - 0.5) ** 2) * 20)
        frame = np.stack([60 + 150 * ball, 90 + 80 * x, 160 - 80 * y], axis=-1)
        drawn.append(frame + noise.normal(0, 4, frame.shape))
    return np.clip(np.array(drawn), 0, 255).astype(np.uint8)


def voice(frames: int = 40, *, level: float = 3000) -> Sound:
    samples = np.random.default_rng(5).normal(0, level, frames * 640)
    return np.clip(samples, -32768, 32767).astype(np.int16)


def written(
    folder: Path, frames: Frames, sound: Sound | None = None, *, fps: float = 25, name: str = "a"
) -> Clip:
    path = folder / f"{name}.mp4"
    media.write_video(path, frames, fps=fps, sound=sound)
    return Clip(name, path)


def marks(folder: Path, frames: Frames, sound: Sound | None = None) -> tuple[str, ...]:
    sound = voice(len(frames)) if sound is None else sound
    return examine(written(folder, frames, sound)).marks


def test_a_sound_clip_has_no_marks(tmp_path: Path) -> None:
    found = examine(written(tmp_path, scene(), voice()))
    assert found.marks == ()
    assert found.severity == "ok"
    assert (found.frames, found.width, found.height, found.fps) == (40, 128, 128, 25)
    assert found.seconds == pytest.approx(1.6)
    assert found.decodes
    assert found.length_difference == pytest.approx(0, abs=0.001)
    assert found.sound_db == pytest.approx(-21, abs=1)


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_frames_of_one_colour_are_found(tmp_path: Path, grey: int) -> None:
    frames = scene()
    frames[12:20] = grey
    assert marks(tmp_path, frames) == ("flat frames 12-19",)


def test_a_frame_that_lost_its_content_counts_as_flat(tmp_path: Path) -> None:
    frames = scene()
    frames[:8] = 128 + (frames[:8].astype(np.float32) - 128) * 0.2
    assert marks(tmp_path, frames) == ("flat frames 0-7",)


def test_a_frozen_stretch_is_found_in_spite_of_coding_noise(tmp_path: Path) -> None:
    frames = scene()
    frames[15:31] = frames[15]
    found = examine(written(tmp_path, frames, voice()))
    assert found.marks == ("frozen frames 15-30",)
    assert found.severity == "error"


def test_three_equal_frames_are_a_warning_and_two_are_not(tmp_path: Path) -> None:
    frames = scene()
    frames[21:23] = frames[20]
    found = examine(written(tmp_path, frames, voice()))
    assert (found.marks, found.severity) == (("frozen frames 20-22",), "warning")
    frames = scene()
    frames[21] = frames[20]
    assert marks(tmp_path, frames) == ()


def test_a_clip_converted_from_a_lower_rate_is_found(tmp_path: Path) -> None:
    frames = scene()
    frames[1::2] = frames[::2]
    assert marks(tmp_path, frames) == ("20 of 40 frames repeat the one before",)


def test_a_cut_is_found_at_its_frame(tmp_path: Path) -> None:
    frames = scene()
    frames[25:] = 255 - scene(15, seed=1)[:, :, ::-1]
    assert marks(tmp_path, frames) == ("cut at frame 25",)


def test_broken_blocks_are_found_where_they_end(tmp_path: Path) -> None:
    frames = scene()
    frames[10:24, 80:112, 16:64] = (0, 160, 160)
    assert marks(tmp_path, frames) == ("the video jumps at frames 10, 24",)


def test_a_fade_of_the_light_is_neither_cut_nor_jump(tmp_path: Path) -> None:
    light = np.linspace(0.7, 1.0, 40)[:, None, None, None]
    assert marks(tmp_path, (scene() * light).astype(np.uint8)) == ()


@pytest.mark.parametrize(
    ("sound", "mark"),
    [
        (np.zeros(40 * 640, np.int16), "the sound is silent"),
        (voice(level=20), "the sound is very quiet (-65 dB)"),
        (voice(32), "the sound is 0.32 s shorter than the video"),
        (voice(60), "the sound is 0.80 s longer than the video"),
    ],
)
def test_a_silent_quiet_or_wrongly_long_sound_is_marked(
    tmp_path: Path, sound: Sound, mark: str
) -> None:
    assert marks(tmp_path, scene(), sound) == (mark,)


def test_a_missing_sound_is_marked_and_a_separate_sound_file_is_read(tmp_path: Path) -> None:
    silent = written(tmp_path, scene())
    assert examine(silent).marks == ("no sound",)
    spoken = written(tmp_path, scene(), voice(), name="spoken")
    assert examine(Clip("a", silent.video, spoken.video)).marks == ()


def test_a_short_clip_is_marked(tmp_path: Path) -> None:
    assert marks(tmp_path, scene(6)) == ("short: 6 frames, 0.24 s",)


def test_content_that_differs_from_the_manifest_is_marked(tmp_path: Path) -> None:
    clip = written(tmp_path, scene(), voice())
    right = Clip("a", clip.video, sha256=content_digest(clip))
    assert examine(right).marks == ()
    wrong = examine(Clip("a", clip.video, sha256="0" * 64))
    assert wrong.marks == ("the content differs from the manifest's sha256",)
    assert wrong.severity == "error"


@pytest.mark.parametrize("data", [b"", b"just a text", b"\0" * 4096])
def test_files_that_are_no_video_get_marks(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    found = examine(Clip("a", path))
    assert found.severity == "error"
    assert found.marks[0].startswith("unreadable: ")
    assert str(tmp_path) not in found.marks[0]


def test_a_missing_file_gets_a_mark(tmp_path: Path) -> None:
    assert examine(Clip("a", tmp_path / "none.mp4")).severity == "error"


def test_a_truncated_file_does_not_decode_to_its_end(tmp_path: Path) -> None:
    clip = written(tmp_path, scene(60), voice(60))
    data = clip.video.read_bytes()  # the index comes first, so the rest can be missing
    clip.video.write_bytes(data[: len(data) // 2])
    found = examine(clip)
    assert not found.decodes
    assert any(mark.startswith("does not decode to its end") for mark in found.marks)


@pytest.mark.parametrize("size", [(2, 2), (16, 16), (18, 402)])
def test_frames_of_odd_sizes_are_examined(tmp_path: Path, size: tuple[int, int]) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (30, *size, 3), np.uint8)
    assert examine(written(tmp_path, frames, voice(30))).frames == 30


class _Faces:
    """A detector that finds a face of one height in frames brighter than 100."""

    name = "fake"

    def __init__(self, height: float) -> None:
        self.height = height

    def detect(self, frame: Frame) -> list[Detection]:
        small = Detection((0, 0, 5, 5), None, 1.0)
        large = Detection((10, 10, 40, 10 + self.height), None, 1.0)
        return [small, large] if frame.mean() > 60 else []


def test_faces_are_counted_and_measured(tmp_path: Path) -> None:
    clip = written(tmp_path, scene(), voice())
    found = examine(clip, detector=_Faces(80))
    assert (found.face_share, found.face_pixels, found.marks) == (1.0, 80.0, ())
    assert examine(clip, detector=_Faces(30)).marks == ("small face: 30 pixels high",)


class _Two:
    """A detector that finds a large face on the left, and at times a small one on the right."""

    name = "fake"
    large = Detection((5, 10, 55, 80), None, 2.0)

    def __init__(self, other: Detection, *, every: int = 1) -> None:
        self.other = other
        self.every = every
        self.looks = 0

    def detect(self, frame: Frame) -> list[Detection]:
        del frame
        self.looks += 1
        return [self.large, *([self.other] * (self.looks % self.every == 0))]


SMALL = Detection((70, 20, 100, 60), None, 1.0)


@pytest.mark.parametrize(
    ("face", "box", "mark"),
    [
        ("largest", None, "; the largest is followed"),
        ("largest", (70.0, 20.0, 30.0, 40.0), "; the largest is followed"),
        ("central", None, "; the central is followed"),
        ("given", None, "; no box says which to follow"),
        ("given", (70.0, 20.0, 30.0, 40.0), None),
        ("given", (70.0, 100.0, 30.0, 20.0), "no face on the manifest's box"),
    ],
)
def test_several_faces_are_marked_with_the_one_that_is_followed(
    tmp_path: Path, face: Choice, box: Box | None, mark: str | None
) -> None:
    clip = replace(written(tmp_path, scene(), voice()), box=box)
    found = examine(clip, detector=_Two(SMALL), face=face)
    assert found.faces == 2
    several = "2 faces, two or more in 100% of the frames"
    expected = () if mark is None else (f"{several}{mark}" if mark.startswith(";") else mark,)
    assert found.marks == expected


def test_a_passing_face_or_a_double_detection_does_not_count(tmp_path: Path) -> None:
    clip = written(tmp_path, scene(), voice())
    assert examine(clip, detector=_Two(SMALL, every=5)).faces == 1
    chin = Detection((20, 50, 45, 80), None, 1.0)  # a part of the large face
    assert examine(clip, detector=_Two(chin)).faces == 1


def coded(path: Path, frames: Frames, sound: Sound, **marks: object) -> Clip:
    """A clip encoded by x264 with given options, pixel shape and colour."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options=marks.get("options", {}))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.sample_aspect_ratio = marks.get("pixels", Fraction(1))
        if "light" in marks:
            stream.codec_context.color_trc = marks["light"]
        track = out.add_stream("aac", rate=16000, layout="mono")
        for picture in frames:
            raw = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            out.mux(stream.encode(raw))
        out.mux(stream.encode(None))
        raw_sound = av.AudioFrame.from_ndarray(sound[None], format="s16", layout="mono")
        raw_sound.sample_rate = 16000
        out.mux(track.encode(raw_sound))
        out.mux(track.encode(None))
    return Clip("a", path)


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["mp4", "mkv", "mov"])
@pytest.mark.parametrize(
    ("settings", "mark"),
    [
        ({}, None),
        ({"options": {"flags": "+ildct+ilme", "x264-params": "tff=1"}}, "interlaced"),
        ({"options": {"flags": "+ildct+ilme", "x264-params": "bff=1"}}, "interlaced"),
        ({"pixels": Fraction(16, 11)}, "the pixels are not square (16:11)"),
        ({"pixels": Fraction(59, 54)}, "the pixels are not square (59:54)"),
        ({"pixels": Fraction(400, 399)}, None),  # a rounded size, not another shape
        ({"light": 18}, "high dynamic range (HLG)"),
        ({"light": 16}, "high dynamic range (PQ)"),
        ({"light": 1}, None),
    ],
)
def test_traits_that_reading_does_not_undo_are_marked(
    tmp_path: Path, settings: dict[str, object], mark: str | None, ending: str
) -> None:
    clip = coded(tmp_path / f"a.{ending}", scene(), voice(), **settings)
    found = [one for one in examine(clip).marks if "sound" not in one]
    assert [one[: len(mark or "")] for one in found] == ([] if mark is None else [mark])


def test_faces_missing_in_some_or_all_frames_are_marked(tmp_path: Path) -> None:
    frames = scene()
    frames[20:] //= 4
    clip = written(tmp_path, frames, voice())
    found = examine(clip, detector=_Faces(80))
    assert found.face_share == 0.5
    assert "a face in only 50% of the frames" in found.marks
    dark = written(tmp_path, scene() // 4, voice(), name="dark")
    assert "no face found" in examine(dark, detector=_Faces(80)).marks


def test_clips_are_examined_in_order_by_any_number_of_workers(tmp_path: Path) -> None:
    clips = [written(tmp_path, scene(30), voice(30), name=f"c{n}") for n in range(5)]
    one = list(examine_all(clips, faces="given", workers=1))
    assert [found.id for found in one] == [clip.id for clip in clips]
    assert list(examine_all(clips, faces="given", workers=3)) == one
    assert all(isinstance(found, Findings) and len(found.row()) == 7 for found in one)


def test_marks_are_cached_by_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = scene()
    frames[12:20] = 128
    bad = written(tmp_path, frames, voice(), name="bad")
    good = written(tmp_path, scene(), voice(), name="good")
    expected = {"bad": ["flat frames 12-19"]}
    assert marks_of([bad, good]) == expected
    monkeypatch.setattr("bench.data.doctor.examine", None)  # must not be called again
    assert marks_of([bad, good]) == expected


def test_marks_of_includes_missing_files(tmp_path: Path) -> None:
    (only,) = marks_of([Clip("a", tmp_path / "none.mp4")])["a"]
    assert only.startswith("unreadable")


@pytest.mark.shared
def test_a_listener_beside_a_speaker_is_marked(shared: Path) -> None:
    clip = Clip("two", shared / "cases/media/two_faces.mp4")
    (found,) = examine_all([clip], faces="haar")
    assert found.faces == 2
    assert "2 faces, two or more in 100% of the frames; the largest is followed" in found.marks


@pytest.mark.shared
@pytest.mark.parametrize("name", shared_clips())
def test_an_awkward_clip_gives_findings(shared: Path, tmp_path: Path, name: str) -> None:
    file = shared / "data/clips" / name
    if name.startswith("portrait_1080"):  # its first ten seconds, since all of it takes too long
        file = copy_coded(file, tmp_path / name, lambda number, one: one if number < 300 else None)
    found = examine(Clip(Path(name).stem, file))
    match name:
        case "digital_silence_30fps.mp4":
            assert "the sound is silent" in found.marks
        case "no_audio_track_256.mp4":
            assert "no sound" in found.marks
        case "truncated_file_silent_256.mp4":
            assert not found.decodes
        case "portrait_1080x1920_30fps_hevc.mp4":
            assert found.jumps == (271,)  # a cut within one setting
        case "short_53_frames_426x240.mp4":
            assert found.marks == ()
    assert found.severity in ("ok", "warning", "error")
    assert all(found.marks)


@pytest.mark.shared
def test_damaged_grid_clips_are_found_and_their_neighbours_are_not(shared: Path) -> None:
    clips = {clip.id: clip for clip in import_grid(shared / "data" / "grid").clips}
    expected = {
        "s1-bbizzn": "flat frames 0-11",
        "s1-pbio7a": "flat frames 0-11",
        "s1-srah5s": "the video jumps at frame 72",
        "s1-pgwy8n": "the video jumps at frames 69, 72",
        "s1-lbbk6p": "frozen frames 15-17",
        "s1-bris5a": None,  # a hand appears at the very end
        "s1-srwi5a": None,
        "s31-lbig7s": None,
        "unknown-edff7a1c": None,
    }
    found = examine_all([clips[name] for name in expected], faces="given", workers=2)
    for one in found:
        mark = expected[one.id]
        assert mark in one.marks if mark else one.marks == ()
