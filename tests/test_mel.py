"""The log-mel picture of case pages: right in time and frequency, made once, none of silence."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import reports
from bench.ground.types import SAMPLE_RATE, SAMPLES_PER_FRAME, Sound
from bench.media import write_video
from reports.mel import BANDS, RANGE, Heard, draw_mel, loudness, mel, take_mels
from reports.plots import waveform
from tests.conftest import ROOT
from tests.fixtures_run import FRAMES, FakeRun, build_run


def tone(hertz: float, seconds: float) -> Sound:
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (10_000 * np.sin(2 * np.pi * hertz * time)).astype(np.int16)


def video(path: Path, sound: Sound | None, frames: int = 25) -> Heard:
    write_video(path, [np.zeros((32, 32, 3), np.uint8)] * frames, sound=sound)
    return Heard(path, f"digest of {path.name}", frames)


@pytest.mark.parametrize("hertz", [250, 1000, 4000])
def test_a_tone_lies_at_its_frequency_and_its_time(hertz: int) -> None:
    sound = np.concatenate([np.zeros(SAMPLE_RATE, np.int16), tone(hertz, 1.0)])
    found = loudness(sound, 50)  # (BANDS, 100)
    assert found.shape == (BANDS, 100)
    assert (found[:, :49] == -RANGE).all()
    bands = found[:, 52:].argmax(axis=0)
    wanted = mel(hertz) / mel(SAMPLE_RATE / 2) * BANDS
    assert (np.abs(bands + 0.5 - wanted) <= 1.0).all()
    assert (found[:, 52:].max(axis=0) > -3.0).all()


@pytest.mark.parametrize("frame", [0, 7, 24])
def test_a_click_is_seen_in_the_columns_of_its_frame(frame: int) -> None:
    sound = np.zeros(25 * SAMPLES_PER_FRAME, np.int16)
    sound[frame * SAMPLES_PER_FRAME + SAMPLES_PER_FRAME // 4] = 20_000
    assert loudness(sound, 25).max(axis=0).argmax() == 2 * frame


@pytest.mark.parametrize("seconds", [0.1, 1.0, 1.7])
def test_the_picture_is_as_long_as_the_video(seconds: float) -> None:
    assert loudness(tone(440, seconds), 25).shape == (BANDS, 50)


def test_a_picture_is_made_once_and_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = video(tmp_path / "a.mp4", tone(440, 1.0))
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    made = take_mels({"a": heard, "b": heard}, folder=tmp_path / "first", before=tmp_path / "none")
    assert made["a"] == made["b"]
    picture = cv2.imread(str(tmp_path / "first" / made["a"]))
    assert picture.shape == (BANDS, 50, 3)
    monkeypatch.setattr("reports.mel.loudness", lambda *_: 1 / 0)
    again = take_mels({"a": heard}, folder=tmp_path / "second", before=tmp_path / "first")
    assert again == {"a": made["a"]}
    both = [(tmp_path / name / made["a"]).read_bytes() for name in ("first", "second")]
    assert both[0] == both[1]


def test_silence_no_sound_and_no_video_have_no_picture(tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    asked = {
        "silent": video(tmp_path / "silent.mp4", np.zeros(SAMPLE_RATE, np.int16)),
        "mute": video(tmp_path / "mute.mp4", None),
        "broken": Heard(tmp_path / "broken.mp4", "b", 25),
        "gone": Heard(tmp_path / "gone.mp4", "g", 25),
    }
    assert take_mels(asked, folder=tmp_path, before=tmp_path / "none") == {}
    assert draw_mel("t", "a", "s", "", 1.0, 1.0) == ""


def test_it_stands_under_the_waveform_on_the_same_axis(tmp_path: Path) -> None:
    fake = FakeRun(videos=True, speakers=1, clips_each=1)
    out = tmp_path / "report"
    reports.build([build_run(tmp_path / "run", fake)], out)
    page = next((out / "cases").glob("*.html")).read_text(encoding="utf-8")
    (drawing,) = re.findall(r"<svg[^>]*>(?:(?!</svg>).)*<image.*?</svg>", page, flags=re.S)
    (address,) = re.findall(r'<image href="(.*?)"', drawing)
    assert (out / "cases" / address).resolve().is_file()
    wave = str(waveform("t", "a", "s", [1, 2, 3], FRAMES / 25))
    for end in ("left", "right"):
        assert re.findall(f'data-{end}="[0-9]+"', drawing) == re.findall(
            f'data-{end}="[0-9]+"', wave
        )
    assert 'class="plot timed"' in drawing  # the page's script moves its line over it
    assert {"250", "1k", "4k", "Hz"} <= set(re.findall(r">([^<>]+)<", drawing))
    # The whole axis is the players' length, and so is this sound.
    (left, wide) = re.findall(r'<image [^>]* x="(\d+)" [^>]*width="([\d.]+)"', drawing)[0]
    (right,) = re.findall(r'data-right="(\d+)"', drawing)
    assert float(left) + float(wide) == pytest.approx(float(right))


@pytest.mark.slow
def test_a_report_that_takes_its_pictures_over_loads_no_librosa(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", FakeRun(videos=True, speakers=1, clips_each=1))
    reports.build([run], tmp_path / "report")
    code = (
        "import sys, pathlib, reports; "
        f"reports.build([pathlib.Path({str(run)!r})], pathlib.Path({str(tmp_path / 'report')!r})); "
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert not {"librosa", "numba"} & set(done.stdout.split())
