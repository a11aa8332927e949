"""The controls, and videos made elsewhere."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydantic
import pytest

import bench
from bench import media
from bench.ground.errors import NoFace
from bench.ground.types import Case, Clip, Track
from methods.degraded import Degraded
from methods.mismatched import Mismatched
from methods.recorded import Recorded
from methods.shifted import Shifted, moved
from methods.still import Still
from methods.stranger import Stranger
from methods.truth import Truth
from tests.small_data import make_clip, make_config, make_manifest
from tests.test_run import bench as run_bench

FRAMES = 8


@pytest.fixture
def job(tmp_path: Path) -> bench.Job:
    random = np.random.default_rng(0)
    frames = random.integers(0, 255, (FRAMES, 16, 16, 3), dtype=np.uint8)  # (T, H, W, 3)
    sound = random.integers(-9000, 9000, FRAMES * 640, dtype=np.int16)
    path = tmp_path / "face.mp4"
    media.write_video(path, frames, sound=sound)
    face, other = Clip(id="s1_bbaf2n", video=path), Clip(id="s2_other", video=path)
    return bench.Job(
        case=Case("grid", "reconstruct", face=face, speech=face, other=other),
        face=bench.Video(path),
        speech=sound,
        frames=FRAMES,
        workdir=tmp_path,
        seed=0,
        log=logging.getLogger("test"),
        other=bench.Video.of(
            frames, random.integers(-9000, 9000, FRAMES * 640 + 100, dtype=np.int16)
        ),
    )


def other_sound(job: bench.Job) -> bench.Sound:
    assert job.other is not None
    sound = job.other.sound()
    assert sound is not None
    return sound


def sound_of(generation: bench.Generation) -> bench.Sound:
    assert generation.sound is not None
    return generation.sound


def test_truth_is_the_recorded_file_with_its_own_sound(job: bench.Job) -> None:
    assert Truth().generate(job) == bench.Generation(video=job.face.path, sound=None)


def test_still_repeats_the_first_frame_for_as_long_as_the_speech(job: bench.Job) -> None:
    made = Still().generate(replace(job, frames=FRAMES + 3))
    assert not isinstance(made.video, Path)
    frames = np.stack(list(made.video))
    assert frames.shape == (FRAMES + 3, 16, 16, 3)
    assert (frames == job.face.read()[0]).all()


@pytest.mark.parametrize(("first", "said"), [(0, ()), (3, ("frozen at frame 3, the first with",))])
def test_still_freezes_the_first_frame_that_shows_the_face(
    job: bench.Job, first: int, said: tuple[str, ...]
) -> None:
    boxes = np.tile(np.array([2, 2, 12, 12], np.float32), (FRAMES, 1))
    found = np.arange(FRAMES) >= first
    track = Track(boxes, boxes, found, "haar")
    face = bench.Video(job.face.path, features=lambda _video, _name: track.arrays())
    made = Still().generate(replace(job, face=face))
    assert not isinstance(made.video, Path)
    assert (np.stack(list(made.video)) == job.face.read()[first]).all()
    assert len(made.notes) == len(said)
    assert all(note.startswith(text) for note, text in zip(made.notes, said, strict=True))


def test_still_freezes_the_first_frame_of_a_recording_without_a_face(job: bench.Job) -> None:
    def nobody(_video: bench.Video, _name: str) -> bench.Arrays:
        raise NoFace("no face found in any of the 8 frames by haar")

    face = bench.Video(job.face.path, features=nobody)
    made = Still().generate(replace(job, face=face))
    assert not isinstance(made.video, Path)
    assert (np.stack(list(made.video)) == job.face.read()[0]).all()
    assert made.notes == ()


def test_shifted_by_a_positive_number_is_heard_later(job: bench.Job) -> None:
    made = Shifted(Shifted.Options(frames=2)).generate(job)
    assert made.video == job.face.path
    sound = sound_of(made)
    assert not sound[: 2 * 640].any()
    assert np.array_equal(sound[2 * 640 :], job.speech[: -2 * 640])


def test_shifted_by_a_negative_number_is_heard_earlier(job: bench.Job) -> None:
    sound = sound_of(Shifted(Shifted.Options(frames=-2)).generate(job))
    assert np.array_equal(sound[: -2 * 640], job.speech[2 * 640 :])
    assert not sound[-2 * 640 :].any()


@pytest.mark.parametrize("frames", [0, 1, -1, 7, -7])
def test_moved_sound_is_as_long_as_before(job: bench.Job, frames: int) -> None:
    assert moved(job.speech, frames=frames).shape == job.speech.shape


def test_shifted_by_nothing_is_the_speech(job: bench.Job) -> None:
    sound = sound_of(Shifted(Shifted.Options(frames=0)).generate(job))
    assert np.array_equal(sound, job.speech)


@pytest.mark.parametrize("frames", [FRAMES, -FRAMES, 100])
def test_shifted_beyond_the_clip_is_an_error(job: bench.Job, frames: int) -> None:
    with pytest.raises(bench.BenchError, match=rf"options\.frames is {frames}, .* has 8 frames"):
        Shifted(Shifted.Options(frames=frames)).generate(job)


def test_mismatched_cuts_a_longer_speech(job: bench.Job) -> None:
    made = Mismatched().generate(job)
    assert made.video == job.face.path
    assert np.array_equal(sound_of(made), other_sound(job)[: FRAMES * 640])


def test_mismatched_fills_up_a_shorter_speech_with_silence(job: bench.Job) -> None:
    short = bench.Video.of(job.face.read(), other_sound(job)[:700])
    sound = sound_of(Mismatched().generate(replace(job, other=short)))
    assert sound.shape == (FRAMES * 640,)
    assert np.array_equal(sound[:700], other_sound(job)[:700])
    assert not sound[700:].any()


def test_mismatched_without_another_clip_is_an_error(job: bench.Job) -> None:
    with pytest.raises(bench.BenchError, match="data set 'grid' has no other clip"):
        Mismatched().generate(replace(job, other=None))


@pytest.mark.parametrize(("how", "low", "high"), [("jpeg", 5.0, 40.0), ("noise", 4.0, 5.1)])
def test_degraded_is_the_clip_with_a_light_loss(
    job: bench.Job, how: str, low: float, high: float
) -> None:
    method = Degraded(Degraded.Options.model_validate({"how": how}))
    frames, again = (np.stack(list(method.generate(job).video)) for _ in range(2))
    own = job.face.read()
    assert frames.dtype == np.uint8
    assert frames.shape == own.shape
    assert np.array_equal(frames, again)
    error = frames.astype(float) - own
    assert low < np.sqrt((error**2).mean()) < high  # the clip is random grey levels: hard for JPEG
    assert abs(error.mean()) < 1.0


def test_degraded_by_encoding_is_a_file_with_the_clips_frames(job: bench.Job) -> None:
    path = Degraded().generate(job).video
    assert isinstance(path, Path)
    assert path.parent == job.workdir
    assert media.read_frames(path).shape == job.face.read().shape
    assert not np.array_equal(media.read_frames(path), job.face.read())


def test_a_stranger_is_stretched_and_goes_forth_and_back(job: bench.Job) -> None:
    shown = np.zeros((3, 24, 40, 3), np.uint8)
    shown[:] = np.array([10, 120, 230], np.uint8)[:, None, None, None]
    made = list(Stranger().generate(replace(job, other=bench.Video.of(shown))).video)
    assert {frame.shape for frame in made} == {(16, 16, 3)}
    means = [round(float(frame.mean()), -1) for frame in made]
    assert means == [10, 120, 230, 120, 10, 120, 230, 120]


def test_a_stranger_of_the_same_speaker_or_none_is_an_error(job: bench.Job) -> None:
    with pytest.raises(bench.BenchError, match="no other clip for 's1_bbaf2n'"):
        Stranger().generate(replace(job, other=None))
    same = replace(job.case.face, speaker="s1")
    case = replace(job.case, face=same, other=replace(same, id="s1_other"))
    with pytest.raises(bench.BenchError, match="'s1_other', of the same speaker s1"):
        Stranger().generate(replace(job, case=case))


def test_controls_say_that_they_are_no_competitors() -> None:
    assert all(method.control for method in (Truth, Still, Shifted, Mismatched, Degraded, Stranger))
    assert not Recorded.control


def test_recorded_takes_the_file_named_by_the_case(job: bench.Job, tmp_path: Path) -> None:
    folder = tmp_path / "made elsewhere"
    folder.mkdir()
    (folder / "s1_bbaf2n.mp4").write_bytes(b"video")
    made = Recorded(Recorded.Options(folder=folder)).generate(job)
    assert made.video == folder / "s1_bbaf2n.mp4"


def test_recorded_fills_in_every_field_of_its_pattern(job: bench.Job, tmp_path: Path) -> None:
    pattern = "{dataset}/{face}/{speech}-{case}.avi"
    method = Recorded(Recorded.Options(folder=tmp_path, pattern=pattern))
    case = replace(job.case, kind="cross", speech=Clip(id="s2_other", video=Path("x.mp4")))
    expected = tmp_path / "grid" / "s1_bbaf2n" / "s2_other-s1_bbaf2n+s2_other.avi"
    assert method.path_of(case) == expected


def test_recorded_counts_cases_and_knows_its_label(job: bench.Job, tmp_path: Path) -> None:
    options = {"folder": tmp_path, "pattern": "{method}/{index:05}.mp4"}
    known = Recorded.Options.model_validate(options, context={"label": "PC-AVS"})
    method = Recorded(known)
    assert method.reads_index
    assert method.path_of(replace(job.case, index=7)) == tmp_path / "PC-AVS" / "00007.mp4"
    assert Recorded(Recorded.Options(folder=tmp_path)).reads_index is False
    with pytest.raises(bench.BenchError, match="known in a run only"):
        Recorded(Recorded.Options.model_validate(options)).path_of(job.case)


def test_recorded_files_are_found_by_number_and_label_and_by_the_number_of_today(
    tmp_path: Path,
) -> None:
    make_manifest(tmp_path / "data")
    pattern = "{method}/{index:02}.mp4"
    methods = [
        {"name": "recorded", "label": label, "options": {"folder": "made", "pattern": pattern}}
        for label in ("first", "second")
    ]
    changes = {"methods": methods, "cases": {"kinds": ["reconstruct"]}}
    for label, seeds in (("first", (0, 1, 2)), ("second", (3, 4, 5))):
        for index, seed in enumerate(seeds):
            make_clip(tmp_path / "made" / label / f"{index:02}.mp4", seed)
    config = make_config(tmp_path, **changes)
    code, output = run_bench("run", config, "-o", tmp_path / "run")
    assert code == 0, output

    def shows(label: str, case: str, file: str) -> bool:
        video = tmp_path / "run/videos/tiny" / label / f"{case}.mp4"
        return np.array_equal(media.read_frames(video), media.read_frames(tmp_path / "made" / file))

    assert shows("first", "two", "first/01.mp4")
    assert shows("second", "one", "second/00.mp4")
    lines = (tmp_path / "data/manifest.csv").read_text(encoding="utf-8").splitlines()
    turned = [lines[0], *reversed(lines[1:])]
    (tmp_path / "data/manifest.csv").write_text("\n".join(turned), encoding="utf-8")
    assert run_bench("run", config, "-o", tmp_path / "run")[0] == 0
    assert shows("first", "three", "first/00.mp4")
    (tmp_path / "data/manifest.csv").write_text("\n".join(lines), encoding="utf-8")
    assert run_bench("run", config, "-o", tmp_path / "run", "--retry")[0] == 0
    table = bench.load(tmp_path / "run")
    own = table[(table["method"] == "first") & (table["output"] == "brightness")]
    expected = {
        case: media.read_frames(tmp_path / f"made/first/0{index}.mp4").mean()
        for index, case in enumerate(("one", "two", "three"))
    }
    assert dict(zip(own["case"], own["value"], strict=True)) == pytest.approx(expected, abs=1.0)


def test_recorded_names_the_file_that_is_missing(job: bench.Job, tmp_path: Path) -> None:
    method = Recorded(Recorded.Options(folder=tmp_path / "nowhere"))
    with pytest.raises(bench.BenchError, match=r"expected .*nowhere.s1_bbaf2n\.mp4"):
        method.generate(job)


def test_recorded_does_not_leave_its_folder(job: bench.Job, tmp_path: Path) -> None:
    (tmp_path / "s1_bbaf2n.mp4").write_bytes(b"video")
    options = Recorded.Options(folder=tmp_path / "inner", pattern="../{case}.mp4")
    with pytest.raises(bench.BenchError, match=r"leads out of options\.folder"):
        Recorded(options).generate(job)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{clip}.mp4", "{clip}"),
        ("{case.face}.mp4", "{case.face}"),
        ("{case!r}.mp4", "the fields are"),
        ("{case.mp4", "is not a pattern"),
        ("{}.mp4", "the fields are"),
        ("{dataset}.mp4", "same file for every case"),
        ("video.mp4", "same file for every case"),
        ("{method}.mp4", "same file for every case"),
        ("{index:>5}.mp4", "the fields are"),
        ("{case:05}.mp4", "the fields are"),
    ],
)
def test_recorded_refuses_a_pattern_that_cannot_name_a_case(pattern: str, message: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=message):
        Recorded.Options(folder=Path(), pattern=pattern)


def test_recorded_notices_a_changed_a_new_and_a_removed_file(tmp_path: Path) -> None:
    def key() -> object:
        return Recorded(Recorded.Options(folder=tmp_path / "videos")).identity()

    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").write_bytes(b"one")
    keys = [key()]
    (tmp_path / "videos" / "a.mp4").write_bytes(b"other")
    keys.append(key())
    (tmp_path / "videos" / "b.mp4").write_bytes(b"new")
    keys.append(key())
    (tmp_path / "videos" / "b.mp4").unlink()
    assert keys[0] != keys[1] != keys[2]
    assert key() == keys[1]
