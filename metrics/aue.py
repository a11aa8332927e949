"""AUE: how far the face's action units are from the truth's, by blendshapes or OpenFace's csv."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import bench
from metrics.features.landmarks.pairs import paired

Units = NDArray[np.float64]  # (T, K)

# MediaPipe's blendshapes: 1..22 brows, cheeks and eyes, 23..49 jaw and mouth.
UPPER_SHAPES, LOWER_SHAPES = slice(1, 23), slice(23, 50)
UPPER_UNITS = ("01", "02", "04", "05", "06", "07", "09", "45")
LOWER_UNITS = ("10", "12", "14", "15", "17", "20", "23", "25", "26")


def unit_error(truth: Units, made: Units) -> float:
    """The sum over units of the mean over frames of the squared difference, of (T, K) each.

    Raises BenchError where the shapes differ, Undefined without frames.
    """
    if truth.shape != made.shape:
        raise bench.BenchError(
            f"{made.shape[0]} frames of {made.shape[1]} units of the video, {truth.shape[0]} of "
            f"{truth.shape[1]} of its reference; nothing is cut here"
        )
    if not len(truth):
        raise bench.Undefined("no frames")
    return float(np.square(made.astype(np.float64) - truth).mean(axis=0).sum())


class Aue(bench.ClipMetric):
    """The error of action units: the sum over units of their mean squared difference.

    By MediaPipe's blendshapes in [0, 1], or (`csv`) by the intensities in [0, 5] that OpenFace
    wrote elsewhere: two protocols whose numbers have nothing in common but the formula.

    Reads: the feature landmarks of video and reference (`landmarks: mesh`); with `csv` the files of
        that folder, named after a video's SHA-256 (as the records have it), or, for references,
        after the clip: `<sha256>.csv`, `<clip id>.csv`.
    Output: aue_lower, of jaw and mouth; aue_upper, of brows, cheeks and eyes; aue, both. Lower is
        better, from 0; at most 49 of blendshapes, 425 of intensities.
    Raises: Undefined without a face, and where more than a tenth of the frames have landmarks with
        a score below 0.5. BenchError where the landmarks have no blendshapes, lengths or sizes
        differ, a csv file is missing, has other columns, or other frames than the reference's.
    Source: Fictionarry/TalkingGaussian, auerror.py (the formula); the blendshapes' protocol is
        defined here.
    """

    name, version = "aue", "1"
    source = "Fictionarry/TalkingGaussian, auerror.py; the blendshapes' protocol is defined here"
    reads = frozenset({"landmarks", "faces", "reference"})
    outputs = (
        bench.Output("aue_lower", unit="1", better="lower", best=0.0, low=0.0, title="AUE lower"),
        bench.Output("aue_upper", unit="1", better="lower", best=0.0, low=0.0, title="AUE upper"),
        bench.Output("aue", unit="1", better="lower", best=0.0, low=0.0, title="AUE"),
    )
    sees = frozenset({"frozen:aue_lower", "frozen:aue_upper", "frozen:aue", "noise:aue_lower"})
    tried_on = "talkers"

    class Options(bench.Options):
        """csv: a folder of OpenFace's output, instead of blendshapes."""

        csv: Path | None = None

    options: Options

    @property
    def protocol(self) -> str:
        """What the units are, which, and how they are summed up."""
        if self.options.csv is not None:
            return "aue[OpenFace csv; lower 9, upper 8; sum of mse]"
        return "aue[blendshapes; {landmarks}; lower 27, upper 22; sum of mse; {faces}]"

    @property
    def asks(self) -> Mapping[str, Mapping[str, object]]:
        """The mesh, which alone has blendshapes, unless csv files are read."""
        return {} if self.options.csv is not None else {"landmarks": {"model": "mesh"}}

    def identity(self) -> Mapping[str, object]:
        """The digests of the csv files."""
        if self.options.csv is None:
            return {}
        files = sorted(self.options.csv.glob("*.csv"))
        if not files:
            raise bench.BenchError(f"{self.options.csv}: has no csv files; expected OpenFace's")
        return {"csv": {file.name: bench.file_sha256(file) for file in files}}

    def measure(self, sample: bench.Sample) -> dict[str, float]:
        """The clip's errors."""
        if self.options.csv is not None:
            return _errors(*self._recorded(self.options.csv, sample))
        pair = paired(sample)
        truth, made = (np.asarray(side["blendshapes"]) for side in (pair.truth, pair.made))
        if not truth.shape[1] or not made.shape[1]:
            raise bench.BenchError(
                f"landmarks of model {pair.made['model']} have no blendshapes; write `landmarks: "
                "mesh` in the config (`bench weights pull face_mesh`), or give `csv`"
            )
        both = ((side[:, LOWER_SHAPES], side[:, UPPER_SHAPES]) for side in (truth, made))
        return _errors(*both)

    def _recorded(
        self, folder: Path, sample: bench.Sample
    ) -> tuple[tuple[Units, Units], tuple[Units, Units]]:
        """Lower and upper units of the reference and of the video, paired by `frame`."""
        if sample.reference is None:
            raise bench.BenchError(f"case {sample.case.id}: no reference to compare with")
        names = (sample.reference.sha256, sample.case.face.id)
        truth_frames, *truth = _read(_file(folder, names, sample.case.id, "reference"))
        made_frames, *made = _read(_file(folder, (sample.video.sha256,), sample.case.id, "video"))
        if truth_frames != made_frames:
            raise bench.BenchError(
                f"case {sample.case.id}: the csv of the video has {len(made_frames)} frames "
                f"({_span(made_frames)}), that of its reference {len(truth_frames)} "
                f"({_span(truth_frames)}); nothing is cut here"
            )
        return (truth[0], truth[1]), (made[0], made[1])


def _errors(truth: tuple[Units, Units], made: tuple[Units, Units]) -> dict[str, float]:
    lower, upper = (unit_error(one, other) for one, other in zip(truth, made, strict=True))
    return {"aue_lower": lower, "aue_upper": upper, "aue": lower + upper}


def _file(folder: Path, names: tuple[str, ...], case: str, what: str) -> Path:
    for name in names:
        file = folder / f"{name}.csv"
        if name and file.is_file():
            return file
    wanted = " or ".join(f"{name}.csv" for name in names if name)
    raise bench.BenchError(
        f"{folder}: has no csv of case {case}'s {what}; expected {wanted or 'one'}"
    )


def _read(file: Path) -> tuple[list[int], Units, Units]:
    """The frames' numbers, the lower and the upper units of one file of OpenFace."""
    with file.open(encoding="utf-8-sig", newline="") as stream:
        rows = [[value.strip() for value in row] for row in csv.reader(stream) if row]
    if not rows:
        raise bench.BenchError(f"{file}: is empty; expected OpenFace's csv with a header")
    places = {name: place for place, name in enumerate(rows[0])}
    wanted = ["frame", *(f"AU{unit}_r" for unit in (*LOWER_UNITS, *UPPER_UNITS))]
    missing = [name for name in wanted if name not in places]
    if missing:
        raise bench.BenchError(f"{file}: has no column {', '.join(missing)}")
    try:
        chosen = [[float(row[places[name]]) for name in wanted] for row in rows[1:]]
    except (ValueError, IndexError) as error:
        raise bench.BenchError(f"{file}: a row cannot be read as numbers: {error}") from error
    table = np.array(chosen, dtype=np.float64).reshape(-1, len(wanted))
    if not np.isfinite(table).all():
        raise bench.BenchError(f"{file}: has values that are no finite numbers")
    frames = [int(number) for number in table[:, 0]]
    if len(set(frames)) < len(frames):
        raise bench.BenchError(f"{file}: a frame comes twice; expected one face a frame")
    lower = 1 + len(LOWER_UNITS)
    return frames, table[:, 1:lower], table[:, lower:]


def _span(frames: list[int]) -> str:
    return f"{frames[0]} to {frames[-1]}" if frames else "none"


@bench.hookimpl
def register_metrics() -> list[type[bench.Metric]]:
    """Registers aue."""
    return [Aue]
