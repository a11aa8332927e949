"""Writes a few tiny clips and a config for them, from a seed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import yaml

from bench.data.manifest import write_manifest
from bench.ground.types import SAMPLES_PER_FRAME, Clip
from bench.media import write_video

PLUGIN = Path(__file__).parent / "plugins" / "brightness.py"


def make_clip(path: Path, seed: int, *, frames: int = 12, size: int = 32) -> Path:
    """Writes a video of a moving gradient with a tone."""
    random = np.random.default_rng(seed)
    base = random.integers(40, 200, size=(1, 1, 1, 3))
    slope = np.arange(size)[None, None, :, None] + np.arange(frames)[:, None, None, None] * 2
    drawn = (base + slope + np.zeros((1, size, 1, 1))).clip(0, 255).astype(np.uint8)
    time = np.arange(frames * SAMPLES_PER_FRAME) / 16_000
    tone = (8000 * np.sin(2 * np.pi * (200 + 40 * seed) * time)).astype(np.int16)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, list(drawn), sound=tone)
    return path


def make_manifest(
    folder: Path,
    ids: tuple[str, ...] = ("one", "two", "three"),
    *,
    frames: int = 12,
    size: int = 32,
) -> Path:
    """Writes a manifest of tiny clips, each with its own speaker."""
    clips = [
        Clip(
            id=name,
            video=make_clip(folder / f"{name}.mp4", seed, frames=frames, size=size),
            speaker=f"s{seed}",
            split="test",
            text=f"sentence {seed}",
            box=(4.0, 4.0, 24.0, 24.0),
        )
        for seed, name in enumerate(ids)
    ]
    manifest = folder / "manifest.csv"
    write_manifest(manifest, clips)
    return manifest


def make_config(folder: Path, **changes: object) -> Path:
    """Writes a config for the tiny clips: two methods and a plugin's metrics, without networks."""
    shutil.copy(PLUGIN, folder / "brightness.py")
    config: dict[str, object] = {
        "name": "small",
        "seed": 3,
        "faces": "given",
        "plugins": ["brightness.py"],
        "data": [{"name": "tiny", "manifest": "data/manifest.csv", "split": "test"}],
        "methods": [{"name": "truth"}, {"name": "still"}, {"name": "dimmed"}],
        "metrics": [{"name": "brightness"}, {"name": "mean_brightness"}, {"name": "psnr"}],
        "floors": 0,
        "tables": [{"name": "comparison", "columns": ["brightness.brightness", "psnr.psnr"]}],
    }
    config.update(changes)
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path
