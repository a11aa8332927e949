"""Videos made elsewhere, in a folder and named by case: most users' way in."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from string import Formatter

import pydantic

import bench
from bench.types import Fit

SHOWN = 10  # missing files, and files that no case names, before it says how many more there are
SPARE_COMPARED = 2000  # files looked through for what was meant
FIELDS = ("case", "dataset", "face", "speech")


class Recorded(bench.Method):
    """Takes each case's video from a folder in which it lies finished.

    Needs: `options.folder`, with one video per case named by `options.pattern`. A video of another
    size, frame rate or length is conformed by the harness's rules, and the record says how; one of
    another shape fails, unless `options.fit` says how to fit it.
    Source: whatever made the videos; say it in the config's title of the method.
    Weights: none.
    Deviations: none. A missing video is a failed cell that names the expected file: it is counted.
    """

    name, version, source = "recorded", "3", "videos made elsewhere"
    needs = ("a folder with one finished video per case",)

    class Options(bench.Options):
        """folder: where the videos lie. pattern: the file's name in it, see `FIELDS`.

        fit: what becomes of videos of another shape than the face recording: "refuse" fails the
            case; "pad" adds black bars, "crop" cuts to the middle, "stretch" changes the shape.
        """

        folder: Path
        pattern: str = "{case}.mp4"
        fit: Fit = "refuse"

        @pydantic.field_validator("pattern")
        @classmethod
        def has_known_fields(cls, pattern: str) -> str:
            """The pattern, if it has a case in it and no field but the known ones."""
            return checked_pattern(pattern)

    options: Options

    def identity(self) -> dict[str, object]:
        """The digests of all files of the folder: a new, changed or removed one changes the key."""
        from bench.data.manifest import file_digest

        folder = self.options.folder.expanduser()
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {"files": {path.relative_to(folder).as_posix(): file_digest(path) for path in files}}

    def generate(self, job: bench.Job) -> bench.Generation:
        """The case's file; raises BenchError if it is missing or would lie outside the folder."""
        path = self.path_of(job.case)
        if not path.is_file():
            raise bench.BenchError(
                f"recorded: no video for the case {job.case.id!r}: expected {path}; "
                "put it there, or change options.folder or options.pattern"
            )
        return bench.Generation(video=path, fit=self.options.fit)

    def expects(self, case: bench.Case) -> Path:
        """Where this case's video has to lie; raises BenchError if that is outside the folder."""
        return self.path_of(case).absolute()

    def outlook(self, cases: Sequence[bench.Case]) -> Sequence[str]:
        """How many videos are there, which are missing, and files that no case names."""
        folder = self.options.folder.expanduser()
        if not folder.is_dir():
            return [f"options.folder is {folder}, which is no folder: every case will fail"]
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
        """Where this case's video has to lie; raises BenchError if that is outside the folder."""
        name = self.options.pattern.format(
            case=case.id, dataset=case.dataset, face=case.face.id, speech=case.speech.id
        )
        folder = self.options.folder.expanduser()
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise bench.BenchError(
                f"recorded: options.pattern {self.options.pattern!r} leads out of options.folder "
                f"to {path}; videos have to lie inside the folder"
            )
        return path


def _counts(path: Path) -> bool:
    """Whether it is a file that somebody put there, and not the system."""
    return path.is_file() and not path.name.startswith(".")


def checked_pattern(pattern: str) -> str:
    """The pattern; raises ValueError on a field that is unknown, formatted, or missing."""
    try:
        parts = [part for part in Formatter().parse(pattern) if part[1] is not None]
    except ValueError as error:
        raise ValueError(f"{pattern!r} is no pattern: {error}") from error
    known = ", ".join("{" + field + "}" for field in FIELDS)
    for _, field, layout, conversion in parts:
        if field not in FIELDS or layout or conversion:
            raise ValueError(f"{pattern!r} has the field {{{field}}}; the fields are {known}")
    if not any(field in ("case", "face", "speech") for _, field, _, _ in parts):
        raise ValueError(f"{pattern!r} names the same file for every case; use one of {known}")
    return pattern


@bench.hookimpl
def register_methods() -> list[type[bench.Method]]:
    """The one method of this file."""
    return [Recorded]
