"""The store: append-only, one writer, nothing whole is ever lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.ground.errors import BenchError
from bench.records.reading import read_records
from bench.records.record import GenerationRecord, MeasurementRecord, PreparationRecord, Record
from bench.records.schema import GENERATIONS, MEASUREMENTS, PREPARATIONS, SCHEMA
from bench.records.store import Store
from tests import small_records
from tests.small_records import generation, measurement

PREPARATION = PreparationRecord(
    schema=SCHEMA,
    key="k",
    status="failed",
    method="prepared",
    method_key="m",
    person="s1",
    dataset="tiny",
    clips=("ab" * 32,),
    reason="no face found",
    seconds=1.5,
    started="2026-01-01T00:00:00+00:00",
    device="cpu",
    log="logs/prepared/s1.log",
    folder="prepared/0123",
)


@pytest.mark.parametrize(
    "record",
    [
        generation(case="嘴", seconds={"generate": 0.1 + 0.2}),
        measurement(values={"one": 0.1 + 0.2}, curves={"curve": (1 / 3, 5e-324)}, box=(1, 2, 3, 4)),
        PREPARATION,
    ],
    ids=lambda record: record.file,
)
def test_a_record_comes_back_as_it_was_in_full_precision(tmp_path: Path, record: Record) -> None:
    with Store(tmp_path) as store:
        store.append(record)
    assert list(read_records(tmp_path, type(record))) == [record]
    (line,) = small_records.read_records(tmp_path / record.file)
    assert line["schema"] == SCHEMA


def test_a_record_that_no_reader_would_take_is_not_written(tmp_path: Path) -> None:
    wrong = (
        generation(video="../a.mp4"),
        generation(frames=-1),
        measurement(values={"one": float("nan")}),
        measurement(faces_missing=2.0),
    )
    with Store(tmp_path) as store:
        for record in wrong:
            with pytest.raises(BenchError, match="is no record"):
                store.append(record)
    assert not (tmp_path / GENERATIONS).read_bytes() + (tmp_path / MEASUREMENTS).read_bytes()
    assert not (tmp_path / PREPARATIONS).exists()  # which only runs with such methods have


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with Store(tmp_path), pytest.raises(BenchError, match="another `bench run`"), Store(tmp_path):
        pass


def test_a_planner_may_read_while_a_run_writes(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append(measurement())
        reader = Store(tmp_path)
        reader.read()
    assert reader.measurements == {"k": "ok"}


@settings(deadline=None)  # it waits for the disk
@given(torn=st.integers(min_value=1, max_value=60))
def test_a_torn_last_line_is_dropped_and_the_rest_kept(
    tmp_path_factory: pytest.TempPathFactory, torn: int
) -> None:
    folder = tmp_path_factory.mktemp("run")
    with Store(folder) as store:
        store.append(measurement())
        store.append(measurement(key="second"))
    path = folder / MEASUREMENTS
    whole = path.read_bytes()
    path.write_bytes(whole[: -min(torn, len(whole.splitlines(keepends=True)[1]))])
    with Store(folder) as store:
        assert set(store.measurements) == {"k"}
        store.append(measurement(key="third"))
    assert [one.key for one in read_records(folder, MeasurementRecord)] == ["k", "third"]


def test_a_damaged_line_in_the_middle_is_an_error_with_its_number(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append(generation())
    with (tmp_path / GENERATIONS).open("a") as file:
        file.write("{oops}\n")
    with pytest.raises(BenchError, match=rf"{GENERATIONS}:2: this line is no record"):
        list(read_records(tmp_path, GenerationRecord))


ODD = (None, True, -1, 1.5, 1e400, 10**400, "x", "\ud800", "../../x", [], ["x"], {}, {"a": "b"})


@pytest.mark.parametrize(
    "record", [generation(), measurement(), PREPARATION], ids=lambda record: record.file
)
def test_what_is_json_and_no_record_is_told_with_file_and_line(
    tmp_path: Path, record: Record
) -> None:
    with Store(tmp_path) as store:
        store.append(record)
    path = tmp_path / record.file
    whole = path.read_text(encoding="utf-8")
    (right,) = small_records.read_records(path)
    wrong = [{**right, key: value} for key in right for value in ODD]
    refused = 0
    for one in [*wrong, None, 5, "text", [], [right], {}]:
        path.write_text(whole + json.dumps(one) + "\n")
        try:
            Store(tmp_path).read()
        except BenchError as error:
            assert f"{path}:2: " in str(error)  # noqa: PT017
            refused += 1
    assert refused > len(wrong) // 2


@pytest.mark.parametrize("record", [generation(), measurement()], ids=lambda record: record.file)
def test_a_record_without_one_of_its_fields_is_none_unless_the_field_may_be_empty(
    tmp_path: Path, record: Record
) -> None:
    with Store(tmp_path) as store:
        store.append(record)
    path = tmp_path / record.file
    (right,) = small_records.read_records(path)
    may = {"reason", "traceback", "frames", "mouth", "conformed", "faces_missing"}
    may |= {"own_reference", "cut", "asked", "first"}  # of a part of the frame, or of the frames
    for name in right:
        path.write_text(json.dumps({k: v for k, v in right.items() if k != name}) + "\n")
        if name in may:
            Store(tmp_path).read()
            continue
        with pytest.raises(BenchError, match=f":1: .*{name}"):
            Store(tmp_path).read()


def test_fields_of_a_later_version_are_left_alone(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append(generation())
    path = tmp_path / GENERATIONS
    (right,) = small_records.read_records(path)
    path.write_text(json.dumps({**right, "colour": "red"}) + "\n")
    assert list(read_records(tmp_path, GenerationRecord)) == [generation()]


def test_a_record_never_names_a_file_outside_its_folder(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append(generation())
    (right,) = small_records.read_records(tmp_path / GENERATIONS)
    for video in ("/etc/passwd", "../other/videos/a.mp4", "videos/../../a.mp4", "a\0b"):
        (tmp_path / GENERATIONS).write_text(json.dumps({**right, "video": video}) + "\n")
        with pytest.raises(BenchError, match="inside the run folder"):
            Store(tmp_path).read()


def test_a_deep_line_is_no_record(tmp_path: Path) -> None:
    (tmp_path / GENERATIONS).write_text("[" * 100_000 + "\n")
    with pytest.raises(BenchError, match=":1: this line is no record"):
        Store(tmp_path).read()


def test_a_reason_that_no_file_can_hold_is_recorded_nevertheless(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append(measurement(reason="clip \udcff.mp4 is broken"))
    (record,) = read_records(tmp_path, MeasurementRecord)
    assert record.reason == "clip ?.mp4 is broken"
