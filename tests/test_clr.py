"""The rules for CLR, each on clips that keep and break it, and the account."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench import media
from bench.data import clr
from bench.data.manifest import read_manifest
from bench.features.faces import Detection
from bench.ground.errors import BenchError
from bench.ground.types import Frame
from tests.test_run import bench


def video(path: Path, *, frames: int = 5, fps: float = 25, sound: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = (np.full((32, 32, 3), number % 256, np.uint8) for number in range(frames))
    samples = np.ones(round(frames / fps * 16_000), np.int16) if sound else None
    media.write_video(path, grey, fps=fps, sound=samples)


def put(root: Path, name: str, text: str | None, *, frames: int = 5, fps: float = 25) -> None:
    video(root / "video" / f"{name}.mp4", frames=frames, fps=fps)
    video(root / "audio" / f"{name}.wav", frames=frames, fps=fps, sound=True)
    if text is not None:
        write(root / "text" / f"{name}.txt", text)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    root = tmp_path / "cmlr"
    put(root, "s1/20170121/section_1_000.00_000.20", "桂" * 29)
    put(root, "s11/20170121/section_1_000.00_000.20", "新闻联播，今天。", fps=30)
    put(root, "s1/20170121/section_2_000.00_000.20", "桂" * 30)
    put(root, "s1/20170121/section_3_000.00_000.20", None)
    put(root, "s1/20170121/section_4_000.00_003.00", "三秒整", frames=75)
    put(root, "s1/20170121/section_5_000.00_003.04", "太长", frames=76)
    put(root, "s12/20170121/section_1_000.00_000.20", "别人")
    put(root, "s2/20170121/section_1_000.00_000.20", "坏了")
    write(root / "video/s2/20170121/section_1_000.00_000.20.mp4", "no video at all")
    put(root, "s2/20170121/section_2_000.00_000.20", "无声")
    video(root / "audio/s2/20170121/section_2_000.00_000.20.wav")
    return root


def test_unlisted_clips_are_reported(corpus: Path, tmp_path: Path) -> None:
    write(corpus / "train.csv", "s1/20170121/section_1_000.00_000.20\nand 7 more\n")
    account = clr.build_clr(corpus, None, tmp_path / "clr.csv")
    assert "train.csv: 1 of 2 lines name no clip, the first is line 2: 'and 7 more'" in str(account)


def test_every_rule_keeps_and_drops_the_right_clips(corpus: Path, tmp_path: Path) -> None:
    account = clr.build_clr(corpus, None, tmp_path / "clr.csv")
    assert [clip.id for clip in account.kept] == [
        "s1-20170121-section_1_000.00_000.20",
        "s1-20170121-section_4_000.00_003.00",
        "s11-20170121-section_1_000.00_000.20",
    ]
    assert {(name.split("_000")[0], rule) for name, rule, _ in account.dropped} == {
        ("s1-20170121-section_2", "more than 29 characters"),
        ("s1-20170121-section_3", "no text"),
        ("s1-20170121-section_5", "longer than 3 s"),
        ("s12-20170121-section_1", "not one of the newsreaders s1 to s11"),
        ("s2-20170121-section_1", "unreadable"),
        ("s2-20170121-section_2", "no sound"),
    }
    assert account.converted == 1  # the one at 30 fps
    assert read_manifest(tmp_path / "clr.csv") == list(account.kept)


def test_the_account_counts_by_rule_and_says_what_it_did_not_check(
    corpus: Path, tmp_path: Path
) -> None:
    account = clr.build_clr(corpus, None, tmp_path / "clr.csv")
    assert sum(account.reasons.values()) == len(account.dropped) == 6
    told = str(account)
    assert "kept 3 clips" in told
    assert "2 of 11 newsreaders" in told
    assert "1 more than 29 characters" in told
    assert "not checked: the face is centred" in told


def test_sights_of_guilin_have_their_own_limit_and_splits(corpus: Path, tmp_path: Path) -> None:
    extra = tmp_path / "guilin"
    for name, text in (("good", "桂" * 20), ("long", "桂" * 21), ("mute", "无声")):
        video(extra / "anna" / f"{name}.mp4", sound=name != "mute")
        write(extra / "anna" / f"{name}.txt", text)
    out = tmp_path / "clr.csv"
    account = clr.build_clr(corpus, extra, out)
    (sight,) = [clip for clip in account.kept if clip.id.startswith("sights-")]
    assert (sight.id, sight.speaker, sight.language) == ("sights-anna-good", "anna", "zh")
    assert sight.split in {"train", "val", "test"}
    assert ("sights-anna-long", "more than 20 characters", "21 characters") in account.dropped
    assert "no sound" in {rule for name, rule, _ in account.dropped if name == "sights-anna-mute"}
    assert read_manifest(out) == list(account.kept)


class _FaceAt:
    """A detector that always finds one face around a given place."""

    name = "fixed"

    def __init__(self, middle: float) -> None:
        self.box = (middle - 4, 8.0, middle + 4, 20.0)

    def detect(self, frame: Frame) -> list[Detection]:
        return [Detection(self.box, None, 1.0)]


def test_a_detector_checks_that_the_face_is_centred(corpus: Path, tmp_path: Path) -> None:
    account = clr.build_clr(corpus, None, tmp_path / "clr.csv", detector=_FaceAt(16))
    assert len(account.kept) == 3
    assert not any("centred" in rule for rule in account.unchecked)
    with pytest.raises(BenchError, match="3 no face in the middle"):
        clr.build_clr(corpus, None, tmp_path / "none.csv", detector=_FaceAt(5))
    assert not (tmp_path / "none.csv").exists()


def test_characters_leave_out_blanks_and_punctuation() -> None:
    assert clr.characters("桂林，山水 甲天下。") == 7
    assert clr.characters("") == 0


def test_the_command_can_check_that_the_face_is_centred(corpus: Path, tmp_path: Path) -> None:
    asked = ("data", "build", "clr", "--cmlr", corpus)
    code, output = bench(*asked, "-o", tmp_path / "clr.csv")
    assert code == 0
    assert "not checked: the face is centred" in " ".join(output.split())
    code, output = bench(*asked, "-o", tmp_path / "none.csv", "--faces", "haar")
    assert code == 2
    assert "3 no face in the middle" in " ".join(output.split())  # the clips are grey
