"""What a pack of a person's method holds: the recording of one person, ready to be learned."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import bench
from bench.data.lasting_names import lasting_name
from bench.ground.types import Clip
from bench.train.config import LoadedTraining, clips_of
from bench.train.packed_clips import Packed
from methods.radiance.ahead import chosen_clips, opened, raw_clips
from methods.radiance.gpu.packed_person import PackedPerson, pack_person
from methods.radiance.person_method import LANDMARKS, PersonMethod
from methods.radiance.settings import Settings


def pack_data(loaded: LoadedTraining, folder: Path, *, limit: int, log: logging.Logger) -> Packed:
    """Writes the person of a training config into a folder.

    Raises BenchError without `options: {stop_after}`, and where the config's clips are not of one
    person.
    """
    settings: Any = next(iter(loaded.plugins.values()))
    assert isinstance(settings, Settings)
    method = _method(loaded, settings)
    if method.options.stop_after is None:
        raise bench.BenchError("settings.options: a pack needs a stop_after")
    train, _ = clips_of(loaded, log.info)
    own = [clip for clip in train if not settings.only or _name(clip) in settings.only]
    names = sorted({_name(clip) for clip in own})
    if len(names) != 1:
        raise bench.BenchError(
            f"settings.only: a pack holds one person, found {', '.join(names) or 'none'}"
        )
    chosen = chosen_clips(own, method.options.clips)
    job = bench.PrepareJob(
        names[0],
        opened(chosen, settings),
        folder,
        loaded.config.seed[0],
        "cpu",
        log,
        tuple(map(lasting_name, chosen)),
        raw_clips(chosen, settings)[0].protocols,
    )
    recording, said = method.recording(job)
    person = PackedPerson(names[0], said, job.features[LANDMARKS], recording)
    return pack_person(person, folder, limit=limit)


def _method(loaded: LoadedTraining, settings: Settings) -> PersonMethod:
    plugin: Any = next(iter(loaded.plugins))
    made: PersonMethod = plugin(plugin.Options.model_validate(settings.options))
    return made


def _name(clip: Clip) -> str:
    return clip.speaker.rpartition("/")[2]
