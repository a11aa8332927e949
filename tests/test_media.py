"""Video, sound and image files: what goes in comes out, in step, in colour and in count."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from bench import media
from bench.errors import BenchError
from tests.small_media import (
    RATE,
    clicks,
    counting_picture,
    moving_picture,
    numbers,
    set_display_matrix,
    tone,
    write_timed,
    write_wav,
)


@pytest.mark.parametrize("count", [1, 2, 25, 26, 53])
def test_as_many_frames_come_out_as_go_in(tmp_path: Path, count: int) -> None:
    path = tmp_path / "clip.mp4"
    frames = counting_picture(count)
    assert media.write_video(path, frames, sound=tone(0.04 * count)) == count
    assert numbers(media.read_frames(path)) == list(range(count))
    assert len(media.read_sound(path)) == 640 * count
    found = media.probe(path)
    assert (found.frames, found.fps, found.constant_rate) == (count, 25.0, True)
    assert found.seconds == pytest.approx(0.04 * count)


@pytest.mark.parametrize(("width", "height"), [(16, 16), (18, 34), (256, 256), (100, 2), (2, 2)])
def test_any_even_size_comes_back(tmp_path: Path, width: int, height: int) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, moving_picture(3, width, height))
    assert media.read_frames(path).shape == (3, height, width, 3)


def test_pictures_come_back_nearly_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    frames = moving_picture(10, 128, 96)
    media.write_video(path, frames, crf=8)
    error = media.read_frames(path)[:, 8:-8, 8:-8].astype(float) - frames[:, 8:-8, 8:-8]
    assert abs(float(error.mean())) < 0.3
    assert np.sqrt(np.mean(error**2)) < 2.5


def test_flat_colours_come_back_within_two_levels(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    colours = generator.integers(0, 256, (12, 3), dtype=np.uint8)
    errors = []
    for index, colour in enumerate(colours):
        path = tmp_path / f"{index}.mp4"
        media.write_video(path, [np.full((32, 32, 3), colour, np.uint8)])
        errors.append(media.read_frames(path)[0, 16, 16].astype(int) - colour)
    assert np.abs(errors).max() <= 2
    assert abs(np.mean(errors)) < 0.5


@pytest.mark.parametrize("matrix", [1, 5, 6])
def test_the_matrix_that_a_file_names_is_used(tmp_path: Path, matrix: int) -> None:
    colour = np.array([200, 40, 90], np.uint8)
    frames = np.full((2, 32, 32, 3), colour, np.uint8)
    path = write_timed(tmp_path / "clip.mp4", frames, [0, 40], matrix=matrix)
    assert np.abs(media.read_frames(path)[0, 16, 16].astype(int) - colour).max() <= 4


def test_written_files_name_their_colours_and_play_in_browsers(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, moving_picture(5), sound=tone(0.2))
    data = path.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        voice = container.streams.audio[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert (context.colorspace, context.color_range) == (6, 1)
        assert (voice.name, voice.sample_rate, voice.layout.name) == ("aac", RATE, "mono")


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "a.mp4", tmp_path / "other name.mp4"
    for path in (first, second):
        media.write_video(path, moving_picture(30), sound=tone(1.2))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("place", [0, 1, 639, 1023, 1024, 2048, 31_000, 47_999])
def test_a_click_stays_at_its_sample(tmp_path: Path, place: int) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, counting_picture(75), sound=clicks(48_000, [place]))
    sound = media.read_sound(path)
    assert len(sound) == 48_000
    assert int(np.abs(sound.astype(int)).argmax()) == place


def test_sound_may_be_shorter_or_longer_than_the_pictures(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    for samples in (1, 640, 1000, 3200, 20_000):
        media.write_video(path, counting_picture(5), sound=tone(1.25)[:samples])
        assert len(media.read_sound(path)) == samples
        assert len(media.read_frames(path)) == 5


def test_a_video_without_sound_has_none(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, moving_picture(2))
    assert media.read_sound(path) is None
    assert media.probe(path).has_sound is False


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ([], "no frame"),
        ([np.zeros((31, 32, 3), np.uint8)], "even"),
        ([np.zeros((0, 0, 3), np.uint8)], "even"),
        ([np.zeros((32, 32, 3), np.float32)], "float32"),
        ([np.zeros((32, 32, 4), np.uint8)], r"\(32, 32, 4\)"),
        ([np.zeros((32, 32), np.uint8)], r"\(32, 32\)"),
        (["picture"], "str"),
        ([np.zeros((32, 32, 3), np.uint8), np.zeros((32, 34, 3), np.uint8)], "34x32"),
    ],
)
def test_wrong_frames_are_named_and_leave_nothing(
    tmp_path: Path, frames: list[np.ndarray], words: str
) -> None:
    with pytest.raises(BenchError, match=words):
        media.write_video(tmp_path / "clip.mp4", frames)
    assert list(tmp_path.iterdir()) == []


def test_wrong_sound_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="float64"):
        media.write_video(tmp_path / "a.mp4", moving_picture(2), sound=np.zeros(10))


def test_a_failing_source_of_frames_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, moving_picture(2))
    before = path.read_bytes()

    def failing():
        yield moving_picture(1)[0]
        raise RuntimeError("the method broke")

    with pytest.raises(RuntimeError, match="the method broke"):
        media.write_video(path, failing())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_frames_come_one_by_one_as_all_at_once(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, moving_picture(7))
    assert np.array_equal(np.stack(list(media.iter_frames(path))), media.read_frames(path))


def test_chosen_frames_come_as_they_are_among_all(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, moving_picture(31))
    whole = media.read_frames(path)
    assert np.array_equal(media.pick_frames(path, [30, 0, 12, 0]), whole[[0, 12, 30]])
    with pytest.raises(BenchError, match=r"of frames \[3, 31\] only 1 decode"):
        media.pick_frames(path, [3, 31])


def test_constant_25_fps_is_not_resampled(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, counting_picture(30))
    frames, note = media.read_frames_at(path)
    assert numbers(frames) == list(range(30))
    assert note == ""


@pytest.mark.parametrize(("fps", "count", "wanted"), [(50, 50, 25), (30, 30, 25), (12.5, 25, 50)])
def test_other_rates_go_to_25_fps_by_time(
    tmp_path: Path, fps: float, count: int, wanted: int
) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, counting_picture(count), fps=fps)
    frames, note = media.read_frames_at(path)
    assert note == f"{fps:g} fps -> 25 fps by timestamps, {count} -> {wanted} frames"
    exact = np.arange(wanted) / 25 * fps
    assert len(frames) == wanted
    assert np.abs(np.array(numbers(frames)) - np.minimum(exact, count - 1)).max() < 0.501


def test_variable_rate_takes_the_picture_nearest_in_time(tmp_path: Path) -> None:
    times = [0, 40, 200, 215, 240, 280]
    path = write_timed(tmp_path / "clip.mkv", counting_picture(6), times)
    frames, note = media.read_frames_at(path)
    at = np.arange(7) * 40
    assert numbers(frames)[:7] == [int(np.abs(np.array(times) - t).argmin()) for t in at]
    assert "by timestamps" in note
    assert media.probe(path).constant_rate is False


@pytest.mark.parametrize(
    ("matrix", "turned"),
    [
        ((0, -1, 1, 0), lambda picture: np.rot90(picture, 1)),
        ((0, 1, -1, 0), lambda picture: np.rot90(picture, -1)),
        ((-1, 0, 0, -1), lambda picture: np.rot90(picture, 2)),
        ((-1, 0, 0, 1), lambda picture: picture[:, ::-1]),
        ((1, 0, 0, -1), lambda picture: picture[::-1]),
    ],
)
def test_pictures_are_turned_upright(tmp_path: Path, matrix: tuple[int, ...], turned) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, moving_picture(3, 64, 32))
    stored = media.read_frames(path)
    set_display_matrix(path, *matrix)
    upright = media.read_frames(path)
    assert np.array_equal(upright[1], turned(stored[1]))
    assert np.array_equal(media.read_image(path), turned(stored[0]))


def test_probe_tells_the_rotation(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, moving_picture(3))
    set_display_matrix(path, 0, -1, 1, 0)
    assert media.probe(path).rotation == 90


def test_alpha_is_dropped_from_images(tmp_path: Path) -> None:
    path = tmp_path / "50%03d ü:.png"
    picture = np.zeros((7, 9, 4), np.uint8)
    picture[:, :, 0], picture[:, :, 3] = 200, np.arange(9)
    with av.open(str(tmp_path / "plain.png"), "w", format="image2pipe") as container:
        stream = container.add_stream("png")
        stream.width, stream.height, stream.pix_fmt = 9, 7, "rgba"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgba")))
        container.mux(stream.encode(None))
    (tmp_path / "plain.png").rename(path)
    assert np.array_equal(media.read_image(path), picture[:, :, :3])


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000, 96_000])
def test_any_sample_rate_becomes_16_khz(tmp_path: Path, rate: int) -> None:
    path = write_wav(tmp_path / "sound.wav", tone(1.0, rate), rate)
    sound = media.read_sound(path)
    assert abs(len(sound) - RATE) <= 1
    wanted = tone(1.0)
    middle = slice(2000, 14_000)
    error = sound[middle].astype(float) - wanted[middle]
    assert 10 * np.log10(np.mean(wanted[middle].astype(float) ** 2) / np.mean(error**2)) > 45


def test_16_khz_mono_passes_bit_by_bit(tmp_path: Path) -> None:
    sound = np.random.default_rng(0).integers(-32768, 32768, 12_345).astype(np.int16)
    path = write_wav(tmp_path / "sound.wav", sound, RATE)
    assert np.array_equal(media.read_sound(path), sound)


def test_stereo_is_mixed_to_its_mean(tmp_path: Path) -> None:
    both = np.stack([tone(0.5), np.zeros(8000, np.int16)], axis=1)  # (S, 2)
    sound = media.read_sound(write_wav(tmp_path / "s.wav", both, RATE, "stereo"))
    assert np.abs(sound.astype(int) - tone(0.5) // 2).max() <= 1


def test_six_channels_are_mixed_without_clipping(tmp_path: Path) -> None:
    six = np.repeat((tone(0.5).astype(int) * 3.9).astype(np.int16)[:, None], 6, axis=1)  # (S, 6)
    sound = media.read_sound(write_wav(tmp_path / "s.wav", six, RATE, "5.1"))
    assert len(sound) == 8000
    assert 10_000 < np.abs(sound.astype(int)).max() < 32_767


@pytest.mark.parametrize("late_ms", [0, 100])
def test_sound_that_starts_late_is_padded_in_front(tmp_path: Path, late_ms: int) -> None:
    path = tmp_path / "clip.mkv"
    times = [40 * k for k in range(10)]
    write_timed(path, counting_picture(10), times, sound=clicks(3200, [5]), sound_ms=late_ms)
    assert int(media.read_sound(path).argmax()) == late_ms * 16 + 5


def test_sound_that_starts_before_the_pictures_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    times = [100 + 40 * k for k in range(10)]
    write_timed(path, counting_picture(10), times, sound=clicks(8000, [1605]))
    assert int(media.read_sound(path).argmax()) == 5
    assert numbers(media.read_frames_at(path)[0]) == list(range(10))


def test_sound_hours_away_from_the_pictures_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    write_timed(path, counting_picture(2), [0, 40], sound=tone(0.1), sound_ms=3_600_000)
    with pytest.raises(BenchError, match=r"3600\.0 s"):
        media.read_sound(path)


def test_a_truncated_file_gives_what_decodes_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, moving_picture(50), sound=tone(2.0))
    whole = media.decode(path)
    assert whole.complete
    assert whole.note == ""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    part = media.decode(path)
    assert not part.complete
    assert 0 < len(part.frames) < 50
    assert f"{len(part.frames)} of 50 pictures decode" in part.note
    assert len(part.times) == len(part.frames)


def test_more_frames_than_memory_allows_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, moving_picture(50))
    with pytest.raises(BenchError, match="50 frames of 64x48 take"):
        media.read_frames(path, max_bytes=64 * 48 * 3 * 49)
    with pytest.raises(BenchError, match="at most"):
        media.read_frames_at(path, max_bytes=64 * 48 * 3 * 49)


@pytest.mark.parametrize("is_writable", [True, False])
def test_frames_of_a_large_video_stand_on_a_file_that_goes_with_them(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch, is_writable: bool
) -> None:
    path = tmp_path / "a.mp4"
    media.write_video(path, moving_picture(12))
    in_memory = media.read_frames(path)
    monkeypatch.setattr(media.pictures, "MOST_IN_MEMORY", in_memory.nbytes - 1)
    if not is_writable:
        own_cache.write_text("a file where the cache folder should be")
    frames = media.read_frames(path)
    assert np.array_equal(frames, in_memory)
    base: object = frames
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap) == is_writable
    if is_writable:
        assert list((own_cache / "frames").iterdir()) == []


def test_pictures_that_change_size_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "clip.mpg"
    parts = []
    for index, size in enumerate([(64, 48), (32, 32)]):
        part = tmp_path / f"{index}.m1v"
        with av.open(str(part), "w", format="mpeg1video") as container:
            stream = container.add_stream("mpeg1video", rate=25)
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            for frame in moving_picture(5, *size):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
            container.mux(stream.encode(None))
        parts.append(part.read_bytes())
    path.write_bytes(b"".join(parts))
    with pytest.raises(BenchError, match="changes from 64x48 to 32x32"):
        media.read_frames(path)


@pytest.mark.parametrize("name", ["missing.mp4", "empty.mp4", "text.mp4", "folder.mp4", "list.mp4"])
@pytest.mark.parametrize(
    "read", [media.probe, media.read_frames, media.read_sound, media.read_image, media.decode]
)
def test_what_is_no_media_file_is_an_error_with_its_name(tmp_path: Path, name: str, read) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("This is not a video.\n" * 50)
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n")
    with pytest.raises(BenchError, match=name):
        read(tmp_path / name)


def test_sound_files_have_no_pictures_and_silent_headers_no_sound(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "sound.wav", tone(0.1), RATE)
    with pytest.raises(BenchError, match="no pictures"):
        media.read_frames(path)
    found = media.probe(path)
    assert (found.frames, found.has_sound, found.sound_rate) == (0, True, RATE)
    path.write_bytes(path.read_bytes()[:44])
    with pytest.raises(BenchError, match=r"sound\.wav"):
        media.read_sound(path)


@pytest.mark.parametrize(("width", "height"), [(32, 24), (128, 96), (30, 50)])
def test_resizing_keeps_colours_and_gives_the_size(width: int, height: int) -> None:
    frame = np.full((48, 64, 3), (200, 30, 90), np.uint8)
    scaled = media.resize(frame, width=width, height=height)
    assert scaled.shape == (height, width, 3)
    assert np.abs(scaled.astype(int) - (200, 30, 90)).max() <= 1
