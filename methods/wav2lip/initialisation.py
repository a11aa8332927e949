"""Initial weights of a generator: random, a copy of the reference, or those of other networks.

Defined here. Short trainings of small networks spend most of their steps on learning to pass a face
through, and to use the speech at all; these starts save those steps. The layers are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.ground.errors import BenchError
from bench.networks import audio
from bench.networks.audio import AudioKind
from bench.train.face_clips import FaceClip
from methods.wav2lip.attention import ChannelAttention, ResidualAttention, SpatialAttention
from methods.wav2lip.checkpoints import load_generator
from methods.wav2lip.generator import LAST_256, Generator
from methods.wav2lip.settings import Hearing, Start
from methods.wav2lip.variants import DEPTH, VARIANTS, Variant

WEIGHTS = Path(__file__).with_name("weights")
STARTS: Mapping[Start, Path] = {
    "shipped": WEIGHTS / "start.safetensors",
    "real": WEIGHTS / "start-real.safetensors",
}
STARTER = VARIANTS[0]  # the variant in a start's file: no attention, mel spectrogram
PICTURES = ("face_encoder_blocks.", "face_decoder_blocks.", "output_block.")
IMITATION_STEPS, IMITATION_RATE, IMITATION_CLIPS, IMITATION_WINDOWS = 300, 2e-3, 8, 12

INPUTS = 6  # colours of the target, then of the reference
COLOURS = 3
LIFT = 2.5  # standard deviations, so that normalised pixels rarely fall below the ReLU's zero
SMALL = 0.1  # factor of the random kernels beside the copy
OPEN = 2.0  # input of a gate's sigmoid: 0.88 passes


def check_start(start: Start, *, width: float) -> None:
    """Raises BenchError if one cannot start from it, so that no expert is trained in vain."""
    _starter(start, width)


def initial_generator(
    variant: Variant,
    *,
    width: float,
    start: Start,
    hearing: Hearing,
    expert: Mapping[str, Tensor],
    clips: Sequence[FaceClip],
    seed: int,
) -> Generator:
    """A generator on the CPU with its initial weights, which depend on the seed.

    start: "copy": the output is nearly the reference; one of `STARTS` or a file: face encoder and
    decoder of that Wav2Lip, as far as a shallower one has their layers. hearing: with "expert", the
    speech encoder is the expert's (its state dict); with "start", it then also learns, from the
    clips' sounds, to give the same output as that Wav2Lip's, even if it hears other features.
    Raises BenchError if the file is missing, damaged, or of another width.
    """
    torch.manual_seed(seed)
    generator = Generator.of(variant, width=width)
    if start == "copy":
        start_as_copy(generator)
    if hearing != "random":
        start_hearing(generator, expert)
    starter = _starter(start, width)
    if starter is not None:
        _take_pictures(generator, starter)
        _open_gates(generator)
        if hearing == "start":
            imitate(generator, starter, clips, variant.audio, steps=IMITATION_STEPS, seed=seed)
    return generator


def _starter(start: Start, width: float) -> Generator | None:
    """The trained Wav2Lip to start from, if any, on the CPU."""
    path = STARTS.get(start, start)
    if not isinstance(path, Path):
        return None
    if not path.is_file():
        raise BenchError(
            f"settings.generator.start: there is no file {path}. Give that of a trained Wav2Lip, "
            f"or one of random, copy, {', '.join(map(str, STARTS))}."
        )
    starter = load_generator(path, STARTER).network
    with torch.device("meta"):  # shapes alone, and no random number is drawn
        wanted = Generator.of(STARTER, width=width).state_dict()
    for name, x in starter.state_dict().items():
        if x.shape != wanted[name].shape:
            raise BenchError(
                f"settings.generator.start: {path}: {name} is {tuple(x.shape)}, but "
                f"{tuple(wanted[name].shape)} at this width; set the width to the file's"
            )
    return starter


def _take_pictures(generator: Generator, starter: Generator) -> None:
    own = generator.state_dict()
    taken = {
        place: x
        for name, x in starter.state_dict().items()
        if name.startswith(PICTURES)
        and (place := _place(name, left_out=DEPTH - generator.depth)) in own
    }
    generator.load_state_dict({**own, **taken})


def _place(name: str, *, left_out: int) -> str:
    """A starter's name in a generator whose decoder lacks so many blocks after its first.

    Empty if it has no counterpart there: with blocks left out, the first one is another.
    """
    part, block, rest = name.split(".", 2)
    if not left_out or part != "face_decoder_blocks":
        return name
    return f"{part}.{int(block) - left_out}.{rest}" if int(block) > left_out else ""


@torch.no_grad()
def _open_gates(generator: Generator) -> None:
    """Makes attention pass nearly everything at first, so that the loaded weights still work."""
    for module in generator.modules():
        if isinstance(module, ResidualAttention):
            module.after.weight *= SMALL
        if isinstance(module, ChannelAttention):
            _biases(module.expand)[:] = OPEN
        elif isinstance(module, SpatialAttention):
            _biases(module.weigh)[:] = OPEN


def imitate(
    generator: Generator,
    starter: Generator,
    clips: Sequence[FaceClip],
    kind: AudioKind,
    *,
    steps: int,
    seed: int,
) -> float:
    """Trains the speech encoder, including attention, to give the same output as the starter's.

    Returns the unexplained share of the starter's variance, averaged over the last tenth of steps.
    """
    random = np.random.default_rng(seed)
    learning = [*generator.audio_encoder.parameters(), *generator.audio_attention.parameters()]
    optimiser = torch.optim.AdamW(learning, lr=IMITATION_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, IMITATION_RATE, total_steps=steps)
    starter.eval()
    generator.train()
    missed: list[float] = []
    for _ in range(steps):
        heard: list[list[audio.Features]] = [[], []]
        for number in random.choice(len(clips), IMITATION_CLIPS):
            both = [clips[number].features(each) for each in (STARTER.audio, kind)]
            last = both[0].shape[1] - audio.COLUMNS
            first = random.integers(last + 1, size=IMITATION_WINDOWS)
            for windows, spectrum in zip(heard, both, strict=True):
                windows.append(audio.windows(spectrum, first))
        theirs, own = (torch.from_numpy(np.concatenate(windows)) for windows in heard)
        with torch.no_grad():
            wanted = starter.hear(theirs)
        loss = functional.mse_loss(generator.hear(own), wanted) / wanted.var()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        missed.append(float(loss.detach()))
    return float(np.mean(missed[-max(1, steps // 10) :]))


@torch.no_grad()
def start_as_copy(generator: Generator) -> None:
    """Sets kernels of the first and last layers so that the output is nearly the reference.

    The first layer passes on the six input colours beside its random features. The outermost skip
    connection takes them to the last layers, which select those of the reference.
    """
    first, first_norm = _layer(generator.face_encoder_blocks[0], 0)
    last, last_norm = _layer(generator.output_block, 0)
    output = generator.output_block[1]
    assert isinstance(output, nn.Conv2d)
    middle = first.kernel_size[0] // 2
    first.weight[:INPUTS] = 0.0
    _biases(first)[:INPUTS] = 0.0
    for channel in range(INPUTS):
        first.weight[channel, channel, middle, middle] = 1.0
    first_norm.bias[:INPUTS] = LIFT
    skipped = last.in_channels - first.out_channels + COLOURS  # where the reference arrives
    last.weight[:COLOURS] *= SMALL
    output.weight *= SMALL
    for colour in range(COLOURS):
        last.weight[colour, skipped + colour, 1, 1] = 1.0
        output.weight[colour, colour] = 1.0  # a sigmoid's slope is about one deviation
    _biases(last)[:COLOURS] = 0.0
    last_norm.bias[:COLOURS] = LIFT
    _biases(output)[:] = -LIFT


def start_hearing(generator: Generator, expert: Mapping[str, Tensor]) -> None:
    """Gives the generator the speech encoder of a trained expert, which hears mouth shapes.

    expert: its state dict (`checkpoints.read_state`), of the same features and width. The expert's
    256-channel stage has one more residual layer, which is left out.
    """
    own = generator.audio_encoder.state_dict()
    for name in own:
        layer, _, rest = name.partition(".")
        place = int(layer) + (int(layer) > LAST_256)
        own[name] = expert[f"audio_encoder.{place}.{rest}"]
    generator.audio_encoder.load_state_dict(own)


def _layer(block: nn.Module, index: int) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    assert isinstance(block, nn.Sequential)
    inner = block[index].conv_block
    assert isinstance(inner, nn.Sequential)
    convolution, norm = inner
    assert isinstance(convolution, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    return convolution, norm


def _biases(layer: nn.Conv2d) -> torch.Tensor:
    assert layer.bias is not None
    return layer.bias
