"""Training configs: which plugin is trained, on which splits of which data, with which settings."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, TypeAlias, TypeVar

import pydantic

from bench.config.kinds import refuse_other_kind
from bench.config.reader import Label, anchored, expand, raise_problems, read_yaml, validated
from bench.config.shipped import folder_of
from bench.contract.plugins import Plugin, TrainJob
from bench.contract.registry import Registry, load_registry
from bench.data.sources import Source, open_source
from bench.errors import BenchError, NoSuchSplit
from bench.machine.processes import launched
from bench.train.trained import Begin, check_beginning, find_trained, put_aside
from bench.types import Clip

Value = TypeVar("Value")
Several: TypeAlias = Annotated[
    tuple[Value, ...],
    pydantic.BeforeValidator(lambda given: given if isinstance(given, list | tuple) else [given]),
    pydantic.Field(min_length=1),
]


class TrainSource(Source):
    """Clips to train on and to choose by; `optional` data are left out where they are not here.

    clips: at most so many to train on.
    """

    train: str | None = "train"
    val: str | None = "val"
    clips: Annotated[int, pydantic.Field(ge=1)] | None = None
    optional: bool = False


class TrainConfig(pydantic.BaseModel):
    """One training, or several alike: each of the plugins named, with each of the seeds.

    `plugin` names methods or metrics; `settings` are these plugins' own.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    name: Label
    plugin: Several[str]
    seed: Several[Annotated[int, pydantic.Field(ge=0)]] = (0,)
    plugins: tuple[str, ...] = ()
    data: Annotated[tuple[TrainSource, ...], pydantic.Field(min_length=1)]
    settings: dict[str, object] = {}


@dataclass(frozen=True)
class LoadedTraining:
    """A validated training config and the plugin classes it names; `lines` of every yaml path."""

    path: Path
    config: TrainConfig
    registry: Registry
    plugins: tuple[type[Plugin], ...]
    lines: Mapping[str, int]


def load_train_config(path: Path) -> LoadedTraining:
    """The training config of a file. Raises BenchError that lists every problem found."""
    raw, lines, problems = read_yaml(path)
    config = validated(TrainConfig, raw, "", problems)
    if config is None:
        refuse_other_kind(path, raw, TrainConfig.model_fields)
    raise_problems(path, problems, lines)
    assert config is not None
    registry = load_registry([path.parent / name for name in config.plugins])
    try:
        plugins = tuple(registry.plugin(name) for name in config.plugin)
        for settings in {plugin.train_settings() for plugin in plugins}:
            validated(settings, dict(config.settings), "settings", problems)
    except BenchError as error:
        problems.append(("plugin", str(error)))
    raise_problems(path, problems, lines)
    return LoadedTraining(path, config, registry, plugins, lines)


@dataclass(frozen=True)
class Training:
    """One plugin with one seed, and the folder that it alone writes into."""

    plugin: type[Plugin]
    seed: int
    folder: Path

    @property
    def name(self) -> str:
        """What it is called where there are several."""
        return f"{self.plugin.name}, seed {self.seed}"


def trainings(
    loaded: LoadedTraining, folder: Path, *, only: Sequence[str] = (), seeds: Sequence[int] = ()
) -> list[Training]:
    """What the config asks for, in order.

    only: of the config's plugins these; seeds: instead of the config's. Where there are several
    trainings, each gets a folder `<plugin>-<seed>` in `folder`.
    """
    config = loaded.config
    strange = [name for name in only if name not in config.plugin]
    if strange:
        raise BenchError(
            f"{loaded.path}: plugin: {', '.join(strange)} is not among {', '.join(config.plugin)}"
        )
    is_single = len(config.plugin) * len(config.seed) == 1 and not seeds
    return [
        Training(plugin, seed, folder if is_single else folder / f"{plugin.name}-{seed}")
        for plugin in loaded.plugins
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
    devices: int = 1,
) -> list[Path]:
    """Opens the data, trains, and returns the weights files. `say` is told what data were used.

    begin: "new" is refused where something is trained already, "resume" where nothing is; "restart"
    puts what is there aside under another name. only, seeds: as in `trainings`. devices: how many
    of `device` train together, by a process each.
    """
    config = loaded.config
    asked = trainings(loaded, folder, only=only, seeds=seeds)
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
    train, val = _clips(loaded, say)
    log = _told(say)
    made: list[Path] = []
    for training, trained in zip(asked, found, strict=True):
        if len(asked) > 1:
            state = f" ({trained.described()})" if begin == "resume" else ""
            say(f"{training.name}: {training.folder}{state}")
        if begin == "resume" and trained.is_without_checkpoint and trained.result is not None:
            say(f"{trained.result}: is trained, with no checkpoint beside it to go on from; kept")
            made.append(trained.result)
            continue
        training.folder.mkdir(parents=True, exist_ok=True)
        settings = training.plugin.train_settings().model_validate(config.settings)
        job = TrainJob(
            tuple(train),
            tuple(val),
            anchored(settings, folder_of(loaded.path)).model_dump(),
            training.folder,
            training.seed,
            begin == "resume",
            together.device or device,
            log,
            together,
        )
        made.append(training.plugin.train(job))
    return made


def _clips(loaded: LoadedTraining, say: Callable[[str], object]) -> tuple[list[Clip], list[Clip]]:
    """The clips to train on and those to choose by. Raises BenchError that lists what is wrong."""
    folder = folder_of(loaded.path)
    train: list[Clip] = []
    val: list[Clip] = []
    problems: list[tuple[str, str]] = []
    for index, source in enumerate(loaded.config.data):
        named = source.manifest or source.root
        if source.optional and named and expand(named, folder) is None:
            say(f"{source.name}: left out, {named.split('/')[0]} is not set")
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
            # Speakers of two data sets may share a name; a trainer tells them apart by this.
            clips += [replace(c, speaker=f"{source.name}/{c.speaker}") for c in taken]
    if not problems and not (train and val):
        told = (
            f"{len(train)} clips to train on and {len(val)} to choose by; both are needed. "
            "Set the variables that the config names, or give other data."
        )
        problems.append(("data", told))
    raise_problems(loaded.path, problems, loaded.lines)
    return train, val


def _nobody(_line: str) -> None:
    """Hears nothing: of several processes the first one tells."""


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
