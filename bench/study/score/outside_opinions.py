"""Correlates mean opinion scores from elsewhere with metrics: SRCC, PLCC and KRCC with intervals.

By clip, each video is a point, and the interval draws clips, each with all of its videos. By
method, each method is a point, with means over the videos that have both a score and a value; the
interval draws clips and not methods, so it holds for these methods. Raters are not drawn, since
a table of means does not have them: the intervals cover other clips, but no other people.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from bench.ground.errors import BenchError
from bench.ground.stats import RESAMPLES
from bench.records.reading import read_manifest
from bench.study.read.opinion_table import OutsideOpinion
from bench.study.score.bootstrap import Bootstrap, Draws, drawn_means, with_interval
from bench.study.score.coefficients import (
    kendall,
    weighted_kendall,
    weighted_pearson,
    weighted_spearman,
)
from bench.study.score.correlation import CLIPS_LEAST, POINTS_LEAST
from bench.study.score.metric_values import MetricColumn, metric_columns
from bench.study.score.ratings import Clip, Floats
from bench.study.score.scores import Estimate, Level

Coefficient: TypeAlias = Literal["srcc", "plcc", "krcc"]
COEFFICIENTS: tuple[Coefficient, ...] = ("srcc", "plcc", "krcc")
_CELLS_AT_ONCE = 2_000_000  # draws times points; bounds the memory
_TAU_PAIRS = 10_000_000_000  # draws times pairs of points, for Kendall's tau
_TAU_DRAWS = 200  # at least


@dataclass(frozen=True)
class RatedVideo:
    """A video with its mean opinion score, under the names of its clip and method."""

    clip: Clip
    method: str
    mos: float


@dataclass(frozen=True)
class OutsideCorrelation:
    """One coefficient of one output. estimate.n: points; its reason: why it, or its interval, is
    not there."""

    metric: str
    output: str
    unit: str
    better: str
    protocol: str
    level: Level
    coefficient: Coefficient
    estimate: Estimate


def match_run(
    opinions: Sequence[OutsideOpinion], folder: Path
) -> tuple[list[RatedVideo], list[tuple[str, str]]]:
    """The opinions as videos of a run, and those that are none, each with the reason.

    A method is named by its label or its title. Raises BenchError for a video with two opinions.
    """
    manifest = read_manifest(folder)
    labels = {method.title.casefold(): method.label for method in manifest.methods if method.title}
    labels |= {method.label.casefold(): method.label for method in manifest.methods}
    clips: dict[str, list[Clip]] = {}
    for case in manifest.cases:
        clips.setdefault(case.id, []).append((case.dataset, case.id))
    found: list[RatedVideo] = []
    unmatched: list[tuple[str, str]] = []
    for one in opinions:
        label = labels.get(one.method.casefold())
        own = [clip for clip in clips.get(one.case, []) if one.dataset in ("", clip[0])]
        if label is None:
            unmatched.append((one.file, f"the run has no method {one.method!r}"))
        elif not own:
            unmatched.append((one.file, f"the run has no case {one.case!r}"))
        elif len(own) > 1:
            names = ", ".join(clip[0] for clip in own)
            unmatched.append((one.file, f"case {one.case!r} is in {names}: name {{dataset}}"))
        else:
            found.append(RatedVideo(own[0], label, one.mos))
    return _once(found), unmatched


def match_values(
    opinions: Sequence[OutsideOpinion], path: Path
) -> tuple[list[RatedVideo], tuple[MetricColumn, ...], list[tuple[str, str]]]:
    """The opinions as videos of a csv that `bench score -o` wrote, with its values.

    A file is found by its path without ending, or by its name without ending where the csv has one
    such name. Raises BenchError for a csv of another kind.
    """
    rows = _value_rows(path)
    named: dict[str, set[str]] = {}
    for row in rows:
        for key in (row["name"], row["name"].rpartition("/")[2]):
            named.setdefault(key, set()).add(row["name"])
    found: list[RatedVideo] = []
    places: dict[str, tuple[Clip, str]] = {}
    unmatched: list[tuple[str, str]] = []
    for one in opinions:
        text = one.file.replace("\\", "/")
        whole = text.rpartition(".")[0] if "." in text.rpartition("/")[2] else text
        names = named.get(whole) or named.get(whole.rpartition("/")[2], set())
        if len(names) != 1:
            why = "no value of this video" if not names else "several videos have this name"
            unmatched.append((one.file, f"{path}: {why}"))
            continue
        place = (("", one.case), one.method)
        found.append(RatedVideo(*place, one.mos))
        places[next(iter(names))] = place
    columns: dict[tuple[str, str, str], MetricColumn] = {}
    values: dict[tuple[str, str, str], dict[tuple[Clip, str], float]] = {}
    for row in rows:
        column = (row["metric"], row["output"], row["protocol"])
        own = values.setdefault(column, {})
        if row["status"] == "ok" and row["name"] in places:
            own[places[row["name"]]] = float(row["value"])
        columns.setdefault(column, _column(path, row, own))
    return _once(found), tuple(columns.values()), unmatched


def run_columns(folder: Path) -> tuple[MetricColumn, ...]:
    """The outputs of a run that have a value for each clip."""
    return tuple(column for column in metric_columns(folder) if not column.is_set)


def correlate_outside(
    videos: Sequence[RatedVideo],
    columns: Sequence[MetricColumn],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> list[OutsideCorrelation]:
    """All coefficients of all columns, by clip and, where there are methods, by method."""
    bootstrap = Bootstrap(seed, resamples)
    found: list[OutsideCorrelation] = []
    for column in columns:
        known = [one for one in videos if (one.clip, one.method) in column.by_clip]
        values = np.array([column.by_clip[one.clip, one.method] for one in known])
        opinions = np.array([one.mos for one in known])
        estimates = _by_clip(known, values, opinions, bootstrap)
        found += [_correlation(column, "clip", *one) for one in estimates.items()]
        if any(one.method for one in known):
            estimates = _by_method(known, values, opinions, bootstrap)
            found += [_correlation(column, "method", *one) for one in estimates.items()]
    return found


def coefficient(name: Coefficient, values: Floats, opinions: Floats, weights: Floats) -> Floats:
    """A coefficient of N points in B draws, each counted `weights` (B, N) times: (B,)."""
    if name == "krcc":
        return weighted_kendall(values, opinions, weights)
    take = _weighted(name)
    step = max(1, _CELLS_AT_ONCE // max(len(values), 1))
    parts = [
        take(np.broadcast_to(values, part.shape), np.broadcast_to(opinions, part.shape), part)
        for start in range(0, len(weights), step)
        for part in [weights[start : start + step]]
    ]
    return np.concatenate(parts)


def coefficient_of_rows(name: Coefficient, values: Floats, opinions: Floats) -> Floats:
    """A coefficient of M points in each of B rows, of (B, M) values and opinions: (B,)."""
    if name == "krcc":
        return kendall(values, opinions)
    return _weighted(name)(values, opinions, np.ones_like(values))


def _weighted(name: Coefficient) -> Callable[[Floats, Floats, Floats], Floats]:
    return weighted_spearman if name == "srcc" else weighted_pearson


def _by_clip(
    videos: Sequence[RatedVideo], values: Floats, opinions: Floats, bootstrap: Bootstrap
) -> dict[Coefficient, Estimate]:
    found = _estimates(values, opinions, "videos with a value and a score")
    names = sorted({one.clip for one in videos})
    places = {clip: place for place, clip in enumerate(names)}
    member = np.array([places[one.clip] for one in videos], dtype=np.intp)
    for name, estimate in found.items():
        if estimate.value is None:
            continue
        if len(names) < CLIPS_LEAST:
            reason = f"no interval: fewer than {CLIPS_LEAST} clips to draw from"
            found[name] = replace(estimate, reason=reason)
            continue
        draws = bootstrap.draw(1, len(names)).clips
        if name == "krcc":
            draws = draws[: max(_TAU_DRAWS, _TAU_PAIRS // len(videos) ** 2)]
        drawn = coefficient(name, values, opinions, draws[:, member])
        found[name] = with_interval(estimate.value, drawn, estimate.n)
    return found


def _by_method(
    videos: Sequence[RatedVideo], values: Floats, opinions: Floats, bootstrap: Bootstrap
) -> dict[Coefficient, Estimate]:
    methods = sorted({one.method for one in videos})
    clips = sorted({one.clip for one in videos})
    tables = np.full((2, len(methods), len(clips)), np.nan)  # values and opinions
    for one, value, opinion in zip(videos, values, opinions, strict=True):
        place = methods.index(one.method), clips.index(one.clip)
        tables[0][place], tables[1][place] = value, opinion
    means = np.nanmean(tables, axis=2)  # (2, M)
    found = _estimates(means[0], means[1], "methods with values and scores")
    for name, estimate in found.items():
        if estimate.value is None:
            continue
        if len(clips) < CLIPS_LEAST:
            reason = f"no interval: fewer than {CLIPS_LEAST} clips to draw from"
            found[name] = replace(estimate, reason=reason)
            continue
        draws = Draws(np.ones((bootstrap.resamples, 1)), bootstrap.draw(1, len(clips)).clips)
        metric, opinion = (
            np.stack([drawn_means(row[None], draws) for row in table], axis=1) for table in tables
        )  # (B, M) each
        whole = ~(np.isnan(metric) | np.isnan(opinion)).any(axis=1)
        drawn = np.full(len(metric), np.nan)
        drawn[whole] = coefficient_of_rows(name, metric[whole], opinion[whole])
        found[name] = with_interval(estimate.value, drawn, estimate.n)
    return found


def _estimates(values: Floats, opinions: Floats, what: str) -> dict[Coefficient, Estimate]:
    count = len(values)
    if count < POINTS_LEAST:
        reason = f"{count} {what}; at least {POINTS_LEAST} are needed"
        return {name: Estimate(None, None, None, count, reason) for name in COEFFICIENTS}
    found: dict[Coefficient, Estimate] = {}
    for name in COEFFICIENTS:
        value = float(coefficient(name, values, opinions, np.ones((1, count)))[0])
        if np.isnan(value):
            which = "metric" if len(set(values.tolist())) == 1 else "score"
            reason = f"the {which} is the same for all {what}"
            found[name] = Estimate(None, None, None, count, reason)
        else:
            found[name] = Estimate(value, None, None, count)
    return found


def _correlation(
    column: MetricColumn, level: Level, name: Coefficient, estimate: Estimate
) -> OutsideCorrelation:
    return OutsideCorrelation(
        column.metric,
        column.output,
        column.unit,
        column.better,
        column.protocol,
        level,
        name,
        estimate,
    )


def _once(videos: list[RatedVideo]) -> list[RatedVideo]:
    seen: set[tuple[Clip, str]] = set()
    for one in videos:
        if (one.clip, one.method) in seen:
            raise BenchError(
                f"the table has two scores of the video of case {one.clip[1]!r} by "
                f"{one.method or 'no method'!r}; leave one of them out, or name the methods: "
                "a column `method`, or --names '{case}_{method}.mp4'."
            )
        seen.add((one.clip, one.method))
    return videos


def _value_rows(path: Path) -> list[dict[str, str]]:
    from bench.files.spreadsheets import plain_text

    wanted = {"name", "metric", "output", "value", "status", "protocol", "unit", "better"}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if not wanted <= set(reader.fieldnames or ()):
                raise BenchError(f"{path}: is no csv of `bench score -o FILE.csv`.")
            return [
                {key: plain_text(value or "") for key, value in row.items()}
                for row in reader
                if row["name"]
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BenchError(f"{path}: cannot be read: {error}.") from error


def _column(
    path: Path, row: Mapping[str, str], values: Mapping[tuple[Clip, str], float]
) -> MetricColumn:
    better = row["better"]
    return MetricColumn(
        run=path.stem,
        metric=row["metric"],
        output=row["output"],
        title=row["output"],
        unit=row["unit"],
        better="higher" if better == "higher" else "lower" if better == "lower" else "none",
        protocol=row["protocol"],
        is_set=False,
        by_clip=values,
        by_set={},
        kinds={},
    )
