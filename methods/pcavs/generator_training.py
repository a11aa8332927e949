"""Trains PC-AVS in small, against a frozen sync expert and, later, a discriminator.

Sources: Zhou et al., CVPR 2021; Hangz-nju-cuhk/Talking-Face_PC-AVS @ 201d2b9: the target gives the
pose, another frame of the clip who it is, the sound the mouth, and only pictures driven by sound
are made (its option `generate_from_audio_only`). Its trainer was never published, and which losses
stand in for its own, README.md says.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from bench.ground.errors import BenchError
from bench.train import loop as training
from bench.train import pixel_losses
from bench.train.adversary import Adversary
from bench.train.averages import running_average
from bench.train.best_weights import BestWeights
from bench.train.perceptual_loss import PerceptualLoss
from bench.train.sync_expert import Judge, lower_windows
from bench.train.talking_batches import some_of_each
from methods.pcavs.augmentation import disguised
from methods.pcavs.batches import FaceBatch
from methods.pcavs.clips import viewed
from methods.pcavs.settings import DiscriminatorSettings, GeneratorSettings
from methods.pcavs.small import MOUTH_REGION, SmallNetworks

RISE = 0.1  # the share of the steps in which a loss that sets in later gets its whole weight
WARM = 0.05  # the share of the steps in which the learning rate rises


class GeneratorLearner:
    """Networks, discriminator, their optimisers, the running average and the best weights."""

    def __init__(
        self,
        networks: SmallNetworks,
        settings: GeneratorSettings,
        judged: DiscriminatorSettings,
        judge: Judge,
        *,
        seed: int,
        device: torch.device,
        perceptual: PerceptualLoss | None = None,
    ) -> None:
        self.settings, self.judge = settings, judge
        self.seed, self.device, self.perceptual = seed, device, perceptual
        self.networks = settings.laid_out(networks.to(device))
        self.average = running_average(self.networks, decay=settings.average)
        self.best = BestWeights()
        self.optimiser = torch.optim.AdamW(
            self.networks.parameters(),
            lr=settings.learning_rate,
            betas=settings.betas,
            weight_decay=settings.weight_decay,
        )
        self.adversary = Adversary(
            settings,
            clip_norm=settings.clip_norm,
            width=judged.width,
            learning_rate=judged.learning_rate,
            device=device,
        )
        self.counted = pixel_losses.weights_map(1.0, settings.mouth, device, where=MOUTH_REGION)

    def advance(self, step: int, batch: FaceBatch) -> dict[str, float]:
        """One step of the networks and, once it takes part, the discriminator; the losses."""
        settings = self.settings
        self._set_rates(step)
        self.networks.train()
        targets, made = self._made(step, batch)  # (F, 3, 96, 96) in [0, 1]
        figures = {"l1": pixel_losses.reconstruction_loss(made, targets, self.counted)}
        pixels = figures["l1"]
        if settings.pyramid:
            figures["bands"] = pixel_losses.pyramid_loss(made, targets)
            pixels = pixels + settings.pyramid * figures["bands"]
        synced, judged = grown(step, begin=settings.sync_from, steps=settings.steps), 0.0
        if settings.adversarial or settings.matching:
            judged = grown(step, begin=settings.adversarial_from, steps=settings.steps)
        sync_weight, adversarial_weight = synced * settings.sync, judged * settings.adversarial
        loss = (1.0 - sync_weight - adversarial_weight - settings.perceptual) * pixels
        shown, true = self._viewed(made, batch), self._viewed(targets, batch).detach()
        rows = some_of_each(batch.owners, len(batch.starts), settings.looked_at).to(self.device)
        if self.perceptual is not None:
            with settings.autocast(self.device.type):
                unlike = self.perceptual(shown[rows], true[rows])
            figures[self.perceptual.name] = unlike
            loss = loss + settings.perceptual * unlike
        if synced:
            sync, shape = self._sync(step, shown, true, batch)
            figures |= {"sync": sync, "shape": shape}
            loss = loss + sync_weight * sync + synced * settings.shape * shape
        if judged:
            fooled, features = self.adversary.losses(shown[rows], true[rows])
            figures |= {"fooled": fooled, "features": features}
            loss = loss + adversarial_weight * fooled + judged * settings.matching * features
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.networks.parameters(), settings.clip_norm)
        self.optimiser.step()
        if judged:
            figures["judged"] = self.adversary.advance(shown[rows].detach(), true[rows])
        self.average.update_parameters(self.networks)
        return {name: float(value.detach()) for name, value in figures.items()}

    def took_note(self, step: int, figure: float) -> None:
        """Keeps the best weights, from when all losses take part. figure: lower is better."""
        settings = self.settings
        if step >= max(settings.sync_from, settings.adversarial_from) * settings.steps:
            self.best.saw(self.averaged, figure)

    @property
    def averaged(self) -> SmallNetworks:
        """The networks with their averaged weights."""
        return cast("SmallNetworks", self.average.module)

    def chosen(self) -> SmallNetworks:
        """The networks with the best weights by validation, or the last ones without any."""
        return self.best.of(self.averaged)

    def state_dict(self) -> dict[str, object]:
        """Everything that the next step depends on."""
        name = self.perceptual.name if self.perceptual else ""
        return {**self._states().state_dict(), "perceptual": name}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Restores what `state_dict` returned; BenchError if the perceptual loss was another's."""
        own = self.perceptual.name if self.perceptual else ""
        if state["perceptual"] != own:
            raise BenchError(
                f"the checkpoint was trained with the perceptual loss {state['perceptual']!r}, and "
                f"now it is {own!r}; set settings.generator.perceptual_net to the checkpoint's"
            )
        self._states().load_state_dict(state)

    def _states(self) -> training.States:
        return training.States(
            networks=self.networks,
            discriminator=self.adversary.discriminator,
            average=self.average,
            optimiser=self.optimiser,
            discriminator_optimiser=self.adversary.optimiser,
            best=self.best,
        )

    def _set_rates(self, step: int) -> None:
        settings = self.settings
        peak = settings.learning_rate
        rate = training.one_cycle(step, steps=settings.steps, peak=peak, warm=WARM)
        self.optimiser.param_groups[0]["lr"] = rate
        self.adversary.set_rate(rate / peak)

    def _random(self, step: int, use: int) -> torch.Generator:
        return torch.Generator().manual_seed((self.seed * 1_000_003 + step) * 4 + use)

    def _made(self, step: int, batch: FaceBatch) -> tuple[Tensor, Tensor]:
        """Targets and generated pictures, both (F, 3, 96, 96) in [0, 1]."""
        settings = self.settings
        owners = batch.owners.to(self.device)
        targets, stills = (
            x.to(self.device).permute(0, 3, 1, 2).float() / 255
            for x in (batch.targets, batch.stills)
        )
        if settings.colour:
            random, count = self._random(step, 0), len(stills)

            def spread(*shape: int) -> Tensor:
                drawn = 2.0 * torch.rand(count, *shape, generator=random) - 1.0
                return settings.colour * drawn.to(self.device)

            gain = ((1.0 + spread(1)) * (1.0 + 0.4 * spread(3)))[..., None, None]
            offset = 0.3 * spread(1, 1, 1)
            stills = (stills * gain + offset).clamp(0.0, 1.0)
            targets = (targets * gain[owners] + offset[owners]).clamp(0.0, 1.0)
        poses = disguised(targets, owners, self._random(step, 1))
        layout = torch.channels_last
        with settings.autocast(self.device.type):
            made = self.networks(
                (2.0 * stills - 1.0).contiguous(memory_format=layout),
                owners,
                batch.heard.to(self.device),
                (2.0 * poses - 1.0).contiguous(memory_format=layout),
            )
        return targets, 0.5 * made.float() + 0.5

    def _viewed(self, pictures: Tensor, batch: FaceBatch) -> Tensor:
        """Faces as expert, discriminator and perceptual network know them, (F, 3, 96, 96)."""
        is_mirrored = batch.is_mirrored.to(self.device)[batch.owners.to(self.device)]
        upright = torch.where(is_mirrored[:, None, None, None], pictures.flip(3), pictures)
        return viewed(upright, batch.views.to(self.device))

    def _sync(
        self, step: int, shown: Tensor, true: Tensor, batch: FaceBatch
    ) -> tuple[Tensor, Tensor]:
        """The expert's losses: speech against generated mouth, and generated against true mouth."""
        with self.settings.autocast(self.device.type):
            seen = self.judge.see(self._windows(step, shown, len(batch.starts)))
            with torch.no_grad():
                wanted = self.judge.see(self._windows(step, true, len(batch.starts)))
        sync = self.judge.sync(seen, batch.clips, batch.starts)
        return sync, 1.0 - (seen * wanted).sum(dim=1).mean()

    def _windows(self, step: int, faces: Tensor, count: int) -> Tensor:
        """The windows among faces as the expert gets them, (B, 15, 48, 96)."""
        return lower_windows(faces, count, self._random(step, 2))


def grown(step: int, *, begin: float, steps: int) -> float:
    """How much of its weight a loss has that sets in at the share `begin` of the steps, in [0, 1].

    It grows over a tenth of the steps: a loss that set in at once, with gradients unlike those
    before, threw Adam's steps far off.
    """
    return min(1.0, max(0.0, ((step + 1) / steps - begin) / RISE))


def drawn_networks(seed: int) -> SmallNetworks:
    """New networks with weights drawn from a seed."""
    torch.manual_seed(seed)
    return SmallNetworks()
