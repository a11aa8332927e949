"""Commands that teach: what they refuse before any work, and what they say to do next."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from bench.command import terminal
from bench.contract.registry import load_registry
from bench.files import weights
from bench.records.schema import GENERATIONS
from bench.run.config import load_config
from bench.run.plan import make_plan
from tests.small_data import make_clip, make_config, make_manifest
from tests.small_records import read_records
from tests.test_run import bench


def test_a_plan_lists_its_cases_with_the_files_of_face_and_speech(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data")
    config, listed = make_config(tmp_path), tmp_path / "cases.csv"
    code, output = bench("plan", config, "--cases", listed)
    assert code == 0, output
    with listed.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    cases = [planned.case for planned in make_plan(load_config(config)).cases]
    assert [row["case"] for row in rows] == [case.id for case in cases]
    assert {row["kind"] for row in rows} == {"reconstruct", "cross", "probe"}
    for row, case in zip(rows, cases, strict=True):
        assert row["dataset"] == "tiny"
        assert row["face"] == str(tmp_path / "data" / f"{case.face.id}.mp4")
        assert row["speech"] == str(tmp_path / "data" / f"{case.speech.id}.mp4")
    code, output = bench("plan", config, "--cases", tmp_path / "data" / "manifest.csv")
    assert code == 2
    assert "manifest.csv: already exists" in output


def listed_cases(config: Path, to: Path) -> list[dict[str, str]]:
    code, output = bench("plan", config, "--cases", to)
    assert code == 0, output
    with to.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_listed_cases_say_which_file_to_make_and_how_long(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data", ("short", "gone"))
    make_clip(tmp_path / "data" / "short.mp4", 0, frames=7)
    make_clip(tmp_path / "data" / "long.mp4", 3, frames=19)
    with (tmp_path / "data" / "manifest.csv").open("a", encoding="utf-8") as file:
        file.write('long,long.mp4,,s9,,test,"sentence 9",4 4 24 24,\n')
    config = make_config(tmp_path)
    rows = {row["case"]: row for row in listed_cases(config, tmp_path / "cases.csv")}
    bench("run", config, "-o", tmp_path / "run")
    made = {
        str(record["case"]): record["frames"]
        for record in read_records(tmp_path / "run" / GENERATIONS)
        if record["method"] == "still"
    }
    assert {case: int(row["frames"]) for case, row in rows.items()} == made
    assert len(set(made.values())) == 3
    assert all(float(row["seconds"]) == int(row["frames"]) / 25 for row in rows.values())
    assert all(row["file"] == f"{case}.mp4" for case, row in rows.items())


def test_a_case_that_cannot_be_used_has_no_length(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data", ("one", "two", "bad"))
    (tmp_path / "data" / "bad.mp4").write_bytes(b"no video")
    rows = {row["case"]: row for row in listed_cases(make_config(tmp_path), tmp_path / "c.csv")}
    assert rows["bad"]["frames"] == rows["bad"]["seconds"] == ""
    assert rows["one"]["frames"] == "12"


def recorded(label: str, pattern: str) -> dict[str, object]:
    options = {"folder": f"made {label}", "pattern": pattern}
    return {"name": "recorded", "label": label, "options": options}


def test_the_listed_cases_name_the_files_that_the_config_asks_for(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data")
    only = {"cases": {"kinds": ["reconstruct"]}, "tables": []}
    methods = [{"name": "truth"}, recorded("a", "{dataset}/{case}.avi")]
    config = make_config(tmp_path, methods=methods, **only)
    row = listed_cases(config, tmp_path / "one.csv")[0]
    assert row["file"] == str(tmp_path / "made a" / "tiny" / f"{row['case']}.avi")
    config = make_config(tmp_path, methods=[*methods, recorded("b", "{case}.mp4")], **only)
    row = listed_cases(config, tmp_path / "two.csv")[0]
    assert row["file of a"] == str(tmp_path / "made a" / "tiny" / f"{row['case']}.avi")
    assert row["file of b"] == str(tmp_path / "made b" / f"{row['case']}.mp4")


@pytest.mark.parametrize("several", [False, True])
def test_a_plan_says_which_finished_videos_are_there(tmp_path: Path, several: bool) -> None:
    make_manifest(tmp_path / "data", ("one", "two", "three"))
    config = make_config(
        tmp_path,
        methods=[recorded("a", "{case}.mp4")],
        cases={"kinds": ["reconstruct"]},
        tables=[],
    )
    _, output = bench("plan", config)
    assert f"a: options.folder is {tmp_path / 'made a'}, which is not a folder" in output
    names = ["one.mp4", "Two.mp4", "three.avi", ".DS_Store"]
    names += [f"spare {number}.mp4" for number in range(30)] if several else []
    for name in names:
        (tmp_path / "made a").mkdir(exist_ok=True)
        (tmp_path / "made a" / name).write_bytes(b"")
    _, output = bench("plan", config)
    lines = [line.strip() for line in output.splitlines() if line.strip().startswith("a: ")]
    assert lines[:3] == [
        f"a: 1 of 3 videos are in {tmp_path / 'made a'}",
        "a: missing: two.mp4; did you mean Two.mp4?",
        "a: missing: three.mp4; did you mean three.avi?",
    ]
    if several:
        assert lines[3].startswith("a: no case names 32 files: Two.mp4, spare 0.mp4")
        assert lines[3].endswith("and 22 more")
    else:
        assert lines[3] == "a: no case names 2 files: Two.mp4, three.avi"
    assert ".DS_Store" not in output


def test_a_plan_says_which_programs_a_run_starts(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data")
    options = {"argv": ["no-such-program", "{face}", "a b", "{output}"]}
    command = {"name": "command", "label": "mine", "options": options}
    config = make_config(tmp_path, methods=[command], cases={"kinds": ["reconstruct"]}, tables=[])
    _, output = bench("plan", config)
    assert "mine: starts, 3 times: no-such-program '{face}' 'a b' '{output}'" in output
    assert "mine: options.argv begins with no-such-program, which is not on the PATH" in output
    assert "runs the code of: " in output
    assert "brightness.py" in output


def test_what_is_piped_is_not_cut(tmp_path: Path) -> None:
    names = tuple(f"{'a very long name of a clip ' * 3}{number}".strip() for number in range(3))
    make_manifest(tmp_path / "data", names)
    (tmp_path / "data" / f"{names[1]}.mp4").write_bytes(b"no video")
    _, output = bench("doctor", tmp_path / "data" / "manifest.csv", "--workers", 1)
    assert names[1] in output
    config = make_config(tmp_path, cases={"kinds": ["reconstruct"]})
    _, output = bench("run", config, "-o", tmp_path / "run")
    assert f"failed truth · {names[1]}: " in output
    assert any(f"Cases: {names[1]}" in line for line in output.splitlines())


def test_plugins_are_listed_in_a_line_and_one_of_them_in_full(tmp_path: Path) -> None:
    _, output = bench("list")
    lines = output.splitlines()
    (line,) = [line for line in lines if line.split()[:1] == ["psnr"]]
    assert "PSNR = 10 log10(255^2 / MSE) per frame" in line
    (line,) = [line for line in lines if line.split()[:1] == ["fvd"]]
    assert line.rstrip().endswith("option weights of i3d")
    _, output = bench("list", "psnr", "recorded")
    for said in (
        "output: psnr (dB), higher is better, from 0",
        "region: Literal['face', 'frame', 'mouth']; default 'face'",
        "needs: a folder with one finished video per case",
        "folder: Path; required",
        "If all frames are identical, there is no value.",
    ):
        assert said in output
    code, output = bench("list", "psnrr")
    assert code == 2
    assert "there is no plugin 'psnrr'. Did you mean 'psnr'?" in output


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ("gpu", "--device gpu: expected cpu, cuda, cuda:NUMBER or auto."),
        ("cuda:99", "--device cuda:99: PyTorch finds"),
    ],
)
def test_a_device_that_is_not_here_is_told_before_any_work(
    tmp_path: Path, device: str, said: str
) -> None:
    make_manifest(tmp_path / "data")
    code, output = bench("run", make_config(tmp_path), "-o", tmp_path / "r", "--device", device)
    assert code == 2
    assert said in output
    assert not (tmp_path / "r" / "generations.jsonl").exists()


def test_a_run_needs_a_worker(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data")
    code, output = bench("run", make_config(tmp_path), "--workers", 0)
    assert code == 2
    assert "--workers" in output


def test_the_list_names_the_uses_of_weights_that_are_the_plugins_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    monkeypatch.delenv("BENCH_WEIGHTS", raising=False)
    registry, rows = load_registry(), {}
    for name in ("lse", "wav2lip", "command"):
        terminal.show_plugin(registry, name)
        rows[name] = capsys.readouterr().out
    assert "weights syncnet_v2 (missing), only for metric lse with scorer" in rows["lse"]
    assert "weights wav2lip (missing), only for method wav2lip with weights" in rows["wav2lip"]
    assert "run by method command" not in rows["wav2lip"]
    assert "weights wav2lip (missing), only for Wav2Lip's own program" in rows["command"]
    assert "method wav2lip with" not in rows["command"]


def test_missing_weights_are_shown_with_the_way_to_get_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    monkeypatch.delenv("BENCH_WEIGHTS", raising=False)
    terminal.show_weights(weights.listing())
    text = " ".join(capsys.readouterr().out.split())
    assert f"yunet: bench weights pull yunet, or put it at {tmp_path}" in text
    assert f"wav2lip_gan: by hand: put it at {tmp_path}" in text


def test_an_empty_column_of_splits_is_said_to_be_empty(tmp_path: Path) -> None:
    manifest = make_manifest(tmp_path / "data")
    manifest.write_text(manifest.read_text(encoding="utf-8").replace(",test,", ",,"), "utf-8")
    code, output = bench("doctor", manifest, "--split", "train")
    assert code == 2
    told = " ".join(output.split())
    assert "no clip has the split 'train'. Its column `split` is empty: fill it." in told
