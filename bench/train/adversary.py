"""A discriminator that is trained beside a generator of faces, and what each loses by the other.

Sources: doi 10.11896/jsjkx.241200067, eq. 13 and 14; Wang et al., CVPR 2018, "High-resolution image
synthesis and semantic manipulation with conditional GANs" (matching of features).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.networks.discriminator import Discriminator, discriminator_loss, generator_loss
from bench.train.processes import ALONE, Processes
from bench.train.settings import StageSettings


class Adversary:
    """A discriminator of faces (F, 3, 96, 96) in [0, 1], with its optimiser.

    settings: the generator's, for precision and layout. clip_norm: at which gradients are cut.
    """

    def __init__(
        self,
        settings: StageSettings,
        *,
        clip_norm: float,
        width: float,
        learning_rate: float,
        device: torch.device,
        instance_norm: bool = True,
        weight_decay: float = 0.01,
        processes: Processes = ALONE,
    ) -> None:
        self.settings = settings
        self.clip_norm = clip_norm
        self.learning_rate = learning_rate
        self.device = device
        discriminator = Discriminator(instance_norm=instance_norm, width=width)
        self.discriminator = settings.laid_out(discriminator.to(device))
        self.optimiser = torch.optim.AdamW(
            self.discriminator.parameters(),
            lr=learning_rate,
            betas=(0.5, 0.999),
            weight_decay=weight_decay,
        )
        self.run = processes.prepare(_Logits(self.discriminator))

    def losses(self, made: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
        """The generator's: not to be found out, and to look alike to the discriminator."""
        self.discriminator.requires_grad_(False)
        with self.settings.autocast(self.device.type):
            logits, seen = self.discriminator.judged(made)
            with torch.no_grad():
                _, wanted = self.discriminator.judged(true)
        self.discriminator.requires_grad_(True)
        layers = list(zip(seen[:-1], wanted[:-1], strict=True))
        features = torch.stack([(a.float() - b.float()).abs().mean() for a, b in layers]).mean()
        return generator_loss(logits.float()), features

    def advance(self, made: Tensor, true: Tensor) -> Tensor:
        """One step of the discriminator; its loss. made: without gradients."""
        with self.settings.autocast(self.device.type):
            logits = self.run(torch.cat([true, made])).float()
        real, fake = logits.chunk(2)
        loss = discriminator_loss(real, fake)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.discriminator.parameters(), self.clip_norm)
        self.optimiser.step()
        return loss.detach()

    def set_rate(self, share: float) -> None:
        """Sets the learning rate. share: of the one that it was made with."""
        self.optimiser.param_groups[0]["lr"] = self.learning_rate * share


class _Logits(nn.Module):
    """The discriminator's logits as a module, since gradients are averaged per module."""

    def __init__(self, discriminator: Discriminator) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, faces: Tensor) -> Tensor:
        return self.discriminator.logits(faces)
