"""Video, sound and image files are read back with the same count, colours and alignment."""

from __future__ import annotations

import os
import struct
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from bench import media
from bench.ground.errors import BenchError
from tests.small_media import (
    RATE,
    beats,
    clicks,
    copy_coded,
    heard,
    moving_frames,
    numbered_frames,
    numbers,
    pack_b_frames,
    set_display_matrix,
    tone,
    write_coded,
    write_timed,
    write_wav,
)


@pytest.mark.parametrize("count", [1, 2, 25, 26, 53])
def test_as_many_frames_come_out_as_go_in(tmp_path: Path, count: int) -> None:
    path = tmp_path / "clip.mp4"
    frames = numbered_frames(count)
    assert media.write_video(path, frames, sound=tone(0.04 * count)) == count
    assert numbers(media.read_frames(path)) == list(range(count))
    assert len(media.read_sound(path)) == 640 * count
    found = media.probe(path)
    assert (found.frames, found.fps, found.constant_rate) == (count, 25.0, True)
    assert found.seconds == pytest.approx(0.04 * count)


@pytest.mark.parametrize(("width", "height"), [(16, 16), (18, 34), (256, 256), (100, 2), (2, 2)])
def test_any_even_size_comes_back(tmp_path: Path, width: int, height: int) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, moving_frames(3, width, height))
    assert media.read_frames(path).shape == (3, height, width, 3)


def test_frames_come_back_nearly_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    frames = moving_frames(10, 128, 96)
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
    media.write_video(path, moving_frames(5), sound=tone(0.2))
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
        media.write_video(path, moving_frames(30), sound=tone(1.2))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("place", [0, 1, 639, 1023, 1024, 2048, 31_000, 47_999])
def test_a_click_stays_at_its_sample(tmp_path: Path, place: int) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, numbered_frames(75), sound=clicks(48_000, [place]))
    sound = media.read_sound(path)
    assert len(sound) == 48_000
    assert int(np.abs(sound.astype(int)).argmax()) == place


def test_sound_may_be_shorter_or_longer_than_the_video(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    for samples in (1, 640, 1000, 3200, 20_000):
        media.write_video(path, numbered_frames(5), sound=tone(1.25)[:samples])
        assert len(media.read_sound(path)) == samples
        assert len(media.read_frames(path)) == 5


def test_a_video_without_sound_has_none(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, moving_frames(2))
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
def test_wrong_frames_are_refused_and_leave_no_file(
    tmp_path: Path, frames: list[np.ndarray], words: str
) -> None:
    with pytest.raises(BenchError, match=words):
        media.write_video(tmp_path / "clip.mp4", frames)
    assert list(tmp_path.iterdir()) == []


def test_wrong_sound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="float64"):
        media.write_video(tmp_path / "a.mp4", moving_frames(2), sound=np.zeros(10))


def test_a_failing_source_of_frames_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, moving_frames(2))
    before = path.read_bytes()

    def failing():
        yield moving_frames(1)[0]
        raise RuntimeError("the method broke")

    with pytest.raises(RuntimeError, match="the method broke"):
        media.write_video(path, failing())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_frames_read_one_by_one_equal_those_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, moving_frames(7))
    assert np.array_equal(np.stack(list(media.iter_frames(path))), media.read_frames(path))


def test_picked_frames_equal_those_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, moving_frames(31))
    whole = media.read_frames(path)
    assert np.array_equal(media.pick_frames(path, [30, 0, 12, 0]), whole[[0, 12, 30]])
    assert media.count_frames(path) == 31
    with pytest.raises(BenchError, match=r"only 1 of the frames \[3, 31\] decode"):
        media.pick_frames(path, [3, 31])


def test_constant_25_fps_is_not_resampled(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, numbered_frames(30))
    frames, note = media.read_frames_at(path)
    assert numbers(frames) == list(range(30))
    assert note == ""


@pytest.mark.parametrize(("fps", "count", "wanted"), [(50, 50, 25), (30, 30, 25), (12.5, 25, 50)])
def test_other_rates_are_resampled_to_25_fps_by_time(
    tmp_path: Path, fps: float, count: int, wanted: int
) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, numbered_frames(count), fps=fps)
    frames, note = media.read_frames_at(path)
    assert note == f"{fps:g} fps -> 25 fps by timestamps, {count} -> {wanted} frames"
    exact = np.arange(wanted) / 25 * fps
    assert len(frames) == wanted
    assert np.abs(np.array(numbers(frames)) - np.minimum(exact, count - 1)).max() < 0.501


def test_variable_rate_takes_the_frame_nearest_in_time(tmp_path: Path) -> None:
    times = [0, 40, 200, 215, 240, 280]
    path = write_timed(tmp_path / "clip.mkv", numbered_frames(6), times)
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
def test_frames_are_turned_upright(tmp_path: Path, matrix: tuple[int, ...], turned) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, moving_frames(3, 64, 32))
    stored = media.read_frames(path)
    set_display_matrix(path, *matrix)
    upright = media.read_frames(path)
    assert np.array_equal(upright[1], turned(stored[1]))
    assert np.array_equal(media.read_image(path), turned(stored[0]))


def test_probe_gives_the_rotation(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, moving_frames(3))
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


def test_16_khz_mono_stays_bit_exact(tmp_path: Path) -> None:
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
    write_timed(path, numbered_frames(10), times, sound=clicks(3200, [5]), sound_ms=late_ms)
    assert int(media.read_sound(path).argmax()) == late_ms * 16 + 5


def test_sound_that_starts_before_the_video_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    times = [100 + 40 * k for k in range(10)]
    write_timed(path, numbered_frames(10), times, sound=clicks(8000, [1605]))
    assert int(media.read_sound(path).argmax()) == 5
    assert numbers(media.read_frames_at(path)[0]) == list(range(10))


def test_sound_hours_away_from_the_video_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    write_timed(path, numbered_frames(2), [0, 40], sound=tone(0.1), sound_ms=3_600_000)
    with pytest.raises(BenchError, match=r"3600\.0 s"):
        media.read_sound(path)


def test_a_truncated_file_gives_what_decodes_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, moving_frames(50), sound=tone(2.0))
    whole = media.decode(path)
    assert whole.complete
    assert whole.note == ""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    part = media.decode(path)
    assert not part.complete
    assert 0 < len(part.frames) < 50
    assert f"{len(part.frames)} of 50 frames decode" in part.note
    assert len(part.times) == len(part.frames)


def test_more_frames_than_memory_allows_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, moving_frames(50))
    with pytest.raises(BenchError, match="50 frames of 64x48 take"):
        media.read_frames(path, max_bytes=64 * 48 * 3 * 49)
    with pytest.raises(BenchError, match="at most"):
        media.read_frames_at(path, max_bytes=64 * 48 * 3 * 49)


@pytest.mark.parametrize("is_writable", [True, False])
def test_frames_of_a_large_video_are_mapped_from_a_file_that_is_freed_with_them(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch, is_writable: bool
) -> None:
    path = tmp_path / "a.mp4"
    media.write_video(path, moving_frames(12))
    in_memory = media.read_frames(path)
    monkeypatch.setattr(media.frames, "MOST_IN_MEMORY", in_memory.nbytes - 1)
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


def test_frames_that_change_size_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "clip.mpg"
    parts = []
    for index, size in enumerate([(64, 48), (32, 32)]):
        part = tmp_path / f"{index}.m1v"
        with av.open(str(part), "w", format="mpeg1video") as container:
            stream = container.add_stream("mpeg1video", rate=25)
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            for frame in moving_frames(5, *size):
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
def test_a_file_that_is_no_media_file_is_an_error_with_its_name(
    tmp_path: Path, name: str, read
) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("This is not a video.\n" * 50)
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n")
    with pytest.raises(BenchError, match=name):
        read(tmp_path / name)


def test_sound_files_have_no_video_and_empty_tracks_no_sound(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "sound.wav", tone(0.1), RATE)
    with pytest.raises(BenchError, match="no video track"):
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


BEATS = (12, 37, 52)
COUNT = 60  # of frames
STORED = {  # file: codec of video and sound, number of B-frames, container
    "a.avi": ("libx264", "pcm_s16le", 2, None),
    "without b.avi": ("libx264", "pcm_s16le", 0, None),
    "part 2.avi": ("mpeg4", "pcm_s16le", 2, None),
    "lossless.avi": ("ffv1", "pcm_s16le", 0, None),
    "a.mp4": ("libx264", "aac", 2, None),
    "with mp3.mp4": ("libx264", "libmp3lame", 2, None),
    "a.mov": ("libx264", "pcm_s16le", 2, None),
    "a.mkv": ("libx264", "aac", 2, None),
    "with mp3.mkv": ("libx264", "libmp3lame", 0, None),
    "with opus.mkv": ("libx264", "libopus", 0, None),
    "a.nut": ("libx264", "pcm_s16le", 2, None),
    "a.flv": ("libx264", "aac", 2, None),
    "a.ts": ("libx264", "mp2", 2, None),
    "a.mpg": ("mpeg2video", "mp2", 2, None),
    "a.wmv": ("wmv2", None, 0, None),
    "a.m4v": ("mpeg4", None, 2, "m4v"),
    "a.h264": ("libx264", None, 2, "h264"),
}


def write_beats(folder: Path, name: str) -> Path:
    """Writes numbered frames with beats, as STORED says."""
    codec, sound_codec, b_frames, container = STORED[name]
    return write_coded(
        folder / name,
        numbered_frames(COUNT),
        codec,
        sounds=(beats(COUNT, BEATS),) if sound_codec else (),
        sound_codec=sound_codec or "",
        b_frames=b_frames,
        container=container,
    )


def assert_in_step(path: Path, *, late: float = 0.0) -> None:
    """Checks that every frame comes once and in order, and that sound is `late` frames behind."""
    frames, note = media.read_frames_at(path)
    assert (numbers(frames), note) == (list(range(COUNT)), "")
    assert numbers(media.read_frames(path)) == list(range(COUNT))
    found = media.probe(path)
    assert (found.frames, found.fps, found.constant_rate) == (COUNT, 25.0, True)
    sound = media.read_sound(path)
    assert sound is None or heard(sound) == pytest.approx([b + late for b in BEATS], abs=0.05)


@pytest.mark.parametrize("name", STORED)
def test_every_container_shows_each_frame_once_and_aligned(tmp_path: Path, name: str) -> None:
    path = write_beats(tmp_path, name)
    if name == "a.h264":  # which stores no times at all
        assert numbers(media.read_frames_at(path)[0]) == list(range(COUNT))
    else:
        assert_in_step(path)


def test_h264_copied_into_avi_is_shown_unchanged(tmp_path: Path) -> None:
    path = copy_coded(write_beats(tmp_path, "a.mp4"), tmp_path / "copy.avi")
    with av.open(str(path)) as container:
        assert container.streams.video[0].average_rate == 600  # by the header
    assert_in_step(path, late=1024 / 640)  # AVI does not store that AAC starts with a silent block
    assert media.decode(path).complete


def test_packed_b_frames_are_shown_in_order(tmp_path: Path) -> None:
    plain = write_coded(tmp_path / "b.avi", numbered_frames(COUNT), "mpeg4", b_frames=1)
    assert_in_step(pack_b_frames(plain, tmp_path / "packed.avi"))


def test_decoding_times_stored_as_presentation_times_are_recognised(
    tmp_path: Path,
) -> None:
    def careless(number: int, packet: av.Packet) -> av.Packet:
        packet.pts = packet.dts = packet.dts + 1024
        return packet

    source = write_beats(tmp_path, "a.mp4")
    for name in ("careless.mp4", "careless.mkv"):
        frames, note = media.read_frames_at(copy_coded(source, tmp_path / name, careless))
        assert (numbers(frames), note) == (list(range(COUNT)), "")


def test_frames_before_matroskas_zero_are_read(tmp_path: Path) -> None:
    source = write_beats(tmp_path, "a.mp4")
    path = tmp_path / "early.mkv"
    with (
        av.open(str(source)) as given,
        av.open(str(path), "w", options={"avoid_negative_ts": "disabled"}) as made,
    ):
        copies = [made.add_stream_from_template(stream) for stream in given.streams]
        for packet in given.demux():
            if packet.dts is not None:
                back = round(18 / 25 / packet.time_base)
                packet.pts, packet.dts = packet.pts - back, packet.dts - back
                packet.stream = copies[packet.stream.index]
                made.mux(packet)
    with av.open(str(path)) as container:
        assert next(container.demux(video=0)).pts is None
    assert_in_step(path)


@pytest.mark.parametrize("ending", ["ts", "mkv", "avi", "mp4", "flv"])
def test_a_stream_that_begins_inside_a_gop_gets_a_note_and_stays_aligned(
    tmp_path: Path, ending: str
) -> None:
    source = write_beats(tmp_path, "a.mp4")
    path = copy_coded(
        source, tmp_path / f"late.{ending}", lambda number, packet: packet if number > 9 else None
    )
    resampled = media.Resampled(path)
    shown = numbers(np.stack(list(resampled)))
    late = 1024 / 640 if ending == "avi" else 0
    beat = heard(media.read_sound(path))[-2] - late  # of frame 37
    assert shown.index(37) == round(beat)
    assert resampled.damage == "the first 15 frames do not decode"
    assert shown[0] == 25  # the first that decodes takes their place
    assert media.decode(path).note == resampled.damage


@pytest.mark.parametrize("ending", ["avi", "mp4", "mkv"])
def test_a_lost_frame_moves_no_other(tmp_path: Path, ending: str) -> None:
    def damaged(number: int, packet: av.Packet) -> av.Packet:
        if number != 30:
            return packet
        broken = av.Packet(b"\0\0\0\4\x65\xff\xff\xff")
        broken.pts, broken.dts, broken.time_base = packet.pts, packet.dts, packet.time_base
        broken.duration, broken.stream = packet.duration, packet.stream
        return broken

    path = copy_coded(write_beats(tmp_path, "a.mp4"), tmp_path / f"lost.{ending}", damaged)
    resampled = media.Resampled(path)
    shown = numbers(np.stack(list(resampled)))
    assert len(shown) == COUNT
    assert shown[:24] == list(range(24))
    assert shown[50:] == list(range(50, COUNT))  # one GOP later
    assert "damaged" in resampled.damage


def test_damage_looks_the_same_on_any_number_of_cores(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    media.write_video(path, np.random.default_rng(0).integers(0, 256, (10, 96, 96, 3), np.uint8))
    data = bytearray(path.read_bytes())
    for place in np.random.default_rng(1).integers(len(data) // 8, len(data) * 7 // 8, 5):
        data[place] ^= 0x55
    path.write_bytes(data)
    many, usable = media.decode(path), os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(usable)})
    try:
        one = media.decode(path)
    finally:
        os.sched_setaffinity(0, usable)
    assert "damaged" in many.note
    assert one.note == many.note
    assert np.array_equal(one.frames, many.frames)


def test_frames_at_the_same_time_are_left_out_with_a_note(tmp_path: Path) -> None:
    def doubled(number: int, packet: av.Packet) -> av.Packet:
        if number == 5:
            packet.pts = packet.dts = 160  # milliseconds, as number 4
        return packet

    path = write_coded(tmp_path / "a.mkv", numbered_frames(10), "ffv1")
    frames, note = media.read_frames_at(copy_coded(path, tmp_path / "b.mkv", doubled))
    assert numbers(frames) == [0, 1, 2, 3, 4, 4, 6, 7, 8, 9]
    assert note.endswith("10 -> 10 frames, 1 left out that are not later than the frame before")


def test_the_last_frame_lasts_as_long_as_the_others(tmp_path: Path) -> None:
    path = copy_coded(write_beats(tmp_path, "a.mp4"), tmp_path / "copy.avi")
    stored = media.StoredFrames(path)
    times = [time for time, _ in stored]
    assert stored.end - times[-1] == pytest.approx(0.04)


@pytest.mark.parametrize("codec", ["ffv1", "mpeg4", "libx264"])
def test_frames_left_out_in_avi_extend_the_frame_before(tmp_path: Path, codec: str) -> None:
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as made:
        stream = made.add_stream(codec, rate=25, options={"qmin": "2", "qmax": "2", "crf": "8"})
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for number, frame in enumerate(numbered_frames(20)):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.pts = number if number < 10 else number + 4
            picture.time_base = Fraction(1, 25)
            made.mux(stream.encode(picture))
        made.mux(stream.encode(None))
    resampled = media.Resampled(path)
    shown = numbers(np.stack(list(resampled)))
    assert len(shown) == 24
    assert sorted(set(shown)) == list(range(20))
    assert sorted(shown) == shown
    assert resampled.damage == ""


def two_sounds(path: Path, **settings: object) -> Path:
    """Writes numbered frames with two sound tracks: beats one frame late, and aligned beats."""
    late = beats(COUNT, tuple(place + 1 for place in BEATS))
    return write_coded(
        path,
        numbered_frames(COUNT),
        "libx264",
        sounds=(late, beats(COUNT, BEATS)),
        sound_codec="aac",
        **settings,
    )


@pytest.mark.parametrize("ending", ["mkv", "mp4"])
def test_the_sound_track_flagged_as_default_is_read(tmp_path: Path, ending: str) -> None:
    for chosen, late in ((0, 1.0), (1, 0.0)):
        path = two_sounds(tmp_path / f"{chosen}.{ending}", default_sound=chosen)
        wanted = [place + late for place in BEATS]
        assert heard(media.read_sound(path)) == pytest.approx(wanted, abs=0.05)
        found = media.probe(path)
        assert (found.sound_tracks, found.sound_track) == (2, chosen)
        assert found.track_notes == [f"2 sound tracks, number {chosen + 1} is read"]
        assert heard(media.read_sound(path, track=1)) == pytest.approx(list(BEATS), abs=0.05)


def test_without_a_flag_the_track_with_most_channels_is_read_then_the_first(tmp_path: Path) -> None:
    voice = beats(COUNT, BEATS)
    both = np.stack([voice, voice], axis=1)
    silent = np.zeros_like(voice)
    frames = numbered_frames(COUNT)
    path = tmp_path / "a.mkv"
    write_coded(path, frames, "libx264", sounds=(silent, both), default_sound=9)
    assert len(heard(media.read_sound(path))) == 3
    write_coded(path, frames, "libx264", sounds=(voice, silent), default_sound=9)
    assert len(heard(media.read_sound(path))) == 3


LISTS = {
    "concat": "ffconcat version 1.0\nfile good.mp4\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\ngood.mp4\n#EXT-X-ENDLIST\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 9 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "subtitles": "1\n00:00:00,000 --> 00:00:02,000\nA text.\n",
    "web subtitles": "WEBVTT\n\n00:00.000 --> 00:02.000\nA text.\n",
    "metadata": ";FFMETADATA1\ntitle=a\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=1\n",
    "terminal": "\x1b[2J\x1b[1;1HA text in colours.\n" * 40,
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="x">'
    "<Period><AdaptationSet><Representation><BaseURL>good.mp4</BaseURL></Representation>"
    "</AdaptationSet></Period></MPD>",
    "a text": "Once upon a time there was a file that was no video.\n" * 40,
}


@pytest.mark.parametrize("ending", ["mp4", "txt", "m3u8", "ans", "srt", "mpd", "jpg", "sdp"])
@pytest.mark.parametrize("name", LISTS)
def test_playlists_and_texts_are_no_media_files(tmp_path: Path, name: str, ending: str) -> None:
    media.write_video(tmp_path / "good.mp4", moving_frames(3), sound=tone(0.1))
    path = tmp_path / f"list.{ending}"
    path.write_text(LISTS[name])
    for read in (media.read_frames, media.read_image, media.decode):
        with pytest.raises(BenchError, match="list"):
            read(path)


def test_the_error_for_an_unknown_format_lists_the_accepted_ones(tmp_path: Path) -> None:
    path = tmp_path / "list.mp4"
    path.write_text(LISTS["concat"])
    with pytest.raises(
        BenchError, match=r"a format that is not accepted; accepted: mp4, mov, .*wav"
    ):
        media.probe(path)


def test_a_numbered_image_is_one_file_and_no_sequence(tmp_path: Path) -> None:
    for name in ("a%d.png", "a1.png", "a2.png"):
        path = tmp_path / name
        media.write_video(tmp_path / "x.mp4", moving_frames(1))
        with av.open(str(tmp_path / "x.png"), "w", format="image2pipe") as container:
            stream = container.add_stream("png")
            stream.width, stream.height, stream.pix_fmt = 32, 32, "rgb24"
            picture = numbered_frames(40)[35 if name == "a%d.png" else 5]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        (tmp_path / "x.png").rename(path)
    assert numbers(media.read_frames(tmp_path / "a%d.png")) == [35]


def test_a_sound_without_a_decoder_is_refused_and_the_frames_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    write_coded(path, numbered_frames(5), "libx264", sounds=(tone(0.2),), sound_codec="aac")
    path.write_bytes(path.read_bytes().replace(b"A_AAC", b"A_ZZZ"))
    found = media.probe(path)
    assert (found.has_sound, found.sound_codec, found.video_codec) == (True, "", "h264")
    assert len(media.read_frames(path)) == 5
    with pytest.raises(BenchError, match="has no decoder for its sound"):
        media.read_sound(path)


def test_a_video_without_a_decoder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    media.write_video(path, moving_frames(5), sound=tone(0.2))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    media.probe(path)
    for read in (media.read_frames, media.read_image, media.decode):
        with pytest.raises(BenchError, match="has no decoder for its video"):
            read(path)


def test_a_wav_of_zero_bits_is_refused(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", tone(0.1), RATE)
    data = bytearray(path.read_bytes())
    place = data.index(b"fmt ") + 8
    data[place + 14 : place + 16] = b"\0\0"
    path.write_bytes(data)
    with pytest.raises(BenchError, match=r"a\.wav"):
        media.read_sound(path)


def test_a_frame_hours_later_is_refused_before_any_is_repeated(tmp_path: Path) -> None:
    path = write_timed(tmp_path / "a.mkv", numbered_frames(3), [0, 40, 36_000_000])
    resampled = media.Resampled(path)
    with pytest.raises(BenchError, match=r"36000 s after the first; at most 1800 s.*`longest`"):
        for _ in resampled:
            pass
    assert resampled.count < 5
    assert len(media.read_frames(path)) == 3  # as stored it is a small file


def test_the_longest_length_can_be_raised(tmp_path: Path) -> None:
    path = write_timed(tmp_path / "a.mkv", numbered_frames(3), [0, 40, 4000])
    with pytest.raises(BenchError, match="at most 2 s"):
        list(media.Resampled(path, longest=2))
    assert len(list(media.Resampled(path, longest=10))) > 100


def test_a_frame_repeated_for_gigabytes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_timed(tmp_path / "a.mkv", numbered_frames(3), [0, 40, 4000])
    monkeypatch.setattr(media.frames, "MAX_BYTES", 32 * 32 * 3 * 90)
    with pytest.raises(BenchError, match="one frame of 32x32 is shown for 4 s"):
        list(media.Resampled(path))


def test_endless_sound_is_refused(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", np.zeros(16_000 * 15, np.int16), RATE)
    with pytest.raises(BenchError, match=r"longer than the 1 s .*`longest`"):
        media.read_sound(path, longest=1)
    assert len(media.read_sound(path, longest=14)) == 16_000 * 15


def test_enormous_frames_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        code = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", code)

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(90_001), 9)
    path = tmp_path / "a.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )
    with pytest.raises(BenchError, match=r"a\.png"):
        media.read_image(path)
