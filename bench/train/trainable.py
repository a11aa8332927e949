"""The class of plugins with networks that this project can train, and what their training gets."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from bench.train.processes import ALONE, Processes
from bench.train.settings import TrainSettings
from bench.types import Clip

S = TypeVar("S", bound=TrainSettings)


@dataclass(frozen=True)
class TrainJob(Generic[S]):
    """What `train` gets.

    train, val: clips to train on, and clips to choose the weights by; their speakers are written
    `<data set>/<speaker>`. settings: the plugin's `Settings`, checked, relative paths taken from
    the config's folder. folder: for all that the training writes. resume: go on from what is there.
    device: as torch writes it. processes: this one among those that train together, each on a
    device of its own. parts: those of the plugin's parts to train now; empty means all.
    """

    train: tuple[Clip, ...]
    val: tuple[Clip, ...]
    settings: S
    folder: Path
    seed: int
    resume: bool
    device: str
    log: logging.Logger
    processes: Processes = ALONE
    parts: tuple[str, ...] = ()

    def trains(self, part: str) -> bool:
        """Whether this part is to be trained now."""
        return not self.parts or part in self.parts


class Trainable(ABC):
    """What a plugin with a network of ours is besides: `class Mine(bench.Method, bench.Trainable)`.

    Settings: what `settings:` of a training config may hold, a pydantic model with defaults.
    parts: the names of networks that are trained one after the other, in this order; a config's
    `part` chooses among them. Their settings stand under these names. Empty where there is one.
    quick: settings with which two clips of a second train in seconds, a checkpoint before the last
    report; the contract check trains with them. None: it does not.
    """

    class Settings(TrainSettings):
        """No settings."""

    parts: ClassVar[tuple[str, ...]] = ()
    quick: ClassVar[Mapping[str, object] | None] = None

    @classmethod
    @abstractmethod
    def train(cls, job: TrainJob[Any]) -> Path:
        """Trains and returns the file of weights; with `job.resume` it goes on with the same curve.

        Raises BenchError for what a user can mend.
        """
