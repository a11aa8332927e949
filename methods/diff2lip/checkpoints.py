"""Reads and writes Diff2Lip's networks: official checkpoints and files of this project."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast, get_args

import pydantic

from bench.ground.errors import BenchError
from bench.networks.checkpoints import description, load_weights, save_described
from methods.diff2lip.diffusion import Noising, Predicts
from methods.diff2lip.networks import Denoiser
from methods.diff2lip.sizes import OFFICIAL, Filling, Size

DESCRIBED = ("network", "size", "predicts", "noising", "filling", "lead", "trained_on")  # metadata


@dataclass(frozen=True)
class Diffused:
    """How a network was trained, which sampling has to match.

    predicts: the noise, or the picture without any. noising: the schedule. filling: what stands in
    the hidden rows of the condition. lead: which features a frame hears (`audio.first_columns`).
    """

    predicts: Predicts
    noising: Noising
    filling: Filling
    lead: int


OFFICIAL_DIFFUSED = Diffused(predicts="noise", noising="linear", filling="noise", lead=1)


@dataclass(frozen=True)
class LoadedDenoiser:
    """A network with its weights, on the CPU, float32, and how it was trained."""

    network: Denoiser
    diffused: Diffused


def save_denoiser(
    network: Denoiser, path: Path, diffused: Diffused, *, seed: int, trained_on: str
) -> None:
    """Writes a network as safetensors, in half precision and in one move.

    trained_on: the data, in words. Raises BenchError if a weight is not finite in half precision,
    and OSError if the disk is full.
    """
    described = {
        "network": "diff2lip",
        "size": json.dumps(asdict(network.size)),
        **{name: str(value) for name, value in asdict(diffused).items()},
        "seed": str(seed),
        "trained_on": trained_on,
    }
    save_described(network, path, described)


def load_denoiser(path: Path) -> LoadedDenoiser:
    """The network in a file from `save_denoiser`, or in the official checkpoint.

    Any file that is not `.safetensors` is taken for an official checkpoint. Raises BenchError that
    names the file, what was expected and what was found, if it is missing, truncated or damaged
    (digest), or holds another network.
    """
    if path.suffix != ".safetensors":
        network = Denoiser(OFFICIAL)
        load_weights(network, path)
        return LoadedDenoiser(network, OFFICIAL_DIFFUSED)
    wanted = "a network of diff2lip"
    found = description(path, wanted=wanted, names=DESCRIBED)
    if found["network"] != "diff2lip":
        raise BenchError(
            f"{path}: expected {wanted}, found {found['network']!r}. Give weights of diff2lip."
        )
    size, diffused = _described(path, found)
    network = Denoiser(size)
    load_weights(network, path)
    return LoadedDenoiser(network, diffused)


def _described(path: Path, found: dict[str, str]) -> tuple[Size, Diffused]:
    try:
        size, lead = pydantic.TypeAdapter(Size).validate_json(found["size"]), int(found["lead"])
    except ValueError:
        size, lead = None, -1
    words = {"predicts": Predicts, "noising": Noising, "filling": Filling}
    is_known = all(found[name] in get_args(kind) for name, kind in words.items())
    if size is None or lead < 0 or not is_known:
        raise BenchError(
            f"{path}: expected size, lead, {', '.join(words)} as `bench train` writes them, found "
            f"{ {name: found[name] for name in ('size', 'lead', *words)} }. Train it again."
        )
    return size, Diffused(
        predicts=cast("Predicts", found["predicts"]),
        noising=cast("Noising", found["noising"]),
        filling=cast("Filling", found["filling"]),
        lead=lead,
    )
