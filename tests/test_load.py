"""bench.load: a run as one tidy table, in which nothing that was asked is left out."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import bench
from bench.ground.types import CASE_KINDS
from bench.records.schema import GENERATIONS, MEASUREMENTS
from reports.results import join
from tests import small_records
from tests.conftest import ROOT
from tests.fixtures_run import COMPETITORS, CONTROLS, FakeRun, build_run

OLD = ROOT / "tests" / "old_runs" / "schema_1" / "run"


def test_every_planned_number_has_one_row(tmp_path: Path) -> None:
    fake = FakeRun(
        failing=[("wav2lip", "s00_000")],
        undefined=[("copycat", "s00_001")],
        broken_metric=[("copycat", "s00_002")],
    )
    run = build_run(tmp_path / "run", fake)
    table = bench.load(run)
    assert not table.duplicated(["dataset", "kind", "method", "case", "metric", "output"]).any()
    assert set(table["run"]) == {"clr"}
    results = join([run])
    (dataset,) = results.datasets
    for column in results.columns(dataset):
        for row in results.rows:
            for kind in CASE_KINDS:
                told = results.column_values(dataset, row.label, column, kind=kind)
                own = table[
                    (table["metric"] == column.metric)
                    & (table["output"] == column.output.name)
                    & (table["method"] == row.label)
                    & (table["kind"] == kind)
                ]
                ok = own[own["status"] == "ok"]
                assert dict(zip(ok["case"], ok["value"], strict=True)) == dict(told.values)
                assert len(own) == told.planned
                assert (own["status"] == "failed").sum() == told.n_failed
    lacking = table[table["status"] != "ok"]
    assert set(lacking["status"]) == {"undefined", "failed"}
    assert lacking["value"].isna().all()
    assert (lacking["reason"] != "").all()
    gone = lacking[(lacking["method"] == "wav2lip") & (lacking["case"] == "s00_000")]
    assert set(gone["reason"]) == {"RuntimeError: out of ideas"}
    assert set(table[table["control"]]["method"]) == {method.name for method in CONTROLS}


def test_sets_have_a_row_for_each_method_and_kind_of_case() -> None:
    table = bench.load(OLD)
    own = table[table["metric"] == "mean_brightness"]
    (line,) = (
        line
        for line in small_records.read_records(OLD / MEASUREMENTS)
        if line["metric"] == "mean_brightness" and line["values"]["mean_brightness"] > 150
    )
    (truth,) = own[own["method"] == "truth"].to_dict("records")
    assert truth["value"] == line["values"]["mean_brightness"]
    assert truth["video_sha256"] == line["video_sha256"]
    assert (truth["kind"], truth["case"], truth["speaker"]) == ("reconstruct", "", "")
    assert len(own) == 7
    assert "framewise" not in set(table["output"])  # a curve


def test_what_was_not_done_yet_is_missing_and_no_number(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run")
    for name in (GENERATIONS, MEASUREMENTS):
        lines = (run / name).read_text(encoding="utf-8").splitlines(keepends=True)
        (run / name).write_text("".join(lines[: len(lines) // 2]), encoding="utf-8")
    table = bench.load(run)
    assert len(table) == len(bench.load(build_run(tmp_path / "whole")))
    missing = table[table["status"] == "missing"]
    assert len(missing) > len(table) / 3
    assert missing["value"].isna().all()


def test_methods_that_are_asked_in_different_ways_can_be_told_apart(tmp_path: Path) -> None:
    methods = [replace(COMPETITORS[0], protocol="reference: same", label="a"), COMPETITORS[1]]
    table = bench.load(str(build_run(tmp_path / "run", FakeRun(methods=methods))))
    ways = table.groupby("method")["method_protocol"].unique()
    assert list(ways["a"]) == ["reference: same"]
    assert list(ways["copycat"]) == [""]


def test_a_folder_that_is_no_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(bench.BenchError, match=r"manifest\.json: no such file"):
        bench.load(tmp_path)


def test_the_example_of_the_page_runs() -> None:
    page = (ROOT / "docs" / "records.md").read_text(encoding="utf-8")
    code = page.split("```python\n")[1].split("```")[0].replace("runs/clr", str(OLD))
    code = code.replace('"lse"', '"brightness"').replace('"lse_d"', '"brightness"')
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert "truth" in done.stdout
    mean = math.fsum((172.47569444443, 158.66232638888, 130.80381944444)) / 3
    assert f"{mean:.6f}"[:9] in done.stdout
