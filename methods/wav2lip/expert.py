"""The sync expert: whether five frames of a mouth and 0.2 s of speech belong together.

Sources: Rudrabha/Wav2Lip, models/syncnet.py (layers, state-dict names; FIELD.md, 4.7); doi
10.11896/jsjkx.241200067, eq. 11: the probability is the cosine. The paper calls epsilon a sigmoid;
as in Wav2Lip it only guards the division here, for both embeddings come out of a ReLU and their
cosine lies in [0, 1] as it is.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from methods.wav2lip.audio import AudioKind
from methods.wav2lip.layers import Conv, audio_encoder, residuals, scaled

WINDOW = 5  # frames
EDGE = 1e-6  # keeps the logarithms of a probability and of its complement finite


class Expert(nn.Module):
    """Wav2Lip's expert; with all defaults it is the published one, name by name.

    audio: what it hears. width: scales all channels but those of the input.
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
        """Embeddings of sound and picture, both (B, C) of length 1 and without negative entries.

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
    """That sound and picture belong together, (B,) in [1e-6, 1 - 1e-6]: the cosine, eq. 11.

    heard, seen: (B, C), as `Expert` gives them. Its negative logarithm is the sync loss (eq. 12).
    """
    return functional.cosine_similarity(heard, seen).clamp(EDGE, 1.0 - EDGE)
