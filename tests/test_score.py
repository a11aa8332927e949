"""`bench score` and `bench.measure`: one video, measured as a run measures it, to the last bit."""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

import bench as harness
from bench import media
from bench.ground.errors import BenchError
from bench.records.run_folder import read_run
from bench.run.asked_metrics import asked, plan_asked
from tests.conftest import ROOT, shared_clips, with_corpora
from tests.small_data import PLUGIN, make_clip
from tests.small_media import copy_coded, tone
from tests.test_run import bench

METRICS = ("lse", "psnr", "psnr:region=mouth", "ssim", "sharpness")
FRAME = "psnr:region=frame"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, corpora: Path) -> Path:
    """A run of controls, and of finished files in a form of their own, on two synthetic clips."""
    folder = tmp_path_factory.mktemp("run")
    config = {
        "name": "known",
        "floors": 0,
        "data": [{"name": "synth", "corpus": "synth-en", "limit": 2}],
        "cases": {"kinds": ["reconstruct"]},
        "methods": [{"name": name} for name in ("truth", "still", "mismatched", "shifted")],
        "metrics": [
            {"name": "lse"},
            {"name": "psnr"},
            {"name": "psnr", "label": "psnr mouth", "options": {"region": "mouth"}},
            {"name": "ssim"},
            {"name": "sharpness"},
        ],
    }
    path = folder / "known.yaml"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_CACHE", str(with_corpora(folder / "cache", corpora)))
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        assert bench("run", path, "-o", folder / "run")[0] == 0
        raw = folder / "raw"
        raw.mkdir()
        for made in (folder / "run/videos/synth/still").iterdir():  # another codec, rate and sound
            frames, sound = media.read_frames(made), media.read_sound(made)
            media.write_video(raw / made.name, frames[:-2], sound=sound[:-640], crf=30)
        config["methods"].append({"name": "recorded", "options": {"folder": str(raw)}})
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        assert bench("run", path, "-o", folder / "run")[0] == 0
    return folder


def expected(folder: Path, method: str) -> dict[str, dict[str, object]]:
    """By case and what `bench score` calls the metric, the run's records."""
    known = read_run(folder / "run")
    (part,) = [one for one in known.manifest.methods if one.label == method]
    found: dict[str, dict[str, object]] = {}
    for case in known.manifest.cases:
        made = known.generations[part.key, case.key]
        for metric in known.manifest.metrics:
            record = known.measured(metric, case, made)
            label = "psnr:region=mouth" if metric.label == "psnr mouth" else metric.label
            found.setdefault(case.id, {})[label] = (
                record.status,
                record.reason,
                record.protocol,
                dict(record.values),
                {name: list(curve) for name, curve in record.curves.items()},
            )
    return found


def references(folder: Path) -> dict[str, Path]:
    """The clips of the run, by id."""
    return {path.stem: path for path in (folder / "cache").rglob("corpora/**/*.mp4")}


@pytest.mark.parametrize(
    ("method", "cached"),
    [("truth", True), ("still", True), ("still", False), ("mismatched", True), ("shifted", True)],
)
def test_values_are_those_of_a_run_to_the_last_bit(
    run: Path, method: str, cached: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if cached:
        monkeypatch.setenv("BENCH_CACHE", str(run / "cache"))
    for case, records in expected(run, method).items():
        made = run / "run/videos/synth" / method / f"{case}.mp4"
        found = harness.measure(made, references(run)[case], METRICS)
        got = {
            label: (one["status"], one["reason"], one["protocol"], one["values"], one["curves"])
            for label, one in found.items()
        }
        assert got == records


def test_finished_files_are_measured_as_recorded_measures_them(run: Path) -> None:
    for case, records in expected(run, "recorded").items():
        found = harness.measure(
            run / "raw" / f"{case}.mp4", references(run)[case], METRICS, sound="reference"
        )
        assert {label: one["values"] for label, one in found.items()} == {
            label: record[3] for label, record in records.items()
        }
        assert "last frame repeated 2 times" in found["psnr"]["notes"]


def test_a_folder_gives_the_same_and_lists_what_has_no_partner(run: Path, tmp_path: Path) -> None:
    real = tmp_path / "real"
    for case, path in references(run).items():
        if case in expected(run, "still"):
            (real / f"{case}.mp4").parent.mkdir(exist_ok=True)
            (real / f"{case}.mp4").symlink_to(path)
    make_clip(real / "alone.mp4", 1)
    out = tmp_path / "values.csv"
    code, output = bench(
        *("score", "--made", run / "run/videos/synth/still", "--reference", real),
        *("--metrics", ",".join(METRICS), "-o", out),
    )
    assert code == 0, output
    assert "alone.mp4: no file of this name" in output
    with out.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    records = expected(run, "still")
    assert {row["name"] for row in rows} == set(records)
    for row in rows:
        values = records[row["name"]][row["metric"]][3]
        assert float(row["value"]) == values[row["output"]]
        assert row["protocol"] == records[row["name"]][row["metric"]][2]
    parts = output.partition("mean")[0]
    assert all(case in parts for case in records)


def test_json_holds_everything_and_nothing_else_goes_to_stdout(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from bench.command.cli import main

    video = make_clip(tmp_path / "a.mp4", 1)
    arguments = ["score", str(video), "--reference", str(video), "--metrics", FRAME, "--json"]
    result = CliRunner().invoke(main, arguments)
    found = json.loads(result.stdout)
    (one,) = found["videos"]
    assert one["metrics"][FRAME]["status"] == "undefined"
    assert "identical" in one["metrics"][FRAME]["reason"]
    assert result.exit_code == 0


def test_without_a_reference_full_reference_metrics_are_left_out_and_named(tmp_path: Path) -> None:
    video = make_clip(tmp_path / "a.mp4", 1)
    code, output = bench("score", video, "--plugin", PLUGIN)
    assert code == 0, output
    assert re.search(r"psnr.*not measured: compares with a reference", output)
    assert "brightness" in output
    code, output = bench("score", video, "--metrics", "psnr")
    assert code == 2
    assert "--reference" in output
    found = harness.measure(video, metrics=["psnr"])
    assert found["psnr"]["status"] == "missing"
    assert found["psnr"]["values"] == {}


def test_what_no_finished_video_can_have_is_left_out_unless_it_is_named(tmp_path: Path) -> None:
    video = make_clip(tmp_path / "a.mp4", 1)
    code, output = bench("score", video, "--reference", video)
    assert code == 0, output
    assert "aue: not measured: has values only with --features landmarks:model=mesh" in output
    assert re.search(r"^reader: not measured: compares with the text", output, flags=re.MULTILINE)
    assert "failed" not in output


def test_options_of_features_decide_which_weights_are_missing(tmp_path: Path) -> None:
    wanted = plan_asked(None, tmp_path)
    assert "landmarks:model=mesh" in wanted.left_out["aue"]
    other = plan_asked(None, tmp_path, features=asked(["landmarks:model=mesh"]))
    measured = {metric.label for metric in other.metrics}
    if "aue" not in measured:
        assert "face_mesh" in other.left_out["aue"]
        assert "face_mesh" in other.left_out["lmd"]


def test_a_metric_of_sets_takes_all_videos(tmp_path: Path) -> None:
    for seed, name in enumerate("abc"):
        make_clip(tmp_path / f"{name}.mp4", seed)
    code, output = bench(
        *("score", "--made", tmp_path, "--metrics", "mean_brightness,brightness"),
        *("--plugin", PLUGIN, "--json"),
    )
    assert code == 0, output
    found = json.loads(output[output.index("{") :])
    single = [one["metrics"]["brightness"]["values"]["brightness"] for one in found["videos"]]
    whole = found["sets"]["mean_brightness"]["values"]["mean_brightness"]
    assert whole == pytest.approx(np.mean(single))


def test_failures_have_reasons_and_exit_code_1(tmp_path: Path) -> None:
    good, bad = make_clip(tmp_path / "good.mp4", 1), tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    short = make_clip(tmp_path / "short.mp4", 1, frames=3)
    code, output = bench("score", good, bad, "--metrics", "brightness", "--plugin", PLUGIN)
    assert code == 1
    assert "bad: failed: " in output
    code, output = bench("score", short, "--reference", good, "--metrics", FRAME)
    assert code == 1
    assert "has 3 frames" in output
    with pytest.raises(BenchError, match="has 3 frames"):
        harness.measure(short, good, [FRAME])
    wide = tmp_path / "wide.mp4"
    media.write_video(wide, np.full((12, 32, 64, 3), 128, np.uint8))
    with pytest.raises(BenchError, match="aspect ratio"):
        harness.measure(wide, good, [FRAME])
    padded = harness.measure(wide, good, [FRAME], fit="pad")[FRAME]
    assert "size 64x32 -> 32x32, with black bars" in padded["notes"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a.mp4", "--metrics", "psnrr"], "Did you mean 'psnr'"),
        (["a.mp4", "--metrics", "psnr:region=nose"], "region"),
        (["a.mp4", "--metrics", "psnr:mouth"], "option=value"),
        (["a.mp4", "--metrics", "lse,lse"], "twice"),
        (["a.mp4", "--metrics", "lse:scorer=syncnet_v2"], "syncnet_v2"),
        (["a.mp4", "--features", "psnr"], "is no feature"),
        (["a.mp4", "--reference", "b.mp4", "--metrics", "aue"], "--features landmarks:model=mesh"),
        (["a.mp4", "--metrics", "reader"], "the text of the speech"),
        (["a.mp4", "--reference", "b.mp4", "--metrics", "fvd"], "--features i3d:weights=..."),
        (["a.mp4", "-o", "values.xlsx"], ".parquet"),
        ([], "--made DIR"),
        (["a.mp4", "b.mp4", "--reference", "a.mp4"], "--made DIR --reference DIR"),
        (["--made", "empty"], "no videos"),
        (["--made", "empty", "--reference", "a.mp4"], "name a folder"),
    ],
)
def test_nothing_is_measured_where_the_question_is_wrong(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENCH_WEIGHTS", raising=False)
    make_clip(tmp_path / "a.mp4", 1)
    make_clip(tmp_path / "b.mp4", 2)
    (tmp_path / "empty").mkdir()
    code, output = bench("score", *arguments)
    assert code == 2
    assert said in output


def test_parquet_needs_its_extra_or_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video, out = make_clip(tmp_path / "a.mp4", 1), tmp_path / "values.parquet"
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    arguments = ("score", video, "--metrics", "brightness", "--plugin", PLUGIN, "-o", out)
    code, output = bench(*arguments)
    assert code == 2
    assert "talking-face-bench[parquet]" in output
    assert not out.exists()
    monkeypatch.undo()
    pytest.importorskip("pyarrow")
    import pandas as pd

    assert bench(*arguments)[0] == 0
    assert list(pd.read_parquet(out)["output"]) == ["brightness"]


def test_options_are_read_as_yaml() -> None:
    (one,) = asked(["lse:scorer=syncnet_v2:batch=8"])
    assert (one.name, one.options) == ("lse", {"scorer": "syncnet_v2", "batch": 8})


# ---- sound ----------------------------------------------------------------------------------


def test_a_video_keeps_its_own_sound_unless_told_otherwise(tmp_path: Path) -> None:
    real = make_clip(tmp_path / "real.mp4", 1)
    frames = media.read_frames(real)
    made = tmp_path / "made.mp4"
    media.write_video(made, frames, sound=tone(12 / 25, frequency=900.0))
    plugin = tmp_path / "loudness.py"
    plugin.write_text(LOUDNESS, encoding="utf-8")

    def heard(**options: object) -> float:
        found = harness.measure(made, real, ["crossings"], plugins=[plugin], **options)
        return found["crossings"]["values"]["crossings"]

    theirs = harness.measure(real, metrics=["crossings"], plugins=[plugin])
    assert heard() > 1.5 * heard(sound="reference")
    assert heard(sound="reference") == theirs["crossings"]["values"]["crossings"]
    notes = harness.measure(made, real, ["crossings"], plugins=[plugin])["crossings"]["notes"]
    assert any(note.startswith("own sound kept, which differs") for note in notes)
    silent = tmp_path / "silent.mp4"
    media.write_video(silent, frames)
    assert harness.measure(silent, metrics=["crossings"], plugins=[plugin])["crossings"] == {
        "status": "undefined",
        "reason": "no sound",
        "protocol": "crossings",
        "values": {},
        "curves": {},
        "notes": ["no sound"],
    }
    found = harness.measure(silent, real, ["crossings"], plugins=[plugin])["crossings"]
    assert found["values"] == theirs["crossings"]["values"]
    assert found["notes"] == ["the video had no sound, the case's was added"]
    with pytest.raises(BenchError, match="sound"):
        harness.measure(made, real, ["crossings"], plugins=[plugin], sound="theirs")


LOUDNESS = '''
import numpy as np
import bench


class Crossings(bench.ClipMetric):
    """How often the sound crosses zero."""

    name, version, source = "crossings", "1", "defined here"
    reads = frozenset({"sound"})
    outputs = (bench.Output("crossings", unit="", better="none"),)

    def measure(self, sample):
        sound = sample.video.sound()
        if sound is None:
            raise bench.Undefined("no sound")
        return {"crossings": float((np.diff(np.sign(sound.astype(int))) != 0).sum())}


@bench.hookimpl
def register_metrics():
    return [Crossings]
'''

# ---- arrays ---------------------------------------------------------------------------------


def test_arrays_are_measured_as_they_are(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", 1)
    frames, sound = media.read_frames(path), media.read_sound(path)
    dark = (frames * 0.9).astype(np.uint8)
    found = harness.measure(dark, frames, [FRAME])
    error = np.square(frames.astype(float) - dark).mean(axis=(1, 2, 3))
    assert found[FRAME]["values"]["psnr"] == pytest.approx(
        float(np.mean(10 * np.log10(255**2 / error)))
    )
    assert harness.measure((frames, sound), path, [FRAME])[FRAME]["status"] == "undefined"
    assert harness.measure(path, (frames, sound), [FRAME])[FRAME]["status"] == "undefined"
    own = harness.measure((frames, sound[:-100]), metrics=["brightness"], plugins=[PLUGIN])
    assert (
        own["brightness"]["values"]
        == (harness.measure(path, metrics=["brightness"], plugins=[PLUGIN])["brightness"]["values"])
    )
    assert own["brightness"]["notes"] == ["the video: sound padded by 0.006 s"]


@pytest.mark.parametrize(
    "video",
    [
        np.zeros((0, 32, 32, 3), np.uint8),
        np.zeros((3, 32, 32), np.uint8),
        np.zeros((3, 32, 32, 3), np.float32),
        (np.zeros((3, 32, 32, 3), np.uint8), np.full(1920, np.nan, np.float32)),
        (np.zeros((3, 32, 32, 3), np.uint8), np.zeros((1920, 2), np.int16)),
        [[1, 2]],
    ],
)
def test_arrays_of_another_form_are_refused(video: object) -> None:
    with pytest.raises(BenchError, match="expected"):
        harness.measure(video, metrics=["brightness"], plugins=[PLUGIN])


def test_grey_frames_and_one_frame_have_reasons_and_no_numbers() -> None:
    grey = np.full((1, 64, 64, 3), 128, np.uint8)
    found = harness.measure((grey, np.zeros(640, np.int16)), grey, ["lse", "psnr", FRAME])
    assert {one["status"] for one in found.values()} == {"undefined"}
    assert all(one["reason"] for one in found.values())
    with pytest.raises(BenchError, match="same shape"):
        harness.measure(grey, grey[:, :32], [FRAME])
    with pytest.raises(BenchError, match="give a list"):
        harness.measure(grey, metrics="lse")


# ---- the development data -------------------------------------------------------------------


LONG = 400_000  # bytes; of larger clips the first two seconds are scored, as they are coded


@pytest.mark.shared
@pytest.mark.parametrize("name", shared_clips())
def test_every_awkward_file_ends_as_values_or_reasons(
    name: str, shared: Path, tmp_path: Path
) -> None:
    path = shared / "data" / "clips" / name
    if path.suffix != ".wav" and path.stat().st_size > LONG:
        path = copy_coded(path, tmp_path / name, lambda number, one: one if number < 50 else None)
    code, output = bench("score", path, "--json")
    found = json.loads(output[output.index("{\n") :])
    (one,) = found["videos"]
    for metric in one["metrics"].values():
        assert (metric["status"] == "ok") == bool(metric["values"])
        assert metric["status"] == "ok" or metric["reason"]
    assert code == int(any(m["status"] == "failed" for m in one["metrics"].values()))


def test_the_examples_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "score.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    assert len(blocks) == 2
    monkeypatch.chdir(tmp_path)
    make_clip(tmp_path / "made.mp4", 1)
    make_clip(tmp_path / "real.mp4", 2)
    for block in blocks:
        exec(compile(block, "docs/score.md", "exec"), {})


FACED = '''
import numpy as np
import bench

class Faced(bench.ClipMetric):
    """Compares with the recording of the face."""

    name, version, source = "faced", "1", "defined here"
    reads = frozenset({"video", "face"})
    outputs = (bench.Output("faced", unit="1", better="lower", best=0.0, low=0.0),)

    def measure(self, sample):
        face = sample.face.read().astype(float)
        return {"faced": float(np.abs(sample.video.read() - face).mean())}

@bench.hookimpl
def register_metrics():
    return [Faced]
'''


def test_the_reference_is_the_recording_of_the_face(tmp_path: Path) -> None:
    (tmp_path / "faced.py").write_text(FACED, encoding="utf-8")
    made, real = make_clip(tmp_path / "made.mp4", 1), make_clip(tmp_path / "real.mp4", 2)
    asked = ("--plugin", tmp_path / "faced.py", "--metrics", "faced", "--json")
    code, output = bench("score", made, "--reference", real, *asked)
    assert code == 0, output
    (one,) = json.loads(output[output.index("{\n") :])["videos"]
    assert one["metrics"]["faced"]["values"]["faced"] > 0
    code, output = bench("score", made, *asked)
    assert code == 2
    assert "compare with the real video" in output
