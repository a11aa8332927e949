"""The plugin classes Method, Metric and Feature, and their common base. No heavy imports here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import pydantic

from bench.contract.jobs import Generation, Job, PrepareJob, Sample
from bench.contract.video import Arrays, Video
from bench.ground.types import CASE_KINDS, Case, CaseKind, Output

Values = Mapping[str, float | Sequence[float]]


class Options(pydantic.BaseModel):
    """Settings of a plugin, from the config's `options:`; unknown keys are errors."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


AnyOptions = Options  # for Plugin, whose own `Options` hides the class


class Plugin(ABC):
    """What every plugin declares.

    name: as in configs. version: raise it whenever results may change; it enters every key.
    source: paper and repository @ commit, or "defined here". licence: of the original work.
    weights: names of files in `bench weights list` that this plugin needs with its options.
    needs: anything else that a user must provide, in words.
    known_failures: contract checks that this plugin fails by design, by name, each with its reason.
    tried_on: the specimens of `bench check`: drawn "patterns", or synthetic "talkers" for what
    looks for people; what reads sound is always tried on talkers.
    cpus, gpus, memory: what it needs while it works, for engines: CPUs; GPUs without which it
    cannot work (0 if it runs on any device); bytes that its models take (GPU memory if it runs on a
    GPU). Models that do not fit into a worker's memory together are not loaded at the same time.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    source: ClassVar[str]
    licence: ClassVar[str] = "Apache-2.0"
    needs: ClassVar[tuple[str, ...]] = ()
    known_failures: ClassVar[Mapping[str, str]] = {}
    tried_on: ClassVar[Literal["patterns", "talkers"]] = "patterns"
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


class Method(Plugin):
    """Generates a talking-face video from one face clip (or image) and one speech track.

    kinds: the kinds of case that make sense for it (`truth` cannot answer `cross`).
    control: True for controls, which are no competitors.
    reads: names of features of the face clip, such as "landmarks", that `generate` reads by
    `job.face.feature(name)`; "faces" is there without.
    """

    kinds: ClassVar[frozenset[CaseKind]] = frozenset(CASE_KINDS)
    reads: ClassVar[frozenset[str]] = frozenset()
    control: ClassVar[bool] = False

    @property
    def protocol(self) -> str:
        """How it is run, as far as its numbers depend on it: `reference: same`, for example.

        Empty for most. It is recorded with every video and every measurement.
        """
        return ""

    @abstractmethod
    def generate(self, job: Job) -> Generation:
        """One video for one job; raises on failure. The runner times, conforms and records it."""

    def expects(self, case: Case) -> Path | None:  # noqa: ARG002 (for those that override it)
        """The finished file that it needs for this case; None if the method needs none."""
        return None

    @property
    def reads_index(self) -> bool:
        """Whether `Case.index` decides what it gives; the order of cases then enters its key."""
        return False

    def outlook(self, cases: Sequence[Case]) -> Sequence[str]:  # noqa: ARG002 (as above)
        """What a user should know before a run over these cases, in lines for `bench plan`."""
        return ()

    @classmethod
    def learns_persons(cls) -> bool:
        """Whether it defines `prepare`, which is called for each person before its cases."""
        return cls.prepare is not Method.prepare

    def prepare(self, job: PrepareJob) -> None:
        """Learns one person, for methods that need it; most have no `prepare`.

        Called once for each person, after `load`. `generate` gets the folder as `job.prepared`,
        mostly in another process, so keep nothing in `self`. Raises on failure, which costs only
        this person's cells.
        """


class Metric(Plugin):
    """Measures videos.

    reads: what it needs of "video", "sound", "reference", "face" (the recording that the method
    got, which a `cross` case has, too), "text" (of the case's speech), and the names of features
    ("faces"). Metrics of sets have no "face" and no "text".
    sees: the ladders of graded distortions that must make it worse ("blur", "noise", "frozen",
    "shifted", "exchanged"; `bench.checks.ladders`); `bench check` tests this.
    """

    reads: ClassVar[frozenset[str]]
    outputs: ClassVar[tuple[Output, ...]]
    sees: ClassVar[frozenset[str]] = frozenset()

    @property
    def protocol(self) -> str:
        """Everything that changes the number, in one string: `psnr[face; rgb; native]`.

        Metrics that read a feature write its name in braces where the runner puts the feature's
        protocol: `{faces}` becomes the detector's name.
        """
        return self.name

    def alike(self, features: Mapping[str, Feature]) -> Mapping[str, float]:  # noqa: ARG002
        """By output, the value from which the metric takes two faces for one person's.

        Most metrics draw no such line. features: those that it reads, with the run's options. Where
        other speakers are beyond the line, the report says that the column does not work.
        """
        return {}

    @property
    def asks(self) -> Mapping[str, Mapping[str, object]]:
        """Options of features without which it has no values: {"landmarks": {"model": "mesh"}}."""
        return {}


class ClipMetric(Metric):
    """A metric with a value for each clip."""

    @abstractmethod
    def measure(self, sample: Sample) -> Values:
        """One number (or curve) per output. Raises Undefined for a sample without a value."""

    def independent(self, sample: Sample) -> Values | None:  # noqa: ARG002 (for those with one)
        """What independent code computes for a sample that has a value; `bench check` compares it.

        May be slow, and may give only some of the outputs. None if there is no such code.
        """
        return None


class SetMetric(Metric):
    """A metric with one value for a set of videos (FID and the like), fed one at a time.

    Every set has its own summary: an object of the metric's choice that holds statistics, but no
    frames. The references of a set are a set, too, summarised once for all methods.

    needs_whole_set: whether a set with a missing video has no value. Choose it for distances that
    depend on the number of videos, since those of two methods could not be compared.
    """

    needs_whole_set: ClassVar[bool] = False

    @abstractmethod
    def start(self) -> Any:
        """The summary of an empty set, for example a list; `update` changes it."""

    @abstractmethod
    def update(self, summary: Any, video: Video) -> None:
        """Adds one video to a set's summary. An error becomes the outcome of the whole set."""

    @abstractmethod
    def compute(self, summary: Any, references: Any) -> Values:
        """The values of a set. Raises Undefined if it has none.

        references: the summary of its references; None unless the metric reads "reference".
        """


class Feature(Plugin):
    """Computes arrays from a video, once for all plugins that read them; they are kept on disk.

    reads: what it needs of "video" and "sound", and the names of other features ("faces").
    arrays: the arrays that it returns, by name, in words: "(T, 68, 2) float32, x y in pixels".
    """

    reads: ClassVar[frozenset[str]]
    arrays: ClassVar[Mapping[str, str]]

    @property
    def protocol(self) -> str:
        """The name of this feature with its options in the protocols of metrics.

        The name of a feature that it reads itself, in braces, is replaced by that one's protocol.
        """
        return self.name

    @abstractmethod
    def compute(self, video: Video) -> Arrays:
        """The arrays of one video. Raises Undefined if it has none; the reason is kept, too."""
