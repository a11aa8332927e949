"""What VG-net is trained against beside the pixels: two judges of what is real.

`ClipJudging` is the official one: whole clips, and the landmarks that it reads off them.
`LowerJudging` is the small recipe's: the family's discriminator of the lower halves of single
faces, and a frozen reader of landmarks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from bench.networks.discriminator import discriminator_loss, generator_loss
from bench.train import loop as training
from bench.train.adversary import Adversary
from methods.atvg.judge import Judge, JudgeSize
from methods.atvg.landmark_reader import LandmarkReader
from methods.atvg.landmarks import Scheme
from methods.atvg.picture_losses import landmark_loss
from methods.atvg.settings import PictureSettings


@dataclass(frozen=True)
class Shown:
    """The tensors of one step, on the device.

    stills: (B, 3, S, S), made, pictures: (B, T, 3, S, S), in [-1, 1]. known: (B, 2 P), shapes:
    (B, T, 2 P). differences: (B, T, K).
    """

    stills: Tensor
    made: Tensor
    pictures: Tensor
    known: Tensor
    shapes: Tensor
    differences: Tensor


class Judging(Protocol):
    """A judge: losses for VG-net, and a step of its own after it."""

    def losses(self, shown: Shown, *, is_adversarial: bool) -> dict[str, Tensor]:
        """`landmarks` and, if it takes part, `fooled` and `features`; with gradients."""
        ...

    def advance(self, shown: Shown) -> dict[str, float]:
        """Trains the judge on what VG-net made (without its gradients)."""
        ...

    def state_dict(self) -> dict[str, object]:
        """Everything that the next step depends on."""
        ...

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Restores what `state_dict` returned."""
        ...


class ClipJudging:
    """The official discriminator, of any size."""

    def __init__(
        self, settings: PictureSettings, size: JudgeSize, scheme: Scheme, device: torch.device
    ) -> None:
        self.scheme = scheme
        self.judge = Judge(size).to(device)
        self.optimiser = torch.optim.Adam(
            self.judge.parameters(), lr=settings.judge_rate, betas=settings.betas
        )

    def losses(self, shown: Shown, *, is_adversarial: bool) -> dict[str, Tensor]:
        """As of `Judging`."""
        self.judge.requires_grad_(False)
        logits, read = self.judge.logits(shown.made, shown.known)
        self.judge.requires_grad_(True)
        found = {"landmarks": landmark_loss(read, shown.shapes, self.scheme)}
        return {**found, "fooled": generator_loss(logits)} if is_adversarial else found

    def advance(self, shown: Shown) -> dict[str, float]:
        """As of `Judging`; both real and made clips show the true landmarks."""
        real, read_of_real = self.judge.logits(shown.pictures, shown.known)
        made, read_of_made = self.judge.logits(shown.made.detach(), shown.known)
        reads = [
            landmark_loss(read, shown.shapes, self.scheme) for read in (read_of_real, read_of_made)
        ]
        loss = discriminator_loss(real, made)
        self.optimiser.zero_grad()
        (2.0 * loss + reads[0] + reads[1]).backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return {"judged": float(loss.detach()), "read": float(reads[0].detach())}

    def state_dict(self) -> dict[str, object]:
        """As of `Judging`."""
        return self._states().state_dict()

    def load_state_dict(self, state: dict[str, object]) -> None:
        """As of `Judging`."""
        self._states().load_state_dict(state)

    def _states(self) -> training.States:
        return training.States(judge=self.judge, optimiser=self.optimiser)


class LowerJudging:
    """The family's discriminator, and a frozen reader of landmarks."""

    def __init__(
        self, settings: PictureSettings, reader: LandmarkReader, device: torch.device
    ) -> None:
        self.settings = settings
        self.reader = reader.eval().requires_grad_(False).to(device)
        self.adversary = Adversary(
            settings,
            clip_norm=settings.clip_norm,
            width=settings.judge_width,
            learning_rate=settings.judge_rate,
            device=device,
        )

    def losses(self, shown: Shown, *, is_adversarial: bool) -> dict[str, Tensor]:
        """As of `Judging`."""
        device = shown.made.device.type
        stills = shown.stills.repeat_interleave(shown.made.shape[1], dim=0)
        with self.settings.autocast(device):
            read = self.reader(stills, shown.made.flatten(0, 1)).float()
        found = {"landmarks": (read - shown.differences.flatten(0, 1)).square().mean()}
        if not is_adversarial:
            return found
        made, true = self._faces(shown.made), self._faces(shown.pictures)
        fooled, features = self.adversary.losses(made, true)
        return {**found, "fooled": fooled, "features": features}

    def advance(self, shown: Shown) -> dict[str, float]:
        """As of `Judging`."""
        made, true = self._faces(shown.made.detach()), self._faces(shown.pictures)
        return {"judged": float(self.adversary.advance(made, true))}

    def state_dict(self) -> dict[str, object]:
        """As of `Judging`."""
        return self._states().state_dict()

    def load_state_dict(self, state: dict[str, object]) -> None:
        """As of `Judging`."""
        self._states().load_state_dict(state)

    def _states(self) -> training.States:
        return training.States(
            judge=self.adversary.discriminator,
            optimiser=self.adversary.optimiser,
            reader=self.reader,
        )

    def _faces(self, pictures: Tensor) -> Tensor:
        """Some frames of each clip, evenly spaced, (F, 3, 96, 96) in [0, 1]."""
        frames = pictures.shape[1]
        count = min(self.settings.judge_frames, frames)
        chosen = torch.linspace(0, frames - 1, count).round().long().to(pictures.device)
        faces = 0.5 * (pictures[:, chosen].flatten(0, 1) + 1.0)
        return faces.contiguous(memory_format=torch.channels_last)
