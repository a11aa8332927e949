"""Semantic alignment: the sound gives a map of the face its statistics, after a look at all of it.

Sources: Chi, Jiang and Mu 2020, "Fast Fourier Convolution" (local and global branch); Huang and
Belongie 2017, arXiv:1703.06868 (adaptive instance normalisation). That LPIPS-AttnWav2Lip has both
is known (arXiv:2602.00189), how it joins them is not: the arrangement here is a guess.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.networks.layers import Conv

LOCAL = 0.25  # the share of the channels that see their neighbourhood only
EPSILON = 1e-5  # added to variances: a map of 6x6 has only 36 values a channel
SLOPE = 0.1  # of the leaky ReLU below zero


class SpectralTransform(nn.Module):
    """Convolves the spectrum of a map, so that every place depends on all of them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = max(1, channels // 2)
        self.narrow = Conv(channels, half, kernel=1, padding=0)
        self.spectrum = Conv(2 * half, 2 * half, kernel=1, padding=0)
        self.widen = nn.Conv2d(half, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape; the transforms themselves are of single precision."""
        narrow = self.narrow(x)
        spectrum = torch.fft.rfft2(narrow.float(), norm="ortho")  # (B, C / 2, H, W // 2 + 1)
        parts = torch.cat([spectrum.real, spectrum.imag], dim=1).to(narrow.dtype)
        real, imaginary = self.spectrum(parts).float().chunk(2, dim=1)
        filtered = torch.complex(real.contiguous(), imaginary.contiguous())
        back = torch.fft.irfft2(filtered, s=narrow.shape[2:], norm="ortho")
        widened: Tensor = self.widen(narrow + back.to(narrow.dtype))
        return widened


class FourierConvolution(nn.Module):
    """A convolution of two branches: neighbourhoods, and the whole map by its spectrum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.local = max(1, round(LOCAL * channels))
        others = channels - self.local
        self.local_to_local = _neighbourhood(self.local, self.local)
        self.local_to_global = _neighbourhood(self.local, others)
        self.global_to_local = _neighbourhood(others, self.local)
        self.global_to_global = SpectralTransform(others)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape; the first `local` channels are the local branch."""
        near, far = x[:, : self.local], x[:, self.local :]
        return torch.cat(
            [
                self.local_to_local(near) + self.global_to_local(far),
                self.local_to_global(near) + self.global_to_global(far),
            ],
            dim=1,
        )


class AdaptiveNorm(nn.Module):
    """Instance normalisation whose scale and offset are read off the sound."""

    def __init__(self, channels: int, heard: int) -> None:
        super().__init__()
        self.style = nn.Linear(heard, 2 * channels)

    def forward(self, x: Tensor, sound: Tensor) -> Tensor:
        """(B, C, H, W) and the sound's code (B, heard) to (B, C, H, W), by single precision."""
        scale, offset = self.style(sound).float()[:, :, None, None].chunk(2, dim=1)
        normalised = functional.instance_norm(x.float(), eps=EPSILON)
        styled: Tensor = normalised * (1.0 + scale) + offset
        return styled.to(x.dtype)


class Alignment(nn.Module):
    """Twice Fourier convolution, adaptive normalisation and leaky ReLU, added to the input."""

    def __init__(self, channels: int, heard: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(FourierConvolution(channels) for _ in range(2))
        self.norms = nn.ModuleList(AdaptiveNorm(channels, heard) for _ in range(2))

    def forward(self, x: Tensor, sound: Tensor) -> Tensor:
        """(B, C, H, W) and the sound's code (B, heard) to (B, C, H, W); H and W at least 2."""
        aligned = x
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            aligned = functional.leaky_relu(norm(convolution(aligned), sound), SLOPE)
        return x + aligned


def _neighbourhood(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="reflect", bias=False)
