"""Mean opinion scores from elsewhere: read in the forms of public tables, correlated by clip and
by method with the metrics of a run or of measured files."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from bench.ground.errors import BenchError
from bench.study.read.opinion_table import read_opinions
from bench.study.score.coefficients import weighted_kendall, weighted_pearson
from bench.study.score.metric_values import metric_columns
from bench.study.score.outside_opinions import (
    COEFFICIENTS,
    RatedVideo,
    coefficient,
    coefficient_of_rows,
    correlate_outside,
)
from tests.fixtures_run import COMPETITORS, CONTROLS, FakeMethod, FakeRun, build_run
from tests.test_run import bench

METHODS = (*COMPETITORS, FakeMethod("blurred", sync=3.0), FakeMethod("sharp", sync=4.0))
THEIRS = {
    "srcc": lambda a, b: scipy.stats.spearmanr(a, b).statistic,
    "plcc": lambda a, b: scipy.stats.pearsonr(a, b).statistic,
    "krcc": lambda a, b: scipy.stats.kendalltau(a, b).statistic,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    fake = FakeRun(methods=CONTROLS + METHODS, undefined=[("copycat", "s00_001")])
    return build_run(tmp_path_factory.mktemp("outside") / "clr", fake)


@pytest.fixture(scope="module")
def opinions(run: Path) -> dict[tuple[str, str], float]:
    """Noisy opinions that follow LSE-C, by case and method."""
    (column,) = [one for one in metric_columns(run) if one.output == "lse_c"]
    generator = np.random.default_rng(0)
    labels = {method.shown for method in METHODS}
    return {
        (clip[1], method): round(0.5 * value + 1 + generator.normal(0, 0.4), 1)
        for (clip, method), value in column.by_clip.items()
        if method in labels and "+" not in clip[1] and "~" not in clip[1]
    }


def write(path: Path, header: str, rows: list[str]) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["srcc", "plcc", "krcc"])
def test_coefficients_are_scipys_by_clip_and_by_method(
    name: str, run: Path, opinions: dict[tuple[str, str], float]
) -> None:
    columns = {one.output: one for one in metric_columns(run) if one.metric in ("lse", "psnr")}
    videos = [RatedVideo(("CLR", case), method, mos) for (case, method), mos in opinions.items()]
    found = correlate_outside(videos, list(columns.values()), resamples=200)
    for output in ("lse_c", "psnr"):
        column = columns[output]
        values = {k: column.by_clip[("CLR", k[0]), k[1]] for k in opinions}
        own = {
            one.level: one.estimate
            for one in found
            if (one.output, one.coefficient) == (output, name)
        }
        one, other = list(values.values()), list(opinions.values())
        assert own["clip"].value == pytest.approx(THEIRS[name](one, other))
        assert own["clip"].n == len(opinions)
        assert own["clip"].low < own["clip"].value < own["clip"].high
        labels = sorted({method for _, method in opinions})
        means = [
            [np.mean([table[key] for key in table if key[1] == label]) for label in labels]
            for table in (values, opinions)
        ]
        assert own["method"].value == pytest.approx(THEIRS[name](*means))
        assert own["method"].n == len(labels)


def test_weighted_coefficients_equal_those_of_repeated_points() -> None:
    generator = np.random.default_rng(0)
    one, other = generator.integers(0, 5, 12).astype(float), generator.normal(0, 1, 12)
    weights = generator.integers(0, 4, (6, 12)).astype(float)
    tau = weighted_kendall(one, other, weights)
    r = weighted_pearson(np.tile(one, (6, 1)), np.tile(other, (6, 1)), weights)
    for row in range(6):
        times = weights[row].astype(int)
        pair = np.repeat(one, times), np.repeat(other, times)
        assert tau[row] == pytest.approx(scipy.stats.kendalltau(*pair).statistic)
        assert r[row] == pytest.approx(scipy.stats.pearsonr(*pair).statistic)
    assert np.isnan(weighted_kendall(np.ones(5), np.arange(5.0), np.ones((1, 5)))).all()
    constant = np.full((1, 5), 0.1)
    assert np.isnan(weighted_pearson(constant, np.arange(5.0)[None], np.ones((1, 5)))).all()


@pytest.mark.parametrize("name", COEFFICIENTS)
def test_coefficients_of_rows_are_those_of_each_row(name: str) -> None:
    generator = np.random.default_rng(0)
    one = generator.integers(0, 5, (2000, 40)).astype(float)  # more pairs than are held at once
    other = generator.normal(0, 1, (2000, 40))
    one[7] = 3.0  # constant
    found = coefficient_of_rows(name, one, other)
    assert np.isnan(found[7])
    for row in (0, 1249, 1250, 1999):  # around the end of a part
        assert found[row] == pytest.approx(THEIRS[name](one[row], other[row]))
        own = coefficient(name, one[row], other[row], np.ones((1, 40)))
        assert found[row] == own[0]


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Of 200 draws of normal pairs, the 95 % interval holds the known r about 190 times."""
    covered = 0
    for seed in range(200):
        generator = np.random.default_rng(seed)
        values = generator.normal(size=60)
        mos = 0.6 * values + 0.8 * generator.normal(size=60)
        places = {(("", str(i)), ""): float(v) for i, v in enumerate(values)}
        videos = [RatedVideo(("", str(i)), "", float(m)) for i, m in enumerate(mos)]
        found = correlate_outside(videos, [metric_stub(places)], resamples=200)
        (plcc,) = [one.estimate for one in found if one.coefficient == "plcc"]
        covered += plcc.low <= 0.6 <= plcc.high
    assert 0.88 <= covered / 200 <= 0.99


def metric_stub(values: dict):
    from bench.study.score.metric_values import MetricColumn

    return MetricColumn("r", "m", "o", "o", "", "none", "m", False, values, {}, {})


def test_a_table_correlates_with_a_run(
    run: Path, opinions: dict[tuple[str, str], float], tmp_path: Path
) -> None:
    titles = {method.shown: method.title or method.shown for method in METHODS}
    rows = [
        f"out/{case}.mp4,{titles[method]},{mos},0.5" for (case, method), mos in opinions.items()
    ]
    rows += ["out/nobody.mp4,copycat,3,0.5", "out/s00_000.mp4,strange,3,0.5"]
    table = write(tmp_path / "mos.csv", "file,method,MOS,spread", rows)
    out = tmp_path / "out.csv"
    code, output = bench("study", "correlate", table, "--run", run, "-o", out)
    assert code == 0, output
    assert "the run has no case 'nobody'" in output
    assert "the run has no method 'strange'" in output
    with out.open(encoding="utf-8") as file:
        found = {
            (row["metric"], row["output"], row["level"], row["coefficient"]): row
            for row in csv.DictReader(file)
        }
    (column,) = [one for one in metric_columns(run) if one.output == "lse_c"]
    values = [column.by_clip[("CLR", case), method] for case, method in opinions]
    own = found["lse", "lse_c", "clip", "srcc"]
    assert float(own["value"]) == pytest.approx(THEIRS["srcc"](values, list(opinions.values())))
    assert int(own["n"]) == len(opinions)
    assert int(found["psnr", "psnr", "clip", "krcc"]["n"]) == len(opinions) - 0
    assert found["lse", "lse_c", "method", "plcc"]["n"] == str(len(METHODS))


def test_names_of_files_tell_case_and_method(
    run: Path, opinions: dict[tuple[str, str], float], tmp_path: Path
) -> None:
    """The form of THQA-NTIRE: Video,Score, the method at the end of the name."""
    rows = [f"{case}_{method}.mp4,{mos}" for (case, method), mos in opinions.items()]
    table = write(tmp_path / "mos.csv", "Video,Score", rows)
    read = read_opinions(table, names="{case}_{method}.mp4")
    assert {(one.case, one.method): one.mos for one in read} == opinions
    folders = write(
        tmp_path / "folders.csv",
        "Stimulus;Overall",
        [f"a/{m}/{c}.mp4;{v}" for (c, m), v in opinions.items()],
    )
    read = read_opinions(folders, columns={"file": "Stimulus", "mos": "Overall"})
    assert {(one.case, one.method): one.mos for one in read} == opinions
    code, output = bench(
        *("study", "correlate", table, "--run", run, "--names", "{case}_{method}.mp4")
    )
    assert code == 0, output
    assert f"{len(opinions)} videos with a score; 0 rows" in output


def test_a_table_correlates_with_measured_files(
    opinions: dict[tuple[str, str], float], tmp_path: Path
) -> None:
    header = "name,video,reference,metric,output,value,status,reason,unit,better,protocol"
    names = [f"{case}_{method}" for case, method in opinions]
    own = [f"sub/{name},v,,m,o,{place % 7},ok,,,higher,m[1]" for place, name in enumerate(names)]
    values = write(
        tmp_path / "values.csv", header, [*own[:-1], "sub/last,v,,m,o,,failed,,,higher,m"]
    )
    table = write(
        tmp_path / "mos.csv",
        "video,mos",
        [f"{n}.mp4,{v}" for n, v in zip(names, opinions.values(), strict=True)],
    )
    out = tmp_path / "out.csv"
    code, output = bench(
        *("study", "correlate", table, "--values", values, "--names", "{case}_{method}.mp4"),
        *("-o", out),
    )
    assert code == 0, output
    assert "no value of this video" in output
    with out.open(encoding="utf-8") as file:
        first = next(csv.DictReader(file))
    expected = THEIRS["srcc"]([p % 7 for p in range(len(names) - 1)], list(opinions.values())[:-1])
    assert float(first["value"]) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("header", "rows", "said"),
    [
        ("file,method", ["a.mp4,x"], "has no column mos"),
        ("video,score", ["a.mp4,good", ",2"], "'good' is no number"),
        ("video,score", ["a.mp4,nan"], "is no number"),
        ("video,score,sd", ["a.mp4,3,wide"], "'wide' is no number"),
    ],
)
def test_wrong_tables_are_refused(header: str, rows: list[str], said: str, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=said):
        read_opinions(write(tmp_path / "mos.csv", header, rows))


def test_two_scores_of_a_video_and_too_few_are_said(run: Path, tmp_path: Path) -> None:
    twice = write(tmp_path / "mos.csv", "file,method,mos", ["s00_000.mp4,copycat,3"] * 2)
    code, output = bench("study", "correlate", twice, "--run", run)
    assert code == 2
    assert "two scores" in output
    few = write(tmp_path / "few.csv", "file,method,mos", ["s00_000.mp4,copycat,3"])
    code, output = bench("study", "correlate", few, "--run", run)
    assert code == 0
    assert "1 videos with a value and a score; at least 5 are needed" in output
    code, output = bench("study", "correlate", few)
    assert code == 2
    none = write(tmp_path / "none.csv", "file,method,mos", ["x.mp4,copycat,3"])
    assert bench("study", "correlate", none, "--run", run)[0] == 2
