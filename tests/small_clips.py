"""Small talking patterns in files, as the clips of a training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench import media
from bench.checks.ladders import talking_patterns
from bench.types import Clip


def write_clips(folder: Path, count: int = 2, *, frames: int = 20) -> list[Clip]:
    """Each pattern once as a clip of `train` and once of `val`, with the box of its face."""
    clips = []
    for number, pattern in enumerate(talking_patterns(count, frames=frames, size=64)):
        path = folder / f"{number}.mp4"
        media.write_video(path, pattern.sample.video.read(), sound=pattern.sample.video.sound())
        clip = Clip(str(number), path, speaker=f"s{number}", box=(15, 15, 35, 36))
        clips += [replace(clip, id=f"{split}{number}", split=split) for split in ("train", "val")]
    return clips
