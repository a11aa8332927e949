"""`make bench`: every speed figure, as a ratio in one run where there is a reference to beat."""

from __future__ import annotations

from bench.run.provenance import machine
from tests.speed import (
    baselines,
    corpus,
    cpbd,
    diffusion,
    engines,
    generation,
    landmarks,
    lpips,
    lse,
    million,
    planning,
    psnr_ssim,
    rays,
    training,
    whole_run,
)


def main() -> None:
    """Prints the machine, then one line for each figure as it is known."""
    print(f"machine: {machine()}", flush=True)
    for part in (
        psnr_ssim,
        lpips,
        cpbd,
        lse,
        landmarks,
        generation,
        training,
        baselines,
        diffusion,
        rays,
        planning,
        million,
        engines,
        whole_run,
        corpus,
    ):
        print(part.measure(), flush=True)


if __name__ == "__main__":
    main()
