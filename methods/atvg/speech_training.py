"""Trains AT-net: the squared error of the coefficients, and of their changes.

Source: Chen et al., CVPR 2019; lelechen63/ATVGnet @ 02d8f8f, atnet.py (squared error, Adam). The
error of the changes is this project's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.train import loop as training
from bench.train.averages import running_average
from bench.train.best_weights import BestWeights
from bench.train.held_out import evenly_by_dataset
from methods.atvg.batches import Coded, SpeechBatch
from methods.atvg.coding import opening
from methods.atvg.settings import SpeechSettings
from methods.atvg.sizes import new_speech
from methods.atvg.speech import SpeechToLandmarks

WARM = 0.1  # the share of the steps in which the learning rate rises


class SpeechLearner:
    """AT-net, its optimiser, the running average and the best weights."""

    def __init__(self, settings: SpeechSettings, coded: Coded, *, seed: int, device: str) -> None:
        self.settings = settings
        self.seed = seed
        self.device = torch.device(device)
        torch.manual_seed(seed)
        components = coded.coding.basis.components.shape[1]
        self.network = new_speech(settings.size, components).to(self.device)
        self.spread = _spread(coded).to(self.device)
        self.average = running_average(self.network, decay=settings.average)
        self.best = BestWeights()
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(),
            lr=settings.learning_rate,
            betas=settings.betas,
            weight_decay=settings.weight_decay,
        )

    def advance(self, step: int, batch: SpeechBatch) -> dict[str, float]:
        """One step; returns the losses."""
        settings = self.settings
        set_rate(self.optimiser, settings, step)
        self.network.train()
        known, heard, wanted = (x.to(self.device) for x in (batch.known, batch.heard, batch.wanted))
        if settings.noise:
            random = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
            drawn = torch.randn(heard.shape, generator=random).to(self.device)
            heard = heard + settings.noise * self.spread * drawn
        with settings.autocast(self.device.type):
            made = self.network(known, heard).float()
        error = (made - wanted).square().mean()
        changes = (made.diff(dim=1) - wanted.diff(dim=1)).square().mean()
        self.optimiser.zero_grad()
        (error + settings.changes * changes).backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), settings.clip_norm)
        self.optimiser.step()
        self.average.update_parameters(self.network)
        return {"error": float(error.detach()), "changes": float(changes.detach())}

    @property
    def averaged(self) -> SpeechToLandmarks:
        """The network with its averaged weights."""
        network = self.average.module
        assert isinstance(network, SpeechToLandmarks)
        return network

    def took_note(self, figures: dict[str, float]) -> None:
        """Keeps the weights with the least error on `val`."""
        self.best.saw(self.averaged, figures["val error"])

    def state_dict(self) -> dict[str, object]:
        """Everything that the next step depends on."""
        return self._states().state_dict()

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Restores what `state_dict` returned."""
        self._states().load_state_dict(state)

    def _states(self) -> training.States:
        return training.States(
            network=self.network, average=self.average, optimiser=self.optimiser, best=self.best
        )


def set_rate(optimiser: torch.optim.Optimizer, settings: SpeechSettings, step: int) -> None:
    """Sets the learning rate of a step."""
    if settings.schedule == "one_cycle":
        rate = training.one_cycle(
            step, steps=settings.steps, peak=settings.learning_rate, warm=WARM
        )
        for group in optimiser.param_groups:
            group["lr"] = rate


@torch.no_grad()
def speech_figures(
    network: SpeechToLandmarks, coded: Coded, count: int, device: torch.device
) -> dict[str, float]:
    """Means over held-out clips; the still is the first frame.

    error: squared, of the coefficients. opening: the correlation of the mouth aspect ratio with the
    truth. others: the same with the next clip's speech. amplitude: the deviation of the aspect
    ratio over the true one's.
    """
    network.eval()
    places = {clip.id: place for place, clip in enumerate(coded.clips)}
    chosen = [places[clip.id] for clip in evenly_by_dataset(coded.clips, count)]
    rows: list[tuple[float, ...]] = []
    for row, place in enumerate(chosen):
        other = coded.clips[chosen[(row + 1) % len(chosen)]].heard()
        shapes = coded.shapes[place]
        heard = coded.clips[place].heard()
        wanted = coded.coding.differences(shapes, shapes[0])
        made = spoken(network, coded, shapes[0], heard, device)
        wrong = spoken(network, coded, shapes[0], other, device)
        true, own, others = (
            opening(coded.coding.moved(shapes[0], x), coded.coding.scheme)
            for x in (wanted, made, wrong)
        )
        shared = min(len(true), len(others))
        rows.append(
            (
                float(np.square(made - wanted).mean()),
                correlation(own, true),
                correlation(others[:shared], true[:shared]),
                float(own.std() / max(true.std(), 1e-9)),
            )
        )
    error, own_opening, other_opening, amplitude = np.mean(rows, axis=0).tolist()
    return {
        "val error": error,
        "val opening": own_opening,
        "val others": other_opening,
        "val amplitude": amplitude,
    }


@torch.no_grad()
def spoken(
    network: SpeechToLandmarks,
    coded: Coded,
    still: NDArray[np.float64],
    heard: NDArray[np.float32],
    device: torch.device,
) -> NDArray[np.float64]:
    """The differences (T, K) that AT-net hears, for a still's shape (2 P,)."""
    known = torch.from_numpy(coded.coding.known(still).astype(np.float32))[None]
    windows = torch.from_numpy(np.array(heard))[None]
    made: Tensor = network(known.to(device), windows.to(device))
    return made[0].double().cpu().numpy()


def correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Pearson's correlation; 0 where one does not move."""
    if one.std() < 1e-9 or other.std() < 1e-9:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _spread(coded: Coded) -> Tensor:
    """The deviation of each cepstrum, (12,)."""
    heard: Sequence[NDArray[np.float32]] = [clip.heard()[:, 14] for clip in coded.clips[:100]]
    return torch.from_numpy(np.concatenate(heard).std(axis=0))
