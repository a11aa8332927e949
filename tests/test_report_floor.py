"""Marks of differences below a floor, in every form of a table; what metrics hear."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from pathlib import Path
from statistics import mean, stdev

import pytest

from bench.ground.stats import Interval
from reports import sheets
from reports.comparison import build_table
from reports.floor import Floor
from reports.leakfree import pair
from reports.listening import listen
from reports.pairwise import compare_pairs
from reports.results import Column, Dataset, Results, join
from reports.sections.pairs import view_pairs
from reports.sections.tables import table_notes
from reports.text import fine
from reports.words import read_words
from tests.fixtures_run import FakeRun, build_report, build_run

HIGHER, LOWER = "higher", "lower"


def floor_of(*moves: float, better: str = HIGHER) -> Floor:
    named = tuple(zip(("jpeg", "noise", "encoding"), moves, strict=False))
    return Floor(better, named, named, 6)  # type: ignore[arg-type]


def level_of(*levels: float, better: str = HIGHER) -> Floor:
    named = tuple(zip(("jpeg", "noise", "encoding"), levels, strict=False))
    return Floor(better, named, (), 6)  # type: ignore[arg-type]


def with_floors(run: Path, floors: dict[str, Floor]) -> Results:
    results = join([run])

    def changed(_: Dataset, column: Column) -> Column:
        return dataclasses.replace(column, floor=floors.get(column.name), chance=0.25)

    results.change_columns(changed)
    return results


def test_the_largest_movement_is_the_floor() -> None:
    floor = floor_of(0.01, 0.04, 0.02)
    assert (floor.largest, floor.level) == (0.04, None)
    assert floor.mean == pytest.approx(0.07 / 3)
    assert floor.hides(0.80, 0.835)
    assert not floor.hides(0.80, 0.85)
    assert floor.hides_difference(-0.039)
    assert not floor.hides_difference(0.04)


def test_a_level_hides_what_lies_beyond_it_on_both_sides() -> None:
    for floor, good, bad in (
        (level_of(36.0, 34.0, 40.0), (35.0, 50.0), (33.0, 50.0)),
        (level_of(0.4, 0.2, 0.1, better=LOWER), (0.3, 0.0), (0.5, 0.0)),
    ):
        assert floor.largest is None
        assert floor.level == (34.0 if floor.better == HIGHER else 0.4)
        assert floor.hides(*good)
        assert not floor.hides(*bad)
        assert not floor.hides_difference(0.0)


def test_a_floor_without_direction_has_no_level() -> None:
    floor = Floor("none", (("jpeg", 1.0),), (), 3)
    assert floor.level is None
    assert not floor.hides(1.0, 1.0)


def test_what_differs_by_less_than_the_floor_is_marked_everywhere(tmp_path: Path) -> None:
    """wav2lip 31.3 dB, copycat 35.1, M-CSAWav2Lip 31.6; the baseline is wav2lip."""
    run = build_run(tmp_path / "run", FakeRun(speakers=12))
    results = with_floors(run, {"psnr.psnr": floor_of(3.0, 3.65, 1.0)})
    table = build_table(results, results.tables[0])
    (psnr,) = (one for one in table.blocks[0].columns if one.column.name == "psnr.psnr")
    entries = psnr.standing.entries
    below = {label for label, entry in entries.items() if entry.is_below_floor}
    assert below == {"copycat", "M-CSAWav2Lip"}  # 3.5 dB apart; wav2lip is 3.8 from the best
    assert entries["M-CSAWav2Lip"].is_significant
    assert entries["M-CSAWav2Lip"].is_difference_below_floor
    assert not entries["copycat"].is_difference_below_floor
    words = read_words("en")
    cell = sheets.cell(psnr.standing, "M-CSAWav2Lip", words)
    assert cell.sign == "(*)⌊"
    assert sheets.cell(psnr.standing, "copycat", words).sign == "*⌊"
    notes = table_notes(table, words)
    assert any(note.startswith("⌊ differs from the best method") for note in notes)
    assert any(note.startswith("(*) differs significantly") for note in notes)
    sheet = sheets.sheet(table, words, "Table 1. x", notes)
    assert r"$\lfloor$" in sheets.to_latex(sheet)
    assert "(\\*)⌊" in sheets.to_markdown(sheet)
    (line,) = (one for one in csv.reader(io.StringIO(sheets.to_csv(sheet))) if "copycat" in one[0])
    assert sum("⌊" in text for text in line) == 1
    foot = list(csv.reader(io.StringIO(sheets.to_csv(sheet))))[-2:]
    assert [row[0].partition(":")[0] for row in foot] == ["Floor", "Chance level"]
    assert "3.650" in foot[0]
    matrices = view_pairs(results, compare_pairs(table), words)
    (shown,) = (one for one in matrices if one.title == "PSNR")
    hidden = {
        (name, shown.names[place])
        for name, cells in shown.rows
        for place, one in enumerate(cells)
        if one.is_below_floor
    }
    assert hidden == {
        *(("copycat", "M-CSAWav2Lip"), ("M-CSAWav2Lip", "copycat")),
        *(("Wav2Lip (2020)", "M-CSAWav2Lip"), ("M-CSAWav2Lip", "Wav2Lip (2020)")),
    }


def test_without_a_floor_nothing_is_marked(tmp_path: Path) -> None:
    page = build_report(tmp_path).read_text(encoding="utf-8")
    assert "⌊" not in page
    assert "<tfoot>" not in page
    for path in (tmp_path / "out" / "tables").iterdir():
        assert "⌊" not in path.read_text(encoding="utf-8")


def test_a_gain_below_the_floor_is_marked(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", FakeRun())
    results = with_floors(run, {"psnr_mouth.psnr": floor_of(0.6)})
    table = build_table(results, results.tables[0])
    (psnr,) = (one for one in pair(results, table) if one.column.name == "psnr.psnr")
    below = {label: entry.is_below_floor for label, entry in psnr.standing.entries.items()}
    assert below["wav2lip"]  # gains 0.45 dB
    assert below["copycat"]
    assert not below["M-CSAWav2Lip"]  # 0.9 dB


def test_a_ladder_may_be_seen_by_one_output_alone(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", FakeRun())
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    (lse,) = (one for one in manifest["metrics"] if one["label"] == "lse")
    lse["sees"] = ["blur", "frozen:lse_c"]
    (run / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    results = join([run])
    seen = {one.name: one.sees for one in results.columns(results.datasets[0])}
    assert seen["lse.lse_c"] == {"blur", "frozen"}
    assert seen["lse.lse_d"] == {"blur"}
    assert seen["psnr.psnr"] == frozenset()


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0123, "0.012"), (0.0049, "0.0049"), (0.00042, "0.00042"), (31.2, "31.200"), (0.0, "0.000")],
)
def test_small_numbers_keep_two_digits(value: float, text: str) -> None:
    assert fine(value) == text


# ---- copying or listening ----------------------------------------------------------------------


def test_the_distance_is_the_gain_in_units_of_the_spread(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", FakeRun())
    results = join([run])
    (dataset,) = results.datasets
    found = {one.column.name: one for one in listen(results)}
    column = found["psnr.psnr"].column
    own = results.column_values(dataset, "M-CSAWav2Lip", column, kind="reconstruct").values
    other = results.column_values(dataset, "M-CSAWav2Lip", column, kind="probe").values
    faces = {case.id: case.face for case in dataset.cases}
    by_face = {faces[case]: value for case, value in other.items()}
    gain = mean(value - by_face[faces[case]] for case, value in own.items())
    spread = ((stdev(own.values()) ** 2 + stdev(other.values()) ** 2) / 2) ** 0.5
    heard = found["psnr.psnr"].heard["M-CSAWav2Lip"]
    assert heard.gain.mean == pytest.approx(gain)
    assert heard.distance.mean == pytest.approx(gain / spread)
    assert isinstance(heard.distance, Interval)
    assert heard.distance.low is not None
    assert heard.distance.low < heard.distance.mean
    copied = found["psnr.psnr"].heard["copycat"]
    assert copied.distance.mean < heard.distance.mean / 3


def test_every_full_reference_metric_has_a_gain_in_a_table_or_not(tmp_path: Path) -> None:
    index = build_report(tmp_path)
    rows = list(csv.DictReader((index.parent / "tables/summary.csv").open(encoding="utf-8")))
    gains = {
        (row["method"], row["protocol"].partition("[")[2][:5])
        for row in rows
        if row["table"] == "speech_gain"
    }
    # The tables have no mouth region among their columns.
    assert {("copycat", "mouth"), ("copycat", "face@")} <= gains
    heard = {row["output"] for row in rows if row["table"] == "listening"}
    assert heard >= {"psnr", "ssim", "lse_c", "lse_d"}
    page = index.read_text(encoding="utf-8")
    assert 'id="listening"' in page
    assert "Which metrics tell copying from listening?" in page
    assert page.count("<small>compares with the real video") == 4


def test_metrics_that_compare_come_first_and_the_best_of_them(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", FakeRun())
    found = listen(join([run]))
    compares = [one.column.reads_reference for one in found]
    assert compares == sorted(compares, reverse=True)
    first = [one.typical for one in found if one.column.reads_reference]
    assert first == sorted(first, reverse=True)


def test_without_probe_cases_there_is_nothing_to_hear(tmp_path: Path) -> None:
    methods = tuple(dataclasses.replace(one, kinds=("reconstruct",)) for one in FakeRun().methods)
    run = build_run(tmp_path / "run", FakeRun(methods=methods))
    assert listen(join([run])) == []
