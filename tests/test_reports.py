"""Reports on small synthetic runs: tables, joins, gaps, protocols, escapes, same bytes."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import reports
from bench.ground import stats
from bench.ground.errors import BenchError
from reports.comparison import Entry, Standing, build_table
from reports.drawing import colour_class
from reports.gains import Gain, relative_gain
from reports.leakfree import pair, speech_gain
from reports.report import build as build_with
from reports.results import Results, join
from reports.sections.worst import worst_cells
from reports.text import latex, markdown, percent
from reports.validity import judge
from tests.fixtures_run import (
    COMPETITORS,
    CONTROLS,
    FRAMES,
    IDENTICAL,
    SEVEN,
    FakeMethod,
    FakeRun,
    build_report,
    build_run,
)

SUMMARY = "table,dataset,method,output,protocol,mean,ci_low,ci_high,n_scored,n_planned,p_value"
HOSTILE = '<script>alert("x")</script>&_%$#{}~^\\|`*'


def joined(tmp_path: Path, *fakes: FakeRun) -> Results:
    return join([build_run(tmp_path / f"run{i}", fake) for i, fake in enumerate(fakes)])


def column(results: Results, name: str, dataset: int = 0):
    table = build_table(results, results.tables[0])
    return next(c for c in table.blocks[dataset].columns if c.column.name == name)


def summary(folder: Path) -> list[dict[str, str]]:
    with (folder / "tables/summary.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def rewrite(path: Path, change) -> None:
    """Applies `change` to a manifest, or to every record of a file; None drops a record."""
    if path.suffix == ".json":
        path.write_text(json.dumps(change(json.loads(path.read_text(encoding="utf-8")))))
        return
    kept = [change(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    lines = [json.dumps(record, ensure_ascii=False) for record in kept if record is not None]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


# ---- numbers ------------------------------------------------------------------------------------


def test_means_are_over_the_shared_cases(tmp_path: Path) -> None:
    results = joined(tmp_path, FakeRun(failing=[("wav2lip", "s01_001"), ("copycat", "s00_000")]))
    found = column(results, "psnr.psnr")
    dataset = results.datasets[0]
    kept = [c for c in dataset.of_kind("reconstruct") if c.id not in ("s01_001", "s00_000")]
    cell = found.standing.entries["M-CSAWav2Lip"]
    values = [
        results.cell(dataset, "M-CSAWav2Lip", case, found.column).values["psnr"] for case in kept
    ]
    assert cell.interval.mean == pytest.approx(sum(values) / 10)
    assert (found.standing.compared, found.standing.left_out) == (10, 2)
    assert (cell.n_scored, cell.n_planned) == (12, 12)
    assert found.standing.entries["wav2lip"].n_scored == 11


def test_a_failure_is_counted_and_never_becomes_a_number(tmp_path: Path) -> None:
    failing = [("wav2lip", f"s{s:02d}_{c:03d}") for s in range(4) for c in range(3)]
    run = build_run(tmp_path / "run", FakeRun(failing=failing, reference=None))
    index = reports.build([run], run / "report")
    lines = [
        line
        for line in summary(run / "report")
        if (line["table"], line["method"]) == ("comparison", "wav2lip")
    ]
    assert lines
    assert all(line["mean"] == line["ci_low"] == line["p_value"] == "" for line in lines)
    assert {(line["n_scored"], line["n_planned"]) for line in lines} == {("0", "12")}
    page = index.read_text(encoding="utf-8")
    assert "RuntimeError: out of ideas" in page
    assert not re.search(r"\bnan\b", page.lower())


def test_a_method_with_few_values_does_not_shrink_the_shared_cases(tmp_path: Path) -> None:
    failing = [("wav2lip", f"s{s:02d}_{c:03d}") for s in range(4) for c in range(3)][:7]
    found = column(joined(tmp_path, FakeRun(failing=failing)), "lse.lse_d")
    assert found.standing.compared == 12
    own = found.standing.entries["wav2lip"]
    assert (own.is_apart, own.rank, own.mark, own.n_scored) == (True, None, "", 5)
    assert found.standing.entries["copycat"].p_value is None  # its reference is set apart


def test_undefined_is_neither_failure_nor_number(tmp_path: Path) -> None:
    results = joined(tmp_path, FakeRun())
    truth = column(results, "psnr.psnr").standing.entries["truth"]
    assert (truth.state, truth.interval) == ("undefined", None)
    assert truth.reasons == ((IDENTICAL, 12),)
    assert build_table(results, results.tables[0]).blocks[0].failures["truth"] == (0, 12)


def test_p_values_are_paired_and_corrected_over_the_tables_comparisons(tmp_path: Path) -> None:
    results = joined(tmp_path, FakeRun())
    dataset = results.datasets[0]
    raw: list[float] = []
    shown: list[float] = []
    for name in ("lse.lse_d", "lse.lse_c", "ssim.ssim", "psnr.psnr"):
        found = column(results, name)
        values = {
            label: results.column_values(dataset, label, found.column, kind="reconstruct").values
            for label in ("wav2lip", "copycat", "M-CSAWav2Lip")
        }
        for label in ("copycat", "M-CSAWav2Lip"):
            pairs = [values[label][case] - values["wav2lip"][case] for case in values[label]]
            raw.append(stats.wilcoxon(pairs))
            shown.append(found.standing.entries[label].p_value)
        assert found.standing.entries["still"].p_value is None
        assert found.standing.entries["wav2lip"].p_value is None
    assert shown == pytest.approx(stats.holm(raw))


def test_best_is_bold_only_if_it_is_told_apart_from_the_second(tmp_path: Path) -> None:
    twins = (FakeMethod("one", psnr=30.0), FakeMethod("two", psnr=30.0))
    results = joined(tmp_path, FakeRun(methods=CONTROLS + twins, reference="one"))
    found = column(results, "psnr.psnr").standing.entries
    assert {found["one"].mark, found["two"].mark} == {"tied"}
    apart = column(joined(tmp_path / "b", FakeRun()), "psnr.psnr").standing.entries
    assert (apart["copycat"].mark, apart["M-CSAWav2Lip"].mark) == ("best", "second")
    assert all(apart[control.name].rank is None for control in CONTROLS)


def test_one_competitor_is_not_ranked(tmp_path: Path) -> None:
    fake = FakeRun(methods=CONTROLS + COMPETITORS[:1], reference="truth")
    page = build_report(tmp_path, fake).read_text(encoding="utf-8")
    assert "Nothing is ranked: this table has one competitor, and" in page
    assert 'class="value best' not in page
    assert column(join([tmp_path / "run"]), "lse.lse_c").standing.entries["wav2lip"].rank is None


def test_only_controls_test_the_controls_against_their_reference(tmp_path: Path) -> None:
    fake = FakeRun(methods=CONTROLS, reference="still")
    entries = column(joined(tmp_path, fake), "lse.lse_c").standing.entries
    assert entries["truth"].p_value is not None
    assert entries["still"].p_value is None


def test_a_method_above_the_truth_is_marked(tmp_path: Path) -> None:
    entries = column(joined(tmp_path, FakeRun()), "lse.lse_c").standing.entries
    assert entries["copycat"].is_above_truth
    assert not entries["wav2lip"].is_above_truth
    entries = column(joined(tmp_path, FakeRun()), "lse.lse_d").standing.entries
    assert entries["copycat"].is_above_truth


def test_offset_and_score_at_zero_are_shown_without_rank(tmp_path: Path) -> None:
    results = joined(tmp_path, FakeRun())
    block = build_table(results, results.tables[0]).blocks[0]
    names = [(c.column.output.name, c.is_evidence) for c in block.columns]
    assert names == [
        ("lse_d", False),
        ("lse_c", False),
        ("offset", True),
        ("lse_d_at_0", True),
        ("lse_c_at_0", True),
        ("ssim", False),
        ("psnr", False),
    ]
    shifted = block.columns[2].standing.entries["shifted"]
    assert shifted.interval.mean == 5.0
    assert shifted.within_one.mean == 0.0
    assert all(entry.rank is None for entry in block.columns[3].standing.entries.values())


# ---- the answer not in the input ----------------------------------------------------------------


def test_speech_gain_is_own_speech_minus_other_speech_by_clip(tmp_path: Path) -> None:
    results = joined(tmp_path, FakeRun())
    dataset = results.datasets[0]
    psnr = next(c for c in results.columns(dataset) if c.name == "psnr_mouth.psnr")
    gains = speech_gain(results, dataset, "M-CSAWav2Lip", psnr)
    own = results.column_values(dataset, "M-CSAWav2Lip", psnr, kind="reconstruct").values
    probe = results.column_values(dataset, "M-CSAWav2Lip", psnr, kind="probe").values
    assert gains.values["s00_000"] == pytest.approx(own["s00_000"] - probe["s00_000~s01_000"])
    assert (len(gains.values), gains.planned) == (12, 12)
    assert set(speech_gain(results, dataset, "still", psnr).values.values()) == {0.0}
    assert speech_gain(results, dataset, "truth", psnr).planned == 0


def test_copying_loses_its_rank_without_the_answer_in_the_input(tmp_path: Path) -> None:
    results = joined(tmp_path, FakeRun())
    pairings = pair(results, build_table(results, results.tables[0]))
    assert [(p.kind, p.column.name, p.counterpart.name) for p in pairings] == [
        ("cross", "lse.lse_d", "lse.lse_d"),
        ("cross", "lse.lse_c", "lse.lse_c"),
        ("gain", "ssim.ssim", "ssim_mouth.ssim"),
        ("gain", "psnr.psnr", "psnr_mouth.psnr"),
    ]
    for one in pairings:
        assert one.official.entries["copycat"].rank == 1
        if one.column.name == "ssim.ssim":  # neither protocol tells the other pair apart
            assert one.official.told_apart == {("copycat", "wav2lip")}
            assert one.passes == frozenset()
        else:
            assert one.passes == {("wav2lip", "copycat"), ("M-CSAWav2Lip", "copycat")}
            assert (one.gained("copycat"), one.fallen("copycat")) == (0, 2)
        assert one.standing.entries["truth"].state == "absent"


def test_leak_free_p_values_are_corrected_over_their_own_comparisons(tmp_path: Path) -> None:
    results = joined(tmp_path, FakeRun())
    dataset = results.datasets[0]
    pairings = pair(results, build_table(results, results.tables[0]))
    raw: list[float] = []
    shown: list[float] = []
    for one in pairings:
        values = {
            label: results.column_values(dataset, label, one.counterpart, kind="cross").values
            if one.kind == "cross"
            else speech_gain(results, dataset, label, one.counterpart).values
            for label in ("wav2lip", "copycat", "M-CSAWav2Lip")
        }
        for label in ("copycat", "M-CSAWav2Lip"):
            pairs = [values[label][case] - values["wav2lip"][case] for case in values[label]]
            raw.append(stats.wilcoxon(pairs))
            shown.append(one.standing.entries[label].p_value)
    assert shown == pytest.approx(stats.holm(raw))


def test_every_change_of_places_is_listed(tmp_path: Path) -> None:
    page = build_report(tmp_path).read_text(encoding="utf-8")
    assert "6 pairs of methods change places" in page
    assert "Wav2Lip (2020) passes copycat: LSE-D, LSE-C, PSNR" in page
    assert "▼2" in page
    assert "The speech gain is the difference of the two scores" in page


# ---- scorer and stand-in ------------------------------------------------------------------------


def test_a_scorer_works_if_its_controls_are_right(tmp_path: Path) -> None:
    (validity,) = judge(joined(tmp_path, FakeRun()))
    assert validity.works is True
    assert [share.mean for share in validity.shares.values()] == [1.0, 1.0, 1.0]


def test_a_scorer_that_fails_has_a_warning_above_the_table_and_void_columns(
    tmp_path: Path,
) -> None:
    page = build_report(tmp_path, FakeRun(works=False)).read_text(encoding="utf-8")
    warning = page.index("values are meaningless here. LSE-C of the real video is above that of")
    assert warning < page.index('<table class="measured"')
    assert re.search(r'class="value[^"]* void"', page)
    assert "leads in LSE" not in page


def test_without_controls_the_validity_of_the_scorer_is_unknown(tmp_path: Path) -> None:
    results = joined(tmp_path, FakeRun(methods=COMPETITORS))
    (validity,) = judge(results)
    assert validity.works is None


def test_a_stand_in_is_named_at_the_top(tmp_path: Path) -> None:
    page = build_report(tmp_path).read_text(encoding="utf-8")
    banner = (
        "Made on 12 clips of synth-zh, a synthetic stand-in for CLR: these numbers say nothing "
        "about CLR."
    )
    assert page.index(banner) < page.index("<main")
    assert banner in reports.closing([tmp_path / "run"]).notes


# ---- joins --------------------------------------------------------------------------------------


def test_two_runs_put_their_data_sets_side_by_side_and_share_rows(tmp_path: Path) -> None:
    other = FakeRun(name="lrs2", dataset="LRS2", published="lrs2", seed=3)
    results = joined(tmp_path, FakeRun(), other)
    table = build_table(results, results.tables[0])
    assert [block.dataset.name for block in table.blocks] == ["CLR", "LRS2"]
    assert [row.label for row in table.rows].count("wav2lip") == 1
    assert table.part.published.data == {"CLR": "clr", "LRS2": "lrs2"}


def test_two_runs_on_the_same_data_become_one_data_set(tmp_path: Path) -> None:
    results = joined(
        tmp_path,
        FakeRun(methods=(*CONTROLS, COMPETITORS[0])),
        FakeRun(name="more", methods=(CONTROLS[0], COMPETITORS[1])),
    )
    table = build_table(results, results.tables[0])
    assert len(table.blocks) == 1
    entries = table.blocks[0].columns[0].standing.entries
    assert entries["copycat"].n_scored == entries["wav2lip"].n_scored == 12
    assert entries["copycat"].p_value is not None


def test_protocols_that_differ_never_share_a_column(tmp_path: Path) -> None:
    results = joined(
        tmp_path,
        FakeRun(methods=(*CONTROLS, COMPETITORS[0])),
        FakeRun(name="more", methods=(CONTROLS[0], COMPETITORS[1]), protocol="lse[lrs; other]"),
    )
    table = build_table(results, results.tables[0])
    found = [c for c in table.blocks[0].columns if c.column.name == "lse.lse_d"]
    assert [c.column.protocol for c in found] == ["lse[lrs; shipped@1f2e3d4c]", "lse[lrs; other]"]
    first, second = (c.standing.entries for c in found)
    assert (first["wav2lip"].state, first["copycat"].state) == ("value", "absent")
    assert (second["wav2lip"].state, second["copycat"].state) == ("absent", "value")


def test_one_name_for_different_clips_stays_two_data_sets(tmp_path: Path) -> None:
    runs = [build_run(tmp_path / "a"), build_run(tmp_path / "b", FakeRun(name="b"))]

    def rekeyed(record):
        for case in record["cases"]:
            case["key"] = "another" + case["key"]
        return record

    rewrite(runs[1] / "manifest.json", rekeyed)
    assert [dataset.name for dataset in join(runs).datasets] == ["CLR", "CLR (b)"]


def test_one_label_for_two_methods_on_the_same_data_is_two_rows(tmp_path: Path) -> None:
    other = FakeMethod("wav2lip", sync=3.0)
    results = joined(tmp_path, FakeRun(), FakeRun(name="again", methods=(CONTROLS[0], other)))
    table = build_table(results, results.tables[0])
    assert {"wav2lip", "wav2lip (again)"} <= {row.label for row in table.rows}
    entries = table.blocks[0].columns[0].standing.entries
    assert entries["wav2lip"].interval.mean != entries["wav2lip (again)"].interval.mean


# ---- records ------------------------------------------------------------------------------------


def test_only_the_last_record_of_a_key_counts(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", FakeRun(failing=[("wav2lip", "s00_000")]))
    good = build_run(tmp_path / "good")
    wanted = next(
        line
        for line in (good / "generations.jsonl").read_text(encoding="utf-8").splitlines()
        if '"method": "wav2lip"' in line and '"case": "s00_000"' in line
    )
    with (run / "generations.jsonl").open("a", encoding="utf-8") as file:
        file.write(wanted + "\n")
    results = join([run])
    case = results.datasets[0].cases[0]
    assert results.generation(results.datasets[0], "wav2lip", case).record.status == "ok"


def test_records_of_older_configs_are_ignored(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run")
    before = column(join([run]), "psnr.psnr").standing

    def older(record):
        return {**record, "metric_key": "old", "values": {"psnr": 1.0, "ssim": 0.0}}

    path = run / "measurements.jsonl"
    text = path.read_text(encoding="utf-8")
    rewrite(path, older)
    path.write_text(text + path.read_text(encoding="utf-8"), encoding="utf-8")
    assert column(join([run]), "psnr.psnr").standing == before


def test_a_torn_last_line_is_ignored(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run")
    before = column(join([run]), "psnr.psnr").standing
    with (run / "measurements.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"schema": 1, "metric_k')
    assert column(join([run]), "psnr.psnr").standing == before


def test_the_report_on_a_run_without_records_says_that_values_are_missing(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run")
    (run / "generations.jsonl").unlink()
    (run / "measurements.jsonl").unlink()
    page = reports.build([run], tmp_path / "out").read_text(encoding="utf-8")
    assert re.search(r"(\d+) of \1 planned values are missing", page)


def test_a_folder_that_is_not_a_run_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"manifest\.json: no such file.*bench run"):
        reports.build([tmp_path], tmp_path / "out")
    (tmp_path / "manifest.json").write_text('{"schema": 99}')
    with pytest.raises(BenchError, match=r"newer version \(schema 99, .*Upgrade"):
        reports.build([tmp_path], tmp_path / "out")
    (tmp_path / "manifest.json").write_text('{"schema": 2, "name": "x"}')
    with pytest.raises(BenchError, match=r"manifest\.json: datasets: is missing"):
        reports.build([tmp_path], tmp_path / "out")


def test_an_unknown_language_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="choose one of en, zh"):
        reports.build([build_run(tmp_path / "run")], tmp_path / "out", lang="de")


# ---- published numbers --------------------------------------------------------------------------


def test_published_numbers_have_their_own_table_with_both_values_of_a_contradiction(
    tmp_path: Path,
) -> None:
    page = build_report(
        tmp_path, FakeRun(ablation=("wav2lip", "copycat", "M-CSAWav2Lip"))
    ).read_text(encoding="utf-8")
    first, second = re.findall(r'<table class="published".*?</table>', page, re.S)
    assert "31.594" in first
    assert "33.594 in Table 2" in first
    assert "33.594" in second
    assert "31.594 in Table 1" in second
    assert "Protocol: unstated" in page
    measured = "".join(re.findall(r'<table class="measured.*?</table>', page, re.S))
    assert "31.594" not in measured
    assert all("33.594" not in line.values() for line in summary(tmp_path / "out"))
    assert all(line["method"] != "ATVGnet" for line in summary(tmp_path / "out"))


def test_gains_over_the_best_other_method_stand_below_the_published_ones(tmp_path: Path) -> None:
    fake = FakeRun(published="portrait", published_table="gains", reference="copycat")
    page = build_report(tmp_path, fake).read_text(encoding="utf-8")
    (table,) = re.findall(r'<table class="published".*?</table>', page, re.S)
    assert "10.15" in table
    assert "14.20 as Sync in the English abstract" in table
    means = {
        line["method"]: float(line["mean"])
        for line in summary(tmp_path / "out")
        if line["table"] == "comparison" and line["output"] == "psnr" and line["mean"]
    }
    best, other = sorted((means["M-CSAWav2Lip"], means["wav2lip"]), reverse=True)
    assert best > other
    gain = 100 * (means["copycat"] - best) / best
    assert f"{gain:+.2f}<small>over " in table
    assert re.search(r"over (M-CSAWav2Lip|Wav2Lip \(2020\))</small>", table)


def test_a_gain_is_positive_where_the_method_is_better() -> None:
    def entry(mean: float, *, is_apart: bool = False) -> Entry:
        return Entry(
            "value", interval=stats.Interval(mean, None, None, 1, 1, "none"), is_apart=is_apart
        )

    entries = {
        "own": entry(8.0),
        "a": entry(10.0),
        "b": entry(20.0),
        "few": entry(1.0, is_apart=True),
    }
    standing, others = Standing(entries, 1, 0), ["a", "b", "few", "absent"]
    lower = relative_gain(standing, "own", others, is_higher_better=False)
    higher = relative_gain(standing, "own", others, is_higher_better=True)
    assert lower == Gain(pytest.approx(20.0), "a")
    assert higher == Gain(pytest.approx(-60.0), "b")
    assert relative_gain(standing, "few", others, is_higher_better=True) is None


def test_published_numbers_of_other_data_are_not_shown(tmp_path: Path) -> None:
    page = build_report(tmp_path).read_text(encoding="utf-8")
    (table,) = re.findall(r'<table class="published".*?</table>', page, re.S)
    assert "LRS2" not in table


def test_the_ablation_has_the_papers_seven_rows_in_order_below_the_truth(tmp_path: Path) -> None:
    names = [method.label for method in SEVEN]
    fake = FakeRun(methods=CONTROLS + SEVEN, reference="Wav2Lip", ablation=names, clips_each=2)
    page = build_report(tmp_path, fake).read_text(encoding="utf-8")
    (section,) = re.findall(r'<section id="table-2">.*?</section>', page, re.S)
    measured, published, *more = (
        [name.strip() for name in re.findall(r'<th scope="row" class="label">([^<]+)', table)]
        for table in re.findall(r"<tbody>.*?</tbody>", section, re.S)
    )
    assert measured == ["truth", *names]
    assert published == names
    assert more[:4] == [names] * 4  # every two against each other, by column
    assert [table[-7:] for table in more[4:]] == [names, names]  # other speech, speech gain
    assert "33.594" in section
    assert "31.594 in Table 1" in section
    text = (tmp_path / "out/tables/ablation.csv").read_text(encoding="utf-8")
    assert [line.split(",")[0].split(" (")[0] for line in text.splitlines()[1:]] == [
        "truth",
        *names,
    ]


def test_controls_are_grey_unless_nothing_competes(tmp_path: Path) -> None:
    assert joined(tmp_path / "a", FakeRun()).colours == {
        "truth": -1,
        "still": -2,
        "shifted": -3,
        "mismatched": -4,
        "wav2lip": 0,
        "copycat": 1,
        "M-CSAWav2Lip": 2,
    }
    alone = joined(tmp_path / "b", FakeRun(methods=CONTROLS, reference="still"))
    assert list(alone.colours.values()) == [0, 1, 2, 3]
    assert [colour_class(one) for one in (-1, -4, 0, 6, 7)] == ["k0", "k3", "c0", "c6", "c0 dashed"]


# ---- the method's own protocol ------------------------------------------------------------------


def test_a_methods_protocol_is_in_every_table_and_file(tmp_path: Path) -> None:
    fake = FakeRun(methods=(*CONTROLS, SEVEN[0], COMPETITORS[1]), reference="Wav2Lip", clips_each=2)
    page = reports.build([build_run(tmp_path / "run", fake)], tmp_path / "out").read_text("utf-8")
    assert page.count("<small>reference: first</small></th>") == 3  # Table 1, other speech, gain
    tables = tmp_path / "out/tables"
    for name in ("comparison.csv", "comparison.tex", "comparison.md", "comparison_leakfree.md"):
        assert "Wav2Lip (reference: first)" in (tables / name).read_text(encoding="utf-8")
    protocols = {
        line["protocol"]
        for line in summary(tmp_path / "out")
        if line["method"] == "Wav2Lip" and line["output"] == "psnr"
    }
    assert protocols == {
        "psnr[face@yunet; rgb; native] | reference: first",
        "psnr[mouth@yunet; rgb; native] | reference: first",
    }
    others = [line["protocol"] for line in summary(tmp_path / "out") if line["method"] == "truth"]
    assert not any("|" in protocol for protocol in others)


def test_two_protocols_of_one_method_are_two_rows_on_any_data(tmp_path: Path) -> None:
    same = FakeMethod("wav2lip", label="Wav2Lip", sync=5.2, protocol="reference: same")
    results = joined(
        tmp_path,
        FakeRun(methods=(*CONTROLS, SEVEN[0])),
        FakeRun(name="lrs2", dataset="LRS2", methods=(*CONTROLS, same), seed=3),
    )
    table = build_table(results, results.tables[0])
    found = {row.label: row.protocol for row in table.rows if not row.control}
    assert found == {"Wav2Lip": "reference: first", "Wav2Lip (lrs2)": "reference: same"}
    first, second = (block.columns[0].standing.entries for block in table.blocks)
    assert (first["Wav2Lip"].state, second["Wav2Lip"].state) == ("value", "absent")
    assert (first["Wav2Lip (lrs2)"].state, second["Wav2Lip (lrs2)"].state) == ("absent", "value")


# ---- no face ------------------------------------------------------------------------------------


def test_a_method_without_a_face_in_any_frame_is_reported_on_the_first_screen(
    tmp_path: Path,
) -> None:
    faceless = [("copycat", f"s{s:02d}_{c:03d}") for s in range(4) for c in range(2)]
    page = build_report(tmp_path, FakeRun(faceless=faceless, clips_each=2)).read_text(
        encoding="utf-8"
    )
    entry = column(join([tmp_path / "run"]), "lse.lse_d").standing.entries["copycat"]
    assert (entry.state, entry.n_faceless, entry.n_scored) == ("undefined", 8, 0)
    assert column(join([tmp_path / "run"]), "psnr.psnr").standing.entries["truth"].n_faceless == 0
    assert re.search(r'<td class="none faceless[^>]*title="no face found in any of the 30', page)
    assert "8 videos of copycat on CLR show no face in any frame." in page
    assert '<tr class="bad"><td>CLR</td><td>copycat</td><td>lse</td>' in page
    assert "no face" in (tmp_path / "out/tables/comparison.md").read_text(encoding="utf-8")


# ---- first screen -------------------------------------------------------------------------------


def test_the_first_screen_names_the_limits_of_the_comparison(tmp_path: Path) -> None:
    page = build_report(tmp_path, FakeRun(failing=[("wav2lip", "s00_000")])).read_text(
        encoding="utf-8"
    )
    first = page[: page.index("<main")]
    for sentence in (
        "3 methods: Wav2Lip (2020), copycat, M-CSAWav2Lip",
        "copycat leads in LSE-D†, LSE-C†, PSNR",
        "copycat is above the real video in LSE-D, LSE-C (†)",
        "Table 1: 6 pairs of methods change places when the answer is not in the input.",
        "CLR has 4 speakers: its intervals are rough.",
        "1 cell failed",
    ):
        assert sentence in first
    assert "means over the 11 of 12 cases that all methods have<" in page
    assert "compared on 11 cases; 1 left out because" in page


# ---- files --------------------------------------------------------------------------------------


def test_summary_has_the_documented_columns_and_full_precision(tmp_path: Path) -> None:
    build_report(tmp_path)
    text = (tmp_path / "out/tables/summary.csv").read_text(encoding="utf-8")
    assert text.splitlines()[0] == SUMMARY
    found = column(join([tmp_path / "run"]), "lse.lse_d").standing.entries["copycat"]
    (line,) = [
        line
        for line in summary(tmp_path / "out")
        if (line["table"], line["method"], line["output"]) == ("comparison", "copycat", "lse_d")
    ]
    assert float(line["mean"]) == found.interval.mean
    assert float(line["p_value"]) == found.p_value
    assert line["protocol"] == "lse[lrs; shipped@1f2e3d4c]"
    tables = {line["table"] for line in summary(tmp_path / "out")}
    assert {"comparison", "comparison/cross", "comparison/speech_gain"} <= tables


@pytest.mark.slow
def test_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", FakeRun(speakers=2, clips_each=2, videos=True))
    first, second = tmp_path / "first", tmp_path / "second"
    reports.build([run], first)
    reports.build([run], second)
    once = {path.relative_to(first): path for path in first.rglob("*") if path.is_file()}
    again = {path.relative_to(second): path for path in second.rglob("*") if path.is_file()}
    assert set(once) == set(again)
    assert [name for name in once if once[name].read_bytes() != again[name].read_bytes()] == []
    before = {name: path.read_bytes() for name, path in once.items()}
    reports.build([run], first)  # replaces itself and copies the pictures
    assert {name: (first / name).read_bytes() for name in once} == before
    assert any(path.suffix == ".jpg" for path in once)


def test_a_folder_that_is_not_a_report_is_never_replaced(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run")
    with pytest.raises(BenchError, match="is not a report, so it is not replaced"):
        reports.build([run], run)
    assert (run / "manifest.json").is_file()


def test_nothing_is_left_over_when_building_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = build_run(tmp_path / "run")
    reports.build([run], run / "report")
    before = (run / "report/index.html").read_bytes()
    monkeypatch.setattr("reports.report.view_case", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        reports.build([run], run / "report")
    assert (run / "report/index.html").read_bytes() == before
    assert sorted(path.name for path in run.iterdir()) == [
        "generations.jsonl",
        "manifest.json",
        "measurements.jsonl",
        "report",
    ]


class Links(HTMLParser):
    """Collects the addresses, ids and scripts of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: set[str] = set()
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.addresses.append(value)
            if name == "id" and value:
                self.ids.add(value)
        if tag == "script":
            self.scripts.append(dict(attrs).get("src") or "inline")


def links(page: Path) -> Links:
    parser = Links()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_address_leads_to_a_file_beside_the_report(tmp_path: Path, lang: str) -> None:
    from urllib.parse import unquote

    clips = FakeRun(speakers=2, clips_each=1, videos=True, dataset="C L#R?", published=None)
    run = build_run(tmp_path / "a run", clips)
    out = tmp_path / "joint 报告"
    reports.build([run], out, lang=lang)
    for page in out.rglob("*.html"):
        found = links(page)
        assert found.scripts in (["report.js"], ["../player.js", "../report.js"])
        for address in found.addresses:
            assert not re.match(r"[a-z]+://|//|/", address), address
            if address == "data:,":
                continue
            file, _, anchor = address.partition("#")
            target = page if not file else page.parent / unquote(file)
            assert target.is_file(), address
            if anchor:
                assert anchor in links(target).ids, address


def test_a_report_inside_its_run_links_to_videos_by_relative_paths(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", FakeRun(speakers=2, clips_each=1, videos=True))
    reports.build([run], run / "report")
    pages = list((run / "report/cases").glob("*.html"))
    addresses = [a for page in pages for a in links(page).addresses if a.endswith(".mp4")]
    assert addresses
    assert all(address.startswith("../../videos/CLR/") for address in addresses)


def test_a_video_path_that_leaves_the_run_folder_is_refused(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", FakeRun(speakers=2, clips_each=1))
    rewrite(run / "generations.jsonl", lambda record: {**record, "video": "../../etc/passwd"})
    with pytest.raises(BenchError, match=r"generations\.jsonl:1: .*a path inside the"):
        reports.build([run], run / "report")
    assert not (run / "report").exists()


# ---- hostile names ------------------------------------------------------------------------------


def test_hostile_names_are_escaped(tmp_path: Path) -> None:
    methods = (*CONTROLS, FakeMethod("a", label=HOSTILE), COMPETITORS[0])
    fake = FakeRun(methods=methods, texts=(HOSTILE,), title=HOSTILE, failing=[(HOSTILE, "s00_000")])
    build_report(tmp_path, fake)
    for page in (tmp_path / "out").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert "<script>alert" not in text
        assert set(links(page).scripts) <= {"report.js", "../player.js", "../report.js"}
    assert "&lt;script&gt;alert" in (tmp_path / "out/index.html").read_text(encoding="utf-8")
    tables = tmp_path / "out/tables"
    assert r"\textless{}script\textgreater{}" in (tables / "comparison.tex").read_text("utf-8")
    table = (tables / "comparison.md").read_text("utf-8")
    assert "<script" not in table
    widths = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines() if row[:1] == "|"}
    assert len(widths) == 1
    assert HOSTILE in {line["method"] for line in summary(tmp_path / "out")}


def test_latex_and_markdown_escapes_by_hand() -> None:
    assert latex("a_b & 5 % {x} ~^\\") == (
        r"a\_b \& 5 \% \{x\} \textasciitilde{}\textasciicircum{}\textbackslash{}"
    )
    assert latex("LSE-D ↓") == r"LSE-D $\downarrow$"
    assert markdown("a|b\nc*") == r"a\|b c\*"


def test_latex_table_has_rules_marks_and_intervals(tmp_path: Path) -> None:
    build_report(tmp_path)
    text = (tmp_path / "out/tables/comparison.tex").read_text(encoding="utf-8")
    for part in (r"\toprule", r"\midrule", r"\bottomrule", r"\textbf{35.", r"\underline{31."):
        assert part in text
    assert "N. A." in text


def test_shares_are_never_rounded_to_all_or_none() -> None:
    assert [percent(v) for v in (1.0, 0.996, 0.5, 0.004, 0.0)] == [
        "100 %",
        ">99 %",
        "50 %",
        "<1 %",
        "0 %",
    ]


# ---- evidence -----------------------------------------------------------------------------------


def test_of_many_cases_only_the_most_informative_show_frames(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", FakeRun(speakers=2, clips_each=2, videos=True))
    index = build_with([run], tmp_path / "out", strips=3)
    assert "3 of 12 case pages show frames" in index.read_text(encoding="utf-8")
    pages = [p.read_text(encoding="utf-8") for p in (tmp_path / "out/cases").glob("*.html")]
    assert sum('class="striprow"' in page for page in pages) == 3
    assert len(pages) == 12


def test_a_strip_shows_eight_moments_from_first_to_last_frame(tmp_path: Path) -> None:
    build_report(tmp_path, FakeRun(speakers=1, clips_each=2, videos=True))
    page = next((tmp_path / "out/cases").glob("CLR-s00-000-????????.html"))
    text = page.read_text(encoding="utf-8")
    moments = [int(one) for one in re.findall(r"<span>(\d+)</span></button>", text)]
    assert (moments[0], moments[7], len(moments) % 8) == (0, FRAMES - 1, 0)
    assert "does not say where the mouth is" in text


def test_an_unreadable_video_costs_its_pictures_and_nothing_else(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", FakeRun(speakers=1, clips_each=2, videos=True))
    (run / "videos/CLR/wav2lip/s00_000.mp4").write_bytes(b"no video")
    reports.build([run], tmp_path / "out")
    page = next((tmp_path / "out/cases").glob("CLR-s00-000-????????.html"))
    assert "wav2lip: eight frames" not in page.read_text(encoding="utf-8")
    assert "copycat: eight frames" in page.read_text(encoding="utf-8")


def test_the_gallery_shows_the_worst_of_every_competitor(tmp_path: Path) -> None:
    results = joined(tmp_path, FakeRun())
    tables = [build_table(results, results.tables[0])]
    cells = worst_cells(results, tables)
    dataset = results.datasets[0]
    for label in ("wav2lip", "copycat", "M-CSAWav2Lip"):
        found = [c for c in cells if c[1] == label and c[2].name == "psnr.psnr"]
        values = results.column_values(dataset, label, found[0][2], kind="reconstruct").values
        assert found[0][4] == min(values.values())


def test_doctor_marks_and_missing_faces_are_counted(tmp_path: Path) -> None:
    marks = {"s00_000": ["frozen 12-40"], "s01_000": []}
    page = build_report(tmp_path, FakeRun(marks=marks)).read_text(encoding="utf-8")
    assert "The doctor marked 1 of 12 clips." in page
    assert "frozen 12-40" in page
    assert "share of frames" in page


def test_the_terminal_shows_the_first_table(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", FakeRun(failing=[("wav2lip", "s00_000")]))
    ((_, (header, *rows)),) = reports.closing([run]).tables.items()
    assert header == ("Method", "LSE-D ↓", "LSE-C ↑", "SSIM ↑", "PSNR ↑", "scored", "failed")
    by_name = {row[0]: row for row in rows}
    assert by_name["truth"][4] == "N. A."
    assert by_name["wav2lip"][-2:] == ("11/12", "1")
