"""Faults of the machine are no results: they are not recorded, and the next run continues."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from bench.ground.errors import BenchError
from bench.machine.faults import machine_fault
from bench.records.schema import GENERATIONS, MEASUREMENTS
from bench.records.store import Store
from tests.conftest import ROOT
from tests.small_data import make_config, make_manifest
from tests.small_records import measurement
from tests.test_run import bench, records

CODES = ("ENOSPC", "EROFS", "EDQUOT", "EMFILE", "ENFILE", "ENOMEM", "EFBIG")


@pytest.mark.parametrize("name", CODES)
def test_a_system_error_is_a_machine_fault_however_it_is_wrapped(name: str) -> None:
    code = getattr(errno, name)
    bare = OSError(code, os.strerror(code), "/some/file")
    assert machine_fault(bare)
    wrapped = BenchError("face.mp4: cannot be opened")
    wrapped.__cause__ = bare
    assert machine_fault(wrapped)


@pytest.mark.parametrize("name", ["ENOSPC", "EROFS", "EDQUOT", "EMFILE", "ENFILE"])
def test_ffmpeg_errors_are_recognised(name: str) -> None:
    code = getattr(errno, name)
    assert machine_fault(av.error.OSError(code, os.strerror(code), "/some/file"))


@pytest.mark.parametrize(
    "error",
    [
        BenchError("clip.mp4: is no video"),
        FileNotFoundError(errno.ENOENT, "No such file or directory", "clip.mp4"),
        PermissionError(errno.EACCES, "Permission denied", "/elsewhere/program"),
        RuntimeError("this method cannot do bad clips"),
        # FFmpeg's errors for a file that ends too early or declares an enormous size.
        av.error.OSError(errno.EIO, "Input/output error", "clip.mp4"),
        av.error.MemoryError(errno.ENOMEM, "Cannot allocate memory", "clip.mp4"),
    ],
)
def test_errors_of_files_and_methods_are_no_machine_faults(error: Exception) -> None:
    assert machine_fault(error) is None


def test_lack_of_memory_is_recognised_in_every_librarys_words() -> None:
    import torch

    with pytest.raises(RuntimeError) as of_torch:
        torch.empty(1 << 60, dtype=torch.uint8)
    with pytest.raises(MemoryError) as of_numpy:
        np.zeros(1 << 60, dtype=np.uint8)
    # No machine has that much memory, so this is the method's failure.
    assert machine_fault(of_torch.value) is None
    assert machine_fault(of_numpy.value) is None
    less = str(of_torch.value).replace(str(1 << 60), str(1 << 20))
    assert machine_fault(RuntimeError(less))
    assert machine_fault(type(of_numpy.value)((1 << 20,), np.dtype(np.uint8)))
    assert machine_fault(MemoryError())
    assert machine_fault(torch.cuda.OutOfMemoryError("CUDA out of memory."))


def test_a_held_lock_is_no_machine_fault(tmp_path: Path) -> None:
    with Store(tmp_path), pytest.raises(BenchError, match="another `bench run`") as held:
        Store(tmp_path).__enter__()
    assert machine_fault(held.value) is None


def test_a_file_in_our_folders_without_write_permission_is_a_machine_fault(tmp_path: Path) -> None:
    error = PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "videos" / "a.mp4"))
    assert machine_fault(error) is None
    assert machine_fault(error, ours=(tmp_path,))


def test_a_half_written_line_is_removed(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append(measurement(key="k"))
        whole = (tmp_path / MEASUREMENTS).read_bytes()
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 20, before[1]))
        try:
            with pytest.raises(OSError, match=MEASUREMENTS):
                store.append(measurement(key="second"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert (tmp_path / MEASUREMENTS).read_bytes() == whole
        assert set(store.measurements) == {"k"}
        store.append(measurement(key="third"))
    reader = Store(tmp_path)
    reader.read()
    assert set(reader.measurements) == {"k", "third"}


LIMITED = """
import os, resource, sys
limit, size = sys.argv[1], int(sys.argv[2])
from bench.command.cli import main
if limit == "NOFILE":
    import reports, bench.run.runner, bench.run.casework, bench.media, bench.command.terminal, torch
resource.setrlimit(getattr(resource, "RLIMIT_" + limit), (size, size))
main(sys.argv[3:])
"""


def limited(limit: str, size: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs a command in a process with a limit on file size or on open files."""
    command = [sys.executable, "-c", LIMITED, limit, str(size), *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env=os.environ, check=False
    )


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_without_disk_space_stops_and_continues_later(tmp_path: Path, workers: int) -> None:
    make_manifest(tmp_path / "data", ("one", "two"))
    config, run = make_config(tmp_path), tmp_path / "run"
    # Records and manifest fit below the limit, videos do not.
    stopped = limited("FSIZE", 1800, "run", config, "-o", run, "--workers", workers)
    told = stopped.stdout + stopped.stderr
    assert stopped.returncode == 2, told
    assert "Traceback" not in told
    assert "the machine's fault and no result" in told.replace("\n", " ")
    kept = [*records(run, GENERATIONS).values(), *records(run, MEASUREMENTS).values()]
    assert not [record for record in kept if record["status"] == "failed"]
    assert bench("run", config, "-o", run)[0] == 0


@pytest.mark.slow
def test_too_many_open_files_are_not_recorded(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data")
    config, run = make_config(tmp_path), tmp_path / "run"
    stopped = limited("NOFILE", 7, "run", config, "-o", run)
    told = stopped.stdout + stopped.stderr
    assert stopped.returncode == 2, told
    assert "Traceback" not in told
    assert not [r for r in records(run, GENERATIONS).values() if r["status"] == "failed"]
    assert bench("run", config, "-o", run)[0] == 0


FULL = """
import errno, os
import bench

class Full(bench.Method):
    \"\"\"Meets a full disk until the file `room` is there, as a program apart would tell it.\"\"\"

    name, version, source = "full", "1", "defined here"

    def generate(self, job):
        if not os.path.exists(os.environ["ROOM"]):
            raise bench.BenchError("command: exit code 1; OSError: [Errno 28] " + os.strerror(28))
        return bench.Generation(job.face.path)

@bench.hookimpl
def register_methods():
    return [Full]
"""


def test_a_full_disk_reported_by_a_program_is_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROOM", str(tmp_path / "room"))
    make_manifest(tmp_path / "data")
    (tmp_path / "full.py").write_text(FULL, encoding="utf-8")
    config = make_config(
        tmp_path,
        plugins=["full.py"],
        methods=[{"name": "truth"}, {"name": "full"}],
        metrics=[{"name": "psnr"}],
        tables=[],
    )
    run = tmp_path / "run"
    code, told = bench("run", config, "-o", run)
    assert code == 2
    assert "the disk is full" in told
    assert "failed" not in {r["status"] for r in records(run, GENERATIONS).values()}
    (tmp_path / "room").touch()
    assert bench("run", config, "-o", run)[0] == 0
