"""The Frechet distance of a set with its interval over clips; for FID and FVD alike."""

from __future__ import annotations

import bench
from metrics.distributions.feature_rows import FeatureRows
from metrics.distributions.frechet import frechet_distance
from metrics.distributions.resampling import groups_of, interval

LEAST_ROWS = 2  # of a covariance


def frechet_with_interval(rows: FeatureRows, references: FeatureRows) -> tuple[float, float, float]:
    """The distance and the ends of its 95 % interval, all at least 0.

    rows, references: of equal sets of at least two clips. Raises Undefined where leaving out a
    group of clips leaves fewer than two rows.
    """
    made, recorded = rows.rows(), references.rows()
    groups = groups_of(rows.clips)[rows.places()]
    count = int(groups.max()) + 1
    kept = [groups != left_out for left_out in range(count)]
    if min(int(each.sum()) for each in kept) < LEAST_ROWS:
        raise bench.Undefined(f"{len(made)} features of {rows.clips} clips are too few")
    value = frechet_distance(made, recorded)
    without = [frechet_distance(made, recorded, kept=each, fast=True) for each in kept]
    low, high = interval(value, without)
    return value, max(0.0, low), max(0.0, high)
