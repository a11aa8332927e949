"""Metrics without their weights: optional ones are told as not measured, others stop the run."""

from __future__ import annotations

import csv
import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bench.files import weights
from bench.records.reading import read_manifest
from bench.records.schema import MEASUREMENTS
from tests.conftest import ROOT
from tests.small_data import make_config, make_manifest
from tests.test_plan import line_of
from tests.test_run import bench, records

CONTENT = b"not much of a network"
TOY = weights.Weight(
    name="toy",
    file="toy.bin",
    bytes=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    licence="MIT",
    source="https://example.org",
    urls=("https://example.org/toy.bin",),
    needed_by="a test",
)
BY_HAND = replace(TOY, name="by_hand", file="by_hand.bin", urls=())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of weights that is empty yet."""
    table = {"toy": TOY, "by_hand": BY_HAND}
    monkeypatch.setattr(weights, "table", lambda: table)
    monkeypatch.setenv("BENCH_WEIGHTS", str(tmp_path / "weights"))
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights"


def prepare(folder: Path, *metrics: dict[str, object]) -> Path:
    make_manifest(folder / "data")
    shutil.copy(ROOT / "tests" / "plugins" / "weighty.py", folder)
    columns = ["brightness.brightness", "weighty.weighty"]
    columns = columns if any(one["name"] == "weighty" for one in metrics) else columns[:1]
    return make_config(
        folder,
        plugins=["brightness.py", "weighty.py"],
        metrics=[{"name": "brightness"}, *metrics],
        tables=[{"name": "comparison", "columns": columns}],
    )


@pytest.mark.usefixtures("folder")
def test_an_optional_metric_is_told_and_the_run_goes_on(tmp_path: Path) -> None:
    optional = {"optional": True}
    config = prepare(tmp_path, {"name": "weighty"} | optional, {"name": "heavy_set"} | optional)
    code, output = bench("plan", config, "-o", tmp_path / "run")
    text = " ".join(output.split())
    assert code == 0
    assert "weighty (optional): not measured: bench weights pull toy" in text
    assert "heavy_set (optional): not measured: get by_hand.bin from https://example.org" in text
    assert "cells will fail" not in text
    code, output = bench("run", config, "-o", tmp_path / "run")
    assert code == 0, output
    assert "weighty: not measured: `bench weights pull toy`" in " ".join(output.split())
    measured = records(tmp_path / "run", MEASUREMENTS)
    assert {str(one["metric"]) for one in measured.values()} == {"brightness"}
    manifest = read_manifest(tmp_path / "run")
    assert [one.label for one in manifest.metrics] == ["brightness"]
    assert [one.name for one in manifest.features] == ["faces"]
    assert [(one.label, one.ways) for one in manifest.not_measured] == [
        ("weighty", ("bench weights pull toy",)),
        ("heavy_set", ("get by_hand.bin from https://example.org",)),
    ]
    page = (tmp_path / "run" / "report" / "index.html").read_text(encoding="utf-8")
    assert "weighty: not measured: <code>bench weights pull toy</code>" in page
    markdown = (tmp_path / "run" / "report" / "tables" / "comparison.md").read_text("utf-8")
    assert "weighty: not measured" in markdown
    code, output = bench("report", tmp_path / "run", "-o", tmp_path / "zh", "--lang", "zh")
    page = (tmp_path / "zh" / "index.html").read_text(encoding="utf-8")
    assert "weighty：未测量：<code>bench weights pull toy</code>" in page


@pytest.mark.usefixtures("folder")
def test_all_others_are_one_error_before_anything_runs(tmp_path: Path) -> None:
    config = prepare(tmp_path, {"name": "weighty"}, {"name": "heavy_set"})
    for command in ("plan", "run"):
        code, output = bench(command, config, "-o", tmp_path / "run")
        text = " ".join(output.split())
        assert code == 2
        assert f"2 problems in {config}" in text
        assert f"{config}:{line_of(config, 'name: weighty')}: metrics[1]: metric 'weighty':" in text
        assert "run: bench weights pull toy" in text
        assert "Or write `optional: true`" in text
        assert f"{line_of(config, 'name: heavy_set')}: metrics[2]: metric 'heavy_set'" in text
    assert not (tmp_path / "run" / MEASUREMENTS).exists() or not records(
        tmp_path / "run", MEASUREMENTS
    )


@pytest.mark.parametrize("optional", [True, False])
def test_what_is_measured_already_needs_no_weights(
    folder: Path, tmp_path: Path, optional: bool
) -> None:
    entries = [{"name": name, "optional": optional} for name in ("weighty", "heavy_set")]
    config = prepare(tmp_path, *entries)
    for one in (TOY, BY_HAND):
        (folder / one.file).write_bytes(CONTENT)
    code, output = bench("run", config, "-o", tmp_path / "run")
    assert code == 0, output
    before = (tmp_path / "run" / MEASUREMENTS).read_bytes()
    for one in (TOY, BY_HAND):
        (folder / one.file).unlink()
    code, output = bench("run", config, "-o", tmp_path / "run")
    assert code == 0, output
    assert "not measured" not in output
    assert (tmp_path / "run" / MEASUREMENTS).read_bytes() == before
    rows = csv.DictReader((tmp_path / "run/report/tables/summary.csv").open(encoding="utf-8"))
    assert {"brightness", "weighty"} <= {row["output"] for row in rows}


def test_weights_with_a_wrong_digest_are_no_weights(folder: Path, tmp_path: Path) -> None:
    (folder / "toy.bin").write_bytes(CONTENT[::-1])
    config = prepare(tmp_path, {"name": "weighty"})
    code, output = bench("run", config, "-o", tmp_path / "run")
    assert code == 2
    assert "weights 'toy' are damaged" in " ".join(output.split())
    config = prepare(tmp_path, {"name": "weighty", "optional": True})
    code, output = bench("run", config, "-o", tmp_path / "run")
    assert code == 0, output


def test_a_metric_that_was_not_measured_is_added_once_its_weights_are_here(
    folder: Path, tmp_path: Path
) -> None:
    config = prepare(tmp_path, {"name": "weighty", "optional": True})
    code, _ = bench("run", config, "-o", tmp_path / "run")
    assert code == 0
    (folder / "toy.bin").write_bytes(CONTENT)
    code, output = bench("run", config, "-o", tmp_path / "run")
    assert code == 0, output
    measured = records(tmp_path / "run", MEASUREMENTS)
    assert {str(one["metric"]) for one in measured.values()} == {"brightness", "weighty"}
    assert read_manifest(tmp_path / "run").not_measured == ()
