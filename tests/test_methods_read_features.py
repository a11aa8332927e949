"""Methods that read features of the face clip: they get them, and the features enter their keys."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench import media
from bench.checks import run_checks
from bench.contract.registry import load_registry
from bench.data.manifest import read_manifest
from bench.records.schema import GENERATIONS
from bench.run.config import load_config
from bench.run.plan import make_plan
from tests.conftest import ROOT
from tests.small_data import make_config, make_manifest
from tests.small_records import read_records
from tests.test_run import bench

READER = ROOT / "tests" / "plugins" / "grey_of.py"


def prepare(folder: Path, **changes: object) -> Path:
    """A config whose method reads a feature that no metric reads."""
    make_manifest(folder / "data")
    shutil.copy(READER, folder)
    settings: dict[str, object] = {
        "plugins": ["brightness.py", "grey_of.py"],
        "methods": [{"name": "still"}, {"name": "grey_of"}],
        "metrics": [{"name": "brightness"}],
        "cases": {"kinds": ["reconstruct"]},
        "tables": [],
    }
    return make_config(folder, **{**settings, **changes})


def test_a_method_gets_the_feature_that_it_reads(tmp_path: Path) -> None:
    code, output = bench("run", prepare(tmp_path), "-o", tmp_path / "run")
    assert code == 0, output
    clips = {clip.id: clip for clip in read_manifest(tmp_path / "data/manifest.csv")}
    made = [
        each for each in read_records(tmp_path / "run" / GENERATIONS) if each["method"] == "grey_of"
    ]
    assert len(made) == 3
    for each in made:
        frames = media.read_frames(tmp_path / "run" / str(each["video"]))
        given = media.read_frames(clips[str(each["case"])].video)
        assert abs(float(frames.mean()) - float(given.mean())) < 3.0


def test_a_features_options_enter_the_keys_of_methods_that_read_it(tmp_path: Path) -> None:
    more = [{"name": "shade", "options": {"more": 5}}]
    plain = make_plan(load_config(prepare(tmp_path)))
    other = make_plan(load_config(prepare(tmp_path, features=more)))
    before = {method.label: method.key for method in plain.methods}
    changed = {each.label for each in other.methods if each.key != before[each.label]}
    assert changed == {"grey_of"}


def test_a_feature_that_is_not_there_is_told_with_its_place(tmp_path: Path) -> None:
    config = prepare(tmp_path)
    text = READER.read_text(encoding="utf-8").replace('{"shade"}', '{"shadow"}')
    (tmp_path / "grey_of.py").write_text(text, encoding="utf-8")
    code, output = bench("plan", config)
    assert code == 2
    said = " ".join(output.split())
    assert "methods[1]: method 'grey_of': there is no feature 'shadow' to read" in said


def test_such_a_method_keeps_the_contract() -> None:
    results = run_checks(load_registry([READER]).methods["grey_of"].plugin)
    assert {each.name: each.detail for each in results if each.status != "passed"} == {}
    assert "makes the frames asked for in cross" in {each.name for each in results}
