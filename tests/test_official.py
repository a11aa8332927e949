"""Entries of configs/official.yaml against programs that behave like the published ones."""

from __future__ import annotations

import logging
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

import bench
from bench import media
from bench.checks.ladders import talking_patterns
from bench.ground.types import Case, Clip
from bench.run.outputs import conform_output
from methods.command import Command
from methods.official import doctor
from methods.official.doctor import SMALLEST, System, examine, options_of, systems
from tests.conftest import ROOT
from tests.test_run import bench as run_bench

PROGRAMS = Path(__file__).parent / "programs"
STAND_INS = {
    "wav2lip": {"fake_wav2lip.py": "inference.py"},
    "atvgnet": {"fake_atvgnet.py": "code/demo.py"},
    "pcavs": {"fake_pcavs.py": "inference.py"},
    "adnerf": {
        "fake_adnerf.py": "NeRFs/TorsoNeRF/run_nerf.py",
        "fake_deepspeech.py": "data_util/deepspeech_features/extract_ds_features.py",
    },
    "diff2lip": {"fake_diff2lip.py": "generate.py"},
}
FRAMES = 12


def checkout_of(folder: Path, name: str, *, poses: int = 99) -> Path:
    """A checkout (with a dot and a blank in its name) that has all that systems.yaml asks for."""
    system, root = systems()[name], folder / "v1.0 checkout"
    weights = [weight.paths[0] for weight in system.weights]
    for each in (*system.files, *weights):
        (root / each).parent.mkdir(parents=True, exist_ok=True)
        (root / each).write_bytes(b"\xff" * SMALLEST if each in weights else b"")
    for each in system.folders:
        (root / each).mkdir(exist_ok=True)
    for program, place in STAND_INS[name].items():
        shutil.copy(PROGRAMS / program, root / place)
    if system.persons is not None:
        (root / "dataset" / "anna").mkdir(parents=True)
        (root / "dataset" / "anna" / "TorsoNeRFTest_config.txt").write_text(str(poses))
    return root


def command(root: Path, name: str) -> Command:
    options = options_of(systems()[name], checkout=root, python=sys.executable)
    return Command(Command.Options.model_validate(options))


def job_of(folder: Path, *, speaker: str = "anna", speech: int = FRAMES) -> bench.Job:
    sample = talking_patterns(1, frames=FRAMES, size=64)[0].sample
    path, workdir = folder / "face.mp4", folder / "run 1.5"
    sound = sample.video.sound()
    assert sound is not None
    media.write_video(path, sample.video.read(), sound=sound)
    workdir.mkdir(parents=True)
    clip = Clip(id="pattern", video=path, speaker=speaker)
    return bench.Job(
        case=Case("test", "reconstruct", face=clip, speech=clip),
        face=bench.Video(path),
        speech=np.resize(sound, speech * bench.SAMPLES_PER_FRAME),
        frames=speech,
        workdir=workdir,
        seed=3,
        log=logging.getLogger("test"),
    )


def plain(job: bench.Job, folder: Path) -> bench.Job:
    """The same job with a face clip that shows no face."""
    path = folder / "plain.mp4"
    media.write_video(path, np.full((FRAMES, 64, 64, 3), 90, np.uint8))
    return replace(job, face=bench.Video(path))


def made_by(method: Command, job: bench.Job, folder: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """The program's frames as it wrote them, and the notes of what conforming changed."""
    generation = method.generate(job)
    assert isinstance(generation.video, Path)
    notes = conform_output(generation, job, folder / "conformed.mp4")
    assert media.read_frames(folder / "conformed.mp4").shape == (job.frames, 64, 64, 3)
    return media.read_frames(generation.video), notes


def test_wav2lip_runs_from_a_folder_with_a_dot_in_its_name(tmp_path: Path) -> None:
    method, job = command(checkout_of(tmp_path, "wav2lip"), "wav2lip"), job_of(tmp_path)
    frames, _ = made_by(method, job, tmp_path)
    assert frames.shape == (FRAMES, 64, 64, 3)


def test_wav2lip_without_a_face_fails_with_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_MODE", "fail")
    method = command(checkout_of(tmp_path, "wav2lip"), "wav2lip")
    with pytest.raises(bench.BenchError, match="exit code 1") as caught:
        method.generate(job_of(tmp_path))
    assert "Face not detected!" in str(caught.value)


def test_atvgnet_wipes_temp_in_its_copy_only_and_falls_short_within_the_limit(
    tmp_path: Path,
) -> None:
    root = checkout_of(tmp_path, "atvgnet")
    (root / "temp").mkdir()
    (root / "temp" / "mine.txt").write_text("kept")
    frames, notes = made_by(command(root, "atvgnet"), job_of(tmp_path), tmp_path)
    assert len(frames) == FRAMES - 1  # the official program makes 59 of 60
    assert frames.shape[1:] == (128, 128, 3)
    assert any("last frame repeated 1 times" in note for note in notes), notes
    assert (root / "temp" / "mine.txt").is_file()


def test_atvgnet_without_a_face_fails_with_its_own_words(tmp_path: Path) -> None:
    method = command(checkout_of(tmp_path, "atvgnet"), "atvgnet")
    with pytest.raises(bench.BenchError, match="exit code 1") as caught:
        method.generate(plain(job_of(tmp_path), tmp_path))
    assert "NoneType" in str(caught.value)


@pytest.mark.parametrize("speech", [FRAMES, FRAMES + 8])
def test_pcavs_makes_every_frame_with_its_own_pose(tmp_path: Path, speech: int) -> None:
    method = command(checkout_of(tmp_path, "pcavs"), "pcavs")
    job = job_of(tmp_path, speech=speech)
    frames, _ = made_by(method, job, tmp_path)
    assert len(frames) == speech
    given = job.face.read().astype(int)
    mouths = frames[:, 28 * 5, 126].astype(float)  # (T, 3), in the half that shows the pose
    wanted = given[:, 8 * 5, 36].astype(float)  # (T, 3)
    right = np.abs(mouths[:FRAMES] - wanted).mean()
    early = np.abs(mouths[: FRAMES - 2] - wanted[2:]).mean()  # the program's own two frames
    assert right < early / 2, (right, early)
    columns = (FRAMES * 640 + 1120) // 160
    assert columns // 4 - 4 == FRAMES - 3  # without the silence it would make three frames less


def test_pcavs_refuses_frames_that_are_no_square_crops(tmp_path: Path) -> None:
    method, job = command(checkout_of(tmp_path, "pcavs"), "pcavs"), job_of(tmp_path)
    wide = tmp_path / "wide.mp4"
    media.write_video(wide, np.zeros((FRAMES, 64, 96, 3), np.uint8))
    with pytest.raises(bench.BenchError, match=r"96x64; align and cut .*align_68"):
        method.generate(replace(job, face=bench.Video(wide)))


def test_pcavs_with_a_blank_in_a_path_is_told_what_to_set(tmp_path: Path) -> None:
    root = checkout_of(tmp_path, "pcavs")
    options = options_of(systems()["pcavs"], checkout=root, python=sys.executable)
    method = Command(Command.Options.model_validate(options | {"relative": False}))
    with pytest.raises(bench.BenchError, match="set `relative: true`"):
        method.generate(job_of(tmp_path))


@pytest.mark.parametrize("speech", [FRAMES, FRAMES + 8])
def test_diff2lip_makes_every_frame_of_the_speech(tmp_path: Path, speech: int) -> None:
    method = command(checkout_of(tmp_path, "diff2lip"), "diff2lip")
    frames, _ = made_by(method, job_of(tmp_path, speech=speech), tmp_path)
    assert len(frames) == speech


def test_diff2lip_without_a_face_is_no_success_though_it_ends_with_0(tmp_path: Path) -> None:
    method = command(checkout_of(tmp_path, "diff2lip"), "diff2lip")
    with pytest.raises(bench.BenchError, match="without an error but wrote no file") as caught:
        method.generate(plain(job_of(tmp_path), tmp_path))
    assert "Face not detected!" in str(caught.value)


def test_adnerf_computes_the_features_first_and_renders_the_cases_speaker(tmp_path: Path) -> None:
    method = command(checkout_of(tmp_path, "adnerf"), "adnerf")
    frames, _ = made_by(method, job_of(tmp_path), tmp_path)
    assert frames.shape == (FRAMES, 64, 64, 3)
    first, second = (line for line in method.outlook([]) if line.startswith("starts"))
    assert "extract_ds_features.py" in first
    assert "run_nerf.py" in second


def test_adnerf_with_too_few_poses_is_refused_not_filled(tmp_path: Path) -> None:
    method = command(checkout_of(tmp_path, "adnerf", poses=4), "adnerf")
    job = job_of(tmp_path)
    with pytest.raises(bench.BenchError, match="4 frames"):
        conform_output(method.generate(job), job, tmp_path / "conformed.mp4")


@pytest.mark.parametrize("speaker", ["", "../anna", ".."])
def test_a_speaker_that_is_no_folder_of_the_checkout_is_refused(
    tmp_path: Path, speaker: str
) -> None:
    method = command(checkout_of(tmp_path, "adnerf"), "adnerf")
    with pytest.raises(bench.BenchError, match="name of a folder in the checkout"):
        method.generate(job_of(tmp_path, speaker=speaker))


def test_a_program_that_fails_before_the_last_is_named(tmp_path: Path) -> None:
    root = checkout_of(tmp_path, "adnerf")
    (root / STAND_INS["adnerf"]["fake_deepspeech.py"]).write_text("raise SystemExit('no model')")
    with pytest.raises(bench.BenchError, match=r"options\.before.*exit code 1") as caught:
        command(root, "adnerf").generate(job_of(tmp_path))
    assert "no model" in str(caught.value)


def results_of(name: str, root: Path, python: str = sys.executable) -> dict[str, tuple[str, str]]:
    return {r.name: (r.status, r.detail) for r in examine(name, checkout=root, python=python)}


def small_needs(monkeypatch: pytest.MonkeyPatch, name: str, **changed: object) -> None:
    """Lets the doctor want packages that this interpreter has."""
    quiet: dict[str, object] = {"packages": {"av": "", "numpy": ""}, "cuda": False, "ffmpeg": False}
    system = systems()[name].model_copy(update={"python": "3.6", **quiet, **changed})
    monkeypatch.setattr(doctor, "systems", lambda: {name: system})


def test_the_doctor_says_exactly_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = checkout_of(tmp_path, "pcavs")
    (root / "checkpoints/demo/latest_net_V.pth").unlink()
    (root / "checkpoints/demo/latest_net_E.pth").write_text("<html>quota exceeded</html>")
    packages = {"numpy": "0.1", "lws_of_nobody": "", "json:no_such_name": ""}
    small_needs(monkeypatch, "pcavs", packages=packages)
    found = results_of("pcavs", root)
    assert found["checkout"][0] == "passed"
    assert found["weights checkpoints/demo/latest_net_V.pth"][0] == "failed"
    assert (
        "latest_net_V.pth does not exist" in found["weights checkpoints/demo/latest_net_V.pth"][1]
    )
    assert "web page" in found["weights checkpoints/demo/latest_net_E.pth"][1]
    assert found["weights checkpoints/demo/latest_net_G.pth"] == (
        "passed",
        "no digest is published",
    )
    assert found["package numpy"][0] == "passed"
    assert "0.1 in the published environment" in found["package numpy"][1]
    assert "No module named 'lws_of_nobody'" in found["package lws_of_nobody"][1]
    assert "json has no no_such_name" in found["package json:no_such_name"][1]
    assert found["smoke job"] == ("skipped", "mend what failed first")


def test_the_doctor_knows_wrong_weights_by_their_size_and_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = checkout_of(tmp_path, "wav2lip")
    found = results_of("wav2lip", root, python=str(tmp_path / "none"))
    assert "expected 435,807,851" in found["weights checkpoints/wav2lip.pth"][1]
    assert found["interpreter"][0] == "failed"
    weight = doctor.Weight(paths=("checkpoints/wav2lip.pth",), bytes=SMALLEST, sha256="0" * 64)
    small_needs(monkeypatch, "wav2lip", weights=(weight,))
    found = results_of("wav2lip", root, python=str(tmp_path / "none"))
    assert "expected " + "0" * 64 in found["weights checkpoints/wav2lip.pth"][1]


def test_an_interpreter_of_another_major_version_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_needs(monkeypatch, "atvgnet", python="2.7")
    found = results_of("atvgnet", checkout_of(tmp_path, "atvgnet"))
    assert "written for 2.7" in found["interpreter"][1]


def test_a_complete_checkout_passes_with_its_smoke_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_needs(monkeypatch, "diff2lip")
    monkeypatch.setattr(
        doctor, "smoke_job", lambda folder, speaker: job_of(folder, speaker=speaker)
    )
    root = checkout_of(tmp_path, "diff2lip")
    assert results_of("diff2lip", root)["smoke job"][0] == "passed"
    (root / "generate.py").write_text("print('CUDA out of memory')")
    status, detail = results_of("diff2lip", root)["smoke job"]
    assert status == "failed"
    assert "CUDA out of memory" in detail


def test_the_command_line_checks_a_program(tmp_path: Path) -> None:
    code, output = run_bench("check", "official/adnerf", "--checkout", tmp_path, "--python", "none")
    assert code == 1
    assert "failed checkout" in output
    assert "no dataset/*/TorsoNeRFTest_config.txt" in output
    code, output = run_bench("check", "official/adnerf")
    assert code == 2
    assert "needs --checkout" in output
    code, output = run_bench("check", "official/wav2lp", "--checkout", tmp_path)
    assert code == 2
    assert "Did you mean 'wav2lip'?" in output


def test_every_program_has_its_entry_and_its_place_on_the_page() -> None:
    config = yaml.safe_load((ROOT / "configs" / "official.yaml").read_text(encoding="utf-8"))
    labels = [entry["label"] for entry in config["methods"] if entry["name"] == "command"]
    page = (ROOT / "docs" / "official.md").read_text(encoding="utf-8")
    found: dict[str, System] = systems()
    assert sorted(system.entry for system in found.values()) == sorted(labels)
    for name, system in found.items():
        assert f"official/{name}" in page
        for weight in system.weights:
            assert Path(weight.paths[0]).name in page or "latest_net" in weight.paths[0]
            assert weight.bytes is None or f"{weight.bytes:,}" in page
            assert weight.sha256 is None or weight.sha256 in page
