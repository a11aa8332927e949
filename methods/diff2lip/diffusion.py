"""The diffusion: how noise is added over 1000 times, and taken away in a few steps.

Sources: Ho et al. 2020, arXiv:2006.11239 (linear schedule, posterior); Nichol and Dhariwal 2021,
arXiv:2102.09672 (cosine schedule, respacing); Song et al. 2021, arXiv:2010.02502 (DDIM);
soumik-kanad/diff2lip @ 0655a45, guided_diffusion/gaussian_diffusion.py and respace.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Noising: TypeAlias = Literal["linear", "cosine"]
Predicts: TypeAlias = Literal["noise", "x0"]  # x0: the picture without noise

TIMES = 1000
FIRST, LAST = 1e-4, 0.02  # of the linear schedule's betas
OFFSET = 0.008  # of the cosine schedule
MOST = 0.999  # beta of the cosine schedule


@dataclass(frozen=True)
class Schedule:
    """betas: (1000,) float64, the share of the variance that each time replaces by noise."""

    betas: NDArray[np.float64]

    @classmethod
    def of(cls, kind: Noising) -> Schedule:
        """The linear schedule, which is the original's, or the cosine schedule."""
        if kind == "linear":
            return cls(np.linspace(FIRST, LAST, TIMES, dtype=np.float64))
        place = np.arange(TIMES + 1) / TIMES
        kept = np.cos((place + OFFSET) / (1 + OFFSET) * math.pi / 2) ** 2
        return cls(np.minimum(1.0 - kept[1:] / kept[:-1], MOST))

    @property
    def kept(self) -> NDArray[np.float64]:
        """The share of the picture's variance that is left at each time, (1000,)."""
        return np.asarray(np.cumprod(1.0 - self.betas))

    @property
    def posterior_log_variance(self) -> NDArray[np.float64]:
        """Of the last time's picture, given this time's and the one without noise, (1000,)."""
        kept = self.kept
        before = np.append(1.0, kept[:-1])
        variance = self.betas * (1.0 - before) / (1.0 - kept)
        return np.asarray(np.log(np.append(variance[1], variance[1:])))

    def steps(self, count: int, *, is_trailing: bool) -> Steps:
        """`count` of the times, evenly spaced.

        is_trailing: from the last time on, where there is nothing but noise; else down to time 0,
        which is the original's way.
        """
        if not 1 <= count <= TIMES:
            raise ValueError(f"{count} steps; the schedule has {TIMES} times")
        if is_trailing:
            times = np.round(TIMES - TIMES / count * np.arange(count)).astype(np.int64)[::-1] - 1
        elif len(range(0, TIMES, TIMES // count)) == count:
            times = np.arange(0, TIMES, TIMES // count)
        else:
            times = np.round(np.arange(count) * (TIMES - 1) / max(count - 1, 1)).astype(np.int64)
        kept = self.kept[times]
        return Steps(times, kept, np.append(1.0, kept[:-1]))


@dataclass(frozen=True)
class Steps:
    """Some of the times, rising: which, what is kept at each, and at the one before it."""

    times: NDArray[np.int64]  # (N,)
    kept: NDArray[np.float64]  # (N,)
    kept_before: NDArray[np.float64]  # (N,)


def noisy(pictures: Tensor, noise: Tensor, kept: Tensor) -> Tensor:
    """Pictures (B, 3, H, W) with noise. kept: (B,), what is left of their variance."""
    share = kept[:, None, None, None]
    return share.sqrt() * pictures + (1.0 - share).sqrt() * noise


def without_noise(x: Tensor, found: Tensor, kept: Tensor, predicts: Predicts) -> Tensor:
    """The picture without noise, by what the network found in x, both (B, 3, H, W)."""
    if predicts == "x0":
        return found
    share = kept[:, None, None, None]
    return (1.0 / share).sqrt() * x - (1.0 / share - 1.0).sqrt() * found


@dataclass(frozen=True)
class Step:
    """One step of DDIM. x: the picture with less noise. picture: the one without any, clipped."""

    x: Tensor
    picture: Tensor


def ddim_step(
    x: Tensor,
    found: Tensor,
    kept: float,
    kept_before: float,
    *,
    predicts: Predicts,
    is_clipped: bool = True,
) -> Step:
    """From x at a time to the time before, without new noise (eta 0).

    found: what the network found in x. is_clipped: the picture without noise to [-1, 1]; the noise
    is then the one that leads from the clipped picture to x.
    """
    share = torch.full((len(x),), kept, dtype=torch.float64)
    picture = without_noise(x, found, share.to(x), predicts)
    if is_clipped:
        picture = picture.clamp(-1.0, 1.0)
    noise = ((1.0 / kept) ** 0.5 * x - picture) / (1.0 / kept - 1.0) ** 0.5
    return Step(kept_before**0.5 * picture + (1.0 - kept_before) ** 0.5 * noise, picture)


def sampled(
    look: Callable[[Tensor, Tensor], Tensor], noise: Tensor, steps: Steps, *, predicts: Predicts
) -> Tensor:
    """The pictures that noise (B, 3, H, W) becomes by DDIM, in [-1, 1].

    look: what the network finds in x (B, 3, H, W) at times (B,), with three channels or more.
    """
    x = noise
    for place in reversed(range(len(steps.times))):
        times = torch.full((len(x),), int(steps.times[place]), device=x.device)
        found = look(x, times)[:, :3].to(x.dtype)
        kept, before = float(steps.kept[place]), float(steps.kept_before[place])
        x = ddim_step(x, found, kept, before, predicts=predicts).x
    return x
