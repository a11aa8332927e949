"""What I3D sees of a video, 16 frames at a time: the features of FVD."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

import bench
from bench.files.intact import sha256_here
from metrics.regions import Region, whole_boxes

if TYPE_CHECKING:
    from metrics.features.i3d.network import I3d


class I3dFeatures(bench.Feature):
    """Features of FVD: 400 numbers for every 16 frames, I3D's before the softmax of Kinetics-400.

    Windows follow one another without overlap; a rest of fewer than 16 frames is left out. The
    region is that of the video's own face track; each frame of it is resized to 224x224.

    Reads: video, (T, H, W, 3) uint8 RGB, T >= 16; for regions face and mouth the face track.
    Gives: features, (K, 400) float32, K = T // 16.
    Raises: Undefined for fewer than 16 frames, without a face, or where the region lies outside the
        frame. BenchError where the file of `weights` is missing or holds something else.
    Source: Carreira and Zisserman 2017, arXiv:1705.07750; Unterthiner et al. 2019,
        arXiv:1812.01717; universome/stylegan-v.
    """

    name, version = "i3d", "1"
    source = "arXiv:1705.07750; universome/stylegan-v @ 1f630af5"
    reads = frozenset({"video", "faces"})
    arrays: ClassVar = {"features": "(K, 400) float32"}
    needs = ("weights of I3D, converted once by `python -m metrics.features.i3d.convert`",)
    memory = 1_000_000_000

    class Options(bench.Options):
        """weights: what `convert` wrote; region: what of a frame is looked at."""

        weights: Path
        region: Region = "face"

    options: Options
    _network: I3d | None = None
    _device = "cpu"

    @property
    def protocol(self) -> str:
        """The weights' digest, region and detector, frames and size."""
        region = self.options.region
        place = region if region == "frame" else region + ":{faces}"
        try:
            digest = self._digest()[:8]
        except bench.BenchError:  # loading says so, cell by cell
            digest = "missing"
        return f"i3d@{digest}; {place}; 16 frames; bilinear 224"

    def identity(self) -> Mapping[str, object]:
        """The digest of the weights."""
        return {"i3d": self._digest()}

    def load(self, device: str) -> None:
        """Reads the weights."""
        from metrics.features.i3d import network

        self._digest()
        self._network = network.load(self.options.weights.expanduser()).to(device)
        self._device = device

    def compute(self, video: bench.Video) -> bench.Arrays:
        """The features of a video."""
        import torch

        from metrics.features.i3d.network import CLASSES, WINDOW, scaled

        if self._network is None:
            raise RuntimeError("call load(device) before compute")
        frames = video.read()
        count = len(frames) // WINDOW
        if not count:
            raise bench.Undefined(f"needs {WINDOW} frames, got {len(frames)}")
        features = np.empty((count, CLASSES), np.float32)
        with torch.inference_mode():
            for place in range(count):
                window = slice(place * WINDOW, (place + 1) * WINDOW)
                pictures = self._regions(video, window)
                parts = [torch.from_numpy(picture)[None, None] for picture in pictures]
                seen = torch.cat([scaled(part.to(self._device)) for part in parts], dim=2)
                features[place] = self._network(seen)[0].cpu().numpy()
        return {"features": features}

    def _regions(self, video: bench.Video, window: slice) -> list[bench.Frame]:
        frames = video.read()
        if self.options.region == "frame":
            return [frame.copy() for frame in frames[window]]  # torch wants to own what it reads
        track = video.faces()
        boxes = (track.boxes if self.options.region == "face" else track.mouths)[window]
        found: list[bench.Frame] = []
        places = whole_boxes(boxes, frames.shape[1:3]).tolist()
        for frame, (left, top, right, bottom) in zip(frames[window], places, strict=True):
            if left >= right or top >= bottom:
                raise bench.Undefined("the region lies outside the frame")
            found.append(frame[top:bottom, left:right].copy())
        return found

    def _digest(self) -> str:
        path = self.options.weights.expanduser()
        if not path.is_file():
            raise bench.BenchError(
                f"{path}: weights of I3D are not here; `python -m metrics.features.i3d.convert` "
                "writes them"
            )
        return sha256_here(path)


@bench.hookimpl
def register_features() -> list[type[bench.Feature]]:
    """Registers i3d."""
    return [I3dFeatures]
