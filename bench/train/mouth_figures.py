"""Figures of mouths on held-out clips, for generators of tracked faces (F, 3, 96, 96) in [0, 1]."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from bench.networks.sync_expert import WINDOW, mouth_windows, sync_loss
from bench.train.face_clips import FaceClip
from bench.train.pixel_losses import MOUTH, sharpness
from bench.train.sync_expert import Judge, sound_embeddings

FIGURES = ("val mouth", "val gain", "val sharpness", "val sync", "val shape")
UNHEARD = -0.3  # of `val choice`, for each dB of speech gain
_MOUTH = (slice(None), slice(None), *MOUTH)


def window_starts(frames: int, windows: int) -> list[int]:
    """First frames of windows of five spread over a clip."""
    return [int(start) for start in np.linspace(WINDOW, frames - WINDOW, windows)]


def in_windows(starts: list[int]) -> NDArray[np.int64]:
    """The numbers of the windows' frames, (F,)."""
    return np.concatenate([start + np.arange(WINDOW) for start in starts])


def mouth_figures(
    made: Tensor,
    wrong: Tensor,
    true: Tensor,
    *,
    judge: Judge | None,
    clip: FaceClip,
    starts: list[int],
) -> tuple[float, ...]:
    """What `FIGURES` names, for the windows of one clip from `starts`; without a judge, three.

    made, wrong: with the clip's own speech, and with another's. mouth: mean absolute difference of
    the mouth's pixels. gain: speech gain, the mouth's PSNR with its own speech minus that with the
    other, dB. sharpness: relative to the true mouth's. sync, shape: the expert's losses, against
    the speech and against the true mouth.
    """
    sharp = sharpness(made).mean() / sharpness(true).mean().clamp(min=1e-6)
    pixels = (
        float((made - true)[_MOUTH].abs().mean()),
        mouth_psnr(made, true) - mouth_psnr(wrong, true),
        float(sharp),
    )
    if judge is None:
        return pixels
    seen, wanted = (judge.see(_mouths(x)) for x in (made, true))
    sounds = sound_embeddings(judge.expert, clip, judge.kind, true.device)
    sync = sync_loss(seen, [sounds] * len(starts), starts, judge.scale)
    return (*pixels, float(sync), float(1.0 - (seen * wanted).sum(dim=1).mean()))


def named(rows: list[tuple[float, ...]]) -> dict[str, float]:
    """Means over clips of what `mouth_figures` returned, and `val choice`: lower is better.

    Where no judge saw the shape of the mouth, the speech gain stands for it.
    """
    means = dict(zip(FIGURES, np.mean(rows, axis=0).tolist(), strict=False))
    blurred = abs(math.log(max(means["val sharpness"], 1e-3)))
    unlike = means.get("val shape", UNHEARD * means["val gain"])
    choice = 10.0 * means["val mouth"] + unlike + 0.1 * blurred
    return {**means, "val choice": choice}


def mouth_psnr(made: Tensor, true: Tensor) -> float:
    """The PSNR of the mouth's pixels, dB."""
    return float(-10.0 * (made - true)[_MOUTH].square().mean().clamp(min=1e-8).log10())


def _mouths(faces: Tensor) -> Tensor:
    """The expert's input, (F / 5, 15, 48, 96), for consecutive windows, (F, 3, 96, 96)."""
    return mouth_windows(faces.view(-1, WINDOW, *faces.shape[1:]).transpose(1, 2))
