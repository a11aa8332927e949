"""Generators of the Wav2Lip family too small to be of use, with weights as drawn."""

from __future__ import annotations

from pathlib import Path

import torch

from methods.wav2lip.checkpoints import save_generator
from methods.wav2lip.generator import Generator
from methods.wav2lip.variants import Variant

WIDTH = 1 / 16


def small_generator(variant: Variant, *, seed: int = 0) -> Generator:
    """A generator whose batch normalisation has seen something."""
    torch.manual_seed(seed)
    network = Generator.of(variant, width=WIDTH)
    rows = {"mel": 80, "mfcc": 39, "fused": 119}[variant.audio]
    with torch.no_grad():
        for _ in range(3):
            network.train()(torch.randn(4, 1, rows, 16), torch.rand(4, 6, 96, 96))
    return network.eval()


def small_weights(folder: Path, variant: Variant, *, lead: int = 1, seed: int = 0) -> Path:
    """The file of such a generator."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{variant.name}.safetensors"
    network = small_generator(variant, seed=seed)
    words = "nothing: weights as drawn"
    save_generator(
        network, path, variant=variant, width=WIDTH, lead=lead, seed=seed, trained_on=words
    )
    return path
