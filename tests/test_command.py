"""The `command` method against a program that behaves like the official Wav2Lip command line."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pydantic
import pytest

import bench
from bench import media
from bench.checks.ladders import Specimen, talking_patterns
from bench.ground.types import Case, Clip
from bench.records.schema import GENERATIONS
from methods.command import LINKED_BYTES, Command, filled, tree_digest
from tests.conftest import ROOT
from tests.small_data import make_config, make_manifest
from tests.small_records import read_records
from tests.test_run import bench as run_bench

PROGRAM = Path(__file__).parent / "programs" / "fake_wav2lip.py"
OFFICIAL = (
    sys.executable,
    "inference.py",
    "--checkpoint_path",
    "checkpoints/wav2lip.pth",
    "--face",
    "{face}",
    "--audio",
    "{speech}",
    "--outfile",
    "{output}",
    "--pads",
    "0",
    "10",
    "0",
    "0",
)


@pytest.fixture(scope="module")
def clean() -> Specimen:
    return talking_patterns(1, frames=12, size=64)[0]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder laid out like the official repository."""
    folder = tmp_path / "Wav2Lip"
    for name in ("temp", "results", "checkpoints", ".git", "__pycache__"):
        (folder / name).mkdir(parents=True)
    shutil.copy(PROGRAM, folder / "inference.py")
    (folder / "temp" / "README.md").write_text("temporary files go here")
    (folder / "checkpoints" / "wav2lip.pth").write_bytes(b"\xff weights")
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/master")
    return folder


def job_of(clean: Specimen, workdir: Path) -> bench.Job:
    workdir.mkdir(parents=True)
    path = workdir.parent / f"{workdir.name}-face.mp4"
    frames, sound = clean.sample.video.read(), clean.sample.video.sound()
    assert sound is not None
    media.write_video(path, frames, sound=sound)
    clip = Clip(id="pattern", video=path)
    return bench.Job(
        case=Case("test", "reconstruct", face=clip, speech=clip),
        face=bench.Video(path),
        speech=sound,
        frames=len(frames),
        workdir=workdir,
        seed=3,
        log=logging.getLogger("test"),
    )


def command(checkout: Path | None, **options: object) -> Command:
    settings = {"argv": OFFICIAL, "checkout": checkout, "timeout": 60} | options
    return Command(Command.Options.model_validate(settings))


def video_of(generation: bench.Generation) -> Path:
    assert isinstance(generation.video, Path)
    return generation.video


def test_takes_the_video_that_the_program_writes(
    clean: Specimen, checkout: Path, tmp_path: Path
) -> None:
    job = job_of(clean, tmp_path / "job")
    made = media.read_frames(video_of(command(checkout).generate(job)))
    assert made.shape == (12, 64, 64, 3)
    before = clean.sample.video.read()[:, 38:51, 22:41].mean()
    assert made[:, 38:51, 22:41].mean() < before - 5  # the program darkens the mouth with the voice


def test_the_program_works_in_a_copy_and_leaves_the_checkout_as_it_was(
    clean: Specimen, checkout: Path, tmp_path: Path
) -> None:
    before = tree_digest(checkout)
    job = job_of(clean, tmp_path / "job")
    command(checkout).generate(job)
    assert (job.workdir / "checkout" / "temp" / "result.avi").is_file()
    assert not (checkout / "temp" / "result.avi").exists()
    assert tree_digest(checkout) == before
    assert not (job.workdir / "checkout" / ".git").exists()


def test_two_jobs_of_one_checkout_do_not_meet(
    clean: Specimen, checkout: Path, tmp_path: Path
) -> None:
    method = command(checkout)
    first = video_of(method.generate(job_of(clean, tmp_path / "one")))
    second = video_of(method.generate(job_of(clean, tmp_path / "two")))
    assert first != second
    assert first.read_bytes() == second.read_bytes()


def test_large_files_are_linked_and_small_ones_copied(
    clean: Specimen, checkout: Path, tmp_path: Path
) -> None:
    large = checkout / "checkpoints" / "large.pth"
    large.write_bytes(b"\0" * LINKED_BYTES)
    job = job_of(clean, tmp_path / "job")
    command(checkout).generate(job)
    folder = job.workdir / "checkout" / "checkpoints"
    assert (folder / "large.pth").resolve() == large.resolve()
    assert not (folder / "wav2lip.pth").is_symlink()


def test_a_program_that_writes_to_linked_weights_fails_its_case(
    clean: Specimen, checkout: Path, tmp_path: Path
) -> None:
    weights = tmp_path / "elsewhere.pth"
    weights.write_bytes(b"\xff weights kept outside of the checkout")
    (checkout / "checkpoints" / "wav2lip.pth").unlink()
    (checkout / "checkpoints" / "wav2lip.pth").symlink_to(weights)
    method = command(checkout, env={"FAKE_MODE": "spoil"})
    with pytest.raises(bench.BenchError, match=r"changed .*elsewhere\.pth"):
        method.generate(job_of(clean, tmp_path / "job"))


def test_a_failing_program_is_an_error_with_its_last_lines(
    clean: Specimen, checkout: Path, tmp_path: Path
) -> None:
    method = command(checkout, env={"FAKE_MODE": "fail"})
    job = job_of(clean, tmp_path / "job")
    with pytest.raises(bench.BenchError, match="exit code 1") as caught:
        method.generate(job)
    assert "Face not detected! Ensure" in str(caught.value)
    assert "Using cpu for inference" in (job.workdir / "command.log").read_text()


def test_a_crashing_program_is_an_error_that_names_the_signal(
    clean: Specimen, checkout: Path, tmp_path: Path
) -> None:
    method = command(checkout, env={"FAKE_MODE": "crash"})
    with pytest.raises(bench.BenchError, match="SIGSEGV"):
        method.generate(job_of(clean, tmp_path / "job"))


def test_a_hanging_program_is_ended_with_all_that_it_started(
    clean: Specimen, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("methods.command.GRACE", 0.2)
    child = tmp_path / "child.pid"
    environment = {"FAKE_MODE": "hang", "FAKE_CHILD": str(child)}
    method = command(checkout, env=environment, timeout=5)
    began = time.monotonic()
    with pytest.raises(bench.BenchError, match=r"not done after 5 s \(options.timeout\)"):
        method.generate(job_of(clean, tmp_path / "job"))
    assert time.monotonic() - began < 15
    assert is_gone(int(child.read_text()))


PARENT = """
import os, sys
from pathlib import Path
from methods.command import run_group

folder = Path(sys.argv[1])
log = folder / "program.log"
run_group(sys.argv[2:], cwd=folder, env=os.environ, log=log, timeout=600)
"""
WITH_CHILD = """
import os, signal, subprocess, sys, time

signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
print(os.getpid(), child.pid, flush=True)
time.sleep(120)
"""


def test_a_program_ends_with_all_that_it_started_when_we_are_killed(tmp_path: Path) -> None:
    program = [sys.executable, "-c", WITH_CHILD]
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path), *program], cwd=ROOT)
    log = tmp_path / "program.log"
    while parent.poll() is None and not (log.exists() and log.read_text().endswith("\n")):
        time.sleep(0.02)
    pids = [int(word) for word in log.read_text().split()]
    assert len(pids) == 2
    assert not any(is_gone(pid, within=0.2) for pid in pids)
    parent.kill()
    parent.wait()
    assert all(is_gone(pid, within=10.0) for pid in pids)


def test_a_program_that_has_ended_leaves_nothing_beside_us(tmp_path: Path) -> None:
    parent = f"{PARENT}os.waitpid(-1, os.WNOHANG)"  # an error where we have no process of our own
    program = [sys.executable, "-c", "import os; print(os.getppid())"]
    done = subprocess.run(
        [sys.executable, "-c", parent, str(tmp_path), *program],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert "ChildProcessError" in done.stderr
    assert (tmp_path / "program.log").read_text().strip().isdigit()


def is_gone(pid: int, *, within: float = 2.0) -> bool:
    """Whether a process has ended, in so many seconds; one that nobody has fetched yet counts."""
    for _ in range(round(within * 10)):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        state = Path(f"/proc/{pid}/stat")
        if state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.1)
    return False


def test_a_program_that_writes_nothing_is_an_error_that_names_the_file(
    clean: Specimen, checkout: Path, tmp_path: Path
) -> None:
    method = command(checkout, env={"FAKE_MODE": "silent"})
    with pytest.raises(bench.BenchError, match=r"wrote no .*output\.mp4"):
        method.generate(job_of(clean, tmp_path / "job"))


def test_a_program_that_writes_no_video_is_an_error(
    clean: Specimen, checkout: Path, tmp_path: Path
) -> None:
    method = command(checkout, env={"FAKE_MODE": "garbage"})
    with pytest.raises(bench.BenchError, match=r"output\.mp4"):
        method.generate(job_of(clean, tmp_path / "job"))


def test_found_takes_the_new_file_and_not_one_that_the_checkout_came_with(
    clean: Specimen, checkout: Path, tmp_path: Path
) -> None:
    (checkout / "results" / "from_last_week.mp4").write_bytes(b"stale")
    method = command(checkout, found="results/*.mp4", env={"FAKE_MODE": "elsewhere"})
    path = video_of(method.generate(job_of(clean, tmp_path / "job")))
    assert path.name == "named_by_itself.mp4"


def test_found_without_a_new_file_is_an_error(
    clean: Specimen, checkout: Path, tmp_path: Path
) -> None:
    (checkout / "results" / "from_last_week.mp4").write_bytes(b"stale")
    method = command(checkout, found="results/*.mp4", env={"FAKE_MODE": "silent"})
    with pytest.raises(bench.BenchError, match=r"no file that options\.found"):
        method.generate(job_of(clean, tmp_path / "job"))


def test_relative_paths_keep_blanks_and_dots_of_our_folders_from_the_program(
    clean: Specimen, checkout: Path, tmp_path: Path
) -> None:
    job = job_of(clean, tmp_path / "run v1.2" / "job")
    argv = (*OFFICIAL[:2], "--face_det_batch_size", "4", *OFFICIAL[2:])
    made = command(checkout, argv=argv, relative=True).generate(job)
    assert media.read_frames(video_of(made)).shape == (12, 64, 64, 3)
    program = "import shutil, sys; print(sys.argv[1]); shutil.copy(sys.argv[1], sys.argv[2])"
    other = job_of(clean, tmp_path / "run v1.2" / "other")
    call = (sys.executable, "-c", program, "{face}", "{output}")
    command(checkout, argv=call, folder="results", relative=True).generate(other)
    assert (other.workdir / "command.log").read_text().strip() == "../bench_job/face.mp4"


def test_an_interpreter_that_is_not_there_is_an_error_that_names_it(
    clean: Specimen, tmp_path: Path
) -> None:
    method = command(None, argv=("/no/such/python", "{face}", "{output}"))
    with pytest.raises(bench.BenchError, match="'/no/such/python', which cannot be run"):
        method.generate(job_of(clean, tmp_path / "job"))


def test_a_checkout_that_is_no_folder_is_an_error(clean: Specimen, tmp_path: Path) -> None:
    with pytest.raises(bench.BenchError, match=r"options\.checkout is .*gone"):
        command(tmp_path / "gone").generate(job_of(clean, tmp_path / "job"))


def test_every_field_is_filled_in(clean: Specimen, tmp_path: Path) -> None:
    program = (
        "import sys, shutil, pathlib; face, image, speech, output, workdir, rest = sys.argv[1:7];"
        "assert pathlib.Path(image).stat().st_size and pathlib.Path(speech).stat().st_size;"
        "print(rest); shutil.copy(face, output)"
    )
    fields = ("{face}", "{image}", "{speech}", "{output}", "{workdir}", "{case} {frames} {seed}")
    job = job_of(clean, tmp_path / "job")
    command(None, argv=(sys.executable, "-c", program.replace("{", "{{"), *fields)).generate(job)
    assert (job.workdir / "command.log").read_text().strip() == "pattern 12 3"


def test_the_programs_interpreter_does_not_see_our_python_path(
    clean: Specimen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/ours")
    program = "import os, sys; sys.exit('PYTHONPATH' in os.environ or 'X' not in os.environ)"
    argv = (sys.executable, "-c", program, "{output}")
    with pytest.raises(bench.BenchError, match="ended without an error"):
        command(None, argv=argv, env={"X": "1"}).generate(job_of(clean, tmp_path / "job"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"argv": []}, "at least 1"),
        ({"argv": ["run", "{face}"]}, r"argv has no \{output\}"),
        ({"argv": ["run", "{fase}", "{output}"]}, "{fase}"),
        ({"argv": ["run", "{output!r}"]}, "known fields"),
        ({"argv": ["run", "{output"]}, "for a brace"),
        ({"argv": ["run", "{checkout}", "{output}"]}, "`checkout` is not given"),
        ({"argv": ["run"], "found": "../*.mp4"}, "inside the checkout"),
        ({"argv": ["run", "{output}"], "folder": "/tmp"}, "inside the checkout"),
        ({"argv": ["run", "{output}"], "timeout": 0}, "greater than 0"),
        ({"argv": ["run", "{output}"], "shell": True}, "Extra inputs"),
    ],
)
def test_wrong_options_are_errors_before_anything_runs(
    options: dict[str, object], message: str
) -> None:
    with pytest.raises(pydantic.ValidationError, match=message):
        Command.Options.model_validate(options)


def test_a_changed_file_of_the_checkout_changes_the_identity(checkout: Path) -> None:
    before = command(checkout).identity()
    assert command(checkout).identity() == before
    (checkout / ".git" / "HEAD").write_text("0" * 40)
    assert command(checkout).identity() == before
    weights = checkout / "checkpoints" / "wav2lip.pth"
    weights.write_bytes(weights.read_bytes()[::-1])
    assert command(checkout).identity() != before


def test_a_changed_file_that_an_argument_names_changes_the_identity(tmp_path: Path) -> None:
    weights = tmp_path / "model.pt"
    weights.write_bytes(b"one")
    method = command(None, argv=("run", f"--model_path={weights}", "{output}"))
    before = method.identity()
    weights.write_bytes(b"another")
    assert method.identity() != before


def test_the_speech_that_the_program_gets_is_the_jobs(clean: Specimen, tmp_path: Path) -> None:
    import wave

    job = job_of(clean, tmp_path / "job")
    program = "import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2])"
    command(None, argv=(sys.executable, "-c", program, "{face}", "{output}", "{speech}")).generate(
        job
    )
    with wave.open(str(job.workdir / "checkout" / "bench_job" / "speech.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2)
        got = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    assert np.array_equal(got, job.speech)


def _run_folder_as_by_default(
    folder: Path, monkeypatch: pytest.MonkeyPatch, ids: tuple[str, ...], argv: list[str]
) -> tuple[int, list[dict[str, object]]]:
    """Runs `command` from inside the config's folder, everything named by relative paths."""
    make_manifest(folder / "data", ids)
    (folder / "program").mkdir()
    (folder / "program" / "copy.py").write_text(COPY, encoding="utf-8")
    options = {"argv": argv, "checkout": "program"}
    make_config(
        folder,
        methods=[{"name": "command", "label": "my program", "options": options}],
        metrics=[{"name": "psnr"}],
        cases={"kinds": ["reconstruct"]},
        tables=[],
    )
    monkeypatch.chdir(folder)
    monkeypatch.setenv("BENCH_CACHE", "cache")
    code, _ = run_bench("run", "small.yaml")
    return code, list(read_records(folder / "runs" / "small" / GENERATIONS))


COPY = """import pathlib, shutil, sys
assert all(pathlib.Path(text).is_absolute() for text in sys.argv[1:3]), sys.argv
shutil.copyfile(sys.argv[1], sys.argv[2])
"""


def test_a_program_finds_its_files_in_the_default_run_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    argv = [sys.executable, "copy.py", "{face}", "{output}"]
    code, made = _run_folder_as_by_default(tmp_path, monkeypatch, ("one", "two"), argv)
    assert [record["reason"] for record in made] == [None, None]
    assert code == 0


EVIL = ("$(touch ran)", "`touch ran`", "a;touch ran", "a'b\"c", "a|b&c", "plain", "新闻 1")


def test_no_id_is_run_by_a_shell_that_is_given_the_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    argv = ["sh", "-c", "cp {face} {output} && test -d {workdir} && test -d {checkout}"]
    code, made = _run_folder_as_by_default(tmp_path, monkeypatch, EVIL, argv)
    assert [record["reason"] for record in made] == [None] * len(EVIL)
    assert code == 0
    assert not list(tmp_path.rglob("ran"))


def test_an_id_that_a_shell_would_run_is_told_and_costs_its_own_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    argv = ["sh", "-c", "echo {case}; cp {face} {output}"]
    _, made = _run_folder_as_by_default(tmp_path, monkeypatch, EVIL, argv)
    reasons = {str(record["case"]): str(record["reason"]) for record in made}
    assert reasons.pop("plain") == "None"
    assert all(
        "a shell or an interpreter reads the argument" in reason for reason in reasons.values()
    )
    assert not list(tmp_path.rglob("ran"))


def test_an_argument_of_its_own_carries_every_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    argv = ["sh", "-c", 'echo "$3"; cp "$1" "$2"', "sh", "{face}", "{output}", "{case}"]
    code, made = _run_folder_as_by_default(tmp_path, monkeypatch, EVIL, argv)
    assert code == 0
    assert not list(tmp_path.rglob("ran"))
    for record in made:
        log = tmp_path / f"runs/small/logs/tiny/my program/{record['case']}.log"
        assert f"\n{record['case']}\n" in log.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("argv", "case", "said"),
    [
        (["bash", "-lc", "{case}"], "a b", "as code"),
        (["bash", "-o", "pipefail", "-c", "{case}"], "a;b", "as code"),
        (["env", "X=1", "python3", "-c", "{case}"], "a()", "as code"),
        (["ssh", "host", "run", "{case}"], "a b", "as code"),
        (["srun", "--wrap=run {case}"], "a;b", "as code"),
        (["sh", "-c", "run '{case}'"], "a'b", "as code"),
        (["run", "{case}"], "--help", "read as an option"),
        (["sh", "-c", "run {case}"], "新闻_1~a.b+c", None),
        (["run", "-c", "{case}"], "a b;c", None),
        (["run", "--name={case}"], "--help", None),
        (["run", "{case}"], "$(a) b", None),
    ],
)
def test_fields_are_filled_in_where_nothing_reads_them_again(
    argv: list[str], case: str, said: str | None
) -> None:
    if said is None:
        assert filled(argv, {"case": case}) == [text.replace("{case}", case) for text in argv]
        return
    with pytest.raises(bench.BenchError, match=said):
        filled(argv, {"case": case})


def test_a_path_with_shell_signs_is_not_given_to_a_shell() -> None:
    argv = ["sh", "-c", 'run "{face}"']
    assert filled(argv, {"face": "/my runs/a.mp4"})[2] == 'run "/my runs/a.mp4"'
    with pytest.raises(bench.BenchError, match="as code"):
        filled(argv, {"face": "/runs $(touch x)/a.mp4"})
