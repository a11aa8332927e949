"""What a plan takes from a config, and what it says before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.config import load_config
from bench.errors import BenchError
from bench.plan import make_plan
from tests.small_data import make_config, make_manifest
from tests.test_run import bench


def config_with_pairs(folder: Path, text: str, **more: str) -> Path:
    make_manifest(folder / "data")
    (folder / "unpaired.txt").write_text(text, encoding="utf-8")
    entry = {"name": "tiny", "manifest": "data/manifest.csv", "pairs": "unpaired.txt", **more}
    return make_config(folder, data=[entry])


@pytest.mark.parametrize("order", ["audio video", "video audio"])
def test_a_list_of_pairs_becomes_the_cross_cases(tmp_path: Path, order: str) -> None:
    config = config_with_pairs(tmp_path, "one two\nthree one\n", pairs_order=order)
    cases = [each.case for each in make_plan(load_config(config)).cases]
    cross = [(case.face.id, case.speech.id) for case in cases if case.kind == "cross"]
    sound_first = [("two", "one"), ("one", "three")]
    assert cross == (
        sound_first if order == "audio video" else [pair[::-1] for pair in sound_first]
    )
    assert {case.kind for case in cases} == {"reconstruct", "probe", "cross"}


def test_a_wrong_pair_names_config_key_file_and_line(tmp_path: Path) -> None:
    config = config_with_pairs(tmp_path, "one two\none nobody\n")
    with pytest.raises(BenchError) as caught:
        make_plan(load_config(config))
    text = str(caught.value)
    assert f"{config}: data[0]: " in text
    assert f"{tmp_path / 'unpaired.txt'}:2: 'nobody' is no clip of this data set" in text


def test_weights_that_are_not_here_are_said_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BENCH_WEIGHTS", raising=False)
    make_manifest(tmp_path / "data")
    metrics = [{"name": "lse", "options": {"scorer": "syncnet_v2"}}]
    config = make_config(tmp_path, faces="yunet", metrics=metrics, tables=[])
    code, output = bench("plan", config, "-o", tmp_path / "run")
    text = " ".join(output.split())
    assert code == 0
    for name in ("syncnet_v2", "yunet"):
        way = f"cells will fail: weights '{name}' are not here; run: bench weights pull {name}"
        assert way in text
    code, output = bench("plan", make_config(tmp_path), "-o", tmp_path / "run")
    assert "cells will fail" not in output
