"""What a generator starts as: drawn, a copier of its reference, or another's eyes, hand and ears.

Defined here. Short trainings of small networks spend most of their steps on learning to pass a
picture through, and to hear anything at all; these starts spare them that. The layers are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.errors import BenchError
from bench.networks import audio
from bench.networks.audio import AudioKind
from bench.train.face_clips import FaceClip
from methods.wav2lip.attention import ChannelAttention, SpatialAttention
from methods.wav2lip.checkpoints import load_generator
from methods.wav2lip.generator import ATTENDED_AUDIO, Generator
from methods.wav2lip.settings import Hearing, Start
from methods.wav2lip.variants import VARIANTS, Variant

SHIPPED = Path(__file__).with_name("weights") / "start.safetensors"
STARTER = VARIANTS[0]  # what a start's file holds: the plain one, no attention, mel spectrogram
PICTURES = ("face_encoder_blocks.", "face_decoder_blocks.", "output_block.")
IMITATION_STEPS, IMITATION_RATE, IMITATION_CLIPS, IMITATION_WINDOWS = 300, 2e-3, 8, 12

INPUTS = 6  # colours of the target, then of the reference
COLOURS = 3
LIFT = 2.5  # deviations above the mean: normalised pixels seldom fall below the ReLU's zero
SMALL = 0.1  # what stays of the random kernels beside the copy
OPEN = 2.0  # of a gate's sigmoid: 0.88 passes


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
    """A generator on the CPU as its training finds it; a function of the seed.

    start: "copy" of the reference; or the face encoder and decoder of a Wav2Lip, "shipped" or a
    file. hearing: the speech encoder is the "expert"'s (its state dict); with "start" it then
    learns, from the clips' sounds, to say what that Wav2Lip's says of the same sounds, whatever
    its own features are. Raises BenchError where the file is not here or of another width.
    """
    torch.manual_seed(seed)
    generator = Generator(
        audio=variant.audio,
        attention=variant.attention,
        audio_channel=variant.audio_channel,
        width=width,
    )
    if start == "copy":
        start_as_copy(generator)
    if hearing != "random":
        start_hearing(generator, expert)
    if isinstance(start, Path) or start == "shipped":
        path = start if isinstance(start, Path) else SHIPPED
        starter = load_generator(path, STARTER).network
        _take_pictures(generator, starter, path)
        _open_gates(generator)
        if hearing == "start":
            imitate(generator, starter, clips, variant.audio, steps=IMITATION_STEPS, seed=seed)
    return generator


def _take_pictures(generator: Generator, starter: Generator, path: Path) -> None:
    own = generator.state_dict()
    taken = {n: x for n, x in starter.state_dict().items() if n.startswith(PICTURES)}
    strange = [name for name, x in taken.items() if own[name].shape != x.shape]
    if strange:
        raise BenchError(
            f"settings.generator.start: {path}: {strange[0]} is "
            f"{tuple(taken[strange[0]].shape)}, and {tuple(own[strange[0]].shape)} at this width; "
            "set the width to the file's"
        )
    generator.load_state_dict({**own, **taken})


@torch.no_grad()
def _open_gates(generator: Generator) -> None:
    """Attention passes nearly everything at first, so that what was taken over still works."""
    for module in generator.modules():
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
    """Trains the speech encoder, attention and all, to give what the starter's gives.

    Returns how much of the starter's variance it missed, mean of the last tenth of the steps.
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

    The first layer passes the six input colours on beside its random features; they come back over
    the outermost skip connection, where the last layers pick those of the reference.
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
        output.weight[colour, colour] = 1.0  # of a sigmoid, whose slope is about a deviation's
    _biases(last)[:COLOURS] = 0.0
    last_norm.bias[:COLOURS] = LIFT
    _biases(output)[:] = -LIFT


def start_hearing(generator: Generator, expert: Mapping[str, Tensor]) -> None:
    """Gives the generator the speech encoder of a trained expert, which hears what mouths do.

    expert: its state dict (`checkpoints.read_state`), of the same features and width. The expert's
    256-channel stage has one residual layer more, which is left out.
    """
    own = generator.audio_encoder.state_dict()
    for name in own:
        layer, _, rest = name.partition(".")
        place = int(layer) + (int(layer) > ATTENDED_AUDIO)
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
