"""Trains what a pack holds and brings the results back: `bash build/gpu-pack/run.sh`.

The methods train in parallel on one device, each in its own process, so that a failure affects only
one method. Then the results are split into parcels. The first goes to $OUT, with curves, strips and
the first method's weights; `--parcel 2` brings the next.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

from methods.wav2lip.gpu.plan import Plan, read_plan

NEEDED = ("torch", "numpy", "scipy", "cv2", "safetensors", "pydantic", "yaml", "pluggy", "click")
RESULTS = Path("build/gpu-results")
REPORT = 3 * 2**20  # bytes of strips in the report, so that one generator fits in as well (64 MiB)


def what_is_missing(device: str) -> str | None:
    """The reason why the trainings cannot start, in one sentence; None if they can."""
    lacking = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if lacking:
        return f"this Python ({sys.executable}) lacks {', '.join(lacking)}"
    if device.startswith("cuda"):
        import torch

        if not torch.cuda.is_available():
            return f"PyTorch {torch.__version__} sees no GPU here; --device cpu trains without one"
    return None


def train_all(pack: Path, plan: Plan, results: Path, device: str) -> dict[str, str]:
    """Trains every method until it ends or the time is up; returns each one's outcome in words."""
    started = time.monotonic()
    running: dict[str, subprocess.Popen[str]] = {}
    tellers = []
    for name in plan.plugins:
        folder = results / name
        folder.mkdir(parents=True)
        running[name] = _line(plan, pack, folder, name, device)
        teller = threading.Thread(target=_tell, args=(name, running[name], folder / "log.txt"))
        teller.start()
        tellers.append(teller)
    states: dict[str, str] = {}
    for name, process in running.items():
        left = plan.limit - (time.monotonic() - started)
        try:
            code = process.wait(max(left, 0.1))
            states[name] = "trained" if code == 0 else f"failed ({code})"
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            states[name] = "stopped when the time was up"
    for teller in tellers:
        teller.join()
    for name in plan.plugins:
        folder = results / name
        if not (folder / f"{name}.safetensors").is_file() and (folder / "checkpoint.pt").is_file():
            code = _line(plan, pack, folder, name, device, "--rescue").wait()
            if code == 0:
                states[name] += "; its last checkpoint was taken"
    return states


def parcels(plan: Plan, results: Path, folder: Path) -> list[Path]:
    """Folders of parcels: the report and the first generator, the other generators, the experts."""
    from bench.train.parcels import cut

    generators = [results / name / f"{name}.safetensors" for name in plan.plugins]
    experts = []
    for name in plan.plugins:
        expert = results / name / "expert" / "expert.safetensors"
        if expert.is_file():
            experts.append(shutil.copyfile(expert, results / f"{name}.expert.safetensors"))
    groups = [[path] for path in generators if path.is_file()]
    groups += [experts] if experts else []
    groups = groups or [[]]
    groups[0] = [_report(results), *groups[0]]
    made = []
    for number, files in enumerate(groups, start=1):
        cut(files, folder / str(number))
        made.append(folder / str(number))
    return made


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--parcel", type=int, help="only bring this parcel; train nothing")
    given = parser.parse_args()
    out = os.environ.get("OUT")
    if given.parcel is None:
        missing = what_is_missing(given.device)
        if missing:
            raise SystemExit(f"run.sh: {missing}.")
        shutil.rmtree(RESULTS, ignore_errors=True)
        started = time.monotonic()
        plan = read_plan(given.pack)
        states = train_all(given.pack, plan, RESULTS, given.device)
        for name, state in states.items():
            _say(f"{name}: {state}")
        count = len(parcels(plan, RESULTS, RESULTS / "parcels"))
        _say(f"{count} parcels after {time.monotonic() - started:.0f} s")
    number = given.parcel or 1
    parcel = RESULTS / "parcels" / str(number)
    if not parcel.is_dir():
        raise SystemExit(f"run.sh: there is no parcel {number} in {RESULTS}")
    if out:
        shutil.copytree(parcel, out, dirs_exist_ok=True)
    last = len(list(parcel.parent.iterdir()))
    _say(f"parcel {number} of {last} is in {out or parcel}")
    if number < last:
        _say(f"at once, while the machine is held: bash {given.pack}/run.sh --parcel {number + 1}")
    if given.parcel is None and any(state.startswith("failed") for state in states.values()):
        raise SystemExit(1)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _line(
    plan: Plan, pack: Path, folder: Path, name: str, device: str, *more: str
) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", plan.lines[name], str(pack), str(folder), name]
    return subprocess.Popen(
        [*command, device, *more],
        stdout=None if more else subprocess.PIPE,
        stderr=None if more else subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def _tell(name: str, process: subprocess.Popen[str], file: Path) -> None:
    """Prints the output of a method's process, and writes it to a log."""
    assert process.stdout is not None
    with file.open("w", encoding="utf-8") as log:
        for line in process.stdout:
            log.write(line)
            log.flush()
            _say(f"{name}: {line.rstrip()}")


def _report(results: Path) -> Path:
    """Logs, curves, and strips as JPEG, the newest first until they are 3 MiB."""
    import cv2

    report = results / "report.zip"
    room = REPORT
    with zipfile.ZipFile(report, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(results.glob("*/**/*")):
            if path.suffix in (".csv", ".svg", ".txt"):
                archive.write(path, path.relative_to(results))
        for strip in sorted(results.glob("*/strips/*.png"), key=_newest_first):
            picture = cv2.imread(str(strip))
            if picture is None:  # incomplete: killed while it was written
                continue
            _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 92])
            room -= len(data)
            if room < 0:
                break
            archive.writestr(str(strip.relative_to(results).with_suffix(".jpg")), data.tobytes())
    return report


def _newest_first(path: Path) -> float:
    return -path.stat().st_mtime


if __name__ == "__main__":
    main()
