"""Generation at full width against the official program's way, at equal weights and faces.

No trained weights of full width are here, so they are as drawn, and such a network magnifies every
rounding: bfloat16's error is stated for the shipped small weights, too, once they are there.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from bench.checks.ladders import talking_patterns
from bench.ground.types import Frames
from bench.networks import audio
from bench.networks.audio import Features
from bench.networks.face_crops import crops, face_boxes
from methods.wav2lip.checkpoints import LoadedGenerator, load_generator
from methods.wav2lip.generator import Generator
from methods.wav2lip.inference import Talker
from methods.wav2lip.method import SHIPPED, Talking
from methods.wav2lip.variants import VARIANTS
from tests.speed.timing import timed

FRAMES = 128  # one batch of the official program
BATCH = Talking.Options().batch
REPEATS = 3
THREADS = 2
TRAINED = SHIPPED / "synth_wav2lip.safetensors"


def measure() -> str:
    """How many times faster faces are generated, and by how much they are off."""
    torch.set_num_threads(THREADS)
    network = sane_generator()
    draw = np.random.default_rng(0)
    targets, references = draw.integers(0, 256, (2, FRAMES, 96, 96, 3), dtype=np.uint8)
    heard = draw.normal(0, 2, (FRAMES, 1, 80, 16)).astype(np.float32)
    loaded = LoadedGenerator(network, lead=0, colour="bgr")
    exact = Talker(loaded, device="cpu")
    rough = Talker(loaded, device="cpu", precision="bfloat16")
    seconds, made = timed(
        {
            "official": lambda: official_way(network, targets, references, heard),
            "float32": lambda: our_way(exact, targets, references, heard),
            "bfloat16": lambda: our_way(rough, targets, references, heard),
        },
        REPEATS,
    )
    spread = made["official"].std()
    heading = (
        f"Generation, full width, {FRAMES} frames, {THREADS} threads, batches of {BATCH} instead of"
        f" 128; faces with a spread of {spread:.0f} levels"
    )
    lines = [heading]
    for name, asked in (("float32", 1.3), ("bfloat16", 2.5)):
        ratio = float(np.median(seconds["official"] / seconds[name]))
        best = seconds["official"].min() / seconds[name].min()
        off = made[name].astype(np.float64) - made["official"]
        lines.append(
            f"  {name}: {ratio:.2f} times faster (best of {REPEATS} each: {best:.2f}; asked: at"
            f" least {asked}), {1000 * seconds[name].min() / FRAMES:.0f} ms a frame, off by at most"
            f" {np.abs(off).max():.0f} levels, {_psnr(off)}"
        )
    if TRAINED.is_file():
        lines.append(_of_trained_weights())
    return "\n".join(lines)


def sane_generator() -> Generator:
    """Weights as drawn, batch normalisation as one batch sets it, colours that fill the range."""
    torch.manual_seed(0)
    network = Generator()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0  # the batch's own statistics, not a tenth of them
    with torch.no_grad():
        network.output_block[1].weight *= 3  # else all levels lie around 128
        network.train()(torch.randn(8, 1, 80, 16) * 2, torch.rand(8, 6, 96, 96))
    return network.eval()


def our_way(talker: Talker, targets: Frames, references: Frames, heard: Features) -> Frames:
    """As the method calls it."""
    starts = range(0, FRAMES, BATCH)
    parts = [slice(start, start + BATCH) for start in starts]
    return np.concatenate([talker.faces(targets[p], references[p], heard[p]) for p in parts])


@torch.no_grad()
def official_way(
    network: Generator, targets: Frames, references: Frames, heard: Features
) -> Frames:
    """As inference.py @ 5c90fa9 calls it, but for the levels, which it cuts and here are rounded.

    One batch of 128, contiguous, in doubles until torch.FloatTensor; batch normalisation apart.
    """
    masked = targets[..., ::-1].copy()  # (B, 96, 96, 3) BGR
    masked[:, 48:] = 0
    seen = np.concatenate((masked, references[..., ::-1]), axis=3) / 255.0  # (B, 96, 96, 6)
    pictures = torch.FloatTensor(np.transpose(seen, (0, 3, 1, 2)))
    made = network(torch.FloatTensor(heard), pictures).numpy().transpose(0, 2, 3, 1) * 255.0
    return np.rint(made).astype(np.uint8)[..., ::-1]


def _of_trained_weights() -> str:
    """How far bfloat16 is from float32 with the shipped weights, on a drawn face that talks."""
    video = talking_patterns(1)[0].sample.video
    frames, sound, track = video.read(), video.sound(), video.faces()
    assert sound is not None
    faces = crops(frames, face_boxes(track, *frames.shape[1:3]))
    loaded = load_generator(TRAINED, VARIANTS[0])
    mel = audio.mel_spectrogram(sound)
    starts = audio.first_columns(len(faces), mel.shape[1], lead=loaded.lead)
    heard = audio.windows(mel, starts)
    made = [
        Talker(loaded, device="cpu", precision=precision).faces(faces, faces, heard)
        for precision in ("float32", "bfloat16")
    ]
    off = made[1].astype(np.float64) - made[0]
    return (
        f"  bfloat16 against float32 with the shipped weights: off by at most"
        f" {np.abs(off).max():.0f} levels, {_psnr(off)}"
    )


def _psnr(off: np.ndarray) -> str:
    error = float(np.square(off).mean())
    return "equal" if error == 0 else f"PSNR {10 * np.log10(255**2 / error):.1f} dB"


if __name__ == "__main__":
    from bench.run.provenance import machine

    print(machine())
    print(measure())
