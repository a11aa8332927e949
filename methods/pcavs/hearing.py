"""The first stage: the speech encoder learns which mouth belongs to which sound.

Source: Hangz-nju-cuhk/Talking-Face_PC-AVS @ 201d2b9 has a contrastive stage between speech and
mouth. Here the frozen tower of the sync expert sees the mouth, and the loss is the expert's own,
with a learned temperature, in place of a softmax over 1 / distance.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from bench.ground.errors import BenchError
from bench.networks.sync_expert import WINDOW
from bench.train import loop as training
from bench.train.draws import Draw
from bench.train.sync_expert import Judge, matching_loss, picture_embeddings
from methods.pcavs import mel
from methods.pcavs.clips import AlignedClip
from methods.pcavs.small import HEARD, SmallSpeechEncoder

CLIPS, WINDOWS = 6, 20  # of a step
RATE = 2e-3


def learn_to_hear(
    speech: SmallSpeechEncoder,
    clips: Sequence[AlignedClip],
    judge: Judge,
    *,
    steps: int,
    seed: int,
    device: torch.device,
) -> float:
    """Trains the encoder; returns the share of windows whose own sound ranked first in the end.

    Each of 20 windows of a clip has to find its sound among the clip's 20, and each sound its
    window. The share is over the last tenth of the steps. Clips shorter than 24 frames are left
    out; raises BenchError if all are.
    """
    numbers = [n for n, clip in enumerate(clips) if len(clip.pictures()) >= WINDOWS + WINDOW - 1]
    if not numbers:
        raise BenchError(f"no clip to train on has {WINDOWS + WINDOW - 1} frames or more")
    draw = Draw(numbers, group=lambda number: clips[number].dataset, power=0.5)
    seen: dict[int, torch.Tensor] = {}  # (N, C) of the clips that were drawn
    torch.manual_seed(seed)
    width = len(picture_embeddings(judge.expert, clips[numbers[0]].tracked, device)[0])
    compare = nn.Sequential(nn.ReLU(), nn.Linear(HEARD, width)).to(device)
    log_scale = nn.Parameter(torch.tensor(10.0, device=device).log())
    learning = [*speech.parameters(), *compare.parameters(), log_scale]
    optimiser = torch.optim.AdamW(learning, lr=RATE, weight_decay=0.02)
    right: list[float] = []
    speech.train()
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = training.one_cycle(step, steps=steps, peak=RATE)
        random = np.random.default_rng([seed, step])
        heard, wanted, places = [], [], []
        for drawn in draw.several(min(CLIPS, len(numbers)), random):
            number = draw.clips[int(drawn)]
            clip = clips[number]
            if number not in seen:
                seen[number] = picture_embeddings(judge.expert, clip.tracked, device)
            starts = np.sort(random.choice(len(seen[number]), WINDOWS, replace=False))
            heard.append(mel.windows(clip.mel(), starts + WINDOW // 2))
            wanted.append(seen[number][torch.from_numpy(starts).to(device)])
            places.append(torch.from_numpy(starts))
        sounds = torch.from_numpy(np.concatenate(heard)).to(device)
        own = functional.normalize(compare(speech(sounds)), dim=1).view(len(wanted), WINDOWS, -1)
        cosines = torch.stack(wanted) @ own.transpose(1, 2)  # (C, W, W), windows by sounds
        place = torch.stack(places)
        gaps = (place[:, :, None] - place[:, None, :]).abs().to(device)
        loss = matching_loss(cosines, gaps, log_scale.exp().clamp(max=60.0))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(learning, 1.0)
        optimiser.step()
        found = cosines.detach().argmax(dim=2) == torch.arange(WINDOWS, device=device)
        right.append(float(found.float().mean()))
    return float(np.mean(right[-max(1, steps // 10) :]))
