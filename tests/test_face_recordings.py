"""Metrics that read the face's recording: they have it for cases of every kind, `cross` too."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench import media
from tests.conftest import ROOT
from tests.small_data import make_config, make_manifest
from tests.small_records import read_records
from tests.test_run import bench


def prepare(folder: Path, names: tuple[str, ...] = ("one", "two")) -> Path:
    make_manifest(folder / "data", names)
    shutil.copy(ROOT / "tests" / "plugins" / "grey_distance.py", folder)
    return make_config(
        folder,
        plugins=["brightness.py", "grey_distance.py"],
        methods=[{"name": "dimmed"}],
        metrics=[{"name": "face_grey"}],
        cases={"kinds": ["reconstruct", "cross"]},
        tables=[{"name": "comparison", "columns": ["face_grey.face_grey"]}],
    )


def test_a_cross_case_has_the_face_that_the_method_got(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert bench("run", prepare(tmp_path), "-o", run)[0] == 0
    made = {str(each["sha256"]): each for each in read_records(run / "generations.jsonl")}
    kinds = set()
    for record in read_records(run / "measurements.jsonl"):
        generation = made[str(record["video_sha256"])]
        kinds.add(generation["kind"])
        face = str(generation["case"]).partition("+")[0]
        (recorded,) = (tmp_path / "data").rglob(f"{face}.mp4")
        grey = media.read_frames(recorded).mean()
        video = media.read_frames(run / str(generation["video"])).mean()
        assert record["values"]["face_grey"] == pytest.approx(abs(video - grey), abs=1.0)
        assert record["reference_sha256"] is None
    assert kinds == {"reconstruct", "cross"}


def test_nothing_is_measured_twice(tmp_path: Path) -> None:
    config, run = prepare(tmp_path), tmp_path / "run"
    assert bench("run", config, "-o", run)[0] == 0
    code, output = bench("run", config, "-o", run)
    assert code == 0
    assert "nothing to do" in output
