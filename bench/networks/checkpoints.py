"""Weights files of networks: this project's, which describe themselves, and published ones.

Sources: Rudrabha/Wav2Lip saves {"state_dict", "optimizer", ...} with torch.save; names have the
prefix `module.` (nn.DataParallel). This project writes safetensors in half precision, with metadata
that give the network, its training data, and the digest of everything in the file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.files.one_move import in_one_move
from bench.files.tensor_files import UNREADABLE, first_difference, named_tensors, unreadable
from bench.ground.errors import BenchError
from bench.networks.audio import HEIGHTS

PREFIX = "module."
DIGEST = "sha256"  # the metadata's key of the digest over tensors and other metadata
# The last layer of the speech encoder of Wav2Lip's generator and expert: its size tells the width.
LAST_AUDIO_LAYER = {"generator": 12, "expert": 13}


def save_described(network: nn.Module, path: Path, described: Mapping[str, str]) -> None:
    """Writes a network as safetensors in half precision, with its metadata, in one move.

    described: the metadata; `network` is the kind, the rest depends on it. The same weights and
    metadata give the same bytes. The old file stays until the new one is complete. Raises
    BenchError if a weight is not finite in half precision, and OSError if the disk is full.
    """
    save_tensors(halved(network, path), path, described)


def halved(network: nn.Module, path: Path) -> dict[str, Tensor]:
    """A network's weights on the CPU, in half precision; whole numbers stay as they are.

    Raises BenchError, which names `path`, if a weight is not finite in half precision.
    """
    state: dict[str, Tensor] = {}
    for name, tensor in network.state_dict().items():
        state[name] = tensor.detach().to("cpu", _stored_as(tensor)).contiguous()
        if not torch.isfinite(state[name]).all():
            raise BenchError(
                f"{path}: not written: {name} has values that are not finite in half precision; "
                "the training has diverged; use an earlier checkpoint"
            )
    return state


def save_tensors(state: Mapping[str, Tensor], path: Path, described: Mapping[str, str]) -> None:
    """Writes tensors on the CPU with their metadata, as `save_described` does."""
    from safetensors.torch import save

    kept = dict(state)
    data = _in_order(save(kept, {**described, DIGEST: tensors_digest(kept, described)}))
    with in_one_move(path) as part:
        part.write_bytes(data)


def save_halves(network: nn.Module, path: Path) -> Path:
    """Writes a network's numbers as safetensors in half precision, without metadata, in one move.

    For networks whose code says all there is to know of their files. Counters are left out.
    """
    from safetensors.torch import save_file

    halves = {
        name: value.half().contiguous()
        for name, value in network.state_dict().items()
        if value.is_floating_point()
    }
    with in_one_move(path) as part:
        save_file(halves, part)
        part.chmod(0o644)  # safetensors writes files that other users cannot read
    return path


def _in_order(data: bytes) -> bytes:
    """A safetensors file with its metadata in alphabetical order: the library shuffles them."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def metadata(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file, unchecked; empty if it has none.

    Raises BenchError if the file is missing, truncated or no safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as opened:
            return dict(opened.metadata() or {})
    except (SafetensorError, *UNREADABLE) as error:
        raise unreadable(path, error) from error


def description(path: Path, *, wanted: str, names: Sequence[str]) -> dict[str, str]:
    """The metadata of a file from `save_described`, after checking its digest.

    wanted: the expected network, in words. names: the required keys. Raises BenchError that names
    the file, what was expected and what was found.
    """
    state = named_tensors(path)
    found = metadata(path)
    if not all(name in found for name in (*names, DIGEST)):
        raise BenchError(
            f"{path}: expected {wanted} with metadata {', '.join((*names, DIGEST))}, found "
            f"{', '.join(sorted(found)) or 'none'}. Give a file that `bench train` wrote; an "
            "official checkpoint keeps its own form (.pth)."
        )
    digest = tensors_digest(state, {name: found[name] for name in found if name != DIGEST})
    if found[DIGEST] != digest:
        raise BenchError(
            f"{path}: expected the digest {found[DIGEST]}, found {digest}. The file is damaged; "
            "download or train it again."
        )
    return found


def tensors_digest(state: Mapping[str, Tensor], described: Mapping[str, str]) -> str:
    """The SHA-256 of tensors and metadata, independent of the file's layout."""
    running = hashlib.sha256(repr(sorted(described.items())).encode())
    for name, tensor in sorted(state.items()):
        running.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        running.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return running.hexdigest()


def _stored_as(tensor: Tensor) -> torch.dtype:
    return torch.float16 if tensor.is_floating_point() else tensor.dtype


def load_weights(network: nn.Module, path: Path) -> None:
    """Loads the weights of a file into `network`, as float32.

    Raises BenchError that names the file, what was expected and what was found, if the file cannot
    be read, is truncated, or holds another network, width or variant; `network` is then unchanged.
    """
    load_tensors(network, _state(path), path)


def load_tensors(network: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Loads tensors that were read from `path`, as `load_weights` does."""
    wanted = network.state_dict()
    difference = first_difference(wanted, state)
    if difference:
        raise BenchError(
            f"{path}: expected {_described(wanted)}, found {_described(state)}; {difference}. "
            "Give the weights of this variant and width, or set the options to those of the file."
        )
    for name, tensor in state.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise BenchError(
                f"{path}: {name}: some values are not finite; download or train it again"
            )
    network.load_state_dict({name: _as_float32(tensor) for name, tensor in state.items()})


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint by name, on the CPU, float32; names without `module.`.

    path: `.safetensors`, or anything that torch.save wrote: a state dict, or a dict with one under
    "state_dict". Raises BenchError if the file is missing, truncated or holds something else.
    """
    return {name: _as_float32(tensor) for name, tensor in _state(path).items()}


def _state(path: Path) -> dict[str, Tensor]:
    return {name.removeprefix(PREFIX): tensor for name, tensor in named_tensors(path).items()}


def _as_float32(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _described(state: Mapping[str, Tensor]) -> str:
    """Describes a state dict, as far as its names and shapes tell."""
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
