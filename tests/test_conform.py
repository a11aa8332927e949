"""Clips and generated videos are conformed by the rules, and the notes say what changed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import re
from pathlib import Path
from typing import Literal

import av
import numpy as np
import pytest

from bench import media
from bench.contract.jobs import Generation, Job
from bench.contract.video import Video
from bench.data.conform import (
    CONFORM_VERSION,
    MISREAD_VERSION,
    Conformed,
    conform_clip,
    conform_version,
    fitted_sound,
)
from bench.data.manifest import content_digest
from bench.ground.errors import BenchError
from bench.ground.types import Case, Clip
from bench.run.outputs import FRAMES_FORGIVEN, conform_output
from tests.small_media import (
    copy_coded,
    moving_frames,
    numbered_frames,
    numbers,
    set_display_matrix,
    tone,
    write_coded,
    write_timed,
    write_wav,
)


def conformed(path: Path, cache: Path, **fields: object) -> Conformed:
    """The conformed clip of this file, checked to have the form."""
    made = conform_clip(Clip("clip", path, **fields), cache=cache)
    found = media.probe(made.path)
    assert (found.video_codec, found.pixel_format, found.fps) == ("h264", "yuv420p", 25.0)
    assert found.constant_rate
    assert found.width % 2 == found.height % 2 == 0
    assert len(media.read_frames(made.path)) == made.frames
    sound = media.read_sound(made.path)
    assert (sound is not None) == made.has_sound
    if sound is not None:
        assert len(sound) == 640 * made.frames
        assert (found.sound_codec, found.sound_rate, found.sound_channels) == ("aac", 16_000, 1)
    return made


@pytest.mark.parametrize("samples", [0, 100, 3199, 3200, 3201, 9000])
def test_fitted_sound_is_as_long_as_the_frames(tmp_path: Path, samples: int) -> None:
    path = tmp_path / "clip.mp4"
    given = tone(1)[:samples]
    fitted = fitted_sound(given, 5)
    assert np.array_equal(fitted[:samples], given[:3200])
    assert not fitted[samples:].any()
    media.write_video(path, numbered_frames(5), sound=fitted)
    assert len(media.read_sound(path)) == 3200


@pytest.mark.parametrize("has_sound", [True, False])
def test_a_clip_that_has_the_form_is_used_unchanged(tmp_path: Path, has_sound: bool) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, moving_frames(10), sound=tone(0.4) if has_sound else None)
    made = conformed(path, tmp_path / "cache")
    assert made.path == path
    assert made.notes == ()
    assert made.has_sound is has_sound


def test_a_conformed_clip_conforms(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, numbered_frames(30), fps=30, sound=tone(0.9))
    made = conformed(path, tmp_path / "cache")
    assert made.path != path
    assert conformed(made.path, tmp_path / "cache").path == made.path


@pytest.mark.parametrize(
    ("seconds", "note"),
    [(0.38, "sound padded by 0.020 s"), (0.5, "sound cut by 0.100 s")],
)
def test_the_video_decides_the_length_of_the_sound(
    tmp_path: Path, seconds: float, note: str
) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, moving_frames(10), sound=tone(seconds))
    made = conformed(path, tmp_path / "cache")
    assert made.frames == 10
    assert made.notes[1:] == (note,)


def test_another_rate_is_resampled_with_a_note(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, numbered_frames(30), fps=30)
    made = conformed(path, tmp_path / "cache")
    assert made.frames == 25
    assert "30 fps -> 25 fps by timestamps, 30 -> 25 frames" in made.notes


def test_a_clip_keeps_video_and_sound_aligned(tmp_path: Path) -> None:
    sound = np.zeros(16_000, np.int16)
    sound[8000] = 30_000
    path = tmp_path / "clip.mkv"
    write_timed(path, numbered_frames(30), [round(k / 30 * 1000) for k in range(30)], sound=sound)
    made = conformed(path, tmp_path / "cache")
    assert int(np.abs(media.read_sound(made.path).astype(int)).argmax()) == 8000


def test_odd_sizes_lose_their_last_row_and_column(tmp_path: Path) -> None:
    path = tmp_path / "clip.png"
    write_image(path, moving_frames(1, 33, 27)[0])
    made = conformed(path, tmp_path / "cache")
    assert media.read_frames(made.path).shape == (1, 26, 32, 3)
    assert "size 33x27 -> 32x26, last row or column dropped" in made.notes


def write_image(path: Path, picture: np.ndarray) -> None:
    """Writes one image, (H, W, 3) RGB, as png."""
    import cv2

    assert cv2.imwrite(str(path), picture[:, :, ::-1])


@pytest.mark.parametrize(("width", "height"), [(1, 1), (15, 64), (64, 15), (8, 8)])
def test_frames_that_are_too_small_are_refused(tmp_path: Path, width: int, height: int) -> None:
    path = tmp_path / "clip.png"
    write_image(path, np.zeros((height, width, 3), np.uint8))
    with pytest.raises(BenchError, match=f"{width}x{height}; expected at least 16x16"):
        conform_clip(Clip("clip", path), cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("clips/*"))


def test_a_rotated_clip_is_written_upright(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, moving_frames(3, 64, 32))
    set_display_matrix(path, 0, -1, 1, 0)
    made = conformed(path, tmp_path / "cache")
    assert media.read_frames(made.path).shape == (3, 64, 32, 3)
    assert media.probe(made.path).rotation == 0


def test_a_separate_sound_file_replaces_the_videos_sound(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, moving_frames(25), sound=np.zeros(16_000, np.int16))
    voice = write_wav(tmp_path / "voice.wav", tone(1.0, 48_000), 48_000)
    made = conformed(path, tmp_path / "cache", audio=voice)
    assert np.abs(media.read_sound(made.path).astype(int)).max() > 7000
    assert "sound 48000 Hz, 1 channels -> 16000 Hz, 1 channel" in made.notes


def test_a_still_image_is_as_long_as_its_sound(tmp_path: Path) -> None:
    path = tmp_path / "face.png"
    write_image(path, moving_frames(1)[0])
    assert conformed(path, tmp_path / "cache").frames == 1
    voice = write_wav(tmp_path / "voice.wav", tone(0.41), 16_000)
    made = conformed(path, tmp_path / "cache", audio=voice)
    assert made.frames == 11
    assert "still image shown for 11 frames" in made.notes


def test_the_second_time_comes_from_the_cache_with_the_same_notes(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, moving_frames(30), fps=30, sound=tone(1.1))
    first = conform_clip(Clip("clip", path), cache=tmp_path / "cache")
    written = first.path.stat().st_mtime_ns
    assert conform_clip(Clip("clip", path), cache=tmp_path / "cache") == first
    assert first.path.stat().st_mtime_ns == written


def test_new_content_under_the_same_name_is_conformed_again(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, moving_frames(30), fps=30)
    first = conform_clip(Clip("clip", path), cache=tmp_path / "cache")
    media.write_video(path, moving_frames(60), fps=30)
    second = conform_clip(Clip("clip", path), cache=tmp_path / "cache")
    assert (first.frames, second.frames) == (25, 50)


@pytest.mark.parametrize("damage", ["cut", "gone", "record"])
def test_a_damaged_cache_entry_is_replaced(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, moving_frames(30), fps=30)
    first = conform_clip(Clip("clip", path), cache=tmp_path / "cache")
    if damage == "cut":
        first.path.write_bytes(first.path.read_bytes()[:100])
    if damage == "gone":
        first.path.unlink()
    if damage == "record":
        first.path.with_suffix(".json").write_text("{")
    assert conform_clip(Clip("clip", path), cache=tmp_path / "cache") == first
    assert len(media.read_frames(first.path)) == 25


def make_job(tmp_path: Path, count: int = 10) -> Job:
    """A job on a conformed 64x48 clip of `count` frames."""
    path = tmp_path / "face.mp4"
    media.write_video(path, counting_frames(count), sound=tone(0.04 * count))
    clip = Clip("face", path)
    speech = media.read_sound(path)
    return Job(
        Case("data", "reconstruct", clip, clip),
        Video(path),
        speech,
        count,
        tmp_path / "work",
        0,
        logging.getLogger("job"),
    )


def counting_frames(count: int) -> np.ndarray:
    """`numbered_frames` at 64x48."""
    return np.stack([np.full((48, 64, 3), 10 + 3 * t, np.uint8) for t in range(count)])


def written(target: Path, count: int = 10) -> np.ndarray:
    """The frames of a generated video, checked to have the form."""
    frames = media.read_frames(target)
    assert frames.shape == (count, 48, 64, 3)
    assert len(media.read_sound(target)) == 640 * count
    return frames


def test_the_recording_itself_is_copied_byte_by_byte(tmp_path: Path) -> None:
    job, target = make_job(tmp_path), tmp_path / "out" / "a.mp4"
    assert conform_output(Generation(job.face.path), job, target) == ()
    assert target.read_bytes() == job.face.path.read_bytes()


def test_a_named_sound_replaces_the_clips_own(tmp_path: Path) -> None:
    job, target = make_job(tmp_path), tmp_path / "a.mp4"
    silence = np.zeros(6400, np.int16)
    assert conform_output(Generation(job.face.path, sound=silence), job, target) == ()
    assert numbers(written(target)) == list(range(10))
    assert np.abs(media.read_sound(target)).max() == 0


def test_replacing_the_sound_changes_no_pixel(tmp_path: Path) -> None:
    job = make_job(tmp_path, 30)
    other = tone(job.frames / 25, frequency=990.0)
    target = tmp_path / "target.mp4"
    conform_output(Generation(job.face.path, other), job, target)
    assert np.array_equal(media.read_frames(target), job.face.read())
    times = [media.decode(path).times for path in (target, job.face.path)]
    assert np.array_equal(*times)
    again = tmp_path / "again.mp4"
    conform_output(Generation(job.face.path, other), job, again)
    assert again.read_bytes() == target.read_bytes()
    heard = media.read_sound(target)
    assert heard is not None
    assert len(heard) == len(other)
    assert np.corrcoef(heard, other)[0, 1] > 0.99


@pytest.mark.parametrize("kind", [list, iter, np.asarray])
def test_frames_are_written_with_the_jobs_speech(tmp_path: Path, kind) -> None:
    job, target = make_job(tmp_path), tmp_path / "a.mp4"
    assert conform_output(Generation(kind(counting_frames(10)[::-1])), job, target) == ()
    assert numbers(written(target)) == list(range(9, -1, -1))
    error = media.read_sound(target).astype(float) - job.speech
    assert np.mean(error**2) < 1e-2 * np.mean(job.speech.astype(float) ** 2)


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        (counting_frames(9), "returned 9 frames; 10 were wanted"),
        (counting_frames(11), "more than the 10 frames"),
        ([], "returned 0 frames"),
        (numbered_frames(10), r"\(32, 32, 3\).*\(48, 64, 3\)"),
        (counting_frames(10).astype(np.float32), "float32"),
        (["a", "b"], "a str as frame 0"),
    ],
)
def test_wrong_frames_are_refused_and_leave_no_file(tmp_path: Path, frames, words: str) -> None:
    job, target = make_job(tmp_path), tmp_path / "out" / "a.mp4"
    with pytest.raises(BenchError, match=f"the method returned.*{words}|{words}"):
        conform_output(Generation(iter(frames)), job, target)
    assert list(target.parent.iterdir()) == []


def test_endless_frames_end_with_a_reason(tmp_path: Path) -> None:
    import itertools

    job = make_job(tmp_path)
    with pytest.raises(BenchError, match="more than the 10 frames"):
        conform_output(Generation(itertools.repeat(counting_frames(1)[0])), job, tmp_path / "a.mp4")


def test_a_file_of_another_size_and_rate_is_conformed_with_notes(tmp_path: Path) -> None:
    job, target = make_job(tmp_path), tmp_path / "a.mp4"
    path = tmp_path / "made.mp4"
    media.write_video(path, counting_frames(20)[:, ::2, ::2], fps=50)
    assert conform_output(Generation(path), job, target) == (
        "the video had no sound, the case's was added",
        "size 32x24 -> 64x48",
        "50 fps -> 25 fps by timestamps, 20 -> 10 frames",
        "frames re-encoded because their size differs: without loss",
    )
    assert numbers(written(target)) == list(range(0, 20, 2))


def test_a_video_of_another_shape_is_refused_and_says_what_to_do(tmp_path: Path) -> None:
    job, target = make_job(tmp_path), tmp_path / "a.mp4"
    path = tmp_path / "square.mp4"
    media.write_video(path, numbered_frames(10))
    with pytest.raises(BenchError, match=r"square\.mp4: .*32x32.*64x48; .*--fit of .*pad .*crop"):
        conform_output(Generation(path), job, target)
    assert not target.exists()


def test_sizes_that_a_program_rounded_count_as_the_same_shape(tmp_path: Path) -> None:
    job, target = make_job(tmp_path), tmp_path / "a.mp4"
    path = tmp_path / "rounded.mp4"
    media.write_video(
        path, np.full((10, 100, 132, 3), 90, np.uint8)
    )  # aspect ratio 1.32; the face has 1.33
    notes = conform_output(Generation(path), job, target)
    assert "size 132x100 -> 64x48" in notes


@pytest.mark.parametrize(
    ("fit", "note"),
    [
        ("stretch", "size 96x96 -> 64x48, stretched"),
        ("pad", "size 96x96 -> 64x48, with black bars"),
        ("crop", "size 96x96 -> 64x48, cut to its middle"),
    ],
)
def test_a_method_may_choose_how_another_shape_is_fitted(
    tmp_path: Path, fit: Literal["stretch", "pad", "crop"], note: str
) -> None:
    job, target = make_job(tmp_path), tmp_path / "a.mp4"
    path = tmp_path / "square.mp4"
    frames = np.full((10, 96, 96, 3), 40, np.uint8)
    rows, columns = np.mgrid[0:96, 0:96] - 47.5
    frames[:, np.hypot(rows, columns) < 30] = (
        220  # a disc, which stays round only if its shape is kept
    )
    media.write_video(path, frames)
    assert note in conform_output(Generation(path, fit=fit), job, target)
    picture = media.read_frames(target)[5].mean(axis=2)  # (48, 64)
    high = int((picture[:, 32] > 150).sum())
    wide = int((picture[24] > 150).sum())
    across, down = {"stretch": (40, 30), "pad": (30, 30), "crop": (40, 40)}[fit]
    assert (wide, high) == (pytest.approx(across, abs=3), pytest.approx(down, abs=3))
    bars = picture[:, :5].mean() < 5 and picture[:, -5:].mean() < 5
    assert bars == (fit == "pad")


@pytest.mark.parametrize(
    ("count", "note", "last"),
    [
        (10 + FRAMES_FORGIVEN, f"last {FRAMES_FORGIVEN} frames cut", 9),
        (10 - FRAMES_FORGIVEN, f"last frame repeated {FRAMES_FORGIVEN} times", 4),
    ],
)
def test_a_few_frames_too_many_or_few_are_conformed(
    tmp_path: Path, count: int, note: str, last: int
) -> None:
    job, target = make_job(tmp_path), tmp_path / "a.mp4"
    path = tmp_path / "made.mp4"
    media.write_video(path, counting_frames(count), sound=tone(0.4))
    assert conform_output(Generation(path), job, target) == (
        note,
        "frames re-encoded because their number differs: without loss",
    )
    assert numbers(written(target))[-1] == last


@pytest.mark.parametrize("count", [10 + FRAMES_FORGIVEN + 1, 10 - FRAMES_FORGIVEN - 1])
def test_many_frames_too_many_or_few_are_an_error(tmp_path: Path, count: int) -> None:
    job, target = make_job(tmp_path), tmp_path / "a.mp4"
    path = tmp_path / "made.mp4"
    media.write_video(path, counting_frames(count))
    with pytest.raises(BenchError, match=f"has {count} frames at 25 fps; 10 were wanted"):
        conform_output(Generation(path), job, target)
    assert not target.exists()


def test_own_sound_of_another_length_is_replaced_with_a_note(tmp_path: Path) -> None:
    job, target = make_job(tmp_path), tmp_path / "a.mp4"
    path = tmp_path / "made.mp4"
    media.write_video(path, counting_frames(10), sound=tone(2.0))
    assert conform_output(Generation(path), job, target) == (
        "own sound of 2.000 s replaced by the case's of 0.400 s",
    )
    written(target)


def test_a_missing_output_is_an_error(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    with pytest.raises(BenchError, match=r"nothing\.mp4: does not exist"):
        conform_output(Generation(tmp_path / "nothing.mp4"), job, tmp_path / "a.mp4")


def test_a_longer_sound_of_a_control_is_cut_with_a_note(tmp_path: Path) -> None:
    job, target = make_job(tmp_path), tmp_path / "a.mp4"
    answer = Generation(counting_frames(10), sound=tone(0.5))
    assert conform_output(answer, job, target) == ("sound cut by 0.100 s",)
    written(target)


def test_a_copy_of_the_reference_elsewhere_is_used_unchanged(tmp_path: Path) -> None:
    job, target = make_job(tmp_path), tmp_path / "a.mp4"
    path = tmp_path / "recorded ü.mp4"
    path.write_bytes(job.face.path.read_bytes())
    assert conform_output(Generation(path), job, target) == ()
    assert target.read_bytes() == path.read_bytes()
    other = dataclasses.replace(job, speech=np.zeros(6400, np.int16))
    conform_output(Generation(path), other, target)
    assert np.abs(media.read_sound(target)).max() == 0


def test_a_clip_is_cached_by_its_content_with_and_without_a_sha256(
    tmp_path: Path,
) -> None:
    path, voice = tmp_path / "clip.mp4", tmp_path / "voice.wav"
    media.write_video(path, numbered_frames(6), fps=30)
    write_wav(voice, tone(0.2), 16_000)
    for clip in (Clip("clip", path), Clip("clip", path, voice)):
        own = conform_clip(clip, cache=tmp_path / "cache").path
        named = dataclasses.replace(clip, sha256=content_digest(clip))
        assert conform_clip(named, cache=tmp_path / "cache").path == own
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    name = hashlib.sha256(f"{CONFORM_VERSION}:{digest}".encode()).hexdigest()
    assert (tmp_path / "cache" / "clips" / f"{name}.mp4").is_file()  # unchanged


def test_a_missing_file_of_a_clip_is_named_with_the_clip(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, numbered_frames(6))
    clip = Clip("spoken", path, tmp_path / "gone.wav")
    with pytest.raises(BenchError, match=r"clip 'spoken': .*gone\.wav: does not exist; expected a"):
        conform_clip(clip, cache=tmp_path / "cache")


@pytest.mark.parametrize("ending", ["mov", "mkv", "avi", "flv", "ts", "nut", "mp4"])
@pytest.mark.parametrize("b_frames", [0, 2])
def test_frames_of_any_container_are_copied_bit_by_bit(
    tmp_path: Path, ending: str, b_frames: int
) -> None:
    job, target = make_job(tmp_path, 30), tmp_path / "a.mp4"
    frames = moving_frames(30)  # 64x48
    source = write_coded(tmp_path / "source.mp4", frames, "libx264", b_frames=b_frames)
    path = copy_coded(source, tmp_path / f"made.{ending}")
    notes = conform_output(Generation(path), job, target)
    assert notes == ("the video had no sound, the case's was added",)
    assert np.array_equal(written(target, 30), media.read_frames(source))
    found = media.probe(target)
    assert (found.video_codec, found.fps, found.constant_rate) == ("h264", 25.0, True)
    assert media.read_frames_at(target)[1] == ""


def test_the_same_bits_in_mov_and_mp4_give_the_same_output(tmp_path: Path) -> None:
    job = make_job(tmp_path, 30)
    source = tmp_path / "made.mp4"
    media.write_video(source, moving_frames(30), sound=job.speech)
    job = dataclasses.replace(job, speech=media.read_sound(source))
    kept = []
    for ending in ("mp4", "mov"):
        target = tmp_path / f"{ending}.mp4"
        path = copy_coded(source, tmp_path / f"copy.{ending}")
        assert conform_output(Generation(path), job, target) == ()
        kept.append((media.read_frames(target), media.read_sound(target)))
    assert np.array_equal(kept[0][0], kept[1][0])
    assert np.array_equal(kept[0][1], kept[1][1])
    assert np.array_equal(kept[0][1], job.speech)


def test_an_mp4_with_another_sound_format_keeps_its_frames(tmp_path: Path) -> None:
    job, target = make_job(tmp_path, 30), tmp_path / "a.mp4"
    both = np.repeat(tone(1.2)[:, None], 2, axis=1)  # (S, 2)
    path = tmp_path / "made.mp4"
    frames = moving_frames(30)
    write_coded(path, frames, "libx264", sounds=(both,), sound_codec="aac", b_frames=2)
    assert conform_output(Generation(path), job, target) == ()
    assert np.array_equal(written(target, 30), media.read_frames(path))


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.avi", "ffv1", "yuv420p"),
        ("a.avi", "mpeg4", "yuv420p"),
        ("a.mkv", "libx264", "yuv444p"),
        ("a.mov", "png", "rgb24"),
        ("a.mp4", "mpeg4", "yuv420p"),
    ],
)
def test_what_browsers_do_not_play_is_encoded_and_the_note_has_reason_and_loss(
    tmp_path: Path, name: str, codec: str, pixels: str
) -> None:
    job, target = make_job(tmp_path, 30), tmp_path / "out.mp4"
    path = write_coded(tmp_path / name, moving_frames(30), codec, pixels=pixels)
    *_, note = conform_output(Generation(path), job, target)
    wanted = rf"frames re-encoded because browsers do not play \w+ {pixels}: PSNR ([\d.]+) dB"
    told = re.fullmatch(wanted, note)
    assert told is not None, note
    squares = (written(target, 30).astype(float) - media.read_frames(path)) ** 2
    assert float(told[1]) == pytest.approx(10 * np.log10(255**2 / squares.mean()), abs=0.051)


def test_frames_in_a_lossless_file_score_as_frames_in_memory(tmp_path: Path) -> None:
    job, frames = make_job(tmp_path, 30), moving_frames(30)
    path = write_coded(tmp_path / "a.mkv", frames, "ffv1", pixels="bgr0")
    conform_output(Generation(path), job, tmp_path / "file.mp4")
    conform_output(Generation(frames), job, tmp_path / "memory.mp4")
    assert (tmp_path / "file.mp4").read_bytes() == (tmp_path / "memory.mp4").read_bytes()


def test_a_damaged_output_is_encoded_with_a_note(tmp_path: Path) -> None:
    job, target = make_job(tmp_path, 30), tmp_path / "a.mp4"
    source = write_coded(tmp_path / "s.avi", moving_frames(30), "mpeg4")

    def without(number: int, packet: av.Packet) -> av.Packet | None:
        return None if number == 29 else packet

    notes = conform_output(Generation(copy_coded(source, tmp_path / "b.avi", without)), job, target)
    assert "last frame repeated 1 times" in notes
    assert notes[-1].startswith("frames re-encoded because")


def test_clips_once_read_wrongly_have_new_keys_and_others_keep_theirs(tmp_path: Path) -> None:
    frames = moving_frames(3)
    media.write_video(tmp_path / "a.mp4", frames)
    for name, codec in (("a.mov", "libx264"), ("a.mpg", "mpeg1video")):
        write_coded(tmp_path / name, frames, codec)
    for name, codec in (("a.avi", "mpeg4"), ("a.mkv", "libx264"), ("a.ts", "libx264")):
        write_coded(tmp_path / name, frames, codec)
    voice = write_wav(tmp_path / "a.wav", tone(0.1), 16_000)
    write_image(tmp_path / "a.png", frames[0])
    for name in ("a.mp4", "a.mov", "a.mpg", "a.png", "gone.avi"):
        assert conform_version(Clip("a", tmp_path / name, voice)) == CONFORM_VERSION
    for name in ("a.avi", "a.mkv", "a.ts"):
        assert conform_version(Clip("a", tmp_path / name)) == MISREAD_VERSION
    assert conform_version(Clip("a", tmp_path / "a.mp4", tmp_path / "a.avi")) == MISREAD_VERSION


def test_an_old_cached_result_with_several_tracks_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    sounds = (np.zeros(6400, np.int16), tone(0.4))
    write_coded(
        path, moving_frames(10), "libx264", sounds=sounds, sound_codec="aac", default_sound=1
    )
    made = conform_clip(Clip("clip", path), cache=tmp_path / "cache")
    assert "2 sound tracks, number 2 is read" in made.notes
    assert np.abs(media.read_sound(made.path)).max() > 4000
    record = next((tmp_path / "cache" / "clips").glob("*.json"))
    line = json.loads(record.read_text())
    del line["tracks"]
    record.write_text(json.dumps({**line, "notes": ["of old"]}))
    assert conform_clip(Clip("clip", path), cache=tmp_path / "cache") == made


def test_a_clip_longer_than_the_longest_is_refused(tmp_path: Path) -> None:
    path = write_timed(tmp_path / "clip.mkv", numbered_frames(3), [0, 40, 4000])
    with pytest.raises(BenchError, match=r"at most 3 s are read"):
        conform_clip(Clip("clip", path), cache=tmp_path / "cache", longest=3)
    assert conform_clip(Clip("clip", path), cache=tmp_path / "cache").frames > 90


@pytest.mark.shared
def test_a_shared_mov_scores_as_the_mp4_of_the_same_bits(tmp_path: Path, shared: Path) -> None:
    path = shared / "cases" / "media" / "same_bits_as_mp4.mov"
    frames = media.read_frames(path)
    face = tmp_path / "face.mp4"
    media.write_video(face, frames, sound=tone(3.0))
    clip = Clip("face", face)
    job = Job(
        Case("data", "reconstruct", clip, clip),
        Video(face),
        media.read_sound(face),
        75,
        tmp_path / "work",
        0,
        logging.getLogger("job"),
    )
    assert conform_output(Generation(path), job, tmp_path / "a.mp4") == ()
    assert np.array_equal(media.read_frames(tmp_path / "a.mp4"), frames)
