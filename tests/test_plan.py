"""What a plan takes from a config, and what it says before anything runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.data import synth
from bench.ground.errors import BenchError
from bench.run.config import load_config
from bench.run.plan import make_plan
from tests.small_data import make_config, make_manifest
from tests.test_run import bench


def config_with_pairs(folder: Path, text: str, **more: str) -> Path:
    make_manifest(folder / "data")
    (folder / "unpaired.txt").write_text(text, encoding="utf-8")
    entry = {"name": "tiny", "manifest": "data/manifest.csv", "pairs": "unpaired.txt", **more}
    return make_config(folder, data=[entry])


def line_of(config: Path, text: str) -> int:
    """The number of the one line of a config that has this text."""
    lines = config.read_text(encoding="utf-8").splitlines()
    (number,) = [number for number, line in enumerate(lines, 1) if text in line]
    return number


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
    assert f"{config}:{line_of(config, 'pairs:')}: data[0].pairs: " in text
    assert f"{tmp_path / 'unpaired.txt'}:2: 'nobody' is not a clip of this data set" in text


@pytest.mark.parametrize(
    ("entry", "key", "said"),
    [
        ({"manifest": "gone.csv"}, "manifest", "cannot be read: No such file"),
        ({"manifest": "$NOWHERE/a.csv"}, "manifest", "$NOWHERE is not set"),
        ({"manifest": "data/manifest.csv", "split": "tset"}, "split", "no clip has the split"),
        ({"importer": "folder", "root": "gone"}, "root", "is no folder"),
        ({"importer": "folder", "root": "data", "split": "tset"}, "split", "has no clip in"),
        ({"corpus": "synth-en", "split": "tset"}, "split", "'tset'; expected one of"),
        ({"manifest": "$NOWHERE", "stand_in": "synth-en", "split": "x"}, "split", "'x'; expected"),
        ({"manifest": "data/manifest.csv", "pairs": "gone.txt"}, "pairs", "cannot be read"),
    ],
)
def test_what_is_wrong_with_the_data_names_the_line_of_its_key(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    entry: dict[str, str],
    key: str,
    said: str,
) -> None:
    monkeypatch.delenv("NOWHERE", raising=False)
    make_manifest(tmp_path / "data")
    first = {"name": "sound", "manifest": "data/manifest.csv"}
    config = make_config(tmp_path, data=[first, {"name": "tiny", **entry}])
    with pytest.raises(BenchError) as caught:
        make_plan(load_config(config))
    head, _, problem = str(caught.value).partition("\n")
    assert head == f"1 problem in {config}"
    line = line_of(config, f"{key}: {entry[key]}")
    assert problem.startswith(f"{config}:{line}: data[1].{key}: ")
    assert said in problem


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        ({"corpus": "synth-en"}, "corpus"),
        ({"root": "$NOWHERE", "stand_in": "synth-en"}, "stand_in"),
    ],
)
def test_a_corpus_that_cannot_be_made_names_the_line_of_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: dict[str, str], key: str
) -> None:
    def build(*_: object, **__: object) -> Path:
        raise BenchError("espeak-ng cannot be loaded")

    monkeypatch.delenv("NOWHERE", raising=False)
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(synth, "build", build)
    more = {"importer": "folder"} if "root" in entry else {}
    config = make_config(tmp_path, data=[{"name": "tiny", **entry, **more}])
    place = f"{config}:{line_of(config, f'{key}: synth-en')}: data[0].{key}: "
    with pytest.raises(BenchError, match=re.escape(f"{place}espeak-ng cannot be loaded")):
        make_plan(load_config(config))


def test_all_data_and_too_many_pairs_are_told_at_once(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data")
    entries = [
        {"name": "good", "manifest": "data/manifest.csv"},
        {"name": "bad", "manifest": "gone.csv"},
    ]
    config = make_config(tmp_path, data=entries, cases={"cross": 9})
    code, output = bench("plan", config, "-o", tmp_path / "run")
    text = " ".join(output.split())
    assert code == 2
    assert f"small.yaml:{line_of(config, 'cross: 9')}: cases.cross: pairs: count is 9" in text
    assert f"small.yaml:{line_of(config, 'gone.csv')}: data[1].manifest: " in text


def test_weights_that_are_not_here_are_said_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BENCH_WEIGHTS", raising=False)
    make_manifest(tmp_path / "data")
    metrics = [{"name": "lse", "options": {"scorer": "syncnet_v2"}}]
    config = make_config(tmp_path, faces="yunet", metrics=metrics, tables=[])
    code, output = bench("plan", config, "-o", tmp_path / "run")
    text = " ".join(output.split())
    assert code == 2
    assert f"1 problem in {config}" in text
    assert f"{config}:{line_of(config, 'name: lse')}: metrics[0]: metric 'lse': weights" in text
    for name in ("syncnet_v2", "yunet"):
        assert f"weights '{name}' are not here; run: bench weights pull {name}" in text
    methods = [{"name": "truth"}, {"name": "wav2lip", "options": {"weights": "wav2lip"}}]
    config = make_config(tmp_path, methods=methods, tables=[])
    code, output = bench("plan", config, "-o", tmp_path / "run")
    assert code == 0
    assert "cells will fail: weights 'wav2lip' are not here" in " ".join(output.split())
    code, output = bench("plan", make_config(tmp_path), "-o", tmp_path / "run")
    assert "cells will fail" not in output
