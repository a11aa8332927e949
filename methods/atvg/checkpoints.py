"""Files of networks trained here: AT-net, VG-net and what they know faces by, in one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from bench.ground.errors import BenchError
from bench.networks.checkpoints import description, load_weights, save_described
from methods.atvg.coding import Coding
from methods.atvg.landmarks import COMPONENTS, SCHEMES, Basis
from methods.atvg.layers import Recurrence
from methods.atvg.pictures import LandmarksToPictures
from methods.atvg.settings import Alignment, Moving, Size
from methods.atvg.sizes import new_pictures, new_speech
from methods.atvg.speech import SpeechToLandmarks

DESCRIBED = (
    *("network", "size", "landmarks", "components", "gain", "recurrence"),
    *("alignment", "moving", "seed", "trained_on"),
)
WHOLE, SPEECH = "atvg", "atvg_speech"  # the metadata's `network`


@dataclass(frozen=True)
class Origin:
    """Where trained networks come from, for the file's metadata. trained_on: the data, in words."""

    alignment: Alignment
    moving: Moving
    seed: int
    trained_on: str


@dataclass(frozen=True)
class Trained:
    """Both networks, on the CPU, float32, and the coding of faces that they know.

    pictures: None in a file of AT-net alone. known: the file's metadata.
    """

    speech: SpeechToLandmarks
    pictures: LandmarksToPictures | None
    coding: Coding
    size: Size
    known: Mapping[str, str]


class _Filed(nn.Module):
    """What a file holds, by name."""

    mean: Tensor
    basis_mean: Tensor
    components: Tensor
    deviations: Tensor

    def __init__(
        self,
        speech: SpeechToLandmarks,
        pictures: LandmarksToPictures | None,
        *,
        points: int,
        components: int,
    ) -> None:
        super().__init__()
        self.speech = speech
        if pictures is not None:
            self.pictures = pictures
        self.register_buffer("mean", torch.zeros(points, 2))
        self.register_buffer("basis_mean", torch.zeros(2 * points))
        self.register_buffer("components", torch.zeros(2 * points, components))
        self.register_buffer("deviations", torch.zeros(components))


def save_trained(
    path: Path,
    speech: SpeechToLandmarks,
    pictures: LandmarksToPictures | None,
    coding: Coding,
    *,
    size: Size,
    origin: Origin,
) -> None:
    """Writes safetensors in half precision, in one move; without pictures, AT-net alone.

    Raises BenchError if a weight is not finite in half precision, and OSError if the disk is full.
    """
    points, count = coding.scheme.count, len(coding.deviations)
    filed = _Filed(speech, pictures, points=points, components=count)
    with torch.no_grad():
        filed.mean.copy_(torch.from_numpy(coding.mean))
        filed.basis_mean.copy_(torch.from_numpy(coding.basis.mean))
        filed.components.copy_(torch.from_numpy(np.ascontiguousarray(coding.basis.components)))
        filed.deviations.copy_(torch.from_numpy(coding.deviations))
    described = {
        "network": SPEECH if pictures is None else WHOLE,
        "size": size,
        "landmarks": coding.scheme.name,
        "components": str(count),
        "gain": repr(coding.gain),
        "recurrence": "time" if pictures is None else pictures.recurrence,
        "alignment": origin.alignment,
        "moving": origin.moving,
        "seed": str(origin.seed),
        "trained_on": origin.trained_on,
    }
    save_described(filed, path, described)


def load_trained(path: Path, *, network: str = WHOLE) -> Trained:
    """The networks of a file from `save_trained`.

    Raises BenchError that names the file, what was expected and what was found, if it is missing,
    truncated, damaged (digest), or holds another network.
    """
    wanted = "AT-net and VG-net of ATVGnet" if network == WHOLE else "AT-net of ATVGnet"
    known = description(path, wanted=wanted, names=DESCRIBED)
    if known["network"] != network:
        raise BenchError(f"{path}: expected {wanted}, found {known['network']}; train it again")
    scheme = SCHEMES.get(known["landmarks"])
    is_known = scheme is not None and known["size"] in ("official", "small")
    if not is_known or known["recurrence"] not in ("none", "time"):
        raise _strange(path, known)
    assert scheme is not None
    try:
        count, gain = int(known["components"]), float(known["gain"])
    except ValueError as error:
        raise _strange(path, known) from error
    if count not in COMPONENTS or not 0 < gain < np.inf:
        raise _strange(path, known)
    size = cast("Size", known["size"])
    recurrence = cast("Recurrence", known["recurrence"])
    speech = new_speech(size, count)
    is_whole = network == WHOLE
    pictures = new_pictures(size, scheme.count, recurrence=recurrence) if is_whole else None
    filed = _Filed(speech, pictures, points=scheme.count, components=count)
    load_weights(filed, path)
    mean, basis_mean, components, deviations = (
        tensor.double().numpy()
        for tensor in (filed.mean, filed.basis_mean, filed.components, filed.deviations)
    )
    coding = Coding(scheme, mean, Basis(basis_mean, components), deviations, gain)
    return Trained(speech, pictures, coding, size, known)


def _strange(path: Path, known: Mapping[str, str]) -> BenchError:
    told = ", ".join(f"{name} {known[name]!r}" for name in DESCRIBED)
    return BenchError(
        f"{path}: expected size official or small, landmarks small or mesh, 6 or 8 components, a "
        f"positive gain, recurrence none or time; found {told}. Train it again."
    )
