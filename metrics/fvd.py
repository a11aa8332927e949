"""FVD: how far generated videos are from recorded ones as distributions of I3D's features."""

from __future__ import annotations

import bench
from metrics.distributions.rows_metric import RowsMetric


class Fvd(RowsMetric):
    """Frechet distance of the I3D features of videos and recordings, one value for a set.

    Each 16 frames are one sample of 400 numbers; with fewer than some hundreds of them the value is
    far too large, by an amount that depends on how many. So the number stands beside it
    (`fvd_windows`), and sets with missing videos have no value. The interval leaves out groups of
    clips in turn (jackknife), and is that of the value at this number of windows.

    Reads: the feature i3d, of videos and references.
    Output: fvd, lower is better, 0 for the recordings themselves, no upper end; fvd_low, fvd_high,
        its 95 % interval; fvd_windows, fvd_clips, over how many of each.
    Raises: Undefined for fewer than two clips, for sets in which a video is missing, where videos
        and references have other numbers of windows, and for videos shorter than 16 frames.
    Source: Unterthiner et al. 2019, arXiv:1812.01717; universome/stylegan-v.
    Deviations: all windows of a clip, one after another, where StyleGAN-V draws one at random.
    """

    name, version = "fvd", "1"
    feature, rows = "i3d", "windows"
    source = "arXiv:1812.01717; universome/stylegan-v @ 1f630af5"
    reads = frozenset({"i3d", "reference"})
    outputs = (
        bench.Output("fvd", unit="", better="lower", best=0.0, low=0.0, title="FVD"),
        bench.Output("fvd_low", unit="", better="none", low=0.0),
        bench.Output("fvd_high", unit="", better="none", low=0.0),
        bench.Output("fvd_windows", unit="windows", better="none", low=0.0, title="FVD's windows"),
        bench.Output("fvd_clips", unit="clips", better="none", low=0.0, title="FVD's clips"),
    )
    sees = frozenset({"blur:fvd", "noise:fvd", "frozen:fvd"})
    needs_whole_set = True


@bench.hookimpl
def register_metrics() -> list[type[bench.Metric]]:
    """Registers fvd."""
    return [Fvd]
