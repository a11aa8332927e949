"""Finds out whether a checkout of a published program can run here, and what exactly it lacks."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pydantic
import yaml

import bench
from bench.checks.contract import CheckResult
from bench.config.names import closest
from bench.ground.types import Case, Clip

SYSTEMS = Path(__file__).with_name("systems.yaml")
SMOKE_FRAMES = 50  # two seconds
IMPORT_TIMEOUT = 300.0  # seconds: the first import of torch reads gigabytes
SMALLEST = 100_000  # bytes; less is a pointer, or a web page that says why there is no download
# Runs in the program's interpreter, which may be Python 2.7. It imports, because packages that are
# installed but broken are the usual case. `package:name` also wants that name in the package.
IMPORTS = """
from __future__ import print_function
import importlib, json, sys
sys.path.insert(0, ".")
found = {}
for want in sys.argv[1:]:
    package, _, name = want.partition(":")
    try:
        module = importlib.import_module(package)
        if name and not hasattr(module, name):
            raise ImportError("%s has no %s" % (package, name))
        found[want] = [True, str(getattr(module, "__version__", ""))]
    except BaseException as error:
        found[want] = [False, "%s: %s" % (type(error).__name__, error)]
cuda = None
if found.get("torch", [False])[0]:
    import torch
    cuda = bool(torch.cuda.is_available())
print("BENCH" + json.dumps([list(sys.version_info[:3]), found, cuda]))
"""


class Weight(bench.Options):
    """A file of weights: any of `paths`; bytes and sha256 where they are published."""

    paths: tuple[str, ...]
    bytes: int | None = None
    sha256: str | None = None


class System(bench.Options):
    """What a program needs.

    entry: its label in configs/official.yaml. packages: each with its published version, or "".
    folders: that the program expects to exist. persons: a glob of one file for each person whom it
    has learned, in a folder named after the person.
    """

    entry: str
    title: str
    source: str
    licence: str
    python: str
    packages: dict[str, str]
    cuda: bool
    ffmpeg: bool
    files: tuple[str, ...]
    folders: tuple[str, ...]
    weights: tuple[Weight, ...]
    persons: str | None = None


def systems() -> dict[str, System]:
    """The programs by name."""
    raw = yaml.safe_load(SYSTEMS.read_text(encoding="utf-8"))
    return {name: System.model_validate(entry) for name, entry in raw.items()}


def options_of(system: System, *, checkout: Path, python: str) -> dict[str, object]:
    """The options of the program's entry in the shipped config, with this checkout and Python."""
    from bench.config.shipped import FOLDER, find_config

    config = yaml.safe_load(find_config("official", FOLDER).read_text(encoding="utf-8"))
    (entry,) = [one for one in config["methods"] if one.get("label") == system.entry]
    options: dict[str, object] = dict(entry["options"])
    options["checkout"] = checkout
    options["argv"] = [python, *entry["options"]["argv"][1:]]
    options["before"] = [[python, *argv[1:]] for argv in entry["options"].get("before", [])]
    return options


def examine(name: str, *, checkout: Path, python: str) -> Iterator[CheckResult]:
    """The checks of one program, each as soon as it is known; the smoke job is the last.

    Raises BenchError if there is no program of that name.
    """
    known = systems()
    if name not in known:
        raise bench.BenchError(f"there is no official/{name}. {closest(name, known)}")
    system = known[name]
    good = True
    steps = (
        _check_checkout(system, checkout),
        _check_weights(system, checkout),
        _check_programs(system),
        _check_interpreter(system, checkout, python),
    )
    for step in steps:
        for result in step:
            good &= result.status != "failed"
            yield result
    if not good:
        yield CheckResult("smoke job", "skipped", "mend what failed first")
        return
    yield _smoke(system, checkout, python)


def _check_checkout(system: System, checkout: Path) -> Iterator[CheckResult]:
    missing = [name for name in system.files if not (checkout / name).is_file()]
    missing += [f"{name}/" for name in system.folders if not (checkout / name).is_dir()]
    if not checkout.is_dir():
        yield CheckResult("checkout", "failed", f"{checkout} is no folder; get {system.source}")
    elif missing:
        lacks = f"{checkout} lacks {', '.join(missing)}; expected a checkout of {system.source}"
        yield CheckResult("checkout", "failed", lacks)
    else:
        about = f"{system.title}; licence: {system.licence}"
        yield CheckResult("checkout", "passed", about)
    if system.persons is not None:
        if _persons(system, checkout):
            yield CheckResult("learned persons", "passed")
        else:
            lacks = (
                f"no {system.persons} in {checkout}: the program needs training for each person; "
                "name its folders in dataset/ as the manifest names the speakers"
            )
            yield CheckResult("learned persons", "failed", lacks)


def _persons(system: System, checkout: Path) -> list[str]:
    if system.persons is None:
        return []
    return sorted(path.parent.name for path in checkout.glob(system.persons))


def _check_weights(system: System, checkout: Path) -> Iterator[CheckResult]:
    from bench.data.manifest import file_digest

    for weight in system.weights:
        name = f"weights {weight.paths[0]}"
        found = next((checkout / one for one in weight.paths if (checkout / one).is_file()), None)
        if found is None:
            size = "" if weight.bytes is None else f" ({weight.bytes:,} bytes)"
            where = f"{checkout / weight.paths[0]} does not exist{size}; see {system.source}"
            yield CheckResult(name, "failed", where)
            continue
        size_found = found.stat().st_size
        if weight.bytes is not None and size_found != weight.bytes:
            wrong = f"{found} has {size_found:,} bytes; expected {weight.bytes:,}"
            yield CheckResult(name, "failed", wrong)
        elif weight.sha256 is not None and file_digest(found) != weight.sha256:
            wrong = f"{found} has SHA-256 {file_digest(found)}; expected {weight.sha256}"
            yield CheckResult(name, "failed", wrong)
        elif size_found < SMALLEST:
            wrong = (
                f"{found} has {size_found:,} bytes: this is a pointer or a web page, not weights"
            )
            yield CheckResult(name, "failed", wrong)
        else:
            yield CheckResult(name, "passed", "" if weight.sha256 else "no digest is published")


def _check_programs(system: System) -> Iterator[CheckResult]:
    if system.ffmpeg:
        there = shutil.which("ffmpeg") is not None
        lacks = "the program calls ffmpeg, which is not on the PATH"
        yield CheckResult("ffmpeg", "passed") if there else CheckResult("ffmpeg", "failed", lacks)


def _check_interpreter(system: System, checkout: Path, python: str) -> Iterator[CheckResult]:
    """One process in the program's interpreter: its version, its packages, its CUDA."""
    from methods.command import HIDDEN

    own = {name: value for name, value in os.environ.items() if name not in HIDDEN}
    try:
        done = subprocess.run(
            [python, "-c", IMPORTS, *system.packages],
            cwd=checkout if checkout.is_dir() else None,
            env=own,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=IMPORT_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        yield CheckResult("interpreter", "failed", f"{python} cannot be run: {error}")
        return
    answers = [line for line in done.stdout.splitlines() if line.startswith("BENCH")]
    if not answers:
        told = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        yield CheckResult("interpreter", "failed", f"{python} is no working Python: {told}")
        return
    version, found, cuda = json.loads(answers[-1].removeprefix("BENCH"))
    yield _version_result(system, version)
    for package, published in system.packages.items():
        yield _package_result(package, published, found[package])
    if system.cuda and found["torch"][0]:
        lacks = "the program needs CUDA, and torch finds none in this interpreter"
        yield CheckResult("cuda", "passed") if cuda else CheckResult("cuda", "failed", lacks)


def _version_result(system: System, version: list[int]) -> CheckResult:
    text = ".".join(map(str, version))
    if version[0] != int(system.python.split(".")[0]):
        wrong = f"is Python {text}; the program is written for {system.python}"
        return CheckResult("interpreter", "failed", wrong)
    same = text.startswith(f"{system.python}.")
    note = "" if same else f"Python {text}; published with {system.python}"
    return CheckResult("interpreter", "passed", note)


def _package_result(package: str, published: str, found: list[object]) -> CheckResult:
    there, text = found
    wanted = f" ({published} in the published environment)" if published else ""
    if not there:
        return CheckResult(f"package {package}", "failed", f"{text}{wanted}")
    differs = published and not str(text).startswith(published)
    return CheckResult(f"package {package}", "passed", f"{text}{wanted}" if differs else "")


def _smoke(system: System, checkout: Path, python: str) -> CheckResult:
    """Two seconds of a synthetic talker through the program, and its video conformed."""
    from bench.run.outputs import conform_output
    from methods.command import Command

    with tempfile.TemporaryDirectory(prefix="bench-official-") as folder:
        try:
            method = Command(
                Command.Options.model_validate(options_of(system, checkout=checkout, python=python))
            )
            speakers = _persons(system, checkout)
            job = smoke_job(Path(folder), speaker=speakers[0] if speakers else "")
            notes = conform_output(method.generate(job), job, Path(folder) / "conformed.mp4")
        except (bench.BenchError, pydantic.ValidationError) as error:
            return CheckResult("smoke job", "failed", str(error))
    return CheckResult("smoke job", "passed", "; ".join(notes))


def smoke_job(folder: Path, *, speaker: str) -> bench.Job:
    """A job of two seconds: a talker of the corpus synth-en, rendered on first use."""
    from bench import media
    from bench.checks.ladders import synthetic_talkers

    sample = synthetic_talkers(1)[0].sample
    frames, sound = sample.video.read()[:SMOKE_FRAMES], sample.video.sound()
    assert sound is not None  # the corpus's clips speak
    sound = sound[: len(frames) * bench.SAMPLES_PER_FRAME]
    path, workdir = folder / "face.mp4", folder / "job"
    media.write_video(path, frames, sound=sound)
    workdir.mkdir()
    clip = Clip(id="smoke", video=path, speaker=speaker)
    return bench.Job(
        case=Case("smoke", "reconstruct", face=clip, speech=clip),
        face=bench.Video(path),
        speech=sound,
        frames=len(frames),
        workdir=workdir,
        seed=1,
        log=logging.getLogger("bench.official"),
    )
