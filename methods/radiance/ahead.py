"""Persons learned ahead of a run, by `bench train`: a file each, which `bench run` takes."""

from __future__ import annotations

import re
from pathlib import Path

import bench
from bench.data.lasting_names import lasting_name
from bench.files.digests import seed_of
from bench.ground.types import Clip
from bench.train.ready_clips import RawClip
from methods.radiance.settings import Settings


def learn_ahead(
    job: bench.TrainJob[Settings], method: bench.Method, *, most: int, made: str
) -> Path:
    """Writes `persons/<data set>-<speaker>.safetensors` for each speaker of `job.train`.

    most: clips of a person to learn from. made: the name of the file that `prepare` leaves.
    Each person has a folder with a checkpoint while it is learned, which is gone on from; persons
    that are there are kept. Returns the last file. Raises BenchError for a speaker in `only`
    without clips, and as `prepare` does.
    """
    import torch

    if job.settings.threads:
        torch.set_num_threads(job.settings.threads)
    clips: dict[str, list[Clip]] = {}
    for clip in job.train:
        clips.setdefault(clip.speaker, []).append(clip)
    names = {speaker: speaker.rpartition("/")[2] for speaker in clips}
    if strange := sorted(set(job.settings.only) - set(names.values())):
        raise bench.BenchError(f"settings.only: {strange[0]!r} has no clip to learn from")
    wanted = [one for one in clips if not job.settings.only or names[one] in job.settings.only]
    method.load(job.device)
    persons = job.folder / "persons"
    persons.mkdir(exist_ok=True)
    target = persons
    for number, speaker in enumerate(wanted, start=1):
        target = persons / f"{speaker.replace('/', '-')}.safetensors"
        if target.is_file():
            continue
        job.log.info("%s: person %d of %d", names[speaker], number, len(wanted))
        folder = job.folder / re.sub(r"\W", "_", target.stem)  # where `--resume` looks
        folder.mkdir(exist_ok=True)
        seed = seed_of(job.seed, "prepare", names[speaker])
        chosen = chosen_clips(clips[speaker], most)
        method.prepare(
            bench.PrepareJob(
                names[speaker],
                opened(chosen, job.settings),
                folder,
                seed,
                job.device,
                job.log,
                tuple(map(lasting_name, chosen)),
                raw_clips(chosen, job.settings)[0].protocols,
            )
        )
        (folder / made).replace(target)
        folder.rmdir()
    return target


def chosen_clips(clips: list[Clip], most: int) -> list[Clip]:
    """At most so many clips, evenly spread."""
    return clips[:: -(-len(clips) // most)]


def opened(clips: list[Clip], settings: Settings) -> list[bench.Video]:
    """The clips, whose videos know their faces and landmarks."""
    return [one.opened()[0] for one in raw_clips(clips, settings)]


def raw_clips(clips: list[Clip], settings: Settings) -> list[RawClip]:
    """The clips, with the settings' detector and landmarks."""
    return [RawClip(clip, settings.faces, landmarks=settings.landmarks) for clip in clips]
