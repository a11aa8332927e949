"""Converts published weights of I3D to safetensors: once, by hand, in an interpreter of your own.

    python -m metrics.features.i3d.convert i3d_torchscript.pt i3d.safetensors

The file that papers use for FVD (`i3d_torchscript.pt`, universome/stylegan-v) is a program: opening
it runs code. So the harness never opens it, and nothing of the harness calls this file. Run it
where you would run that program anyway, with torch, safetensors and this project installed. What it
writes is compared with the original on random frames before it is kept.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

TOLERANCE = 1e-3  # of the largest value, between the original's output and the converted one's


def matched(
    found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], str]:
    """The tensors under our names, and what is wrong, "" if nothing is.

    By the ends of their names where these agree, else in their order. Counters of batches are left
    out. A scale that the file lacks is 1: the original network has none.
    """
    import torch

    known = {n: x for n, x in found.items() if not n.endswith("num_batches_tracked")}
    left, taken = dict(known), dict[str, "Tensor"]()
    for name, tensor in wanted.items():
        same = [other for other in left if other == name or other.endswith("." + name)]
        if len(same) == 1:
            taken[name] = left.pop(same[0])
        elif name.endswith(".bn.weight"):
            taken[name] = torch.ones_like(tensor)
    if len(taken) < len(wanted) or left:
        if len(known) != len(wanted):
            return {}, f"the file has {len(known)} tensors, the network {len(wanted)}"
        taken = dict(zip(wanted, known.values(), strict=True))
    for name, tensor in wanted.items():
        if taken[name].shape != tensor.shape:
            shapes = f"{tuple(taken[name].shape)} instead of {tuple(tensor.shape)}"
            return {}, f"{name} would be {shapes}"
    return {name: taken[name].detach().float().contiguous() for name in wanted}, ""


def main() -> int:
    """Converts the file that the command line names."""
    import torch
    from safetensors.torch import save_file

    from metrics.features.i3d.network import SIDE, WINDOW, I3d, scaled

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="i3d_torchscript.pt; its code is run")
    parser.add_argument("target", type=Path, help="the .safetensors file to write")
    asked = parser.parse_args()
    open_program: Callable[..., torch.nn.Module] = torch.jit.load
    original = open_program(str(asked.source), map_location="cpu").eval()
    network = I3d().eval()
    wanted = {n: x for n, x in network.state_dict().items() if x.is_floating_point()}
    tensors, wrong = matched(original.state_dict(), wanted)
    if wrong:
        return _refused(f"{asked.source} is no I3D as expected: {wrong}")
    network.load_state_dict(tensors, strict=False)
    frames = torch.randint(0, 256, (1, WINDOW, SIDE, SIDE, 3), dtype=torch.uint8)
    with torch.inference_mode():
        theirs = original(
            frames.permute(0, 4, 1, 2, 3).float(), rescale=True, resize=True, return_features=True
        )
        ours = network(scaled(frames))
    off = float((ours - theirs).abs().max() / theirs.abs().max())
    if not off < TOLERANCE:
        return _refused(f"the converted network is off by {off:.2g} of the original's values")
    save_file(tensors, str(asked.target))
    for path in (asked.source, asked.target):
        sys.stdout.write(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path}\n")
    sys.stdout.write(f"the two agree to {off:.1g} of the largest value\n")
    return 0


def _refused(reason: str) -> int:
    sys.stderr.write(f"not written: {reason}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
