"""KID: as FID, but without its bias for small sets."""

from __future__ import annotations

import bench
from metrics.distributions.feature_rows import FeatureRows
from metrics.distributions.rows_metric import RowsMetric, Spread


class Kid(RowsMetric):
    """Kernel distance of the Inception features of videos and recordings, one value for a set.

    Squared maximum mean discrepancy with the kernel (x.y / 2048 + 1)^3, unbiased: its expectation
    does not depend on the number of frames, so it suits small sets, and differences of methods are
    better tested on it than on FID. For the recordings themselves it comes out slightly below 0.
    Over 1,000 frames it is the mean of 100 subsets of 1,000. The interval leaves out groups of
    clips in turn (jackknife).

    Reads: the feature inception (every fifth frame), of videos and references.
    Output: kid, lower is better, near 0 for the recordings themselves, may be negative; kid_low,
        kid_high, its 95 % interval; kid_frames, kid_clips, over how many of each.
    Raises: Undefined for fewer than two clips, where videos and references have other numbers of
        frames, and where a video has no face.
    Source: Binkowski et al. 2018, arXiv:1801.01401; equal to torch-fidelity 0.4.0, but for the
        draws of subsets.
    """

    name, version = "kid", "1"
    feature, rows = "inception", "frames"
    source = "arXiv:1801.01401; toshas/torch-fidelity 0.4.0"
    reads = frozenset({"inception", "reference"})
    outputs = (
        bench.Output("kid", unit="", better="lower", title="KID"),
        bench.Output("kid_low", unit="", better="none"),
        bench.Output("kid_high", unit="", better="none"),
        bench.Output("kid_frames", unit="frames", better="none", low=0.0, title="KID's frames"),
        bench.Output("kid_clips", unit="clips", better="none", low=0.0, title="KID's clips"),
    )
    sees = frozenset({"blur:kid", "noise:kid"})

    def distance(self, rows: FeatureRows, references: FeatureRows) -> Spread:
        """The kernel distance, and its interval."""
        from metrics.distributions.kernel import kernel_distance, without_each_block
        from metrics.distributions.resampling import groups_of, interval

        made, recorded = rows.rows(), references.rows()
        groups = groups_of(rows.clips)[rows.places()]
        if len(made) - max(int((groups == each).sum()) for each in groups) < 2:
            raise bench.Undefined(f"{len(made)} features of {rows.clips} clips are too few")
        value = kernel_distance(made, recorded)
        low, high = interval(value, list(without_each_block(made, recorded, groups)))
        return value, low, high


@bench.hookimpl
def register_metrics() -> list[type[bench.Metric]]:
    """Registers kid."""
    return [Kid]
