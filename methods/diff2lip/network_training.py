"""Trains the small network: noise is taken away from hidden halves of faces, by ear.

Sources: Mukhopadhyay et al., arXiv:2308.09716, eq. 9, and the author's weights of the losses in
soumik-kanad/diff2lip, thread #41; the training's code was never published. In place of LPIPS there
is a Laplacian pyramid, and the adversarial loss is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn

from bench.networks.sync_expert import WINDOW, sync_loss
from bench.train import loop as training
from bench.train.averages import running_average
from bench.train.best_weights import BestWeights
from bench.train.pixel_losses import pyramid_loss, weights_map
from bench.train.sync_expert import Judge
from bench.train.talking_batches import TalkingBatch
from methods.diff2lip.checkpoints import Diffused
from methods.diff2lip.diffusion import TIMES, Schedule, noisy, without_noise
from methods.diff2lip.networks import Denoiser
from methods.diff2lip.pictures import condition, lower, seen
from methods.diff2lip.settings import NetworkSettings
from methods.diff2lip.sizes import SMALL

WARM = 0.05  # the share of the steps in which the learning rate rises


def drawn_network(settings: NetworkSettings, seed: int) -> Denoiser:
    """A network of the settings' size, with weights as drawn."""
    torch.manual_seed(seed)
    size = replace(
        SMALL,
        width=settings.width,
        multipliers=settings.multipliers,
        blocks=settings.blocks,
        attention=settings.attention,
        top=settings.top,
    )
    return Denoiser(size)


class NetworkLearner:
    """The network, its optimiser, the running average and the best weights."""

    def __init__(
        self,
        network: Denoiser,
        settings: NetworkSettings,
        diffused: Diffused,
        judge: Judge | None,
        *,
        seed: int,
        device: torch.device,
    ) -> None:
        self.settings = settings
        self.diffused = diffused
        self.judge = judge
        self.seed = seed
        self.device = device
        self.network = settings.laid_out(network.to(device))
        self.run_network = settings.compiled(self.network)
        self.average = running_average(self.network, decay=settings.average)
        self.best = BestWeights()
        self.counted = _counted(self.network, settings.mouth, device)
        self.kept = torch.from_numpy(Schedule.of(diffused.noising).kept).float().to(device)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
        )

    def advance(self, step: int, batch: TalkingBatch) -> dict[str, float]:
        """One step; returns the losses."""
        settings, size = self.settings, self.network.size
        if settings.schedule == "one_cycle":
            rate = training.one_cycle(
                step, steps=settings.steps, peak=settings.learning_rate, warm=WARM
            )
            self.optimiser.param_groups[0]["lr"] = rate
        self.network.train()
        faces = self._faces(batch.targets)  # (F, 3, 96, 96)
        pictures, shown = seen(faces, size), seen(self._faces(batch.references), size)
        drawn = self._drawn(step, batch, pictures)
        kept = self.kept[drawn.times]
        x = noisy(pictures, drawn.noise, kept)
        known = condition(pictures, size, self.diffused.filling, drawn.filling)
        with settings.autocast(self.device.type):
            style = self.network.hear(batch.heard[:, 0].to(self.device))
            found = self.run_network(x, drawn.times, known, shown, style).float()
        wanted = pictures if self.diffused.predicts == "x0" else drawn.noise
        simple = ((found - wanted)[:, :, size.seen :].square() * self.counted).mean()
        figures, loss = {"simple": simple}, simple
        half = lower(without_noise(x, found, kept, self.diffused.predicts), size)
        if self.diffused.predicts == "noise":  # far off where there is nearly nothing but noise
            half = half.clamp(0.0, 1.0)
        if settings.pyramid:
            made = torch.cat([faces[:, :, : size.hidden], half], dim=2)
            figures["bands"] = pyramid_loss(made, faces)
            loss = loss + settings.pyramid * figures["bands"]
        if self._is_synced(step) and len(batch.starts):
            figures["sync"] = self._sync(half, batch)
            loss = loss + settings.sync * figures["sync"]
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), settings.clip_norm)
        self.optimiser.step()
        self.average.update_parameters(self.network)
        return {name: float(value.detach()) for name, value in figures.items()}

    def took_note(self, step: int, choice: float) -> None:
        """Keeps the best weights by validation, from where all losses take part."""
        if step >= min(self.settings.sync_from, 1.0) * self.settings.steps:
            self.best.saw(self.averaged, choice)

    @property
    def averaged(self) -> Denoiser:
        """The network with its averaged weights."""
        return cast("Denoiser", self.average.module)

    def chosen(self) -> Denoiser:
        """The network with the best weights by validation, or the last ones without any."""
        return self.best.of(self.averaged)

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

    def _is_synced(self, step: int) -> bool:
        settings = self.settings
        return settings.has_sync and step >= settings.sync_from * settings.steps

    def _faces(self, levels: Tensor) -> Tensor:
        """Faces (F, 96, 96, 3) uint8 as (F, 3, 96, 96) in [0, 1]."""
        return levels.to(self.device).permute(0, 3, 1, 2).float() / 255

    def _drawn(self, step: int, batch: TalkingBatch, pictures: Tensor) -> _Drawn:
        """Times and noise: one of each for all frames of a clip, as when faces are made.

        Once there is a sync loss, windows are drawn at the times at which it counts.
        """
        settings = self.settings
        random = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        owners = batch.owners.to(self.device)
        windows, count = len(batch.starts), int(batch.owners[-1]) + 1
        chance = torch.rand(count, generator=random)
        times = (TIMES * chance ** (1.0 / settings.leaning)).long()
        if self._is_synced(step):
            times[:windows] = (settings.sync_below * chance[:windows]).long()
        times = times.clamp(max=TIMES - 1).to(self.device)
        noise, filling = torch.randn(2, count, *pictures.shape[1:], generator=random).to(
            self.device
        )
        return _Drawn(times[owners], noise[owners], filling[owners])

    def _sync(self, half: Tensor, batch: TalkingBatch) -> Tensor:
        """The expert's loss of speech against the windows' mouths."""
        assert self.judge is not None
        count = len(batch.starts)
        mouths = half[: count * WINDOW].reshape(count, -1, *half.shape[2:])  # (B, 15, 48, 96)
        with self.settings.autocast(self.device.type):
            looked = self.judge.see(mouths)
        sounds = [self.judge.sounds[clip] for clip in batch.clips.tolist()]
        return sync_loss(looked, sounds, batch.starts.tolist(), self.judge.scale)


def _counted(network: Denoiser, mouth: float, device: torch.device) -> Tensor:
    """The weight of each drawn pixel, (h, side), 1 on average."""
    size = network.size
    counted = weights_map(1.0, mouth, device)[size.hidden :]
    return counted / counted.mean()


@dataclass(frozen=True)
class _Drawn:
    """What is drawn for each frame: times (F,), noise and filling (F, 3, rows, side)."""

    times: Tensor
    noise: Tensor
    filling: Tensor
