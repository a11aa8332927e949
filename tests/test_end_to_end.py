"""The smoke benchmark on the embedded corpus: metrics measure, and the shipped method speaks."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.conftest import ROOT, with_corpora
from tests.test_run import bench

SUMMARY = "table,dataset,method,output,protocol,mean,ci_low,ci_high,n_scored,n_planned,p_value"


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory, corpora: Path) -> Path:
    """The run folder of configs/smoke.yaml with three clips and without floors."""
    folder = tmp_path_factory.mktemp("smoke")
    config = folder / "smoke.yaml"
    text = (ROOT / "configs" / "smoke.yaml").read_text(encoding="utf-8")
    assert "limit: 4" in text
    text = text.replace("limit: 4", "limit: 3")
    config.write_text(f"{text}floors: 0\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_CACHE", str(with_corpora(folder / "cache", corpora)))
        code, output = bench("run", config, "-o", folder / "run")
    assert code == 0, output
    return folder / "run"


def table(run: Path, name: str = "comparison") -> dict[tuple[str, str], dict[str, str]]:
    """A table of summary.csv (the usual protocol's), by method and output."""
    path = run / "report" / "tables" / "summary.csv"
    with path.open(encoding="utf-8") as file:
        return {
            (row["method"], row["output"]): row
            for row in csv.DictReader(file)
            if row["table"] == name
        }


def mean(run: Path, method: str, output: str) -> float:
    return float(table(run)[method, output]["mean"])


def test_the_summary_is_tidy(smoke: Path) -> None:
    path = smoke / "report" / "tables" / "summary.csv"
    assert path.read_text(encoding="utf-8").splitlines()[0] == SUMMARY
    for row in table(smoke).values():
        assert row["n_scored"] in ("0", "3")
        assert row["n_planned"] == "3"


def test_truth_is_more_in_step_than_wrong_speech_and_a_still_face(smoke: Path) -> None:
    for control in ("mismatched", "still"):
        assert mean(smoke, "truth", "lse_c") > mean(smoke, control, "lse_c")
        assert mean(smoke, "truth", "lse_d") < mean(smoke, control, "lse_d")


def test_a_constant_shift_moves_the_offset_and_spares_the_scores(smoke: Path) -> None:
    offsets = {
        method: [
            record["values"]["offset"]
            for record in measurements(smoke, "lse")
            if record["video_sha256"] in videos(smoke, method)
        ]
        for method in ("truth", "shifted")
    }
    for truth, shifted in zip(offsets["truth"], offsets["shifted"], strict=True):
        assert shifted == pytest.approx(truth - 5, abs=1)
    assert mean(smoke, "shifted", "lse_d") == pytest.approx(mean(smoke, "truth", "lse_d"), rel=0.1)


def test_the_shipped_method_follows_the_speech_where_copying_cannot_help(smoke: Path) -> None:
    for control in ("mismatched", "still"):
        assert mean(smoke, "m_csawav2lip", "lse_c") > mean(smoke, control, "lse_c")
        assert mean(smoke, "m_csawav2lip", "lse_d") < mean(smoke, control, "lse_d")
    cross = table(smoke, "comparison/cross")
    assert float(cross["m_csawav2lip", "lse_c"]["mean"]) > mean(smoke, "mismatched", "lse_c")
    for output in ("ssim", "psnr"):
        gain = table(smoke, "comparison/speech_gain")["m_csawav2lip", output]
        assert float(gain["ci_low"]) > 0.0


def test_truth_against_itself_is_perfect_or_undefined(smoke: Path) -> None:
    assert mean(smoke, "truth", "ssim") == 1.0
    assert table(smoke)["truth", "psnr"]["mean"] == ""
    reasons = {r["reason"] for r in measurements(smoke, "psnr") if r["status"] == "undefined"}
    assert reasons == {"frames are identical to the reference: PSNR is infinite"}


def test_the_report_stands_on_its_own(smoke: Path) -> None:
    page = (smoke / "report" / "index.html").read_text(encoding="utf-8")
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert 'src="https://' not in page
    assert len(list((smoke / "report" / "cases").glob("*.html"))) == 8


def videos(run: Path, method: str) -> set[str]:
    """The digests of a method's videos of the usual protocol."""
    lines = (run / "generations.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    return {r["sha256"] for r in found if r["method"] == method and r["kind"] == "reconstruct"}


def measurements(run: Path, metric: str) -> list[dict[str, object]]:
    """All records of a metric."""
    lines = (run / "measurements.jsonl").read_text(encoding="utf-8").splitlines()
    return [r for r in map(json.loads, lines) if r["metric"] == metric]
