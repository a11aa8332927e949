"""Trains a generator of the family against a frozen sync expert and, later, a discriminator.

Sources: doi 10.11896/jsjkx.241200067, eq. 10-15; Rudrabha/Wav2Lip, wav2lip_train.py and
hq_wav2lip_train.py (sync weight 0 until the generator is good, references from elsewhere);
arXiv:2602.00189 (a perceptual loss in the adversarial one's place; with which weight is a guess).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from bench.ground.errors import BenchError
from bench.networks.face_crops import SIZE
from bench.train import loop as training
from bench.train import pixel_losses
from bench.train.adversary import Adversary
from bench.train.averages import running_average
from bench.train.best_weights import BestWeights
from bench.train.face_clips import FaceClip
from bench.train.loop import Batches
from bench.train.pacing import paced
from bench.train.perceptual_loss import PerceptualLoss
from bench.train.processes import ALONE, Processes
from bench.train.sync_expert import Judge, lower_windows
from bench.train.talking_batches import TalkingBatch, some_of_each
from methods.wav2lip import losses
from methods.wav2lip.generator import Generator
from methods.wav2lip.initialisation import initial_generator
from methods.wav2lip.settings import DiscriminatorSettings, GeneratorSettings
from methods.wav2lip.variants import Variant

LOG = logging.getLogger(__name__)
WARM = 0.05  # the share of the steps in which the learning rate rises


class GeneratorLearner:
    """Generator, discriminator, their optimisers, the running average and the best weights."""

    def __init__(
        self,
        settings: GeneratorSettings,
        judged: DiscriminatorSettings,
        variant: Variant,
        judge: Judge,
        *,
        clips: Sequence[FaceClip],
        seed: int,
        device: str,
        processes: Processes = ALONE,
        log: logging.Logger = LOG,
    ) -> None:
        self.settings = settings
        self.judged = judged
        self.seed = seed
        self.judge = judge
        self.device = torch.device(device)
        generator = initial_generator(
            variant,
            width=settings.width,
            start=settings.start,
            hearing=settings.hearing,
            expert=judge.state,
            clips=clips,
            seed=seed,
        )
        self.generator = settings.laid_out(generator.to(self.device))
        self.average = running_average(self.generator, decay=settings.average)
        self.best = BestWeights(patience=settings.patience)
        self.has_sync = settings.sync_from == 0
        self.optimiser = torch.optim.AdamW(
            self.generator.parameters(),
            lr=settings.learning_rate,
            betas=settings.betas,
            weight_decay=settings.weight_decay,
        )
        is_normalised = judged.instance_norm
        self.adversary = Adversary(
            settings,
            clip_norm=settings.clip_norm,
            width=judged.width,
            learning_rate=judged.learning_rate,
            device=self.device,
            instance_norm=variant.instance_norm if is_normalised is None else is_normalised,
            weight_decay=settings.weight_decay,
            processes=processes,
        )
        self.perceptual = (
            PerceptualLoss.of(settings.perceptual_net, self.device, log)
            if settings.perceptual
            else None
        )
        self.peaks = losses.Peaks(self.generator.face_decoder_blocks) if settings.peaks else None
        self.counted = pixel_losses.weights_map(settings.lower, settings.mouth, self.device)
        self.processes = processes
        self.run_generator = processes.prepare(settings.compiled(self.generator))

    def advance(self, step: int, batch: TalkingBatch) -> dict[str, float]:
        """One step of generator and, once it takes part, discriminator; returns the losses."""
        settings = self.settings
        self._set_rates(step)
        self.generator.train()
        targets, references = self._pictures(step, batch)  # (F, 3, 96, 96)
        with settings.autocast(self.device.type):
            heard = batch.heard.to(self.device)
            shown = self._shown_references(step, references, batch.owners)
            made = self.run_generator(heard, hidden(targets, shown)).float()
        counted = self.counted
        if settings.moved:
            counted = counted * losses.moved_map(targets, references, settings.moved)
        reconstruction = pixel_losses.reconstruction_loss(made, targets, counted)
        figures = {"l1": reconstruction}
        pixels = reconstruction
        if settings.pyramid:
            figures["bands"] = pixel_losses.pyramid_loss(made, targets)
            pixels = pixels + settings.pyramid * figures["bands"]
        if self.peaks is not None:
            figures["peaks"] = self.peaks.taken()
            pixels = pixels + settings.peaks * figures["peaks"]
        is_synced = self.has_sync or step >= settings.sync_from * settings.steps
        is_used = bool(settings.adversarial or settings.matching)
        is_adversarial = is_used and step >= settings.adversarial_from * settings.steps
        sync_weight = settings.sync if is_synced else 0.0
        adversarial_weight = settings.adversarial if is_adversarial else 0.0
        loss = (1.0 - sync_weight - adversarial_weight - settings.perceptual) * pixels
        if self.perceptual is not None:
            with settings.autocast(self.device.type):
                unlike = self.perceptual(made, targets)
            figures[self.perceptual.name] = unlike
            loss = loss + settings.perceptual * unlike
        if is_synced:
            sync, shape = self._sync(step, made, targets, batch)
            figures |= {"sync": sync, "shape": shape}
            loss = loss + sync_weight * sync + settings.shape * shape
        if is_adversarial:
            rows = some_of_each(batch.owners, len(batch.starts), self.judged.frames)
            rows = rows.to(self.device)
            fake, real = made[rows], targets[rows]
            fooled, features = self.adversary.losses(fake, real)
            figures |= {"fooled": fooled, "features": features}
            loss = loss + adversarial_weight * fooled + settings.matching * features
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.generator.parameters(), settings.clip_norm)
        self.optimiser.step()
        if is_adversarial:
            figures["judged"] = self.adversary.advance(fake.detach(), real)
        self.average.update_parameters(self.generator)
        return {name: float(value.detach()) for name, value in figures.items()}

    def run_uncompiled(self) -> None:
        """From now on the generator runs uncompiled."""
        self.run_generator = self.processes.prepare(self.generator)

    def paced(self, loop: training.Loop, batches: Batches[TalkingBatch]) -> GeneratorSettings:
        """The settings with as many steps as fit into their time, measured with all losses."""
        own = self.settings
        self.settings = own.model_copy(update={"sync_from": 0.0, "adversarial_from": 0.0})
        fitted = paced(self.settings, loop, self, batches, self.advance)
        kept = {name: getattr(own, name) for name in ("sync_from", "adversarial_from")}
        self.settings = fitted.model_copy(update=kept)
        return self.settings

    def took_note(self, step: int, figures: Mapping[str, float]) -> None:
        """Uses a validation: starts the sync loss if due, and keeps the best weights."""
        if figures["val sync"] < self.settings.sync_below:
            self.has_sync = True
        if step < min(self.settings.adversarial_from, 1.0) * self.settings.steps:
            return  # not all losses take part yet, so these weights are no candidate
        self.best.saw(self.averaged, figures["val choice"])

    @property
    def averaged(self) -> Generator:
        """The generator with its averaged weights."""
        return cast("Generator", self.average.module)

    def chosen(self) -> Generator:
        """The generator with the best weights by validation, or the last ones without any."""
        return self.best.of(self.averaged)

    def state_dict(self) -> dict[str, object]:
        """Everything that the next step depends on."""
        state = {**self._states().state_dict(), "has_sync": self.has_sync}
        return state if self.perceptual is None else {**state, "perceptual": self.perceptual.name}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Restores what `state_dict` returned.

        Raises BenchError if the perceptual loss was another network's.
        """
        found, own = state.get("perceptual"), self.perceptual and self.perceptual.name
        if found != own:
            raise BenchError(
                f"the checkpoint was trained with the perceptual loss {found}, and now it is "
                f"{own}; set settings.generator.perceptual_net to the checkpoint's, or start again"
            )
        self._states().load_state_dict(state)
        self.has_sync = bool(state["has_sync"])

    def _states(self) -> training.States:
        return training.States(
            generator=self.generator,
            discriminator=self.adversary.discriminator,
            average=self.average,
            optimiser=self.optimiser,
            discriminator_optimiser=self.adversary.optimiser,
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
        self.adversary.set_rate(rate / settings.learning_rate)

    def _pictures(self, step: int, batch: TalkingBatch) -> tuple[Tensor, Tensor]:
        """Targets and references with the same colours, (F, 3, 96, 96) in [0, 1], channels last."""
        pictures = torch.stack([batch.targets, batch.references]).to(self.device)
        x = pictures.permute(0, 1, 4, 2, 3).float() / 255  # (2, F, 3, 96, 96)
        if self.settings.colour:
            random = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
            owners = batch.owners.to(self.device)
            count = int(owners[-1]) + 1

            def spread(*shape: int) -> Tensor:
                drawn = 2.0 * torch.rand(count, *shape, generator=random) - 1.0
                return self.settings.colour * drawn.to(self.device)[owners]

            gain = (1.0 + spread(1)) * (1.0 + 0.4 * spread(3))  # (F, 3)
            x = (x * gain[:, :, None, None] + 0.3 * spread(1, 1, 1)).clamp(0.0, 1.0)
        layout = torch.channels_last
        return x[0].contiguous(memory_format=layout), x[1].contiguous(memory_format=layout)

    def _shown_references(self, step: int, references: Tensor, owners: Tensor) -> Tensor:
        """The references, of which a share of the draws loses its lower half."""
        if not self.settings.without_mouth:
            return references
        random = torch.Generator().manual_seed(self.seed * 1_000_003 + step + 2)
        draws = torch.rand(int(owners[-1]) + 1, generator=random)
        is_hidden = (draws < self.settings.without_mouth)[owners].to(self.device)
        shown = references.clone()
        shown[is_hidden, :, SIZE // 2 :] = 0.0
        return shown

    def _sync(
        self, step: int, made: Tensor, targets: Tensor, batch: TalkingBatch
    ) -> tuple[Tensor, Tensor]:
        """The expert's losses: speech against generated mouth, and generated against true mouth."""
        with self.settings.autocast(self.device.type):
            seen = self.judge.see(self._shown(step, made, len(batch.starts)))
            with torch.no_grad():
                true = self.judge.see(self._shown(step, targets, len(batch.starts)))
        sync = self.judge.sync(seen, batch.clips, batch.starts)
        return sync, 1.0 - (seen * true).sum(dim=1).mean()

    def _shown(self, step: int, faces: Tensor, count: int) -> Tensor:
        """The windows among faces (F, 3, 96, 96) as the expert gets them, (B, 15, 48, 96)."""
        random = torch.Generator().manual_seed(self.seed * 1_000_003 + step + 1)
        return lower_windows(faces, count, random if self.settings.sync_augmentation else None)


def hidden(targets: Tensor, references: Tensor) -> Tensor:
    """The generator's input, (B, 6, 96, 96): targets with zeroed lower half, then references."""
    upper = targets.clone()
    upper[:, :, SIZE // 2 :] = 0.0
    return torch.cat([upper, references], dim=1).contiguous(memory_format=torch.channels_last)
