"""The user study in the report: Table 3, its marks, exclusions and plots, simulated or not."""

from __future__ import annotations

import csv
import dataclasses
import re
from pathlib import Path

import pytest

import reports
from bench.ground.errors import BenchError
from bench.study.score.scores import Estimate, MethodComparison, Scores, write_scores
from reports.results import join
from reports.sections.study import study_name
from reports.studies import opinions, read_studies
from reports.words import read_words
from tests.fixtures_run import COMPETITORS, CONTROLS, FakeRun, add_study, build_run

FAKE = FakeRun(methods=CONTROLS + COMPETITORS, speakers=3, clips_each=2)
MARK = "(SIMULATED ANSWERS)"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with a simulated study."""
    folder = build_run(tmp_path_factory.mktemp("runs") / "run", FAKE)
    add_study(folder, FAKE)
    return folder


@pytest.fixture(scope="module")
def report(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report on that run."""
    return reports.build([run], tmp_path_factory.mktemp("reports") / "out").parent


@pytest.fixture(scope="module")
def scores(run: Path) -> Scores:
    """The study's scores as they lie in the run folder."""
    (found,) = read_studies(join([run]).runs)
    return found


def section(report: Path) -> str:
    """The study's part of the page."""
    page = (report / "index.html").read_text(encoding="utf-8")
    (found,) = re.findall(r'<section id="table-3">.*?</section>', page, re.S)
    return found


def test_the_table_has_the_papers_layout_and_the_scores_numbers(
    report: Path, scores: Scores
) -> None:
    text = section(report)
    heads = re.findall(r'<th scope="col"[^>]*>([A-Z][^<&]+)&nbsp;↑', text)
    assert heads[:3] == ["Sync accuracy", "Visual quality", "Overall impression"]
    for method in ("wav2lip", "copycat", "M-CSAWav2Lip"):
        (row,) = re.findall(
            rf'<tr class="">\s*<th scope="row" class="label">[^\n]*\b{method}<.*?</tr>', text, re.S
        )
        for question in scores.questions:
            opinion = scores.kept.opinion(method, question.name)
            assert f">{opinion.mean.value:.3f}<" in row
            assert f"{opinion.mean.low:.2f} – {opinion.mean.high:.2f}" in row
            assert f"{opinion.n_ratings} by {opinion.n_raters}" in row
            assert f"median {opinion.median:g}<" in row
    assert text.index("hidden real video") < text.index("low anchor") < text.index("wav2lip")


def test_the_study_has_the_title_that_raters_saw_in_the_reports_language(
    tmp_path: Path, scores: Scores
) -> None:
    assert study_name(scores, read_words("zh")) == "Pilot"
    both = dataclasses.replace(scores, title_zh="预研究", exclusions=())
    assert study_name(both, read_words("en")) == "Pilot"
    run = build_run(tmp_path / "run", FAKE)
    write_scores(run / "studies/pilot.json", both)
    out = reports.build([run], tmp_path / "out", lang="zh").parent
    assert "预研究：8 名评分者" in section(out) or "预研究：7 名评分者" in section(out)
    assert "Pilot" not in section(out)
    table = (out / "tables/user_study_pilot.tex").read_text(encoding="utf-8")
    assert "Pilot" not in table
    assert r"\caption{用户研究 （模拟评分）。模拟评分：" in table


def test_the_published_table_is_beside_the_studys(report: Path) -> None:
    (table,) = re.findall(r'<table class="published".*?</table>', section(report), re.S)
    assert re.findall(r">(\d\.\d{3})<", table)[-3:] == ["3.921", "3.516", "3.734"]
    assert "ATVGnet" in table


def test_simulated_answers_are_marked_wherever_their_numbers_appear(report: Path) -> None:
    text = section(report)
    assert f"<h2>Table 3. User study {MARK}</h2>" in text
    assert re.search(r'banner danger" role="alert">Simulated answers: no person', text)
    page = (report / "index.html").read_text(encoding="utf-8")
    assert "contains simulated answers" in page[: page.index("<main")]
    tables = report / "tables"
    for name in ("user_study_pilot.csv", "user_study_pilot.tex", "user_study_pilot.md"):
        assert "SIMULATED ANSWERS" in (tables / name).read_text(encoding="utf-8")
    head = (tables / "user_study_pilot.csv").read_text(encoding="utf-8").splitlines()[0]
    assert head.count(MARK) == 6  # every column
    with (tables / "summary.csv").open(encoding="utf-8", newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["output"].startswith("mos_")]
    assert {line["table"] for line in lines} == {"user_study/simulated"}
    assert all("simulated answers" in line["protocol"] for line in lines)


def test_real_answers_are_not_marked_as_simulated(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", FAKE)
    add_study(run, FAKE, simulated=False)
    out = reports.build([run], tmp_path / "out").parent
    text = "".join(p.read_text("utf-8") for p in out.rglob("*.*") if p.suffix != ".js")
    assert "<h2>Table 3. User study</h2>" in text
    assert "simulated" not in text.lower()
    page = (out / "index.html").read_text(encoding="utf-8")
    first = re.findall(r"Table 3, User study: [^<]+", page[: page.index("<main")])
    assert len(first) == 2  # who leads, and how sure
    assert re.search(r": \d+ of 9 differences are significant \(sign-flip", first[1])


def test_methods_are_shown_by_their_titles_everywhere(report: Path) -> None:
    """In tables, plots and sentences; the label is small below it, the plugin in its own cell."""
    unread = (
        r"<(script|style|pre|code|template)\b.*?</\1>|<small>wav2lip</small>|<td>wav2lip 1</td>"
    )
    for page in (report / "index.html", *(report / "cases").glob("*.html")):
        text = re.sub(unread, "", page.read_text(encoding="utf-8"), flags=re.S)
        text = re.sub(r'"#?method-[\w-]+"', "", text)  # anchors
        assert not re.search(r".{0,80}\bwav2lip.{0,80}", text), page.name
    assert "<td>Wav2Lip (2020)<small>wav2lip</small></td><td>wav2lip 1</td>" in (
        report / "index.html"
    ).read_text(encoding="utf-8")
    drawn = re.findall(r"<svg.*?</svg>", section(report), re.S)
    assert sum(">Wav2Lip (2020)<" in one for one in drawn) == len(drawn) > 3


def test_excluded_raters_are_listed_with_their_reason_and_both_results(
    report: Path, scores: Scores
) -> None:
    text = section(report)
    assert scores.exclusions
    for one in scores.exclusions:
        assert f"<td>{one.rater}</td>" in text
    both = text[text.index("Means without the excluded raters") :]
    for panel in (scores.kept, scores.everyone):
        assert f"{panel.opinion('copycat', 'sync_accuracy').mean.value:.2f} <span" in both


def test_bold_needs_a_paired_interval_without_zero(scores: Scores) -> None:
    def marks(low: float) -> set[str]:
        between = Estimate(0.4, low, 0.9, 30)
        pair = MethodComparison(
            "sync_accuracy", "M-CSAWav2Lip", "copycat", "clip", between, 0.01, 0.01, 8, 6
        )
        panel = dataclasses.replace(scores.kept, comparisons=(pair,))
        rows = opinions(dataclasses.replace(scores, kept=panel), ())
        return {row.marks[0] for row in rows if row.role == "rated"}

    assert marks(0.1) == {"best", "second"}
    assert marks(-0.1) == {"tied"}


def test_agreement_is_interpreted_and_every_plot_names_its_question(report: Path) -> None:
    text = section(report)
    assert "Krippendorff" in text
    assert "ICC(2,k)" in text
    assert re.search(r"Single ratings (hardly )?agree", text)
    assert "The means are" in text
    captions = re.findall(r"<figcaption>([^<]+)</figcaption>", text)
    assert "Sync accuracy against LSE-C" in captions
    assert "Overall impression against PSNR" in captions
    assert text.count('<rect class="bar') == 3 * 5 * 5  # questions, rows, marks
    assert "by video ρ = " in text


def test_a_report_is_rebuilt_after_a_study_was_scored(tmp_path: Path, scores: Scores) -> None:
    run = build_run(tmp_path / "run", FAKE)
    reports.build([run], run / "report")
    assert reports.is_current(run, run / "report")
    write_scores(run / "studies/pilot.json", scores)
    assert not reports.is_current(run, run / "report")


def test_a_study_of_several_runs_is_shown_once(tmp_path: Path, run: Path, scores: Scores) -> None:
    other = build_run(tmp_path / "b", dataclasses.replace(FAKE, name="b"))
    write_scores(other / "studies/pilot.json", scores)
    assert len(read_studies(join([run, other]).runs)) == 1


def test_a_broken_score_file_is_one_clear_error(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", FAKE)
    (run / "studies").mkdir()
    (run / "studies/pilot.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BenchError, match=r"pilot\.json: .*bench study score"):
        reports.build([run], tmp_path / "out")
