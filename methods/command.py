"""Any external program as a method, with its own interpreter, copy of a checkout and time limit.

The program never runs in our process. It reads two files (face and speech) and writes a third. Its
output is kept. docs/official.md has configs for official command lines.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import IO, Annotated

import pydantic

import bench
from bench.ground.types import Fit
from bench.records.causes import OUTPUT_FOLLOWS
from methods.official.file_list import write_file_list
from methods.official.numbered_frames import write_frames_csv
from methods.wave_file import write_wave

FIELDS = (
    *("face", "image", "speech", "output", "workdir", "checkout"),
    *("case", "speaker", "frames", "seed"),
    *("frames_csv", "list_folder", "file_list"),
)
FREE_TEXT = ("case", "speaker")  # fields that a manifest fills
LINKED_BYTES = 16 << 20  # larger files of a checkout (weights) are linked, not copied
LEFT_OUT = frozenset({".git", "__pycache__"})  # neither copied nor part of the checkout's digest
HIDDEN = ("PYTHONPATH", "PYTHONHOME")  # our values would break the program's interpreter
TAIL_LINES = 15  # last lines of the log in the reason of a failure
GRACE = 3.0  # seconds between SIGTERM and SIGKILL
# For /bin/sh: reads a process group's id, waits until the pipe closes, then kills the group
WATCH = 'read -r group && ! read -r rest && kill -s KILL -- "-$group"'


class Command(bench.Method):
    """Runs a program for each case and takes the video that it writes.

    Needs: `options.argv`, and the program with all of its dependencies, ready to run.
    Source: the program that the config names; name it in the method's title in the config.
    Weights: the program's own. The contents of the checkout's files, and of files that an argument
    names, enter the key, so that after a change no old video is reused. The packages installed in
    the program's interpreter do not: give the method a new label when you change them.
    Deviations: none; the program runs unchanged.

    The checkout is copied for each case, because research code writes to its own folder. Files
    below 16 MiB are copied. Larger files (weights), and links that lead out of the checkout, are
    linked; the case fails if the program writes to a linked file. `.git` and `__pycache__` are left
    out.
    """

    name, version, source = "command", "3", "an external program"
    needs = ("a program that runs from a command line", "its interpreter, packages and weights")

    class Options(bench.Options):
        """How to call the program.

        argv: program and arguments, run without a shell. Fields in braces (`FIELDS`) are filled in;
            write `{{` for a brace. {face}: the face clip, mp4, 25 fps; {image}: its first frame,
            jpg; {speech}: wav, 16 kHz, mono, 16 bit; {output}: path for the mp4; {workdir}: a
            folder for this case alone; {checkout}: this case's copy of the checkout; {case}: the
            case's name; {speaker}: who the face is; {frames}: the number of frames wanted; {seed}:
            this case's seed. Inputs of other shapes: {frames_csv}, PC-AVS's list with folders of
            numbered frames; {list_folder} and {file_list}, Diff2Lip's files and their list.
        before: programs that run first in the same copy, each like argv, such as one that computes
            features of the speech.
        checkout: the program's folder; the program starts in this case's copy of it.
        folder: the folder inside the copy in which the program starts.
        found: a glob for the video in the copy, for programs that choose its name themselves.
        relative: whether paths are relative to the folder in which the program starts (for programs
            that fail on blanks or dots in a folder's name); by default they are absolute.
        fit: what to do with a video of another aspect ratio than the face clip: "refuse" fails the
            case; "pad" adds black bars, "crop" cuts to the middle, "stretch" distorts it.
        timeout: seconds until the program and all processes that it started are killed.
        env: environment variables, added to ours.
        """

        argv: tuple[str, ...] = pydantic.Field(min_length=1)
        before: tuple[Annotated[tuple[str, ...], pydantic.Field(min_length=1)], ...] = ()
        checkout: Path | None = None
        folder: str = "."
        found: str | None = None
        relative: bool = False
        fit: Fit = "refuse"
        timeout: float = pydantic.Field(default=600.0, gt=0)
        env: Mapping[str, str] = {}

        @pydantic.model_validator(mode="after")
        def is_complete(self) -> Command.Options:
            """The options, if all fields are known and the output can be located."""
            used = {field for argv in self.programs for each in argv for field in fields_of(each)}
            if "output" not in used and self.found is None:
                raise ValueError("argv has no {output}; add it, or say in `found` where to look")
            if "checkout" in used and self.checkout is None:
                raise ValueError("argv has {checkout}, but the option `checkout` is not given")
            for key, text in (("folder", self.folder), ("found", self.found or "")):
                if Path(text).is_absolute() or ".." in Path(text).parts:
                    raise ValueError(f"{key} is {text!r}; expected a path inside the checkout")
            return self

        @property
        def programs(self) -> tuple[tuple[str, ...], ...]:
            """All that run for a case, in their order."""
            return (*self.before, self.argv)

    options: Options

    def identity(self) -> Mapping[str, object]:
        """The digests of the checkout and of all files that arguments name."""
        paths = {path for argv in self.options.programs for path in _named_files(argv)}
        named = {path: _sha256(Path(path)) for path in sorted(paths)}
        checkout = self.options.checkout
        return {"files": named, "checkout": None if checkout is None else tree_digest(checkout)}

    def generate(self, job: bench.Job) -> bench.Generation:
        """The program's video; raises BenchError with the end of its output if there is none."""
        scratch = Scratch.copied(job.workdir, checkout=self.options.checkout)
        cwd = scratch.root / self.options.folder
        if not cwd.is_dir():
            raise bench.BenchError(
                f"command: options.folder is {self.options.folder}, which the checkout "
                f"{self.options.checkout} does not have"
            )
        values = self._values(job, scratch, cwd)
        before = _matches(scratch.root, self.options.found)
        log = job.workdir / "command.log"
        environment, timeout = self._environment(), self.options.timeout
        text = ""
        for argv in self.options.programs:
            arguments = filled(argv, values)
            failure = run_group(arguments, cwd=cwd, env=environment, log=log, timeout=timeout)
            text = log.read_text(encoding="utf-8", errors="replace")
            job.log.info("%s\n%s", arguments, text)
            failure = failure or scratch.damage() or ""
            if failure:
                which = "" if argv is self.options.argv else f"{_program(argv)} (options.before): "
                raise bench.BenchError(f"command: {which}{failure}{_tail(text)}")
        video = self._output(scratch.root, before, text)
        return bench.Generation(video=video, fit=self.options.fit)

    def outlook(self, cases: Sequence[bench.Case]) -> Sequence[str]:
        """Which program a run will start, how often, and whether it exists."""
        times = "once" if len(cases) == 1 else f"{len(cases)} times"
        lines = [f"starts, {times}: {shlex.join(argv)}" for argv in self.options.programs]
        search = self._environment().get("PATH")
        for argv in self.options.programs:
            program = argv[0]
            begins = f"options.{'argv' if argv is self.options.argv else 'before'} begins with"
            # A relative path may lead into the checkout.
            if "/" not in program and not shutil.which(program, path=search):
                lines.append(f"{begins} {program}, which is not on the PATH")
            elif Path(program).is_absolute() and not Path(program).exists():
                lines.append(f"{begins} {program}, which does not exist")
        return lines

    def _values(self, job: bench.Job, scratch: Scratch, cwd: Path) -> dict[str, str]:
        """Writes the programs' input files and returns the values of the fields."""
        programs = self.options.programs
        used = {field for argv in programs for each in argv for field in fields_of(each)}
        folder = scratch.root / "bench_job"
        folder.mkdir()
        paths = {
            "face": folder / "face.mp4",
            "image": folder / "face.jpg",
            "speech": folder / "speech.wav",
            "output": folder / "output.mp4",
            "workdir": folder,
            "checkout": scratch.root,
        }
        _write_face(job, paths["face"])
        write_wave(paths["speech"], job.speech)
        if "image" in used:
            _write_image(job.face.read()[0], paths["image"])

        def shown(path: Path) -> str:
            return os.path.relpath(path, cwd) if self.options.relative else str(path)

        values = {name: shown(path) for name, path in paths.items()}
        values |= {"case": job.case.id, "frames": str(job.frames), "seed": str(job.seed)}
        if "speaker" in used:
            values["speaker"] = _speaker(job)
        if "frames_csv" in used:
            values["frames_csv"] = write_frames_csv(job, folder / "frames", shown)
        if used & {"list_folder", "file_list"}:
            lists = write_file_list(job, folder / "list", shown)
            values["list_folder"], values["file_list"] = lists
        return values

    def _environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if name not in HIDDEN}
        return own | dict(self.options.env)

    def _output(self, root: Path, before: Stamps, text: str) -> Path:
        """The new video; raises BenchError if there is none or several, or if it is unreadable."""
        path = root / "bench_job" / "output.mp4"
        if self.options.found is not None:
            after = _matches(root, self.options.found)
            new = sorted(each for each in after if before.get(each) != after[each])
            if len(new) > 1:
                names = ", ".join(str(each.relative_to(root)) for each in new)
                raise bench.BenchError(
                    f"command: options.found {self.options.found!r} matches {len(new)} new files "
                    f"({names}); narrow it to one"
                )
            if not new:
                raise bench.BenchError(
                    f"command: the program ended without an error but wrote no file that "
                    f"options.found {self.options.found!r} matches in {root}{_tail(text)}"
                )
            path = new[0]
        if not path.is_file():
            raise bench.BenchError(
                f"command: the program ended without an error but wrote no {path}{_tail(text)}"
            )
        _check_video(path, text)
        return path


SCRATCH = "checkout"  # the copy's name in the job's folder
# A shell or an interpreter reads as code: the argument after an interpreter's option for code
# (`sh -c`, `bash -lc`, `python -c`, `perl -e`, `env -S`), all arguments of some programs, and
# arguments that contain special characters of a shell.
_INTERPRETER = re.compile(r"\w*sh|python[\d.]*|perl|ruby|node|env|su")
_CODE_FOLLOWS = re.compile(r"-[A-Za-z]*c|-e|-S|--command|--eval")
_READS_ALL_AS_CODE = frozenset({"eval", "parallel", "ssh", "watch"})
_SHELL_CHARACTERS = re.compile(r"[\s;|&<>()$`'\"\\]")
_PLAIN = re.compile(r"[\w@%+=:,./~-]*")  # letters of all scripts; no special characters
_PLAIN_PATH = re.compile(r"[\w@%+=:,./~ -]*")  # and blanks, which quotes can protect
Stamp = tuple[int, int]  # size in bytes, time of change in nanoseconds
Stamps = dict[Path, Stamp]


@dataclass(frozen=True)
class Scratch:
    """A job's copy of a checkout. linked: the originals of its links, with their first stamps."""

    root: Path
    linked: Mapping[Path, Stamp]

    @classmethod
    def copied(cls, workdir: Path, *, checkout: Path | None) -> Scratch:
        """A copy in `workdir`, empty without a checkout; raises BenchError if that is no folder."""
        root = workdir.resolve() / SCRATCH  # the program needs absolute paths
        root.mkdir()
        if checkout is None:
            return cls(root, {})
        linked: dict[Path, Stamp] = {}
        source = _checkout_root(checkout)
        for path in _tree(source):
            target = root / path.relative_to(source)
            if _is_linked(path, source):
                original = path.resolve()
                target.symlink_to(original)
                linked[original] = _stamp(original)
            elif path.is_symlink():
                target.symlink_to(path.readlink())
            elif path.is_dir():
                target.mkdir()
            else:
                shutil.copy2(path, target)
        return cls(root, linked)

    def damage(self) -> str | None:
        """A message that names a linked original that has changed; None if none has."""
        for path, stamp in self.linked.items():
            if not path.exists() or _stamp(path) != stamp:
                return (
                    f"the program changed {path}, to which its copy of the checkout links, and "
                    "which other cases use too; make the program write elsewhere"
                )
        return None


def run_group(
    arguments: list[str], *, cwd: Path, env: Mapping[str, str], log: Path, timeout: float
) -> str | None:
    """Runs a program in a process group of its own; returns a message if it failed, else None.

    Standard output and errors go to `log`. The group is killed after `timeout` seconds, when the
    program ends, when we are interrupted, and when we die, even by `kill -9`.
    """
    with log.open("wb") as file, _watch() as watch:
        try:
            process = subprocess.Popen(
                arguments,
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return f"options.argv begins with {arguments[0]!r}, which cannot be run: {error}"
        try:
            with contextlib.suppress(BrokenPipeError):  # the watch was killed: go on without it
                watch.write(b"%d\n" % process.pid)
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            _signal_group(process.pid, signal.SIGTERM)
            _wait(process)
            return f"the program was not done after {timeout:g} s (options.timeout) and was killed"
        finally:
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()
    if code < 0:
        return f"the program was killed by {signal.Signals(-code).name}"
    return f"the program ended with exit code {code}" if code else None


def tree_digest(checkout: Path) -> str:
    """The SHA-256 of a checkout: names and contents of its files, and targets of its links."""
    source = _checkout_root(checkout)
    running = hashlib.sha256()
    for path in _tree(source):
        if path.is_dir() and not path.is_symlink():
            continue
        content = _sha256(path) if path.is_file() else f"link {path.readlink()}"
        running.update(f"{path.relative_to(source).as_posix()}\0{content}\n".encode())
    return running.hexdigest()


def fields_of(argument: str) -> set[str]:
    """The `{fields}` of one argument; raises ValueError if one is unknown."""
    known = ", ".join("{" + field + "}" for field in FIELDS)
    try:
        parts = [part for part in Formatter().parse(argument) if part[1] is not None]
    except ValueError as error:
        raise ValueError(f"argument {argument!r}: {error}; write {{{{ for a brace") from error
    for _, field, layout, conversion in parts:
        if field not in FIELDS or layout or conversion:
            raise ValueError(f"argument {argument!r} has {{{field}}}; known fields: {known}")
    return {str(field) for _, field, _, _ in parts}


def filled(argv: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """The arguments with their fields filled in.

    Values come from manifests and folder names. Raises BenchError if one would be run as code or
    read as an option: in an argument that a shell or an interpreter reads, a case's name with other
    characters than letters, digits and `_ @ % + = : , . / ~ -`, or a path with special characters
    of a shell; in any other argument, a case's name that starts with a hyphen.
    """
    arguments: list[str] = []
    for place, argument in enumerate(argv):
        if _is_code(argv, place):
            for field in sorted(fields_of(argument)):
                allowed = _PLAIN if field in FREE_TEXT else _PLAIN_PATH
                if not allowed.fullmatch(values[field]):
                    raise bench.BenchError(_code_problem(argument, field, values[field]))
        text = argument.format_map(values)
        if text.startswith("-") and not argument.startswith("-"):
            raise bench.BenchError(
                f"command: the argument {argument!r} would be {text!r}, which programs read as an "
                "option; write it after an option's name (--name={case}), or rename the clip"
            )
        arguments.append(text)
    return arguments


def _is_code(argv: Sequence[str], place: int) -> bool:
    """Whether a shell or an interpreter reads this argument as code."""
    literal = "".join(text for text, *_ in Formatter().parse(argv[place]))
    if _SHELL_CHARACTERS.search(literal):
        return True
    names = [Path(argument).name for argument in argv[:place]]
    if any(name in _READS_ALL_AS_CODE for name in names):
        return True
    has_interpreter = any(map(_INTERPRETER.fullmatch, names))
    return has_interpreter and bool(_CODE_FOLLOWS.fullmatch(names[-1]))


def _code_problem(argument: str, field: str, value: str) -> str:
    safe = f'[sh, -c, \'program "$1"\', sh, "{{{field}}}"]'
    return (
        f"command: {{{field}}} is {value!r}, and a shell or an interpreter reads the argument "
        f"{argument!r} as code, which would run or break the value; pass the field as a separate "
        f"argument: {safe}"
    )


def _checkout_root(checkout: Path) -> Path:
    root = checkout.expanduser().resolve()
    if not root.is_dir():
        raise bench.BenchError(
            f"command: options.checkout is {checkout}, which is not a folder; "
            "give the folder of the program's checkout"
        )
    return root


def _tree(folder: Path) -> Iterator[Path]:
    """All paths in a folder, parents before children, in a fixed order; links are not followed."""
    for path in sorted(folder.iterdir()):
        if path.name in LEFT_OUT:
            continue
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _tree(path)


def _is_linked(path: Path, source: Path) -> bool:
    if path.is_symlink():
        return path.exists() and not path.resolve().is_relative_to(source)
    return path.is_file() and path.stat().st_size >= LINKED_BYTES


def _stamp(path: Path) -> Stamp:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _sha256(path: Path) -> str:
    from bench.data.manifest import file_digest  # remembers the digests of large files

    return file_digest(path)


def _named_files(argv: tuple[str, ...]) -> Iterator[str]:
    """The arguments, and values of `--key=value` arguments, that are paths of existing files."""
    for argument in argv:
        for text in {argument, argument.partition("=")[2]}:
            path = Path(text)
            if path.is_absolute() and path.is_file():
                yield text


def _matches(root: Path, pattern: str | None) -> Stamps:
    if pattern is None:
        return {}
    return {path: _stamp(path) for path in root.glob(pattern) if path.is_file()}


def _write_face(job: bench.Job, target: Path) -> None:
    if job.face.path is not None:
        shutil.copyfile(job.face.path, target)
        return
    from bench import media

    media.write_video(target, job.face.read(), sound=job.face.sound())


def _write_image(frame: bench.Frame, target: Path) -> None:
    import cv2

    settings = [cv2.IMWRITE_JPEG_QUALITY, 100]
    cv2.imwrite(str(target), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), settings)


def _speaker(job: bench.Job) -> str:
    """The face's speaker, for a path in the checkout; raises BenchError if it leads elsewhere."""
    speaker = job.case.face.speaker
    if not speaker or "/" in speaker or speaker in (".", ".."):
        raise bench.BenchError(
            f"command: an argument has {{speaker}}, and the manifest's speaker of the clip "
            f"{job.case.face.id!r} is {speaker!r}; expected the name of a folder in the checkout"
        )
    return speaker


def _program(argv: Sequence[str]) -> str:
    """The words of a command line up to the program's own name."""
    return shlex.join(argv[:2])


def _check_video(path: Path, text: str) -> None:
    """Raises BenchError unless the file is a video with a frame that decodes."""
    from bench import media

    try:
        media.probe(path)
        has_frames = next(iter(media.iter_frames(path)), None) is not None
    except bench.BenchError as error:
        raise bench.BenchError(f"command: the program's output {error}{_tail(text)}") from error
    if not has_frames:
        raise bench.BenchError(f"command: the program's output {path} has no frames{_tail(text)}")


def _tail(text: str) -> str:
    lines = text.strip().splitlines()[-TAIL_LINES:]
    return "; it printed nothing" if not lines else "\n".join([OUTPUT_FOLLOWS, *lines])


@contextlib.contextmanager
def _watch() -> Iterator[IO[bytes]]:
    """A process that kills a process group if we die inside the block; send it the group's id.

    Its pipe closes when we die, however that happens. It has a session of its own, so that signals
    to our group (Ctrl-C, a closed terminal) do not kill it before us.
    """
    with subprocess.Popen(
        ["/bin/sh", "-c", WATCH],
        cwd="/",
        env={},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        bufsize=0,
    ) as watch:
        assert watch.stdin is not None
        try:
            yield watch.stdin
        finally:
            watch.kill()  # before its pipe closes, or it would kill the group


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return  # the group has ended
    except PermissionError:
        return  # macOS, for a group of ended processes only


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        return  # the caller sends SIGKILL


@bench.hookimpl
def register_methods() -> list[type[bench.Method]]:
    """The method of this file."""
    return [Command]
