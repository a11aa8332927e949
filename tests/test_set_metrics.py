"""Metrics of whole sets, from the config to the report: values, gaps, failures, going on."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from bench import media
from bench.records.schema import MEASUREMENTS
from tests.conftest import ROOT
from tests.small_data import make_config, make_manifest
from tests.small_records import read_records
from tests.test_run import bench

METRICS = [
    {"name": "brightness"},
    {"name": "range"},
    {"name": "range", "label": "crowd", "options": {"least": 100}},
]
COLUMNS = ["brightness.brightness", "range.range", "crowd.range"]


def prepare(folder: Path, *more: dict[str, object], **changes: object) -> Path:
    make_manifest(folder / "data")
    shutil.copy(ROOT / "tests" / "plugins" / "set_metrics.py", folder)
    return make_config(
        folder,
        plugins=["brightness.py", "set_metrics.py"],
        metrics=[*METRICS, *more],
        cases={"kinds": ["reconstruct", "probe"]},
        tables=[
            {"name": "comparison", "columns": COLUMNS + [f"{each['label']}.range" for each in more]}
        ],
        **changes,
    )


def brightness(run: Path, method: str) -> list[float]:
    """Mean grey of each of a method's videos of the usual protocol."""
    videos = sorted((run / "videos" / "tiny" / method).glob("*.mp4"))
    plain = [path for path in videos if not set(path.stem) & set("+~")]
    return [float(media.read_frames(path).mean()) for path in plain]


def sets(run: Path, metric: str) -> list[dict[str, object]]:
    return [each for each in read_records(run / MEASUREMENTS) if each["metric"] == metric]


@pytest.fixture
def done(tmp_path: Path) -> tuple[Path, str]:
    """A finished run, and what the terminal said."""
    code, output = bench("run", prepare(tmp_path), "-o", tmp_path / "run")
    assert code == 0, output
    return tmp_path / "run", output


def test_a_set_has_one_value_for_each_method_and_kind_of_case(done: tuple[Path, str]) -> None:
    run, _ = done
    found = sets(run, "range")
    assert len(found) == 5  # still and dimmed: two kinds; truth answers reconstruct alone
    assert {each["status"] for each in found} == {"ok"}
    values = [each["values"]["range"] for each in found]
    for method in ("truth", "still", "dimmed"):
        expected = np.ptp(brightness(run, method))
        assert min(abs(value - expected) for value in values) < 1e-9


def test_the_terminal_and_the_summary_show_it(done: tuple[Path, str]) -> None:
    run, output = done
    expected = {method: np.ptp(brightness(run, method)) for method in ("truth", "still", "dimmed")}
    for value in expected.values():
        assert f"{value:.3f}" in output
    with (run / "report" / "tables" / "summary.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["output"] == "range"]
    by_protocol = {(row["protocol"], row["method"]): row for row in rows}
    for method, value in expected.items():
        row = by_protocol["range[frame; at least 1]", method]
        assert float(row["mean"]) == pytest.approx(value)
        assert (row["ci_low"], row["p_value"]) == ("", "")  # one value has no interval
        assert (row["n_scored"], row["n_planned"]) == ("3", "3")
        assert by_protocol["range[frame; at least 100]", method]["mean"] == ""


def test_the_report_shows_the_value_and_why_there_is_none(done: tuple[Path, str]) -> None:
    run, _ = done
    page = (run / "report" / "index.html").read_text(encoding="utf-8")
    assert f"{np.ptp(brightness(run, 'dimmed')):.3f}" in page
    assert "range[frame; at least 100]" in page
    assert "3 clips are too few for a range" in page


def test_a_finished_set_is_not_measured_again(done: tuple[Path, str]) -> None:
    run, _ = done
    before = (run / MEASUREMENTS).read_bytes()
    code, output = bench("run", run.parent / "small.yaml", "-o", run)
    assert code == 0
    assert "nothing to do" in output
    assert (run / MEASUREMENTS).read_bytes() == before


def test_another_clip_makes_another_set(done: tuple[Path, str]) -> None:
    run, _ = done
    make_manifest(run.parent / "data", ("one", "two", "three", "four"))
    assert bench("run", run.parent / "small.yaml", "-o", run)[0] == 0
    counts = {each["video_sha256"] for each in sets(run, "range")}
    assert len(counts) == 10


def test_a_failing_set_metric_costs_its_own_cells_alone(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.touch()
    fragile = {"name": "range", "label": "fragile", "options": {"broken": str(broken)}}
    config = prepare(tmp_path, fragile)
    code, output = bench("run", config, "-o", tmp_path / "run")
    assert code == 1
    assert "Traceback" not in output
    assert "failed fragile: RuntimeError: the set metric broke" in " ".join(output.split())
    assert {each["status"] for each in sets(tmp_path / "run", "fragile")} == {"failed"}
    assert {each["status"] for each in sets(tmp_path / "run", "range")} == {"ok"}
    page = (tmp_path / "run" / "report" / "index.html").read_text(encoding="utf-8")
    failures = page[page.index('<section id="failures">') :]
    failures = failures[: failures.index("</section>")]
    assert "fragile (dimmed)" in failures
    assert "the set metric broke" in failures
    assert 'href="cases/"' not in page
    broken.unlink()
    assert bench("run", config, "-o", tmp_path / "run")[0] == 1  # a failure stays one
    assert bench("run", config, "-o", tmp_path / "run", "--retry")[0] == 0
    assert sets(tmp_path / "run", "fragile")[-1]["status"] == "ok"


@pytest.mark.slow
def test_several_processes_give_the_same_sets(done: tuple[Path, str]) -> None:
    run, _ = done
    config, other = run.parent / "small.yaml", run.with_name("two")
    assert bench("run", config, "-o", other, "--workers", 2)[0] == 0

    def values(folder: Path) -> dict[str, object]:
        return {str(each["key"]): each["values"] for each in sets(folder, "range")}

    assert values(other) == values(run)
