"""The registry: one clear error for everything that can be wrong with a plugin."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bench.contract.registry import load_registry
from bench.ground.errors import BenchError
from tests.small_data import PLUGIN

HEAD = "import bench\n"
METRIC = """
class {cls}(bench.ClipMetric):
    name, version, source = "{name}", "1", "here"
    reads = frozenset({{"video"}})
    outputs = (bench.Output("x", unit="", better="none"),)
    def measure(self, sample):
        return {{"x": 1.0}}
"""
HOOK = "@bench.hookimpl\ndef {hook}():\n    return [{cls}]\n"


def written(tmp_path: Path, *parts: str, name: str = "mine.py") -> Path:
    path = tmp_path / name
    path.write_text(HEAD + "\n".join(parts), encoding="utf-8")
    return path


def test_built_in_plugins_come_through_entry_points() -> None:
    registry = load_registry()
    assert {"truth", "still", "shifted", "mismatched", "recorded", "command"} <= set(
        registry.methods
    )
    assert {"lse", "psnr", "ssim"} <= set(registry.metrics)


def test_a_local_file_adds_its_plugins() -> None:
    registry = load_registry([PLUGIN])
    assert registry.method("dimmed").file == PLUGIN
    assert registry.metric("brightness").plugin.version == "1"


def test_an_edit_within_a_second_to_the_same_size_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    hook = HOOK.format(hook="register_metrics", cls="A")
    for name in ("one", "two"):
        file = written(tmp_path, METRIC.format(cls="A", name=name), hook)
        os.utime(file, (1e9, 1e9))
        assert load_registry([file]).metric(name).file == file


def test_an_unknown_name_is_answered_with_a_suggestion() -> None:
    with pytest.raises(BenchError, match=r"no method 'truht'\. Did you mean 'truth'\?"):
        load_registry().method("truht")


def test_a_duplicate_name_shows_both_origins(tmp_path: Path) -> None:
    file = written(
        tmp_path, METRIC.format(cls="A", name="psnr"), HOOK.format(hook="register_metrics", cls="A")
    )
    with pytest.raises(BenchError, match=r"mine\.py.*'psnr' is taken by psnr \("):
        load_registry([file])


def test_a_misspelt_hook_is_an_error_that_names_the_plugin(tmp_path: Path) -> None:
    file = written(
        tmp_path, METRIC.format(cls="A", name="a"), HOOK.format(hook="register_metric", cls="A")
    )
    with pytest.raises(BenchError, match=r"mine\.py.*register_metric"):
        load_registry([file])


def test_a_plugin_that_fails_to_import_is_named(tmp_path: Path) -> None:
    file = written(tmp_path, "import no_such_module_anywhere")
    with pytest.raises(BenchError, match=r"mine\.py cannot be imported: ModuleNotFoundError"):
        load_registry([file])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (HOOK.format(hook="register_metrics", cls="int"), "is no subclass of bench.ClipMetric"),
        (METRIC.format(cls="A", name="a b"), "the name 'a b' is not usable"),
        (METRIC.format(cls="A", name="a").replace("def measure", "def other"), "measure"),
        (METRIC.format(cls="A", name="a").replace("reads =", "needs ="), "does not declare reads"),
    ],
)
def test_a_wrong_class_is_explained(tmp_path: Path, body: str, said: str) -> None:
    hook = "" if "hookimpl" in body else HOOK.format(hook="register_metrics", cls="A")
    with pytest.raises(BenchError, match=said):
        load_registry([written(tmp_path, body, hook)])
