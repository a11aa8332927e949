"""Training configs: the plugins to train, the data and splits, the settings."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, TypeAlias, TypeVar, cast

import pydantic

from bench.config.kinds import refuse_other_kind
from bench.config.names import closest
from bench.config.reader import Label, anchored, expand, raise_problems, read_yaml, validated
from bench.config.shipped import folder_of
from bench.contract.plugins import Plugin
from bench.contract.registry import Registry, load_registry
from bench.data.sources import Source, open_source
from bench.ground.errors import BenchError, NoSuchSplit
from bench.ground.types import Clip
from bench.train.processes import launched
from bench.train.settings import TrainSettings
from bench.train.trainable import Trainable, TrainJob
from bench.train.trained import Begin, check_beginning, find_trained, put_aside

Value = TypeVar("Value")
Several: TypeAlias = Annotated[
    tuple[Value, ...],
    pydantic.BeforeValidator(lambda given: given if isinstance(given, list | tuple) else [given]),
    pydantic.Field(min_length=1),
]


class TrainablePlugin(Plugin, Trainable):
    """The type of trainable plugin classes; no class derives from it."""


class TrainSource(Source):
    """Clips to train on and to validate on. optional: whether to skip data that are not present.

    clips: at most so many to train on.
    """

    train: str | None = "train"
    val: str | None = "val"
    clips: Annotated[int, pydantic.Field(ge=1)] | None = None
    optional: bool = False


class TrainConfig(pydantic.BaseModel):
    """One training, or several: each of the named plugins with each of the seeds.

    plugin: methods or metrics. part: train only these parts; by default all. settings: those of the
    plugins.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    name: Label
    plugin: Several[str]
    part: Several[str] | None = None
    seed: Several[Annotated[int, pydantic.Field(ge=0)]] = (0,)
    plugins: tuple[str, ...] = ()
    data: Annotated[tuple[TrainSource, ...], pydantic.Field(min_length=1)]
    settings: dict[str, object] = {}


@dataclass(frozen=True)
class LoadedTraining:
    """A validated training config. lines: the line of every yaml path.

    plugins: the classes that it names, each with its settings; relative paths start at the config's
    folder.
    """

    path: Path
    config: TrainConfig
    registry: Registry
    plugins: Mapping[TrainablePlugin, TrainSettings]
    lines: Mapping[str, int]


def load_train_config(path: Path) -> LoadedTraining:
    """The training config of a file. Raises BenchError that lists every problem found."""
    raw, lines, problems = read_yaml(path)
    config = validated(TrainConfig, raw, "", problems)
    if config is None:
        refuse_other_kind(path, raw, TrainConfig.model_fields)
    raise_problems(path, problems, lines)
    assert config is not None
    plugins: dict[TrainablePlugin, TrainSettings] = {}
    checked: dict[type[TrainSettings], TrainSettings | None] = {}
    registry = load_registry([path.parent / name for name in config.plugins])
    for name in config.plugin:
        try:
            plugin = trainable(registry.plugin(name))
        except BenchError as error:
            problems.append(("plugin", str(error)))
            continue
        problems += [("part", told) for told in _strange_parts(plugin, config.part or ())]
        kind = plugin.Settings
        if kind not in checked:
            checked[kind] = validated(kind, dict(config.settings), "settings", problems)
        if (settings := checked[kind]) is not None:
            plugins[plugin] = anchored(settings, folder_of(path))
    raise_problems(path, problems, lines)
    return LoadedTraining(path, config, registry, plugins, lines)


def trainable(plugin: type[Plugin]) -> TrainablePlugin:
    """The class as a trainable one; raises BenchError if it cannot be trained."""
    if not issubclass(plugin, Trainable):
        raise BenchError(f"{plugin.name} cannot be trained; `bench list` shows all plugins")
    return cast("TrainablePlugin", plugin)


def _strange_parts(plugin: TrainablePlugin, wanted: Sequence[str]) -> list[str]:
    """Messages about parts that the plugin does not have."""
    if wanted and not plugin.parts:
        return [f"{plugin.name} has no parts to choose from; leave it out"]
    return [
        f"{plugin.name} has no part {name!r}. {closest(name, plugin.parts)}"
        for name in wanted
        if name not in plugin.parts
    ]


@dataclass(frozen=True)
class Training:
    """One plugin with one seed, and the folder that only this training writes to."""

    plugin: TrainablePlugin
    settings: TrainSettings
    seed: int
    folder: Path

    @property
    def name(self) -> str:
        """Its name if there are several trainings."""
        return f"{self.plugin.name}, seed {self.seed}"


def trainings(
    loaded: LoadedTraining, folder: Path, *, only: Sequence[str] = (), seeds: Sequence[int] = ()
) -> list[Training]:
    """The trainings of the config, in order.

    only: train only these of the config's plugins. seeds: these in place of the config's. If there
    are several trainings, each gets a folder `<plugin>-<seed>` in `folder`.
    """
    config = loaded.config
    strange = [name for name in only if name not in config.plugin]
    if strange:
        raise BenchError(
            f"{loaded.path}: plugin: {', '.join(strange)} is not among {', '.join(config.plugin)};"
            " add it there to train it by this recipe"
        )
    is_single = len(config.plugin) * len(config.seed) == 1 and not seeds
    return [
        Training(plugin, settings, seed, folder if is_single else folder / f"{plugin.name}-{seed}")
        for plugin, settings in loaded.plugins.items()
        if not only or plugin.name in only
        for seed in dict.fromkeys(seeds or config.seed)
    ]


def train_from(
    loaded: LoadedTraining,
    folder: Path,
    *,
    device: str,
    begin: Begin,
    say: Callable[[str], object],
    only: Sequence[str] = (),
    seeds: Sequence[int] = (),
    parts: Sequence[str] = (),
    devices: int = 1,
) -> list[Path]:
    """Opens the data, trains, and returns the weights files. say: called with lines of progress.

    begin: "new" raises if something was trained already, "resume" if nothing was; "restart" renames
    the old folder. only, seeds: as in `trainings`. parts: these in place of the config's. devices:
    how many of `device` train together, with one process each.
    """
    asked = trainings(loaded, folder, only=only, seeds=seeds)
    told = [told for training in asked for told in _strange_parts(training.plugin, parts)]
    if told:
        raise BenchError(f"{loaded.path}: part: {told[0]}")
    parts = parts or loaded.config.part or ()
    names = [training.name for training in asked]
    found = [find_trained(training.folder) for training in asked]
    check_beginning(found, folder, begin, names=names)
    together = launched(device, devices)
    if together.is_first:
        for trained in found:
            is_in_the_way = begin == "restart" or not trained.can_go_on
            if is_in_the_way and not trained.is_empty:
                kept = put_aside(trained.folder)
                say(f"{trained.folder}: what was trained there is kept in {kept}")
    else:
        say = _nobody
    together.wait()
    found = [find_trained(training.folder) for training in asked]
    train, val = clips_of(loaded, say)
    log = _told(say)
    made: list[Path] = []
    for training, trained in zip(asked, found, strict=True):
        if len(asked) > 1:
            state = f" ({trained.described()})" if begin == "resume" else ""
            say(f"{training.name}: {training.folder}{state}")
        if begin == "resume" and trained.is_without_checkpoint and trained.result is not None:
            say(f"{trained.result}: already trained, and has no checkpoint to continue from; kept")
            made.append(trained.result)
            continue
        training.folder.mkdir(parents=True, exist_ok=True)
        job = TrainJob(
            tuple(train),
            tuple(val),
            training.settings,
            training.folder,
            training.seed,
            resume=begin == "resume",
            device=together.device or device,
            log=log,
            processes=together,
            parts=tuple(parts),
        )
        made.append(training.plugin.train(job))
    return made


def _absent(named: str, folder: Path) -> str:
    """Why a source's manifest or folder is not present; "" if it is."""
    path = expand(named, folder)
    if path is None:
        return f"{named.split('/')[0]} is not set"
    return "" if path.exists() else f"{path} is not here"


def clips_of(loaded: LoadedTraining, say: Callable[[str], object]) -> tuple[list[Clip], list[Clip]]:
    """The clips to train on and those to validate on. Raises BenchError that lists all problems."""
    folder = folder_of(loaded.path)
    train: list[Clip] = []
    val: list[Clip] = []
    problems: list[tuple[str, str]] = []
    for index, source in enumerate(loaded.config.data):
        named = source.manifest or source.root
        if source.optional and named and (reason := _absent(named, folder)):
            say(f"{source.name}: left out, {reason}")
            continue
        parts = ("train", source.train, source.clips, train), ("val", source.val, None, val)
        for key, split, wanted, clips in parts:
            if split is None:
                continue
            try:
                importers = loaded.registry.importers
                found = open_source(source, split, folder, importers=importers, clips=wanted)
            except NoSuchSplit as error:
                problems.append((f"data[{index}].{key}", str(error)))
                continue
            except BenchError as error:
                problems.append((f"data[{index}].{source.place(folder)}", str(error)))
                break
            taken = found.clips[:wanted]
            say(f"{source.name}: {len(taken)} clips of {split}")
            # Speakers of two data sets may share a name; the data set's name tells them apart.
            clips += [replace(c, speaker=f"{source.name}/{c.speaker}") for c in taken]
    if not problems and not (train and val):
        told = (
            f"{len(train)} clips to train on and {len(val)} to validate on; both are needed. "
            "Set the variables that the config names, or give other data."
        )
        problems.append(("data", told))
    raise_problems(loaded.path, problems, loaded.lines)
    return train, val


def _nobody(_line: str) -> None:
    """Prints nothing: of several processes, only the first one reports."""


def _told(say: Callable[[str], object]) -> logging.Logger:
    """The log of a training, which passes its progress to `say`."""
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
