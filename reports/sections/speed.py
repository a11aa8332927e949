"""Time against quality: how much time does a better value cost?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.ground.stats import Interval
from bench.ground.types import FPS
from bench.records.run_folder import Run
from reports import plots
from reports.comparison import Table
from reports.results import Column, Dataset, Results, Row
from reports.sections.plots import with_direction
from reports.sections.worst import ranked_columns
from reports.text import fixed
from reports.words import Words


@dataclass(frozen=True)
class Pace:
    """Seconds that a method took per second of video: median and quartiles over n videos.

    machines: those that the runs name.
    """

    seconds: float
    low: float
    high: float
    n: int
    machines: tuple[str, ...]


@dataclass(frozen=True)
class SpeedView:
    """The plots, and the numbers: method, median, quartiles, number of videos."""

    plots: tuple[plots.Drawing, ...]
    legend: tuple[tuple[int, Row], ...]
    paces: tuple[tuple[str, str, str, int], ...]
    note: str


def measure_pace(results: Results, words: Words) -> dict[str, Pace]:
    """By method, over all of its finished videos: seconds of `generate` per second of video."""
    found: dict[str, Pace] = {}
    for row in results.rows:
        if row.control:
            continue
        paces: list[float] = []
        machines: dict[str, None] = {}
        for dataset in results.datasets:
            for case in dataset.cases:
                made = results.generation(dataset, row.label, case)
                if made is None or made.record.status != "ok":
                    continue
                seconds, frames = made.record.seconds.get("generate", 0.0), made.record.frames
                if frames and seconds > 0:
                    paces.append(seconds / (frames / FPS))
                    machines[_machine(made.run, words)] = None
        if paces:
            ordered = sorted(paces)
            low, high = (ordered[round(share * (len(ordered) - 1))] for share in (0.25, 0.75))
            found[row.label] = Pace(median(paces), low, high, len(paces), tuple(machines))
    return found


def view_speed(results: Results, tables: Sequence[Table], words: Words) -> SpeedView | None:
    """Pace against every ranked column; None if fewer than two competitors have times."""
    paces = measure_pace(results, words)
    if len(paces) < 2:
        return None
    drawn: list[plots.Drawing] = []
    for dataset, column in ranked_columns(results, tables):
        if not column.is_void:
            drawing = _plot(results, tables, dataset, column, paces, words)
            if drawing is not None:
                drawn.append(drawing)
    machines = list(dict.fromkeys(one for pace in paces.values() for one in pace.machines))
    note = words("speed_machine", machine="; ".join(machines))
    if len(machines) > 1:
        note = words("two_sentences", first=note, second=words("speed_machines"))
    numbers = tuple(
        (
            results.shown(label),
            _short(pace.seconds),
            f"{_short(pace.low)} – {_short(pace.high)}",
            pace.n,
        )
        for label, pace in sorted(paces.items(), key=lambda one: one[1].seconds)
    )
    legend = tuple((results.colours[label], results.row(label)) for label in paces)
    return SpeedView(tuple(drawn), legend, numbers, note)


def _plot(
    results: Results,
    tables: Sequence[Table],
    dataset: Dataset,
    column: Column,
    paces: Mapping[str, Pace],
    words: Words,
) -> plots.Drawing | None:
    points: list[plots.Point] = []
    colours = results.colours
    for label, interval in _means(tables, dataset, column).items():
        if label in paces:
            pace = paces[label]
            x = Interval(pace.seconds, pace.low, pace.high, pace.n, 0, "none")
            points.append(plots.Point(results.shown(label), colours[label], x, interval))
    title = column.title(words)
    drawing = plots.scatter(
        f"{words('plot_speed')} {title}, {dataset.name}",
        words("plot_speed_about"),
        words("axis_pace"),
        with_direction_up(column, words),
        points,
        log_x=True,
        named=False,
    )
    return plots.Drawing(f"{title} · {dataset.name}", drawing) if drawing else None


def with_direction_up(column: Column, words: Words) -> str:
    """The title of a vertical axis: `↑ better, PSNR (dB)` or `↓ better, LSE-D`."""
    shown = with_direction(column.title(words), column.output.unit, "none", words)
    return words("axis_up" if column.output.better == "higher" else "axis_down", axis=shown)


def _means(tables: Sequence[Table], dataset: Dataset, column: Column) -> dict[str, Interval]:
    """Each method's mean from the first table that has one."""
    found: dict[str, Interval] = {}
    for table in tables:
        for block in table.blocks:
            for one in block.columns:
                if (block.dataset.name, one.column) != (dataset.name, column):
                    continue
                for label, entry in one.standing.entries.items():
                    if entry.interval is not None and not entry.is_apart:
                        found.setdefault(label, entry.interval)
    return found


def _machine(run: Run, words: Words) -> str:
    """A short description of the run's machine."""
    hardware = run.manifest.hardware
    name = hardware.get("gpu") or hardware.get("processor") or hardware.get("machine")
    cores = hardware.get("cores") or hardware.get("cpus")
    device = hardware.get("device")
    parts = [str(name)] if name else []
    parts += [words("speed_cores", n=cores)] if cores else []
    parts += [words("speed_device", device=device)] if device else []
    return words.listed(parts) or words("speed_unknown")


def _short(seconds: float) -> str:
    return fixed(seconds, digits=2 if seconds >= 0.1 else 4)
