"""Weights of the family from files: the official checkpoints, and files of this project.

Sources: Rudrabha/Wav2Lip saves {"state_dict", "optimizer", ...} with torch.save, the names prefixed
by `module.` (nn.DataParallel); this project ships safetensors, in half precision where small.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.errors import BenchError
from methods.wav2lip.audio import HEIGHTS

PREFIX = "module."
# What torch and safetensors raise on a file that is cut off or is something else.
UNREADABLE = (
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    pickle.UnpicklingError,
    struct.error,
)
# The last layer of the generator's and of the expert's speech encoder: its size tells the width.
LAST_AUDIO_LAYER = {"generator": 12, "expert": 13}


def load_weights(network: nn.Module, path: Path) -> None:
    """Puts the weights of a file into `network`, as float32.

    Raises BenchError, naming the file, what was expected and what was found, if the file cannot be
    read, is truncated, or holds another network, width or variant; `network` is then as it was.
    """
    state = read_state(path)
    wanted = network.state_dict()
    if {name: x.shape for name, x in state.items()} == {n: x.shape for n, x in wanted.items()}:
        network.load_state_dict(state)
        return
    raise BenchError(
        f"{path}: expected {_described(wanted)}, found {_described(state)}; "
        f"{_first_difference(wanted, state)}. Give the weights of this variant and width, or set "
        "the options to what the file holds."
    )


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint by name, on the CPU; names without the `module.` prefix.

    path: `.safetensors`, or anything that torch.save wrote: a state dict, or a dict with one under
    "state_dict". Raises BenchError if the file is missing, truncated or holds something else.
    """
    if not path.is_file():
        raise BenchError(f"{path}: no such file; `bench weights` lists weights and how to get them")
    try:
        found = _unpacked(path)
    except UNREADABLE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise BenchError(
            f"{path}: its {path.stat().st_size:,} bytes cannot be read as weights ({reason}). "
            "The file is truncated or no checkpoint; get it again."
        ) from error
    if isinstance(found, Mapping) and isinstance(found.get("state_dict"), Mapping):
        found = found["state_dict"]
    if not isinstance(found, Mapping) or not found:
        raise BenchError(f"{path}: expected a state dict, found {type(found).__name__}")
    state: dict[str, Tensor] = {}
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise BenchError(
                f"{path}: expected tensors by name, found {type(value).__name__} under {name!r}"
            )
        state[name.removeprefix(PREFIX)] = value.float() if value.is_floating_point() else value
    return state


def _unpacked(path: Path) -> object:
    if path.suffix != ".safetensors":
        unpacked: object = torch.load(path, map_location="cpu", weights_only=True)
        return unpacked
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def _described(state: Mapping[str, Tensor]) -> str:
    """What a state dict is, as far as its names and shapes tell."""
    if "binary_pred.0.weight" in state:
        channels = state["binary_pred.0.weight"].shape[1]
        return f"a discriminator of {channels} channels (512 at width 1)"
    kind = "generator" if any(name.startswith("face_decoder") for name in state) else "expert"
    last = LAST_AUDIO_LAYER[kind]
    before = state.get(f"audio_encoder.{last - 1}.conv_block.0.weight")
    if before is None or before.dim() != 4:
        return f"{len(state)} tensors of another network"
    heard = {-(-height // 27): audio for audio, height in HEIGHTS.items()}  # by the kernel's rows
    parts = [
        f"{before.shape[0]} channels (512 at width 1)",
        f"audio {heard.get(before.shape[2], 'unknown')}",
    ]
    if kind == "generator":
        parts_of_attention = {"channel": "channel.squeeze", "spatial": "spatial.weigh"}
        places = [
            place
            for place, part in parts_of_attention.items()
            if f"audio_attention.{part}.weight" in state
        ]
        parts.append(f"attention {'+'.join(places) or 'none'}")
    return f"{'an' if kind == 'expert' else 'a'} {kind} of {', '.join(parts)}"


def _first_difference(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str:
    for name, tensor in wanted.items():
        if name not in state:
            return f"{name} is missing"
        if state[name].shape != tensor.shape:
            return f"{name} should be {tuple(tensor.shape)} and is {tuple(state[name].shape)}"
    return f"{next(name for name in state if name not in wanted)} is not of this network"
