"""The LaTeX tables of a report: they compile, in both languages, and are no wider than the text."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import reports
from reports.sheets import Sheet, SheetCell, to_latex
from tests.fixtures_run import COMPETITORS, CONTROLS, FakeRun, add_study, build_run

FAKE = FakeRun(methods=CONTROLS + COMPETITORS, speakers=3, clips_each=2)
HOSTILE = r'\ & % $ # _ { } ~ ^ < > | " [a] *b* ‡ ± ° → × · α ρ ≈ † − – ↑ ↓'
PAGES = {
    "en": r"\usepackage{booktabs,graphicx}\begin{document}\input{%s}\end{document}",
    "zh": r"\usepackage{booktabs,graphicx,CJKutf8}\begin{document}\begin{CJK}{UTF8}{gbsn}"
    r"\input{%s}\end{CJK}\end{document}",
}
NEEDED = {"en": ("booktabs.sty", "graphicx.sty"), "zh": ("CJKutf8.sty", "c70gbsn.fd")}


@pytest.fixture(scope="module", params=["en", "zh"])
def tables(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of tables of a report on a run with a study, in one language."""
    run = build_run(tmp_path_factory.mktemp("runs") / "run", FAKE)
    add_study(run, FAKE)
    out = tmp_path_factory.mktemp("reports") / request.param
    return reports.build([run], out, lang=request.param).parent / "tables"


def compiled(table: Path, language: str, folder: Path) -> str:
    """pdfLaTeX's log of a document with only this table, which must fit one page."""
    program = shutil.which("pdflatex")
    if program is None:
        pytest.skip("needs pdflatex")
    for name in NEEDED[language]:
        if subprocess.run(["kpsewhich", name], capture_output=True, check=False).returncode:
            pytest.skip(f"needs the LaTeX file {name}")
    folder = folder / "latex"
    folder.mkdir(exist_ok=True)
    page = r"\documentclass{article}" + PAGES[language] % table.name
    (folder / "page.tex").write_text(page, encoding="utf-8")
    shutil.copy(table, folder / table.name)
    done = subprocess.run(
        [program, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "page.tex"],
        cwd=folder,
        capture_output=True,
        timeout=120,
        check=False,
    )
    log = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, log[-3000:]
    assert "(1 page" in log
    return log


@pytest.mark.slow
def test_every_table_of_a_report_compiles_and_fits_the_page(tables: Path, tmp_path: Path) -> None:
    found = sorted(tables.glob("*.tex"))
    names = [table.stem for table in found]
    assert names == ["comparison", "comparison_leakfree", "comparison_paper", "user_study_pilot"]
    for table in found:
        log = compiled(table, tables.parent.name, tmp_path)
        assert "Overfull" not in log, table.name
        assert "Missing character" not in log, table.name


def test_every_row_has_as_many_cells_as_the_header_and_notes_fit_a_file(tables: Path) -> None:
    for table in tables.glob("*.tex"):
        if table.stem.endswith("_paper"):
            continue  # tested below
        text = table.read_text(encoding="utf-8")
        (columns,) = re.findall(r"\\begin{tabular}{(l?r+)}", text)
        body = text.split(r"\midrule")[1].split(r"\bottomrule")[0].strip()
        rows = body.splitlines()
        assert len(rows) > 5
        for row in rows:
            assert row.endswith(r" \\")
            assert len(re.findall(r"(?<!\\)&", row)) == len(columns) - 1, row
        assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
        caption = text.split(r"\caption{")[1].splitlines()[0]
        assert not re.match(r"Table|表 \d", caption)  # LaTeX numbers tables itself
        assert "below" not in text  # a file has nothing below the table to refer to


def test_the_papers_columns_fit_one_column_of_a_two_column_page(
    tables: Path, tmp_path: Path
) -> None:
    text = (tables / "comparison_paper.tex").read_text(encoding="utf-8")
    (columns,) = re.findall(r"\\begin{tabular}{(l?r+)}", text)
    assert columns == "lrrrr"
    rows = [
        line for line in text.splitlines() if line.endswith(r" \\") and "multicolumn" not in line
    ]
    head, *body = rows
    assert [re.sub(r"\W*\$.*", "", name).strip() for name in head.strip(" \\").split("&")] == [
        *("", "LSE-D", "LSE-C", "SSIM", "PSNR"),
    ]
    names = [row.split("&")[0].strip() for row in body]
    assert names[1:] == ["Wav2Lip (2020)", "copycat", "M-CSAWav2Lip"]  # after the real video
    assert all(len(re.findall(r"(?<!\\)&", row)) == 4 for row in rows)
    assert "scriptsize" not in text.split(r"\bottomrule")[0]  # no intervals


@pytest.mark.slow
def test_the_papers_table_needs_no_shrinking_in_a_column_of_252_points(
    tables: Path, tmp_path: Path
) -> None:
    """The column width is IEEE's; the table's natural width must not exceed it."""
    lines = (tables / "comparison_paper.tex").read_text(encoding="utf-8").splitlines()
    first, last = (
        next(i for i, line in enumerate(lines) if mark in line)
        for mark in (r"\begin{tabular}", r"\end{tabular}")
    )
    body = "\n".join([*lines[first:last], r"\end{tabular}"])
    measured = tmp_path / "comparison_paper.tex"
    measured.write_text(
        r"\newsavebox{\tablebox}\footnotesize\setlength{\tabcolsep}{3.5pt}"
        rf"\sbox{{\tablebox}}{{{body}}}\typeout{{WIDTH=\the\wd\tablebox}}x",
        encoding="utf-8",
    )
    log = compiled(measured, tables.parent.name, tmp_path)
    (width,) = re.findall(r"WIDTH=([\d.]+)pt", log)
    assert float(width) <= 252.0


def test_text_with_latex_syntax_compiles(tmp_path: Path) -> None:
    cell = SheetCell(HOSTILE, HOSTILE, "bold", "≈*†‡")
    rows = ((HOSTILE, (cell,)), ("[2pt] x", (cell,)), ("* x", (cell,)), ("-", (SheetCell(""),)))
    sheet = Sheet("hostile", f"Table 1. {HOSTILE}", ((HOSTILE, 1),), (HOSTILE,), rows, (HOSTILE,))
    table = tmp_path / "hostile.tex"
    table.write_text(to_latex(sheet), encoding="utf-8")
    log = compiled(table, "en", tmp_path)
    assert "Undefined" not in log
