"""Quiet controls: a few cases more, which stand in no table and tell what each number is worth."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

import bench as harness
import reports
from bench.ground.types import Case, Clip
from bench.records.reading import read_manifest
from bench.records.run_folder import read_run
from bench.records.schema import GENERATIONS, MEASUREMENTS
from bench.run import floors
from bench.run.config import load_config
from bench.run.plan import make_plan
from bench.run.planned import PlannedCase
from bench.study.make.finished_videos import finished_videos
from reports.worth import Worth, read_judged
from tests.conftest import ROOT
from tests.small_data import make_config, make_manifest
from tests.test_run import bench, records

EIGHT = ("one", "two", "three", "four", "five", "six", "seven", "eight")
METRICS = [
    *({"name": name} for name in ("brightness", "psnr", "motion", "crowd")),
    *({"name": name} for name in ("likeness", "credulous")),
]
COLUMNS = ["psnr.psnr", "motion.motion", "likeness.likeness", "credulous.credulous", "crowd.crowd"]
QUIET = {
    "_mismatched": 6,
    "_degraded-jpeg": 6,
    "_degraded-noise": 6,
    "_degraded-encoding": 6,
    "_stranger": 6,
}


def prepare(folder: Path, **changes: object) -> Path:
    """A config whose metrics are of every kind, with six cases for the quiet controls."""
    make_manifest(folder / "data", EIGHT)
    shutil.copy(ROOT / "tests" / "plugins" / "likeness.py", folder)
    asked: dict[str, object] = {
        "plugins": ["brightness.py", "likeness.py"],
        "cases": {"kinds": ["reconstruct", "probe"]},
        "metrics": METRICS,
        "tables": [{"name": "comparison", "columns": COLUMNS, "reference": "still"}],
        "floors": 6,
    }
    return make_config(folder, **{**asked, **changes})


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, made once for this file; its report is in it."""
    folder = tmp_path_factory.mktemp("floors")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_CACHE", str(folder / "cache"))
        code, output = bench("run", prepare(folder), "-o", folder / "run")
    assert code == 0, output
    return folder / "run"


def worths(run: Path) -> dict[str, Worth]:
    return {one.column.output.name: one for one in read_judged([run]).worths}


def clip(name: str, speaker: str) -> Clip:
    return Clip(id=name, video=Path(f"{name}.mp4"), speaker=speaker)


def planned(clips: list[Clip]) -> list[PlannedCase]:
    return [PlannedCase(Case("d", "reconstruct", one, one), one.id) for one in clips]


# ---- which cases --------------------------------------------------------------------------------


def test_the_cases_are_spread_over_speakers_and_keep_their_order() -> None:
    clips = [clip(f"{who}{number}", who) for who in "abc" for number in range(4)]
    found = [one.key for one in floors.few_cases(planned(clips), 5)]
    assert found == ["a0", "a1", "b0", "b1", "c0"]
    assert [one.key for one in floors.few_cases(planned(clips), 2, barred={"a0"})] == ["a1", "b0"]
    assert floors.few_cases(planned(clips), 0) == ()
    assert len(floors.few_cases(planned(clips), 99)) == 12


def test_a_stranger_is_always_another_speaker_whose_name_is_known() -> None:
    clips = [clip("a0", "a"), clip("a1", "a"), clip("b0", "b"), clip("c0", "c"), clip("x", "")]
    cases = [one.case for one in planned(clips)]
    found = [(case.face.id, case.other) for case in floors.with_strangers(cases, clips)]
    assert [(face, other and other.id) for face, other in found] == [
        *(("a0", "b0"), ("a1", "b0"), ("b0", "c0"), ("c0", "a0")),
    ]
    barred = list(floors.with_strangers(cases, clips, barred={"b0", "c0"}))
    assert barred == []  # one speaker is left
    assert list(floors.with_strangers(cases[:2], clips[:2])) == []


# ---- the run ------------------------------------------------------------------------------------


def test_quiet_controls_are_asked_of_a_few_cases_only(done: Path) -> None:
    made = records(done, GENERATIONS)
    counts = Counter(str(one["method"]) for one in made.values())
    assert {name: n for name, n in counts.items() if name.startswith("_")} == QUIET
    assert counts["truth"] == 8
    manifest = read_manifest(done)
    assert {one.label for one in manifest.floors.methods} == set(QUIET)
    cases = Counter(one.id for one in manifest.floors.cases)
    assert len(cases) == 6
    # Once, and once more with another speaker's clip, where the other one is of the same speaker.
    assert {*cases.values()} <= {1, 2}
    keys = {one.key for one in manifest.cases}
    assert sum(one.key in keys for one in manifest.floors.cases) == 6


def test_they_stand_beside_the_methods_and_not_among_them(done: Path) -> None:
    manifest = read_manifest(done)
    assert [one.label for one in manifest.methods] == ["truth", "still", "dimmed"]
    assert len(manifest.cases) == 16
    assert not any(name.startswith("_") for name in harness.load(done)["method"])
    assert not any(video.method.startswith("_") for video in finished_videos([done]))
    page = (done / "report" / "index.html").read_text(encoding="utf-8")
    assert "_stranger" not in re.sub(r"<details.*?</details>", "", page, flags=re.DOTALL)
    assert len(list((done / "report" / "cases").glob("*.html"))) == 16


def test_keys_of_other_records_stay_as_they_are_without_them(done: Path) -> None:
    config = done.parent / "small.yaml"
    lone = done.parent / "lone.yaml"
    lone.write_text(config.read_text().replace("floors: 6", "floors: 0"))
    with_floors, without = (make_plan(load_config(path)) for path in (config, lone))
    assert [one.key for one in with_floors.cases] == [one.key for one in without.cases]
    assert [one.key for one in with_floors.methods] == [one.key for one in without.methods]
    assert [one.key for one in with_floors.metrics] == [one.key for one in without.metrics]
    assert without.floors.methods == without.floors.cases == ()
    assert without.every_case == without.cases


def test_a_finished_run_is_finished_and_plan_counts_them(done: Path, tmp_path: Path) -> None:
    before = (done / MEASUREMENTS).read_bytes()
    code, output = bench("run", done.parent / "small.yaml", "-o", done)
    assert code == 0
    assert "nothing to do" in output
    assert (done / MEASUREMENTS).read_bytes() == before
    code, output = bench("plan", done.parent / "small.yaml", "-o", tmp_path / "none")
    text = " ".join(output.split())
    assert "videos: 70 of 70 missing" in text  # 8 truth, 16 still, 16 dimmed, and 30
    assert "floors: _mismatched, _degraded-jpeg" in text
    assert "on 6 cases of tiny" in text


def test_a_stranger_is_another_person_at_the_size_and_length_of_the_face(done: Path) -> None:
    run = read_run(done)
    (stranger,) = (one for one in run.manifest.floors.methods if one.name == "stranger")
    videos = [one for (key, _), one in run.generations.items() if key == stranger.key]
    truths = {one.sha256 for one in run.generations.values() if one.method == "truth"}
    assert len(videos) == 6
    assert all(one.frames == 12 for one in videos)
    assert not {one.sha256 for one in videos} & truths


def test_a_data_set_of_one_speaker_has_no_stranger(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data", ("one", "two"))
    text = (tmp_path / "data" / "manifest.csv").read_text()
    (tmp_path / "data" / "manifest.csv").write_text(text.replace("s1", "s0"))
    config = make_config(tmp_path, floors=4)
    code, output = bench("run", config, "-o", tmp_path / "run")
    assert code == 0, output
    labels = {one.label for one in read_manifest(tmp_path / "run").floors.methods}
    assert "_stranger" not in labels
    assert "_degraded-noise" in labels
    page = (tmp_path / "run" / "report" / "index.html").read_text(encoding="utf-8")
    assert "No clip names another speaker" in page


@pytest.mark.slow
def test_several_processes_give_the_same_records(done: Path, tmp_path: Path) -> None:
    code, _ = bench("run", done.parent / "small.yaml", "-o", tmp_path / "run", "--workers", 2)
    assert code == 0
    assert records(tmp_path / "run", MEASUREMENTS) == records(done, MEASUREMENTS)


@pytest.mark.slow
def test_what_fails_of_them_is_told(tmp_path: Path) -> None:
    kinds = {"kinds": ["reconstruct"]}
    config = prepare(tmp_path, metrics=[{"name": "psnr"}], tables=[], cases=kinds, floors=1)
    code, _ = bench("run", config, "-o", tmp_path / "run")
    assert code == 0
    kept, key = [], ""
    for line in (tmp_path / "run" / GENERATIONS).read_text().splitlines():
        record = json.loads(line)
        if record["method"] == "_stranger" and not key:
            key = record["key"]
            record.update(status="failed", reason="the stranger ran away", sha256="", frames=None)
        kept.append(json.dumps(record))
    (tmp_path / "run" / GENERATIONS).write_text("\n".join(kept) + "\n")
    code, output = bench("run", config, "-o", tmp_path / "run")
    assert code == 1
    assert "(_stranger): the stranger ran away" in " ".join(output.split())


# ---- what the report makes of them ---------------------------------------------------------------


def test_the_floor_is_how_far_the_truth_moves(done: Path) -> None:
    found = worths(done)["likeness"]
    assert found.floor is not None
    moves = dict(found.floor.moves)
    assert set(moves) == {"jpeg", "noise", "encoding"}
    run = read_run(done)
    (metric,) = (one for one in run.manifest.metrics if one.name == "likeness")
    methods = {one.options.get("how"): one for one in run.manifest.floors.methods}
    values = [
        run.measured(metric, case, video).values["likeness"]
        for case in run.manifest.floors.cases
        if (video := run.generations.get((methods["noise"].key, case.key))) is not None
    ]
    assert len(values) == 6
    assert moves["noise"] == pytest.approx(sum(1 - value for value in values) / 6)
    assert found.floor.largest == max(moves.values())
    assert found.floor.mean == pytest.approx(sum(moves.values()) / 3)


def test_a_value_that_is_infinite_for_the_truth_has_a_level(done: Path) -> None:
    floor = worths(done)["psnr"].floor
    assert floor is not None
    assert floor.largest is None
    assert floor.level == min(value for _, value in floor.levels)
    level = dict(floor.levels)["noise"]
    assert 32.0 < level < 38.0  # noise of 5 grey levels has 34.2 dB; the codec takes some of it
    assert floor.hides(floor.level + 1, floor.level + 9)
    assert not floor.hides(floor.level - 1, floor.level + 9)


def test_a_set_metric_has_a_floor_and_a_chance_level(done: Path) -> None:
    found = worths(done)["crowd"]
    assert found.floor is not None
    assert found.floor.largest is not None
    assert 0.0 < found.floor.largest < 3.0
    assert found.chance is not None
    assert found.state == "set"


def test_a_metric_that_takes_everybody_for_the_same_person_is_struck_out(done: Path) -> None:
    found = worths(done)
    assert found["likeness"].state == "works"
    assert found["credulous"].state == "fails"
    assert found["credulous"].failing == ("stranger",)
    assert found["credulous"].chance == pytest.approx(found["likeness"].chance)
    page = (done / "report" / "index.html").read_text(encoding="utf-8")
    said = re.search(r'<p class="banner danger"[^>]*>(.*?)</p>', page)
    assert said is not None
    assert "credulous does not work on tiny: it takes other speakers for the same person" in said[1]
    columns = {
        one.output.name: one
        for one in read_judged([done]).results.columns(read_judged([done]).results.datasets[0])
    }
    assert columns["credulous"].is_void
    assert not columns["likeness"].is_void


def test_only_what_a_metric_claims_counts_against_it(done: Path) -> None:
    found = worths(done)
    assert found["motion"].claims == {"still"}
    assert found["motion"].state == "works"
    assert found["brightness"].state == "undirected"
    assert found["likeness"].claims == {"stranger"}
    assert found["psnr"].claims == {"still", "stranger"}
    assert "mismatched" in found["likeness"].controls  # measured, and not held against it


def test_tables_show_floor_and_chance_below_the_methods(done: Path) -> None:
    tables = done / "report" / "tables"
    rows = list(csv.reader((tables / "comparison.csv").open(encoding="utf-8")))
    assert [row[0] for row in rows[1:]] == [
        *("truth", "still", "dimmed"),
        *("Floor: smaller differences say nothing", "Chance level: another speaker"),
    ]
    numbers = list(csv.reader((tables / "comparison_numbers.csv").open(encoding="utf-8")))
    assert len(numbers) == 6
    for name in ("comparison.tex", "comparison.md"):
        assert "Chance level: another speaker" in (tables / name).read_text(encoding="utf-8")
    page = (done / "report" / "index.html").read_text(encoding="utf-8")
    assert "<tfoot>" in page
    assert 'id="worth"' in page


def test_the_summary_has_floors_chance_and_validity(done: Path) -> None:
    path = done / "report" / "tables" / "summary.csv"
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    found = {(row["table"], row["method"], row["output"]): row["mean"] for row in rows}
    likeness = worths(done)["likeness"]
    assert likeness.floor is not None
    assert float(found["floor", "largest", "likeness"]) == likeness.floor.largest
    assert float(found["chance", "stranger", "likeness"]) == likeness.chance
    assert found["validity", "works", "likeness"] == "1.0"
    assert found["validity", "works", "credulous"] == "0.0"
    assert ("floor", "level", "psnr") in found


@pytest.mark.slow
def test_the_same_records_give_the_same_report(done: Path, tmp_path: Path) -> None:
    pages = [reports.build([done], tmp_path / name).read_bytes() for name in ("a", "b")]
    assert pages[0] == pages[1]
    tables = [sorted((tmp_path / name / "tables").iterdir()) for name in ("a", "b")]
    assert [one.read_bytes() for one in tables[0]] == [one.read_bytes() for one in tables[1]]
    zh = reports.build([done], tmp_path / "zh", lang="zh").read_text(encoding="utf-8")
    assert "credulous 在 tiny 上无效：它把另一位说话人视为同一人" in zh


def test_a_run_without_them_has_no_such_section(tmp_path: Path) -> None:
    config = prepare(tmp_path, floors=0, cases={"kinds": ["reconstruct"]})
    code, output = bench("run", config, "-o", tmp_path / "run")
    assert code == 0, output
    page = (tmp_path / "run" / "report" / "index.html").read_text(encoding="utf-8")
    assert 'id="worth"' not in page
    assert "<tfoot>" not in page
    assert worths(tmp_path / "run") == {}
