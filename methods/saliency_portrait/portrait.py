"""The region-saliency portrait in small: what one person's file holds, how it sees and learns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import torch
from torch import Tensor, nn

from bench.features.head_pose import HEAD
from methods.radiance.learning import Portrait
from methods.radiance.rays import Rays
from methods.radiance.recording import HALF_SIDE, MIDDLE, UNIT, Cameras, Recording
from methods.radiance.volume import Integral
from methods.saliency_portrait.hashed_grid import GridSize
from methods.saliency_portrait.head import HeadSize, Looks
from methods.saliency_portrait.saliency import Ablation, SaliencyHead
from methods.saliency_portrait.torso import TorsoByGrid, TorsoByReference

CELLS, CHANNELS, HIDDEN, HEARD, CODE, TORSO_CODE = (24, 48, 96), 5, 64, 32, 4, 8
TORSO_PLANE = GridSize(levels=6, channels=2, coarsest=8, finest=64, table=2**12, shared_by="tiled")
PLANES_RATE = 5.0  # times the networks' rate
DEEP = 0.45  # where samples lie before and behind the head's middle, in its coordinates
# Weights of ER-NeRF's losses.
LEAST_WEIGHT, MOST_WEIGHT = 0.2, 10.0  # of a ray's error: without, and by uncertainty alone
ENTROPY, OUTSIDE, ACROSS, CERTAIN = 1e-4, 1e-4, 1e-4, 1e-3

TorsoKind = Literal["none", "grid", "reference"]
HeadKind = Literal["small", "official"]


@dataclass(frozen=True)
class Seen(Integral):
    """What N rays see, and what acts there: (N,) each, summed along the rays as colours are.

    is_face: (N,) bool, whether a ray passes between brows and chin.
    """

    speech_acts: Tensor
    eyes_act: Tensor
    uncertainty: Tensor
    is_face: Tensor


class SaliencyPortrait(Portrait):
    """A person's head by `SaliencyHead`, before one colour or a torso.

    head: "small" has dense planes, "official" ER-NeRF's hashed ones.

    clips: that are learned from, each with a code for its light; 1: the mean code of a person's
    file. The density is 0 outside the coordinates [-1, 1].
    """

    reference: Tensor  # (3, S, S) in [0, 1], for the torso

    def __init__(
        self,
        saliency: Ablation,
        torso: TorsoKind,
        head: HeadKind,
        *,
        samples: int,
        side: int,
        clips: int,
    ) -> None:
        super().__init__()
        small = HeadSize(CELLS, CHANNELS, HEARD, frames=clips, code=CODE, hidden=HIDDEN)
        size = small if head == "small" else HeadSize(frames=clips)
        self.head = SaliencyHead(size, saliency)
        self.guess = nn.Linear(HEARD, 1)
        self.register_buffer("background", torch.zeros(3))
        self.torso: TorsoByGrid | TorsoByReference | None = None
        if torso == "grid":
            self.torso = TorsoByGrid(TORSO_PLANE, frames=clips, code=TORSO_CODE)
        if torso == "reference":
            self.torso = TorsoByReference(frames=clips, code=TORSO_CODE)
            self.register_buffer("reference", torch.zeros(3, side, side))
        self.samples = samples

    def meet(self, recording: Recording) -> None:
        super().meet(recording)
        if isinstance(self.torso, TorsoByReference):
            first = torch.from_numpy(recording.faces[0]).float() / 255.0
            self.reference.copy_(first.permute(2, 0, 1))

    def finish(self) -> None:
        """Keeps the mean code of the clips: another clip's light is not known."""
        for codes, owner, name in self._codes():
            setattr(owner, name, nn.Parameter(codes.detach().mean(0, keepdim=True)))

    def listen(self, heard: Tensor, *, is_smoothed: bool) -> Tensor:
        count, windows = heard.shape[:2]
        if not is_smoothed:
            return self.head.audio_net(heard[:, windows // 2])  # type: ignore[no-any-return]
        every = self.head.audio_net(heard.flatten(0, 1)).view(count, windows, HEARD)
        return self.head.audio_att_net(every)  # type: ignore[no-any-return]

    def opening(self, signal: Tensor) -> Tensor:
        return self.guess(signal)[:, 0]  # type: ignore[no-any-return]

    def told(
        self, signal: Tensor, cameras: Cameras, lids: Tensor, clip: Tensor | None = None
    ) -> Tensor:
        """Speech, lids, the head's pose, the codes of the clip."""
        poses = torch.from_numpy(cameras.poses).to(signal.device)
        codes = [
            codes.mean(0).expand(len(signal), -1) if clip is None else codes[clip]
            for codes, _, _ in self._codes()
        ]
        return torch.cat([signal, lids[:, None], poses.flatten(1), *codes], dim=-1)

    def look(
        self, rays: Rays, signal: Tensor, near: Tensor, far: Tensor, random: torch.Generator | None
    ) -> Seen:
        middle = 0.5 * (near + far)
        widths = [HEARD, 1, 16, CODE, TORSO_CODE if self.torso is not None else 0]
        heard, eye, flat, code, torso_code = torch.split(signal, widths, dim=-1)
        poses = flat.view(-1, 4, 4)
        depths = _depths(middle - DEEP, middle + DEEP, self.samples, random)  # (N, S)
        points = rays.at(depths)  # (N, S, 3)
        looks = self.head.seen_from(
            poses, points, rays.unit[:, None], heard[:, None], eye[:, None], code[:, None]
        )
        places = box_places(rays, poses)
        behind = self._behind(places, poses, torso_code)
        is_inside = (points.abs() <= 1).all(-1)
        return summed(looks, depths, is_inside, rays, behind, is_face(places))

    def loss(self, seen: Integral, target: Tensor, share: float) -> Tensor:
        """ER-NeRF's, without what needs a parsed face or LPIPS."""
        assert isinstance(seen, Seen)
        error = (seen.colour - target).square().mean(-1)
        weight = torch.softmax(seen.uncertainty.detach(), dim=0) * len(error)
        weight = ((1 - share) + share * weight).clamp(0, MOST_WEIGHT)
        colours = (error * (LEAST_WEIGHT + (1 - LEAST_WEIGHT) * weight)).mean()
        face, beyond = seen.is_face.float(), (~seen.is_face).float()
        away = (seen.colour - target).abs().mean(-1).detach()
        unsure = 1.0 + seen.uncertainty
        told = away / (2 * unsure.square()) + 0.5 * unsure.log().square()
        found = (1 - seen.last_weight).clamp(1e-5, 1 - 1e-5)
        entropy = -(found * found.log2() + (1 - found) * (1 - found).log2()).mean()
        regions = OUTSIDE * (beyond * seen.speech_acts).mean()
        regions = regions + ACROSS * (face * seen.eyes_act * seen.speech_acts).mean()
        certain = (face * told).mean() + CERTAIN * (beyond * seen.uncertainty).mean()
        return colours + ENTROPY * entropy + share * (regions + certain)

    def groups(self, rate: float) -> list[dict[str, object]]:
        tables = {".planes.", ".encoder_", ".torso_encoder."}
        fast: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for name, each in self.named_parameters():
            (fast if any(table in name for table in tables) else others).append(each)
        return [{"params": others, "lr": rate}, {"params": fast, "lr": PLANES_RATE * rate}]

    def _codes(self) -> list[tuple[Tensor, nn.Module, str]]:
        """The codes of the clips, (clips, C), and where they stand: the head's, the torso's."""
        found: list[tuple[nn.Module, str]] = [(self.head, "individual_codes")]
        if self.torso is not None:
            found.append((self.torso, "individual_codes_torso"))
        return [(cast("Tensor", getattr(owner, name)), owner, name) for owner, name in found]

    def _behind(self, places: Tensor, poses: Tensor, code: Tensor) -> Tensor:
        """The colours that the head stands before, (N, 3)."""
        plain = self.background.expand(len(places), 3)
        if self.torso is None:
            return plain
        if isinstance(self.torso, TorsoByReference):
            torso = self.torso(places, poses, code, self.reference)
        else:
            torso = self.torso(places, poses, code)
        shown: Tensor = torso.alpha * torso.colour + (1 - torso.alpha) * plain
        return shown


def summed(
    looks: Looks, depths: Tensor, is_inside: Tensor, rays: Rays, behind: Tensor, is_face: Tensor
) -> Seen:
    """The looks at N rays' samples, (N, S, ...), put together before the colours behind, (N, 3)."""
    steps = depths.diff(dim=-1)
    steps = torch.cat([steps, steps[:, -1:]], dim=-1) * rays.lengths[:, None]
    passed = looks.density * is_inside * steps
    before = torch.cumsum(passed, dim=-1) - passed
    weights = torch.exp(-before) * (1 - torch.exp(-passed))  # (N, S)
    last = (1 - weights.sum(-1, keepdim=True)).clamp(0, 1)
    foreground = (weights[..., None] * looks.colour).sum(1)
    return Seen(
        foreground + last * behind,
        torch.cat([weights, last], dim=-1),
        foreground,
        (weights * depths).sum(-1) + last[:, 0] * depths[:, -1],
        (weights * looks.speech_acts[..., 0]).sum(-1),
        (weights * looks.eyes_act[..., 0]).sum(-1),
        (weights.detach() * looks.uncertainty[..., 0]).sum(-1),
        is_face,
    )


def box_places(rays: Rays, poses: Tensor) -> Tensor:
    """Where rays pass in the face's box, (N, 2) x y downwards, of which the edges are -1 and 1."""
    turned = torch.einsum("ni,nij->nj", rays.directions, poses[:, :3, :3])  # as the camera sees
    middle = torch.einsum("ni,nij->nj", -poses[:, :3, 3], poses[:, :3, :3])
    across = turned[:, :2] * -middle[:, 2:] - middle[:, :2]
    return across * across.new_tensor([1.0, -1.0]) * (UNIT / HALF_SIDE)


def is_face(places: Tensor) -> Tensor:
    """Which places of the box, (N, 2), lie between brows, chin and the jaw's ends."""
    x, y = places.unbind(-1)
    low, high = ((HEAD[:, 1].min() - MIDDLE[1]), (HEAD[:, 1].max() - MIDDLE[1]))
    side = float(np.abs(HEAD[:, 0]).max()) / HALF_SIDE
    inside: Tensor = (x.abs() <= side) & (-y >= low / HALF_SIDE) & (-y <= high / HALF_SIDE)
    return inside


def _depths(near: Tensor, far: Tensor, count: int, random: torch.Generator | None) -> Tensor:
    """The middles of evenly spaced cells from near to far, (N, S); in learning, drawn in them."""
    cells = torch.arange(count, device=near.device, dtype=near.dtype)
    place: Tensor | float = 0.5
    if random is not None:
        place = torch.rand(len(near), count, generator=random, device=near.device)
    return near + (far - near) * (cells + place) / count
