"""A method that shows the truth, cut by a known similarity."""

from __future__ import annotations

import cv2
import numpy as np

import bench


class Cutter(bench.Method):
    """Cuts a part out of each frame, which moves from frame to frame.

    Needs: a recording. Source: this file. Deviations: none.
    """

    name, version = "cutter", "1"
    source = "this file"
    licence = "Apache-2.0"

    class Options(bench.Options):
        """wrong: pixels by which the declared cut lies beside the true one."""

        height: int = 40
        width: int = 36
        wrong: float = 0.0
        first: int = 0
        left_out: int = 0

    options: Options

    @property
    def protocol(self) -> str:
        """What is shown."""
        return "output: crop"

    def load(self, device: str) -> None:
        """Nothing to load."""

    def generate(self, job: bench.Job) -> bench.Generation:
        """The truth, cut; the part begins 3 pixels left of the frame."""
        options, frames = self.options, job.face.read()
        true = np.tile(np.array([[0.98, 0.1, 3.0], [-0.1, 0.98, 2.0]]), (job.frames, 1, 1))
        true[:, 0, 2] += 0.3 * np.arange(job.frames)
        told = true.copy()
        told[:, 0, 2] += options.wrong
        size = (options.width, options.height)
        order = bench.forth_and_back(len(frames), job.frames)
        made = range(options.first, job.frames - options.left_out)
        return bench.Generation(
            video=(
                cv2.warpAffine(
                    frames[order[index]], true[index], size, borderMode=cv2.BORDER_REPLICATE
                )
                for index in made
            ),
            cut=bench.Cut(told, options.height, options.width),
            made=made,
        )


@bench.hookimpl
def register_methods() -> list[type[bench.Method]]:
    """The method."""
    return [Cutter]
