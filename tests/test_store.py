"""The store: append-only, one writer, nothing whole is ever lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import BenchError
from bench.records.run_folder import read_generations
from bench.records.store import GENERATIONS, MEASUREMENTS, Store, read_records

RECORD = {"key": "k", "status": "ok", "value": 0.1 + 0.2, "text": "嘴"}


def test_a_record_comes_back_in_full_precision(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append(MEASUREMENTS, RECORD)
    (record,) = read_records(tmp_path / MEASUREMENTS)
    assert record == {**RECORD, "schema": 1}


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with Store(tmp_path), pytest.raises(BenchError, match="another `bench run`"), Store(tmp_path):
        pass


def test_a_planner_may_read_while_a_run_writes(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append(MEASUREMENTS, RECORD)
        reader = Store(tmp_path)
        reader.read()
    assert reader.measurements == {"k": "ok"}


@given(torn=st.integers(min_value=1, max_value=60))
def test_a_torn_last_line_is_dropped_and_the_rest_kept(
    tmp_path_factory: pytest.TempPathFactory, torn: int
) -> None:
    folder = tmp_path_factory.mktemp("run")
    with Store(folder) as store:
        store.append(MEASUREMENTS, RECORD)
        store.append(MEASUREMENTS, {**RECORD, "key": "second"})
    path = folder / MEASUREMENTS
    whole = path.read_bytes()
    path.write_bytes(whole[: -min(torn, len(whole.splitlines(keepends=True)[1]))])
    with Store(folder) as store:
        assert set(store.measurements) == {"k"}
        store.append(MEASUREMENTS, {**RECORD, "key": "third"})
    assert [record["key"] for record in read_records(path)] == ["k", "third"]


def test_a_damaged_line_in_the_middle_is_an_error_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / GENERATIONS
    made = {**RECORD, "schema": 1, "video": "videos/a.mp4", "sha256": ""}
    path.write_text(json.dumps(made) + "\n{oops}\n")
    with pytest.raises(BenchError, match=rf"{GENERATIONS}:2: this line is no record"):
        list(read_records(path))


def test_a_newer_schema_asks_for_an_upgrade(tmp_path: Path) -> None:
    path = tmp_path / GENERATIONS
    path.write_text(json.dumps({"schema": 99}) + "\n")
    with pytest.raises(BenchError, match="Upgrade"):
        list(read_records(path))


GENERATION = {
    "schema": 1,
    "key": "k",
    "status": "ok",
    "method_key": "m",
    "case_key": "c",
    "video": "videos/a.mp4",
    "sha256": "ab" * 32,
    "reference_sha256": None,
    "mouth": [1.0, 2.0, 3.0, 4.0],
    "frames": 12,
    "conformed": [],
    "seconds": {"generate": 0.5},
    "reason": None,
    "method_protocol": "",
}
MEASUREMENT = {
    "schema": 1,
    "key": "k",
    "status": "ok",
    "metric_key": "m",
    "video_sha256": "ab" * 32,
    "reference_sha256": None,
    "values": {"one": 1.0, "curve": [1.0, 2.0]},
    "seconds": 0.5,
    "faces_missing": None,
    "reason": None,
}
ODD = (None, True, -1, 1.5, 1e400, 10**400, "x", "\ud800", "../../x", [], ["x"], {}, {"a": "b"})


@pytest.mark.parametrize(
    ("name", "record"), [(GENERATIONS, GENERATION), (MEASUREMENTS, MEASUREMENT)]
)
def test_what_is_json_and_no_record_is_told_with_file_and_line(
    tmp_path: Path, name: str, record: dict[str, object]
) -> None:
    path = tmp_path / name
    refused = 0
    wrong = [{**record, key: value} for key in record for value in ODD]
    for one in [*wrong, None, 5, "text", [], [record], {}]:
        path.write_text(json.dumps(record) + "\n" + json.dumps(one) + "\n")
        try:
            Store(tmp_path).read()
            read_generations(tmp_path)
        except BenchError as error:
            assert f"{path}:2: " in str(error)  # noqa: PT017
            refused += 1
    assert refused > len(wrong) // 2


def test_a_record_never_names_a_file_outside_its_folder(tmp_path: Path) -> None:
    for video in ("/etc/passwd", "../other/videos/a.mp4", "videos/../../a.mp4", "a\0b"):
        (tmp_path / GENERATIONS).write_text(json.dumps({**GENERATION, "video": video}) + "\n")
        with pytest.raises(BenchError, match="inside the run folder"):
            Store(tmp_path).read()


def test_a_deep_line_is_no_record(tmp_path: Path) -> None:
    (tmp_path / GENERATIONS).write_text("[" * 100_000 + "\n")
    with pytest.raises(BenchError, match=":1: this line is no record"):
        Store(tmp_path).read()


def test_a_reason_that_no_file_can_hold_is_recorded_nevertheless(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append(MEASUREMENTS, {**MEASUREMENT, "reason": "clip \udcff.mp4 is broken"})
    (record,) = read_records(tmp_path / MEASUREMENTS)
    assert record["reason"] == "clip ?.mp4 is broken"
