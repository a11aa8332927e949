"""FID: how far generated faces are from recorded ones as distributions of Inception's features."""

from __future__ import annotations

import bench
from metrics.distributions.rows_metric import RowsMetric


class Fid(RowsMetric):
    """Frechet distance of the Inception features of videos and recordings, one value for a set.

    N below 2,048 frames: the covariance has no full rank, and the value is too large by an amount
    that depends on N. So N stands beside it (`fid_frames`), sets with missing videos have no value,
    and only values over the same cases may be compared; `kid` has no such bias. The interval leaves
    out groups of clips in turn (jackknife), and is that of the value at this N.

    Reads: the feature inception (every fifth frame), of videos and references.
    Output: fid, lower is better, 0 for the recordings themselves, no upper end; fid_low, fid_high,
        its 95 % interval; fid_frames, fid_clips, over how many of each.
    Raises: Undefined for fewer than two clips, for sets in which a video is missing, where videos
        and references have other numbers of frames, and where a video has no face.
    Source: Heusel et al. 2017, arXiv:1706.08500; equal to torch-fidelity 0.4.0 and pytorch-fid.
    Deviations: every fifth frame of the face. Papers differ in that and mostly do not say it.
    """

    name, version = "fid", "1"
    feature, rows = "inception", "frames"
    source = "arXiv:1706.08500; toshas/torch-fidelity 0.4.0"
    reads = frozenset({"inception", "reference"})
    outputs = (
        bench.Output("fid", unit="", better="lower", best=0.0, low=0.0, title="FID"),
        bench.Output("fid_low", unit="", better="none", low=0.0),
        bench.Output("fid_high", unit="", better="none", low=0.0),
        bench.Output("fid_frames", unit="frames", better="none", low=0.0, title="FID's frames"),
        bench.Output("fid_clips", unit="clips", better="none", low=0.0, title="FID's clips"),
    )
    sees = frozenset({"blur:fid", "noise:fid"})
    needs_whole_set = True


@bench.hookimpl
def register_metrics() -> list[type[bench.Metric]]:
    """Registers fid."""
    return [Fid]
