"""The harness as pip installs it: complete, at work outside the repository, and not shadowed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.config.shipped import FOLDER, TRAININGS, shipped
from tests.conftest import ROOT
from tests.small_data import make_config, make_manifest

PACKAGES = ("bench", "methods", "metrics", "reports", "configs")

pytestmark = pytest.mark.slow


def tracked() -> list[str]:
    """The files of the repository that a wheel is made of, as git or the folders have them."""
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return [name for name in done.stdout.split("\n") if (ROOT / name).is_file()]
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*")]
    files += [path for path in ROOT.iterdir() if path.suffix in (".toml", ".md", "")]
    return [str(p.relative_to(ROOT)) for p in files if p.is_file() and "__pycache__" not in p.parts]


@dataclass(frozen=True)
class Installed:
    """A wheel, and the folder that it was installed into."""

    wheel: Path
    site: Path

    def run(self, *command: object, cwd: Path, module: bool = False, **variables: str) -> str:
        """What a `bench` command prints, run outside the repository."""
        program = ["-m", "bench"] if module else [str(self.site / "bin" / "bench")]
        done = subprocess.run(
            [sys.executable, *program, *map(str, command)],
            cwd=cwd,
            env={
                **os.environ,
                "PYTHONPATH": str(self.site),
                "PYTHONDONTWRITEBYTECODE": "1",
                **variables,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return f"{done.stdout}{done.stderr}exit {done.returncode}"

    def files(self) -> set[Path]:
        """Everything that is installed."""
        return {path for path in self.site.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """A wheel built from the source distribution, which is built from the repository's files."""
    pytest.importorskip("setuptools", "77")
    folder = tmp_path_factory.mktemp("wheel")
    for name in tracked():
        (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / "source" / name)
    (folder / "source" / "bench" / "config" / "configs").symlink_to("../../configs")
    build = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    offline = ["--quiet", "--no-deps", "--no-index"]
    run(sys.executable, "-c", build, folder / "made", cwd=folder / "source")
    (source,) = (folder / "made").glob("*.tar.gz")
    run(*pip, "wheel", *offline, "--no-build-isolation", "-w", folder / "made", source, cwd=folder)
    (wheel,) = (folder / "made").glob("*.whl")
    run(*pip, "install", *offline, "--no-compile", "--target", folder / "site", wheel, cwd=folder)
    return Installed(wheel, folder / "site")


def run(*command: object, cwd: Path) -> None:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wheel_holds_every_file_of_the_packages_and_the_configs(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    wanted = {
        f"bench/config/{name}" if name.startswith("configs/") else name
        for name in tracked()
        if name.split("/")[0] in PACKAGES
    }
    assert held == wanted


def test_a_benchmark_runs_outside_the_repository(installed: Installed, tmp_path: Path) -> None:
    before = installed.files()
    make_manifest(tmp_path / "data")
    config = make_config(tmp_path)
    done = installed.run("run", config.name, "-o", "out", cwd=tmp_path)
    assert done.endswith("exit 0"), done
    assert (tmp_path / "out" / "report" / "index.html").is_file()
    assert installed.files() == before  # nothing is written beside the installed files


def test_shipped_configs_are_found_by_name(installed: Installed, tmp_path: Path) -> None:
    listed = installed.run("config", cwd=tmp_path)
    for name in shipped(FOLDER):
        assert f"bench run {name} " in listed
    for name in shipped(TRAININGS):
        assert f"bench train {name} " in listed
    printed = installed.run("config", "clr", cwd=tmp_path)
    assert printed == (FOLDER / "clr.yaml").read_text(encoding="utf-8") + "exit 0"
    told = installed.run("plan", "grid", cwd=tmp_path, GRID_ROOT=str(tmp_path / "nowhere"))
    assert str(installed.site / "bench" / "config" / "configs" / "grid.yaml") in told
    assert "nowhere" in told


def test_a_file_of_the_users_that_shadows_a_package_is_named(
    installed: Installed, tmp_path: Path
) -> None:
    own = tmp_path / "metrics.py"
    own.write_text("mine = True\n")
    listed = installed.run("list", cwd=tmp_path)
    assert "psnr" in listed  # the command itself does not look into the folder it starts in
    told = installed.run("list", cwd=tmp_path, module=True)
    assert told.startswith(f"error: {own} stands before the package `metrics` of the harness")
    assert str(installed.site / "metrics") in told
    assert told.endswith("exit 2")
    own.unlink()
    (tmp_path / "reports").mkdir()  # an empty folder shadows nothing
    assert installed.run("--version", cwd=tmp_path, module=True).endswith("exit 0")
    assert "psnr" in installed.run("list", cwd=tmp_path, module=True)
