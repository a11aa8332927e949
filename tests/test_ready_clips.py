"""Clips made ready: in their order, by several processes, the useless ones counted."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from bench.data import synth
from bench.data.conform import CONFORM_VERSION
from bench.data.manifest import read_manifest
from bench.features.faces import FACES_VERSION
from bench.ground.errors import BenchError
from bench.ground.types import Clip
from bench.train.ready_clips import CHUNK, DIGESTS, Detector, RawClip, ReadyClip, all_ready

LOG = logging.getLogger("test")


def made(raw: RawClip) -> tuple[str, int]:
    """The clip's id and the process that made it; every third clip is of no use."""
    if int(raw.clip.id) % 3 == 2:
        raise BenchError("it is a third one")
    return raw.clip.id, os.getpid()


def silent(raw: RawClip) -> str:
    """Makes one clip of each four."""
    if int(raw.clip.id) % 4:
        raise BenchError("it has no sound")
    return raw.clip.id


def raw_clips(count: int, cache: Path) -> list[RawClip]:
    return [RawClip(Clip(str(n), Path("none.mp4")), "haar", cache) for n in range(count)]


def test_several_processes_keep_the_order_and_the_log_counts_the_reasons(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    with caplog.at_level(logging.INFO):
        ready = all_ready(raw_clips(2 * CHUNK, tmp_path), made, split="train", log=LOG)
    assert [name for name, _ in ready] == ["0", "1", "3", "4", "6", "7"]
    assert os.getpid() not in {process for _, process in ready}
    assert "dropped 2: it is a third one (faces: haar)" in caplog.text
    assert "train: 6 clips; dropped 2 2 x it is a third one" in caplog.text


def test_a_machines_other_cores_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 128)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5}, raising=False)
    ready = all_ready(raw_clips(2 * CHUNK, tmp_path), made, split="train", log=LOG)
    assert {process for _, process in ready} == {os.getpid()}


def test_a_few_clips_need_no_other_process(tmp_path: Path) -> None:
    ready = all_ready(raw_clips(CHUNK, tmp_path), made, split="train", log=LOG)
    assert {process for _, process in ready} == {os.getpid()}


@pytest.mark.parametrize("count", [0, 4])
def test_fewer_than_half_of_the_clips_are_refused_with_the_reasons(
    tmp_path: Path, count: int
) -> None:
    said = rf"^data: {count // 4} of {count} clips of val can be used.*`bench doctor MANIFEST`"
    with pytest.raises(BenchError, match=said):
        all_ready(raw_clips(count, tmp_path), silent, split="val", log=LOG)


def one(raw: RawClip) -> dict[str, np.ndarray]:
    return {"made": np.array([int(raw.clip.id)])}


def ready(folder: Path) -> ReadyClip:
    raw = RawClip(Clip("7", Path("none.mp4"), sha256="ab" * 32), "haar", folder)
    return raw.ready("kind", one, version="1")


@pytest.mark.parametrize("damaged", ["made.npy", DIGESTS])
def test_what_is_kept_of_a_clip_is_made_again_where_its_bytes_have_changed(
    tmp_path: Path, damaged: str
) -> None:
    folder = ready(tmp_path).folder
    date = (folder / "made.npy").stat().st_mtime_ns
    assert ready(tmp_path).folder == folder
    assert (folder / "made.npy").stat().st_mtime_ns == date
    content = bytearray((folder / damaged).read_bytes())
    content[-2] ^= 1  # as long as it was
    (folder / damaged).write_bytes(content)
    assert ready(tmp_path).array("made").tolist() == [7]


def test_what_was_kept_before_there_were_digests_is_taken(tmp_path: Path) -> None:
    folder = ready(tmp_path).folder
    (folder / DIGESTS).unlink()
    date = (folder / "made.npy").stat().st_mtime_ns
    assert ready(tmp_path).folder == folder
    assert (folder / "made.npy").stat().st_mtime_ns == date


# A changed name would make every clip of every training ready once more.
NAMES: Mapping[Detector, str] = {
    "given": "e6f2bd1f518a4a82f962c62acd8126b3978e1e36405d93b751a804f0dc61dd65",
    "haar": "271a413bd339c5709fdceaec41f14f11e9fbfb5042d72d331c65f32b284cd09a",
}


@pytest.mark.parametrize("detector", NAMES)
def test_a_folder_is_named_by_all_that_shaped_it(tmp_path: Path, detector: Detector) -> None:
    clip = Clip("a", Path("a.mp4"), sha256="ab" * 32, box=(1.0, 2.0, 30.0, 40.5))
    folder = RawClip(clip, detector, tmp_path).folder("kind", version="7")
    shaped_by = f"{CONFORM_VERSION}-{FACES_VERSION}-7-{detector}"
    assert folder == tmp_path / "kind" / shaped_by / NAMES[detector]


def test_landmarks_enter_the_name_and_the_video_gives_them(tmp_path: Path) -> None:
    clip = read_manifest(synth.build("synth-en", "val", folder=tmp_path, clips=1, workers=1))[0]
    without, with_points = (
        RawClip(clip, "haar", tmp_path, model)
        for model in (None, "small")  # type: ignore[arg-type]
    )
    assert without.folder("kind", version="1") != with_points.folder("kind", version="1")
    video, _ = with_points.opened()
    found = video.feature("landmarks")
    assert found["points"].shape == (len(video.faces().boxes), 46, 2)
    with pytest.raises(BenchError, match="'landmarks' is not among those"):
        without.opened()[0].feature("landmarks")


def test_data_set_and_speaker_are_told_apart() -> None:
    def raw(**fields: str) -> RawClip:
        return RawClip(Clip("a", Path("a.mp4"), **fields), "haar", Path())  # type: ignore[arg-type]

    both, alone = raw(speaker="grid/s1"), raw(speaker="s1", language="en")
    assert (both.dataset, both.speaker) == ("grid", "s1")
    assert (alone.dataset, alone.speaker) == ("en", "s1")
