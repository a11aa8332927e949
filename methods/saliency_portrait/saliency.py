"""What acts where, remembered in learned rows: the region-saliency module on ER-NeRF's head.

Guess, built from the paper's abstracts (jsjkx 2025, 52(3): 58-67) and its references: external
attention (Guo et al., 2021, arXiv:2105.02358) on the features of each point, one memory for each
modality, whose answers gate the modalities and scale and shift the features. The attention is
normalised over a memory's rows alone: over the points of a batch as well, as external attention
does, a point would look different in other company.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from methods.radiance.codes import octaves_width
from methods.saliency_portrait.head import Head, HeadSize, Looks
from methods.saliency_portrait.torso import ANCHORS, POSE, pose_code

ROWS, QUERY = 16, 16
POSE_CODE = octaves_width(6, POSE)

Ablation = Literal["none", "gates", "scale_and_shift", "both"]


class Memories(nn.Module):
    """External attention: a query, (..., Q), to a blend of 16 learned rows for each modality.

    Returns (..., M Q), modality after modality.
    """

    def __init__(self, modalities: int) -> None:
        super().__init__()
        self.keys = nn.Parameter(torch.randn(modalities, ROWS, QUERY))
        self.values = nn.Parameter(torch.randn(modalities, ROWS, QUERY))

    def forward(self, query: Tensor) -> Tensor:
        likeness = query @ self.keys.flatten(0, 1).T / QUERY**0.5
        shares = torch.softmax(likeness.unflatten(-1, (-1, ROWS)), dim=-1).flatten(-2)
        blocks: Tensor = torch.block_diag(*self.values)  # type: ignore[no-untyped-call]
        return shares @ blocks


class SaliencyHead(Head):
    """ER-NeRF's head with saliency by modality: speech, eyes and the head's pose.

    saliency: "none" is ER-NeRF; "gates" takes the gates on speech and eyes from the memories;
    "scale_and_shift" changes the points' features by what the modalities say there; or "both".
    """

    def __init__(self, size: HeadSize, saliency: Ablation = "both") -> None:
        super().__init__(size)
        self.has_gates = saliency in ("gates", "both")
        self.has_shift = saliency in ("scale_and_shift", "both")
        if saliency == "none":
            return
        self.query = nn.Linear(self.width, QUERY)
        self.memories = Memories(3 if self.has_shift else 2)  # only a shift hears the pose
        if self.has_gates:
            del self.aud_ch_att_net, self.eye_att_net
            self.speech_gate = nn.Linear(QUERY, size.heard)
            self.eyes_gate = nn.Linear(QUERY, 1)
        if self.has_shift:
            self.anchor_points = nn.Parameter(torch.tensor(ANCHORS))
            widths = {"speech": size.heard, "eyes": 1, "pose": POSE_CODE}
            self.said = nn.ModuleDict({name: nn.Linear(n, QUERY) for name, n in widths.items()})
            self.change = nn.Linear(3 * QUERY, 2 * self.width)
            nn.init.zeros_(self.change.weight)  # so that learning starts from ER-NeRF
            nn.init.zeros_(self.change.bias)

    def seen_from(
        self,
        pose: Tensor,
        points: Tensor,
        directions: Tensor,
        heard: Tensor,
        eye: Tensor,
        code: Tensor,
    ) -> Looks:
        """As Head's forward, for rays of S samples, or for points that one camera sees.

        points: (R, S, 3), all else (R, 1, ...), pose (R, 4, 4); or (N, 3), (1 or N, ...), (4, 4).
        pose: camera to world, in units in which points are.
        """
        features = self.encoded(points)
        if not (self.has_gates or self.has_shift):
            return self.looks(features, directions, heard, eye, code)
        salient = self.memories(self.query(features))
        if self.has_shift:
            features = self._changed(features, salient, self._said(heard, eye, pose))
        attention, eyes_act = self._gated_by(salient) if self.has_gates else self.gates(features)
        return self.gated(features, directions, heard, eye, code, attention, eyes_act)

    def _gated_by(self, salient: Tensor) -> tuple[Tensor, Tensor]:
        """As `gates`, from the answers of the memories of speech and eyes."""
        speech, eyes = salient[..., :QUERY], salient[..., QUERY : 2 * QUERY]
        return self.speech_gate(speech), torch.sigmoid(self.eyes_gate(eyes))

    def _said(self, heard: Tensor, eye: Tensor, pose: Tensor) -> Tensor:
        """What the modalities say, as wide as the memories' answers, in [-1, 1]."""
        stood = pose_code(self.anchor_points, pose)  # (1 or R, 42)
        if heard.ndim == 3:
            stood = stood[:, None]
        given = {"speech": heard, "eyes": eye, "pose": stood}
        said = [self.said[name](each) for name, each in given.items()]
        return torch.tanh(torch.cat(said, dim=-1))

    def _changed(self, features: Tensor, salient: Tensor, said: Tensor) -> Tensor:
        """Scaled and shifted by each modality, as far as its memory finds it salient there."""
        scale, shift = self.change(salient * said).chunk(2, dim=-1)
        changed: Tensor = features * (1.0 + scale) + shift
        return changed
