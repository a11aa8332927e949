"""LSE-C on the scale of what a clip can give: 0 is its own wrong speech, 1 its truth."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

import bench
import reports
from bench.ground.errors import BenchError
from bench.records.manifest import OutputPart
from bench.records.relative import (
    NO_MISMATCHED,
    NO_TRUTH,
    NOT_ABOVE,
    relative,
    relative_outputs,
)
from bench.run.config import load_config
from reports.comparison import build_table
from reports.results import Results
from reports.words import read_words
from reports.worth import read_judged
from tests.fixtures_run import CONTROLS, FakeRun, build_run

PROTOCOL = "lse_c_relative[0: the larger of mismatched and still; 1: truth] of "


@pytest.mark.parametrize(
    ("value", "still", "expected"),
    [
        (0.30, 0.01, 0.5),  # (0.30 - 0.10) / (0.50 - 0.10)
        (0.30, None, 0.5),
        (0.30, 0.20, 1 / 3),  # a still face pleases more than wrong speech: it is the zero
        (0.50, 0.01, 1.0),
        (0.10, 0.01, 0.0),
        (0.06, 0.01, -0.1),
        (0.54, 0.01, 1.1),
    ],
)
def test_zero_is_the_larger_control_and_one_the_truth(
    value: float, still: float | None, expected: float
) -> None:
    controls = {"truth": 0.50, "mismatched": 0.10, "still": still}
    assert relative(value, controls) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("controls", "reason"),
    [
        ({"mismatched": 0.1, "still": 0.0}, NO_TRUTH),
        ({"truth": 0.5, "still": 0.0}, NO_MISMATCHED),
        ({"truth": 0.5, "mismatched": 0.5}, NOT_ABOVE),
        ({"truth": 0.5, "mismatched": 0.34}, NOT_ABOVE),  # 0.16 of 0.50
        ({"truth": 0.5, "mismatched": 0.1, "still": 0.6}, NOT_ABOVE),
        ({"truth": -0.1, "mismatched": -0.3}, 0.0),
        ({"truth": 0.0, "mismatched": 0.0}, NOT_ABOVE),
        ({"truth": 0.5, "mismatched": 0.33}, 0.0),
    ],
)
def test_a_clip_without_a_lead_has_a_reason_and_no_number(
    controls: dict[str, float], reason: str | float
) -> None:
    found = relative(controls.get("mismatched", 0.2), controls)
    assert found == (reason if isinstance(reason, str) else pytest.approx(reason))


def test_only_confidences_of_sync_metrics_have_a_scale() -> None:
    outputs = [
        OutputPart(name="lse_d", better="lower"),
        OutputPart(name="lse_c", title="LSE-C", unit="distance", better="higher", low=0.0),
    ]
    ((base, scaled),) = relative_outputs(outputs)
    assert base.name == "lse_c"
    assert (scaled.name, scaled.heading, scaled.unit) == ("lse_c_relative", "LSE-C, relative", "1")
    assert (scaled.better, scaled.low, scaled.best) == ("higher", None, None)


def lse_c(run: Path) -> dict[tuple[str, str], float]:
    """LSE-C by method and case, from the records alone."""
    made = [json.loads(line) for line in (run / "generations.jsonl").read_text().splitlines()]
    measured = [json.loads(line) for line in (run / "measurements.jsonl").read_text().splitlines()]
    values = {
        one["video_sha256"]: one["values"]["lse_c"] for one in measured if one["metric"] == "lse"
    }
    return {(one["method"], one["case"]): values[one["sha256"]] for one in made}


def by_hand(run: Path, method: str, case: str) -> float:
    found = lse_c(run)
    bottom = max(found["mismatched", case], found["still", case])
    return (found[method, case] - bottom) / (found["truth", case] - bottom)


def column_of(results: Results) -> dict[str, dict[str, float]]:
    (dataset,) = results.datasets
    column = next(one for one in results.columns(dataset) if one.name == "lse.lse_c_relative")
    assert column.protocol.startswith(PROTOCOL)
    return {
        row.label: dict(
            results.column_values(dataset, row.label, column, kind="reconstruct").values
        )
        for row in results.rows
    }


def test_report_and_load_give_the_same_values_as_the_records(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", FakeRun(speakers=6))
    found = column_of(read_judged([run]).results)
    assert len(found["wav2lip"]) == 18
    for case, value in found["wav2lip"].items():
        assert value == pytest.approx(by_hand(run, "wav2lip", case))
    assert set(found["truth"].values()) == {1.0}
    rows = bench.load(run)
    rows = rows[rows["output"] == "lse_c_relative"]
    assert set(rows["kind"]) == {"reconstruct"}
    assert set(rows["status"]) == {"ok"}
    for _, row in rows.iterrows():
        assert row["value"] == pytest.approx(found[row["method"]][row["case"]])
        assert row["protocol"].startswith(PROTOCOL)


def test_a_run_without_wrong_speech_has_no_scale(tmp_path: Path) -> None:
    methods = tuple(one for one in CONTROLS if one.name != "mismatched")
    run = build_run(tmp_path / "run", FakeRun(methods=methods))
    assert not any(column_of(read_judged([run]).results).values())
    rows = bench.load(run)
    rows = rows[rows["output"] == "lse_c_relative"]
    assert set(rows["reason"]) == {NO_MISMATCHED}
    assert all(map(math.isnan, rows["value"]))


def test_a_scorer_that_does_not_work_voids_its_relative_values(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", FakeRun(speakers=12, works=False))
    (dataset,) = (results := read_judged([run]).results).datasets
    void = {one.name: one.is_void for one in results.columns(dataset)}
    assert void["lse.lse_c"]
    assert void["lse.lse_c_relative"]
    assert not void["psnr.psnr"]


def test_it_stands_in_a_table_with_its_interval(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", FakeRun(speakers=6))
    results = read_judged([run]).results
    part = replace(results.tables[0], columns=("lse.lse_c", "lse.lse_c_relative"))
    (block,) = build_table(results, part).blocks
    (relative_column,) = (one for one in block.columns if one.column.scaled is not None)
    entry = relative_column.standing.entries["wav2lip"]
    values = [by_hand(run, "wav2lip", case.id) for case in block.dataset.of_kind("reconstruct")]
    assert entry.interval is not None
    assert entry.interval.mean == pytest.approx(sum(values) / len(values))
    assert entry.interval.resampled == "speaker"
    assert relative_column.standing.entries["copycat"].is_above_truth
    chinese = read_words("zh")
    assert chinese.translated(relative_column.column.output.heading) == "LSE-C（相对值）"
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["tables"][0]["columns"].append("lse.lse_c_relative")
    (run / "manifest.json").write_text(json.dumps(manifest))
    page = reports.build([run], tmp_path / "out").read_text(encoding="utf-8")
    assert "LSE-C, relative" in page


def test_a_config_may_ask_for_it_of_a_sync_metric_only(tmp_path: Path) -> None:
    config = {
        "name": "some",
        "faces": "given",
        "data": [{"name": "synth", "corpus": "synth-en", "split": "test"}],
        "methods": [{"name": "truth"}],
        "metrics": [{"name": "lse", "label": "sync"}, {"name": "psnr"}],
        "tables": [{"name": "one", "columns": ["sync.lse_c_relative"]}],
    }
    path = tmp_path / "some.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    assert load_config(path).config.tables[0].columns == ("sync.lse_c_relative",)
    config["tables"] = [{"name": "one", "columns": ["psnr.psnr_relative"]}]
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    with pytest.raises(BenchError, match=r"no metric gives 'psnr\.psnr_relative'"):
        load_config(path)
