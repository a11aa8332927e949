"""The two plugin classes, Method and Metric, and what both share. No heavy imports here."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pydantic

from bench.contract.jobs import Generation, Job, Sample
from bench.errors import BenchError
from bench.machine.processes import ALONE, Processes
from bench.types import CASE_KINDS, Case, CaseKind, Clip, Output

Values = Mapping[str, float | Sequence[float]]


class Options(pydantic.BaseModel):
    """Settings of a plugin, from the config's `options:`; unknown keys are errors."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


AnyOptions = (
    Options  # the name under which Plugin, whose own `Options` hides it, refers to the class
)


@dataclass(frozen=True)
class TrainJob:
    """What `train` gets: clips by split, a folder of its own for all it writes, its settings.

    processes: this one among those that train together, each on a device of its own.
    """

    train: tuple[Clip, ...]
    val: tuple[Clip, ...]
    settings: Mapping[str, object]
    folder: Path
    seed: int
    resume: bool
    device: str
    log: logging.Logger
    processes: Processes = ALONE


class Plugin(ABC):
    """What methods and metrics declare.

    name: as in configs. version: raise it whenever results may change; it enters every key.
    source: paper and repository @ commit, or "defined here". licence: of the original work.
    weights: names of files in `bench weights list` that this plugin may need, given its options.
    needs: anything else a user must provide, in words.
    known_failures: contract checks that this plugin fails by design, by name, each with its reason.
    cpus, gpus, memory: what it needs while it works, for engines that share tasks out: processors,
    GPUs without which it cannot work (0 for what runs on any device), and the bytes that its models
    take, of the GPU's memory where it works on one. Models that together take more than a worker
    has are not loaded at once.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    source: ClassVar[str]
    licence: ClassVar[str] = "Apache-2.0"
    needs: ClassVar[tuple[str, ...]] = ()
    known_failures: ClassVar[Mapping[str, str]] = {}
    cpus: ClassVar[float] = 1.0
    gpus: ClassVar[float] = 0.0
    memory: ClassVar[int] = 0

    class Options(Options):
        """No settings."""

    options: AnyOptions

    def __init__(self, options: AnyOptions | None = None) -> None:
        self.options = self.Options() if options is None else options

    @property
    def weights(self) -> tuple[str, ...]:
        """Names in the weights table that this plugin needs with these options."""
        return ()

    def identity(self) -> Mapping[str, object]:
        """What else changes the results (the digest of shipped weights, say); enters the key."""
        return {}

    def load(self, device: str) -> None:  # noqa: B027 (optional)
        """Reads weights and imports heavy packages; called once before the first use."""

    @classmethod
    def train_settings(cls) -> type[pydantic.BaseModel]:
        """What a training config's `settings:` may hold; only for plugins that can be trained."""
        raise BenchError(f"{cls.name} cannot be trained; `bench list` shows what there is")

    @classmethod
    def train(cls, job: TrainJob) -> Path:
        """Trains the plugin's network and returns the weights file; only for plugins that can."""
        raise NotImplementedError(f"{cls.name} cannot be trained")


class Method(Plugin):
    """Makes a talking-face video from one face recording (or image) and one speech track.

    kinds: the kinds of case that make sense for it (`truth` cannot answer `cross`).
    control: True for references and anchors that are no competitors.
    """

    kinds: ClassVar[frozenset[CaseKind]] = frozenset(CASE_KINDS)
    control: ClassVar[bool] = False

    @property
    def protocol(self) -> str:
        """What of the way it is asked decides how its numbers may be read: `reference: same`.

        Empty for most. It is recorded with every video and every measurement of one.
        """
        return ""

    @abstractmethod
    def generate(self, job: Job) -> Generation:
        """One video for one job; raises on failure. Timing, conforming, recording: the runner's."""

    def expects(self, case: Case) -> Path | None:  # noqa: ARG002 (for those that override it)
        """The file that must lie ready for this case; None where the method makes all it needs."""
        return None

    def outlook(self, cases: Sequence[Case]) -> Sequence[str]:  # noqa: ARG002 (as above)
        """What to know before a run over these cases, a line each; shown by `bench plan`."""
        return ()

    def prepare(self, clips: Sequence[Clip], workdir: Path, device: str) -> None:
        """Person-specific preparation before the first job; most have none.

        Called once in each process that shares a run, one after another and with the same workdir,
        so that the later ones can take over what the first one left there.
        """


class Metric(Plugin):
    """Measures videos. `reads` names what it needs: "video", "sound", "faces", "reference".

    sees: the ladders of graded distortions that must make it worse ("blur", "noise", "frozen",
    "shifted", "exchanged"; `bench.checks.ladders`); `bench check` holds the metric to it.
    """

    reads: ClassVar[frozenset[str]]
    outputs: ClassVar[tuple[Output, ...]]
    sees: ClassVar[frozenset[str]] = frozenset()

    @property
    def protocol(self) -> str:
        """Everything that changes the number, in one string: `psnr[face; rgb; native]`.

        Metrics that read faces write `{faces}` where the runner puts the detector's name.
        """
        return self.name

    def score(self, samples: Sequence[Sample]) -> Values:
        """The values for these samples, through the interface of the metric's kind (for checks)."""
        raise NotImplementedError


class ClipMetric(Metric):
    """A metric with a value for each clip."""

    @abstractmethod
    def measure(self, sample: Sample) -> Values:
        """One number (or curve) per output. Raises Undefined where the sample has no value."""

    def independent(self, sample: Sample) -> Values | None:  # noqa: ARG002 (for those with one)
        """What independent code computes for a sample that has a value; `bench check` compares.

        May be slow and give some of the outputs only. None where there is no such code.
        """
        return None

    def score(self, samples: Sequence[Sample]) -> Values:
        """The values of the one sample."""
        (sample,) = samples
        return self.measure(sample)


class SetMetric(Metric):
    """A metric with one value for a set of clips (FID and the like), fed one sample at a time."""

    @abstractmethod
    def update(self, sample: Sample) -> None:
        """Takes one sample in; keeps statistics only, so that memory does not grow with the set."""

    @abstractmethod
    def compute(self) -> Values:
        """The values for all samples since the last reset. Raises Undefined where there is none."""

    @abstractmethod
    def reset(self) -> None:
        """Forgets all samples."""

    def score(self, samples: Sequence[Sample]) -> Values:
        """The values of the set."""
        self.reset()
        for sample in samples:
            self.update(sample)
        return self.compute()
