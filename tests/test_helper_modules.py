"""A local plugin's helper modules are part of it: a change in one makes another key."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.contract.helper_modules import helper_modules
from bench.contract.registry import load_registry
from bench.files.digests import file_sha256
from bench.run.config import load_config
from bench.run.plan import make_plan
from tests.small_data import PLUGIN, make_config, make_manifest
from tests.test_run import bench

# As it was before helper modules entered keys.
KEY_OF_DIMMED = "52a348398124c254877741fe07cd348b21089743707b05d6d4e77d5d1fa999dd"


@pytest.fixture(autouse=True)
def _same_path_after_each_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    modules = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in set(sys.modules) - modules:
        if "helper_of" in name:
            del sys.modules[name]


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / next(iter(files))


def found(folder: Path, files: dict[str, str]) -> set[str]:
    plugin = write(folder, files)
    return {path.relative_to(folder.resolve()).as_posix() for path in helper_modules(plugin)}


@pytest.mark.parametrize(
    ("statement", "wanted"),
    [
        ("import one", {"one.py"}),
        ("import one as other, os", {"one.py"}),
        ("from one import anything", {"one.py"}),
        ("def load():\n    from one import anything", {"one.py"}),
        ("try:\n    import one\nexcept ImportError:\n    pass", {"one.py"}),
        ("import package.deep", {"package/__init__.py", "package/deep.py"}),
        ("from package import deep", {"package/__init__.py", "package/deep.py"}),
        ("from package.deep import thing", {"package/__init__.py", "package/deep.py"}),
        ("from bare import thing", {"bare/thing.py"}),
        ("from . import one", {"one.py"}),
        ("from .package.deep import thing", {"package/__init__.py", "package/deep.py"}),
        ("import importlib\nimportlib.import_module('one')", {"one.py"}),
        ("import numpy, json", set()),
        ("one = 1", set()),
    ],
)
def test_every_form_of_import_is_seen(tmp_path: Path, statement: str, wanted: set[str]) -> None:
    others = {"one.py": "", "package/__init__.py": "", "package/deep.py": "", "bare/thing.py": ""}
    assert found(tmp_path, {"mine.py": statement, **others, "unused.py": ""}) == wanted


def test_helpers_of_helpers_count_and_circles_end(tmp_path: Path) -> None:
    files = {
        "mine.py": "import one",
        "one.py": "from package import deep",
        "package/__init__.py": "",
        "package/deep.py": "from . import twin\nfrom ..one import x\nimport mine",
        "package/twin.py": "this is no python",
    }
    assert found(tmp_path, files) == set(files) - {"mine.py"}


def test_installed_packages_and_our_own_do_not_count() -> None:
    assert helper_modules(PLUGIN) == ()
    root = Path(load_registry.__code__.co_filename).parent.parent
    assert helper_modules(root / "setup_plugin.py") == ()
    for path in (root / "methods" / "still.py", root / "metrics" / "psnr.py"):
        assert helper_modules(path) == ()


HELPED = """import sys
from pathlib import Path
sys.path.insert(0, str(Path(__file__).parent / "parts"))
import bench
from helper_of_mine import LEVEL


class Helped(bench.Method):
    \"\"\"Grey frames. Needs: nothing. Source: here. Weights: none. Deviations: none.\"\"\"

    name, version, source = "helped", "1", "here"

    def generate(self, job):
        return bench.Generation([job.face.read()[0] * 0 + LEVEL] * job.frames)


@bench.hookimpl
def register_methods():
    return [Helped]
"""


def test_a_changed_helper_makes_another_key_and_the_plan_names_it(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data")
    write(tmp_path, {"helped.py": HELPED, "parts/helper_of_mine.py": "LEVEL = 7\n"})
    methods = [{"name": "helped"}, {"name": "dimmed"}, {"name": "truth"}]
    config = make_config(tmp_path, plugins=["brightness.py", "helped.py"], methods=methods)
    before = {method.label: method.key for method in make_plan(load_config(config)).methods}
    again = {method.label: method.key for method in make_plan(load_config(config)).methods}
    assert before == again
    write(tmp_path, {"parts/helper_of_mine.py": "LEVEL = 8\n"})
    after = {method.label: method.key for method in make_plan(load_config(config)).methods}
    assert [label for label in before if before[label] != after[label]] == ["helped"]
    _, output = bench("plan", config, "-o", tmp_path / "run")
    text = "".join(output.split())
    assert "runsthecodeof:" in text
    for name in ("brightness.py", "helped.py", "parts/helper_of_mine.py"):
        assert "".join(os.path.relpath(tmp_path / name).split()) in text


def test_a_plugin_without_helpers_keeps_its_key(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data")
    (method,) = make_plan(load_config(make_config(tmp_path, methods=[{"name": "dimmed"}]))).methods
    registered = load_registry([tmp_path / "brightness.py"]).method("dimmed")
    assert registered.helpers == ()
    assert file_sha256(PLUGIN) == file_sha256(tmp_path / "brightness.py")
    assert method.key == KEY_OF_DIMMED
