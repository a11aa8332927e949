"""LPIPS: how far apart two pictures are in what a network trained on ImageNet sees of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Literal

import pydantic

import bench
from bench.networks.lpips import LINEAR, linear_digest
from metrics.regions import Region, region_pairs

if TYPE_CHECKING:
    from torch import Tensor

    from bench.networks.lpips.distance import Pair
    from bench.networks.lpips.trunks import Trunk


class Lpips(bench.ClipMetric):
    """LPIPS of Zhang et al. 2018, version 0.1, mean over frames.

    d = sum over five layers of the mean over places of sum_c w_c (f_c(x) - f_c(y))^2, f what a
    trunk's ReLU passes on, divided by its length over channels. The value depends much on the size
    of the pictures: the region is scaled to `size` pixels square, by areas where that shrinks it,
    else bilinearly; with `size: native` it stays as it is.

    Reads: video and reference, (T, H, W, 3) uint8 RGB of one shape; for regions face and mouth
        the truth's face track, rounded outwards to whole pixels and clipped.
    Output: lpips, without unit, lower is better, 0 for equal frames, usually below 0.8.
    Raises: Undefined where there is no face, where the region lies outside the frame, or where it
        is too small for the trunk (31 pixels for AlexNet, 16 for VGG). BenchError where the shapes
        differ, or without the trunk's weights.
    Source: Zhang et al. 2018, arXiv:1801.03924; richzhang/PerceptualSimilarity, lpips 0.1.4, whose
        values this equals. The linear layers are its numbers (BSD-2-Clause).
    """

    name, version = "lpips", "1"
    source = "arXiv:1801.03924; richzhang/PerceptualSimilarity, lpips 0.1.4"
    licence = "BSD-2-Clause (linear layers); BSD-3-Clause (torchvision's trunks)"
    reads = frozenset({"video", "faces", "reference"})
    outputs = (bench.Output("lpips", unit="", better="lower", best=0.0, low=0.0, title="LPIPS"),)
    sees = frozenset({"blur", "noise", "frozen"})
    memory = 200_000_000

    class Options(bench.Options):
        """net: AlexNet or VGG-16; region: what is compared; size: of its side, in pixels."""

        net: Literal["alex", "vgg"] = "alex"
        region: Region = "face"
        size: Literal["native"] | Annotated[int, pydantic.Field(ge=32, le=2048)] = 256

    options: Options
    _trunk: Trunk | None = None
    _linear: list[Tensor]

    @property
    def weights(self) -> tuple[str, ...]:
        """The trunk's, trained on ImageNet."""
        return ("alexnet",) if self.options.net == "alex" else ("vgg16",)

    def identity(self) -> Mapping[str, object]:
        """The digest of the linear layers."""
        return {"linear": linear_digest()}

    @property
    def protocol(self) -> str:
        """Network and version, region and detector, colour space, size."""
        region = self.options.region
        place = region if region == "frame" else region + ":{faces}"
        return f"lpips[{self.options.net} v0.1; {place}; rgb; {self.options.size}]"

    def load(self, device: str) -> None:
        """Reads the trunk's weights and the linear layers."""
        from bench.files import weights
        from bench.networks.lpips.trunks import WEIGHTS, linear_layers, load_trunk

        net = self.options.net
        self._trunk = load_trunk(net, weights.find(WEIGHTS[net])).to(device)
        self._linear = [layer.to(device) for layer in linear_layers(LINEAR, net)]

    def measure(self, sample: bench.Sample) -> dict[str, float]:
        """The clip's mean LPIPS."""
        from bench.networks.lpips.distance import distances

        if self._trunk is None:
            raise RuntimeError("call load(device) before measure")
        values = list(distances(self._pairs(sample), self._trunk, self._linear))
        return {"lpips": sum(values) / len(values)}

    def _pairs(self, sample: bench.Sample) -> Iterator[Pair]:
        from bench.networks.lpips.distance import resized
        from bench.networks.lpips.trunks import LEAST

        side, least = self.options.size, LEAST[self.options.net]
        for truth, made in region_pairs(sample, self.options.region):
            height, width = truth.shape[:2]
            if truth.size == 0:
                raise bench.Undefined("the region lies outside the frame")
            if side == "native" and min(height, width) < least:
                raise bench.Undefined(
                    f"the region is {width}x{height} pixels in a frame, smaller than the {least}"
                    f" that LPIPS' network {self.options.net} needs; give a `size`"
                )
            if side == "native":
                yield truth, made
            else:
                yield resized(truth, side), resized(made, side)


@bench.hookimpl
def register_metrics() -> list[type[bench.Metric]]:
    """Registers lpips."""
    return [Lpips]
