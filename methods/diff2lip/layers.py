"""The layers of the U-Net and of the speech encoder, with the published names.

Sources: soumik-kanad/diff2lip @ 0655a45, guided_diffusion/unet.py (layers, state-dict names);
Dhariwal and Nichol 2021, arXiv:2105.05233.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

GROUPS = 32  # of every group normalisation
SLOWEST = 10_000.0  # the longest period of the times' code, over 2 pi


class Norm(nn.GroupNorm):
    """Group normalisation, computed in single precision."""

    def __init__(self, channels: int) -> None:
        super().__init__(GROUPS, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, ...) to the same shape and kind of number."""
        if x.dtype == torch.float32:
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            found = functional.group_norm(
                x.float(), self.num_groups, self.weight.float(), self.bias.float(), self.eps
            )
        return found.to(x.dtype)


class Residual(nn.Module):
    """Two convolutions around the embedding, added to the input.

    down: pools by these strides before the first convolution, and on the way past it. is_up:
    doubles height and width there.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        embedded: int,
        *,
        down: tuple[int, int] | None = None,
        is_up: bool = False,
    ) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(
            Norm(inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedded, outputs))
        self.out_layers = nn.Sequential(
            Norm(outputs),
            nn.SiLU(),
            nn.Identity(),  # the original's dropout, which is 0
            _silent(nn.Conv2d(outputs, outputs, 3, padding=1)),
        )
        self.skip_connection = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)
        self.down = down
        self.is_up = is_up

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """(B, inputs, H, W) and (B, embedded) to (B, outputs, h, w)."""
        norm, activation, convolution = self.in_layers
        y = convolution(self._resized(activation(norm(x))))
        y = y + self.emb_layers(embedding)[:, :, None, None]
        found: Tensor = self.skip_connection(self._resized(x)) + self.out_layers(y)
        return found

    def _resized(self, x: Tensor) -> Tensor:
        if self.down is not None:
            return functional.avg_pool2d(x, self.down)
        return functional.interpolate(x, scale_factor=2.0, mode="nearest") if self.is_up else x


class Attention(nn.Module):
    """Every place of a picture sees all others; heads of `head` channels."""

    def __init__(self, channels: int, head: int) -> None:
        super().__init__()
        self.heads = channels // head
        self.norm = Norm(channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = _silent(nn.Conv1d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        flat = x.flatten(2)
        parts = self.qkv(self.norm(flat)).unflatten(1, (self.heads, 3, -1))  # (B, h, 3, c, HW)
        query, key, value = parts.transpose(3, 4).unbind(2)
        found = functional.scaled_dot_product_attention(query, key, value)  # (B, h, HW, c)
        told = self.proj_out(found.transpose(2, 3).flatten(1, 2))
        whole: Tensor = (flat + told).view_as(x)
        return whole


class Stage(nn.Sequential):
    """Layers one after the other; those that want the embedding get it."""

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:  # type: ignore[override]
        """(B, C, H, W) and (B, embedded)."""
        for layer in self:
            x = layer(x, embedding) if isinstance(layer, Residual) else layer(x)
        return x


def code_of(times: Tensor, channels: int) -> Tensor:
    """The code of times (B,), as (B, channels): cosines, then sines, from fast to slow."""
    half = channels // 2
    place = torch.arange(half, dtype=torch.float32, device=times.device)
    angles = times.float()[:, None] * torch.exp(-math.log(SLOWEST) * place / half)
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def embedding_of(inputs: int, outputs: int) -> nn.Sequential:
    """From the times' code to the embedding."""
    return nn.Sequential(nn.Linear(inputs, outputs), nn.SiLU(), nn.Linear(outputs, outputs))


def silent_end(inputs: int, outputs: int) -> nn.Sequential:
    """The last layers of the U-Net; they give zeros at first."""
    return nn.Sequential(Norm(inputs), nn.SiLU(), _silent(nn.Conv2d(inputs, outputs, 3, padding=1)))


def silent_style(inputs: int, outputs: int) -> nn.Sequential:
    """From the speech encoder's map to what is added to the embedding; zeros at first."""
    return nn.Sequential(
        Norm(inputs),
        nn.SiLU(),
        nn.AdaptiveAvgPool2d(1),
        _silent(nn.Conv2d(inputs, outputs, 1)),
        nn.Flatten(),
    )


def _silent(layer: nn.Conv1d | nn.Conv2d) -> nn.Conv1d | nn.Conv2d:
    """The layer with zeros as weights."""
    with torch.no_grad():
        layer.weight.zero_()
        if layer.bias is not None:
            layer.bias.zero_()
    return layer
