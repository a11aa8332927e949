"""A whole run on tiny clips: records, resuming, failures that cost their own cell alone."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.command.cli import main
from bench.records.schema import GENERATIONS, MEASUREMENTS
from bench.run import provenance
from tests.conftest import ROOT
from tests.small_data import make_clip, make_config, make_manifest
from tests.small_records import read_records

Records = dict[str, dict[str, object]]


def bench(*arguments: object) -> tuple[int, str]:
    """The exit code and the output of a command, run in this process."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def records(folder: Path, name: str) -> Records:
    """The last record of every key, without what differs from run to run by nature."""
    found: Records = {}
    for record in read_records(folder / name):
        kept = {k: v for k, v in record.items() if k not in ("seconds", "started", "traceback")}
        found[str(record["key"])] = kept
    return found


@pytest.fixture
def config(tmp_path: Path) -> Path:
    make_manifest(tmp_path / "data")
    return make_config(tmp_path)


def test_a_run_fills_every_cell(config: Path, tmp_path: Path) -> None:
    code, output = bench("run", config, "-o", tmp_path / "run")
    assert code == 0, output
    made = records(tmp_path / "run", GENERATIONS)
    kinds = Counter((r["method"], r["kind"]) for r in made.values())
    assert kinds["truth", "reconstruct"] == 3
    assert kinds["dimmed", "probe"] == 3
    assert kinds["still", "cross"] == 3
    assert ("truth", "cross") not in kinds
    assert {r["status"] for r in made.values()} == {"ok"}
    for record in made.values():
        assert (tmp_path / "run" / str(record["video"])).is_file()
    measured = records(tmp_path / "run", MEASUREMENTS)
    assert {r["status"] for r in measured.values()} == {"ok", "undefined"}
    undefined = [r for r in measured.values() if r["status"] == "undefined"]
    assert {r["metric"] for r in undefined} == {"psnr"}  # the truth against itself
    assert (tmp_path / "run" / "report" / "index.html").is_file()


def test_a_second_run_does_nothing(config: Path, tmp_path: Path) -> None:
    bench("run", config, "-o", tmp_path / "run")
    before = (tmp_path / "run" / MEASUREMENTS).read_bytes()
    code, output = bench("run", config, "-o", tmp_path / "run")
    assert code == 0
    assert "videos: 0 of" in output
    assert (tmp_path / "run" / MEASUREMENTS).read_bytes() == before


def test_plan_counts_what_is_missing_and_writes_nothing(config: Path, tmp_path: Path) -> None:
    code, output = bench("plan", config, "-o", tmp_path / "run")
    assert code == 0
    assert "videos: 21 of 21 missing" in output.replace("\n", " ")
    assert not (tmp_path / "run").exists()


def test_changed_options_are_measured_anew(config: Path, tmp_path: Path) -> None:
    bench("run", config, "-o", tmp_path / "run")
    before = records(tmp_path / "run", MEASUREMENTS)
    metrics = [{"name": "brightness", "options": {"floor": 10}}]
    make_config(tmp_path, metrics=metrics, tables=[])
    bench("run", config, "-o", tmp_path / "run")
    after = records(tmp_path / "run", MEASUREMENTS)
    old = {k: r for k, r in before.items() if r["metric"] == "brightness"}
    new = {k: r for k, r in after.items() if k not in before}
    assert len(new) == len(old)
    one_old = {r["video_sha256"]: r["values"]["brightness"] for r in old.values()}
    for record in new.values():
        expected = one_old[record["video_sha256"]] - 10
        assert record["values"]["brightness"] == pytest.approx(expected)


def test_a_changed_plugin_file_is_not_answered_from_the_store(config: Path, tmp_path: Path) -> None:
    bench("run", config, "-o", tmp_path / "run")
    plugin = tmp_path / "brightness.py"
    plugin.write_text(plugin.read_text().replace("frames[i % len(frames)] // 2", "frames[0] // 4"))
    code, output = bench("plan", config, "-o", tmp_path / "run")
    assert code == 0
    assert "videos: 9 of 21 missing" in output.replace("\n", " ")  # all of `dimmed`


def test_a_failing_method_costs_its_own_cells_alone(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data", ("good", "bad", "fine"))
    config = make_config(tmp_path)
    code, output = bench("run", config, "-o", tmp_path / "run")
    assert code == 1
    made = records(tmp_path / "run", GENERATIONS)
    failed = [r for r in made.values() if r["status"] == "failed"]
    assert {(r["method"], str(r["case"])[:3]) for r in failed} == {("dimmed", "bad")}
    assert {r["reason"] for r in failed} == {"RuntimeError: this method cannot do bad clips"}
    assert "Traceback" not in output
    traces = [r["traceback"] for r in read_records(tmp_path / "run" / GENERATIONS)]
    assert any("cannot do bad clips" in str(trace) for trace in traces)


def test_a_clip_that_cannot_be_read_costs_its_own_cells_alone(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data", ("good", "broken", "fine"))
    (tmp_path / "data" / "broken.mp4").write_text("this is no video")
    code, _ = bench("run", make_config(tmp_path), "-o", tmp_path / "run")
    assert code == 1
    made = records(tmp_path / "run", GENERATIONS)
    # Three methods on three clips, two on the three of `probe`, and two on the two `cross` pairs of
    # the clips that can be opened.
    assert len(made) == 19
    for record in made.values():
        touched = "broken" in str(record["case"])
        assert (record["status"] == "failed") == touched
        assert ("broken.mp4" in str(record["reason"])) == touched


def test_retry_takes_failed_cells_up_again(tmp_path: Path) -> None:
    manifest = make_manifest(tmp_path / "data", ("good", "broken", "fine"))
    whole = (tmp_path / "data" / "broken.mp4").read_bytes()
    (tmp_path / "data" / "broken.mp4").write_text("this is no video")
    config = make_config(tmp_path)
    assert bench("run", config, "-o", tmp_path / "run")[0] == 1
    made = [*records(tmp_path / "run", GENERATIONS).values()]
    made += records(tmp_path / "run", MEASUREMENTS).values()
    failed = sum(record["status"] == "failed" for record in made)
    assert failed
    for command in ("plan", "run"):
        told = bench(command, config, "-o", tmp_path / "run")[1]
        assert f"{failed} cells failed before; `bench run --retry` tries again" in told
    (tmp_path / "data" / "broken.mp4").write_bytes(whole)
    assert manifest.is_file()
    code, told = bench("run", config, "-o", tmp_path / "run", "--retry")
    assert code == 0
    assert "failed before" not in told


@pytest.mark.slow
def test_several_processes_give_the_same_records(config: Path, tmp_path: Path) -> None:
    assert bench("run", config, "-o", tmp_path / "one")[0] == 0
    assert bench("run", config, "-o", tmp_path / "two", "--workers", 2)[0] == 0
    for name in (GENERATIONS, MEASUREMENTS):
        assert records(tmp_path / "one", name) == records(tmp_path / "two", name)


FATAL = """
import os, signal
import bench

class Fatal(bench.Method):
    \"\"\"Takes its process down on one clip, as a crash in native code does.\"\"\"

    name, version, source = "fatal", "1", "defined here"

    def generate(self, job):
        if job.case.face.id == "two":
            os.kill(os.getpid(), signal.SIGKILL)
        return bench.Generation(job.face.path)

@bench.hookimpl
def register_methods():
    return [Fatal]
"""


@pytest.mark.slow
def test_a_worker_that_dies_ends_the_run_with_a_clear_word_and_all_records(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data")
    (tmp_path / "fatal.py").write_text(FATAL, encoding="utf-8")
    config = make_config(
        tmp_path,
        plugins=["fatal.py"],
        methods=[{"name": "fatal"}],
        metrics=[{"name": "psnr"}],
        tables=[],
    )
    code, output = bench("run", config, "-o", tmp_path / "run", "--workers", 2)
    assert code == 2
    assert "a worker process died" in output
    assert "Traceback" not in output
    assert (tmp_path / "run" / "manifest.json").is_file()


def test_nothing_is_run_with_a_wrong_config(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data")
    config = make_config(tmp_path, methods=[{"name": "truht"}])
    code, output = bench("run", config, "-o", tmp_path / "run")
    assert code == 2
    assert "Did you mean 'truth'?" in output
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_like_one_that_was_not(tmp_path: Path) -> None:
    """Twenty times; `python -m tests.kills` kills drivers, workers and Ray nodes, too."""
    make_manifest(tmp_path / "data", tuple(f"clip{i}" for i in range(8)))
    config = make_config(tmp_path)
    assert bench("run", config, "-o", tmp_path / "whole")[0] == 0
    killed = tmp_path / "killed"
    command = [sys.executable, "-m", "bench.command.cli", "run", str(config), "-o", str(killed)]
    moments = random.Random(20)
    kills = 0
    for _ in range(20):
        before = _lines(killed)
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        more = moments.randint(0, 3)  # new records to wait for, then some milliseconds
        while process.poll() is None and _lines(killed) < before + more:
            time.sleep(0.002)
        time.sleep(moments.uniform(0, 0.03))
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.wait()
    assert kills == 20
    assert bench("run", config, "-o", killed)[0] == 0
    for name in (GENERATIONS, MEASUREMENTS):
        assert records(killed, name) == records(tmp_path / "whole", name)
    cells = json.loads((killed / "manifest.json").read_text())["cases"]
    assert cells == json.loads((tmp_path / "whole" / "manifest.json").read_text())["cases"]


def _lines(folder: Path) -> int:
    paths = [folder / GENERATIONS, folder / MEASUREMENTS]
    return sum(path.read_bytes().count(b"\n") for path in paths if path.exists())


def test_a_manifest_row_whose_file_is_missing_does_not_stop_the_others(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data", ("good", "gone", "fine"))
    (tmp_path / "data" / "gone.mp4").unlink()
    code, output = bench("run", make_config(tmp_path), "-o", tmp_path / "run")
    assert code == 1
    assert "Traceback" not in output
    for record in records(tmp_path / "run", GENERATIONS).values():
        assert (record["status"] == "failed") == ("gone" in str(record["case"]))


def test_one_clip_alone_has_no_probe_and_no_cross(tmp_path: Path) -> None:
    make_clip(tmp_path / "data" / "only.mp4", 1)
    make_manifest(tmp_path / "data", ("only",))
    code, _ = bench("run", make_config(tmp_path), "-o", tmp_path / "run")
    assert code == 0
    kinds = {r["kind"] for r in records(tmp_path / "run", GENERATIONS).values()}
    assert kinds == {"reconstruct"}


def test_asking_for_the_commit_leaves_the_repository_as_it_is(tmp_path: Path) -> None:
    """`git status` writes what it found into the index, and leaves a lock if it is ended then."""
    source = tmp_path / "bench" / "provenance.py"
    source.parent.mkdir()
    source.write_text("one", encoding="utf-8")

    def git(*arguments: str) -> None:
        own = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", *own, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    git("add", ".")
    git("commit", "-m", "one")
    os.utime(source, (1, 1))  # the index no longer knows that it is unchanged
    before = (tmp_path / ".git" / "index").read_bytes()
    assert provenance._git(source.parent)["dirty"] is False
    assert (tmp_path / ".git" / "index").read_bytes() == before


def test_a_run_names_the_cores_that_it_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 128)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5, 7}, raising=False)
    assert ", 2 cores, " in provenance.machine()


SLOW = '''
import time

import bench


class Slow(bench.Method):
    """Frames that are made, slowly, while the video is written. Needs: a recording."""

    name, version, source, licence = "slow", "1", "this file", "Apache-2.0"

    def load(self, device):
        """Nothing to load."""

    def generate(self, job):
        """The recording, 20 ms a frame."""
        return bench.Generation(video=self.frames(job))

    def frames(self, job):
        """One by one."""
        order = bench.forth_and_back(len(job.face.read()), job.frames)
        for index in order:
            time.sleep(0.02)
            yield job.face.read()[index]


@bench.hookimpl
def register_methods():
    """The method."""
    return [Slow]
'''


def test_frames_made_while_the_video_is_written_count_as_generating(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data")
    (tmp_path / "slow.py").write_text(SLOW)
    methods = [{"name": "slow"}, {"name": "truth"}]
    config = make_config(tmp_path, plugins=["brightness.py", "slow.py"], methods=methods, tables=[])
    code, output = bench("run", config, "-o", tmp_path / "run")
    assert code == 0, output
    made = [r for r in read_records(tmp_path / "run" / GENERATIONS) if r["method"] == "slow"]
    assert made
    for record in made:
        assert record["seconds"]["generate"] >= 12 * 0.02
        assert record["seconds"]["encode"] >= 0
