"""docs/plugins.md is true: its examples keep the contract, and it names all there is to name."""

from __future__ import annotations

import csv
import inspect
import json
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import yaml

from bench import train as training
from bench.checks import checks_for, run_checks
from bench.checks.ladders import LADDERS, talking_patterns
from bench.contract import hookspecs
from bench.contract.importer import Importer
from bench.contract.jobs import PrepareJob
from bench.contract.plugins import Feature, Method, Metric, Plugin
from bench.contract.registry import Registry, load_registry
from bench.data.manifest import write_manifest
from bench.train.config import load_train_config
from bench.train.settings import StageSettings
from bench.train.trainable import Trainable, TrainJob
from methods.command import FIELDS, Command
from methods.recorded import Recorded
from tests.small_clips import write_clips
from tests.test_run import bench

PAGE = (Path(__file__).parent.parent / "docs" / "plugins.md").read_text(encoding="utf-8")
PLUGINS = (
    "unrest",
    "spread",
    "loud_mouth",
    "motion",
    "motion_gap",
    "flat",
    "mouth_book",
    "learned_mouth",
)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """The registry with the page's examples, loaded as a config's `plugins:` are."""
    files = []
    for text in blocks("python"):
        if "@bench.hookimpl" in text:
            files.append(tmp_path / f"example_{len(files)}.py")
            files[-1].write_text(text, encoding="utf-8")
    return load_registry(files)


@pytest.mark.parametrize("name", PLUGINS)
def test_an_example_keeps_the_contract(registry: Registry, name: str) -> None:
    specimens = partial(talking_patterns, 2, frames=12, size=64)
    results = run_checks(registry.plugin(name), sample=specimens)
    assert [each for each in results if each.status == "failed"] == []
    assert len([each for each in results if each.status == "passed"]) >= (
        5 if name == "flat" else 8
    )


def test_every_hook_has_its_heading_and_signature() -> None:
    hooks = [
        (name, function)
        for name, function in inspect.getmembers(hookspecs, inspect.isfunction)
        if name.startswith("register_")
    ]
    assert len(hooks) == 5
    for name, function in hooks:
        result = str(inspect.signature(function).return_annotation)
        assert f"### {name}() -> {result}\n" in PAGE


def test_every_check_is_explained(registry: Registry) -> None:
    for plugin in PLUGINS:
        for check in checks_for(registry.plugin(plugin)):
            name = re.sub(r"(?<=worse along ).*", "LADDER", check.name)
            name = re.sub(r"(?<=asked for in ).*", "KIND", name)
            assert f"| {name} |" in PAGE


def test_every_option_field_and_ladder_is_explained() -> None:
    options = [*Command.Options.model_fields, *Recorded.Options.model_fields]
    assert [name for name in options if f"| `{name}` |" not in PAGE] == []
    assert [name for name in FIELDS if f"`{{{name}}}`" not in PAGE] == []
    assert [name for name in LADDERS if f"`{name}`" not in PAGE] == []


@pytest.mark.parametrize(
    "plugin", [Plugin, Method, Metric, Feature, Importer, Trainable, TrainJob, StageSettings]
)
def test_every_declaration_is_explained(plugin: type) -> None:
    own = [name for name in plugin.__annotations__ if name != "options"]
    assert [name for name in own if f"`{name}`" not in PAGE] == []


def test_every_field_of_a_preparation_is_explained() -> None:
    told = PAGE[PAGE.index("## A method that learns a person first") :]
    assert [name for name in PrepareJob.__annotations__ if f"| `job.{name}` |" not in told] == []


def test_the_example_that_learns_persons_runs_by_its_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    (text,) = [text for text in blocks("yaml") if "plugins: [mouth_book.py]" in text]
    (code,) = [text for text in blocks("python") if "class MouthBook" in text]
    (tmp_path / "mouth_book.py").write_text(code, encoding="utf-8")
    clips = [
        replace(clip, speaker=f"s{place % 2}", split="test" if place < 2 else "train")
        for place, clip in enumerate(write_clips(tmp_path))
    ]
    write_manifest(tmp_path / "mine.csv", clips, root=tmp_path)
    config = _written(
        tmp_path / "learned.yaml", f"{text}faces: given\ncases: {{kinds: [reconstruct]}}\n"
    )
    code_of_exit, output = bench("run", config, "-o", tmp_path / "run")
    assert code_of_exit == 0, output
    lines = (tmp_path / "run" / "preparations.jsonl").read_text(encoding="utf-8").splitlines()
    assert sorted(json.loads(line)["person"] for line in lines) == ["s0", "s1"]


def test_every_name_of_the_training_room_is_explained() -> None:
    told = PAGE[PAGE.index("## A method that is trained") : PAGE.index("## Contract checks")]
    types = {"ALONE", "Arrays", "Detector", "Landmarks", "Precision", "Seconds"}  # for annotations
    assert [name for name in training.__all__ if name not in types and name not in told] == []


def test_the_trained_example_is_trained_by_its_config_and_then_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    (text,) = [text for text in blocks("yaml") if "plugin: learned_mouth" in text]
    (code,) = [text for text in blocks("python") if "class LearnedMouth" in text]
    (tmp_path / "learned_mouth.py").write_text(code, encoding="utf-8")
    settings = load_train_config(_written(tmp_path / "page.yaml", text)).plugins.popitem()[1]
    assert settings.model_dump()["steps"] == 300
    clips = write_clips(tmp_path)
    write_manifest(tmp_path / "m.csv", clips, root=tmp_path)
    entry = "{name: synth, corpus: synth-en, clips: 20}"
    brief = text.replace("steps: 300", "steps: 60\n  save_every: 20")
    mine = _written(tmp_path / "mine.yaml", brief.replace(entry, "{name: made, manifest: m.csv}"))
    code_of_exit, output = bench("train", mine, "-o", tmp_path / "out", "--device", "cpu")
    assert code_of_exit == 0, output
    weights = tmp_path / "out" / "learned_mouth.safetensors"
    with (tmp_path / "out" / "curves.csv").open(encoding="utf-8") as stream:
        errors = [float(row["made error"]) for row in csv.DictReader(stream) if row["made error"]]
    assert len(errors) == 3
    assert errors[-1] < errors[0]
    plugin = load_registry([tmp_path / "learned_mouth.py"]).plugin("learned_mouth")
    trained = plugin(plugin.Options.model_validate({"weights": weights}))
    trained.load("cpu")
    assert trained.identity()


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_the_entries_of_the_page_are_valid_options() -> None:
    checked = []
    for text in blocks("yaml"):
        loaded = yaml.safe_load(text)
        for entry in loaded if isinstance(loaded, list) else loaded.get("methods", []):
            if entry["name"] == "recorded":
                Recorded.Options.model_validate(entry["options"])
                checked.append(entry["label"])
    assert checked == ["PC-AVS"]
