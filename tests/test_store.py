"""The store: append-only, one writer, nothing whole is ever lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import BenchError
from bench.store import GENERATIONS, MEASUREMENTS, Store, read_records

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
