"""Networks of methods, too small to be of use, with weights as drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from methods.diff2lip.checkpoints import Diffused, save_denoiser
from methods.diff2lip.networks import Denoiser
from methods.diff2lip.sizes import SMALL, Size
from methods.wav2lip.checkpoints import save_generator
from methods.wav2lip.generator import Generator
from methods.wav2lip.variants import Variant
from tests.small_weights import drawn

WIDTH = 1 / 16
WORDS = "nothing: weights as drawn"
TINY = replace(
    SMALL, multipliers=(1, 1, 1), attention=(), speech_multipliers=(1, 1, 1, 1), speech_blocks=1
)
X0 = Diffused(predicts="x0", noising="cosine", filling="grey", lead=1)


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
    save_generator(
        network, path, variant=variant, width=WIDTH, lead=lead, seed=seed, trained_on=WORDS
    )
    return path


def tiny_denoiser(size: Size = TINY) -> Denoiser:
    """Diff2Lip's network."""
    network = Denoiser(size)
    drawn(network)
    return network


def tiny_weights(path: Path) -> Path:
    """The file of such a network, which says the frames themselves."""
    save_denoiser(tiny_denoiser(), path, X0, seed=0, trained_on=WORDS)
    return path
