"""The public way into a run folder: its numbers as one tidy table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from bench.records.manifest import CasePart, MethodPart, MetricPart
from bench.records.record import GenerationRecord, MeasurementRecord
from bench.records.relative import CONTROLS, relative, relative_outputs, relative_protocol
from bench.records.run_folder import Run, read_run

if TYPE_CHECKING:
    import pandas as pd


_Status: TypeAlias = Literal["ok", "undefined", "failed", "missing"]


class _Row(NamedTuple):
    """One output of one metric, for one video of a method or for all of them together."""

    run: str
    dataset: str
    kind: str
    method: str
    method_title: str
    control: bool
    case: str
    speaker: str
    metric: str
    output: str
    value: float
    status: _Status
    reason: str
    unit: str
    better: str
    protocol: str
    method_protocol: str
    video_sha256: str


def load(run: str | Path) -> pd.DataFrame:
    """The numbers of a run folder: one row for each output of each planned measurement.

    value: NaN unless status is "ok". status: "undefined" if the metric has no value by definition,
    "failed" if the method or the metric failed, each with its reason; "missing" if it was not
    measured yet. A set metric has one row for each data set, kind of case and method; its case and
    speaker are empty, and its video_sha256 is that of the set. control: whether the method is one.
    protocol, method_protocol: rows with different ones measure different things. Curves are left
    out: they are evidence, not numbers. A sync metric's confidence stands there once more on the
    scale of its clip (`lse_c_relative`), which is made of the run's controls and not measured.

    Raises BenchError, with file and key, if this is no run folder.
    """
    import pandas as pd

    return pd.DataFrame(_rows(read_run(Path(run))), columns=pd.Index(_Row._fields))


def _rows(run: Run) -> Iterator[_Row]:
    for metric in run.manifest.metrics:
        for method in run.manifest.methods:
            cases = [case for case in run.manifest.cases if _asks(metric, method, case)]
            if metric.set:
                yield from _of_sets(run, metric, method, cases)
                continue
            for case in cases:
                video = run.generations.get((method.key, case.key))
                found: GenerationRecord | MeasurementRecord | None = video
                if video is not None and video.status == "ok":
                    found = run.measured(metric, case, video)
                digest = video.sha256 if video is not None else ""
                rows = list(_outputs(run, metric, method, case, case.id, found, digest))
                yield from rows
                yield from _relative_rows(run, metric, case, rows)


def _relative_rows(
    run: Run, metric: MetricPart, case: CasePart, rows: Sequence[_Row]
) -> Iterator[_Row]:
    """The rows of confidences once more, on the scale of the clip's own controls."""
    if case.kind != "reconstruct":
        return
    by_output = {row.output: row for row in rows}
    for base, output in relative_outputs(metric.outputs):
        own = by_output[base.name]
        scaled = own._replace(
            output=output.name,
            unit=output.unit,
            protocol=relative_protocol(base.name, metric.protocol),
        )
        if own.status == "ok":
            controls = {name: _control(run, metric, name, case, base.name) for name in CONTROLS}
            found = relative(own.value, controls)
            if isinstance(found, str):
                scaled = scaled._replace(value=math.nan, status="undefined", reason=found)
            else:
                scaled = scaled._replace(value=found)
        yield scaled


def _control(run: Run, metric: MetricPart, name: str, case: CasePart, output: str) -> float | None:
    """A control's value on a case: the config's, or one that was asked quietly."""
    parts = [part for part in run.manifest.methods if part.name == name][:1]
    cases = [case]
    if not parts:
        parts = [part for part in run.manifest.floors.methods if part.name == name]
        cases = [one for one in run.manifest.floors.cases if _is_same(one, case)]
    for part in parts:
        for one in cases:
            video = run.generations.get((part.key, one.key))
            record = None if video is None else run.measured(metric, one, video)
            if record is not None and output in record.values:
                return record.values[output]
    return None


def _is_same(first: CasePart, second: CasePart) -> bool:
    return (first.dataset, first.id) == (second.dataset, second.id)


def _of_sets(
    run: Run, metric: MetricPart, method: MethodPart, cases: list[CasePart]
) -> Iterator[_Row]:
    together: dict[tuple[str, str], list[CasePart]] = {}
    for case in cases:
        together.setdefault((case.dataset, case.kind), []).append(case)
    for group in together.values():
        made = [run.generations.get((method.key, case.key)) for case in group]
        videos = [video for video in made if video is not None and video.status == "ok"]
        found: GenerationRecord | MeasurementRecord | None = made[0]  # failed or missing
        if videos:
            found = run.measured_set(metric, videos)
        digest = found.video_sha256 if isinstance(found, MeasurementRecord) else ""
        yield from _outputs(run, metric, method, group[0], "", found, digest)


def _asks(metric: MetricPart, method: MethodPart, case: CasePart) -> bool:
    """Whether the metric measures the method's video for this case."""
    has_reference = case.kind != "cross"
    return method.answers(case) and (has_reference or "reference" not in metric.reads)


def _outputs(
    run: Run,
    metric: MetricPart,
    method: MethodPart,
    case: CasePart,
    name: str,
    found: GenerationRecord | MeasurementRecord | None,
    digest: str,
) -> Iterator[_Row]:
    values = found.values if isinstance(found, MeasurementRecord) else {}
    status: _Status = found.status if found is not None else "missing"
    reason = (found.reason or "") if found is not None else ""
    for output in metric.outputs:
        if output.curve:
            continue
        own = status, reason
        if status == "ok" and output.name not in values:
            own = "failed", f"the record has no value `{output.name}`"
        yield _Row(
            run=run.manifest.name,
            dataset=case.dataset,
            kind=case.kind,
            method=method.label,
            method_title=method.title or method.label,
            control=method.control,
            case=name,
            speaker=case.speaker if name else "",
            metric=metric.label,
            output=output.name,
            value=values.get(output.name, math.nan),
            status=own[0],
            reason=own[1],
            unit=output.unit,
            better=output.better,
            protocol=metric.protocol,
            method_protocol=method.protocol,
            video_sha256=digest,
        )
