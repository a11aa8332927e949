"""What was trained is never thrown away unasked: refused, gone on with, or put aside."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from bench.ground.errors import BenchError
from bench.ground.types import Clip
from bench.train import loop as training
from bench.train.config import LoadedTraining, load_train_config, train_from
from bench.train.trained import Begin, find_trained, put_aside
from tests.test_run import bench

# Trains by counting; what the test puts into `stop` ends it before that step.
PLUGIN = """
import os
from pathlib import Path
import bench
from bench.train import TrainSettings
from bench.train import loop as training

class State:
    def __init__(self): self.count = 0
    def state_dict(self): return {"count": self.count}
    def load_state_dict(self, state): self.count = state["count"]

class Count(bench.ClipMetric, bench.Trainable):
    class Settings(TrainSettings):
        steps: int = 4

    name, version, source = "count", "1", "defined here"
    reads, outputs = frozenset(), ()
    def measure(self, sample): return {}
    @classmethod
    def train(cls, job):
        if "clips" in os.environ["STOP"]: raise KeyboardInterrupt
        state = State()
        checkpoint = job.folder / "checkpoint.pt"
        done = 0
        if job.resume and checkpoint.exists():
            saved = training.read_checkpoint(checkpoint)
            state.load_state_dict(saved.state)
            done = saved.step
        steps = job.settings.steps
        for step in range(done, steps):
            if os.environ["STOP"] == f"{cls.name} {job.seed} {step}": raise KeyboardInterrupt
            state.count += 1
            training.write_curves(job.folder / "curves.csv", [{"step": step + 1}])
            training.save_checkpoint(checkpoint, step + 1, state, steps=steps)
        path = job.folder / "count.safetensors"
        path.write_text(f"{state.count}")
        return path

class Twice(Count):
    name = "twice"

@bench.hookimpl
def register_metrics(): return [Count, Twice]
"""
CLIP = Clip("a", Path("a.mp4"))


@pytest.fixture
def stop(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("STOP", "")
    monkeypatch.setattr("bench.train.config.clips_of", lambda *_: ([CLIP], [CLIP]))
    return monkeypatch


def config(folder: Path, plugin: str = "count", seed: str = "1") -> Path:
    (folder / "count.py").write_text(PLUGIN)
    path = folder / "mine.yaml"
    text = f"name: mine\nplugin: {plugin}\nseed: {seed}\nplugins: [count.py]\n"
    path.write_text(text + "data: [{name: a, corpus: synth-en}]\n")
    return path


def trained(
    loaded: LoadedTraining, folder: Path, begin: Begin, **chosen: Sequence[str]
) -> tuple[list[Path], list[str]]:
    said: list[str] = []
    only = chosen.get("only", ())
    made = train_from(loaded, folder, device="cpu", begin=begin, say=said.append, only=only)
    return made, said


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_finished_training_is_not_trained_over(tmp_path: Path, stop: object) -> None:
    loaded, out = load_train_config(config(tmp_path)), tmp_path / "out"
    trained(loaded, out, "new")
    before = contents(out)
    with pytest.raises(BenchError) as caught:
        trained(loaded, out, "new")
    message = str(caught.value)
    assert message.startswith(f"{out}: there is a training already; nothing was changed.")
    assert "count.safetensors of 20" in message
    assert "checkpoint.pt after step 4 of 4, 20" in message
    for way in ("--resume", "-o", "--restart"):
        assert way in message
    assert contents(out) == before


def test_a_stopped_training_is_not_begun_anew_unasked(
    tmp_path: Path, stop: pytest.MonkeyPatch
) -> None:
    path, out = config(tmp_path), tmp_path / "out"
    stop.setenv("STOP", "count 1 2")
    code, output = bench("train", path, "-o", out, "--device", "cpu")
    assert code == 130
    assert "checkpoint.pt after step 2 of 4" in output
    assert "the same command with --resume continues." in output
    stop.setenv("STOP", "")
    before = contents(out)
    code, output = bench("train", path, "-o", out, "--device", "cpu")
    assert code == 2
    assert "checkpoint.pt after step 2 of 4" in output
    assert contents(out) == before
    code, output = bench("train", path, "-o", out, "--device", "cpu", "--resume")
    assert code == 0
    assert (out / "count.safetensors").read_text() == "4"
    code, output = bench("train", path, "-o", out, "--device", "cpu", "--resume")
    assert code == 0  # nothing left to do
    assert contents(out)["count.safetensors"] == b"4"


def test_there_must_be_something_to_go_on_from(tmp_path: Path, stop: object) -> None:
    loaded = load_train_config(config(tmp_path))
    for folder in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(BenchError, match=r"nothing to resume \(nothing trained yet\)"):
            trained(loaded, folder, "resume")
    assert not (tmp_path / "nowhere").exists()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / training.CURVES).write_text("step\n1\n")
    with pytest.raises(BenchError, match=r"curves\.csv of 20.*, no checkpoint"):
        trained(loaded, tmp_path / "out", "resume")


def test_restarting_keeps_what_was_there_under_another_name(
    tmp_path: Path, stop: pytest.MonkeyPatch
) -> None:
    loaded, out = load_train_config(config(tmp_path)), tmp_path / "out"
    trained(loaded, out, "restart")  # nothing there: the same as new
    assert not list(tmp_path.glob("out.*"))
    before = contents(out)
    _, said = trained(loaded, out, "restart")
    assert said == [f"{out}: what was trained there is kept in {out}.before-1"]
    assert contents(tmp_path / "out.before-1") == before
    trained(loaded, out, "restart")
    assert contents(tmp_path / "out.before-2") == before
    assert (out / "count.safetensors").read_text() == "4"


def test_a_stopped_restart_does_not_advise_another_restart(
    tmp_path: Path, stop: pytest.MonkeyPatch
) -> None:
    path, out = config(tmp_path), tmp_path / "out"
    bench("train", path, "-o", out, "--device", "cpu")
    stop.setenv("STOP", "clips")
    _, output = bench("train", path, "-o", out, "--device", "cpu", "--restart")
    assert "stopped before anything was trained" in output
    assert "the same command continues." in output
    stop.setenv("STOP", "count 1 1")
    _, output = bench("train", path, "-o", out, "--device", "cpu", "--restart")
    assert "the same command with --resume instead of --restart continues." in output
    assert len(list(tmp_path.glob("out.before-*"))) == 1


def test_stopped_while_clips_are_made_ready_the_same_command_goes_on(
    tmp_path: Path, stop: pytest.MonkeyPatch
) -> None:
    path, out = config(tmp_path), tmp_path / "out"
    stop.setenv("STOP", "clips")
    code, output = bench("train", path, "-o", out, "--device", "cpu")
    assert code == 130
    assert "stopped before anything was trained" in output
    assert "the same command continues." in output
    assert "--resume" not in output
    stop.setenv("STOP", "")
    code, output = bench("train", path, "-o", out, "--device", "cpu")
    assert code == 0, output


def test_of_several_each_is_gone_on_with_from_where_it_is(
    tmp_path: Path, stop: pytest.MonkeyPatch
) -> None:
    path, out = config(tmp_path, "[count, twice]", "[1, 2]"), tmp_path / "out"
    loaded = load_train_config(path)
    stop.setenv("STOP", "count 2 3")
    code, output = bench("train", path, "-o", out, "--device", "cpu")
    assert code == 130
    assert "count, seed 1: count.safetensors of 20" in output
    assert "count, seed 2: checkpoint.pt after step 3 of 4" in output
    assert "twice, seed 1: nothing trained yet" in output
    with pytest.raises(BenchError, match="twice, seed 1: nothing trained yet"):
        trained(loaded, out, "new")
    made, _ = trained(loaded, tmp_path / "beside", "new", only=["twice"])
    assert [path.parent for path in made] == [tmp_path / "beside" / f"twice-{n}" for n in (1, 2)]
    stop.setenv("STOP", "")
    (out / "count-1" / "checkpoint.pt").unlink()  # its weights are there: it is finished
    (out / "count-1" / "count.safetensors").write_text("mine")
    made, said = trained(loaded, out, "resume")
    names = [path.parent.name for path in made]
    assert names == ["count-1", "count-2", "twice-1", "twice-2"]
    assert [path.read_text() for path in made] == ["mine", "4", "4", "4"]
    assert any("count-1" in line and "kept" in line for line in said)
    assert any("count, seed 2" in line and "after step 3 of 4" in line for line in said)
    with pytest.raises(BenchError, match="there is a training already"):
        trained(loaded, out, "new")
    trained(loaded, out, "restart", only=["twice"])
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [*names, "twice-1.before-1", "twice-2.before-1"]
    )


def test_resuming_one_of_several_that_has_curves_alone_puts_them_aside(
    tmp_path: Path, stop: object
) -> None:
    loaded, out = load_train_config(config(tmp_path, "count", "[1, 2]")), tmp_path / "out"
    trained(loaded, out, "new")
    (out / "count-2" / "checkpoint.pt").unlink()
    (out / "count-2" / "count.safetensors").unlink()
    trained(loaded, out, "resume")
    assert (out / "count-2.before-1" / "curves.csv").is_file()
    assert (out / "count-2" / "count.safetensors").read_text() == "4"


def test_the_stages_of_a_training_belong_to_its_state(tmp_path: Path) -> None:
    (tmp_path / "expert").mkdir()
    (tmp_path / "wav2lip-1").mkdir()
    torch.save({"step": 250, "state": {}}, tmp_path / "expert" / training.CHECKPOINT)
    torch.save({"step": 1, "state": {}}, tmp_path / "wav2lip-1" / training.CHECKPOINT)
    found = find_trained(tmp_path)
    assert found.described().startswith("expert/checkpoint.pt after step 250, 20")
    assert found.can_go_on
    assert not found.is_empty
    assert found.result is None
    assert found.checkpoints == (tmp_path / "expert" / training.CHECKPOINT,)


@pytest.mark.parametrize("name", ["log.txt", "notes.md", "mine.yaml", "settings.json"])
def test_files_that_are_no_trainings_are_no_reason(tmp_path: Path, stop: object, name: str) -> None:
    loaded, out = load_train_config(config(tmp_path)), tmp_path / "out"
    out.mkdir()
    (out / name).write_text("mine")
    trained(loaded, out, "new")
    assert (out / name).read_text() == "mine"


def test_a_damaged_checkpoint_is_told_and_kept(tmp_path: Path, stop: object) -> None:
    loaded, out = load_train_config(config(tmp_path)), tmp_path / "out"
    trained(loaded, out, "new")
    (out / "count.safetensors").unlink()
    (out / training.CHECKPOINT).write_bytes(b"half")
    with pytest.raises(BenchError, match=r"checkpoint\.pt of 20.*, damaged"):
        trained(loaded, out, "new")
    with pytest.raises(BenchError, match="cannot be read as weights"):
        trained(loaded, out, "resume")
    trained(loaded, out, "restart")
    assert (tmp_path / "out.before-1" / training.CHECKPOINT).read_bytes() == b"half"


def test_a_folder_that_one_is_in_or_that_cannot_be_renamed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.chdir(own)
    with pytest.raises(BenchError, match="because it is the current folder"):
        put_aside(Path())
    monkeypatch.chdir(tmp_path)
    link = tmp_path / "link"
    link.symlink_to(own)
    assert put_aside(link) == tmp_path / "own.before-1"

    def refused(_self: Path, _target: Path) -> None:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(BenchError, match=r"cannot be renamed to own\.before-1|before-2"):
        put_aside(own)


def test_a_file_is_no_folder_for_a_training(tmp_path: Path, stop: object) -> None:
    path = config(tmp_path)
    code, output = bench("train", path, "-o", path, "--device", "cpu")
    assert code == 2
    assert f"{path}: is a file. Name a folder" in output


def test_resume_and_restart_exclude_each_other(tmp_path: Path, stop: object) -> None:
    code, output = bench("train", config(tmp_path), "--resume", "--restart")
    assert code == 2
    assert "give one of the two" in output
