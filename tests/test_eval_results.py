"""Results for the Hugging Face Hub, links to a method's video of a case, and limited runs."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
import yaml

import bench as harness
from bench.records.reading import read_manifest
from reports.case_page import method_anchor
from tests.fixtures_run import COMPETITORS, FakeRun, build_run
from tests.small_data import make_config, make_manifest
from tests.test_run import bench


def test_a_file_holds_one_protocol_and_the_means_of_one_method(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", FakeRun(stand_in=None, failing=[("wav2lip", "s00_000")]))
    arguments = ("--hub", "CLR=owner/clr", "--url", "https://example.org/clr/")
    code, output = bench(
        "report", run, "-o", tmp_path / "out", "--eval-results", tmp_path / "hub", *arguments
    )
    assert code == 0, output
    labels = {method.shown for method in COMPETITORS}
    assert len(list((tmp_path / "hub").iterdir())) == len(labels)
    table = harness.load(run)
    ok = table[table["status"] == "ok"]
    files = sorted((tmp_path / "hub" / "wav2lip" / ".eval_results").glob("*.yaml"))
    assert len(files) == len(set(table["protocol"]))
    seen = 0
    for path in files:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert len({entry["notes"].partition(";")[0] for entry in entries}) == 1
        for entry in entries:
            assert set(entry) == {"dataset", "value", "date", "notes", "source"}
            assert entry["dataset"]["id"] == "owner/clr"
            kind, _, name = entry["dataset"]["task_id"].partition("_")
            metric, output_name = name.rsplit(".", 1)
            own = ok[
                (ok["method"] == "wav2lip")
                & (ok["kind"] == kind)
                & (ok["metric"] == metric)
                & (ok["output"] == output_name)
            ]
            assert entry["value"] == pytest.approx(own["value"].mean())
            assert entry["notes"].startswith(own["protocol"].iloc[0])
            assert f"mean over {len(own)} of 12 cases" in entry["notes"]
            assert entry["source"]["url"] == "https://example.org/clr/index.html"
            seen += 1
    assert seen == len(ok[ok["method"] == "wav2lip"].groupby(["kind", "metric", "output"]))


def test_a_stand_in_and_a_scorer_that_does_not_work_are_no_results(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", FakeRun(works=False))
    code, output = bench("report", run, "-o", tmp_path / "out", "--eval-results", tmp_path / "hub")
    assert code == 0, output
    assert "it does not work there" in output
    texts = [path.read_text(encoding="utf-8") for path in (tmp_path / "hub").rglob("*.yaml")]
    entries = [entry for text in texts for entry in yaml.safe_load(text)]
    assert entries
    assert {entry["dataset"]["id"] for entry in entries} == {"synth-zh"}
    assert all("a synthetic stand-in for CLR" in entry["notes"] for entry in entries)
    assert not [entry for entry in entries if "lse" in entry["dataset"]["task_id"]]


@pytest.mark.parametrize("hub", ["CLR", "LRS=owner/lrs"])
def test_wrong_names_of_data_sets_are_refused(hub: str, tmp_path: Path) -> None:
    run = build_run(tmp_path / "run")
    code, _ = bench(
        "report", run, "-o", tmp_path / "out", "--eval-results", tmp_path / "hub", "--hub", hub
    )
    assert code == 2


# ---- links ----------------------------------------------------------------------------------


def test_every_video_of_a_case_has_a_lasting_link(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    make_manifest(tmp_path / "data")
    assert bench("run", config, "-o", tmp_path / "run")[0] == 0
    pages = sorted((tmp_path / "run/report/cases").glob("tiny-one-*.html"))
    page = pages[0].read_text(encoding="utf-8")
    for label in ("truth", "still", "dimmed"):
        assert f'id="{method_anchor(label)}"' in page
        assert f'href="#{method_anchor(label)}"' in page
    make_config(tmp_path, methods=[{"name": "dimmed"}, {"name": "truth"}])  # other rows and order
    assert bench("run", config, "-o", tmp_path / "other")[0] == 0
    again = (tmp_path / "other/report/cases" / pages[0].name).read_text(encoding="utf-8")
    assert f'id="{method_anchor("dimmed")}"' in again


def test_anchors_of_different_labels_differ_and_are_plain() -> None:
    labels = ["a b", "a-b", "a+b", "a.b", "ab", "漓江", "M-CSAWav2Lip"]
    anchors = [method_anchor(label) for label in labels]
    assert len(set(anchors)) == len(labels)
    assert all(re.fullmatch(r"[A-Za-z0-9-]+", anchor) for anchor in anchors)


# ---- limited runs ---------------------------------------------------------------------------


def test_a_limited_run_says_so_everywhere_and_shares_its_cells_with_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(tmp_path)
    make_manifest(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    code, output = bench("run", config, "--limit", 2)
    assert code == 0, output
    folder = tmp_path / "runs" / "small-limit-2"
    assert "only the first 2 of 9 cases of tiny were run" in output
    manifest = read_manifest(folder)
    assert manifest.name == "small-limit-2"
    assert [case.id for case in manifest.cases] == ["one", manifest.cases[1].id]
    assert manifest.datasets[0].left_out == 7
    assert set(harness.load(folder)["run"]) == {"small-limit-2"}
    index = (folder / "report/index.html").read_text(encoding="utf-8")
    assert index.count("only the first 2 of 9 cases") >= 2  # the banner, and below the table
    for page in (folder / "report/cases").iterdir():
        assert "only the first 2 of 9 cases" in page.read_text(encoding="utf-8")
    with (folder / "report/tables/summary.csv").open(encoding="utf-8") as file:
        assert {row["dataset"] for row in csv.DictReader(file)} == {"tiny [first 2 of 9 cases]"}
    for name in ("comparison.csv", "comparison.md", "comparison.tex"):
        assert "first 2 of 9 cases" in (folder / "report/tables" / name).read_text(encoding="utf-8")
    code, output = bench("run", config, "-o", folder)  # the whole one goes on from there
    assert code == 0
    assert "videos: 2 of" not in output
    whole = read_manifest(folder)
    assert (whole.name, whole.datasets[0].left_out) == ("small", 0)
    code, output = bench("run", config, "--limit", 2, "-o", folder)
    assert code == 2
    assert "which --limit would cut down" in output
    assert len(read_manifest(folder).cases) == 9


def test_a_limit_above_the_number_of_cases_leaves_nothing_out(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    make_manifest(tmp_path / "data")
    assert bench("run", config, "--limit", 99, "-o", tmp_path / "run")[0] == 0
    index = (tmp_path / "run/report/index.html").read_text(encoding="utf-8")
    assert "only the first" not in index


# ---- lists for programs ---------------------------------------------------------------------


def test_the_list_for_programs_has_outputs_with_unit_direction_and_range() -> None:
    code, output = bench("list", "--json")
    assert code == 0
    found = {one["name"]: one for one in json.loads(output)}
    assert found["psnr"]["kind"] == "metric"
    assert found["psnr"]["outputs"] == [
        {
            "name": "psnr",
            "title": "PSNR",
            "unit": "dB",
            "better": "higher",
            "best": None,
            "low": 0.0,
            "high": None,
            "curve": False,
        }
    ]
    assert found["psnr"]["options"]["region"]["enum"] == ["face", "frame", "mouth"]
    assert found["truth"]["control"] is True
    assert {one["kind"] for one in found.values()} == {"method", "metric", "feature", "importer"}
    code, output = bench("list", "lse", "--json")
    assert [one["name"] for one in json.loads(output)] == ["lse"]
