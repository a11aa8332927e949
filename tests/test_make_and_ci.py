"""What a newcomer and the continuous integration start: the Makefile's check, and .ci/run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

SUMMARY = """\
...
SKIPPED [3] tests/chromium.py:22: needs chromium and chromedriver
SKIPPED [1] tests/test_a.py:9: needs pdflatex
SKIPPED [20] tests/conftest.py:27: development data not here (set BENCH_SHARED)
SKIPPED [2] tests/test_b.py:7: needs chromium and chromedriver
FAILED tests/test_c.py::test_x - assert 1 == 2
=========== 1 failed, 12 passed, 26 skipped in 3.20s ===========
make: *** [Makefile:11: test] Error 1
"""
NOTHING_SKIPPED = "...\n======== 12 passed in 3.20s ========\n"


def program(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


# ---- make -----------------------------------------------------------------------------------


def made(folder: Path, python: object) -> subprocess.CompletedProcess[str]:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder / name)
    make = shutil.which("make")
    if make is None:
        pytest.skip("needs make")
    # As from a shell: a make that runs the tests would make this one say where it enters.
    own = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFL"))
    }
    return subprocess.run(
        [make, "run", f"PYTHON={python}"],
        cwd=folder,
        env=own,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.9"])
def test_an_old_python_is_told_in_one_line_and_leaves_nothing(tmp_path: Path, version: str) -> None:
    python = program(tmp_path / "bin", "python3", f"echo {version}")
    done = made(tmp_path, python)
    assert done.returncode
    assert done.stdout == ""
    first = done.stderr.splitlines()[0]
    assert first == (
        f"{python} is Python {version}; Python 3.10 or newer is needed: make run PYTHON=python3.11"
    )
    assert not (tmp_path / ".venv").exists()


def test_a_python_that_is_not_there_is_told(tmp_path: Path) -> None:
    done = made(tmp_path, tmp_path / "none")
    assert done.stderr.startswith(f"{tmp_path / 'none'} does not run; Python 3.10 or newer")
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize("version", ["3.10", "3.14"])
def test_where_no_environment_can_be_made_none_is_left(tmp_path: Path, version: str) -> None:
    script = f'case "$1" in -c) echo {version};; *) mkdir -p .venv/bin; exit 1;; esac'
    done = made(tmp_path, program(tmp_path / "bin", "python3", script))
    assert done.returncode
    assert "is needed" not in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_python_dash_m_bench_is_bench() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("Usage: bench [OPTIONS] COMMAND")


@pytest.mark.parametrize(
    ("asked", "slow"), [((), "skipped"), (("--slow",), "passed"), (("::test_long",), "passed")]
)
def test_slow_tests_run_when_they_are_asked_for(
    tmp_path: Path, asked: tuple[str, ...], slow: str
) -> None:
    file = tmp_path / "test_some.py"
    file.write_text(
        "import pytest\n@pytest.mark.slow\ndef test_long(): pass\ndef test_short(): pass\n"
    )
    names = [f"{file}{one}" for one in asked if one.startswith("::")] or [str(file)]
    options = [one for one in asked if one.startswith("--")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-p", "tests.conftest", *options, *names],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"test_long {slow.upper()}" in done.stdout
    assert ("test_short PASSED" in done.stdout) == (asked[-1:] != ("::test_long",))


# ---- .ci/run --------------------------------------------------------------------------------


def ci(folder: Path, output: str, status: int, **programs: str) -> tuple[int, list[str]]:
    """What .ci/run ends with and prints, with `make` and other programs in place of the real."""
    (folder / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", folder / ".ci" / "run")
    (folder / "pytest.txt").write_text(output)
    own = folder / "bin"
    program(own, "make", f"echo $* >{folder / 'asked'}; cat {folder / 'pytest.txt'}; exit {status}")
    for name, script in programs.items():
        program(own, name.replace("_", "-"), script)
    for name in ("bash", "mktemp", "rm", "tee", "sed", "awk", "sort", "grep", "tail", "cat", "env"):
        (own / name).symlink_to(str(shutil.which(name)))
    for name in ("dirname", "timeout"):
        (own / name).symlink_to(str(shutil.which(name)))
    done = subprocess.run(
        [folder / ".ci" / "run"],
        cwd=folder,
        env={"PATH": str(own), "HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def test_skipped_tests_are_counted_by_reason_before_the_closing_line(tmp_path: Path) -> None:
    code, lines = ci(tmp_path, SUMMARY, 2, id="echo 1000")
    assert code == 2
    assert lines[-6:] == [
        "Skipped, by reason:",
        "    20  development data not here (set BENCH_SHARED)",
        "     5  needs chromium and chromedriver",
        "     1  needs pdflatex",
        "    26  in all",
        "=========== 1 failed, 12 passed, 26 skipped in 3.20s ===========",
    ]


def test_nothing_skipped_is_none_in_all_and_success(tmp_path: Path) -> None:
    code, lines = ci(tmp_path, NOTHING_SKIPPED, 0, id="echo 1000")
    assert code == 0
    assert lines[-3:] == [
        "Skipped, by reason:",
        "     0  in all",
        "======== 12 passed in 3.20s ========",
    ]
    assert lines[0].startswith("not here, and no apt-get as root to install it: chromium")
    assert (tmp_path / "asked").read_text() == "test SLOW=1\n"


def test_what_is_missing_is_installed_and_a_failure_of_apt_is_none_of_the_tests(
    tmp_path: Path,
) -> None:
    asked = tmp_path / "asked.txt"
    apt = f'echo "$@" >>{asked}; echo broken; case "$*" in *texlive*) exit 100;; esac'
    code, lines = ci(tmp_path, NOTHING_SKIPPED, 0, id="echo 0", apt_get=apt)
    assert code == 0
    calls = asked.read_text().splitlines()
    options = "-y -q --no-install-recommends"
    latex = f"install {options} texlive-latex-base texlive-latex-recommended"
    fonts = f"install {options} latex-cjk-chinese latex-cjk-chinese-arphic-gbsn00lp"
    chromium = f"install {options} chromium chromium-driver"
    # After a failure the lists of packages are fetched and it is tried once more.
    assert calls == [chromium, latex, f"update {options}", latex, fonts]
    assert any(line.startswith("installed in ") and "chromium" in line for line in lines)
    assert "not here, and could not be installed: texlive-latex-base texlive-latex-recommended" in (
        lines
    )
    assert lines[-1] == "======== 12 passed in 3.20s ========"


def test_nothing_is_installed_where_all_is_there(tmp_path: Path) -> None:
    there = dict.fromkeys(("chromium", "chromedriver", "pdflatex", "kpsewhich"), "exit 0")
    asked = tmp_path / "asked.txt"
    code, lines = ci(tmp_path, NOTHING_SKIPPED, 0, id="echo 0", apt_get=f"touch {asked}", **there)
    assert code == 0
    assert not asked.exists()
    assert lines[0] == "..."
