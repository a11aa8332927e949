"""What the Inception of FID sees of every fifth frame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pydantic

import bench
from metrics.regions import Region, whole_boxes

if TYPE_CHECKING:
    from metrics.features.inception.network import Inception

BATCH = 4  # frames that go through the network together; changes speed, not values


class InceptionFeatures(bench.Feature):
    """Features of FID: 2,048 numbers for every fifth frame, of TensorFlow's Inception of 2015.

    Frames of one clip are nearly copies of one another: all of them would make a set look large.
    The region is that of the video's own face track.

    Reads: video, (T, H, W, 3) uint8 RGB; for regions face and mouth the face track, rounded
        outwards to whole pixels and clipped.
    Gives: features, (K, 2048) float32, at least 0; frames, (K,) int64, which frames these are.
    Raises: Undefined without frames, without a face, or where the region lies outside the frame.
        BenchError without the weights `inception_fid`.
    Source: Heusel et al. 2017, arXiv:1706.08500; toshas/torch-fidelity, whose values it equals.
    """

    name, version = "inception", "1"
    source = "arXiv:1706.08500; toshas/torch-fidelity 0.4.0"
    reads = frozenset({"video", "faces"})
    arrays: ClassVar = {
        "features": "(K, 2048) float32, at least 0",
        "frames": "(K,) int64, the frames' places in the video",
    }
    memory = 500_000_000

    class Options(bench.Options):
        """region: what of a frame is looked at; every: one frame of so many."""

        region: Region = "face"
        every: int = pydantic.Field(default=5, ge=1)

    options: Options
    _network: Inception | None = None
    _device = "cpu"

    @property
    def weights(self) -> tuple[str, ...]:
        """TensorFlow's, as a file of torch."""
        return ("inception_fid",)

    @property
    def protocol(self) -> str:
        """Network, region and detector, which frames, how they are resized."""
        region, every = self.options.region, self.options.every
        place = region if region == "frame" else region + ":{faces}"
        frames = {1: "every frame", 2: "every 2nd", 3: "every 3rd"}.get(every, f"every {every}th")
        return f"inception-2015; {place}; {frames}; tf1 bilinear 299"

    def load(self, device: str) -> None:
        """Reads the network's weights."""
        from bench.files import weights
        from metrics.features.inception import network

        self._network = network.load(weights.find("inception_fid")).to(device)
        self._device = device

    def compute(self, video: bench.Video) -> bench.Arrays:
        """The features of a video."""
        import torch

        from metrics.features.inception.network import DIMENSIONS, scaled

        if self._network is None:
            raise RuntimeError("call load(device) before compute")
        frames = np.arange(0, len(video.read()), self.options.every)
        if not len(frames):
            raise bench.Undefined("no frames")
        features = np.empty((len(frames), DIMENSIONS), np.float32)
        places = iter(range(len(frames)))
        with torch.inference_mode():
            for group in _of_one_shape(self._regions(video, frames)):
                pictures = torch.from_numpy(np.stack(group)).to(self._device)
                for row in self._network(scaled(pictures)).cpu().numpy():
                    features[next(places)] = row
        return {"features": features, "frames": frames}

    def _regions(self, video: bench.Video, frames: np.ndarray) -> Iterator[bench.Frame]:
        every = video.read()
        if self.options.region == "frame":
            yield from every[frames]
            return
        track = video.faces()
        boxes = track.boxes if self.options.region == "face" else track.mouths
        for frame, box in zip(frames, whole_boxes(boxes[frames], every.shape[1:3]), strict=True):
            left, top, right, bottom = box.tolist()
            if left >= right or top >= bottom:
                raise bench.Undefined(f"the region lies outside frame {frame}")
            yield every[frame, top:bottom, left:right]


def _of_one_shape(pictures: Iterator[bench.Frame]) -> Iterator[list[bench.Frame]]:
    """Neighbours of one shape, at most BATCH of them."""
    group: list[bench.Frame] = []
    for picture in pictures:
        if group and (len(group) == BATCH or group[0].shape != picture.shape):
            yield group
            group = []
        group.append(picture)
    if group:
        yield group


@bench.hookimpl
def register_features() -> list[type[bench.Feature]]:
    """Registers inception."""
    return [InceptionFeatures]
