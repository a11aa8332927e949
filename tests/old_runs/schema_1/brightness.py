"""A whole plugin file as a user would write it: a clip metric, a set metric and a method."""

from __future__ import annotations

import bench


class Brightness(bench.ClipMetric):
    """Mean grey level of the video.

    Reads:   video (T, H, W, 3) uint8 RGB.
    Output:  brightness, grey levels in [0, 255]; framewise, the same of each frame.
    Raises:  Undefined if the video is black throughout.
    Source:  defined here.
    """

    name, version, source = "brightness", "1", "defined here"
    reads = frozenset({"video"})
    outputs = (
        bench.Output("brightness", unit="grey levels", better="none", low=0.0, high=255.0),
        bench.Output("framewise", unit="grey levels", better="none", curve=True),
    )

    class Options(bench.Options):
        """floor: taken off before the mean."""

        floor: int = 0

    options: Options

    def measure(self, sample: bench.Sample) -> bench.Values:
        framewise = sample.video.read().mean(axis=(1, 2, 3))  # (T,)
        mean = float(framewise.mean()) - self.options.floor
        if mean <= 0:
            raise bench.Undefined("the video is black")
        return {"brightness": mean, "framewise": [float(value) for value in framewise]}


class MeanBrightness(bench.SetMetric):
    """Mean grey level of a set of videos.

    Reads:   video (T, H, W, 3) uint8 RGB.
    Output:  mean_brightness, grey levels in [0, 255].
    Raises:  Undefined if there is no video.
    Source:  defined here.
    """

    name, version, source = "mean_brightness", "1", "defined here"
    reads = frozenset({"video"})
    outputs = (bench.Output("mean_brightness", unit="grey levels", better="none"),)

    def start(self) -> list[float]:
        return []

    def update(self, summary: list[float], video: bench.Video) -> None:
        summary.append(float(video.read().mean()))

    def compute(self, summary: list[float], references: None) -> dict[str, float]:
        if not summary:
            raise bench.Undefined("there is no video")
        return {"mean_brightness": sum(summary) / len(summary)}


class Dimmed(bench.Method):
    """The recording at half its brightness; fails on a clip called `three`.

    Needs:   nothing.
    Source:  defined here.
    Weights: none.
    Deviations: none.
    """

    name, version, source = "dimmed", "1", "defined here"

    def generate(self, job: bench.Job) -> bench.Generation:
        if job.case.face.id == "three":
            raise RuntimeError("this method cannot do this clip")
        frames = job.face.read()
        return bench.Generation([frames[i % len(frames)] // 2 for i in range(job.frames)])


@bench.hookimpl
def register_methods() -> list[type[bench.Method]]:
    return [Dimmed]


@bench.hookimpl
def register_metrics() -> list[type[bench.Metric]]:
    return [Brightness, MeanBrightness]
