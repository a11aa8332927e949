"""Weights for tests: drawn ones, in files that `bench weights` takes for the published ones."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from bench.files import weights


def drawn(module: nn.Module, seed: int = 0) -> nn.Module:
    """The module in eval mode with weights that keep activations in a readable range."""
    draw = torch.Generator().manual_seed(seed)
    for name, tensor in module.state_dict().items():
        if not tensor.is_floating_point():
            continue
        normal = torch.randn(tensor.shape, generator=draw)
        if name.endswith("running_var"):
            tensor.copy_(torch.exp(0.1 * normal))
        elif tensor.dim() > 1:
            tensor.copy_(normal * (1.6 / tensor[0].numel()) ** 0.5)
        else:
            is_scale = name.endswith("weight")
            tensor.copy_(1.0 + 0.1 * normal if is_scale else 0.1 * normal)
    return module.eval()


def filled(shared: Path, module: nn.Module) -> nn.Module:
    """The module with the stand-in weights of the golden values."""
    path = shared / "golden" / "fill_weights.py"
    spec = importlib.util.spec_from_file_location("fill_weights", path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found.fill(module)


def put(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, content: bytes) -> Path:
    """Puts a file where weights of that name are looked for, as if it were the published one."""
    known = weights.table()
    folder.mkdir(exist_ok=True)
    path = folder / known[name].file
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    here = {**known, name: replace(known[name], bytes=len(content), sha256=digest)}
    monkeypatch.setattr(weights, "table", lambda: here)
    monkeypatch.setenv("BENCH_WEIGHTS", str(folder))
    return path


def put_network(
    monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, module: nn.Module
) -> Path:
    """The same with a network's state dict, as torch.save writes it."""
    part = folder.with_suffix(".part")
    torch.save(module.state_dict(), part)
    return put(monkeypatch, folder, name, part.read_bytes())
