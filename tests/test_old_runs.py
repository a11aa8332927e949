"""A run folder of an older version opens in reports, is gone on with, and is scored.

tests/old_runs/schema_1 was made, with `bench run old.yaml -o run`, by the last version that wrote
schema 1: three tiny clips, a plugin's metrics with a curve and of sets, failed and undefined cells.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import reports
from bench.ground.errors import BenchError
from bench.records.reading import read_manifest, read_records
from bench.records.record import GenerationRecord, MeasurementRecord
from bench.records.run_folder import read_run
from bench.records.schema import GENERATIONS, MANIFEST, MEASUREMENTS, SCHEMA
from bench.study.answers import Answer, write_answers
from bench.study.score.scores import read_scores
from reports.results import join
from tests import small_records
from tests.conftest import ROOT
from tests.test_run import bench

FILES = (GENERATIONS, MEASUREMENTS)
CODE_OF_THEN = "f6822a63230800efc0adf4a0cc91de5ca23dfafce70e0e36c3992ebdd8c6af02"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A copy of the run folder, its config and its data beside it."""
    shutil.copytree(ROOT / "tests" / "old_runs" / "schema_1", tmp_path / "old")
    with (tmp_path / "old" / "old.yaml").open("a", encoding="utf-8") as config:
        config.write("floors: 0  # which that version did not know\n")
    return tmp_path / "old" / "run"


@pytest.fixture
def old_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The versions that entered the keys then; raised ones would mean new keys, rightly.

    So would the plugin's code, which has followed the contract of set metrics since.
    """
    monkeypatch.setattr("bench.contract.identity.code_digest", lambda *_: CODE_OF_THEN)
    monkeypatch.setattr("bench.run.plan.conform_version", lambda _clip: "1")
    monkeypatch.setattr("bench.run.plan.OUTPUT_VERSION", "2")
    monkeypatch.setattr("bench.run.plan.FACES_VERSION", "3")


def contents(run: Path) -> list[bytes]:
    return [(run / name).read_bytes() for name in FILES]


def test_every_value_is_read_as_it_was_written(old: Path) -> None:
    raw = small_records.read_records(old / MEASUREMENTS)
    assert {line["schema"] for line in raw} == {1}
    read = list(read_records(old, MeasurementRecord))
    assert len(read) == len(raw) == 52
    for line, record in zip(raw, read, strict=True):
        assert {**record.values, **record.curves} == {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in line["values"].items()
        }
        for name in ("key", "metric", "metric_key", "status", "reason", "video_sha256", "seconds"):
            assert getattr(record, name) == line[name]
    assert sum("framewise" in record.curves for record in read) > 20
    raw = small_records.read_records(old / GENERATIONS)
    for line, made in zip(raw, read_records(old, GenerationRecord), strict=True):
        for name in ("key", "case", "sha256", "video", "reference_sha256", "seconds", "frames"):
            assert getattr(made, name) == line[name]


def test_it_opens_in_a_report(old: Path, tmp_path: Path) -> None:
    page = reports.build([old], tmp_path / "report").read_text(encoding="utf-8")
    assert "165.569" in page  # the mean brightness of `truth`, which the old version showed, too
    assert "RuntimeError: this method cannot do this clip" in page
    (dataset,) = join([old]).datasets
    assert len(dataset.cases) == 8


@pytest.mark.usefixtures("old_keys")
def test_it_is_finished_and_stays_as_it_is(old: Path) -> None:
    before = contents(old)
    code, output = bench("run", old.parent / "old.yaml", "-o", old)
    assert "nothing to do: all 72 cells are cached" in output
    assert code == 1  # its failed cells are still failed
    assert contents(old) == before
    assert json.loads((old / MANIFEST).read_text(encoding="utf-8"))["schema"] == SCHEMA
    read_run(old)


@pytest.mark.usefixtures("old_keys")
def test_what_it_lacks_is_added_in_the_form_of_today(old: Path) -> None:
    lines = small_records.read_records(old / MEASUREMENTS)
    kept = [line for line in lines if line["metric"] != "darkness"]
    (old / MEASUREMENTS).write_text("".join(json.dumps(line) + "\n" for line in kept))
    bench("run", old.parent / "old.yaml", "-o", old)
    every = small_records.read_records(old / MEASUREMENTS)
    assert [line["schema"] for line in every] == [1] * len(kept) + [2] * (len(lines) - len(kept))
    again = {one.key: one for one in read_records(old, MeasurementRecord)}
    for line in lines:
        record = again[line["key"]]
        assert {*record.values, *record.curves} == set(line["values"])
        for name, value in line["values"].items():
            assert {**record.values, **record.curves}[name] == pytest.approx(value)


def test_a_study_of_it_is_scored(old: Path, tmp_path: Path) -> None:
    answers = [
        Answer(f"r{rater}", "tiny", case, method, "overall_impression", 1 + (rater + place) % 5)
        for rater in range(4)
        for case in ("one", "two")
        for place, method in enumerate(("truth", "still", "dimmed"))
    ]
    write_answers(tmp_path / "answers.csv", answers)
    code, output = bench("study", "score", tmp_path / "answers.csv", "--run", old)
    assert code == 0, output
    scores = read_scores(tmp_path / "answers.scores.json")
    assert any(one.points for one in scores.kept.correlations)


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_a_file_of_a_newer_version_asks_for_an_upgrade(old: Path, name: str) -> None:
    path = old / name
    raw = path.read_text(encoding="utf-8").replace('"schema": 1', f'"schema": {SCHEMA + 1}')
    path.write_text(raw, encoding="utf-8")
    told = rf"{name}.*newer version \(schema {SCHEMA + 1}, this is {SCHEMA}\).*Upgrade"
    with pytest.raises(BenchError, match=told):
        read_run(old)
    code, output = bench("run", old.parent / "old.yaml", "-o", old)
    assert code == 2
    assert "Upgrade talking-face-bench" in output


@pytest.mark.parametrize("schema", [None, 0, -1, True, "1", 1.0, [1]])
def test_a_file_of_no_version_is_refused(old: Path, schema: object) -> None:
    path = old / MANIFEST
    raw = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**raw, "schema": schema}), encoding="utf-8")
    with pytest.raises(BenchError, match=rf"{MANIFEST}: schema: expected a whole number"):
        read_manifest(old)
