"""Inference of a trained generator: faces and speech features in, talking faces out.

Source: Rudrabha/Wav2Lip, inference.py. Faster, with equal pixels: batch normalisation is folded,
tensors are channels-last, and batches are small, so that their memory is reused (option `batch`).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from bench.ground.types import Frames
from bench.networks.audio import Features
from bench.networks.face_crops import SIZE
from bench.networks.folding import folded
from methods.wav2lip.checkpoints import LoadedGenerator
from methods.wav2lip.generator import Generator

Precision: TypeAlias = Literal["float32", "bfloat16"]


class Talker:
    """A generator prepared for one device; deterministic for a given machine and thread count."""

    def __init__(
        self, loaded: LoadedGenerator, *, device: str, precision: Precision = "float32"
    ) -> None:
        self.lead = loaded.lead
        self.is_bgr = loaded.colour == "bgr"
        self.device = device
        self.dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        self.network = _ready(loaded.network, self.dtype).to(device)

    def faces(
        self, targets: Frames, references: Frames, heard: Features, *, is_lower: bool = False
    ) -> Frames:
        """The talking faces, (B, 96, 96, 3) uint8 RGB.

        targets, references: (B, 96, 96, 3) uint8 RGB; only the upper half of targets is used.
        heard: (B, 1, D, 16) float32, `audio.windows` at this generator's `lead`. is_lower: generate
        only lower halves, in three quarters of the time, and take upper halves from the targets.
        """
        with torch.inference_mode():
            pictures = torch.stack([torch.from_numpy(each) for each in (targets, references)])
            pictures = pictures.to(self.device)  # (2, B, 96, 96, 3)
            if self.is_bgr:
                pictures = pictures.flip(-1)
            stacked = torch.cat(list(pictures), dim=3).to(self.dtype) / 255  # (B, 96, 96, 6)
            stacked[:, SIZE // 2 :, :, :3] = 0
            # A permuted view of (B, H, W, C) is already channels-last.
            speak = self.network.lower_half if is_lower else self.network
            faces = speak(
                torch.from_numpy(heard).to(self.device, self.dtype), stacked.permute(0, 3, 1, 2)
            )
            levels = (faces.float() * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
            if self.is_bgr:
                levels = levels.flip(-1)
            made: Frames = levels.contiguous().cpu().numpy()
        return np.concatenate([targets[:, : SIZE // 2], made], axis=1) if is_lower else made


def _ready(network: Generator, dtype: torch.dtype) -> Generator:
    ready = folded(network).to(dtype)
    if dtype != torch.float32:
        # Eight bits of mantissa are too few for 256 levels, so the last layer stays in full
        # precision, which costs almost nothing.
        block, to_colours, to_levels = ready.output_block
        ready.output_block = nn.Sequential(block, _Widened(), to_colours.float(), to_levels)
    return ready


class _Widened(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.float()
