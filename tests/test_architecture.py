"""The rules of the house that a machine can check: imports, what they cost, names."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGES = ("bench", "methods", "metrics", "reports")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
REPORTS_MAY = {
    "bench.causes",
    "bench.one_move",
    "bench.run_folder",
    "bench.spreadsheets",
    "bench.stats",
    "bench.types",
    "bench.errors",
    "bench.media",
    "bench.study.scores",
}
FORBIDDEN_NAMES = {"utils", "common", "helpers", "base", "manager", "factory", "handler"}


def imports(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            if node.module in PACKAGES:
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_flow_one_way(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    own = {name for name in imports(path) if name.split(".")[0] in PACKAGES}
    others = {name.split(".")[0] for name in own} - {package, "bench"}
    if path == ROOT / "bench" / "cli.py":
        others -= {"reports"}
    assert not others
    if package == "reports":
        strangers = {n for n in own if n.startswith("bench.")} - REPORTS_MAY
        assert not {name for name in strangers if name.rsplit(".", 1)[0] not in REPORTS_MAY}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_named_after_what_they_hold_and_say_what_they_are_for(path: Path) -> None:
    assert path.stem not in FORBIDDEN_NAMES
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "statement",
    [
        "import bench",
        "from bench.registry import load_registry; load_registry()",
        "import bench.cli",
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
