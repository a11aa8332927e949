"""Where mouth, eyes, nose and jaw are in each frame: by the small network, or by MediaPipe's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import pydantic

import bench
from metrics.features.landmarks.small import settings

if TYPE_CHECKING:
    from metrics.features.landmarks.mesh import Mesh
    from metrics.features.landmarks.small.finder import SmallFinder


class Landmarks(bench.Feature, bench.Trainable):
    """The points of the one face that speaks, in every frame.

    small: a network of this project, shipped with it: 46 points of mouth, eyes, nose and jaw. mesh:
    MediaPipe's face landmarker (`bench weights pull face_mesh`): 478 points and 52 blendshapes;
    each frame is looked at where the one before had its points (`looks: track`), or twice from the
    face's box (`looks: 2pass`). No points are smoothed over time. Which point is which,
    bench/features/landmark_points.py says. A config's key `landmarks` sets the model.

    Reads: video (T, H, W, 3) uint8 RGB; the face track, for where to look.
    Gives: points, score, blendshapes, size, model; see `arrays`.
    Raises: Undefined where no frame shows a face, and for a video without frames. BenchError where
        the weights of the mesh are missing.
    Source: small: defined here. mesh: google-ai-edge/mediapipe @ 3b85afc, run by OpenCV.
    """

    name, version = "landmarks", "1"
    source = "defined here; mesh: google-ai-edge/mediapipe @ 3b85afc"
    reads = frozenset({"video", "faces"})
    arrays: ClassVar = {
        "points": "(T, P, 2) float32, x y in pixels of the frame",
        "score": "(T,) float32 in [0, 1], how sure the network is that it sees a face",
        "blendshapes": "(T, 52) float32 in [0, 1] of the mesh; (T, 0) of the small network",
        "size": "(2,) int64, height and width of the frames",
        "model": "() text: small, mesh",
    }
    tried_on = "talkers"

    class Options(bench.Options):
        """model: whose points; looks: how the mesh finds its crop (the small one has one way)."""

        model: Literal["small", "mesh"] = "small"
        looks: Literal["track", "2pass"] = "track"

        @pydantic.model_validator(mode="after")
        def _fits(self) -> Landmarks.Options:
            if self.model == "small" and self.looks != "track":
                raise ValueError("looks: 2pass goes with model: mesh only; leave it out")
            return self

    options: Options
    _mesh: Mesh | None = None
    _small: SmallFinder | None = None

    @property
    def weights(self) -> tuple[str, ...]:
        """The mesh's, where it is the model; the small network ships with the project."""
        return ("face_mesh",) if self.options.model == "mesh" else ()

    @property
    def protocol(self) -> str:
        """The model and, of the mesh, how it looks; the small one's faces decide where it looks."""
        return f"mesh:{self.options.looks}" if self.options.model == "mesh" else "small"

    def identity(self) -> Mapping[str, object]:
        """The digest of the small network's weights."""
        if self.options.model == "mesh":
            return {}
        from metrics.features.landmarks import small

        return {"small": small.digest()}

    def load(self, device: str) -> None:
        """Reads the weights. The mesh runs on the processor, wherever the others run."""
        if self.options.model == "mesh":
            from bench.files import weights
            from metrics.features.landmarks.mesh import Mesh

            self._mesh = Mesh(weights.find("face_mesh"))
            return
        from metrics.features.landmarks.small import WEIGHTS
        from metrics.features.landmarks.small.finder import SmallFinder

        self._small = SmallFinder(WEIGHTS, device=device)

    def compute(self, video: bench.Video) -> bench.Arrays:
        """The points of one video."""
        import numpy as np

        frames = video.read()
        if not len(frames):
            raise bench.Undefined("no frames")
        boxes = video.faces().boxes
        if len(boxes) != len(frames):
            raise bench.BenchError(
                f"{len(frames)} frames, but {len(boxes)} boxes in the face track; clear the cache "
                "of features and run again"
            )
        size = np.array(frames.shape[1:3], dtype=np.int64)
        if self._mesh is not None:
            seen = self._mesh.follow(frames, boxes, track=self.options.looks == "track")
            points = np.stack([one.points for one in seen])
            return {
                "points": points,
                "score": np.array([one.score for one in seen], dtype=np.float32),
                "blendshapes": np.stack([self._mesh.blendshapes(one) for one in points]),
                "size": size,
                "model": np.array("mesh"),
            }
        if self._small is None:
            raise RuntimeError("call load(device) before compute")
        points, score = self._small.find(frames, boxes)
        return {
            "points": points,
            "score": score,
            "blendshapes": np.zeros((len(frames), 0), dtype=np.float32),
            "size": size,
            "model": np.array("small"),
        }

    class Settings(settings.Settings):
        """Of the small network's training."""

    @classmethod
    def train(cls, job: bench.TrainJob[settings.Settings]) -> Path:
        """Trains the small network and returns its weights file."""
        from metrics.features.landmarks.small.training import train

        return train(job)


@bench.hookimpl
def register_features() -> list[type[bench.Feature]]:
    """Registers landmarks."""
    return [Landmarks]
