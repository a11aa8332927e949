"""Training configs: which plugin is trained, on which splits of which data, with which settings."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import pydantic

from bench.config import Label, Source, expand, raise_problems, read_yaml, validated
from bench.data.sources import open_source
from bench.errors import BenchError
from bench.plugins import Plugin, TrainJob
from bench.registry import load_registry
from bench.types import Clip


class TrainSource(Source):
    """Clips to train on and to choose by; `optional` data are left out where they are not here."""

    train: str | None = "train"
    val: str | None = "val"
    clips: Annotated[int, pydantic.Field(ge=1)] | None = None
    optional: bool = False


class TrainConfig(pydantic.BaseModel):
    """One training. `plugin` names a method or metric; `settings` are that plugin's own."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    name: Label
    plugin: str
    seed: Annotated[int, pydantic.Field(ge=0)] = 0
    plugins: tuple[str, ...] = ()
    data: Annotated[tuple[TrainSource, ...], pydantic.Field(min_length=1)]
    settings: dict[str, object] = {}


@dataclass(frozen=True)
class LoadedTraining:
    """A validated training config and the plugin class it names."""

    path: Path
    config: TrainConfig
    plugin: type[Plugin]


def load_train_config(path: Path) -> LoadedTraining:
    """The training config of a file. Raises BenchError that lists every problem found."""
    raw, lines, problems = read_yaml(path)
    config = validated(TrainConfig, raw, "", problems)
    raise_problems(path, problems, lines)
    assert config is not None
    registry = load_registry([path.parent / name for name in config.plugins])
    try:
        plugin = registry.plugin(config.plugin)
        validated(plugin.train_settings(), dict(config.settings), "settings", problems)
    except BenchError as error:
        problems.append(("plugin", str(error)))
    raise_problems(path, problems, lines)
    return LoadedTraining(path, config, plugin)


def train_from(
    loaded: LoadedTraining,
    folder: Path,
    *,
    device: str,
    resume: bool,
    say: Callable[[str], object],
) -> Path:
    """Opens the data, trains, and returns the weights file. `say` is told what data were used."""
    train: list[Clip] = []
    val: list[Clip] = []
    for source in loaded.config.data:
        named = source.manifest or source.root
        if source.optional and named and expand(named, loaded.path.parent) is None:
            say(f"{source.name}: left out, {named.split('/')[0]} is not set")
            continue
        for split, clips in ((source.train, train), (source.val, val)):
            if split is not None:
                wanted = source.clips if clips is train else None
                found = open_source(source, split, loaded.path.parent, clips=wanted)
                say(f"{source.name}: {len(found.clips)} clips of {split}")
                # Speakers of two data sets may share a name; a trainer tells them apart by this.
                clips += [replace(c, speaker=f"{source.name}/{c.speaker}") for c in found.clips]
    if not train or not val:
        raise BenchError(
            f"{loaded.path}: data: {len(train)} clips to train on and {len(val)} to choose by; "
            "both are needed. Set the variables that the config names, or give other data."
        )
    folder.mkdir(parents=True, exist_ok=True)
    log = _told(say)
    job = TrainJob(
        tuple(train),
        tuple(val),
        loaded.config.settings,
        folder,
        loaded.config.seed,
        resume,
        device,
        log,
    )
    return loaded.plugin.train(job)


def _told(say: Callable[[str], object]) -> logging.Logger:
    """The log of a training, which tells its progress to whoever started it."""
    log = logging.getLogger("bench.train")
    log.setLevel(logging.INFO)
    log.propagate = False
    log.handlers = [_Teller(say)]
    return log


class _Teller(logging.Handler):
    def __init__(self, say: Callable[[str], object]) -> None:
        super().__init__()
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        self._say(record.getMessage())
