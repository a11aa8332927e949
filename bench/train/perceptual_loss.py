"""How unlike a generated face looks its target, in what a frozen network sees of both: a loss.

Source: Zhang et al. 2018, arXiv:1801.03924. LPIPS is the name of the distance with a trunk that was
trained on ImageNet and its weights of the channels (`bench.networks.lpips`). Whoever lacks the
trunk gets the distance of this project's network (`bench.networks.face_features`), which is not
LPIPS and never bears its name.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from bench.ground.errors import BenchError
from bench.train.settings import PerceptualNet

PROJECT = "perceptual[project]"
MEAN, DEVIATION = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of LPIPS, for [-1, 1]


class PerceptualLoss:
    """The mean distance of faces (B, 3, 96, 96), RGB in [0, 1]; has gradients for the first.

    name: "LPIPS[alex v0.1]", "LPIPS[vgg v0.1]" or "perceptual[project]".
    """

    def __init__(
        self,
        name: str,
        see: Callable[[Tensor], Sequence[Tensor]],
        apart: Callable[[Sequence[Tensor], Sequence[Tensor]], Tensor],
    ) -> None:
        self.name = name
        self._see = see
        self._apart = apart

    def __call__(self, made: Tensor, target: Tensor) -> Tensor:
        """The distance, averaged over faces; networks run as autocast says, the rest in float32."""
        with torch.no_grad():
            wanted = [features.float() for features in self._see(target)]
        seen = [features.float() for features in self._see(made)]
        with torch.autocast(made.device.type, enabled=False):
            return self._apart(seen, wanted).mean()

    @classmethod
    def of(cls, net: PerceptualNet, device: torch.device, log: logging.Logger) -> PerceptualLoss:
        """The loss by a network.

        net: "found" is LPIPS by AlexNet if its trunk is here (`bench weights list`), else the
        project's network, which the log then says. Raises BenchError if a named trunk is missing.
        """
        from bench.files import weights

        if net == "project":
            return cls._of_project(device)
        wanted = "alexnet" if net in ("found", "alex") else "vgg16"
        try:
            path = weights.find(wanted)
        except BenchError as error:
            if net != "found":
                raise
            log.info("the perceptual loss is %s, not LPIPS: %s", PROJECT, error)
            return cls._of_project(device)
        return cls._of_trunk("vgg" if net == "vgg" else "alex", path, device)

    @classmethod
    def _of_project(cls, device: torch.device) -> PerceptualLoss:
        from bench.networks.face_features.network import distance, load_face_features

        return cls(PROJECT, load_face_features().to(device), distance)

    @classmethod
    def _of_trunk(cls, net: str, path: Path, device: torch.device) -> PerceptualLoss:
        from bench.networks.lpips import LINEAR
        from bench.networks.lpips.distance import layer_distance
        from bench.networks.lpips.trunks import Net, linear_layers, load_trunk

        kind: Net = "vgg" if net == "vgg" else "alex"
        trunk = load_trunk(kind, path).to(device)
        linear = [layer.to(device) for layer in linear_layers(LINEAR, kind)]
        mean, deviation = (
            torch.tensor(values, device=device)[None, :, None, None] for values in (MEAN, DEVIATION)
        )

        def see(faces: Tensor) -> Sequence[Tensor]:
            seen: Sequence[Tensor] = trunk((2.0 * faces - 1.0 - mean) / deviation)
            return seen

        def apart(seen: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
            parts = [
                layer_distance(torch.cat([one, other]), weights)
                for one, other, weights in zip(seen, wanted, linear, strict=True)
            ]
            return torch.stack(parts).sum(dim=0)

        return cls(f"LPIPS[{kind} v0.1]", see, apart)
