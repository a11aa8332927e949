"""Reads and writes the networks of `small`: all of them in one file of this project."""

from __future__ import annotations

from pathlib import Path

from bench.ground.errors import BenchError
from bench.networks.checkpoints import description, load_weights, save_described
from methods.pcavs.small import SmallNetworks

NETWORK = "pcavs_small"
DESCRIBED = ("network", "seed", "trained_on", "landmarks", "perceptual")  # metadata


def save_small(
    networks: SmallNetworks,
    path: Path,
    *,
    seed: int,
    trained_on: str,
    landmarks: str,
    perceptual: str,
) -> None:
    """Writes the networks as safetensors, in half precision and in one move.

    trained_on: the data, in words. landmarks: whose points aligned the faces. perceptual: the name
    of the perceptual loss. Raises BenchError if a weight is not finite in half precision.
    """
    described = {
        "network": NETWORK,
        "seed": str(seed),
        "trained_on": trained_on,
        "landmarks": landmarks,
        "perceptual": perceptual,
    }
    save_described(networks, path, described)


def load_small(path: Path) -> tuple[SmallNetworks, dict[str, str]]:
    """The networks in a file from `save_small`, in eval mode, and the file's metadata.

    Raises BenchError that names the file, what was expected and what was found, if it is missing,
    damaged or another network's.
    """
    wanted = "the small networks of pcavs"
    found = description(path, wanted=wanted, names=DESCRIBED)
    if found["network"] != NETWORK:
        raise BenchError(
            f"{path}: expected {wanted}, found {found['network']!r}. Give a file that "
            "`bench train` wrote for pcavs."
        )
    networks = SmallNetworks()
    load_weights(networks, path)
    return networks.eval(), found
