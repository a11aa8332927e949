"""How far a face is from the recording's in what a network trained in this project sees of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pydantic

import bench
from bench.networks.face_features import digest
from metrics.last_of import LastOf
from metrics.regions import compared

if TYPE_CHECKING:
    import torch

    from bench.networks.face_crops import Boxes
    from bench.networks.face_features.network import FaceFeatures

BATCH = 32  # frames that go through the network together; changes speed, not values


class Perceptual(bench.ClipMetric):
    """Distance of faces in the features of an encoder trained on GRID by this project.

    For machines to which nothing was downloaded; its numbers are not LPIPS' and are not to be
    compared with them. The encoder is that of the shipped Wav2Lip, cut out of it: methods of this
    family may please it more than others would.

    Reads: video and reference, (T, H, W, 3) uint8 RGB of one shape; the truth's face track, whose
        boxes are taken as Wav2Lip takes them, resized to 96x96.
    Output: perceptual, without unit, lower is better, 0 for equal frames, at most 2; mean over
        every fifth frame, for neighbours are nearly copies.
    Raises: Undefined without frames or a face, and where its box lies outside the frame. BenchError
        where the shapes differ.
    Source: defined here (bench/networks/face_features); the form is that of Zhang et al. 2018,
        arXiv:1801.03924.
    """

    name, version, source = "perceptual", "1", "defined here"
    reads = frozenset({"video", "faces", "reference"})
    outputs = (bench.Output("perceptual", unit="", better="lower", best=0.0, low=0.0, high=2.0),)
    sees = frozenset({"blur", "noise", "frozen"})

    class Options(bench.Options):
        """every: one frame of so many is compared."""

        every: int = pydantic.Field(default=5, ge=1)

    options: Options
    _network: FaceFeatures | None = None

    def __init__(self, options: bench.Options | None = None) -> None:
        super().__init__(options)
        self._truth: LastOf[list[list[torch.Tensor]]] = LastOf()

    _device = "cpu"

    @property
    def protocol(self) -> str:
        """The network's digest, region and detector, colour space, size, which frames."""
        region = f"face features@{digest()[:8]}; wav2lip crop:{{faces}}; rgb; 96"
        return f"perceptual[{region}; one frame of {self.options.every}]"

    def identity(self) -> Mapping[str, object]:
        """The digest of the shipped weights."""
        return {"network": digest()}

    def load(self, device: str) -> None:
        """Reads the shipped weights."""
        from bench.networks.face_features.network import load_face_features

        self._network, self._device = load_face_features().to(device), device

    def measure(self, sample: bench.Sample) -> dict[str, float]:
        """The clip's mean distance."""
        import torch

        from bench.networks.face_crops import face_boxes
        from bench.networks.face_features.network import distance

        if self._network is None:
            raise RuntimeError("call load(device) before measure")
        truth, made, track = compared(sample)
        try:
            boxes = face_boxes(track, *truth.shape[1:3])
        except bench.BenchError as outside:  # all that it complains of
            raise bench.Undefined(str(outside)) from outside
        assert sample.reference is not None  # or `compared` would have raised
        chosen = np.arange(0, len(truth), self.options.every)
        parts = [chosen[start : start + BATCH] for start in range(0, len(chosen), BATCH)]
        with torch.inference_mode():
            wanted = self._truth.of(
                sample.reference,
                lambda: [self._seen(truth[part], boxes[part]) for part in parts],
            )
            total = 0.0
            for part, true in zip(parts, wanted, strict=True):
                total += float(distance(true, self._seen(made[part], boxes[part])).sum())
        return {"perceptual": total / len(chosen)}

    def _seen(self, frames: bench.Frames, boxes: Boxes) -> list[torch.Tensor]:
        """What the network sees of the faces in the boxes."""
        import torch

        from bench.networks.face_crops import crops

        assert self._network is not None
        faces = torch.from_numpy(crops(frames, boxes)).to(self._device).permute(0, 3, 1, 2)
        seen: list[torch.Tensor] = self._network(faces.float().div_(255.0))
        return seen


@bench.hookimpl
def register_metrics() -> list[type[bench.Metric]]:
    """Registers perceptual."""
    return [Perceptual]
