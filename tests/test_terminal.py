"""What the command line says at the end of a run and of a check, and what it does not hide."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench import media
from bench.command import terminal
from bench.files import weights
from bench.run.runner import Faceless, Summary
from tests.fixtures_run import FakeRun, build_run
from tests.small_data import PLUGIN, make_config, make_manifest
from tests.test_run import bench


def shown(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed, on one line."""
    return " ".join(capsys.readouterr().out.split())


def summary(*faceless: Faceless) -> Summary:
    return Summary(20, 6, 0, 0, 1.0, 0.0, faceless)


def show(found: Summary) -> None:
    terminal.show_summary(found, {}, {}, [], {}, [], Path("index.html"), Path(), worked=True)


def test_videos_without_a_face_are_a_warning_and_not_undefined_by_definition(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show(summary(Faceless("cartoon", "lse", 4, 4)))
    text = shown(capsys)
    assert "cartoon: no face is found in any frame of 4 of 4 videos" in text
    assert "have no lse" in text
    assert "20 ok, 2 undefined by definition, 4 without a face, 0 failed" in text


def test_metrics_that_miss_the_same_faces_are_told_in_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show(summary(Faceless("cartoon", "lse", 1, 4), Faceless("cartoon", "psnr", 1, 4)))
    text = shown(capsys)
    assert text.count("no face is found") == 1
    assert "1 of 4 videos, which therefore have no lse and no psnr" in text


def test_a_run_tells_videos_without_faces_from_values_undefined_by_definition(
    tmp_path: Path,
) -> None:
    make_manifest(tmp_path / "data")
    config = make_config(
        tmp_path,
        faces="haar",
        metrics=[{"name": "psnr", "options": {"region": "mouth"}}],
        cases={"kinds": ["reconstruct"]},
        tables=[{"name": "comparison", "columns": ["psnr.psnr"]}],
    )
    for _ in range(2):  # a second run reads it from the records
        code, output = bench("run", config, "-o", tmp_path / "run")
        text = " ".join(output.split())
        assert code == 0
        assert "still: no face is found in any frame of 3 of 3 videos" in text
        assert "9 ok, 0 undefined by definition, 9 without a face, 0 failed" in text
        assert re.search(r"still no face\S* 0/3 0", text), text


def test_the_table_says_over_which_cases_its_means_are(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data", ("good", "bad", "fine"))
    changes = {"metrics": [{"name": "brightness"}], "cases": {"kinds": ["reconstruct"]}}
    tables = [{"name": "comparison", "columns": ["brightness.brightness"]}]
    config = make_config(tmp_path, tables=tables, **changes)
    code, output = bench("run", config, "-o", tmp_path / "run")  # dimmed fails on `bad`
    text = " ".join(output.split())
    assert code == 1
    assert "means over the 2 of 3 cases that all methods have" in text
    assert text.count("1 left out") == 1
    assert "missing values: dimmed 1" in text
    assert re.search(r"dimmed [\d.]+ 2/3 1", text), text
    rest = make_config(tmp_path, tables=tables, methods=[{"name": "truth"}], **changes)
    _, output = bench("run", rest, "-o", tmp_path / "rest")
    assert "means over all 3 cases" in " ".join(output.split())


def test_a_finished_run_says_that_there_is_nothing_to_do(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data")
    config = make_config(tmp_path)
    _, first = bench("run", config, "-o", tmp_path / "run")
    assert "nothing to do" not in first
    _, again = bench("run", config, "-o", tmp_path / "run")
    planned = re.findall(r"of (\d+) missing", " ".join(again.split()))
    assert f"nothing to do: all {sum(map(int, planned))} cells are cached" in again
    assert "done" not in again


def test_what_conforming_changed_in_a_methods_videos_is_told(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data")
    made = tmp_path / "made"
    for name in ("one", "two", "three"):
        media.write_video(made / f"{name}.mp4", np.full((12, 32, 64, 3), 90, np.uint8))
    recorded = {"name": "recorded", "options": {"folder": "made"}}
    changes = {"cases": {"kinds": ["reconstruct"]}, "tables": []}
    config = make_config(tmp_path, methods=[recorded], **changes)
    code, output = bench("run", config, "-o", tmp_path / "refused")
    assert code == 1
    wanted = "64x32; its aspect ratio is not that of the face clip, 32x32"
    assert wanted in " ".join(output.split())
    recorded["options"]["fit"] = "pad"
    config = make_config(tmp_path, methods=[recorded], **changes)
    code, output = bench("run", config, "-o", tmp_path / "run")
    assert code == 0
    told = "recorded: 3 videos have a note: size 64x32 -> 32x32, with black bars"
    assert told in " ".join(output.split())


def test_the_whole_digest_of_weights_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show_weights(weights.listing())
    text = shown(capsys)
    for weight in weights.table().values():
        assert f"SHA-256: {weight.sha256}" in text


def test_a_manifest_is_replaced_only_on_demand(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data")
    target = tmp_path / "mine.csv"
    asked = ("data", "import", "folder", tmp_path / "data", "-o", target)
    assert bench(*asked)[0] == 0
    target.write_text("put right by hand")
    code, output = bench(*asked)
    assert code == 2
    assert "exists already" in output
    assert "--force" in output
    assert target.read_text() == "put right by hand"
    assert bench(*asked, "--force")[0] == 0
    assert "one.mp4" in target.read_text()


def test_the_scorer_check_says_which_clips_got_no_value(tmp_path: Path) -> None:
    manifest = make_manifest(tmp_path / "data", ("one", "two", "three", "four"))
    broken = manifest.parent / "two.mp4"
    broken.write_text("this is no video")
    code, output = bench("doctor", manifest, "--scorer", "--workers", 1)
    text = " ".join(output.split())
    assert code == 1
    assert "tested on 4 of 4 clips" in text
    unwrapped = "".join(output.split())  # a path may wrap anywhere
    assert re.search(r"truthwithoutavalue:1\(two\):.*two\.mp4", unwrapped), text
    assert "truth without a value: 3 (one, three, four): no face found in any of the" in text
    assert "could not be judged" in text


def test_the_second_judge_can_be_asked_for_the_same(tmp_path: Path) -> None:
    manifest = make_manifest(tmp_path / "data", ("one", "two"))
    code, output = bench("doctor", manifest, "--scorer", "lip_motion", "--workers", 1)
    text = " ".join(output.split())
    assert code == 1
    assert "sync judge lip_motion[" in text
    assert "truth above mismatched in motion C: not measured" in text
    assert "truth without a value: 2 (one, two): " in text


def test_overhead_is_told_only_where_it_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    show(summary())
    assert "1.0 s, 0.0% outside decoding" in shown(capsys)
    show(replace(summary(), overhead=None))
    assert "outside" not in shown(capsys)


def test_weights_that_a_plugin_asks_for_are_listed_with_whether_they_are_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BENCH_WEIGHTS", raising=False)
    plugin = tmp_path / "brightness.py"
    text = PLUGIN.read_text(encoding="utf-8").replace(
        "    def measure(", '    weights = ("yunet",)\n\n    def measure(', 1
    )
    plugin.write_text(text, encoding="utf-8")
    _, output = bench("list", "--plugin", plugin)
    (line,) = [line for line in output.splitlines() if line.strip().startswith("brightness")]
    assert "weights yunet (missing)" in line


def test_several_runs_make_one_report_beside_the_first(tmp_path: Path) -> None:
    first = build_run(tmp_path / "runs" / "clr", FakeRun())
    second = build_run(tmp_path / "runs" / "lrs2", FakeRun(name="lrs2", dataset="LRS2", seed=3))
    code, output = bench("report", first, second)
    assert code == 0, output
    made = tmp_path / "runs" / "clr+lrs2" / "index.html"
    assert "".join(output.split()) == str(made)
    assert "LRS2" in made.read_text(encoding="utf-8")
