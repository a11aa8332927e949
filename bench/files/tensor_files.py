"""Reads tensors from files of unknown origin: no code runs, and no small file fills the memory.

A few bytes of a .pth can declare a tensor that repeats one number three billion times (stride 0).
So the file is mapped, not read; it must hold every byte of every tensor; and each tensor is checked
before any is converted or copied. Safetensors files need no such check: their reader compares the
header with the file.
"""

from __future__ import annotations

import pickle
import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bench.ground.errors import BenchError

if TYPE_CHECKING:
    from torch import Tensor

# What torch, zipfile and safetensors raise on a file that is truncated or of another kind.
UNREADABLE = (
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    MemoryError,
    AssertionError,
    pickle.UnpicklingError,
    struct.error,
    zipfile.BadZipFile,
)
MOST_DEPTH = 20  # of nested containers in a checkpoint


def unpacked(path: Path) -> object:
    """The content of a file written by torch.save: tensors, numbers and containers, on the CPU.

    Tensors are mapped from the file if it is a zip archive, which torch.save writes since 1.6.
    Raises BenchError, naming the file, if it is missing, truncated, holds anything but such data,
    or declares tensors that are larger than the file.
    """
    import torch

    _check_there(path)
    try:
        with path.open("rb") as stream:
            is_archive = stream.read(4) == b"PK\x03\x04"  # torch.load's own test
        if is_archive:
            _check_stored(path)
        found: object = torch.load(path, map_location="cpu", weights_only=True, mmap=is_archive)
    except UNREADABLE as error:
        raise unreadable(path, error) from error
    storages: dict[int, int] = {}  # bytes by address; two tensors may share one
    for place, tensor in _tensors(path, found, "", MOST_DEPTH, set()):
        _check_plain(path, place, tensor)
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        if tensor.numel() * tensor.element_size() > storage.nbytes():
            raise _grows(path, place, tensor)
    if sum(storages.values()) > path.stat().st_size:
        raise unreadable(path, ValueError("its tensors are declared larger than the file"))
    return found


def named_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name, as stored, on the CPU.

    path: `.safetensors`, or a file of torch.save: a state dict, or a dict with one under
    "state_dict". Raises BenchError as `unpacked` does, and where it holds no tensors by name.
    """
    import torch

    found = _safetensors(path) if path.suffix == ".safetensors" else unpacked(path)
    if isinstance(found, Mapping) and isinstance(found.get("state_dict"), Mapping):
        found = found["state_dict"]
    if not isinstance(found, Mapping) or not found:
        raise BenchError(f"{path}: expected a state dict, found {type(found).__name__}")
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise BenchError(
                f"{path}: expected tensors by name, found {type(value).__name__} under {name!r}"
            )
    left = path.stat().st_size
    for name, value in found.items():
        left -= value.numel() * value.element_size()
        if left < 0:
            raise _grows(path, name, value)
    return dict(found)


def first_difference(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str:
    """The first difference in names, shapes or kinds of number; "" if there is none.

    Nothing is converted. Floating-point numbers of all widths are one kind.
    """
    for name, tensor in wanted.items():
        if name not in found:
            return f"{name} is missing"
        if found[name].shape != tensor.shape:
            return f"{name} should be {tuple(tensor.shape)} and is {tuple(found[name].shape)}"
        if found[name].is_floating_point() != tensor.is_floating_point() or (
            found[name].is_complex() != tensor.is_complex()
        ):
            kind = str(found[name].dtype).removeprefix("torch.")
            return f"{name} should be {str(tensor.dtype).removeprefix('torch.')} and is {kind}"
    strange = next((name for name in found if name not in wanted), None)
    return "" if strange is None else f"{strange} does not belong to this network"


def unreadable(path: Path, error: Exception) -> BenchError:
    """The error for a file that cannot be read as weights, with the first line of the reason."""
    reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
    return BenchError(
        f"{path}: its {path.stat().st_size:,} bytes cannot be read as weights ({reason}). "
        "The file is truncated or no checkpoint; download it again."
    )


def _safetensors(path: Path) -> Mapping[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    _check_there(path)
    try:
        found: Mapping[str, Tensor] = load_file(path)
    except (SafetensorError, *UNREADABLE) as error:
        raise unreadable(path, error) from error
    return found


def _check_there(path: Path) -> None:
    if not path.is_file():
        raise BenchError(
            f"{path}: no such file; `bench weights list` shows weights and how to get them"
        )


def _check_stored(path: Path) -> None:
    """Raises ValueError for compressed parts, which torch.save never writes and which may grow."""
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
    if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
        raise ValueError("its parts are compressed, which torch.save does not do")
    if sum(part.file_size for part in parts) > path.stat().st_size:
        raise ValueError("its parts are larger than the file")


def _tensors(
    path: Path, found: object, where: str, depth: int, seen: set[int]
) -> Iterator[tuple[str, Tensor]]:
    """Every tensor in nested containers, with its place; a shared container is visited once."""
    import torch

    if isinstance(found, torch.Tensor):
        yield where, found
        return
    if not isinstance(found, Mapping | list | tuple) or id(found) in seen:
        return
    seen.add(id(found))
    if depth == 0:
        raise BenchError(
            f"{path}: {where}: nested more than {MOST_DEPTH} deep; this is no checkpoint"
        )
    items = found.items() if isinstance(found, Mapping) else enumerate(found)
    for key, value in items:
        yield from _tensors(path, value, f"{where}.{key}" if where else f"{key}", depth - 1, seen)


def _check_plain(path: Path, place: str, tensor: Tensor) -> None:
    import torch

    form = str(tensor.layout).removeprefix("torch.")
    if tensor.device.type != "cpu":
        form = tensor.device.type  # "meta": a shape without numbers
    elif tensor.is_quantized:
        form = "quantised"
    elif tensor.layout == torch.strided and not tensor.is_nested:
        return
    raise BenchError(f"{path}: {place}: expected plain numbers, found a {form} tensor")


def _grows(path: Path, place: str, tensor: Tensor) -> BenchError:
    return BenchError(
        f"{path}: {place}: its shape {tuple(tensor.shape)} takes "
        f"{tensor.numel() * tensor.element_size():,} bytes, more than the file holds for it "
        f"({path.stat().st_size:,} in all; strides {tensor.stride()}). No training writes such a "
        "file; download it again."
    )
