"""What metrics of feature distributions share: a set's summary is the rows of one feature."""

from __future__ import annotations

from typing import ClassVar

import bench
from metrics.distributions.feature_rows import FeatureRows, check_equal_sets

Spread = tuple[float, float, float]  # a value, and the ends of its 95 % interval


class RowsMetric(bench.SetMetric):
    """A distance of two sets of rows, with its interval, and over how many of each.

    feature: whose array `features` is read. rows: what one row stands for, in names of outputs.
    """

    feature: ClassVar[str]
    rows: ClassVar[str]

    @property
    def protocol(self) -> str:
        """The feature's: network, region, which frames, how they are resized."""
        return f"{self.name}[{{{self.feature}}}]"

    def start(self) -> FeatureRows:
        """No clips."""
        return FeatureRows()

    def update(self, rows: FeatureRows, video: bench.Video) -> None:
        """Takes in a video's features."""
        rows.add(video.feature(self.feature)["features"])

    def compute(self, rows: FeatureRows, references: FeatureRows) -> dict[str, float]:
        """The distance of a set, and how sure it is."""
        check_equal_sets(rows, references)
        value, low, high = self.distance(rows, references)
        return {
            self.name: value,
            f"{self.name}_low": low,
            f"{self.name}_high": high,
            f"{self.name}_{self.rows}": float(sum(rows.lengths)),
            f"{self.name}_clips": float(rows.clips),
        }

    def distance(self, rows: FeatureRows, references: FeatureRows) -> Spread:
        """The Frechet distance, unless a metric has another one."""
        from metrics.distributions.frechet_interval import frechet_with_interval

        return frechet_with_interval(rows, references)
