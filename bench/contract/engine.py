"""The contract of engines, which carry out a run's tasks. No heavy imports here.

A task can be pickled and holds everything that its work needs, so any process on any machine can
take it. Workers return records; only the driver writes them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeVar

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True)
class Needs:
    """What a task needs while it runs: processors, GPUs, bytes of memory for its models."""

    cpus: float = 1.0
    gpus: float = 0.0
    memory: int = 0

    def covers(self, other: Needs) -> bool:
        """Whether a worker with these resources can take a task with the other needs."""
        return self.cpus >= other.cpus and self.gpus >= other.gpus and self.memory >= other.memory


@dataclass(frozen=True)
class InputFile:
    """A file on the driver's machine that a task reads, and its SHA-256."""

    path: Path
    sha256: str


class Task(Protocol):
    """A piece of work that can be pickled; it names files by path and digest, plugins by name."""

    @property
    def needs(self) -> Needs:
        """What it needs while it runs."""

    def inputs(self) -> Sequence[InputFile]:
        """Every file on the driver's machine that it may read; called only on that machine."""

    def moved(self, place: Callable[[Path], Path]) -> Self:
        """The same task for a machine on which each of the driver's paths lies at place(path)."""


_Task = TypeVar("_Task", bound=Task)
_Work = TypeVar("_Work", bound=Task, contravariant=True)
_Record = TypeVar("_Record")
_Made = TypeVar("_Made", covariant=True)


class Worker(Protocol[_Work, _Made]):
    """Carries out tasks in one process; loads each plugin once."""

    def work(self, tasks: Iterable[_Work]) -> Iterator[_Made]:
        """The records of all tasks, each as soon as it is known.

        Raises MachineFault, and yields no record, if the machine fails rather than the task.
        """


class Start(Protocol[_Work, _Made]):
    """Starts a worker; can be pickled. `folder` is the run folder on the driver's machine."""

    @property
    def folder(self) -> Path:
        """The run folder, into which a worker writes videos and logs, but no records."""

    def __call__(self, device: str) -> Worker[_Work, _Made]:
        """A worker on that device ("cpu", "cuda:1")."""


@dataclass(frozen=True)
class Crew:
    """How the command line wants the work shared.

    workers: how many; None lets the engine decide. device: "cpu", "cuda", "cuda:NUMBER" or "auto".
    shares_device: whether several workers may use one GPU. address: that of a cluster, for engines
    that use one.
    """

    workers: int | None = None
    device: str = "cpu"
    shares_device: bool = False
    address: str | None = None


class Engine(ABC):
    """Carries out the tasks of a run. The constructor raises BenchError for an unsuitable crew.

    name: as in `--engine`.
    """

    name: ClassVar[str]

    def __init__(self, crew: Crew) -> None:
        self.crew = crew

    @property
    def device(self) -> str:
        """The kind of device that the workers use, as written to the run's manifest."""
        return self.crew.device

    @property
    def driver_device(self) -> str:
        """The device on which the driver itself measures sets of videos."""
        return self.device

    @property
    def memory(self) -> int | None:
        """Bytes of memory that each worker has for models; None if unknown."""
        return None

    @abstractmethod
    def run(self, tasks: Sequence[_Task], start: Start[_Task, _Record]) -> Iterator[_Record]:
        """The records of all tasks, in any order; raises if a task cannot be carried out.

        Closing the iterator ends all work at once.
        """
