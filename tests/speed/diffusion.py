"""Diff2Lip's DDIM steps, frames and training steps against the official way, at equal weights.

The official way is written here from its description: speech is encoded again at every step,
everything is single precision in the plain memory layout, attention is written out and
check-pointed. Weights are as drawn, which cost as much as trained ones.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from bench.ground.types import Frames
from bench.machine.devices import is_fast_in_half
from bench.networks.audio import Features
from bench.networks.folding import laid_out
from methods.diff2lip.checkpoints import OFFICIAL_DIFFUSED, Diffused, LoadedDenoiser
from methods.diff2lip.diffusion import sampled
from methods.diff2lip.inference import Precision, Talker, one_noise, steps_of
from methods.diff2lip.layers import Attention
from methods.diff2lip.networks import Denoiser
from methods.diff2lip.pictures import condition, lower, seen
from methods.diff2lip.sizes import OFFICIAL, SMALL, Size
from tests.small_weights import drawn
from tests.speed.timing import timed

THREADS = 2
REPEATS = 3
TRAINED = 12  # frames of a training step, as in configs/train/diff2lip_small.yaml
SMALL_DIFFUSED = Diffused(predicts="x0", noising="cosine", filling="grey", lead=1)


def measure() -> str:
    """Steps and frames a second of both sizes, and how many times faster than the official way."""
    torch.set_num_threads(THREADS)
    lines = [f"Diff2Lip, networks alone, {THREADS} threads, against the official way"]
    both: tuple[Precision, ...] = ("float32", "bfloat16")
    lines += _sampling("small", SMALL, SMALL_DIFFUSED, both, frames=5, steps=5, repeats=REPEATS)
    # On processors without bfloat16 a step in it takes minutes.
    kinds = both if is_fast_in_half("cpu") else both[:1]
    lines += _sampling("official", OFFICIAL, OFFICIAL_DIFFUSED, kinds, frames=1, steps=1, repeats=3)
    lines.append(_training())
    return "\n".join(lines)


def _sampling(
    name: str,
    size: Size,
    diffused: Diffused,
    kinds: Sequence[Precision],
    *,
    frames: int,
    steps: int,
    repeats: int,
) -> list[str]:
    """kinds: of arithmetic, besides the official way's. frames: in one batch.

    steps: of DDIM; fewer than are usual measure the same.
    """
    network = Denoiser(size)
    drawn(network)
    draw = np.random.default_rng(0)
    shape = (2, frames, size.side, size.side, 3)
    targets, references = draw.integers(0, 256, shape, dtype=np.uint8)
    heard = draw.normal(0, 2, (frames, 1, 80, 16)).astype(np.float32)
    loaded = LoadedDenoiser(network, diffused)
    plain = officially(network)
    jobs: dict[str, Callable[[], Frames]] = {
        "official way": lambda: official_faces(
            plain, diffused, targets, references, heard, steps=steps
        ),
    }
    for kind in kinds:
        jobs[kind] = _talks(loaded, kind, steps, (targets, references, heard))
    seconds, made = timed(jobs, repeats)
    slow, work = seconds["official way"].min(), frames * steps
    lines = [f"  {name}, the official way: {work / slow:.2f} DDIM steps of a frame a second"]
    for each in kinds:
        quick = seconds[each].min()
        off = np.abs(made[each].astype(int) - made["official way"]).max()
        usual = 5 if size is SMALL else 25
        lines.append(
            f"  {name}, {each}: {work / quick:.2f} ({slow / quick:.2f} times faster), so "
            f"{work / quick / usual:.3g} frames a second by {usual} steps; off by at most {off}"
        )
    return lines


def _talks(
    loaded: LoadedDenoiser,
    precision: Precision,
    steps: int,
    given: tuple[Frames, Frames, Features],
) -> Callable[[], Frames]:
    own = LoadedDenoiser(copy.deepcopy(loaded.network), loaded.diffused)
    talker = Talker(own, device="cpu", steps=steps, precision=precision)
    return lambda: talker.faces(*given)


def _training() -> str:
    """A step of the small network, forwards and backwards, without data, losses and optimiser."""
    network = Denoiser(SMALL)
    drawn(network)
    plain, quick = officially(network), laid_out(copy.deepcopy(network))
    draw = torch.Generator().manual_seed(0)
    pictures = torch.randn(TRAINED, 3, SMALL.rows, SMALL.side, generator=draw)
    mel = torch.randn(TRAINED, 80, 16, generator=draw)
    times = torch.arange(TRAINED) * 50

    def step(own: Denoiser, *, is_half: bool) -> NDArray[np.float64]:
        with torch.autocast("cpu", torch.bfloat16, enabled=is_half):
            found = own(pictures, times, pictures, pictures, own.hear(mel)).float()
        loss = found.square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        own.zero_grad()
        return np.array(float(loss.detach()))

    seconds, _ = timed(
        {
            "official way": lambda: step(plain, is_half=False),
            "ours": lambda: step(quick, is_half=True),
        },
        REPEATS,
    )
    slow, own = seconds["official way"].min(), seconds["ours"].min()
    return (
        f"  small, forwards and backwards, {TRAINED} frames: {1000 * own:.0f} ms in bfloat16 "
        f"({slow / own:.2f} times faster)"
    )


class _WrittenOut(nn.Module):
    """Attention as the original writes it: check-pointed, both factors scaled, softmax apart."""

    def __init__(self, own: Attention) -> None:
        super().__init__()
        self.own = own

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = checkpoint(self._told, x, use_reentrant=False)
        return found

    def _told(self, x: Tensor) -> Tensor:
        own, flat = self.own, x.flatten(2)
        parts = own.qkv(own.norm(flat)).reshape(len(x) * own.heads, -1, flat.shape[2])
        query, key, value = parts.chunk(3, dim=1)  # each (B h, c, HW)
        scale = query.shape[1] ** -0.25
        weights = torch.einsum("bct,bcs->bts", query * scale, key * scale)
        told = torch.einsum("bts,bcs->bct", weights.float().softmax(dim=2), value)
        whole: Tensor = (flat + own.proj_out(told.reshape(flat.shape))).view_as(x)
        return whole


def officially(network: Denoiser) -> Denoiser:
    """A copy of the network whose attention is written out; the same pictures."""
    own = copy.deepcopy(network)
    for stage in list(own.modules()):
        for name, layer in list(stage.named_children()):
            if isinstance(layer, Attention):
                setattr(stage, name, _WrittenOut(layer))
    return own


@torch.no_grad()
def official_faces(
    network: Denoiser,
    diffused: Diffused,
    targets: Frames,
    references: Frames,
    heard: Features,
    *,
    steps: int,
) -> Frames:
    """As generate.py @ 0655a45 does it, but for the levels, which it cuts and here are rounded."""
    size = network.size
    faces, others = (
        torch.from_numpy(x).permute(0, 3, 1, 2).float().contiguous() / 255
        for x in (targets, references)
    )
    start = one_noise(network).expand(len(faces), -1, -1, -1).contiguous()
    known = condition(seen(faces, size), size, diffused.filling, start)
    shown, mel = seen(others, size), torch.from_numpy(heard[:, 0])

    def look(x: Tensor, times: Tensor) -> Tensor:
        found: Tensor = network(x, times, known, shown, network.hear(mel))
        return found

    pictures = sampled(look, start, steps_of(diffused, steps), predicts=diffused.predicts)
    halves = lower(pictures, size).clamp(0.0, 1.0)
    levels = (255.0 * halves).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return np.concatenate([targets[:, : size.hidden], levels], axis=1)


if __name__ == "__main__":
    print(measure())
