"""The joined records of one or several runs, for tables, plots and pages.

Cells are looked up by key only: method key and case key give the generation; its video's digest and
the metric's key give the measurement. Runs on the same data become one data set. A method with the
same label in several runs is one row. A metric under two protocols is two columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from bench.ground.errors import BenchError
from bench.ground.types import CaseKind
from bench.records.manifest import (
    CasePart,
    DatasetPart,
    FloorsPart,
    MethodPart,
    MetricPart,
    OutputPart,
    TablePart,
)
from bench.records.record import GenerationRecord, MeasurementRecord
from bench.records.relative import CONTROLS, relative, relative_outputs, relative_protocol
from bench.records.run_folder import Run, method_names, read_run
from reports.floor import Floor
from reports.words import Words

State = Literal["ok", "undefined", "failed", "missing"]
Stage = Literal["method", "metric"]


@dataclass(frozen=True)
class Row:
    """One method of the report.

    protocol: the method's own; a row has only one. settings_differ: whether runs use the label for
    different settings. shown: the name on pages: the title, with the label if several rows share
    the title.
    """

    label: str
    name: str
    title: str
    control: bool
    protocol: str = ""
    settings_differ: bool = False
    shown: str = ""


@dataclass(frozen=True)
class Column:
    """One output of one metric under one protocol.

    sees: the ladders of distortions that the metric says make it worse. is_void: it does not work
    on the data set (`reports.validity`, `reports.worth`). Such a column is struck out wherever it
    is shown, and nothing is ranked or tested by it. floor: how far it moves where nothing that
    matters has changed. chance: its mean for videos of other people. scaled: the column whose
    values this one holds on their clips' own scale (`bench.records.relative`).
    """

    metric: str
    output: OutputPart
    protocol: str
    is_set: bool
    metric_name: str
    reads_reference: bool
    region: str
    reads_sound: bool = False
    reads_face: bool = False
    sees: frozenset[str] = frozenset()
    is_void: bool = False
    floor: Floor | None = None
    chance: float | None = None
    scaled: Column | None = None

    @property
    def name(self) -> str:
        """`metric label.output`, as configs write it."""
        return f"{self.metric}.{self.output.name}"

    def title(self, words: Words) -> str:
        """The output's heading in the report's language."""
        return words.translated(self.output.heading)

    def title_of_region(self, words: Words) -> str:
        """The heading, with the region if it is the mouth: two columns may share a heading."""
        title = self.title(words)
        return f"{title} \N{MIDDLE DOT} {words('mouth')}" if self.region == "mouth" else title


@dataclass(frozen=True)
class Cell:
    """A metric's values for one method's video of one case, or why there are none."""

    state: State
    reason: str = ""
    stage: Stage = "metric"
    traceback: str = ""
    values: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, Sequence[float]] = field(default_factory=dict)
    faces_missing: float | None = None

    @property
    def is_faceless(self) -> bool:
        """Whether there is no value because no face was found in any frame."""
        return self.state == "undefined" and self.faces_missing == 1.0


@dataclass(frozen=True)
class ColumnValues:
    """A method's values in one column, by case id, and why other planned cases have none.

    undefined, failed: number of cases by reason. faceless: how many of the undefined cases show no
    face in any frame. spared: how many further cases the config does not put to the method.
    """

    values: Mapping[str, float]
    planned: int
    undefined: Mapping[str, int]
    failed: Mapping[str, int]
    missing: int
    faceless: int = 0
    spared: int = 0

    @property
    def n_failed(self) -> int:
        """The number of planned cases that failed."""
        return sum(self.failed.values())


@dataclass(frozen=True)
class DatasetInRun:
    """One run's part of a data set: its methods by label, metrics, and cases by id.

    floors: the run's quiet controls, with the cases of this data set.
    """

    run: Run
    methods: Mapping[str, MethodPart]
    metrics: tuple[MetricPart, ...]
    cases: Mapping[str, CasePart]
    floors: FloorsPart = field(default_factory=FloorsPart)


@dataclass(frozen=True)
class GeneratedVideo:
    """The record of a generated video, and its run."""

    run: Run
    record: GenerationRecord


@dataclass(frozen=True)
class Dataset:
    """One data set of the report: its cases in order, and each run's part of it."""

    name: str
    info: DatasetPart
    cases: tuple[CasePart, ...]
    sources: tuple[DatasetInRun, ...]

    @property
    def has_floors(self) -> bool:
        """Whether any run had quiet controls on this data set."""
        return any(source.floors.cases for source in self.sources)

    @property
    def speakers(self) -> Mapping[str, str]:
        """Each case's speaker."""
        return {case.id: case.speaker for case in self.cases}

    def of_kind(self, kind: CaseKind) -> tuple[CasePart, ...]:
        """The cases of one kind."""
        return tuple(case for case in self.cases if case.kind == kind)


class Results:
    """The records of several runs, joined. Build it with `join`."""

    def __init__(
        self,
        runs: Sequence[Run],
        datasets: Sequence[Dataset],
        rows: Sequence[Row],
        tables: Sequence[TablePart],
    ) -> None:
        self.runs = tuple(runs)
        self.datasets = tuple(datasets)
        self.rows = tuple(rows)
        self.tables = tuple(tables)
        self._columns = {dataset.name: _columns(dataset) for dataset in self.datasets}
        self._shown = {row.label: row.shown for row in self.rows}

    @property
    def seed(self) -> int:
        """The seed of the first run's config, for all bootstrap draws."""
        return self.runs[0].manifest.seed

    @property
    def colours(self) -> Mapping[str, int]:
        """Each method's colour, the same in the whole report: 0, 1, ...

        Controls have -1, -2, ... (greys), unless there are only controls.
        """
        controls = [row.label for row in self.rows if row.control]
        methods = [row.label for row in self.rows if not row.control]
        if not methods:
            methods, controls = controls, []
        found = {label: -1 - place for place, label in enumerate(controls)}
        return found | {label: place for place, label in enumerate(methods)}

    def row(self, label: str) -> Row:
        """The method with this label."""
        return next(row for row in self.rows if row.label == label)

    def shown(self, label: str) -> str:
        """The name of this method on pages; the label itself if no row has it."""
        return self._shown.get(label, label)

    def row_named(self, name: str) -> Row | None:
        """The first method whose plugin has this name (`truth`, `still`, `mismatched`)."""
        return next((row for row in self.rows if row.name == name), None)

    def columns(self, dataset: Dataset) -> tuple[Column, ...]:
        """All columns that this data set's runs measured."""
        return tuple(self._columns[dataset.name])

    def change_columns(self, changed: Callable[[Dataset, Column], Column]) -> None:
        """Puts changed columns in the place of all."""
        self._columns = {
            dataset.name: [changed(dataset, one) for one in self._columns[dataset.name]]
            for dataset in self.datasets
        }

    def column(self, dataset: Dataset, metric: str, output: str, *, protocol: str) -> Column | None:
        """The column of another output of the same metric under the same protocol."""
        for column in self.columns(dataset):
            if (column.metric, column.output.name, column.protocol) == (metric, output, protocol):
                return column
        return None

    def generation(self, dataset: Dataset, method: str, case: CasePart) -> GeneratedVideo | None:
        """The method's video of this case; None if it is not planned or not run yet."""
        found: GeneratedVideo | None = None
        for source in dataset.sources:
            part, own = source.methods.get(method), source.cases.get(case.id)
            if part is None or own is None or part.spares(own):
                continue
            record = source.run.generations.get((part.key, own.key))
            if record is None:
                continue
            if record.status == "ok":
                return GeneratedVideo(source.run, record)
            found = found or GeneratedVideo(source.run, record)
        return found

    def cell(self, dataset: Dataset, method: str, case: CasePart, column: Column) -> Cell | None:
        """The column's cell for this method and case; None if it is not planned."""
        if column.scaled is not None:
            own = self.cell(dataset, method, case, column.scaled)
            return None if own is None else self._scaled(dataset, case, column, own)
        best: Cell | None = None
        for source in dataset.sources:
            if not _plans(source, method, case):
                continue
            metric = _metric(source, column)
            if metric is None or (case.kind == "cross" and "reference" in metric.reads):
                continue
            cell = _cell(source, method, case, metric)
            if cell.state == "ok":
                return cell
            if best is None or best.state == "missing":
                best = cell
        return best

    def column_values(
        self, dataset: Dataset, method: str, column: Column, *, kind: CaseKind
    ) -> ColumnValues:
        """The method's values in this column on the cases of one kind."""
        values: dict[str, float] = {}
        undefined: Counter[str] = Counter()
        failed: Counter[str] = Counter()
        planned = missing = faceless = spared = 0
        for case in dataset.of_kind(kind):
            cell = self.cell(dataset, method, case, column)
            if cell is None:
                spared += self.spares(dataset, method, case)
                continue
            planned += 1
            faceless += cell.is_faceless
            if cell.state == "ok" and column.output.name in cell.values:
                values[case.id] = cell.values[column.output.name]
            elif cell.state == "ok":
                failed[f"the record has no value `{column.output.name}`"] += 1
            elif cell.state == "undefined":
                undefined[cell.reason] += 1
            elif cell.state == "failed":
                failed[cell.reason] += 1
            else:
                missing += 1
        return ColumnValues(
            values, planned, dict(undefined), dict(failed), missing, faceless, spared
        )

    def spares(self, dataset: Dataset, method: str, case: CasePart) -> bool:
        """Whether a run's config keeps the case from the method, and no run puts it to it."""
        own = [source for source in dataset.sources if method in source.methods]
        return any(source.methods[method].spares(case) for source in own) and not any(
            _plans(source, method, case) for source in own
        )

    def quiet_cells(
        self, dataset: Dataset, column: Column, name: str, **options: object
    ) -> dict[str, Cell]:
        """What the column says of a quiet control's finished videos, by case id.

        name: of the control's plugin; options: those that it must have.
        """
        if column.scaled is not None:
            cells = self.quiet_cells(dataset, column.scaled, name, **options)
            cases = {case.id: case for case in dataset.of_kind("reconstruct")}
            return {
                case: scaled
                for case, cell in cells.items()
                if case in cases
                if (scaled := self._scaled(dataset, cases[case], column, cell)) is not None
            }
        found: dict[str, Cell] = {}
        for source in dataset.sources:
            metric = _metric(source, column)
            for case, video in _quiet_videos(source, name, options):
                if metric is not None and video.status == "ok" and case.id not in found:
                    record = source.run.measured(metric, case, video)
                    found[case.id] = Cell("missing") if record is None else _measured(record)
        return found

    def quiet_values(
        self, dataset: Dataset, column: Column, name: str, **options: object
    ) -> dict[str, float]:
        """A quiet control's values in this column by case id, where it has one."""
        cells = self.quiet_cells(dataset, column, name, **options)
        output = column.output.name
        return {
            case: cell.values[output]
            for case, cell in cells.items()
            if cell.state == "ok" and output in cell.values
        }

    def _scaled(self, dataset: Dataset, case: CasePart, column: Column, own: Cell) -> Cell | None:
        """A cell on its clip's scale; None for a case of another kind, which has no truth."""
        base = column.scaled
        assert base is not None
        if case.kind != "reconstruct":
            return None
        if own.state != "ok" or base.output.name not in own.values:
            return own
        controls = {name: self.control_value(dataset, base, name, case) for name in CONTROLS}
        found = relative(own.values[base.output.name], controls)
        if isinstance(found, str):
            return Cell("undefined", found)
        return Cell("ok", values={column.output.name: found}, faces_missing=own.faces_missing)

    def control_value(
        self, dataset: Dataset, column: Column, name: str, case: CasePart
    ) -> float | None:
        """What the first method of this data set with this plugin name has on a case.

        A control that the config does not name may have been asked quietly.
        """
        label = self.control_label(dataset, name)
        if label is not None:
            cell = self.cell(dataset, label, case, column)
            return None if cell is None else cell.values.get(column.output.name)
        return self.quiet_values(dataset, column, name).get(case.id)

    def control_label(self, dataset: Dataset, name: str) -> str | None:
        """The label of the first method of this data set whose plugin has this name."""
        for row in self.rows:
            if row.name == name and any(row.label in source.methods for source in dataset.sources):
                return row.label
        return None

    def quiet_set_cell(
        self, dataset: Dataset, column: Column, name: str, **options: object
    ) -> Cell | None:
        """What a set metric says of all of a quiet control's finished videos."""
        for source in dataset.sources:
            metric = _metric(source, column)
            videos = [video for _, video in _quiet_videos(source, name, options)]
            finished = [video for video in videos if video.status == "ok"]
            if metric is not None and finished:
                record = source.run.measured_set(metric, finished)
                if record is not None:
                    return _measured(record)
        return None

    def quiet_failures(
        self, dataset: Dataset
    ) -> Iterator[tuple[str, str, GenerationRecord | MeasurementRecord]]:
        """What failed of the quiet controls: method, or metric and method; case; record."""
        for source in dataset.sources:
            run = source.run
            for method in source.floors.methods:
                made = [
                    (case, video)
                    for case in source.floors.cases
                    if (video := run.generations.get((method.key, case.key))) is not None
                ]
                yield from ((method.label, c.id, v) for c, v in made if v.status != "ok")
                made = [(case, video) for case, video in made if video.status == "ok"]
                for metric in source.metrics:
                    together = [("", run.measured_set(metric, [video for _, video in made]))]
                    each = ((case.id, run.measured(metric, case, video)) for case, video in made)
                    for name, record in together if metric.set else each:
                        if record is not None and record.status == "failed":
                            yield f"{metric.label} ({method.label})", name, record

    def set_cell(self, dataset: Dataset, method: str, column: Column, *, kind: CaseKind) -> Cell:
        """A set metric's cell for all of the method's videos of one kind of case."""
        for source in dataset.sources:
            metric, part = _metric(source, column), source.methods.get(method)
            if metric is None or part is None:
                continue
            made = [
                source.run.generations.get((part.key, case.key))
                for case in source.cases.values()
                if case.kind == kind and not part.spares(case)
            ]
            finished = [record for record in made if record and record.status == "ok"]
            record = source.run.measured_set(metric, finished)
            if record is not None:
                return _measured(record)
        return Cell("missing")


def join(folders: Sequence[Path]) -> Results:
    """The joined results of these run folders; raises BenchError if one cannot be read."""
    if not folders:
        raise BenchError("no run folder was named. Name at least one: bench report runs/NAME.")
    runs = [read_run(folder) for folder in folders]
    datasets = _join_datasets(runs)
    return Results(runs, datasets, _join_rows(datasets), _join_tables(runs, datasets))


def _plans(source: DatasetInRun, method: str, case: CasePart) -> bool:
    part = source.methods.get(method)
    return part is not None and case.id in source.cases and part.answers(case)


def _metric(source: DatasetInRun, column: Column) -> MetricPart | None:
    for metric in source.metrics:
        if (metric.label, metric.protocol) == (column.metric, column.protocol):
            return metric
    return None


def _quiet_videos(
    source: DatasetInRun, name: str, options: Mapping[str, object]
) -> Iterator[tuple[CasePart, GenerationRecord]]:
    """The videos of a quiet control, each with its case; those not made yet are left out."""
    for method in source.floors.methods:
        if method.name == name and options.items() <= method.options.items():
            for case in source.floors.cases:
                video = source.run.generations.get((method.key, case.key))
                if video is not None:
                    yield case, video


def _cell(source: DatasetInRun, method: str, case: CasePart, metric: MetricPart) -> Cell:
    case = source.cases[case.id]
    made = source.run.generations.get((source.methods[method].key, case.key))
    if made is None:
        return Cell("missing", stage="method")
    if made.status != "ok":
        return Cell("failed", made.reason or "", "method", made.traceback or "")
    record = source.run.measured(metric, case, made)
    return Cell("missing") if record is None else _measured(record)


def _measured(record: MeasurementRecord) -> Cell:
    if record.status == "ok":
        return Cell(
            "ok", values=record.values, curves=record.curves, faces_missing=record.faces_missing
        )
    state: State = "undefined" if record.status == "undefined" else "failed"
    return Cell(
        state,
        record.reason or "",
        traceback=record.traceback or "",
        faces_missing=record.faces_missing,
    )


def _columns(dataset: Dataset) -> list[Column]:
    found: dict[tuple[str, str, str], Column] = {}
    for source in dataset.sources:
        for metric in source.metrics:
            for output in metric.outputs:
                key = (metric.label, output.name, metric.protocol)
                if not output.curve and key not in found:
                    found[key] = Column(
                        metric=metric.label,
                        output=output,
                        protocol=metric.protocol,
                        is_set=metric.set,
                        metric_name=metric.name,
                        reads_reference="reference" in metric.reads,
                        region=str(metric.options.get("region", "")),
                        reads_sound="sound" in metric.reads,
                        reads_face="face" in metric.reads,
                        sees=_seen(metric, output),
                    )
    return [*found.values(), *_scaled_columns(found.values())]


def _scaled_columns(columns: Iterable[Column]) -> list[Column]:
    """For each confidence of a sync metric, the column of its values on their clips' scale.

    It claims to see nothing itself: whether it works, the column that it scales says.
    """
    return [
        replace(
            base,
            output=output,
            protocol=relative_protocol(base.output.name, base.protocol),
            sees=frozenset(),
            scaled=base,
        )
        for base in columns
        if not base.is_set
        for _, output in relative_outputs([base.output])
    ]


def _seen(metric: MetricPart, output: OutputPart) -> frozenset[str]:
    """The ladders that this output sees: those named alone, and those named with it."""
    named = (name.partition(":") for name in metric.sees)
    return frozenset(ladder for ladder, _, only in named if only in ("", output.name))


def _join_datasets(runs: Sequence[Run]) -> list[Dataset]:
    """Data sets by name; if runs use one name for different clips, the run's name is added."""
    joined: dict[str, Dataset] = {}
    labels: dict[tuple[str, str], str] = {}  # (data set, method label) -> method key
    protocols: dict[str, str] = {}  # method label -> method protocol
    metrics = _distinct_protocols(runs)
    for index, run in enumerate(runs):
        for info in run.manifest.datasets:
            cases = {case.id: case for case in run.manifest.cases if case.dataset == info.name}
            name = info.name
            if name in joined and not _same_data(joined[name], info, cases):
                name = f"{info.name} ({run.manifest.name})"
                while name in joined:
                    name += "'"
            methods: dict[str, MethodPart] = {}
            for method in run.manifest.methods:
                label = method.label
                is_taken = labels.setdefault((name, label), method.key) != method.key
                if is_taken or protocols.get(label, method.protocol) != method.protocol:
                    label = f"{method.label} ({run.manifest.name})"
                    labels[name, label] = method.key
                protocols.setdefault(label, method.protocol)
                methods[label] = method
            floors = run.manifest.floors
            quiet = tuple(case for case in floors.cases if case.dataset == info.name)
            source = DatasetInRun(run, methods, metrics[index], cases, replace(floors, cases=quiet))
            if name not in joined:
                joined[name] = Dataset(name, info, tuple(cases.values()), (source,))
                continue
            before = joined[name]
            known = {case.id for case in before.cases}
            more = tuple(case for case in cases.values() if case.id not in known)
            marks = {**info.marks, **before.info.marks}
            joined[name] = Dataset(
                name,
                replace(before.info, marks=marks),
                before.cases + more,
                (*before.sources, source),
            )
    return list(joined.values())


def _same_data(known: Dataset, info: DatasetPart, cases: Mapping[str, CasePart]) -> bool:
    keys = {case.id: case.key for case in known.cases}
    if (known.info.stand_in, known.info.left_out) != (info.stand_in, info.left_out):
        return False
    shared = [name for name in cases if name in keys]
    return bool(shared) and all(keys[name] == cases[name].key for name in shared)


def _distinct_protocols(runs: Sequence[Run]) -> list[tuple[MetricPart, ...]]:
    """Each run's metrics; a protocol that occurs in several versions gets the version added."""
    versions: dict[str, set[str]] = {}
    for run in runs:
        for metric in run.manifest.metrics:
            versions.setdefault(metric.protocol, set()).add(f"{metric.name} {metric.version}")
    return [
        tuple(
            metric
            if len(versions[metric.protocol]) == 1
            else replace(metric, protocol=f"{metric.protocol} v{metric.version}")
            for metric in run.manifest.metrics
        )
        for run in runs
    ]


def _join_rows(datasets: Sequence[Dataset]) -> list[Row]:
    rows: dict[str, Row] = {}
    keys: dict[str, str] = {}
    for dataset in datasets:
        for source in dataset.sources:
            for label, method in source.methods.items():
                if label not in rows:
                    rows[label] = Row(
                        label, method.name, method.title, method.control, method.protocol
                    )
                    keys[label] = method.key
                elif keys[label] != method.key:
                    rows[label] = replace(rows[label], settings_differ=True)
    names = method_names({row.label: row.title for row in rows.values()})
    return [replace(row, shown=names[row.label]) for row in rows.values()]


def _join_tables(runs: Sequence[Run], datasets: Sequence[Dataset]) -> list[TablePart]:
    """The configured tables, joined by name and kind; a run without any compares everything."""
    joined: dict[tuple[str, str], TablePart] = {}
    for run in runs:
        for table in run.manifest.tables or (_default_table(run),):
            key = (table.kind, table.name)
            rows = table.rows or tuple(method.label for method in run.manifest.methods)
            table = replace(table, rows=_renamed(rows, run, datasets))
            if key not in joined:
                joined[key] = table
                continue
            before = joined[key]
            published = before.published or table.published
            if before.published and table.published:
                data = {**before.published.data, **table.published.data}
                published = replace(before.published, data=data)
            joined[key] = replace(
                before,
                rows=tuple(dict.fromkeys(before.rows + table.rows)),
                columns=tuple(dict.fromkeys(before.columns + table.columns)),
                reference=before.reference or table.reference,
                published=published,
            )
    return list(joined.values())


def _renamed(rows: Sequence[str], run: Run, datasets: Sequence[Dataset]) -> tuple[str, ...]:
    """The rows' labels after joining, in any data set of this run."""
    keys = {method.label: method.key for method in run.manifest.methods}
    names: dict[str, None] = {}
    for row in rows:
        for dataset in datasets:
            for source in dataset.sources:
                if source.run is not run:
                    continue
                for label, method in source.methods.items():
                    if method.label == row and method.key == keys.get(row):
                        names[label] = None
    return tuple(names)


def _default_table(run: Run) -> TablePart:
    columns = tuple(
        f"{metric.label}.{output.name}"
        for metric in run.manifest.metrics
        for output in metric.outputs
        if not output.curve and output.better != "none"
    )
    competitors = [method.label for method in run.manifest.methods if not method.control]
    return TablePart(
        name="comparison", columns=columns, reference=competitors[0] if competitors else None
    )
