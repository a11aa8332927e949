"""The report claims no more than its statistics: ties, leads, arrows, counts, void scorers."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from pathlib import Path

import pytest

import reports
from bench.study.score.scores import Estimate, write_scores
from reports.comparison import Table, build_table
from reports.leakfree import pair
from reports.results import join
from reports.sections.worst import worst_cells
from reports.terminal import closing
from reports.worth import read_judged
from tests.fixtures_run import (
    COMPETITORS,
    CONTROLS,
    SEVEN,
    FakeMethod,
    FakeRun,
    add_study,
    build_report,
    build_run,
)

TWINS = tuple(FakeMethod(f"twin{index}", psnr=30.0, sync=4.0) for index in range(5))
FIRST_TWO = tuple(dataclasses.replace(one, psnr=31.0) for one in TWINS[:2])
TWELVE = [f"s{s:02d}_{c:03d}" for s in range(4) for c in range(3)]


def page_of(tmp_path: Path, fake: FakeRun) -> tuple[Path, str]:
    page = build_report(tmp_path, fake).read_text(encoding="utf-8")
    return tmp_path / "run", page


@functools.cache
def first_table(run: Path) -> Table:
    """The first table of a run; cached, because no test changes a run after building it."""
    results, *_ = read_judged([run])
    return build_table(results, results.tables[0])


def entries(run: Path, name: str):
    columns = first_table(run).blocks[0].columns
    return next(c for c in columns if c.column.name == name).standing.entries


# ---- ties ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_methods_that_differ_by_chance_share_rank_one_and_none_leads(
    tmp_path: Path, seed: int
) -> None:
    fake = FakeRun(methods=CONTROLS + TWINS, reference="still", seed=seed)
    run = build_run(tmp_path / "run", fake)
    for name in ("lse.lse_d", "lse.lse_c", "ssim.ssim", "psnr.psnr"):
        found = [entries(run, name)[twin.name] for twin in TWINS]
        assert {(one.rank, one.mark) for one in found} == {(1, "tied")}
    assert {one for row in closing([run], lang="en").styles["CLR"] for one in row} == {""}


def test_a_page_of_methods_that_differ_by_chance_marks_none_as_best(tmp_path: Path) -> None:
    _, page = page_of(tmp_path, FakeRun(methods=CONTROLS + TWINS, reference="still"))
    assert " leads in " not in page
    assert 'class="value best' not in page
    assert 'class="value second' not in page
    shown = re.sub(
        r"<(li|p)\b.*?</\1>", "", page, flags=re.DOTALL
    )  # without explanations of the signs
    assert "▲" not in shown
    assert "▼" not in shown
    assert "no method is significantly better than all others in any column" in page
    assert "change places when the answer" not in page
    for name in ("comparison.md", "comparison.tex", "comparison_leakfree.md"):
        text = (tmp_path / "out/tables" / name).read_text(encoding="utf-8")
        assert "<u>" not in text
        assert r"\textbf{" not in text
        assert r"\underline{" not in text
        assert not re.search(r"\*\*[\d.]+\*\*", text)
        assert not re.search(r"\d \([+-]\d", text)  # a change of places


def test_all_methods_on_rank_one_are_bold(tmp_path: Path) -> None:
    fake = FakeRun(methods=CONTROLS + FIRST_TWO + TWINS[2:], reference="still", seed=1)
    run, page = page_of(tmp_path, fake)
    found = entries(run, "psnr.psnr")
    assert {(found[one.name].rank, found[one.name].mark) for one in FIRST_TWO} == {(1, "best")}
    assert {(found[one.name].rank, found[one.name].mark) for one in TWINS[2:]} == {(3, "second")}
    assert not re.search(r"leads in [^<]*PSNR", page)  # two share the place
    markdown = (tmp_path / "out/tables/comparison.md").read_text(encoding="utf-8")
    latex = (tmp_path / "out/tables/comparison.tex").read_text(encoding="utf-8")
    assert len(re.findall(r"\*\*3\d\.\d+\*\*", markdown)) == 2
    assert len(re.findall(r"\\textbf\{3\d\.\d+\}", latex)) == 2
    assert len(re.findall(r"<u>[23]\d\.\d+</u>", markdown)) == 3
    shown = closing([run], lang="en")
    styles = {
        row[0]: style[4]
        for row, style in zip(shown.tables["CLR"][1:], shown.styles["CLR"], strict=True)
    }
    assert [label for label, style in styles.items() if style == "bold"] == ["twin0", "twin1"]
    assert any("Bold: no competitor" in note for note in shown.footnotes["CLR"])


def test_ranks_differ_only_by_significant_differences(tmp_path: Path) -> None:
    results, *_ = read_judged([build_run(tmp_path / "run", FakeRun(ablation=[]))])
    table = build_table(results, results.tables[0])
    for one in table.blocks[0].columns:
        standing = one.standing
        for (first, second), compared in standing.pairs.items():
            ranks = standing.entries[first].rank, standing.entries[second].rank
            if compared.holds:
                told_apart = standing.told_apart
                assert ((first, second) in told_apart) != ((second, first) in told_apart)
            elif len(standing.pairs) == 1:
                assert ranks[0] == ranks[1]


def test_two_methods_change_places_only_if_both_protocols_tell_them_apart(tmp_path: Path) -> None:
    """Methods that only one protocol tells apart do not change places."""
    methods = (
        FakeMethod("one", psnr=35.0, gain=0.5),
        FakeMethod("two", psnr=31.0, gain=0.5),
    )
    run = build_run(tmp_path / "run", FakeRun(methods=CONTROLS + methods, reference="still"))
    results, *_ = read_judged([run])
    table = build_table(results, results.tables[0])
    (gain,) = [one for one in pair(results, table) if one.column.name == "psnr.psnr"]
    assert gain.official.told_apart == {("one", "two")}
    assert (gain.standing.told_apart, gain.passes) == (frozenset(), frozenset())
    assert gain.lost == {("one", "two")}
    page = reports.build([run], tmp_path / "out").read_text(encoding="utf-8")
    assert "only the usual protocol tells which method is better" in page
    assert "change places when" not in page


def test_above_the_real_video_is_said_only_if_significant(tmp_path: Path) -> None:
    near = FakeMethod("near", sync=6.5)  # as the truth, give or take noise
    run, page = page_of(
        tmp_path, FakeRun(methods=CONTROLS + COMPETITORS[:1] + (near,), reference="still")
    )
    assert not any(one.is_above_truth for one in entries(run, "lse.lse_c").values())
    assert "is above the real video" not in page


# ---- user study ---------------------------------------------------------------------------------


def test_no_method_leads_a_study_without_significant_differences(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run")
    scores = add_study(run, FakeRun())
    chance = tuple(
        dataclasses.replace(one, p_corrected=0.4, difference=Estimate(0.5, 0.2, 0.8, 20))
        for one in scores.kept.comparisons
    )
    kept = dataclasses.replace(scores.kept, comparisons=chance)
    write_scores(run / "studies/pilot.json", dataclasses.replace(scores, kept=kept))
    page = reports.build([run], tmp_path / "out").read_text(encoding="utf-8")
    assert f"0 of {len(chance)} differences are significant" in page
    assert not re.search(r"leads in [^<]*(Sync accuracy|Visual quality|Overall)", page)
    text = (tmp_path / "out/tables/user_study_pilot.md").read_text(encoding="utf-8")
    assert "<u>" not in text
    assert not re.search(r"\*\*\d\.\d+\*\*", text)


def test_one_competitor_has_no_rank_in_table_or_study(tmp_path: Path) -> None:
    fake = FakeRun(methods=CONTROLS + COMPETITORS[:1])
    run = build_run(tmp_path / "run", fake)
    add_study(run, fake)
    page = reports.build([run], tmp_path / "out").read_text(encoding="utf-8")
    assert "cannot be told" not in page[: page.index("<main")]
    assert "no method is significantly better" not in page
    assert "nothing is ranked, because that takes two methods with values" in page


# ---- all methods --------------------------------------------------------------------------------


def test_worst_cases_and_plots_cover_the_methods_of_all_tables(tmp_path: Path) -> None:
    fake = FakeRun(
        methods=CONTROLS + SEVEN,
        reference="Wav2Lip",
        ablation=[method.label for method in SEVEN],
        videos=True,
        speakers=2,
        clips_each=2,
    )
    run = build_run(tmp_path / "run", fake)
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    manifest["tables"][0]["rows"] = ["truth", "still", "Wav2Lip"]
    manifest["tables"][1]["rows"] = ["Wav2Lip", "M-CSAWav2Lip"]  # five are in no table
    (run / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    results = join([run])
    tables = [build_table(results, one) for one in results.tables]
    cells = worst_cells(results, tables)
    assert {label for _, label, *_ in cells} == {method.label for method in SEVEN}
    dataset = results.datasets[0]
    for name in ("lse.lse_d", "lse.lse_c", "ssim.ssim", "psnr.psnr"):
        column = next(one for one in results.columns(dataset) if one.name == name)
        values = [
            value
            for method in SEVEN
            for value in results.column_values(
                dataset, method.label, column, kind="reconstruct"
            ).values.values()
        ]
        first = next(value for _, _, one, _, value in cells if one.name == name)
        assert first == (min(values) if column.output.better == "higher" else max(values))
    page = reports.build([run], tmp_path / "out").read_text(encoding="utf-8")
    spread = page[page.index("How do the scores") : page.index("Which differences")]
    for method in SEVEN:
        assert method.label in spread
    worst = next(value for _, _, one, _, value in cells if one.name == "lse.lse_d")
    assert f"LSE-D {worst:.3f}" in page[: page.index("<main")]


# ---- counts -------------------------------------------------------------------------------------


def test_undefined_by_definition_does_not_count_as_failed(tmp_path: Path) -> None:
    fake = FakeRun(broken_metric=[("truth", "s00_000")])
    run, page = page_of(tmp_path, fake)
    one = entries(run, "psnr.psnr")["truth"]
    assert (one.state, one.n_undefined, one.n_failed, one.n_scored) == ("undefined", 11, 1, 0)
    assert "11 N. A., 1 failed" in page
    assert "not defined; ValueError" not in page
    assert "failed<small>0/12" not in page
    for name in ("comparison.md", "comparison.csv"):
        text = (tmp_path / "out/tables" / name).read_text(encoding="utf-8")
        assert re.search(r"N. A. \(11 N. A., 1 failed\)", text)
    rows = closing([run], lang="en").tables["CLR"]
    truth = next(row for row in rows if row[0] == "truth")
    assert truth[-2:] == ("11/12", "1")
    many = FakeRun(broken_metric=[("truth", case) for case in TWELVE[:9]])
    more, page = page_of(tmp_path / "more", many)
    assert entries(more, "psnr.psnr")["truth"].state == "failed"
    assert "3 N. A., 9 failed" in page


def test_page_and_terminal_agree_on_how_many_cases_are_left_out(tmp_path: Path) -> None:
    """A case for which no method has a value is left out too."""
    everyone = [*CONTROLS, *COMPETITORS]
    lost = [(one.label or one.name, "s00_000") for one in everyone]
    fake = FakeRun(failing=[*lost, ("wav2lip", "s01_001"), ("copycat", "s02_001")])
    run, page = page_of(tmp_path, fake)
    assert "means over the 9 of 12 cases" in page
    numbers = re.findall(r"(\d+) left out because", page)
    assert set(numbers) == {"3"}
    notes = closing([run], lang="en").footnotes["CLR"]
    assert {one for note in notes for one in re.findall(r"(\d+) left out", note)} == {"3"}


# ---- scorers that do not work -------------------------------------------------------------------


def test_a_scorer_that_fails_is_struck_out_everywhere(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", FakeRun(works=False))
    add_study(run, FakeRun(works=False))
    page = reports.build([run], tmp_path / "out").read_text(encoding="utf-8")
    short = "invalid"
    for table in re.findall(r'<table class="measured(?: paired)?">.*?</table>', page, re.S):
        heads = re.findall(r"<th[^>]*>(?:(?!</th>).)*LSE-[CD](?:(?!</th>).)*</th>", table, re.S)
        assert all(short in head for head in heads if "at 0" not in head)
    leakfree = page[page.index('id="table-1-leakfree"') : page.index('id="worst"')]
    assert re.search(r'class="value[^"]* void"', leakfree)
    assert 'class="change' not in page[page.index("Do the lips") : page.index("How much of the")]
    plots = page[page.index('id="plots"') : page.index('id="worst"')]
    for figure in re.findall(r"<figure.*?</figure>", plots, re.S):
        is_sync = "LSE-" in figure or "distance, lower is closer" in figure
        assert ('<figure class="void">' in figure) == is_sync, figure[:300]
    worst = page[page.index('id="worst"') : page.index('id="failures"')]
    cards = re.findall(r'<a class="card".*?</a>', worst, re.S)
    assert all(("<del" in card) == ("LSE-" in card) for card in cards)
    assert any("LSE-" in card for card in cards)
    assert "LSE-" not in next(iter(re.findall(r"Worst: [^<]*", page)))
    case = next((tmp_path / "out/cases").glob("*.html")).read_text(encoding="utf-8")
    assert re.search(rf"LSE-D(?:(?!</th>).)*{short}", case, re.S)
    assert '<td class="value void"' in case
    for name in ("comparison.md", "comparison.tex", "comparison.csv", "comparison_leakfree.csv"):
        text = (tmp_path / "out/tables" / name).read_text(encoding="utf-8")
        assert f"({short})" in text
    markdown = (tmp_path / "out/tables/comparison.md").read_text(encoding="utf-8")
    assert re.search(r"~~\d+\.\d+~~", markdown)
    assert "struck out, because the metric fails on the controls" in markdown
    shown = closing([run], lang="en")
    assert shown.tables["CLR"][0][1] == f"LSE-D ↓ ({short})"
    assert {row[1] for row in shown.styles["CLR"]} == {"struck"}
    found = entries(run, "lse.lse_c")
    assert all((one.rank, one.mark, one.p_value) == (None, "", None) for one in found.values())
    assert not any(one.is_above_truth for one in found.values())


# ---- printed numbers ----------------------------------------------------------------------------


def test_another_scale_is_named_beside_printed_numbers(tmp_path: Path) -> None:
    _, page = page_of(tmp_path, FakeRun(protocol="lse[tracked:haar; sync_small@b5d1dbe2]"))
    assert page.index("a scorer with a scale of its own") < page.index('<table class="published"')
    _, page = page_of(tmp_path / "b", FakeRun(protocol="lse[lrs; syncnet_v2@961e8696]"))
    assert "a scorer with a scale of its own" not in page
    assert "printed under another (unstated)" in page
    _, page = page_of(tmp_path / "c", FakeRun(published=None))
    assert "a scorer with a scale of its own" not in page


def test_no_sign_contradicts_a_rank(tmp_path: Path) -> None:
    """A method on the rank of a competing baseline never has a star, whatever the correction."""
    fake = FakeRun(methods=CONTROLS + SEVEN[:4], reference="Wav2Lip")
    results, *_ = read_judged([build_run(tmp_path / "run", fake)])
    table = build_table(results, results.tables[0])
    standings = [one.standing for one in table.blocks[0].columns]
    standings += [one.standing for one in pair(results, table)]
    starred = 0
    for standing in standings:
        for label, one in standing.entries.items():
            if one.is_significant:
                starred += 1
                assert {(label, "Wav2Lip"), ("Wav2Lip", label)} & standing.told_apart
            assert not (one.mark == "tied" and one.is_significant)
    assert starred
