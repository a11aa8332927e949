"""Trains a network: noise is taken away from hidden halves of faces, by ear.

Sources: Mukhopadhyay et al., arXiv:2308.09716, eq. 9, and the author's weights of the losses in
soumik-kanad/diff2lip, thread #41; the training's code was never published.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from bench.ground.errors import BenchError
from bench.networks.face_crops import SIZE
from bench.networks.sync_expert import WINDOW
from bench.train import loop as training
from bench.train.averages import running_average
from bench.train.best_weights import BestWeights
from bench.train.loop import Batches
from bench.train.pacing import paced
from bench.train.perceptual_loss import PerceptualLoss
from bench.train.pixel_losses import pyramid_loss, weights_map
from bench.train.sync_expert import Judge
from bench.train.talking_batches import TalkingBatch
from methods.diff2lip.checkpoints import Diffused
from methods.diff2lip.diffusion import TIMES, Schedule, noisy, without_noise
from methods.diff2lip.judge import SequenceJudge, fooling_loss, judge_loss
from methods.diff2lip.networks import Denoiser
from methods.diff2lip.pictures import condition, lower, resized, seen
from methods.diff2lip.settings import DiscriminatorSettings, NetworkSettings
from methods.diff2lip.sizes import Size
from methods.wav2lip.losses import moved_map

LOG = logging.getLogger(__name__)
WARM = 0.05  # the share of the steps in which the learning rate rises


def drawn_network(settings: NetworkSettings, seed: int) -> Denoiser:
    """A network of the settings' size, with weights as drawn."""
    torch.manual_seed(seed)
    return Denoiser(settings.size)


class NetworkLearner:
    """Network, discriminator, their optimisers, the running average and the best weights.

    judge: the sync expert; None if the settings need none. Where a loss wants another size of face
    than the network's, it gets 96x96.
    """

    def __init__(
        self,
        network: Denoiser,
        settings: NetworkSettings,
        judged: DiscriminatorSettings,
        diffused: Diffused,
        judge: Judge | None,
        *,
        seed: int,
        device: torch.device,
        log: logging.Logger = LOG,
    ) -> None:
        self.settings = settings
        self.judged = judged
        self.diffused = diffused
        self.judge = judge
        self.seed = seed
        self.device = device
        self.network = settings.laid_out(network.to(device))
        self.run_network = settings.compiled(self.network)
        self.average = running_average(self.network, decay=settings.average)
        self.best = BestWeights()
        self.counted = _counted(network.size, settings.mouth, device)
        self.kept = torch.from_numpy(Schedule.of(diffused.noising).kept).float().to(device)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
        )
        self.perceptual = (
            PerceptualLoss.of(settings.perceptual_net, device, log) if settings.perceptual else None
        )
        self.discriminator = settings.laid_out(SequenceJudge(width=judged.width).to(device))
        self.discriminator_optimiser = torch.optim.AdamW(
            self.discriminator.parameters(), lr=judged.learning_rate, betas=(0.5, 0.999)
        )

    def advance(self, step: int, batch: TalkingBatch) -> dict[str, float]:
        """One step of the network and, once it takes part, discriminator; returns the losses."""
        settings, size = self.settings, self.network.size
        self._set_rates(step)
        self.network.train()
        faces = self._faces(batch.targets)  # (F, 3, side, side)
        references = self._faces(batch.references)
        pictures, shown = seen(faces, size), seen(references, size)
        drawn = self._drawn(step, batch, pictures)
        kept = self.kept[drawn.times]
        x = noisy(pictures, drawn.noise, kept)
        known = condition(pictures, size, self.diffused.filling, drawn.filling)
        with settings.autocast(self.device.type):
            style = self.network.hear(batch.heard[:, 0].to(self.device))
            found = self.run_network(x, drawn.times, known, shown, style).float()
        wanted = pictures if self.diffused.predicts == "x0" else drawn.noise
        counted = self.counted
        if settings.moved:
            change = moved_map(faces, references, settings.moved)[:, :, size.hidden :]
            counted = counted * change
        simple = ((found - wanted)[:, :, size.seen :].square() * counted).mean()
        figures, loss = {"simple": simple}, simple
        half = lower(without_noise(x, found, kept, self.diffused.predicts), size)
        if self.diffused.predicts == "noise":  # far off where there is nearly nothing but noise
            half = half.clamp(0.0, 1.0)
        made = torch.cat([faces[:, :, : size.hidden], half], dim=2)
        if settings.pyramid:
            figures["bands"] = pyramid_loss(resized(made, SIZE), resized(faces, SIZE))
            loss = loss + settings.pyramid * figures["bands"]
        if self.perceptual is not None:
            with settings.autocast(self.device.type):
                unlike = self.perceptual(resized(made, SIZE), resized(faces, SIZE))
            figures[self.perceptual.name] = unlike
            loss = loss + settings.perceptual * unlike
        if self._is_synced(step):
            figures["sync"] = self._sync(made, batch)
            loss = loss + settings.sync * figures["sync"]
        if self._is_adversarial(step):
            fake, real = (_windows(x, len(batch.starts), size.hidden) for x in (made, faces))
            figures["fooled"] = self._fooled(fake)
            loss = loss + settings.adversarial * figures["fooled"]
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), settings.clip_norm)
        self.optimiser.step()
        if self._is_adversarial(step):
            figures["judged"] = self._train_discriminator(fake.detach(), real)
        self.average.update_parameters(self.network)
        return {name: float(value.detach()) for name, value in figures.items()}

    def run_uncompiled(self) -> None:
        """From now on the network runs uncompiled."""
        self.run_network = self.network

    def paced(self, loop: training.Loop, batches: Batches[TalkingBatch]) -> NetworkSettings:
        """The settings with as many steps as fit into their time, measured with all losses."""
        own = self.settings
        measured = {"sync_from": 0.0} if own.has_sync else {}
        measured |= {"adversarial_from": 0.0} if own.has_adversary else {}
        self.settings = own.model_copy(update=measured)
        fitted = paced(self.settings, loop, self, batches, self.advance)
        self.settings = fitted.model_copy(update={name: getattr(own, name) for name in measured})
        return self.settings

    def took_note(self, step: int, choice: float) -> None:
        """Keeps the best weights by validation, from where all losses take part."""
        settings = self.settings
        begun = [settings.sync_from] if settings.has_sync else [0.0]
        begun += [settings.adversarial_from] if settings.has_adversary else []
        if step >= max(begun) * settings.steps:
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
        return {**self._states().state_dict(), "perceptual": self._seen_by()}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Restores what `state_dict` returned.

        Raises BenchError if the perceptual loss was another network's.
        """
        if state["perceptual"] != self._seen_by():
            raise BenchError(
                f"the checkpoint was trained with the perceptual loss {state['perceptual']!r}, and "
                f"now it is {self._seen_by()!r}; set settings.network.perceptual_net to the "
                "checkpoint's, or start again"
            )
        self._states().load_state_dict(state)

    def _seen_by(self) -> str:
        return "" if self.perceptual is None else self.perceptual.name

    def _states(self) -> training.States:
        return training.States(
            network=self.network,
            discriminator=self.discriminator,
            average=self.average,
            optimiser=self.optimiser,
            discriminator_optimiser=self.discriminator_optimiser,
            best=self.best,
        )

    def _set_rates(self, step: int) -> None:
        settings = self.settings
        if settings.schedule == "constant":
            return
        rate = training.one_cycle(
            step, steps=settings.steps, peak=settings.learning_rate, warm=WARM
        )
        self.optimiser.param_groups[0]["lr"] = rate
        self.discriminator_optimiser.param_groups[0]["lr"] = (
            self.judged.learning_rate * rate / settings.learning_rate
        )

    def _is_synced(self, step: int) -> bool:
        settings = self.settings
        return settings.has_sync and step >= settings.sync_from * settings.steps

    def _is_adversarial(self, step: int) -> bool:
        settings = self.settings
        return settings.has_adversary and step >= settings.adversarial_from * settings.steps

    def _faces(self, levels: Tensor) -> Tensor:
        """Faces (F, 96, 96, 3) uint8 as (F, 3, side, side) in [0, 1]."""
        faces = levels.to(self.device).permute(0, 3, 1, 2).float() / 255
        return resized(faces, self.network.size.side)

    def _drawn(self, step: int, batch: TalkingBatch, pictures: Tensor) -> _Drawn:
        """Times and noise: one of each for all frames of a clip, as when faces are made.

        Once windows are judged (sync, adversarial), they are drawn at the times at which it counts.
        """
        settings = self.settings
        random = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        owners = batch.owners.to(self.device)
        windows, count = len(batch.starts), int(batch.owners[-1]) + 1
        place = torch.rand(count, generator=random) ** (1.0 / settings.leaning)
        times = (TIMES * place).long()
        if self._is_synced(step) or self._is_adversarial(step):
            times[:windows] = (settings.judged_below * place[:windows]).long()
        times = times.clamp(max=TIMES - 1).to(self.device)
        noise, filling = torch.randn(2, count, *pictures.shape[1:], generator=random).to(
            self.device
        )
        return _Drawn(times[owners], noise[owners], filling[owners])

    def _sync(self, made: Tensor, batch: TalkingBatch) -> Tensor:
        """The expert's loss of speech against the windows' mouths."""
        assert self.judge is not None
        count = len(batch.starts)
        mouths = _windows(resized(made[: count * WINDOW], SIZE), count, SIZE // 2)
        with self.settings.autocast(self.device.type):
            looked = self.judge.see(mouths)  # of (B, 15, 48, 96)
        return self.judge.sync(looked, batch.clips, batch.starts)

    def _fooled(self, fake: Tensor) -> Tensor:
        """The adversarial loss of windows (B, 15, h, side)."""
        self.discriminator.requires_grad_(False)
        with self.settings.autocast(self.device.type):
            logits = self.discriminator(fake)
        self.discriminator.requires_grad_(True)
        return fooling_loss(logits.float())

    def _train_discriminator(self, fake: Tensor, real: Tensor) -> Tensor:
        with self.settings.autocast(self.device.type):
            logits = self.discriminator(torch.cat([real, fake])).float()
        loss = judge_loss(*logits.chunk(2))
        self.discriminator_optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.discriminator.parameters(), self.settings.clip_norm)
        self.discriminator_optimiser.step()
        return loss.detach()


def _counted(size: Size, mouth: float, device: torch.device) -> Tensor:
    """The weight of each drawn pixel, (side - hidden, side), 1 on average."""
    whole = weights_map(1.0, mouth, device).expand(1, 3, -1, -1)
    counted = resized(whole, size.side)[0, 0, size.hidden :]
    return counted / counted.mean()


def _windows(faces: Tensor, count: int, first: int) -> Tensor:
    """The `count` windows among faces (F, 3, S, S), rows from `first` on, (B, 15, S - first, S)."""
    rows = faces[: count * WINDOW, :, first:]
    return rows.reshape(count, -1, *rows.shape[2:])


@dataclass(frozen=True)
class _Drawn:
    """What is drawn for each frame: times (F,), noise and filling (F, 3, rows, side)."""

    times: Tensor
    noise: Tensor
    filling: Tensor
