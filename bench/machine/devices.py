"""Devices: which worker computes on which, and how much memory a device has for models."""

from __future__ import annotations

import os
import re
import sys
from importlib import metadata

from bench.ground.cores import cores
from bench.ground.errors import BenchError

HALF_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")  # as PyTorch names them; the last is ARM's
MODELS_SHARE = 0.7  # of a device's memory; the rest is for frames and what networks compute


def present_device(named: str) -> str:
    """The device itself for `auto`. Raises BenchError for one that is not here, before any work."""
    if named == "cpu":
        return named
    if not re.fullmatch(r"auto|cuda(:\d+)?", named):
        raise BenchError(f"--device {named}: expected cpu, cuda, cuda:NUMBER or auto.")
    count = _cards()
    if named == "auto":
        return "cuda" if count else "cpu"
    if int(named.removeprefix("cuda").removeprefix(":") or 0) >= count:
        raise BenchError(
            f"--device {named}: PyTorch finds {count} CUDA devices here. Take cpu or auto, or "
            "install a PyTorch with CUDA."
        )
    return named


def devices_of(device: str, workers: int, *, shared: bool, cards: int | None = None) -> list[str]:
    """The device of each worker: the processor for all, or a GPU each.

    device: "cpu", "cuda" or "cuda:NUMBER". shared: whether workers may use one GPU together.
    cards: how many GPUs there are; None asks PyTorch.
    Raises BenchError where workers would share a GPU that nobody said they may.
    """
    if device == "cpu":
        return ["cpu"] * workers
    named = [device] if ":" in device else [f"cuda:{card}" for card in range(cards or _cards())]
    if workers > len(named) and not shared:
        there = f"only {device}" if ":" in device else _counted(len(named))
        raise BenchError(
            f"--workers {workers} --device {device}: there is {there} for them. Take --workers "
            f"{max(len(named), 1)}, or let workers share a GPU and its memory: --share-device."
        )
    return [named[place % len(named)] for place in range(workers)]


def model_memory(device: str) -> int | None:
    """Bytes of a device's memory that models may take; None where it cannot be told."""
    if device == "cpu":
        whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return int(MODELS_SHARE * whole)
    import torch

    if not torch.cuda.is_available():
        return None
    return int(MODELS_SHARE * torch.cuda.get_device_properties(device).total_memory)


def is_fast_in_half(device: str) -> bool:
    """Whether bfloat16 saves time: all GPUs are taken to have it, of processors not all do.

    Without its instructions a convolution in bfloat16 took three to six times as long as in single
    precision. oneDNN calls it supported wherever there is AVX-512, which is not enough.
    """
    import torch

    if not device.startswith("cpu"):
        return True
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported() or not hasattr(
        torch.cpu, "get_capabilities"
    ):
        return False  # an older PyTorch cannot tell
    return any(torch.cpu.get_capabilities().get(name) for name in HALF_INSTRUCTIONS)


def empty_caches(device: str) -> None:
    """Gives back what PyTorch keeps of a GPU's memory after a model is gone."""
    if device != "cpu":
        import torch

        torch.cuda.empty_cache()


def stay_on_cores(share: int, shares: int) -> None:
    """Keeps this process on its share of the cores, the `share`th of `shares` even ones.

    Threads of one worker then never wait for those of another while a core is idle, and libraries
    that start a thread for each core start no more than there is room for. With fewer cores than
    shares, or on a system without such a call, it only computes with fewer threads.
    """
    ours = cores()
    if len(ours) >= shares and hasattr(os, "sched_setaffinity"):
        ours = ours[share * len(ours) // shares : (share + 1) * len(ours) // shares]
        os.sched_setaffinity(0, ours)
        shares = 1
    compute_with(len(ours) // shares)


def computing_threads() -> int:
    """How many threads this process computes with: one a core, or what the environment says."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return int(said) if said.isdecimal() and int(said) else len(cores())


def compute_with(threads: int) -> None:
    """Lets this process compute with so many threads, unless the user's environment says how many.

    It loads no library, which takes a second or two; one that is loaded later looks there.
    """
    for name in ("OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):  # PyTorch, OpenCV
        os.environ.setdefault(name, str(max(1, threads)))
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


def _cards() -> int:
    if metadata.version("torch").endswith("+cpu"):
        return 0  # loading this build to ask it takes longer than many a run
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _counted(cards: int) -> str:
    return {0: "no GPU", 1: "one GPU"}.get(cards, f"{cards} GPUs")
