"""The official weights files of PC-AVS, which the training of the published networks writes, too.

Source: Hangz-nju-cuhk/Talking-Face_PC-AVS @ 201d2b9 (CC-BY-4.0) publishes latest_net_G.pth, _E, _A,
_A_sync and _V: plain state dicts, which are read without running code from them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from bench.files.one_move import in_one_move
from bench.ground.errors import BenchError
from bench.networks.checkpoints import read_state
from methods.pcavs.networks import Networks

# What each file holds that generates. latest_net_A.pth, the encoder of voices, is switched off in
# the official program (`use_audio_id 0`) and not needed.
FILES = {
    "identity": "latest_net_V.pth",
    "speech": "latest_net_A_sync.pth",
    "face": "latest_net_E.pth",
    "generator": "latest_net_G.pth",
}
VOICE_FILE = "latest_net_A.pth"
# Tensors that no generated picture depends on, by the beginnings of their names.
UNUSED = {
    "identity": ("model.fc.", "fc."),
    "speech": ("fc.",),
    "face": ("classifier.", "mouth_fc.", "headpose_fc."),
    "generator": ("style.", "input."),
}
COMPUTED = ("kernel", "num_batches_tracked")  # tensors that no training changes or needs


@dataclass(frozen=True)
class Loaded:
    """missing: FILE: NAME of every tensor that its file lacks; each kept its initial value.

    The official loader goes on as well. harmful: those of them that pictures depend on.
    """

    networks: Networks
    missing: tuple[str, ...]
    harmful: tuple[str, ...]


def load_official(folder: Path) -> Loaded:
    """The networks of a folder with the official files, float32, in eval mode, on the CPU.

    As in the official loader, a file may lack names (see `Loaded`) and may hold others, which are
    ignored. Raises BenchError that names the file if it is missing or damaged, or if a tensor has
    another shape.
    """
    networks = Networks.new()
    missing, harmful = [], []
    for part, file in FILES.items():
        for name in load_known(getattr(networks, part), folder / file):
            missing.append(f"{file}: {name}")
            if not name.startswith(UNUSED[part]) and not name.endswith(COMPUTED):
                harmful.append(f"{file}: {name}")
    return Loaded(networks, tuple(missing), tuple(harmful))


def save_official(networks: Networks, folder: Path, parts: Iterable[str]) -> None:
    """Writes the files of these parts of FILES, float32, each in one move, for `load_official`."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in parts:
        state = getattr(networks, part).state_dict()
        stored = {name: tensor.cpu().contiguous() for name, tensor in state.items()}
        # Given a path, torch would store its name.
        with in_one_move(folder / FILES[part]) as path, path.open("wb") as stream:
            torch.save(stored, stream)


def load_known(network: nn.Module, path: Path) -> tuple[str, ...]:
    """Loads the tensors that a file has for `network` and gives the names that it lacks.

    The network is then in eval mode. Raises BenchError as `load_official` does, for values that are
    not finite, and for a file of which no name is known; `network` is then unchanged.
    """
    wanted, state = network.state_dict(), read_state(path)
    known = {name: state[name] for name in wanted if name in state}
    if not known:
        raise BenchError(
            f"{path}: expected {type(network).__name__} of PC-AVS, found {len(state)} tensors, "
            f"none of which it has (the first is {next(iter(state))}); give the official file"
        )
    for name, tensor in known.items():
        if tensor.shape != wanted[name].shape:
            raise BenchError(
                f"{path}: {name}: expected {tuple(wanted[name].shape)}, found "
                f"{tuple(tensor.shape)}; give the official file"
            )
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise BenchError(f"{path}: {name}: some values are not finite; download it again")
    network.load_state_dict(known, strict=False)
    network.eval()
    return tuple(name for name in wanted if name not in known)
