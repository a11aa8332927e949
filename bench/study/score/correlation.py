"""Spearman's rank correlation between metrics and mean opinion scores, by clip and by method.

By clip, each method's video of each clip is a point. The interval resamples clips, each with all of
its videos, and keeps the mean opinion scores fixed: resampling raters too would add noise to the
ranks and bias every correlation towards zero. By method, each method is a point, with means over
the clips that have both a value and a rating. The interval resamples raters and clips but not
methods, so it holds for these methods, not for methods in general.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from bench.study.score.bootstrap import Bootstrap, Draws, drawn_means, with_interval
from bench.study.score.coefficients import weighted_spearman
from bench.study.score.metric_values import MetricColumn
from bench.study.score.ratings import Floats, Ratings, quotients
from bench.study.score.scores import Correlation, Estimate, Level, Point

POINTS_LEAST = 5  # with four points, even a perfect order has p = 1/12
CLIPS_LEAST = 5


def correlate(
    ratings: Ratings, columns: Sequence[MetricColumn], bootstrap: Bootstrap
) -> tuple[Correlation, ...]:
    """The correlations of one question with every metric; attention checks are not points."""
    found: list[Correlation] = []
    for column in columns:
        if not column.is_set:
            found.append(_by_clip(ratings, column, bootstrap))
        found.append(_by_method(ratings, column, bootstrap))
    return tuple(found)


def spearman(first: Floats, second: Floats) -> float | None:
    """Spearman's rho of two (N,) arrays, with mean ranks for ties; None if one is constant."""
    return _undefined_as_none(
        weighted_spearman(first[None], second[None], np.ones((1, len(first))))
    )


def _by_clip(ratings: Ratings, column: MetricColumn, bootstrap: Bootstrap) -> Correlation:
    opinions = _clip_means(ratings.values)  # (C, M)
    points: list[Point] = []
    clips: list[int] = []
    for place, clip in enumerate(ratings.clips):
        for layer, method in enumerate(ratings.methods):
            value, opinion = column.by_clip.get((clip, method)), opinions[place, layer]
            if value is not None and not np.isnan(opinion):
                points.append(Point(clip[0], clip[1], method, value, float(opinion)))
                clips.append(place)
    estimate = _point_estimate(points, "videos with a value and a rating")
    if estimate.value is not None and len(set(clips)) < CLIPS_LEAST:
        reason = f"no interval: fewer than {CLIPS_LEAST} clips to draw from"
        estimate = replace(estimate, reason=reason)
    elif estimate.value is not None:
        known, member = np.unique(clips, return_inverse=True)
        drawn = _clip_draws(points, bootstrap.draw(1, len(known)).clips[:, member])
        estimate = with_interval(estimate.value, drawn, estimate.n)
    return _correlation(ratings, column, "clip", estimate, points)


def _clip_draws(points: Sequence[Point], weights: Floats) -> Floats:
    """Rho over N points in each of B draws, each point counted `weights` (B, N) times: (B,)."""
    values = np.array([point.value for point in points])
    opinions = np.array([point.opinion for point in points])
    shape = weights.shape
    return weighted_spearman(
        np.broadcast_to(values, shape), np.broadcast_to(opinions, shape), weights
    )


def _by_method(ratings: Ratings, column: MetricColumn, bootstrap: Bootstrap) -> Correlation:
    if column.is_set and len(_sets(ratings, column)) > 1:
        reason = "a set metric has no single value for clips of several data sets or kinds"
        return _correlation(ratings, column, "method", Estimate(None, None, None, 0, reason), [])
    points: list[Point] = []
    values: list[Floats] = []  # metric values of each method, (C,)
    given: list[Floats] = []  # ratings of each method, (R, C)
    for method in ratings.methods:
        own = ratings.of_method(method)  # (R, C)
        of_clips = np.where(np.isnan(own).all(axis=0), np.nan, _values(ratings, column, method))
        if np.isnan(of_clips).all():
            continue
        own = np.where(np.isnan(of_clips), np.nan, own)
        points.append(
            Point(None, None, method, float(np.nanmean(of_clips)), float(np.nanmean(own)))
        )
        values.append(of_clips)
        given.append(own)
    estimate = _point_estimate(points, "methods with a value and ratings")
    if estimate.value is not None:
        estimate = with_interval(
            estimate.value, _method_draws(values, given, bootstrap), estimate.n
        )
    return _correlation(ratings, column, "method", estimate, points)


def _method_draws(
    values: Sequence[Floats], given: Sequence[Floats], bootstrap: Bootstrap
) -> Floats:
    """Rho over methods in each draw of raters and clips, (B,); NaN if a method has no rating."""
    rated = np.logical_or.reduce([~np.isnan(one) for one in given])  # (R, C)
    rows, places = rated.any(axis=1), rated.any(axis=0)
    given = [one[rows][:, places] for one in given]
    values = [one[places] for one in values]
    draws = bootstrap.draw(*given[0].shape)
    only_clips = Draws(np.ones((len(draws.clips), 1)), draws.clips)  # metrics have no raters
    metric = np.stack([drawn_means(one[None], only_clips) for one in values], axis=1)  # (B, M)
    opinion = np.stack([drawn_means(one, draws) for one in given], axis=1)  # (B, M)
    whole = ~(np.isnan(metric) | np.isnan(opinion)).any(axis=1)  # (B,)
    rho: Floats = np.full(len(metric), np.nan)
    rho[whole] = weighted_spearman(metric[whole], opinion[whole], np.ones_like(metric[whole]))
    return rho


def _values(ratings: Ratings, column: MetricColumn, method: str) -> Floats:
    """The metric's values for this method by clip, (C,); NaN if there is none."""
    values: Floats = np.full(len(ratings.clips), np.nan)
    for place, clip in enumerate(ratings.clips):
        of_set = column.by_set.get((clip[0], column.kinds.get(clip, ""), method))
        value = of_set if column.is_set else column.by_clip.get((clip, method))
        if value is not None:
            values[place] = value
    return values


def _sets(ratings: Ratings, column: MetricColumn) -> set[tuple[str, str]]:
    """The (data set, kind of case) pairs of the rated clips."""
    rated = (~np.isnan(ratings.values)).sum(axis=(0, 2))  # (C,)
    return {
        (clip[0], column.kinds.get(clip, ""))
        for clip, count in zip(ratings.clips, rated, strict=True)
        if count
    }


def _clip_means(values: Floats) -> Floats:
    """The mean over raters of (R, C, M): (C, M); NaN for unrated videos."""
    there = ~np.isnan(values)
    return quotients(np.where(there, values, 0.0).sum(axis=0), there.sum(axis=0))


def _point_estimate(points: Sequence[Point], what: str) -> Estimate:
    if len(points) < POINTS_LEAST:
        reason = f"{len(points)} {what}; at least {POINTS_LEAST} are needed"
        return Estimate(None, None, None, len(points), reason)
    values = np.array([point.value for point in points])
    opinions = np.array([point.opinion for point in points])
    rho = spearman(values, opinions)
    if rho is None:
        which = "metric" if len(set(values)) == 1 else "opinion"
        return Estimate(None, None, None, len(points), f"the {which} is the same for all {what}")
    return Estimate(rho, None, None, len(points))


def _undefined_as_none(rho: Floats) -> float | None:
    return None if np.isnan(rho[0]) else float(rho[0])


def _correlation(
    ratings: Ratings, column: MetricColumn, level: Level, rho: Estimate, points: Sequence[Point]
) -> Correlation:
    better: Literal["higher", "lower", "none"] = column.better
    return Correlation(
        run=column.run,
        question=ratings.question,
        metric=column.metric,
        output=column.output,
        title=column.title,
        unit=column.unit,
        better=better,
        protocol=column.protocol,
        level=level,
        rho=rho,
        points=tuple(points),
    )
