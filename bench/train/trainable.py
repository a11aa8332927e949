"""The base class of plugins that `bench train` can train, and the job that they get."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from bench.ground.types import Clip
from bench.train.processes import ALONE, Processes
from bench.train.settings import TrainSettings

S = TypeVar("S", bound=TrainSettings)


@dataclass(frozen=True)
class TrainJob(Generic[S]):
    """What `train` gets.

    train, val: clips to train on, and clips to choose the weights by; their speakers are written
    `<data set>/<speaker>`. settings: the plugin's validated `Settings`; relative paths start at the
    config's folder. folder: for everything that the training writes. resume: continue from what is
    there. device: as in torch. processes: this process among those that train together, each on its
    own device. parts: the plugin's parts to train now; empty means all.
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
    """The second base class of a trainable plugin: `class Mine(bench.Method, bench.Trainable)`.

    Settings: the keys of `settings:` in a training config, a pydantic model with defaults.
    parts: the names of networks that are trained one after the other, in this order; a config's
    `part` chooses among them, and their settings are grouped by these names. Empty if there is
    only one network.
    quick: settings with which two one-second clips train in seconds, with a checkpoint before the
    last report; the contract check trains with them. None: no such check.
    """

    class Settings(TrainSettings):
        """No settings."""

    parts: ClassVar[tuple[str, ...]] = ()
    quick: ClassVar[Mapping[str, object] | None] = None

    @classmethod
    @abstractmethod
    def train(cls, job: TrainJob[Any]) -> Path:
        """Trains and returns the weights file; with `job.resume` it continues the same curve.

        Raises BenchError for problems that a user can fix.
        """
