"""Does the picture change from frame to frame as much as the truth's, and in the same places?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

import bench
from bench.ground.types import Frame
from metrics.regions import Region, check_shapes, region_pairs, whole_boxes

Change = NDArray[np.float32]


def changes(frames: Iterable[Frame]) -> Iterator[Change]:
    """|I_t - I_(t-1)| of grey frames of one size, (h, w) float32 in [0, 255]; T - 1 of T."""
    import cv2

    before: NDArray[np.float32] | None = None
    for frame in frames:
        grey = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), dtype=np.float32)
        if before is not None:
            yield np.abs(grey - before)
        before = grey


class Flicker(bench.ClipMetric):
    """The mean absolute change of grey from frame to frame, against the reference's.

    Reads: video and reference, (T, H, W, 3) uint8 RGB of one shape; for regions face and mouth the
        truth's face track: the box around all of its boxes, which stands still.
    Output: flicker, the video's mean change divided by the truth's, from 0; 1 is as lively, more
        flickers, less is frozen or blurred: no direction. flicker_error, the mean over frames and
        pixels of how much the two changes differ, grey levels in [0, 255], lower is better.
    Raises: Undefined with fewer than two frames, where the truth does not change at all, where
        there is no face, or where the region lies outside the frame. BenchError where shapes
        differ.
    Source: the mean absolute change is defined here; flicker_error as the field's temporal flicker.
    """

    name, version, source = "flicker", "1", "defined here"
    reads = frozenset({"video", "faces", "reference"})
    outputs = (
        bench.Output("flicker", unit="1", better="none", best=1.0, low=0.0, title="flicker"),
        bench.Output(
            "flicker_error",
            unit="grey levels",
            better="lower",
            best=0.0,
            low=0.0,
            high=255.0,
            title="flicker error",
        ),
    )
    sees = frozenset({"blur", "noise", "frozen"})

    class Options(bench.Options):
        """region: what is compared; "frame" needs no face."""

        region: Region = "face"

    options: Options

    @property
    def protocol(self) -> str:
        """Region and detector, colour, size."""
        region = self.options.region
        return f"flicker[{region if region == 'frame' else region + ':{faces}'}; grey; native]"

    def measure(self, sample: bench.Sample) -> dict[str, float]:
        """The clip's values."""
        pairs = _still_region(sample, self.options.region)
        truths, mades = zip(*pairs, strict=True)
        if len(truths) < 2:
            raise bench.Undefined(f"needs at least two frames, got {len(truths)}")
        own = other = apart = 0.0
        for truth, made in zip(changes(truths), changes(mades), strict=True):
            own += float(truth.mean(dtype=np.float64))
            other += float(made.mean(dtype=np.float64))
            apart += float(np.abs(made - truth).mean(dtype=np.float64))
        if own == 0.0:
            raise bench.Undefined("the reference does not change from frame to frame")
        return {"flicker": other / own, "flicker_error": apart / (len(truths) - 1)}


def _still_region(sample: bench.Sample, region: Region) -> Iterable[tuple[Frame, Frame]]:
    """Pairs of the same part of each frame, the same in all frames: else a head would move it."""
    if region == "frame":
        return region_pairs(sample, region)
    if sample.reference is None:
        raise bench.BenchError(f"case {sample.case.id}: no reference to compare with")
    truth, made = sample.reference.read(), sample.video.read()
    check_shapes(truth, made, f"case {sample.case.id}: ")
    track = sample.reference.faces()
    boxes = whole_boxes(track.boxes if region == "face" else track.mouths, truth.shape[1:3])
    left, top = boxes[:, :2].min(axis=0)
    right, bottom = boxes[:, 2:].max(axis=0)
    if left >= right or top >= bottom:
        raise bench.Undefined("the region lies outside the frame")
    part = (slice(None), slice(top, bottom), slice(left, right))
    return zip(truth[part], made[part], strict=True)


@bench.hookimpl
def register_metrics() -> list[type[bench.Metric]]:
    """Registers flicker."""
    return [Flicker]
