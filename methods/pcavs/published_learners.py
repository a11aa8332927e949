"""How the published networks of PC-AVS learn: one class for each of the three stages.

Source: Hangz-nju-cuhk/Talking-Face_PC-AVS @ 201d2b9 (CC-BY-4.0) has the losses and their weights;
its training loop was never published. What is a guess, README.md says.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.ground.errors import BenchError
from bench.train import loop as training
from bench.train.perceptual_loss import PerceptualLoss
from methods.pcavs.augmentation import estranged
from methods.pcavs.judge import Judge
from methods.pcavs.networks import Networks
from methods.pcavs.published_batches import Items
from methods.pcavs.settings import PublishedGeneratorStage, PublishedStage, SyncStage

NEAREST = 1e-3  # a distance below counts as this: the similarity is 1 / distance
Losses: TypeAlias = Mapping[str, tuple[float, Tensor]]  # by name, each with its weight


class Learner(ABC):
    """The networks that one stage trains, and their optimiser.

    learning: the parts of `networks` that are trained, by name. frames: those of an item.
    """

    frames = 1

    def __init__(
        self,
        networks: Networks,
        learning: tuple[str, ...],
        settings: PublishedStage,
        *,
        seed: int,
        device: torch.device,
    ) -> None:
        self.networks, self.seed, self.device = networks, seed, device
        self.stage = settings
        self.learning: dict[str, nn.Module] = {
            name: settings.laid_out(getattr(networks, name).to(device)) for name in learning
        }
        weights = [each for network in self.learning.values() for each in network.parameters()]
        self.optimiser = torch.optim.Adam(weights, settings.learning_rate, settings.betas)

    @abstractmethod
    def losses(self, step: int, items: Items) -> Losses:
        """The losses of the networks on items that are on the device."""

    @abstractmethod
    def figures(self, items: Items) -> dict[str, float]:
        """How good the networks are on items of `val`, two of each clip."""

    def advance(self, step: int, items: Items) -> dict[str, float]:
        """One step; the losses."""
        torch.manual_seed(self.seed * 1_000_003 + step)  # the hourglass drops out
        for network in self.learning.values():
            network.train()
        with self.stage.autocast(self.device.type):
            losses = self.losses(step, items.to(self.device))
        loss = torch.stack([weight * value.float() for weight, value in losses.values()]).sum()
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return {name: float(value.detach()) for name, (_, value) in losses.items()}

    def state_dict(self) -> dict[str, object]:
        """Everything that the next step depends on."""
        return self._states().state_dict()

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Restores what `state_dict` returned."""
        self._states().load_state_dict(state)

    def _states(self) -> training.States:
        return training.States(**self.learning, optimiser=self.optimiser)

    def rest(self) -> None:
        """Puts the networks into eval mode."""
        for network in self.learning.values():
            network.eval()


class IdentityLearner(Learner):
    """The first stage: netV tells the speakers apart."""

    def __init__(
        self, networks: Networks, settings: PublishedStage, *, seed: int, device: torch.device
    ) -> None:
        super().__init__(networks, ("identity",), settings, seed=seed, device=device)

    def losses(self, step: int, items: Items) -> Losses:
        """Cross-entropy of the speakers' scores."""
        del step
        frames = items.targets.shape[1]
        pictures, speakers = items.targets.flatten(0, 1), items.speakers.repeat_interleave(frames)
        return {"identity": (1.0, speaker_loss(self.networks, pictures, speakers))}

    @torch.no_grad()
    def figures(self, items: Items) -> dict[str, float]:
        """val right: the share of frames to which the other of their clip is the nearest."""
        self.rest()
        vectors = self.networks.identity(items.to(self.device).targets[:, 0]).vector
        unit = functional.normalize(vectors, dim=1)
        nearest = (unit @ unit.T).fill_diagonal_(-1.0).argmax(dim=1)
        own = torch.arange(len(unit), device=self.device) ^ 1
        return {"val right": float((nearest == own).float().mean())}


class SyncLearner(Learner):
    """The second stage: netE finds in a mouth what netA_sync finds in its sound."""

    def __init__(
        self, networks: Networks, settings: SyncStage, *, seed: int, device: torch.device
    ) -> None:
        super().__init__(networks, ("face", "speech"), settings, seed=seed, device=device)
        self.settings, self.frames = settings, settings.frames

    def losses(self, step: int, items: Items) -> Losses:
        """`sync_losses`, weighted."""
        del step
        mouths = mouths_of(self.networks, items)
        return sync_losses(speech_of(self.networks, items), mouths, self.settings)

    @torch.no_grad()
    def figures(self, items: Items) -> dict[str, float]:
        """val right: the share of items' mouths whose own sound is the nearest of the batch's."""
        self.rest()
        items = items.to(self.device)
        mouths = mouths_of(self.networks, items)
        found = similarities(mouths, speech_of(self.networks, items)).argmax(dim=1)
        own = torch.arange(len(found), device=self.device)
        return {"val right": float((found == own).float().mean())}


class PictureLearner(Learner):
    """The last stage: all networks make pictures, judged by netD.

    The first frames of each item are made, from the first frame of its clip, their own changed
    pictures as poses, and their sound; only pictures driven by sound (the official option
    `generate_from_audio_only`).
    """

    def __init__(
        self,
        networks: Networks,
        judge: Judge,
        settings: PublishedGeneratorStage,
        perceptual: PerceptualLoss,
        *,
        seed: int,
        device: torch.device,
    ) -> None:
        parts = ("identity", "speech", "face", "generator")
        super().__init__(networks, parts, settings, seed=seed, device=device)
        self.settings, self.frames, self.perceptual = settings, settings.frames, perceptual
        self.judge = settings.laid_out(judge.to(device))
        self.judge_optimiser = torch.optim.Adam(
            judge.parameters(), settings.judge_rate, settings.betas
        )
        self._made: tuple[Tensor, Tensor] | None = None

    def advance(self, step: int, items: Items) -> dict[str, float]:
        """One step of the networks, then one of netD."""
        figures = super().advance(step, items)
        assert self._made is not None
        made, true = self._made
        self._made = None
        with self.stage.autocast(self.device.type):
            judged = judge_loss(self.judge(true), self.judge(made))
        self.judge_optimiser.zero_grad()
        judged.backward()  # type: ignore[no-untyped-call]
        self.judge_optimiser.step()
        return figures | {"judged": float(judged.detach())}

    def losses(self, step: int, items: Items) -> Losses:
        """Those of the pictures, of the speakers, and of sound and mouth."""
        settings, networks = self.settings, self.networks
        random = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        shown = items.targets[:, : settings.pictures]  # (D, N, 3, 224, 224)
        poses = 2.0 * estranged(0.5 * shown + 0.5, random) - 1.0
        who = networks.identity(items.stills)
        told = functional.cross_entropy(networks.identity.scores(who.vector), items.speakers)
        each = type(who)(*(part.repeat_interleave(settings.pictures, 0) for part in who))
        heard = items.heard[:, : settings.pictures].flatten(0, 1)
        made = networks.pictures(each, heard, poses.flatten(0, 1), random=random)
        true = shown.flatten(0, 1)
        self._made = made.detach(), true
        found = self.judge(made)
        with torch.no_grad():
            wanted = self.judge(true)
        fooled = -torch.stack([layers[-1].float().mean() for layers in found]).mean()
        matching = torch.stack(
            [
                torch.stack(
                    [functional.l1_loss(*pair) for pair in zip(a[:-1], b[:-1], strict=True)]
                )
                for a, b in zip(found, wanted, strict=True)
            ]
        )
        mouths = mouths_of(networks, items)
        return {
            "fooled": (settings.adversarial, fooled),
            "features": (settings.matching, matching.sum(dim=1).mean()),
            self.perceptual.name: (
                settings.perceptual,
                self.perceptual(0.5 * made + 0.5, 0.5 * true + 0.5),
            ),
            "identity": (settings.identity, told),
            **sync_losses(speech_of(networks, items), mouths, settings),
        }

    def figures(self, items: Items) -> dict[str, float]:
        """val face: the mean absolute difference of the first frames, of [0, 1]."""
        return {"val face": 0.5 * float((self.made(items) - items.targets[:, 0]).abs().mean())}

    @torch.no_grad()
    def made(self, items: Items) -> Tensor:
        """Pictures of the items' first frames, (D, 3, 224, 224) in [-1, 1], on the CPU."""
        self.rest()
        there = items.to(self.device)
        who = self.networks.identity(there.stills)
        made = self.networks.pictures(who, there.heard[:, 0], there.targets[:, 0])
        return made.float().cpu()

    def state_dict(self) -> dict[str, object]:
        """Everything that the next step depends on."""
        return {**super().state_dict(), "perceptual": self.perceptual.name}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Restores what `state_dict` returned; BenchError if the perceptual loss was another's."""
        if state["perceptual"] != self.perceptual.name:
            raise BenchError(
                f"the checkpoint was trained with the perceptual loss {state['perceptual']!r}, and "
                f"now it is {self.perceptual.name!r}; set "
                "settings.published.generator.perceptual_net to the checkpoint's"
            )
        super().load_state_dict(state)

    def _states(self) -> training.States:
        return training.States(
            **self.learning,
            judge=self.judge,
            optimiser=self.optimiser,
            judge_optimiser=self.judge_optimiser,
        )


def speaker_loss(networks: Networks, pictures: Tensor, speakers: Tensor) -> Tensor:
    """Cross-entropy of the speakers (B,) of pictures (B, 3, 224, 224)."""
    scores = networks.identity.scores(networks.identity(pictures).vector)
    return functional.cross_entropy(scores, speakers)


def mouths_of(networks: Networks, items: Items) -> Tensor:
    """The features of the mouths of all frames, (D, F, 512)."""
    feature = networks.face(items.targets.flatten(0, 1))
    return networks.face.mouth(feature).view(*items.targets.shape[:2], -1)


def speech_of(networks: Networks, items: Items) -> Tensor:
    """The speech features (D, F, 512)."""
    found: Tensor = networks.speech(items.heard.flatten(0, 1))
    return found.view(*items.heard.shape[:2], -1)


def sync_losses(sounds: Tensor, mouths: Tensor, settings: SyncStage) -> Losses:
    """contrast: cross-entropy of the items, both ways. likeness: mean absolute difference.

    sounds, mouths: (D, F, 512). Only sounds learn from likeness.
    """
    sounds, mouths = sounds.float(), mouths.float()
    logits = similarities(mouths, sounds)
    own = torch.arange(len(logits), device=logits.device)
    contrast = functional.cross_entropy(logits, own) + functional.cross_entropy(logits.T, own)
    return {
        "contrast": (settings.contrast, contrast),
        "likeness": (settings.likeness, functional.l1_loss(sounds, mouths.detach())),
    }


def similarities(mouths: Tensor, sounds: Tensor) -> Tensor:
    """1 / distance of the items' normalised features, (D, D), mouths by sounds.

    mouths, sounds: (D, F, 512); an item's features are put together into one.
    """
    a, b = (functional.normalize(each.float().flatten(1), dim=1) for each in (mouths, sounds))
    return (2.0 - 2.0 * a @ b.T).clamp_min(NEAREST**2).rsqrt()


def judge_loss(true: list[list[Tensor]], made: list[list[Tensor]]) -> Tensor:
    """netD's hinge loss on its outputs for true and made pictures, averaged over the two sizes."""
    losses = [
        (1.0 - a[-1].float()).relu().mean() + (1.0 + b[-1].float()).relu().mean()
        for a, b in zip(true, made, strict=True)
    ]
    return torch.stack(losses).mean()
