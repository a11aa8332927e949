"""Rays rendered: 64 samples evenly, 128 more where those saw something; a head over its torso.

Source: YudongGuo/AD-NeRF @ 9fdcd7e, `render_rays`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from methods.radiance.rays import Rays
from methods.radiance.volume import Integral, drawn_from, integrated


class Seen(Protocol):
    """A field: points, unit directions (N, 3), signal (N, S) or (S,) to raw values (N, 4)."""

    def __call__(self, points: Tensor, directions: Tensor, signal: Tensor, /) -> Tensor: ...


@dataclass(frozen=True)
class Sampling:
    """How many samples a ray has, evenly and then where there is something; fine 0: none of these.

    near, far: where samples lie, in multiples of the ray's direction: of all rays, or (N, 1).
    """

    near: float | Tensor
    far: float | Tensor
    coarse: int = 64
    fine: int = 128


@dataclass(frozen=True)
class Rendered:
    """Both looks at N rays.

    spread: (N,), of the fine samples. raw: (N, S, 4), depths: (N, S), of the last look.
    """

    coarse: Integral
    fine: Integral
    raw: Tensor
    spread: Tensor
    depths: Tensor


def rendered(
    rays: Rays,
    background: Tensor,
    signal: Tensor,
    sampling: Sampling,
    *,
    coarse: Seen,
    fine: Seen | None = None,
    random: torch.Generator | None = None,
) -> Rendered:
    """What N rays see.

    background: (N, 3) in [0, 1]. signal: (S,) or (N, S). fine: the second field, which sees all
    samples; None: the first one again. random: in training, the samples are drawn within their
    cells (the last one up to the far end).
    """
    near, far = sampling.near, sampling.far
    share = torch.linspace(0.0, 1.0, sampling.coarse, device=background.device)
    depths = (near * (1.0 - share) + far * share).expand(len(background), -1)
    if random is not None:
        depths = _jittered(depths, random)
    raw = _looked(coarse, rays, depths, signal)
    first = integrated(raw, depths, rays.lengths, background)
    if not sampling.fine:
        return Rendered(first, first, raw, torch.zeros_like(depths[:, 0]), depths)
    middles = 0.5 * (depths[:, 1:] + depths[:, :-1])
    places = _places(len(depths), sampling.fine, random, depths)
    more = drawn_from(middles, first.weights[:, 1:-1].detach(), places)
    every = torch.cat([depths, more], dim=-1).sort(dim=-1).values
    raw = _looked(fine or coarse, rays, every, signal)
    second = integrated(raw, every, rays.lengths, background)
    return Rendered(first, second, raw, more.std(dim=-1, unbiased=False), every)


def composed(head: Tensor, torso: Integral) -> Tensor:
    """The head's picture as the torso's background. head: (N, 3) -> (N, 3)."""
    return head * torso.last_weight[:, None] + torso.foreground


def _looked(field: Seen, rays: Rays, depths: Tensor, signal: Tensor) -> Tensor:
    """The field at all samples, (N, S, 4)."""
    count, samples = depths.shape
    directions = rays.unit[:, None].expand(-1, samples, -1).reshape(-1, 3)
    if signal.ndim == 2:
        signal = signal[:, None].expand(-1, samples, -1).reshape(count * samples, -1)
    return field(rays.at(depths).reshape(-1, 3), directions, signal).view(count, samples, 4)


def _jittered(depths: Tensor, random: torch.Generator) -> Tensor:
    middles = 0.5 * (depths[:, 1:] + depths[:, :-1])
    high = torch.cat([middles, depths[:, -1:]], dim=-1)
    low = torch.cat([depths[:, :1], middles], dim=-1)
    places = torch.rand(depths.shape, generator=random, device=depths.device)
    places[:, -1] = 1.0
    return low + (high - low) * places


def _places(rays: int, count: int, random: torch.Generator | None, like: Tensor) -> Tensor:
    if random is not None:
        return torch.rand(rays, count, generator=random, device=like.device)
    return torch.linspace(0.0, 1.0, count, device=like.device).expand(rays, -1)
