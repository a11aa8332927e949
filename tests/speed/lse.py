"""LSE's core against the reference's way of computing it, at equal weights on the same clip."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bench.networks.mfcc import mfcc
from metrics.lse.core import score
from metrics.lse.syncnet import SyncNet, SyncNetScorer
from tests.speed.timing import timed

FRAMES = 45  # 40 windows, two of the reference's batches
REPEATS = 5
THREADS = 2


def measure() -> str:
    """How many times faster our LSE core is, from frames and sound to LSE, and by how much off."""
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    net = SyncNet().eval()
    draw = np.random.default_rng(0)
    frames = draw.integers(0, 256, (FRAMES, 224, 224, 3), dtype=np.uint8)
    sound = draw.integers(-8000, 8000, FRAMES * 640).astype(np.int16)
    scorers = {
        "fp32": SyncNetScorer(net),
        "fp32 without integers": SyncNetScorer(net, integers=False),
        "fp32 with winograd": SyncNetScorer(net, winograd=True),
        "fp32 without winograd": SyncNetScorer(net, winograd=False),
        "bf16": SyncNetScorer(net, precision="bf16"),
    }
    jobs = {name: partial(_distances, frames, sound, scorer) for name, scorer in scorers.items()}
    seconds, found = timed(
        {"reference": partial(_as_the_reference, net, frames, sound), **jobs}, REPEATS
    )
    lines = [f"LSE core, {FRAMES - 5} windows, {THREADS} threads (asked of fp32: at least 2.2)"]
    for name in scorers:
        ratio = float(np.median(seconds["reference"] / seconds[name]))
        best = seconds["reference"].min() / seconds[name].min()
        off = found[name] / found["reference"] - 1
        lines.append(
            f"  {name}: {ratio:.2f} times faster (best of {REPEATS} each: {best:.2f}),"
            f" distances off by at most {np.abs(off).max():.0e}"
        )
    return "\n".join(lines)


def _distances(frames: np.ndarray, sound: np.ndarray, scorer: SyncNetScorer) -> np.ndarray:
    return score(frames, sound, scorer).mean_distance  # (31,)


@torch.no_grad()
def _as_the_reference(net: SyncNet, frames: np.ndarray, sound: np.ndarray) -> np.ndarray:
    """Batches of 20 copied windows, three-dimensional layers, 31 copied shifts, as in 6efbb1c.

    The mean distances (31,) are its own, so that an error in ours would show.
    """
    pixels = torch.from_numpy(frames.transpose(3, 0, 1, 2)[None].astype(float)).float()
    cepstra = torch.from_numpy(mfcc(sound)[None, None].astype(float)).float()
    count = min(len(frames), len(sound) // 640) - 5
    lips: list[Tensor] = []
    sounds: list[Tensor] = []
    for start in range(0, count, 20):
        batch = range(start, min(count, start + 20))
        seen = torch.cat([pixels[:, :, i : i + 5] for i in batch])  # (20, 3, 5, 224, 224)
        heard = torch.cat([cepstra[:, :, :, 4 * i : 4 * i + 20] for i in batch])
        lips.append(net.netfclip(net.netcnnlip(seen).flatten(1)))
        sounds.append(net.netfcaud(net.netcnnaud(heard).flatten(1)))
    lip, aud = torch.cat(lips), torch.cat(sounds)
    padded = functional.pad(aud, (0, 0, 15, 15))
    distances = [
        functional.pairwise_distance(lip[[i], :].repeat(31, 1), padded[i : i + 31])
        for i in range(count)
    ]
    return torch.stack(distances, 1).mean(1).numpy()


if __name__ == "__main__":
    from bench.run.provenance import machine

    print(machine())
    print(measure())
