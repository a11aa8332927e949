"""No csv of the harness has a text that a spreadsheet would run as a formula."""

from __future__ import annotations

import ast
import csv
import io
from pathlib import Path

import pytest

from bench.data.manifest import read_manifest, write_manifest
from bench.files.spreadsheets import OwnText, cell_text, csv_text, plain_text
from bench.ground.types import Case, Clip
from bench.run.cases import write_cases
from reports.sheets import Sheet, SheetCell, SummaryRow, summary_csv, to_csv, to_numbers
from tests.conftest import ROOT

EVIL = (
    "=1+1",
    "+1",
    "-1+cmd|' /C calc'!A0",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    " =1",
    "\n=1",
    "＝1+1",
    "'=1",
    "''-x",
)
HARMLESS = ("", "plain", "a=1", "'quoted'", "新闻", "1-2", "3.5")


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("text", EVIL)
def test_formulas_are_escaped_and_restored(text: str) -> None:
    ((cell,),) = rows_of(csv_text([[text]]))
    assert cell == f"'{text}"
    assert plain_text(cell) == text


@pytest.mark.parametrize("text", HARMLESS)
def test_other_texts_are_unchanged(text: str) -> None:
    assert plain_text(cell_text(text)) == cell_text(text) == text


def test_numbers_and_our_own_texts_are_not_escaped() -> None:
    row = [-0.1 - 0.2, -3, None, True, OwnText("+0.12 [0.1]")]
    assert csv_text([row]) == "-0.30000000000000004,-3,,yes,+0.12 [0.1]\n"


def test_every_csv_is_written_in_one_place() -> None:
    writers = []
    for package in ("bench", "methods", "metrics", "reports"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                is_writer = isinstance(node, ast.Attribute) and node.attr in (
                    "writer",
                    "DictWriter",
                )
                if is_writer and isinstance(node.value, ast.Name) and node.value.id == "csv":
                    writers.append(path.relative_to(ROOT).as_posix())
    # Curves of a training: only numbers, under names from the code.
    assert writers == ["bench/files/spreadsheets.py", "bench/train/loop.py"]


def test_a_manifest_with_formulas_as_names_is_read_back_unchanged(tmp_path: Path) -> None:
    names = ("=cmd()", "@x", "-y", "'=z", "plain")
    clips = [
        Clip(name, tmp_path / f"{name}.mp4", speaker="+s", text="- no", box=(-1.0, 2.0, 3.0, 4.0))
        for name in names
    ]
    path = tmp_path / "manifest.csv"
    write_manifest(path, clips)
    written = rows_of(path.read_text(encoding="utf-8"))
    assert [row[0] for row in written[1:]] == ["'=cmd()", "'@x", "'-y", "''=z", "plain"]
    assert written[1][7] == "-1 2 3 4"
    assert [(clip.id, clip.video.name, clip.text) for clip in read_manifest(path)] == [
        (name, f"{name}.mp4", "- no") for name in names
    ]


def test_report_tables_are_escaped_but_not_their_numbers() -> None:
    cells = (
        SheetCell("+0.124", "0.100 – 0.200", numbers=(0.1239, 0.1, 0.2)),
        SheetCell("1/12", numbers=(1,)),
    )
    empty = (SheetCell("failed"), SheetCell("12/12", numbers=(12,)))
    rows = (("=HYPERLINK(1)", cells), ("good", empty))
    sheet = Sheet("t", "c", (("=data", 2),), ("SSIM", "failed"), rows, ())
    pretty = rows_of(to_csv(sheet))
    assert pretty[0][1] == "'=data SSIM"
    assert pretty[1] == ["'=HYPERLINK(1)", "+0.124 [0.100 – 0.200]", "1/12"]
    numbers = rows_of(to_numbers(sheet))
    assert numbers[0][1:] == [
        "'=data SSIM",
        "'=data SSIM low",
        "'=data SSIM high",
        "'=data failed",
    ]
    assert numbers[1:] == [
        ["'=HYPERLINK(1)", "0.1239", "0.1", "0.2", "1"],
        ["good", "", "", "", "12"],
    ]
    row = SummaryRow("t", "d", "-m", "ssim", "ssim[]", -0.5, None, None, 3, 3, None)
    assert rows_of(summary_csv([row]))[1][2:6] == ["'-m", "ssim", "ssim[]", "-0.5"]


def test_the_list_of_cases_is_escaped(tmp_path: Path) -> None:
    clip = Clip("=1+1", tmp_path / "a.mp4")
    write_cases(tmp_path / "cases.csv", [Case("d", "reconstruct", clip, clip)])
    assert "'=1+1" in rows_of((tmp_path / "cases.csv").read_text(encoding="utf-8"))[1]
