"""Reads and writes generators of the family: official checkpoints and files of this project."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from bench.ground.errors import BenchError
from bench.networks.checkpoints import description, load_weights, save_described
from methods.wav2lip.generator import Generator
from methods.wav2lip.variants import Variant

Colour: TypeAlias = Literal["rgb", "bgr"]
DESCRIBED = ("network", "variant", "width", "lead", "colour", "seed", "trained_on")  # metadata


class LoadedGenerator(NamedTuple):
    """A generator with its weights, and the form of its input.

    network: as trained, on the CPU, float32, batch normalisation not folded. lead: which features a
    frame hears (`audio.first_columns`). colour: the order of channels of input and output.
    """

    network: Generator
    lead: int
    colour: Colour


def save_generator(
    network: Generator,
    path: Path,
    *,
    variant: Variant,
    width: float,
    lead: int,
    seed: int,
    trained_on: str,
    perceptual: str = "",
) -> None:
    """Writes a generator that sees RGB as safetensors, in half precision and in one move.

    trained_on: the data, in words. perceptual: the perceptual loss, by name, if one was used; then
    the metadata have it, too. The old file stays until the new one is complete. Raises
    BenchError if a weight is not finite in half precision, and OSError if the disk is full.
    """
    described = {
        "network": "generator",
        "variant": variant.name,
        "width": repr(float(width)),
        "lead": str(lead),
        "colour": "rgb",
        "seed": str(seed),
        "trained_on": trained_on,
        **({"perceptual": perceptual} if perceptual else {}),
    }
    save_described(network, path, described)


def load_generator(path: Path, variant: Variant) -> LoadedGenerator:
    """The generator in a file from `save_generator`, or in an official checkpoint.

    Any file that is not `.safetensors` is taken for an official checkpoint: width 1, lead 0, BGR.
    Raises BenchError that names the file, what was expected and what was found, if it is missing,
    truncated or damaged (digest), or holds another network or variant.
    """
    if path.suffix != ".safetensors":
        network = Generator.of(variant, width=1.0)
        load_weights(network, path)
        return LoadedGenerator(network, lead=0, colour="bgr")
    described = _metadata(path, variant)
    network = Generator.of(variant, width=float(described["width"]))
    load_weights(network, path)
    colour: Colour = "bgr" if described["colour"] == "bgr" else "rgb"
    return LoadedGenerator(network, lead=int(described["lead"]), colour=colour)


def _metadata(path: Path, variant: Variant) -> dict[str, str]:
    """A file's metadata, after checking that it is intact and a generator of this variant."""
    wanted = f"a generator of the variant {variant.name!r}"
    found = description(path, wanted=wanted, names=DESCRIBED)
    if (found["network"], found["variant"]) != ("generator", variant.name):
        raise BenchError(
            f"{path}: expected {wanted}, found {found['network']} of the variant "
            f"{found['variant']!r}. Give the weights of this variant."
        )
    _check_numbers(path, found)
    return found


def _check_numbers(path: Path, found: Mapping[str, str]) -> None:
    try:
        width, lead = float(found["width"]), int(found["lead"])
    except ValueError:
        width, lead = math.nan, -1
    if not 0 < width <= 2 or lead < 0 or found["colour"] not in ("rgb", "bgr"):
        raise BenchError(
            f"{path}: expected a width up to 2, a lead from 0, and colour rgb or bgr; found "
            f"{found['width']!r}, {found['lead']!r} and {found['colour']!r}. Train it again."
        )
