"""Writes means as `.eval_results/*.yaml`, which the Hugging Face Hub shows on a model's page.

Each method is a model of its own, so it has a folder of its own: FOLDER/METHOD/.eval_results/ goes
into the model's repository. A file holds one protocol, which stands in the `notes` of each entry,
with what is behind the number. The format is the Hub's: `dataset.id` and `task_id` name the
benchmark, `value` the number.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from bench.files.one_move import in_one_move
from bench.ground.errors import BenchError
from bench.ground.stats import mean_interval
from bench.ground.types import CASE_KINDS, CaseKind
from reports.results import Column, Dataset, Results, Row
from reports.worth import read_judged

FOLDER = ".eval_results"
Entry = dict[str, object]


def write_eval_results(
    runs: Sequence[Path], folder: Path, *, hub: Mapping[str, str], url: str = ""
) -> tuple[list[Path], list[str]]:
    """Writes the files of all methods but the controls; returns them, and what is left out and why.

    hub: the Hub's id of each data set, by its name in the runs; others keep their own names, which
    is said. url: where the report is published; entries then link to its pages.
    Raises BenchError for data sets that the runs do not have, and where there is no method.
    """
    results = read_judged(runs).results
    known = [dataset.name for dataset in results.datasets]
    if strange := sorted(hub.keys() - set(known)):
        raise BenchError(
            f"--hub {strange[0]}: no data set has this name. Known: {', '.join(known)}."
        )
    methods = [row for row in results.rows if not row.control]
    if not methods:
        raise BenchError("the runs have only controls; there is no method to write results of.")
    notes = [
        f"{dataset.name}: is no id on the Hub; name its benchmark: --hub {dataset.name}=OWNER/NAME"
        for dataset in results.datasets
        if dataset.name not in hub and not dataset.info.stand_in
    ]
    written: list[Path] = []
    for row in methods:
        by_protocol: dict[str, list[Entry]] = {}
        for dataset in results.datasets:
            for column in results.columns(dataset):
                if column.is_void:
                    text = f"{dataset.name}: {column.name} is left out: it does not work there"
                    notes += [text] if text not in notes else []
                    continue
                entries = by_protocol.setdefault(column.protocol, [])
                entries += _entries(results, dataset, row, column, hub.get(dataset.name), url)
        for protocol, entries in by_protocol.items():
            if entries:
                path = folder / _plain(row.label) / FOLDER / f"{_plain(protocol)}.yaml"
                path.parent.mkdir(parents=True, exist_ok=True)
                text = yaml.safe_dump(entries, sort_keys=False, allow_unicode=True, width=1000)
                with in_one_move(path) as part:
                    part.write_text(text, encoding="utf-8")
                written.append(path)
    return written, notes


def _entries(
    results: Results, dataset: Dataset, row: Row, column: Column, hub: str | None, url: str
) -> Iterator[Entry]:
    """One entry for each kind of case that has a value."""
    for kind in CASE_KINDS:
        found = _mean(results, dataset, row, column, kind)
        if found is None:
            continue
        value, behind = found
        stand_in = dataset.info.stand_in
        remarks = [column.protocol, f"{kind} cases", behind]
        remarks += [f"method {row.label}"] + ([row.protocol] if row.protocol else [])
        if stand_in:
            remarks.append(f"measured on {stand_in}, a synthetic stand-in for {dataset.name}")
        if dataset.info.left_out:
            whole = len(dataset.cases) + dataset.info.left_out
            remarks.append(f"a trial on the first {len(dataset.cases)} of {whole} cases")
        entry: Entry = {
            "dataset": {
                "id": stand_in or hub or dataset.name,
                "task_id": f"{kind}_{column.metric}.{column.output.name}",
            },
            "value": value,
            "date": dataset.sources[0].run.manifest.created,
            "notes": "; ".join(remarks),
        }
        if url:
            page = f"{url.rstrip('/')}/index.html"
            entry["source"] = {"url": page, "name": "talking-face-bench"}
        yield entry


def _mean(
    results: Results, dataset: Dataset, row: Row, column: Column, kind: CaseKind
) -> tuple[float, str] | None:
    """The value, and how it came about; None where there is none."""
    if column.is_set:
        cell = results.set_cell(dataset, row.label, column, kind=kind)
        if column.output.name not in cell.values:
            return None
        return cell.values[column.output.name], "one value for the whole set"
    own = results.column_values(dataset, row.label, column, kind=kind)
    if not own.values:
        return None
    speakers = [dataset.speakers[case] for case in own.values]
    mean = mean_interval(list(own.values.values()), speakers, seed=results.seed)
    span = ""
    if mean.low is not None and mean.high is not None:
        span = f", 95 % interval {mean.low:.6g} to {mean.high:.6g}"
    return mean.mean, f"mean over {mean.n} of {own.planned + own.spared} cases{span}"


def _plain(text: str) -> str:
    """A file name for any text; texts that differ give names that differ."""
    plain = re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.")[:60]
    return plain if plain == text else f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
