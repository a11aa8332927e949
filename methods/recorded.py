"""Videos generated elsewhere, in a folder with one file per case."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from string import Formatter

import pydantic

import bench
from bench.ground.types import Fit

SHOWN = 10  # missing files, and files that no case names; the rest is counted
SPARE_COMPARED = 2000  # files searched for similar names
FIELDS = ("case", "dataset", "face", "speech", "index", "method")
VARYING = ("case", "face", "speech", "index")  # those that tell cases apart
_DIGITS = re.compile(r"0?\d{0,2}d?")  # how {index} may be written: {index:05}


class Recorded(bench.Method):
    """Takes the finished video of each case from a folder.

    Needs: `options.folder`, with one video per case, named by `options.pattern`. A video of another
    size, frame rate or length is conformed, and its record says how. A video of another aspect
    ratio fails, unless `options.fit` says how to fit it.
    Source: whatever generated the videos; name it in the method's title in the config.
    Weights: none.
    Deviations: none. A missing video is a failed cell whose reason names the expected file.
    """

    name, version, source = "recorded", "3", "videos made elsewhere"
    needs = ("a folder with one finished video per case",)

    class Options(bench.Options):
        """folder: the folder of the videos. pattern: the file's path in it; fields: see `FIELDS`.

        {index} counts the cases of a data set from 0, as in `bench plan --cases`; {index:05} writes
        five digits. {method} is the method's label in the config.
        fit: what to do with a video of another aspect ratio than the face clip: "refuse" fails the
            case; "pad" adds black bars, "crop" cuts to the middle, "stretch" distorts it.
        """

        folder: Path
        pattern: str = "{case}.mp4"
        fit: Fit = "refuse"

        @pydantic.field_validator("pattern")
        @classmethod
        def has_known_fields(cls, pattern: str, info: pydantic.ValidationInfo) -> str:
            """The pattern, if it differs by case and has only known fields; the label filled in."""
            label = (info.context or {}).get("label")
            found = checked_pattern(pattern)
            return found if label is None else found.replace("{method}", label)

    options: Options

    def identity(self) -> dict[str, object]:
        """The digests of all files in the folder, so that any change of them changes the key."""
        from bench.data.manifest import file_digest

        folder = self.options.folder.expanduser()
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {"files": {path.relative_to(folder).as_posix(): file_digest(path) for path in files}}

    @property
    def reads_index(self) -> bool:
        """Whether the pattern counts cases."""
        return any(field == "index" for _, field, _, _ in Formatter().parse(self.options.pattern))

    def generate(self, job: bench.Job) -> bench.Generation:
        """The case's file; raises BenchError if it is missing or lies outside the folder."""
        path = self.path_of(job.case)
        if not path.is_file():
            raise bench.BenchError(
                f"recorded: no video for the case {job.case.id!r}: expected {path}; "
                "put it there, or change options.folder or options.pattern"
            )
        return bench.Generation(video=path, fit=self.options.fit)

    def expects(self, case: bench.Case) -> Path:
        """The path of this case's video; raises BenchError if it lies outside the folder."""
        return self.path_of(case).absolute()

    def outlook(self, cases: Sequence[bench.Case]) -> Sequence[str]:
        """How many videos exist, which are missing, and which files no case names."""
        folder = self.options.folder.expanduser()
        if not folder.is_dir():
            return [f"options.folder is {folder}, which is not a folder: every case will fail"]
        names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if _counts(path)}
        wanted = [self.path_of(case).relative_to(folder).as_posix() for case in cases]
        missing = [name for name in dict.fromkeys(wanted) if name not in names]
        spare = sorted(names - set(wanted))
        there = len(set(wanted)) - len(missing)
        lines = [f"{there} of {len(set(wanted))} videos are in {folder}"]
        for name in missing[:SHOWN]:
            near = difflib.get_close_matches(name, spare[:SPARE_COMPARED], n=1)
            lines.append(f"missing: {name}" + (f"; did you mean {near[0]}?" if near else ""))
        lines += [f"missing: and {len(missing) - SHOWN} more"] if len(missing) > SHOWN else []
        if spare:
            more = f" and {len(spare) - SHOWN} more" if len(spare) > SHOWN else ""
            files = "1 file" if len(spare) == 1 else f"{len(spare)} files"
            lines.append(f"no case names {files}: {', '.join(spare[:SHOWN])}{more}")
        return lines

    def path_of(self, case: bench.Case) -> Path:
        """The path of this case's video; raises BenchError if it lies outside the folder."""
        if "{method}" in self.options.pattern:
            raise bench.BenchError("recorded: {method} in options.pattern is known in a run only")
        name = self.options.pattern.format(
            case=case.id,
            dataset=case.dataset,
            face=case.face.id,
            speech=case.speech.id,
            index=case.index,
        )
        folder = self.options.folder.expanduser()
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise bench.BenchError(
                f"recorded: options.pattern {self.options.pattern!r} leads out of options.folder "
                f"to {path}; videos must lie inside the folder"
            )
        return path


def _counts(path: Path) -> bool:
    """Whether the path is a file and not hidden, as the files of operating systems are."""
    return path.is_file() and not path.name.startswith(".")


def checked_pattern(pattern: str) -> str:
    """The pattern; raises ValueError if a field is unknown or formatted, or none varies by case."""
    try:
        parts = [part for part in Formatter().parse(pattern) if part[1] is not None]
    except ValueError as error:
        raise ValueError(f"{pattern!r} is not a pattern: {error}") from error
    known = ", ".join("{" + field + "}" for field in FIELDS)
    for _, field, layout, conversion in parts:
        is_plain = _DIGITS.fullmatch(layout or "") if field == "index" else not layout
        if field not in FIELDS or not is_plain or conversion:
            raise ValueError(f"{pattern!r} has the field {{{field}}}; the fields are {known}")
    if not any(field in VARYING for _, field, _, _ in parts):
        raise ValueError(f"{pattern!r} names the same file for every case; use one of {known}")
    return pattern


@bench.hookimpl
def register_methods() -> list[type[bench.Method]]:
    """The method of this file."""
    return [Recorded]
