"""Trains a generator of the family against a frozen sync expert and, late, a discriminator.

Sources: doi 10.11896/jsjkx.241200067, eq. 10-15; Rudrabha/Wav2Lip, wav2lip_train.py and
hq_wav2lip_train.py (sync weight 0 until the generator is good, references from elsewhere).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Literal

import pydantic
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.machine.processes import ALONE, Processes
from bench.train import loop as training
from methods.wav2lip import losses
from methods.wav2lip.batches import TalkingBatch
from methods.wav2lip.clips import StoredClip
from methods.wav2lip.discriminator import Discriminator
from methods.wav2lip.expert import WINDOW, Expert, probability
from methods.wav2lip.expert_training import augmented, sound_embeddings
from methods.wav2lip.faces import SIZE
from methods.wav2lip.folding import laid_out
from methods.wav2lip.generator import Generator
from methods.wav2lip.initialisation import Hearing, Start, initial_generator
from methods.wav2lip.variants import Variant

WARM = 0.05  # the share of a cycle in which the rate rises


class GeneratorSettings(pydantic.BaseModel):
    """What `settings.generator` of a config may hold. The defaults are Wav2Lip's own recipe.

    Shares (`sync_from`, `adversarial_from`) are of the steps.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    width: float = pydantic.Field(default=1.0, gt=0)
    start: Start = "random"  # copy: the reference passes through at first; or a trained Wav2Lip
    hearing: Hearing = "random"  # how the speech encoder starts; see `initialisation`
    steps: int = pydantic.Field(default=300_000, ge=1)
    batch: int = pydantic.Field(default=16, ge=1)  # clips, five frames of each
    singles: int = pydantic.Field(default=0, ge=0)  # and further clips, one frame of each
    learning_rate: float = pydantic.Field(default=1e-4, gt=0)
    betas: tuple[float, float] = (0.5, 0.999)
    weight_decay: float = pydantic.Field(default=0.0, ge=0)
    schedule: Literal["constant", "one_cycle"] = "constant"
    clip_norm: float = pydantic.Field(default=1.0, gt=0)  # of the gradients
    average: float = pydantic.Field(default=0.0, ge=0, lt=1)  # of the weights kept; 0: the last
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    compile: bool = False  # pays on a GPU in long trainings
    colour: float = pydantic.Field(default=0.0, ge=0, lt=1)  # augmentation: gain and offset

    lower: float = pydantic.Field(default=1.0, gt=0)  # what a pixel of the lower half counts
    mouth: float = pydantic.Field(default=1.0, gt=0)  # and of the mouth
    moved: float = pydantic.Field(default=0.0, ge=0)  # and one unlike the reference's, in addition
    pyramid: float = pydantic.Field(default=0.0, ge=0)  # weight of the Laplacian bands
    peaks: float = pydantic.Field(default=0.0, ge=0)  # weight of outsize values in the decoder

    sync: float = pydantic.Field(default=0.03, ge=0, lt=1)
    sync_below: float = 0.75  # the validation loss at which the sync loss comes in
    sync_from: float = pydantic.Field(default=1.0, ge=0, le=1)  # or here, at the latest
    sync_augmentation: bool = False  # the expert sees mouths as augmented as those it learned from
    shape: float = pydantic.Field(default=0.0, ge=0)  # weight of the expert's view of both mouths

    adversarial: float = pydantic.Field(default=0.07, ge=0, lt=1)
    adversarial_from: float = pydantic.Field(default=1.0, ge=0, le=1)
    judged: int = pydantic.Field(default=WINDOW, ge=1, le=WINDOW)  # frames of a window it sees
    matching: float = pydantic.Field(default=0.0, ge=0)  # of the discriminator's features
    discriminator_width: float = pydantic.Field(default=1.0, gt=0)
    discriminator_rate: float = pydantic.Field(default=1e-4, gt=0)
    instance_norm: bool | None = None  # of the discriminator; None: as the variant has it

    report_every: int = pydantic.Field(default=50, ge=1)
    save_every: int = pydantic.Field(default=500, ge=1)
    patience: int = pydantic.Field(default=0, ge=0)  # validations without a better one; 0: no end
    val_clips: int = pydantic.Field(default=24, ge=1)

    @pydantic.model_validator(mode="after")
    def _fits(self) -> GeneratorSettings:
        if self.save_every % self.report_every:
            raise ValueError("save_every must be a multiple of report_every")
        if self.sync + self.adversarial >= 1:
            raise ValueError("sync and adversarial leave nothing to the reconstruction (eq. 15)")
        if self.hearing == "start" and self.start in ("random", "copy"):
            raise ValueError(f"hearing: start needs a start that hears, found {self.start!r}")
        return self


class Judge:
    """The frozen expert, and what it hears in every training clip, worked out once.

    expert: folded. state: its weights before that.
    """

    def __init__(
        self,
        expert: Expert,
        scale: float,
        clips: Sequence[StoredClip],
        variant: Variant,
        device: torch.device,
        state: Mapping[str, Tensor],
    ) -> None:
        self.expert = expert.to(device)
        self.state = state
        self.scale = scale
        self.sounds = [sound_embeddings(self.expert, clip, variant.audio, device) for clip in clips]

    def see(self, mouths: Tensor) -> Tensor:
        """Embeddings (B, C) of windows (B, 15, 48, 96) in [0, 1], as `mouth_windows` gives them."""
        seen = self.expert.face_encoder(mouths.contiguous(memory_format=torch.channels_last))
        return functional.normalize(seen.flatten(1).float(), dim=1)


def sync_loss(
    seen: Tensor, sounds: Sequence[Tensor], starts: Sequence[int], scale: float
) -> Tensor:
    """-log P (eq. 12) of pictures (B, C) and, of each one's clip, all sounds (N, C).

    starts: which of the sounds is the right one. With a temperature (scale) P is its share among
    all of the clip, as the expert was trained (windows one frame apart are left out); without one
    (0) the cosine.
    """
    terms: list[Tensor] = []
    for picture, own, start in zip(seen, sounds, starts, strict=True):
        if not scale:
            terms.append(-probability(own[start : start + 1], picture[None]).log()[0])
            continue
        logits = scale * (own @ picture)  # (N,)
        aside = torch.zeros_like(logits)
        aside[[n for n in (start - 1, start + 1) if 0 <= n < len(logits)]] = -1e4
        terms.append(-functional.log_softmax(logits + aside, dim=0)[start])
    return torch.stack(terms).mean()


class GeneratorLearner:
    """Generator, discriminator, their optimisers, the running average and the best so far."""

    def __init__(
        self,
        settings: GeneratorSettings,
        variant: Variant,
        judge: Judge,
        *,
        clips: Sequence[StoredClip],
        seed: int,
        device: str,
        processes: Processes = ALONE,
    ) -> None:
        self.settings = settings
        self.seed = seed
        self.judge = judge
        self.device = torch.device(device)
        self.generator = initial_generator(
            variant,
            width=settings.width,
            start=settings.start,
            hearing=settings.hearing,
            expert=judge.state,
            clips=clips,
            seed=seed,
        )
        is_normalised = settings.instance_norm
        self.discriminator = Discriminator(
            instance_norm=variant.instance_norm if is_normalised is None else is_normalised,
            width=settings.discriminator_width,
        )
        self.average = copy.deepcopy(self.generator)
        for network in (self.generator, self.discriminator, self.average):
            laid_out(network.to(self.device))
        self.best = copy.deepcopy(self.average.state_dict())
        self.best_figure = math.inf
        self.validations_since = 0
        self.has_sync = settings.sync_from == 0
        self.optimiser = torch.optim.AdamW(
            self.generator.parameters(),
            lr=settings.learning_rate,
            betas=settings.betas,
            weight_decay=settings.weight_decay,
        )
        self.discriminator_optimiser = torch.optim.AdamW(
            self.discriminator.parameters(),
            lr=settings.discriminator_rate,
            betas=(0.5, 0.999),
            weight_decay=settings.weight_decay,
        )
        self.peaks = losses.Peaks(self.generator.face_decoder_blocks) if settings.peaks else None
        self.counted = losses.weights_map(settings.lower, settings.mouth, self.device)
        run = torch.compile(self.generator) if settings.compile else self.generator
        self.run_generator = processes.prepare(run)
        self.run_discriminator = processes.prepare(_Logits(self.discriminator))

    def advance(self, step: int, batch: TalkingBatch) -> dict[str, float]:
        """One step of generator and, once it takes part, discriminator; returns the losses."""
        settings = self.settings
        self._set_rates(step)
        self.generator.train()
        targets, references = self._pictures(step, batch)  # (F, 3, 96, 96)
        with self._autocast():
            heard = batch.heard.to(self.device)
            made = self.run_generator(heard, hidden(targets, references)).float()
        counted = self.counted
        if settings.moved:
            counted = counted * losses.moved_map(targets, references, settings.moved)
        reconstruction = losses.reconstruction_loss(made, targets, counted)
        figures = {"l1": reconstruction}
        pixels = reconstruction
        if settings.pyramid:
            figures["bands"] = losses.pyramid_loss(made, targets)
            pixels = pixels + settings.pyramid * figures["bands"]
        if self.peaks is not None:
            figures["peaks"] = self.peaks.taken()
            pixels = pixels + settings.peaks * figures["peaks"]
        is_synced = self.has_sync or step >= settings.sync_from * settings.steps
        is_adversarial = step >= settings.adversarial_from * settings.steps
        sync_weight = settings.sync if is_synced else 0.0
        adversarial_weight = settings.adversarial if is_adversarial else 0.0
        loss = (1.0 - sync_weight - adversarial_weight) * pixels
        if is_synced:
            sync, shape = self._sync(step, made, targets, batch)
            figures |= {"sync": sync, "shape": shape}
            loss = loss + sync_weight * sync + settings.shape * shape
        if is_adversarial:
            rows = self._judged(batch)
            fake, real = made[rows], targets[rows]
            fooled, features = self._fooled(fake, real)
            figures |= {"fooled": fooled, "features": features}
            loss = loss + adversarial_weight * fooled + settings.matching * features
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.generator.parameters(), settings.clip_norm)
        self.optimiser.step()
        if is_adversarial:
            figures["judged"] = self._train_discriminator(fake.detach(), real)
        self._follow(step)
        return {name: float(value.detach()) for name, value in figures.items()}

    def took_note(self, step: int, figures: Mapping[str, float]) -> None:
        """Learns from a validation: whether sync comes in, whether these weights are the best."""
        if figures["val sync"] < self.settings.sync_below:
            self.has_sync = True
        if step < min(self.settings.adversarial_from, 1.0) * self.settings.steps:
            return  # the recipe is not complete yet: no candidate
        self.validations_since += 1
        if figures["val choice"] < self.best_figure:
            self.best_figure = figures["val choice"]
            self.validations_since = 0
            self.best = copy.deepcopy(self.average.state_dict())

    def is_enough(self) -> bool:
        """Whether `patience` validations passed without a better one."""
        return 0 < self.settings.patience <= self.validations_since

    def chosen(self) -> Generator:
        """The generator with the best weights by validation, or the last where none was asked."""
        chosen: Generator = copy.deepcopy(self.average)
        if self.best_figure < math.inf:
            chosen.load_state_dict(self.best)
        return chosen

    def state_dict(self) -> dict[str, object]:
        """Everything that the next step depends on."""
        modules = {name: getattr(self, name).state_dict() for name in _MODULES}
        numbers = {name: getattr(self, name) for name in _NUMBERS}
        return {**modules, **numbers, "best": self.best}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Puts back what `state_dict` gave."""
        for name in _MODULES:
            getattr(self, name).load_state_dict(state[name])
        for name in _NUMBERS:
            setattr(self, name, state[name])
        self.best = state["best"]  # type: ignore[assignment]

    def _set_rates(self, step: int) -> None:
        settings = self.settings
        if settings.schedule == "constant":
            return
        rate = training.one_cycle(
            step, steps=settings.steps, peak=settings.learning_rate, warm=WARM
        )
        self.optimiser.param_groups[0]["lr"] = rate
        self.discriminator_optimiser.param_groups[0]["lr"] = (
            settings.discriminator_rate * rate / settings.learning_rate
        )

    def _pictures(self, step: int, batch: TalkingBatch) -> tuple[Tensor, Tensor]:
        """Targets and references in one light, (F, 3, 96, 96) in [0, 1], channels last."""
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

    def _sync(
        self, step: int, made: Tensor, targets: Tensor, batch: TalkingBatch
    ) -> tuple[Tensor, Tensor]:
        """How far the expert hears something else, and sees another mouth than the truth's."""
        with self._autocast():
            seen = self.judge.see(self._shown(step, made, len(batch.starts)))
            with torch.no_grad():
                true = self.judge.see(self._shown(step, targets, len(batch.starts)))
        sounds = [self.judge.sounds[clip] for clip in batch.clips.tolist()]
        sync = sync_loss(seen, sounds, batch.starts.tolist(), self.judge.scale)
        return sync, 1.0 - (seen * true).sum(dim=1).mean()

    def _shown(self, step: int, faces: Tensor, count: int) -> Tensor:
        """The windows among faces (F, 3, 96, 96) as the expert is shown them, (B, 15, 48, 96)."""
        lower = faces[: count * WINDOW, :, SIZE // 2 :]
        if self.settings.sync_augmentation:
            random = torch.Generator().manual_seed(self.seed * 1_000_003 + step + 1)
            owners = torch.arange(count).repeat_interleave(WINDOW)
            lower = augmented(lower, owners.to(self.device), random)
        return lower.reshape(count, -1, *lower.shape[2:])

    def _judged(self, batch: TalkingBatch) -> Tensor:
        """Which of the frames the discriminator sees: some of each window, every single one."""
        frame = torch.arange(len(batch.owners))
        is_single = frame >= WINDOW * len(batch.starts)
        return frame[(frame % WINDOW < self.settings.judged) | is_single].to(self.device)

    def _fooled(self, made: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The adversarial loss, and how far the discriminator's features differ from truth's."""
        self.discriminator.requires_grad_(False)
        with self._autocast():
            logits, seen = self.discriminator.judged(made)
            with torch.no_grad():
                _, true = self.discriminator.judged(targets)
        self.discriminator.requires_grad_(True)
        layers = list(zip(seen[:-1], true[:-1], strict=True))
        features = torch.stack([(a.float() - b.float()).abs().mean() for a, b in layers]).mean()
        return losses.generator_loss(logits.float()), features

    def _train_discriminator(self, made: Tensor, targets: Tensor) -> Tensor:
        with self._autocast():
            logits = self.run_discriminator(torch.cat([targets, made])).float()
        real, fake = logits.chunk(2)
        loss = losses.discriminator_loss(real, fake)
        self.discriminator_optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.discriminator.parameters(), self.settings.clip_norm)
        self.discriminator_optimiser.step()
        return loss.detach()

    def _autocast(self) -> torch.autocast:
        is_half = self.settings.precision == "bfloat16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=is_half)

    @torch.no_grad()
    def _follow(self, step: int) -> None:
        """Moves the average towards the generator, faster in the beginning."""
        keep = min(self.settings.average, (1.0 + step) / (10.0 + step))
        values = self.generator.state_dict()
        for name, mean in self.average.state_dict().items():
            if mean.is_floating_point():
                mean.lerp_(values[name], 1.0 - keep)


class _Logits(nn.Module):
    """The discriminator before its sigmoid, as a module: gradients are averaged through these."""

    def __init__(self, discriminator: Discriminator) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, faces: Tensor) -> Tensor:
        return self.discriminator.logits(faces)


_MODULES = ("generator", "discriminator", "average", "optimiser", "discriminator_optimiser")
_NUMBERS = ("best_figure", "validations_since", "has_sync")


def hidden(targets: Tensor, references: Tensor) -> Tensor:
    """What the generator sees, (B, 6, 96, 96): the targets without lower half, the references."""
    upper = targets.clone()
    upper[:, :, SIZE // 2 :] = 0.0
    return torch.cat([upper, references], dim=1).contiguous(memory_format=torch.channels_last)
