"""Awkward and broken files give a conformed clip or a BenchError, and nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from bench import media
from bench.data.conform import conform_clip
from bench.data.doctor import examine
from bench.ground.errors import BenchError
from bench.ground.types import Clip
from tests.conftest import shared_clips
from tests.small_media import (
    copy_coded,
    moving_frames,
    numbered_frames,
    set_display_matrix,
    tone,
    write_coded,
    write_timed,
    write_wav,
)

Maker = Callable[[Path], Path]


def good(folder: Path, name: str = "clip.mp4", **settings: object) -> Path:
    """A valid video of ten frames with sound."""
    path = folder / name
    media.write_video(path, moving_frames(10), sound=tone(0.4), **settings)
    return path


def cut_to(share: float) -> Maker:
    """A video of which only the first part is left."""

    def make(folder: Path) -> Path:
        path = good(folder)
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * share)])
        return path

    return make


def overwritten(start: float, end: float) -> Maker:
    """A video with noise in some of its bytes."""

    def make(folder: Path) -> Path:
        path = good(folder)
        data = bytearray(path.read_bytes())
        place = slice(int(len(data) * start), int(len(data) * end))
        data[place] = np.random.default_rng(0).bytes(len(data[place]))
        path.write_bytes(data)
        return path

    return make


def of_bytes(name: str, data: bytes) -> Maker:
    """A file with these bytes."""

    def make(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return make


def with_codec(name: str, codec: str, pixels: str, size: tuple[int, int], count: int = 5) -> Maker:
    """A video of any codec, pixel format, size and count, without sound."""

    def make(folder: Path) -> Path:
        path = folder / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = *size, pixels
            for frame in moving_frames(count, *size):
                picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
                container.mux(stream.encode(picture.reformat(format=pixels)))
            container.mux(stream.encode(None))
        return path

    return make


def with_sound(samples: np.ndarray) -> Maker:
    """A video of ten frames with this 16 kHz sound in matroska."""

    def make(folder: Path) -> Path:
        times = [40 * k for k in range(10)]
        return write_timed(folder / "clip.mkv", numbered_frames(10), times, sound=samples)

    return make


def sound_only(folder: Path) -> Path:
    return write_wav(folder / "clip.wav", tone(0.5), 16_000)


def sound_named_mp4(folder: Path) -> Path:
    return write_wav(folder / "clip.wav", tone(0.5), 16_000).rename(folder / "clip.mp4")


def a_folder(folder: Path) -> Path:
    (folder / "clip.mp4").mkdir()
    return folder / "clip.mp4"


def a_broken_link(folder: Path) -> Path:
    (folder / "clip.mp4").symlink_to(folder / "gone.mp4")
    return folder / "clip.mp4"


def turned(folder: Path) -> Path:
    path = good(folder)
    set_display_matrix(path, 0, -1, 1, 0)
    return path


def changing_size(folder: Path) -> Path:
    parts = [
        with_codec(f"{width}.m1v", "mpeg1video", "yuv420p", (width, 48))(folder).read_bytes()
        for width in (64, 32)
    ]
    path = folder / "clip.mpg"
    path.write_bytes(b"".join(parts))
    return path


VALUES: dict[str, Maker] = {
    "a whole video": good,
    "unicode and blanks in the name": lambda folder: good(folder, "Zoë 你好 clip .mp4"),
    "signs in the name": lambda folder: good(folder, "a:b %03d #1 'q' [x] & (1)?.mp4"),
    "a name without ending": lambda folder: good(folder).rename(folder / "clip"),
    "a wrong ending": lambda folder: good(folder).rename(folder / "clip.avi"),
    "a name that starts with a dash": lambda folder: good(folder, "-i.mp4"),
    "one frame": with_codec("clip.mkv", "libx264", "yuv420p", (64, 48), 1),
    "16x16": with_codec("clip.mkv", "libx264", "yuv420p", (16, 16)),
    "odd size": with_codec("clip.mkv", "ffv1", "yuv444p", (33, 27)),
    "alpha": with_codec("clip.mkv", "ffv1", "yuva420p", (64, 48)),
    "rgb with alpha": with_codec("clip.mov", "qtrle", "argb", (64, 48)),
    "ten bits": with_codec("clip.mkv", "ffv1", "yuv420p10le", (64, 48)),
    "grey": with_codec("clip.mkv", "ffv1", "gray", (64, 48)),
    "4:4:4": with_codec("clip.mp4", "libx264", "yuv444p", (64, 48)),
    "full range": with_codec("clip.avi", "mjpeg", "yuvj420p", (64, 48)),
    "an animated gif": with_codec("clip.gif", "gif", "rgb8", (64, 48)),
    "mpeg-1": with_codec("clip.mpg", "mpeg1video", "yuv420p", (64, 48)),
    "60 fps": lambda folder: good(folder, fps=60),
    "one frame a second": lambda folder: good(folder, fps=1),
    "rotated": turned,
    "variable rate": lambda folder: write_timed(
        folder / "clip.mkv", numbered_frames(4), [0, 10, 300, 310]
    ),
    "two frames at nearly one time": lambda folder: write_timed(
        folder / "clip.mkv", numbered_frames(3), [0, 1, 2]
    ),
    "sound shorter than the video": with_sound(tone(0.1)),
    "sound longer than the video": with_sound(tone(3.0)),
    "sound of one sample": with_sound(tone(1.0)[:1]),
    "digital silence": with_sound(np.zeros(6400, np.int16)),
    "cut after three quarters": cut_to(0.75),
    "noise in the middle": overwritten(0.6, 0.7),
}

ERRORS: dict[str, Maker] = {
    "missing": lambda folder: folder / "clip.mp4",
    "a way out of the folder": lambda folder: folder / ".." / "nowhere" / "clip.mp4",
    "empty": of_bytes("clip.mp4", b""),
    "one byte": of_bytes("clip.mp4", b"\0"),
    "zeros": of_bytes("clip.mp4", bytes(10_000)),
    "noise": of_bytes("clip.mp4", np.random.default_rng(1).bytes(10_000)),
    "text": of_bytes("clip.mp4", b"not a video at all\n" * 30),
    "a web page": of_bytes("clip.mp4", b"<!doctype html><html><body>404</body></html>"),
    "a playlist": of_bytes("clip.mp4", b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n"),
    "an image that is none": of_bytes("clip.png", b"\x89PNG\r\n\x1a\n" + bytes(50)),
    "a folder": a_folder,
    "a broken link": a_broken_link,
    "sound only": sound_only,
    "sound named mp4": sound_named_mp4,
    "header only": cut_to(0.1),
    "noise in the header": overwritten(0.01, 0.2),
    "changing size": changing_size,
    "1x1": with_codec("clip.mkv", "ffv1", "yuv444p", (1, 1)),
    "15 rows": with_codec("clip.mkv", "ffv1", "yuv444p", (64, 15)),
}

SOUNDS: dict[str, tuple[int, str, int]] = {
    "8 kHz": (8_000, "mono", 1),
    "96 kHz": (96_000, "mono", 1),
    "22050 Hz stereo": (22_050, "stereo", 2),
    "5.1": (48_000, "5.1", 6),
    "7.1": (44_100, "7.1", 8),
}


@pytest.mark.parametrize("name", VALUES)
def test_awkward_files_become_clips(tmp_path: Path, name: str) -> None:
    path = VALUES[name](tmp_path)
    made = conform_clip(Clip("clip", path), cache=tmp_path / "cache")
    frames, sound = media.read_frames(made.path), media.read_sound(made.path)
    assert len(frames) == made.frames > 0
    assert (sound is not None) == made.has_sound
    assert sound is None or len(sound) == 640 * made.frames


@pytest.mark.parametrize("name", ERRORS)
def test_broken_files_end_with_a_reason_that_names_them(tmp_path: Path, name: str) -> None:
    path = ERRORS[name](tmp_path)
    with pytest.raises(BenchError, match="clip"):
        conform_clip(Clip("clip", path), cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("clips/*"))


@pytest.mark.parametrize("name", SOUNDS)
def test_awkward_sounds_become_16_khz_mono(tmp_path: Path, name: str) -> None:
    rate, layout, channels = SOUNDS[name]
    many = np.repeat(tone(0.4, rate)[:, None], channels, axis=1)  # (S, channels)
    voice = write_wav(tmp_path / "voice.wav", many, rate, layout)
    made = conform_clip(Clip("clip", good(tmp_path), audio=voice), cache=tmp_path / "cache")
    sound = media.read_sound(made.path)
    assert len(sound) == 6400
    assert np.abs(sound.astype(int)).max() > 2000


@pytest.mark.parametrize("name", ["missing", "empty", "text", "without sound"])
def test_broken_sounds_end_with_a_reason(tmp_path: Path, name: str) -> None:
    voice = tmp_path / "voice.wav"
    if name == "empty":
        voice.touch()
    if name == "text":
        voice.write_text("no sound")
    if name == "without sound":
        media.write_video(tmp_path / "x.mp4", moving_frames(2))
        (tmp_path / "x.mp4").rename(voice)
    with pytest.raises(BenchError, match="voice"):
        conform_clip(Clip("clip", good(tmp_path), audio=voice), cache=tmp_path / "cache")


@pytest.mark.parametrize("name", [*VALUES, *ERRORS])
def test_the_doctor_marks_awkward_files_and_never_raises(tmp_path: Path, name: str) -> None:
    path = {**VALUES, **ERRORS}[name](tmp_path)
    found = examine(Clip("clip", path))
    assert found.frames or any(mark.startswith("unreadable") for mark in found.marks)


def test_flipped_bytes_end_as_values_or_reasons(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    sounds, frames = (tone(0.4),), moving_frames(10)
    sources = [
        write_coded(tmp_path / f"a.{ending}", frames, codec, sounds=sounds, sound_codec=voice)
        for ending, codec, voice in (
            ("mp4", "libx264", "aac"),
            ("avi", "mpeg4", "pcm_s16le"),
            ("mkv", "libx264", "aac"),
            ("flv", "flv", "aac"),
        )
    ]
    for round_ in range(20):
        source = sources[round_ % len(sources)]
        data = bytearray(source.read_bytes())
        for place in generator.integers(0, min(len(data), 1500), 3):
            data[place] ^= 1 << generator.integers(8)
        path = tmp_path / f"clip{source.suffix}"
        path.write_bytes(data)
        examine(Clip("clip", path))
        for read in (media.probe, media.read_frames, media.read_sound):
            with contextlib.suppress(BenchError):
                read(path)


def test_the_doctor_names_the_tracks_that_are_read(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    sounds = (np.zeros(16_000, np.int16), tone(1.0))
    write_coded(path, moving_frames(25), "libx264", sounds=sounds)
    marks = examine(Clip("clip", path)).marks
    assert "2 sound tracks, number 1 is read" in marks
    assert "the sound is silent; track 2 of the file is not: flag it as default" in marks
    write_coded(path, moving_frames(25), "libx264", sounds=sounds, default_sound=1)
    assert examine(Clip("clip", path)).marks == ("2 sound tracks, number 2 is read",)


def test_the_doctor_marks_a_stream_that_begins_inside_a_gop(tmp_path: Path) -> None:
    source = write_coded(tmp_path / "a.mp4", moving_frames(60), "libx264", b_frames=2)
    path = copy_coded(
        source, tmp_path / "clip.ts", lambda number, packet: packet if number > 9 else None
    )
    assert "the first 15 frames do not decode" in examine(Clip("clip", path)).marks


def test_the_doctor_marks_a_frame_hours_later(tmp_path: Path) -> None:
    path = write_timed(tmp_path / "clip.mkv", numbered_frames(3), [0, 40, 36_000_000])
    assert any("1800 s are read" in mark for mark in examine(Clip("clip", path)).marks)


@pytest.mark.shared
# The portrait takes half a minute; the next test also reads it.
@pytest.mark.parametrize("name", [n for n in shared_clips() if not n.startswith("portrait_1080")])
def test_every_shared_clip_becomes_a_clip_or_a_reason(
    tmp_path: Path, shared: Path, name: str
) -> None:
    path = shared / "data" / "clips" / name
    try:
        made = conform_clip(Clip(path.stem, path), cache=tmp_path / "cache")
    except BenchError as error:
        found = str(error).rpartition(": ")[2]
        assert found
    else:
        found = str(made.frames)
        sound = media.read_sound(made.path)
        assert sound is None or len(sound) == 640 * made.frames
    known = {
        "speech_16k_18s.wav": "has no video track",
        "woman_700_22.131fps.mp4": "153",
        "example_shift5.avi": "319",
        "truncated_file_silent_256.mp4": "111",
    }
    assert found == known.get(name, found)


@pytest.mark.shared
def test_a_truncated_shared_clip_says_how_many_frames_decode(shared: Path) -> None:
    decoded = media.decode(shared / "data" / "clips" / "truncated_file_silent_256.mp4")
    assert not decoded.complete
    assert decoded.note.endswith("110 of 157 frames decode")
    portrait = media.probe(shared / "data" / "clips" / "portrait_1080x1920_30fps_hevc.mp4")
    assert (portrait.width, portrait.height, portrait.fps) == (1080, 1920, 30.0)
