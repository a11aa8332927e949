"""manifest.json of a run: its config with every default written out, and what produced it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import ConfigDict, Field

from bench.ground.types import Box, CaseKind
from bench.records.record import Corners
from bench.records.schema import SCHEMA

Options: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A part of the manifest."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        strict=True, allow_inf_nan=False, extra="ignore", defer_build=True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPart(_Part):
    """One output of a metric, as `bench.ground.types.Output` declares it.

    alike: the value from which the metric takes two faces for one person's, if it draws a line.
    """

    name: str
    title: str = ""
    unit: str = ""
    better: Literal["higher", "lower", "none"] = "none"
    best: float | None = None
    low: float | None = None
    high: float | None = None
    curve: bool = False
    alike: float | None = None

    @property
    def heading(self) -> str:
        """The name as a reader sees it."""
        return self.title or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricPart(_Part):
    """One metric of the run, under the label that the config gave it.

    origin: the package or file that registered it. set: whether it measures sets of videos. sees:
    the ladders of distortions that must make it worse.
    """

    label: str
    title: str = ""
    name: str
    version: str
    protocol: str
    source: str = ""
    origin: str = ""
    reads: tuple[str, ...] = ()
    sees: tuple[str, ...] = ()
    reads_boxes: bool = False
    set: bool = False
    options: Options = field(default_factory=dict)
    outputs: tuple[OutputPart, ...] = ()
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodPart(_Part):
    """One method of the run, under the label that the config gave it.

    origin: the package or file that registered it. protocol: how it was run, as far as its numbers
    depend on it, such as `reference: same`; mostly empty. preparations: for a method that learns
    persons, the keys of what it learned; None for all others. spared: by data set, the ids of the
    cases of its kinds that the config does not put to it.
    """

    label: str
    title: str = ""
    name: str
    version: str
    source: str = ""
    licence: str = ""
    origin: str = ""
    control: bool = False
    protocol: str = ""
    kinds: tuple[CaseKind, ...] = ()
    options: Options = field(default_factory=dict)
    key: str
    preparations: tuple[str, ...] | None = None
    spared: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def spares(self, case: CasePart) -> bool:
        """Whether the config does not put a case to the method that it could answer."""
        return case.id in self.spared.get(case.dataset, ())

    def answers(self, case: CasePart) -> bool:
        """Whether the run puts this case to the method."""
        return case.kind in self.kinds and not self.spares(case)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturePart(_Part):
    """One feature that the run's metrics read, directly or through another one."""

    name: str
    version: str
    protocol: str = ""
    source: str = ""
    licence: str = ""
    origin: str = ""
    options: Options = field(default_factory=dict)
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CasePart(_Part):
    """One case. `mouth`, if known, is x0 y0 x1 y1 in pixels of the conformed video.

    face, speech: the ids of its clips. box: the manifest's, for the clip whose face is shown.
    """

    dataset: str
    id: str
    kind: CaseKind
    key: str
    face: str = ""
    speech: str = ""
    speaker: str = ""
    text: str = ""
    mouth: Corners | None = None
    box: Box | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetPart(_Part):
    """One data set. marks: the doctor's, by clip. stand_in: the corpus that takes its place.

    left_out: how many of its cases a limit left out; 0 for a whole run.
    """

    name: str
    title: str = ""
    manifest: str = ""
    stand_in: str | None = None
    split: str | None = None
    clips: int = 0
    speakers: int = 0
    marks: Mapping[str, list[str]] = field(default_factory=dict)
    left_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorsPart(_Part):
    """The quiet controls, which stand in no table, and the cases that they are put to.

    A case with another speaker's clip has the id of the usual case of its face, and its own key.
    """

    methods: tuple[MethodPart, ...] = ()
    cases: tuple[CasePart, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NotMeasuredPart(_Part):
    """An optional metric whose weights were not there; ways: how to get them."""

    label: str
    title: str = ""
    protocol: str = ""
    ways: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPart(_Part):
    """The published table to show beside a measured one. data: its name for each data set."""

    table: str
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePart(_Part):
    """One table that the config asks for; columns are `metric label.output`."""

    name: str
    kind: Literal["comparison", "ablation"] = "comparison"
    title: str = ""
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    reference: str | None = None
    published: PublishedPart | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest(_Part):
    """manifest.json.

    created: UTC, ISO 8601. config: the config with its defaults. faces: how faces are found.
    git: the commit of the checkout that ran, and whether it had changes.
    """

    schema: Annotated[int, Field(ge=SCHEMA, le=SCHEMA)]
    name: str
    title: str = ""
    created: str = ""
    config: Mapping[str, object] = field(default_factory=dict)
    config_path: str = ""
    seed: int = 0
    faces: str = ""
    git: Mapping[str, object] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    hardware: Mapping[str, object] = field(default_factory=dict)
    datasets: tuple[DatasetPart, ...]
    methods: tuple[MethodPart, ...]
    metrics: tuple[MetricPart, ...]
    features: tuple[FeaturePart, ...] = ()
    cases: tuple[CasePart, ...]
    tables: tuple[TablePart, ...] = ()
    floors: FloorsPart = field(default_factory=FloorsPart)
    not_measured: tuple[NotMeasuredPart, ...] = ()
