"""The sync expert: whether five frames of a mouth and 0.2 s of speech belong together.

Sources: Rudrabha/Wav2Lip, models/syncnet.py (layers, state-dict names; FIELD.md, 4.7); doi
10.11896/jsjkx.241200067, eq. 11: the probability is the cosine. The paper calls epsilon a sigmoid;
here, as in Wav2Lip, it only guards the division, because both embeddings come from a ReLU and their
cosine already lies in [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.ground.errors import BenchError
from bench.networks.audio import AudioKind
from bench.networks.checkpoints import description, load_weights, save_described
from bench.networks.folding import folded
from bench.networks.layers import Conv, audio_encoder, residuals, scaled

WINDOW = 5  # frames
DESCRIBED = ("network", "audio", "width", "scale")  # metadata
EDGE = 1e-6  # keeps the logarithms of a probability and of its complement finite


class Expert(nn.Module):
    """Wav2Lip's expert; with all defaults it is the published one, name by name.

    audio: its kind of speech features. width: scales all channels but those of the input.
    """

    def __init__(self, *, audio: AudioKind = "mel", width: float = 1.0) -> None:
        super().__init__()
        c32, c64, c128, c256, c512 = (scaled(c, width) for c in (32, 64, 128, 256, 512))
        self.face_encoder = nn.Sequential(
            Conv(3 * WINDOW, c32, kernel=7, padding=3),  # 48x96
            Conv(c32, c64, kernel=5, stride=(1, 2), padding=1),  # 46x47
            *residuals(c64, 2),
            Conv(c64, c128, stride=2),  # 23x24
            *residuals(c128, 3),
            Conv(c128, c256, stride=2),  # 12x12
            *residuals(c256, 2),
            Conv(c256, c512, stride=2),  # 6x6
            *residuals(c512, 2),
            Conv(c512, c512, stride=2),  # 3x3
            Conv(c512, c512, padding=0),
            Conv(c512, c512, kernel=1, padding=0),
        )
        self.audio_encoder = audio_encoder(audio, width, residual_256=2)

    def forward(self, audio: Tensor, mouths: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings of sound and mouth, both (B, C) of length 1 and without negative entries.

        audio: (B, 1, D, 16), the columns from the window's first frame on. mouths: (B, 15, 48, 96)
        in [0, 1], lower halves of five frames (`mouth_windows`). C is 512 at width 1.
        """
        heard = self.audio_encoder(audio).flatten(1).float()  # (B, C)
        seen = self.face_encoder(mouths).flatten(1).float()  # (B, C)
        return functional.normalize(heard, dim=1), functional.normalize(seen, dim=1)


def mouth_windows(faces: Tensor) -> Tensor:
    """Lower halves of five frames as channels, (B, 15, H / 2, W), of faces (B, 3, 5, H, W)."""
    lower = faces[:, :, :, faces.shape[3] // 2 :]
    return lower.transpose(1, 2).flatten(1, 2)  # the channels of frame 0, then those of frame 1


def probability(heard: Tensor, seen: Tensor) -> Tensor:
    """The probability that sound and mouth match, (B,) in [1e-6, 1 - 1e-6]: the cosine, eq. 11.

    heard, seen: (B, C), from `Expert`. The sync loss is its negative logarithm (eq. 12).
    """
    return functional.cosine_similarity(heard, seen).clamp(EDGE, 1.0 - EDGE)


def sync_loss(
    seen: Tensor, sounds: Sequence[Tensor], starts: Sequence[int], scale: float
) -> Tensor:
    """-log P (eq. 12) of mouths (B, C), given all sounds (N, C) of each one's clip.

    starts: the index of the matching sound. With a temperature (scale), P is a softmax over all
    sounds of the clip, as in the expert's training (without windows one frame apart); without one
    (0), P is the cosine.
    """
    terms: list[Tensor] = []
    for picture, own, start in zip(seen, sounds, starts, strict=True):
        if not scale:
            terms.append(-probability(own[start : start + 1], picture[None]).log()[0])
            continue
        logits = scale * (own @ picture)  # (N,)
        aside = torch.zeros_like(logits)
        aside[[n for n in (start - 1, start + 1) if 0 <= n < len(logits)]] = -1e4
        terms.append(-functional.log_softmax(logits + aside, dim=0)[start])
    return torch.stack(terms).mean()


def save_expert(
    expert: Expert, path: Path, *, audio: AudioKind, width: float, scale: float
) -> None:
    """Writes an expert as safetensors, in half precision, with its metadata.

    scale: the temperature of its training; 0 if its cosine is a probability.
    """
    described = {"network": "expert", "audio": audio, "width": repr(width), "scale": repr(scale)}
    save_described(expert, path, described)


def load_expert(path: Path, kind: AudioKind) -> tuple[Expert, float]:
    """A frozen, folded expert and its temperature; 0 if its cosine is a probability.

    path: a file from `save_expert`, or the official `lipsync_expert.pth`. Raises BenchError if it
    uses other features, is truncated, or holds no expert.
    """
    width, scale = 1.0, 0.0
    if path.suffix == ".safetensors":
        wanted = f"a sync expert that hears {kind}"
        found = description(path, wanted=wanted, names=DESCRIBED)
        if (found["network"], found["audio"]) != ("expert", kind):
            raise BenchError(
                f"{path}: expected {wanted}, found {found['network']} ({found['audio']}). Give an "
                "expert for these features."
            )
        width, scale = _described_numbers(path, found)
    expert = Expert(audio=kind, width=width)
    load_weights(expert, path)
    return folded(expert), scale


def _described_numbers(path: Path, found: dict[str, str]) -> tuple[float, float]:
    try:
        width, scale = float(found["width"]), float(found["scale"])
    except ValueError:
        width, scale = math.nan, math.nan
    if not (0 < width <= 2 and 0 <= scale < math.inf):
        raise BenchError(
            f"{path}: expected a width up to 2 and a scale from 0, found "
            f"{found['width']!r} and {found['scale']!r}. Train it again."
        )
    return width, scale
