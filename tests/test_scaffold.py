"""`bench new`: what it writes installs, keeps to the contract, and runs in a benchmark."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bench import media
from bench.checks.ladders import talking_patterns
from bench.checks.scaffold import new_plugin
from bench.command.cli import main
from bench.data.manifest import write_manifest
from bench.ground.errors import BenchError
from bench.ground.types import Clip
from tests.small_clips import write_clips


def python(
    *arguments: str, folder: Path, path: Path | None = None
) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ) | ({} if path is None else {"PYTHONPATH": str(path)})
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def bench(
    *arguments: str, folder: Path, path: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return python(
        "-c", "from bench.command.cli import main; main()", *arguments, folder=folder, path=path
    )


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A metric and two methods, one trainable: where they were written and are installed."""
    pytest.importorskip("setuptools", reason="installing without network needs setuptools here")
    written = tmp_path_factory.mktemp("new")
    installed = written / "installed"
    asked = (
        ("metric", "unrest", False),
        ("method", "loud_mouth", False),
        ("feature", "edges", False),
        ("method", "toy", True),
    )
    roots = [
        str(new_plugin(kind, name, written, trainable=trainable)) for kind, name, trainable in asked
    ]
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--quiet")
    done = python(
        "-m", "pip", "install", *options, "--target", str(installed), *roots, folder=written
    )
    assert done.returncode == 0, done.stderr
    return written, installed


@pytest.mark.slow
@pytest.mark.usefixtures("shares_corpora")
def test_new_plugins_pass_the_contract_tests_that_come_with_them(
    plugins: tuple[Path, Path], tmp_path: Path
) -> None:
    written, installed = plugins
    packages = ["bench-unrest", "bench-loud-mouth", "bench-edges", "bench-toy"]
    options = ("-v", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "their"))
    done = python("-m", "pytest", *options, *packages, folder=written, path=installed)
    assert done.returncode == 0, done.stdout
    for package in packages:
        tests = f"/test_{package.replace('-', '_')}.py::"
        outcomes = [line.split()[1] for line in done.stdout.splitlines() if tests in line]
        assert set(outcomes) == {"PASSED"}, done.stdout
    assert "skipped" not in done.stdout


def test_an_installed_plugin_is_listed(plugins: tuple[Path, Path]) -> None:
    written, installed = plugins
    listed = bench("list", folder=written, path=installed)
    assert listed.returncode == 0, listed.stderr
    assert "unrest" in listed.stdout
    assert "loud_mouth" in listed.stdout
    assert "edges" in listed.stdout


@pytest.mark.slow
def test_an_installed_plugin_passes_bench_check(plugins: tuple[Path, Path]) -> None:
    written, installed = plugins
    done = bench("check", "unrest", folder=written, path=installed)
    assert done.returncode == 0, done.stdout + done.stderr


CONFIG = """
name: tiny
floors: 0
data:
  - name: tiny
    manifest: data/manifest.csv
faces: given
{plugins}
cases: {{ kinds: [reconstruct] }}
methods:
  - name: truth
  - name: still
  - name: loud_mouth
    options: {{ strength: 0.5 }}
metrics:
  - name: unrest
tables:
  - name: unrest
    columns: [unrest.unrest]
    reference: loud_mouth
"""


def write_benchmark(folder: Path, *, plugins: str) -> Path:
    """A config beside a data set of two drawn talkers."""
    data = folder / "data"
    data.mkdir(parents=True)
    clips = []
    for specimen in talking_patterns(2, frames=15, size=96):
        video, name = specimen.sample.video, specimen.sample.case.id
        path = data / f"{name}.mp4"
        media.write_video(path, video.read(), sound=video.sound())
        left, top, right, bottom = (float(edge) for edge in video.faces().boxes[0])
        box = (left, top, right - left, bottom - top)
        clips.append(Clip(id=name, video=path, speaker=name, box=box))
    write_manifest(data / "manifest.csv", clips, root=data)
    config = folder / "tiny.yaml"
    config.write_text(CONFIG.format(plugins=plugins), encoding="utf-8")
    return config


def unrest_by_method(run: Path) -> dict[str, float]:
    """The mean unrest of each method, joined from the run's records."""
    lines = (run / "measurements.jsonl").read_text().splitlines()
    values = {
        record["video_sha256"]: record["values"]["unrest"]
        for record in map(json.loads, lines)
        if record["status"] == "ok"
    }
    found: dict[str, list[float]] = {}
    for line in (run / "generations.jsonl").read_text().splitlines():
        record = json.loads(line)
        assert record["status"] == "ok", record["reason"]
        found.setdefault(record["method"], []).append(values[record["sha256"]])
    return {method: float(np.mean(each)) for method, each in found.items()}


@pytest.mark.slow
def test_a_benchmark_runs_with_the_new_plugins(plugins: tuple[Path, Path], tmp_path: Path) -> None:
    config = write_benchmark(tmp_path, plugins="")
    done = bench("run", str(config), "-o", "out", folder=tmp_path, path=plugins[1])
    assert done.returncode == 0, done.stdout + done.stderr
    unrest = unrest_by_method(tmp_path / "out")
    assert set(unrest) == {"truth", "still", "loud_mouth"}
    assert unrest["still"] < unrest["truth"] < 255
    assert unrest["loud_mouth"] != unrest["truth"]
    assert (tmp_path / "out" / "report" / "index.html").is_file()


@pytest.mark.slow
def test_a_plugin_file_named_in_the_config_needs_no_installing(
    plugins: tuple[Path, Path], tmp_path: Path
) -> None:
    files = [plugins[0] / "bench-unrest" / "bench_unrest.py"]
    files.append(plugins[0] / "bench-loud-mouth" / "bench_loud_mouth.py")
    listed = "\n".join(f"  - {file}" for file in files)
    config = write_benchmark(tmp_path, plugins=f"plugins:\n{listed}")
    done = CliRunner().invoke(main, ["run", str(config), "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert set(unrest_by_method(tmp_path / "out")) == {"truth", "still", "loud_mouth"}


@pytest.mark.slow
def test_a_new_trainable_plugins_config_is_valid_and_trains_it(
    plugins: tuple[Path, Path], tmp_path: Path
) -> None:
    text = (plugins[0] / "bench-toy" / "train.yaml").read_text(encoding="utf-8")
    write_manifest(tmp_path / "m.csv", write_clips(tmp_path), root=tmp_path)
    entry = "{name: synth-en, corpus: synth-en, clips: 40}"
    text = text.replace(entry, "{name: mine, manifest: m.csv}")
    (tmp_path / "train.yaml").write_text(text.replace("steps: 400", "steps: 20"), encoding="utf-8")
    arguments = ("train", "train.yaml", "-o", "out", "--device", "cpu")
    done = bench(*arguments, folder=tmp_path, path=plugins[1])
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "out" / "toy.safetensors").is_file()


def test_a_metric_is_not_begun_trainable(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="--trainable is for methods only"):
        new_plugin("metric", "unrest", tmp_path, trainable=True)


@pytest.mark.parametrize("name", ["", "Unrest", "2d", "my-metric", "a b", "../up", "class", "é"])
def test_a_name_that_is_no_module_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="expected small letters"):
        new_plugin("metric", name, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["truth", "psnr"])
def test_a_name_that_is_taken_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=rf"'{name}' is taken by"):
        new_plugin("method", name, tmp_path)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    root = new_plugin("metric", "unrest", tmp_path)
    (root / "bench_unrest.py").write_text("mine")
    with pytest.raises(BenchError, match="already exists"):
        new_plugin("metric", "unrest", tmp_path)
    assert (root / "bench_unrest.py").read_text() == "mine"


def test_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="expected one of method, metric, feature"):
        new_plugin("report", "mine", tmp_path)
