"""Reads off two pictures of one face by how much its mouth moved; frozen, it teaches VG-net.

Defined here: in the small recipe it stands in for the landmarks that the official discriminator
reads (`judge.Judge`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.train import loop as training
from methods.atvg.batches import PictureBatch
from methods.atvg.settings import ReaderSettings

ROWS, COLUMNS = slice(40, 96), slice(16, 80)  # of a 96x96 face: nose to chin
CHANNELS = (16, 32, 48, 64)


class LandmarkReader(nn.Module):
    """Two faces to the coefficients of the difference, about 0.1 M parameters."""

    def __init__(self, components: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 6
        for outputs in CHANNELS:
            layers += [
                nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
            ]
            inputs = outputs
        self.seen = nn.Sequential(*layers)  # (B, 64, 4, 4)
        self.said = nn.Sequential(
            nn.Linear(CHANNELS[-1] * 16, 64), nn.ReLU(), nn.Linear(64, components)
        )

    def forward(self, stills: Tensor, pictures: Tensor) -> Tensor:
        """(B, K). stills, pictures: (B, 3, 96, 96) in [-1, 1]."""
        pair = torch.cat([pictures, stills], dim=1)[:, :, ROWS, COLUMNS]
        said: Tensor = self.said(self.seen(pair).flatten(1))
        return said


class ReaderLearner:
    """The reader and its optimiser."""

    def __init__(
        self, settings: ReaderSettings, components: int, *, seed: int, device: str
    ) -> None:
        self.settings = settings
        self.device = torch.device(device)
        torch.manual_seed(seed)
        self.reader = LandmarkReader(components).to(self.device)
        self.optimiser = torch.optim.AdamW(self.reader.parameters(), lr=settings.learning_rate)

    def advance(self, step: int, batch: PictureBatch) -> dict[str, float]:
        """One step; returns the squared error of the coefficients, whose deviation is 1."""
        settings = self.settings
        rate = training.one_cycle(step, steps=settings.steps, peak=settings.learning_rate)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.reader.train()
        stills, pictures = as_pictures(batch, self.device)
        said = self.reader(stills.repeat_interleave(pictures.shape[1], 0), pictures.flatten(0, 1))
        error = functional.mse_loss(said, batch.differences.to(self.device).flatten(0, 1))
        self.optimiser.zero_grad()
        error.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return {"error": float(error.detach())}

    def state_dict(self) -> dict[str, object]:
        """Everything that the next step depends on."""
        return self._states().state_dict()

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Restores what `state_dict` returned."""
        self._states().load_state_dict(state)

    def _states(self) -> training.States:
        return training.States(reader=self.reader, optimiser=self.optimiser)


def as_pictures(batch: PictureBatch, device: torch.device) -> tuple[Tensor, Tensor]:
    """Stills (B, 3, S, S) and pictures (B, T, 3, S, S) in [-1, 1]."""
    stills = batch.stills.to(device).permute(0, 3, 1, 2).float() / 127.5 - 1.0
    pictures = batch.pictures.to(device).permute(0, 1, 4, 2, 3).float() / 127.5 - 1.0
    return stills, pictures


@torch.no_grad()
def reader_figures(reader: LandmarkReader, batch: PictureBatch, device: torch.device) -> float:
    """The squared error on a held-out batch."""
    reader.eval()
    stills, pictures = as_pictures(batch, device)
    said = reader(stills.repeat_interleave(pictures.shape[1], 0), pictures.flatten(0, 1))
    return float((said - batch.differences.to(device).flatten(0, 1)).square().mean())
