"""The page of one case: videos played in step, frames with mouths, sound and sync curves."""

from __future__ import annotations

import hashlib
import os
import re
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.ground.types import FPS
from bench.records.manifest import CasePart
from reports import plots
from reports.comparison import EVIDENCE
from reports.footage import video_file
from reports.mel import draw_mel
from reports.pictures import Evidence
from reports.results import Cell, Column, Dataset, GeneratedVideo, Results, Row
from reports.text import fixed, percent
from reports.words import Words

CLIP_WINDOW = 5  # frames that one value of the framewise confidence covers
MOST_SHIFT = 15  # frames; distances[k] is the distance at the offset MOST_SHIFT - k


@dataclass(frozen=True)
class CaseLink:
    """A case and the file name of its page."""

    dataset: Dataset
    case: CasePart
    file: str


@dataclass(frozen=True)
class Tile:
    """One method on a case page. video: its path relative to the page, empty if there is none."""

    row: Row
    colour: int
    state: str
    reason: str
    video: str
    evidence: Evidence | None
    frames: int
    numbers: tuple[tuple[str, str, str], ...]
    conformed: tuple[str, ...]
    faces_missing: float | None


@dataclass(frozen=True)
class Note:
    """A note on one or several methods of a case.

    methods: their names. is_failure: the text is a failure's message, which is not translated.
    """

    methods: str
    text: str
    is_failure: bool = False


@dataclass(frozen=True)
class CaseView:
    """Everything that a case page shows."""

    link: CaseLink
    tiles: tuple[Tile, ...]
    notes: tuple[Note, ...]
    seconds: float
    plots: tuple[plots.Drawing, ...]
    marks: tuple[str, ...]
    before: CaseLink | None
    after: CaseLink | None

    @property
    def has_strips(self) -> bool:
        """Whether any method's frames are shown."""
        return any(tile.evidence is not None for tile in self.tiles)

    @property
    def has_differences(self) -> bool:
        """Whether any method has a picture of its difference from the real video."""
        return any(tile.evidence is not None and tile.evidence.difference for tile in self.tiles)

    @property
    def is_located(self) -> bool:
        """Whether the run recorded the mouths' boxes; else the strips show a fixed region."""
        shown = [tile.evidence for tile in self.tiles if tile.evidence is not None]
        return all(one.is_located for one in shown)


def case_links(results: Results) -> list[CaseLink]:
    """The pages of all cases, in the report's order; file names are ASCII and unique."""
    return [
        CaseLink(dataset, case, _file_name(dataset, case))
        for dataset in results.datasets
        for case in dataset.cases
    ]


def method_anchor(label: str) -> str:
    """The anchor of a method's video on a case page, which no later report changes.

    A page's file name depends on the names of data set and case alone, and this on the label.
    """
    plain = re.sub(r"[^A-Za-z0-9]+", "-", label).strip("-")
    if plain == label:
        return f"method-{plain}"
    return f"method-{plain}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"


def view_case(
    results: Results,
    link: CaseLink,
    words: Words,
    *,
    columns: Sequence[Column],
    evidence: Mapping[tuple[str, str], Evidence],
    mel: str,
    folder: Path,
    neighbours: tuple[CaseLink | None, CaseLink | None],
) -> CaseView:
    """The view of one case. evidence: by case key and method. folder: where the page will be.

    mel: the picture of what is heard, in the report's `pictures`; "" where there is none.
    """
    dataset, case = link.dataset, link.case
    tiles: list[Tile] = []
    curves: dict[str, tuple[int, Cell]] = {}
    for row in results.rows:
        colour = results.colours[row.label]
        made = results.generation(dataset, row.label, case)
        if made is None:
            continue
        cells = [(column, results.cell(dataset, row.label, case, column)) for column in columns]
        for _, cell in cells:
            if cell is not None and cell.curves:
                curves[row.shown] = (colour, cell)
        tiles.append(
            Tile(
                row=row,
                colour=colour,
                state=made.record.status,
                reason=made.record.reason or "",
                video=video_href(made, folder),
                evidence=evidence.get((case.key, row.label)),
                frames=made.record.frames or 0,
                numbers=tuple(_number(column, cell, words) for column, cell in cells),
                conformed=made.record.conformed,
                faces_missing=next(
                    (c.faces_missing for _, c in cells if c and c.faces_missing is not None), None
                ),
            )
        )
    frames = max((tile.frames for tile in tiles), default=0)
    seconds = frames / FPS
    return CaseView(
        link=link,
        tiles=tuple(tiles),
        notes=_notes(tiles, words),
        seconds=seconds,
        plots=_plots(
            tiles,
            curves,
            seconds,
            mel,
            words,
            is_void=any(one.is_void for one in columns if one.output.name == "lse_c"),
        ),
        marks=tuple(
            f"{clip}: {words.translated(mark)}"
            for clip in dict.fromkeys((case.face, case.speech))
            for mark in dataset.info.marks.get(clip, ())
        ),
        before=neighbours[0],
        after=neighbours[1],
    )


def case_columns(results: Results, dataset: Dataset, names: Sequence[str]) -> list[Column]:
    """The columns of case pages: those of the tables, evidence, and the mouth region's."""
    available = results.columns(dataset)
    wanted = [column for name in names for column in available if column.name == name]
    wanted += [
        column
        for column in available
        if column.output.name in EVIDENCE or (column.region == "mouth" and not column.is_set)
    ]
    return list(dict.fromkeys(column for column in wanted if not column.is_set))


def video_href(made: GeneratedVideo, pages: Path) -> str:
    """The video's URL relative to `pages`; empty if the run folder has no such file."""
    file = video_file(made)
    if file is None:
        return ""
    return urllib.parse.quote(Path(os.path.relpath(file, pages.resolve())).as_posix())


def mean_curve(curves: Sequence[Sequence[float]]) -> Sequence[float] | None:
    """The mean of the curves of the usual length, 2 * MOST_SHIFT + 1; None if there are none."""
    usual = [curve for curve in curves if len(curve) == 2 * MOST_SHIFT + 1]
    return [float(value) for value in np.mean(usual, axis=0)] if usual else None


def shift_series(label: str, colour: int, distances: Sequence[float]) -> plots.Series:
    """A distance curve as distance over offset (frames)."""
    most = (len(distances) - 1) // 2
    pairs = [(float(most - k), float(value)) for k, value in enumerate(distances)]
    pairs = [pair for pair in reversed(pairs) if np.isfinite(pair[1])]
    return plots.Series(label, colour, tuple(x for x, _ in pairs), tuple(y for _, y in pairs))


def _file_name(dataset: Dataset, case: CasePart) -> str:
    plain = re.sub(r"[^A-Za-z0-9]+", "-", f"{dataset.name}-{case.id}").strip("-")[:60]
    exact = hashlib.sha256(f"{dataset.name}\0{case.id}".encode()).hexdigest()[:8]
    return f"{plain}-{exact}.html"


def _notes(tiles: Sequence[Tile], words: Words) -> tuple[Note, ...]:
    """What conforming changed, where faces are missing, what failed; equal notes are merged."""
    noted: dict[tuple[str, bool], list[str]] = {}
    for tile in tiles:
        name = tile.row.shown
        if tile.conformed:
            done = words("sentence_separator").join(
                words.translated(note) for note in tile.conformed
            )
            noted.setdefault((done, False), []).append(name)
        if tile.faces_missing:
            missing = words("case_faces_missing", share=percent(tile.faces_missing))
            noted.setdefault((missing, False), []).append(name)
        if tile.state != "ok":
            noted.setdefault((tile.reason, True), []).append(name)
    return tuple(
        Note(words.listed(names), text, is_failure) for (text, is_failure), names in noted.items()
    )


def _number(column: Column, cell: Cell | None, words: Words) -> tuple[str, str, str]:
    """A cell as state, text and reason; the state is "void" if the scorer does not work."""
    if cell is None:
        return "absent", words("absent_short"), words("absent")
    if cell.state != "ok":
        state = "faceless" if cell.is_faceless else cell.state
        return state, words(f"{state}_short"), words.translated(cell.reason) or words(cell.state)
    value = cell.values.get(column.output.name)
    if value is None:
        return "failed", words("failed_short"), words("failed")
    shown = "void" if column.is_void else "ok"
    if column.output.name == "offset":
        return shown, f"{value:+.0f}".replace("-", "\N{MINUS SIGN}"), ""
    return shown, fixed(value), ""


def _plots(
    tiles: Sequence[Tile],
    curves: Mapping[str, tuple[int, Cell]],
    seconds: float,
    mel: str,
    words: Words,
    *,
    is_void: bool,
) -> tuple[plots.Drawing, ...]:
    """The plots of one case; is_void: the synchronisation scorer does not work on this data."""
    framewise: list[plots.Series] = []
    shifts: list[plots.Series] = []
    for label, (colour, cell) in curves.items():
        confidence, distances = (
            cell.curves.get("framewise_confidence"),
            cell.curves.get("distances"),
        )
        if confidence is not None:
            framewise.append(_framewise(label, colour, confidence))
        if distances is not None:
            shifts.append(shift_series(label, colour, distances))
    first = next((tile.evidence for tile in tiles if tile.evidence), None)
    peaks = first.peaks if first else ()
    heard = first.frames / FPS if first else 0.0
    drawn = [
        plots.lines(
            words("plot_framewise"),
            words("plot_framewise_about"),
            words("axis_seconds"),
            words("axis_confidence"),
            framewise,
            range_x=(0.0, seconds or 1.0),
            classes="timed",
        ),
        plots.waveform(
            words("plot_wave"), words("plot_wave_about"), words("axis_seconds"), peaks, seconds
        )
        + draw_mel(
            words("plot_mel"),
            words("plot_mel_about"),
            words("axis_seconds"),
            f"../pictures/{mel}" if mel else "",
            heard,
            seconds,
        ),
        plots.lines(
            words("plot_shift"),
            words("plot_shift_about"),
            words("axis_offset"),
            words("axis_distance"),
            shifts,
            mark_x=0.0,
        ),
    ]
    names = ("plot_framewise", "plot_wave", "plot_shift")
    return tuple(
        plots.Drawing(words(name), one, is_void=is_void and name != "plot_wave")
        for name, one in zip(names, drawn, strict=True)
        if one
    )


def _framewise(label: str, colour: int, confidence: Sequence[float]) -> plots.Series:
    """The confidence of each window of frames, drawn at the window's middle."""
    kept = [(i, float(value)) for i, value in enumerate(confidence) if np.isfinite(value)]
    times = tuple((i + CLIP_WINDOW / 2) / FPS for i, _ in kept)
    return plots.Series(label, colour, times, tuple(value for _, value in kept))
