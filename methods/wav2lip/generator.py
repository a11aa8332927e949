"""The generator: maps a face with hidden lower half, a reference face and speech to a whole face.

Sources: Rudrabha/Wav2Lip, models/wav2lip.py (layers, state-dict names; FIELD.md, 4.7); doi
10.11896/jsjkx.241200067, section 3.1 (attention on the speech encoder's 256-channel stage and on
the identity encoder's 32- and 256-channel stages; the audio channel). The paper does not say
whether the decoder's skip connections get the features before or after attention; here they get
those after it, which are the ones that the encoder passes on.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.networks.audio import LIMIT, AudioKind
from bench.networks.face_crops import SIZE
from bench.networks.layers import Conv, ConvTranspose, audio_encoder, residuals, scaled
from methods.wav2lip.attention import Attention
from methods.wav2lip.variants import AttentionKind

ATTENDED_AUDIO = 10  # the layer that ends the speech encoder's 256-channel stage
ATTENDED_FACE = ("1", "4")  # the identity encoder's blocks of 32 and of 256 channels
REACH = 8  # rows: more than the receptive field of the last decoder block, five 3x3 layers


class Generator(nn.Module):
    """Wav2Lip's generator; with all defaults it is the published one, name by name.

    audio: its kind of speech features. attention: at the paper's three places. width: scales all
    channels but those of input and output. audio_channel: whether the audio features, resized to
    the face's size and divided by 4, are one more input channel of the identity encoder.
    """

    def __init__(
        self,
        *,
        audio: AudioKind = "mel",
        attention: AttentionKind = "none",
        width: float = 1.0,
        audio_channel: bool = False,
    ) -> None:
        super().__init__()
        c16, c32, c64, c128 = (scaled(c, width) for c in (16, 32, 64, 128))
        c256, c384, c512 = (scaled(c, width) for c in (256, 384, 512))
        self.audio_channel = audio_channel
        self.face_encoder_blocks = nn.ModuleList(
            [
                nn.Sequential(Conv(6 + audio_channel, c16, kernel=7, padding=3)),
                nn.Sequential(Conv(c16, c32, stride=2), *residuals(c32, 2)),  # 48
                nn.Sequential(Conv(c32, c64, stride=2), *residuals(c64, 3)),  # 24
                nn.Sequential(Conv(c64, c128, stride=2), *residuals(c128, 2)),  # 12
                nn.Sequential(Conv(c128, c256, stride=2), *residuals(c256, 2)),  # 6
                nn.Sequential(Conv(c256, c512, stride=2), *residuals(c512, 1)),  # 3
                nn.Sequential(Conv(c512, c512, padding=0), Conv(c512, c512, kernel=1, padding=0)),
            ]
        )
        self.audio_encoder = audio_encoder(audio, width, residual_256=1)
        self.face_decoder_blocks = nn.ModuleList(
            [
                nn.Sequential(Conv(c512, c512, kernel=1, padding=0)),
                nn.Sequential(
                    ConvTranspose(2 * c512, c512, stride=1, padding=0), *residuals(c512, 1)
                ),  # 3
                _doubling(2 * c512, c512),  # 6
                _doubling(c512 + c256, c384),  # 12
                _doubling(c384 + c128, c256),  # 24
                _doubling(c256 + c64, c128),  # 48
                _doubling(c128 + c32, c64),  # 96
            ]
        )
        self.output_block = nn.Sequential(Conv(c64 + c16, c32), nn.Conv2d(c32, 3, 1), nn.Sigmoid())
        # Without attention these modules have no tensors: all names are the published ones.
        self.audio_attention = Attention(attention, c256)
        self.face_attention = nn.ModuleDict(
            {
                block: Attention(attention, channels)
                for block, channels in zip(ATTENDED_FACE, (c32, c256), strict=True)
            }
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
        in training. Its receptive field is five rows.
        """
        if self.training:
            raise RuntimeError("lower_half is for evaluation: call eval() first")
        return self._generate(audio, faces, above=SIZE // 2 - REACH)[:, :, REACH:]

    def _generate(self, audio: Tensor, faces: Tensor, *, above: int = 0) -> Tensor:
        """The face from row `above` (even) on; its first rows are wrong, since rows above lack."""
        if self.audio_channel:
            picture = functional.interpolate(audio / LIMIT, (SIZE, SIZE), mode="bilinear")
            faces = torch.cat([faces, picture], dim=1)  # (B, 7, 96, 96)
        *seen, last = reversed(self._see(faces))
        x = self.hear(audio)
        *blocks, enlarge = self.face_decoder_blocks
        for block, skipped in zip(blocks, seen, strict=True):
            x = torch.cat([block(x), skipped], dim=1)
        x = torch.cat([enlarge(x[:, :, above // 2 :]), last[:, :, above:]], dim=1)
        face: Tensor = self.output_block(x)
        return face

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
            if index == ATTENDED_AUDIO:
                audio = self.audio_attention(audio)
        return audio


def _doubling(inputs: int, outputs: int) -> nn.Sequential:
    """A block of the decoder that doubles height and width."""
    up = ConvTranspose(inputs, outputs, stride=2, padding=1)
    return nn.Sequential(up, *residuals(outputs, 2))
