"""Trains Diff2Lip from a pack, in its own process.

`python -m methods.diff2lip.gpu.line PACK FOLDER diff2lip DEVICE`, as `methods.wav2lip.gpu.line`.
"""

from __future__ import annotations

from pathlib import Path

from methods.diff2lip.checkpoints import save_denoiser
from methods.diff2lip.network_training import drawn_network
from methods.diff2lip.settings import Settings
from methods.diff2lip.training import trained_from
from methods.wav2lip.gpu.line import Line, command, packed_clips, packed_job, rescued
from methods.wav2lip.gpu.plan import Plan


def train_line(pack: Path, plan: Plan, folder: Path, device: str) -> Path:
    """The weights of the network. folder: for all that is written."""
    job = packed_job(plan, Settings.model_validate(plan.settings), folder, device)
    return trained_from(packed_clips(pack, "mel", device), job, cache=folder / "cache")


def rescue(plan: Plan, folder: Path) -> Path:
    """The weights of the last checkpoint: the best by validation, else the average."""
    settings = Settings.model_validate(plan.settings)
    path = folder / "diff2lip.safetensors"
    save_denoiser(
        rescued(drawn_network(settings.network, plan.seed), folder),
        path,
        settings.diffused,
        seed=plan.seed,
        trained_on="a packed data set",
    )
    return path


if __name__ == "__main__":
    command({"diff2lip": Line(train_line, rescue)})
