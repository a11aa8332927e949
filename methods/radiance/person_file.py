"""A person's file: tables as whole numbers of 8 bits with their scales, the rest in half precision.

Planes and layers take half the space of half precision so; what this costs in PSNR is measured in
methods/adnerf/README.md and methods/saliency_portrait/README.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from bench.files.tensor_files import named_tensors
from bench.networks.checkpoints import description, halved, load_tensors, save_tensors

SCALE = ".scale"  # ends the name of a table's scales
LARGEST = 127  # of the whole numbers
LEAST_SERVED = 16  # numbers that share a scale; a smaller table stays in half precision


def save_person(portrait: nn.Module, path: Path, described: Mapping[str, str]) -> None:
    """Writes a finished portrait and its metadata in one move; the same ones give the same bytes.

    Raises BenchError if a weight is not finite in half precision, and OSError if the disk is full.
    """
    state: dict[str, Tensor] = {}
    for name, tensor in halved(portrait, path).items():
        if tensor.dtype == torch.bool:
            state[name] = torch.from_numpy(np.packbits(tensor.numpy(), axis=-1))
        elif tensor.is_floating_point() and _served(tensor.shape) >= LEAST_SERVED:
            state[name], state[name + SCALE] = _whole(tensor.float())
        else:
            state[name] = tensor
    save_tensors(state, path, described)


def load_person(portrait: nn.Module, path: Path) -> None:
    """Loads a file of `save_person` into a finished portrait.

    Raises BenchError if the file cannot be read, is damaged, or holds another portrait; `portrait`
    is then unchanged.
    """
    description(path, wanted="a person", names=("network", "person"))
    found, wanted = named_tensors(path), portrait.state_dict()
    state: dict[str, Tensor] = {}
    for name, tensor in found.items():
        if name.endswith(SCALE):
            continue
        like = wanted.get(name)
        if name + SCALE in found:
            state[name] = tensor.float() * found[name + SCALE].float()
        elif like is not None and like.dtype == torch.bool and like.ndim:
            bits = np.unpackbits(tensor.numpy(), axis=-1, count=like.shape[-1])
            state[name] = torch.from_numpy(bits).bool()
        else:
            state[name] = tensor
    load_tensors(portrait, state, path)


def _whole(table: Tensor) -> tuple[Tensor, Tensor]:
    """Whole numbers in int8, and what they are multiplied by, in half precision.

    A scale for each output of a layer, and for each channel of a plane, (..., C, H, W).
    """
    served = tuple(range(table.ndim - _scaled(table.shape), table.ndim))
    scales = table.abs().amax(dim=served, keepdim=True) / LARGEST
    scales = scales.half().float().clamp(min=torch.finfo(torch.float16).tiny)
    numbers = (table / scales).round().clamp(-LARGEST, LARGEST)
    return numbers.to(torch.int8), scales.half()


def _scaled(shape: torch.Size) -> int:
    """How many of the last dimensions share a scale."""
    return 2 if len(shape) == 4 else len(shape) - 1


def _served(shape: torch.Size) -> int:
    """How many numbers share a scale."""
    count = _scaled(shape)
    return shape[-count:].numel() if count > 0 else 1
