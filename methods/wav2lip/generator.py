"""The generator: maps a face with hidden lower half, a reference face and speech to a whole face.

Sources: Rudrabha/Wav2Lip, models/wav2lip.py (layers, state-dict names; FIELD.md, 4.7); doi
10.11896/jsjkx.241200067, section 3.1 (attention on the speech encoder's 256-channel stage and on
the identity encoder's 32- and 256-channel stages; the audio channel). The paper does not say
whether the decoder's skip connections get the features before or after attention; here they get
those after it, which are the ones that the encoder passes on. A shallower encoder and semantic
alignment are LPIPS-AttnWav2Lip's, arXiv:2602.00189, re-made from its abstract; its decoder keeps
Wav2Lip's order of layers and channels, so that a trained Wav2Lip's outer blocks fit.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.networks.audio import LIMIT, AudioKind
from bench.networks.face_crops import SIZE
from bench.networks.layers import (
    Conv,
    ConvTranspose,
    audio_encoder,
    face_encoder,
    residuals,
    scaled,
)
from methods.wav2lip.alignment import Alignment
from methods.wav2lip.attention import attention as attention_of
from methods.wav2lip.variants import (
    DEPTH,
    PAPER,
    RESIDUAL_LAYERS,
    AttentionKind,
    Places,
    Variant,
)

LAST_256 = 10  # the layer that ends the speech encoder's 256-channel stage
SHALLOWEST = 5  # blocks of the identity encoder, down to 6x6: the decoder's first has 512 channels
ALIGNED = (2, 3)  # Wav2Lip's decoder blocks of 6x6 and 12x12, counted from 0
REACH = 8  # rows: more than the receptive field of the last decoder block, five 3x3 layers


class Generator(nn.Module):
    """Wav2Lip's generator; with all defaults it is the published one, name by name.

    audio: its kind of speech features. attention, places: which attention it has, and where. width:
    scales all channels but those of input and output. audio_channel: whether the audio features,
    resized to the face's size and divided by 4, are one more input channel of the identity encoder.
    depth: blocks of the identity encoder, 5 (down to 6x6) to 7 (down to 1x1); the decoder starts
    where it ends. residual_layers: of each block, at most. alignment: the decoder starts from the
    face alone, and the sound enters by `Alignment` at 6x6 and 12x12.
    """

    def __init__(
        self,
        *,
        audio: AudioKind = "mel",
        attention: AttentionKind = "none",
        places: Places = PAPER,
        width: float = 1.0,
        audio_channel: bool = False,
        depth: int = DEPTH,
        residual_layers: int = RESIDUAL_LAYERS,
        alignment: bool = False,
    ) -> None:
        super().__init__()
        if not SHALLOWEST <= depth <= DEPTH:
            raise ValueError(f"expected a depth from {SHALLOWEST} to {DEPTH}, found {depth}")
        c16, c32, c64, c128 = (scaled(c, width) for c in (16, 32, 64, 128))
        c256, c384, c512 = (scaled(c, width) for c in (256, 384, 512))
        self.audio_channel = audio_channel
        self.depth = depth
        encoder = face_encoder(6 + audio_channel, width, most=residual_layers)[:depth]
        self.face_encoder_blocks = nn.ModuleList(encoder)
        self.audio_encoder = audio_encoder(audio, width, residual_256=1)
        deepest = (c256, c512, c512)[depth - SHALLOWEST]
        opening = Conv(deepest, c512) if alignment else Conv(c512, c512, kernel=1, padding=0)
        two = min(2, residual_layers)
        up = ConvTranspose(2 * c512, c512, stride=1, padding=0)
        doubling = [
            nn.Sequential(up, *residuals(c512, min(1, residual_layers))),  # 3
            _doubling(2 * c512, c512, two),  # 6
            _doubling(c512 + c256, c384, two),  # 12
            _doubling(c384 + c128, c256, two),  # 24
            _doubling(c256 + c64, c128, two),  # 48
            _doubling(c128 + c32, c64, two),  # 96
        ]
        left_out = DEPTH - depth
        decoder = [nn.Sequential(opening), *doubling[left_out:]]
        self.face_decoder_blocks = nn.ModuleList(decoder)
        self.output_block = nn.Sequential(Conv(c64 + c16, c32), nn.Conv2d(c32, 3, 1), nn.Sigmoid())
        # Without attention these modules have no tensors: all names are the published ones.
        self.audio_attention = attention_of(attention if places.audio else "none", c256)
        seen = (c16, c32, c64, c128, c256, c512, c512)
        self.face_attention = nn.ModuleDict(
            {str(block): attention_of(attention, seen[block]) for block in places.encoder}
        )
        made = (c512, *(c512, c512, c384, c256, c128, c64)[left_out:])
        self.decoder_attention = nn.ModuleDict(
            {str(block): attention_of(attention, made[block]) for block in places.decoder}
        )
        aligned = [block - left_out for block in ALIGNED if alignment]
        self.alignments = nn.ModuleDict(
            {str(block): Alignment(made[block], c512) for block in aligned}
        )

    @classmethod
    def of(cls, variant: Variant, *, width: float) -> Generator:
        """The generator of a variant."""
        return cls(
            audio=variant.audio,
            attention=variant.attention,
            places=variant.places,
            width=width,
            audio_channel=variant.audio_channel,
            depth=variant.depth,
            residual_layers=variant.residual_layers,
            alignment=variant.alignment,
        )

    def forward(self, audio: Tensor, faces: Tensor) -> Tensor:
        """The talking faces, in [0, 1]: (B, 3, 96, 96), or (B, 3, T, 96, 96).

        audio: (B, 1, D, 16), or (B, T, 1, D, 16). faces: (B, 6, 96, 96), or (B, 6, T, 96, 96), in
        [0, 1]: the target with its lower half zeroed, then the reference. The official weights use
        BGR. The T frames of a clip are processed independently.
        """
        if faces.dim() == 4:
            return self._generate(audio, faces)
        frames = faces.shape[2]
        # Time before batch, as in Wav2Lip.
        together = self._generate(
            audio.transpose(0, 1).flatten(0, 1), faces.permute(2, 0, 1, 3, 4).flatten(0, 1)
        )  # (T * B, 3, 96, 96)
        apart = together.reshape(frames, -1, *together.shape[1:])  # (T, B, 3, 96, 96)
        return apart.permute(1, 2, 0, 3, 4)

    def lower_half(self, audio: Tensor, faces: Tensor) -> Tensor:
        """The lower half of `forward`'s output, (B, 3, 48, 96), without computing all of the upper.

        Only in eval mode: the last decoder block skips rows, which batch normalisation would need
        in training. Its receptive field is five rows, unless attention follows it, which looks at
        all of them: then nothing is skipped.
        """
        if self.training:
            raise RuntimeError("lower_half is for evaluation: call eval() first")
        sees_all = str(len(self.face_decoder_blocks) - 1) in self.decoder_attention
        above = 0 if sees_all else SIZE // 2 - REACH
        return self._generate(audio, faces, above=above)[:, :, SIZE // 2 - above :]

    def _generate(self, audio: Tensor, faces: Tensor, *, above: int = 0) -> Tensor:
        """The face from row `above` (even) on; its first rows are wrong, since rows above lack."""
        if self.audio_channel:
            picture = functional.interpolate(audio / LIMIT, (SIZE, SIZE), mode="bilinear")
            faces = torch.cat([faces, picture], dim=1)  # (B, 7, 96, 96)
        *seen, last = reversed(self._see(faces))
        heard = self.hear(audio)
        x = seen[0] if self.alignments else heard
        for index, skipped in enumerate(seen):
            x = self._decoded(index, x, heard)
            if index == 0:
                x = x.expand(-1, -1, *skipped.shape[2:])  # the sound, where the face is larger
            x = torch.cat([x, skipped], dim=1)
        x = self._decoded(len(seen), x[:, :, above // 2 :], heard)
        face: Tensor = self.output_block(torch.cat([x, last[:, :, above:]], dim=1))
        return face

    def _decoded(self, index: int, x: Tensor, heard: Tensor) -> Tensor:
        """The output of a block of the decoder, with its attention and alignment."""
        place = str(index)
        x = self.face_decoder_blocks[index](x)
        if place in self.decoder_attention:
            x = self.decoder_attention[place](x)
        if place in self.alignments:
            x = self.alignments[place](x, heard.flatten(1))
        return x

    def _see(self, faces: Tensor) -> list[Tensor]:
        """The outputs of the identity encoder's blocks, the largest map first."""
        seen: list[Tensor] = []
        for index, block in enumerate(self.face_encoder_blocks):
            faces = block(faces)
            if str(index) in self.face_attention:
                faces = self.face_attention[str(index)](faces)
            seen.append(faces)
        return seen

    def hear(self, audio: Tensor) -> Tensor:
        """The speech encoder's output for windows (B, 1, D, 16): (B, C, 1, 1)."""
        for index, layer in enumerate(self.audio_encoder):
            audio = layer(audio)
            if index == LAST_256:
                audio = self.audio_attention(audio)
        return audio


def _doubling(inputs: int, outputs: int, count: int) -> nn.Sequential:
    """A block of the decoder that doubles height and width, with `count` residual layers."""
    up = ConvTranspose(inputs, outputs, stride=2, padding=1)
    return nn.Sequential(up, *residuals(outputs, count))
