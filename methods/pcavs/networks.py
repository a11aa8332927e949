"""PC-AVS put together: a still, speech and pose frames give pictures.

Source: Hangz-nju-cuhk/Talking-Face_PC-AVS @ 201d2b9 (CC-BY-4.0).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.pcavs.face import MOUTH, POSE, FaceEncoder
from methods.pcavs.generator import CHANNELS, Generator
from methods.pcavs.identity import VECTOR, Identity, IdentityEncoder
from methods.pcavs.speech import SpeechEncoder
from methods.pcavs.widths import scaled

OFFICIAL_MOUTH_WEIGHT = 1.2  # of the speech feature; in the code, not in the paper


@dataclass(frozen=True)
class Networks:
    """The four networks that generate, all on one device."""

    identity: IdentityEncoder
    speech: SpeechEncoder
    face: FaceEncoder
    generator: Generator

    @classmethod
    def new(cls, *, width: float = 1.0) -> Networks:
        """With weights as torch draws them. width: 1 is published; less is for quick tests."""
        style = scaled(VECTOR, width) + scaled(MOUTH, width) + POSE
        channels = tuple(scaled(each, width) for each in CHANNELS)
        return cls(
            IdentityEncoder(width=width),
            SpeechEncoder(width=width),
            FaceEncoder(width=width),
            Generator(channels=channels, style=style),
        )

    def to(self, device: str) -> None:
        """Moves all four."""
        for network in (self.identity, self.speech, self.face, self.generator):
            network.to(device)

    def who(self, still: Tensor) -> Identity:
        """still: (1, 3, 224, 224) RGB in [-1, 1]. Once for a video."""
        return self.identity(still)  # type: ignore[no-any-return]

    def pictures(
        self,
        who: Identity,
        windows: Tensor,
        poses: Tensor,
        *,
        mouth_weight: float = OFFICIAL_MOUTH_WEIGHT,
        random: torch.Generator | None = None,
    ) -> Tensor:
        """Pictures (B, 3, 224, 224), RGB in [-1, 1], for B frames of one video.

        windows: (B, 1, 80, 20), what each frame hears. poses: (B, 3, 224, 224) RGB in [-1, 1], or
        (1, 3, 224, 224) for a head that is held still. mouth_weight: what the speech feature is
        multiplied by. random: new noise for each picture as in the official program; without it,
        the noise stored with the generator.
        """
        frames = len(windows)
        mouth = self.face.mouth_style(mouth_weight * self.speech(windows))
        pose = self.face.pose(self.face(poses)).expand(frames, -1)
        style = style_of(who.vector, mouth, pose)
        return self.generator(style, who.map.expand(frames, -1, -1, -1), random=random)  # type: ignore[no-any-return]


def style_of(identity: Tensor, mouth: Tensor, pose: Tensor) -> Tensor:
    """identity: (1 or B, 2048). mouth: (B, 500). pose: (B, 12). Gives (B, 2560)."""
    return torch.cat([identity.expand(len(mouth), -1), mouth, pose], 1)
