"""Inference of the shipped scorer: crops and sound in, embeddings out."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from bench.files.tensor_files import first_difference
from bench.ground.errors import BenchError
from bench.ground.types import Sound
from bench.networks.mfcc import mfcc
from metrics.lse import core
from metrics.lse.sync_small.network import (
    SyncNetwork,
    mouth_windows,
    sound_windows,
    standardised_cepstra,
    standardised_windows,
    with_constant,
)

BATCH = 64  # windows at once; changes embeddings only by rounding


class SmallSync:
    """The scorer in a safetensors file; deterministic for a given machine and thread count."""

    name = "sync_small"
    front_ends = frozenset({"tracked"})

    def __init__(self, weights: Path, *, device: str) -> None:
        from safetensors import SafetensorError
        from safetensors.torch import load

        try:
            data = weights.read_bytes()
            state = load(data)
        except (OSError, SafetensorError) as error:
            raise BenchError(
                f"{weights}: is no safetensors file that can be read ({error}); give the file that"
                " `bench train configs/train/sync_scorer.yaml` wrote"
            ) from error
        self.digest = hashlib.sha256(data).hexdigest()[:8]
        self.network = SyncNetwork()
        wanted = {n: x for n, x in self.network.state_dict().items() if x.is_floating_point()}
        difference = first_difference(wanted, state)  # counters are not kept in the file
        if difference:
            raise BenchError(f"{weights}: holds another network than sync_small: {difference}")
        self.network.load_state_dict(state)
        self.network.to(device).eval()
        self._last_heard: tuple[Sound, int, core.Embeddings] | None = None

    def embed(self, crops: core.Crops, sound: Sound) -> tuple[core.Embeddings, core.Embeddings]:
        """Embeddings of frames and sound, both (N, 257) float32.

        crops: (T, 224, 224, 3) uint8 BGR of the `tracked` front end. sound: (S,) int16 at 16 kHz.
        Raises Undefined if the clip is too short for a window.
        """
        count = core.windows(len(crops), len(sound))
        return self.see(crops, count), self.hear(sound, count)

    def see(self, crops: core.Crops, count: int) -> core.Embeddings:
        """Embeddings of the first `count` windows of (T, 224, 224, 3) crops, (count, 257)."""
        return seen(self.network, mouth_windows(crops), count)

    def hear(self, sound: Sound, count: int) -> core.Embeddings:
        """Embeddings of the first `count` windows of a clip's sound, (count, 257)."""
        last = self._last_heard  # all methods of a case speak the same speech
        if last is not None and last[1] == count and np.array_equal(last[0], sound):
            return last[2].copy()
        found = heard(self.network, sound, count)
        self._last_heard = sound.copy(), count, found.copy()
        return found


def seen(network: SyncNetwork, mouths: NDArray[np.uint8], count: int) -> core.Embeddings:
    """Embeddings of windows of (T, 56, 64, 3) RGB mouths, (count, 257); network in eval mode."""
    frames = torch.from_numpy(mouths)
    device = next(network.parameters()).device
    with torch.inference_mode():
        parts = [
            network.picture(standardised_windows(frames, starts).to(device)).cpu()
            for starts in torch.split(torch.arange(count), BATCH)
        ]
    return with_constant(torch.cat(parts))


def heard(network: SyncNetwork, sound: Sound, count: int) -> core.Embeddings:
    """Embeddings of windows of a clip's sound, (count, 257); network in eval mode."""
    windows = sound_windows(standardised_cepstra(mfcc(sound)), np.arange(count))
    device = next(network.parameters()).device
    with torch.inference_mode():
        return with_constant(network.sound(windows.to(device)).cpu())
