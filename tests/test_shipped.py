"""Shipped configs by name, a config to start from, and modules that shadow ours."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from bench.command import shadowed
from bench.config.shipped import (
    FOLDER,
    TRAININGS,
    find_config,
    folder_of,
    headline,
    shipped,
    text_of,
)
from bench.ground.errors import BenchError
from bench.run.config import load_config
from bench.train.config import load_train_config
from methods.wav2lip.training import Settings
from tests.conftest import ROOT
from tests.small_data import make_manifest
from tests.test_run import bench


def test_the_packages_folder_of_configs_is_the_repositorys() -> None:
    assert FOLDER.resolve() == ROOT / "configs"
    assert len(shipped(FOLDER)) >= 5
    assert len(shipped(TRAININGS)) >= 9
    assert not set(shipped(FOLDER)) & set(shipped(TRAININGS))


def test_a_file_takes_precedence_over_a_shipped_config_and_a_folder_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_config("clr", FOLDER) == FOLDER / "clr.yaml"
    assert find_config("synth", TRAININGS) == TRAININGS / "synth.yaml"
    (tmp_path / "clr").mkdir()
    assert find_config("clr", FOLDER) == FOLDER / "clr.yaml"
    (tmp_path / "grid").write_text("name: mine\n")
    assert find_config("grid", FOLDER) == Path("grid")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("configs/clr.yaml", "The shipped config of that name: clr"),
        ("clr.yaml", "The shipped config of that name: clr"),
        ("synth", "bench train synth"),
        ("configs/train/synth.yaml", "bench train synth"),
        ("smok", "Did you mean 'smoke'?"),
        ("../clr/..", "Known: clr, grid"),
        ("", "Known: clr, grid"),
    ],
)
def test_an_unknown_config_is_refused_with_the_known_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, output = bench("plan", given)
    assert code == 2
    assert f"there is no file {given}" in output
    assert said in output


def test_paths_of_a_shipped_config_are_relative_to_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    from bench.config.reader import anchored

    path = find_config("synth_start_sharp", TRAININGS)
    settings = Settings.model_validate(load_train_config(path).config.settings)
    start = anchored(settings, folder_of(path)).generator.start
    assert start == tmp_path / "runs" / "synth_start" / "wav2lip.safetensors"
    copy = tmp_path / "mine.yaml"
    copy.write_text(text_of("synth_start_sharp"), encoding="utf-8")
    settings = Settings.model_validate(load_train_config(copy).config.settings)
    assert anchored(settings, folder_of(copy)).generator.start == start


@pytest.mark.parametrize("path", [*shipped(FOLDER).values(), *shipped(TRAININGS).values()])
def test_each_config_is_listed_in_one_line_with_its_purpose(path: Path) -> None:
    assert 20 < len(headline(path)) <= 100
    assert headline(path)[0].isupper()


def test_an_unknown_name_prints_no_config() -> None:
    code, output = bench("config", "clrr")
    assert code == 2
    assert "Did you mean 'clr'?" in output


@pytest.mark.parametrize(
    ("name", "manifest"),
    [("mine", "data/manifest.csv"), ("no", "data/manifest.csv"), ("2026", "data/a, b: 'c'.csv")],
)
def test_a_new_config_runs_on_the_users_manifest(tmp_path: Path, name: str, manifest: str) -> None:
    made = make_manifest(tmp_path / "data")
    made.rename(tmp_path / manifest)
    code, output = bench("new", "config", name, "--manifest", manifest, "--folder", tmp_path)
    assert code == 0, output
    path = tmp_path / f"{name}.yaml"
    loaded = load_config(path)
    assert loaded.config.name == name
    assert loaded.config.data[0].manifest == manifest
    code, output = bench("plan", path)
    assert code == 0, output
    before = path.read_bytes()
    code, output = bench("new", "config", name, "--folder", tmp_path)
    assert code == 2
    assert "already exists" in output
    assert path.read_bytes() == before


def test_a_new_config_needs_a_valid_name(tmp_path: Path) -> None:
    code, output = bench("new", "config", "../x", "--folder", tmp_path)
    assert code == 2
    assert "letters, digits, blanks" in output


def test_a_module_that_shadows_ours_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shadowed.refuse_shadows()
    own = tmp_path / "reports.py"
    own.write_text("")
    module = ModuleType("reports")
    module.__spec__ = __import__("importlib.util").util.spec_from_file_location("reports", own)
    monkeypatch.setitem(sys.modules, "reports", module)
    with pytest.raises(BenchError, match=r"reports\.py stands before the package `reports`"):
        shadowed.refuse_shadows()
