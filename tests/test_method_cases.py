"""A method that the config puts to fewer cases: which they are, and where it is said."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.ground.errors import BenchError
from bench.ground.types import Case, Clip
from bench.records.load import load
from bench.records.schema import GENERATIONS, MEASUREMENTS
from bench.run.cases import spread
from bench.run.config import load_config
from bench.run.plan import expected_files, make_plan
from tests.conftest import ROOT
from tests.small_data import make_config, make_manifest
from tests.small_records import read_records
from tests.test_run import bench

METHODS = [{"name": "truth"}, {"name": "still"}, {"name": "dimmed", "cases": 1}]
METRICS = [
    {"name": "brightness"},
    {"name": "psnr"},
    {"name": "grey_distance"},
    {"name": "range"},
]
COLUMNS = ["brightness.brightness", "psnr.psnr", "grey_distance.grey_distance", "range.range"]


def prepare(folder: Path, **changes: object) -> Path:
    make_manifest(folder / "data")
    for name in ("grey_distance.py", "set_metrics.py"):
        shutil.copy(ROOT / "tests" / "plugins" / name, folder)
    settings: dict[str, object] = {
        "plugins": ["brightness.py", "grey_distance.py", "set_metrics.py"],
        "methods": METHODS,
        "metrics": METRICS,
        "tables": [{"name": "comparison", "columns": COLUMNS}],
    }
    return make_config(folder, **(settings | changes))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A finished run, and what the terminal said."""
    folder = tmp_path_factory.mktemp("cases")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_CACHE", str(folder / "cache"))
        code, output = bench("run", prepare(folder), "-o", folder / "run")
        assert code == 0, output
        yield folder / "run", " ".join(output.split())


def test_fewer_cases_are_spread_over_speakers_and_are_among_more() -> None:
    clips = [Clip(f"{who}{n}", Path("a.mp4"), speaker=who) for who in "abc" for n in range(3)]
    cases = [Case("d", "reconstruct", one, one) for one in clips]
    chosen = [[case.face.id for case in spread(cases, most)] for most in (2, 4, 9, 99)]
    assert chosen[0] == ["a0", "b0"]
    assert chosen[1] == ["a0", "a1", "b0", "c0"]
    assert chosen[2] == chosen[3] == [clip.id for clip in clips]


def test_the_plan_gives_it_that_many_of_each_kind(tmp_path: Path) -> None:
    methods = [*METHODS, {"name": "recorded", "cases": 2, "options": {"folder": "."}}]
    plan = make_plan(load_config(prepare(tmp_path, methods=methods)))
    asked = {label: [] for label in ("still", "dimmed", "recorded")}
    for planned in plan.cases:
        for method in plan.answers(planned):
            asked.setdefault(method.label, []).append(planned.case.kind)
    assert {kind: asked["still"].count(kind) for kind in asked["still"]} == {
        "reconstruct": 3,
        "probe": 3,
        "cross": 3,
    }
    assert sorted(asked["dimmed"]) == ["cross", "probe", "reconstruct"]
    assert len(asked["recorded"]) == 6
    assert sum(file is not None for file in expected_files(plan)["recorded"]) == 6


def test_as_many_as_there_are_is_no_limit(tmp_path: Path) -> None:
    plan = make_plan(load_config(prepare(tmp_path, methods=[{"name": "still", "cases": 3}])))
    assert plan.spared == {}


@pytest.mark.slow
def test_a_stand_in_may_have_fewer_cases_than_the_data_set_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOT_HERE", raising=False)
    data = [
        {"name": "own", "manifest": "data/manifest.csv"},
        {"name": "other", "manifest": "$NOT_HERE", "stand_in": "synth-en", "stand_in_limit": 2},
    ]
    methods = [{"name": "still", "stand_in_cases": 1}]
    cases = {"stand_in_cross": 1}
    plan = make_plan(
        load_config(prepare(tmp_path, data=data, methods=methods, cases=cases, tables=[]))
    )
    asked = [p.case.dataset for p in plan.cases if plan.puts(plan.methods[0], p)]
    assert (asked.count("own"), asked.count("other")) == (9, 3)
    assert [len(one.clips) for one in plan.datasets] == [3, 2]
    pairs = [p.case.dataset for p in plan.cases if p.case.kind == "cross"]
    assert (pairs.count("own"), pairs.count("other")) == (3, 1)


def test_none_is_no_number_of_cases(tmp_path: Path) -> None:
    config = prepare(tmp_path, methods=[{"name": "still", "cases": 0}])
    with pytest.raises(BenchError, match=r"methods\[0\]\.cases: .*greater than or equal to 1"):
        load_config(config)


def test_it_makes_and_measures_these_alone(done: tuple[Path, str]) -> None:
    run, output = done
    made = [each["method"] for each in read_records(run / GENERATIONS)]
    assert (made.count("still"), made.count("dimmed")) == (9, 3)
    assert re.search(r"cells: \d+ ok, \d+ undefined by definition, 0 failed;", output)
    rows = load(run)
    assert set(rows[rows.method == "dimmed"].status) <= {"ok", "undefined"}
    assert len(rows[(rows.method == "dimmed") & (rows.output == "brightness")]) == 3


def test_tables_say_how_many_of_how_many(done: tuple[Path, str]) -> None:
    run, output = done
    said = "tiny: dimmed was put to 1 of 3 cases, spread over the speakers"
    assert said in output
    page = (run / "report" / "index.html").read_text(encoding="utf-8")
    assert said in page
    assert "1/3</small>" in page
    with (run / "report" / "tables" / "summary.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["method"] == "dimmed"]
    counted = {(row["n_scored"], row["n_planned"]) for row in rows if row["output"] == "psnr"}
    assert counted == {("1", "3")}


def test_the_others_are_compared_on_all_cases(done: tuple[Path, str]) -> None:
    run, _ = done
    with (run / "report" / "tables" / "summary.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    means = {row["method"]: row for row in rows if row["output"] == "brightness"}
    assert (means["still"]["n_scored"], means["still"]["n_planned"]) == ("3", "3")
    page = (run / "report" / "index.html").read_text(encoding="utf-8")
    assert "means over all 3 cases" in page
    assert "‡ has values for fewer than half of the planned cases" in page


def test_a_distance_that_depends_on_the_number_of_videos_has_no_value(
    done: tuple[Path, str],
) -> None:
    run, _ = done
    found = [each for each in read_records(run / MEASUREMENTS) if each["metric"] == "grey_distance"]
    reasons = {each["reason"] for each in found if each["status"] == "undefined"}
    assert reasons == {
        "2 of 3 videos are missing, and a value over other cases could not be compared"
    }
    ranges = [each for each in read_records(run / MEASUREMENTS) if each["metric"] == "range"]
    assert len(ranges) == 5  # of kinds with a reference: truth answers one, the others two


def test_the_plan_says_it_and_without_it_the_rest_is_made(done: tuple[Path, str]) -> None:
    run, _ = done
    config = run.parent / "small.yaml"
    code, output = bench("plan", config, "-o", run)
    text = " ".join(output.split())
    assert code == 0
    assert "dimmed: 1 of 3 reconstruct cases of tiny, 1 of 3 probe" in text
    assert "videos: 0 of 15 missing" in text
    prepare(run.parent, methods=[{"name": "truth"}, {"name": "still"}, {"name": "dimmed"}])
    try:
        code, output = bench("plan", config, "-o", run)
        assert "videos: 6 of 21 missing" in " ".join(output.split())
    finally:
        prepare(run.parent)
