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


class Memory(nn.Module):
    """External attention: a query, (N, Q), to a blend of 16 learned rows, (N, Q)."""

    def __init__(self) -> None:
        super().__init__()
        self.keys = nn.Parameter(torch.randn(ROWS, QUERY))
        self.values = nn.Parameter(torch.randn(ROWS, QUERY))

    def forward(self, query: Tensor) -> Tensor:
        shares = torch.softmax(query @ self.keys.T / QUERY**0.5, dim=-1)
        return shares @ self.values


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
        self.memories = nn.ModuleDict({name: Memory() for name in ("speech", "eyes", "pose")})
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
        """As Head's forward; pose: (4, 4), camera to world, in units in which points are."""
        features = self.encoded(points)
        if self.has_shift:
            features = self._changed(features, heard, eye, pose)
        return self.looks(features, directions, heard, eye, code)

    def gates(self, features: Tensor) -> tuple[Tensor, Tensor]:
        if not self.has_gates:
            return super().gates(features)
        query = self.query(features)
        speech = self.speech_gate(self.memories["speech"](query))
        return speech, torch.sigmoid(self.eyes_gate(self.memories["eyes"](query)))

    def _changed(self, features: Tensor, heard: Tensor, eye: Tensor, pose: Tensor) -> Tensor:
        """Scaled and shifted by each modality, as far as its memory finds it salient here."""
        query = self.query(features)
        given = {"speech": heard, "eyes": eye, "pose": pose_code(self.anchor_points, pose)}
        salient = [
            self.memories[name](query) * torch.tanh(self.said[name](said))
            for name, said in given.items()
        ]
        scale, shift = self.change(torch.cat(salient, dim=-1)).chunk(2, dim=-1)
        changed: Tensor = features * (1.0 + scale) + shift
        return changed
