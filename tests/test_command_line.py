"""Commands that teach: what they refuse before any work, and what they say to do next."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from bench import terminal, weights
from bench.config import load_config
from bench.plan import make_plan
from bench.registry import load_registry
from tests.small_data import make_config, make_manifest
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
    assert "manifest.csv: is there already" in output


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
    monkeypatch.setenv("COLUMNS", "1000")
    terminal.show_plugins(load_registry())
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.split()}
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
