"""The rules of the house that a machine can check: imports, what they cost, names."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGES = ("bench", "methods", "metrics", "reports")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MODULES = {
    ".".join((*path.relative_to(ROOT).parent.parts, path.stem)).removesuffix(".__init__")
    for path in FILES
}
REPORTS_MAY = ("ground", "files", "media", "records", "study.score.scores")
# From the ground up: a file imports from its own room and those before it, wherever in the file.
ROOMS = (
    *(
        "ground",
        "files",
        "machine",
        "config",
        "media",
        "contract",
        "records",
        "features",
        "networks",
    ),
    *("data", "run", "train", "checks", "study", "command"),
)
STUDY_ROOMS = ("make", "ask", "read", "score")
FACADES = {"bench", "bench.media", "bench.checks"}  # which re-export what lies in them
FORBIDDEN_NAMES = {"utils", "common", "helpers", "base", "manager", "factory", "handler"}


@functools.cache
def imports(path: Path) -> set[str]:
    """Every module of ours that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in inner}
    return found & MODULES


def place(path: Path) -> list[str]:
    """The module's name, in parts."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return parts[:-1] if parts[-1] == "__init__" else parts


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_from_upper_rooms_to_lower_ones(path: Path) -> None:
    package, own = path.relative_to(ROOT).parts[0], place(path)
    for name in imports(path):
        other = name.split(".")
        if name == "bench":
            continue
        if package != "bench":
            assert other[0] in (package, "bench"), name
        elif other[0] == "bench" and own[1:]:
            assert height(other) <= height(own), name
        elif own[:3] != ["bench", "command", "cli"]:
            assert other[0] == "bench", name
    if package == "reports":
        own_rooms = tuple(f"bench.{room}" for room in REPORTS_MAY)
        assert not [
            n for n in imports(path) if n.startswith("bench") and not n.startswith(own_rooms)
        ]


def test_no_file_imports_itself_by_way_of_others() -> None:
    modules = {".".join(place(path)): imports(path) for path in FILES}
    graph = {
        name: {to for to in found if to in modules} - {name} for name, found in modules.items()
    }
    TopologicalSorter({name: to - FACADES for name, to in graph.items()}).prepare()


def height(module: list[str]) -> tuple[int, int]:
    """How high a module of `bench` lies: its room's place, and within the study its own room's."""
    room = ROOMS.index(module[1]) if module[1] in ROOMS else len(ROOMS)
    if module[1] != "study" or len(module) < 3:
        return room, 0
    return room, STUDY_ROOMS.index(module[2]) + 1 if module[2] in STUDY_ROOMS else 0


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_named_after_what_they_hold_and_say_what_they_are_for(path: Path) -> None:
    assert path.stem not in FORBIDDEN_NAMES
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "statement",
    [
        "import bench",
        "from bench.contract.registry import load_registry; load_registry()",
        "import bench.command.cli",
    ],
)
def test_importing_loads_nothing_heavy(statement: str) -> None:
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    loaded = set(done.stdout.split())
    assert not loaded & {"torch", "cv2", "av", "librosa", "scipy", "pandas", "skimage"}


def test_no_file_names_a_machine_or_a_package_registry() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.split("\n")
    hosts = ["/work/" + "main", "/work/" + "shared", "pypi" + ".org", "pythonhosted" + ".org"]
    for name in filter(None, tracked):
        path = ROOT / name
        if path.suffix in {".safetensors", ".png"} or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="ignore")
        assert not [host for host in hosts if host in text], name


def test_a_plugin_author_reads_at_most_500_lines() -> None:
    files = ("plugins", "jobs", "video", "hookspecs")
    texts = ((ROOT / "bench/contract" / f"{name}.py").read_text("utf-8") for name in files)
    assert sum(len(text.splitlines()) for text in texts) <= 500
