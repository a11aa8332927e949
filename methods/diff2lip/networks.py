"""The network: a U-Net that sees the face's upper half and a reference, and hears 0.2 s of speech.

Source: soumik-kanad/diff2lip @ 0655a45, guided_diffusion/unet.py (`TFGModel`, `TFGAudioEncoder`),
with the flags of scripts/inference.sh. At `OFFICIAL` size its state dict has the published names.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.networks.audio import COLUMNS, MELS
from methods.diff2lip.layers import (
    Attention,
    Norm,
    Residual,
    Stage,
    code_of,
    embedding_of,
    silent_end,
    silent_style,
)
from methods.diff2lip.sizes import SPEECH_WIDTH, Size

HEIGHT = 64  # of the picture that the speech encoder makes of the mel bands


class SpeechEncoder(nn.Module):
    """The encoder of (B, 80, 16) mel spectrograms to maps (B, C, 8, 8); it knows no time."""

    def __init__(self, multipliers: tuple[int, ...], blocks: int) -> None:
        super().__init__()
        width = embedded = SPEECH_WIDTH
        self.time_embed = embedding_of(width, embedded)
        self.input_block = nn.Sequential(
            nn.Conv1d(MELS, HEIGHT, 3, padding=1), Norm(HEIGHT), nn.SiLU()
        )
        channels, height = width * multipliers[0], HEIGHT
        stages = [Stage(nn.Conv2d(1, channels, 3, padding=1))]
        for level, multiplier in enumerate(multipliers):
            for _ in range(blocks):
                stages.append(Stage(Residual(channels, width * multiplier, embedded)))
                channels = width * multiplier
            if level < len(multipliers) - 1:
                down = (2, 1) if height > COLUMNS else (2, 2)
                stages.append(Stage(Residual(channels, channels, embedded, down=down)))
                height //= 2
        self.encoder_blocks = nn.ModuleList(stages)
        self.middle_block = Stage(Residual(channels, channels, embedded))
        self.channels = channels

    def forward(self, mel: Tensor) -> Tensor:
        """(B, 80, 16) in [-4, 4] to (B, C, 8, 8); C is 128 at the official size."""
        times = torch.zeros(len(mel), device=mel.device)
        embedding = self.time_embed(code_of(times, SPEECH_WIDTH).to(mel.dtype))
        x = self.input_block(mel)[:, None]  # (B, 1, 64, 16)
        for stage in self.encoder_blocks:
            x = stage(x, embedding)
        found: Tensor = self.middle_block(x, embedding)
        return found


class Denoiser(nn.Module):
    """The U-Net. Pictures are (B, 3, rows, side), RGB in [-1, 1], from the size's `top` row on."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size
        width, embedded = size.width, 4 * size.width
        self.time_embed = embedding_of(width, embedded)
        channels = width * size.multipliers[0]
        inputs = [Stage(nn.Conv2d(9, channels, 3, padding=1))]
        passed, reduced = [channels], 1
        for level, multiplier in enumerate(size.multipliers):
            for _ in range(size.blocks):
                block = Residual(channels, width * multiplier, embedded)
                channels = width * multiplier
                inputs.append(Stage(block, *self._attention(channels, reduced)))
                passed.append(channels)
            if level < len(size.multipliers) - 1:
                inputs.append(Stage(Residual(channels, channels, embedded, down=(2, 2))))
                passed.append(channels)
                reduced *= 2
        self.input_blocks = nn.ModuleList(inputs)
        self.middle_block = Stage(
            Residual(channels, channels, embedded),
            Attention(channels, size.head),
            Residual(channels, channels, embedded),
        )
        outputs: list[Stage] = []
        for level in reversed(range(len(size.multipliers))):
            for place in range(size.blocks + 1):
                made = width * size.multipliers[level]
                layers: list[nn.Module] = [Residual(channels + passed.pop(), made, embedded)]
                channels = made
                layers += self._attention(channels, reduced)
                if level and place == size.blocks:
                    layers.append(Residual(channels, channels, embedded, is_up=True))
                    reduced //= 2
                outputs.append(Stage(*layers))
        self.output_blocks = nn.ModuleList(outputs)
        self.out = silent_end(channels, 6 if size.has_variance else 3)
        self.audio_encoder = SpeechEncoder(size.speech_multipliers, size.speech_blocks)
        self.audio_encoder_to_style = silent_style(self.audio_encoder.channels, embedded)

    def hear(self, mel: Tensor) -> Tensor:
        """What the network hears in (B, 80, 16), as (B, 4 width); the same for all times."""
        style: Tensor = self.audio_encoder_to_style(self.audio_encoder(mel))
        return style

    def forward(
        self, x: Tensor, times: Tensor, condition: Tensor, reference: Tensor, style: Tensor
    ) -> Tensor:
        """The prediction, (B, 3, rows, side), and at the official size the variance's range, too.

        x: noisy pictures, of which only the hidden rows are seen. times: (B,) in 0..999. condition:
        what is known above, and a filling below. reference: another frame of the person. style:
        from `hear`.
        """
        seen = torch.cat([condition[:, :, : self.size.seen], x[:, :, self.size.seen :]], dim=2)
        y = torch.cat([seen, condition, reference], dim=1)
        embedding = self.time_embed(code_of(times, self.size.width).to(style.dtype)) + style
        passed: list[Tensor] = []
        for stage in self.input_blocks:
            y = stage(y, embedding)
            passed.append(y)
        y = self.middle_block(y, embedding)
        for stage in self.output_blocks:
            y = stage(torch.cat([y, passed.pop()], dim=1), embedding)
        found: Tensor = self.out(y)
        return found + reference if self.size.from_reference else found

    def _attention(self, channels: int, reduced: int) -> list[nn.Module]:
        is_wanted = reduced in self.size.attention
        return [Attention(channels, self.size.head)] if is_wanted else []
