"""What a network of this project sees of a face: a distance for measuring, and for training losses.

The network is the identity encoder of the Wav2Lip that this project trained on GRID, up to its
picture of 3x3 places. It has learned what a generator must know of a face to draw it again with
another mouth. Of the encoders tried, it told wrong mouths best from compression and brightness
(docs/metrics.md). The scorer `sync_small` tells them better still, but what is trained on it could
no longer be judged by it.

Source: defined here; features of unit length as in Zhang et al. 2018, arXiv:1801.03924, without
weights of their own, which would need people's judgements. It is not LPIPS.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.networks.checkpoints import load_weights, metadata, read_state, save_described
from bench.networks.face_features import WEIGHTS, digest
from bench.networks.folding import folded
from bench.networks.layers import face_encoder

BLOCKS = 6  # of the encoder's seven: the last has a single place
EPSILON = 1e-8  # under the root, so that it has a gradient where nothing is seen


class FaceFeatures(nn.Module):
    """The encoder's first six blocks, under the generator's names."""

    def __init__(self, *, width: float) -> None:
        super().__init__()
        self.face_encoder_blocks = nn.ModuleList(face_encoder(6, width)[:BLOCKS])

    def forward(self, faces: Tensor) -> list[Tensor]:
        """What each block passes on, largest first, (B, C, h, w), of faces (B, 3, 96, 96).

        faces: RGB in [0, 1], cropped as `bench.networks.face_crops` does. The network gets them as
        in its training: with the lower half hidden, and whole as the reference face.
        """
        hidden = faces.clone()
        hidden[:, :, faces.shape[2] // 2 :] = 0.0
        x = torch.cat([hidden, faces], dim=1)
        seen: list[Tensor] = []
        for block in self.face_encoder_blocks:
            x = block(x)
            seen.append(x)
        return seen


def distance(seen: Sequence[Tensor], others: Sequence[Tensor]) -> Tensor:
    """How far apart faces are in what the network sees of them, (B,), from 0.

    The squared difference of features divided by their length over channels, summed over channels,
    averaged over places, then over blocks: at most 2, as no feature is negative. Has gradients.
    """
    parts = [
        (_unit(one) - _unit(other)).square().sum(dim=1).mean(dim=(1, 2))
        for one, other in zip(seen, others, strict=True)
    ]
    return torch.stack(parts).mean(dim=0)


def _unit(features: Tensor) -> Tensor:
    return features / (features.square().sum(dim=1, keepdim=True) + EPSILON).sqrt()


def load_face_features() -> FaceFeatures:
    """The shipped network, frozen and folded for speed; gradients go through it to the faces."""
    digest()  # says so where the file is missing
    network = FaceFeatures(width=float(metadata(WEIGHTS)["width"]))
    load_weights(network, WEIGHTS)
    return folded(network)


def cut_face_features(generator: Path, target: Path) -> None:
    """Writes the network out of a generator's weights; how the shipped file was made.

    generator: a safetensors file of this project with the network "generator".
    """
    said = metadata(generator)
    network = FaceFeatures(width=float(said["width"]))
    wanted = network.state_dict()
    state = {name: tensor for name, tensor in read_state(generator).items() if name in wanted}
    network.load_state_dict(state)
    described = {"network": "face features", "width": said["width"]}
    described["cut_from"] = f"{generator.name}@{hashlib.sha256(generator.read_bytes()).hexdigest()}"
    save_described(network, target, described)
