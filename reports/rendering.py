"""The jinja2 environment: the functions that templates may call."""

from __future__ import annotations

import math
from pathlib import Path

import jinja2
from jinja2.bccache import Bucket

from bench.records.manifest import OutputPart
from reports import sheets
from reports.comparison import Block, BlockColumn, Entry
from reports.drawing import colour_class
from reports.pictures import GAIN
from reports.results import Column, Dataset
from reports.sections.data import stand_in_text
from reports.sections.leakfree import is_unshown_gain
from reports.sections.study import comparison_text
from reports.sections.study_plots import rho_text
from reports.studies import holds
from reports.text import arrow, coded, estimate_span, fixed, p_text, percent, span
from reports.words import Words

TEMPLATES = Path(__file__).resolve().parent / "templates"


class _Compiled(jinja2.BytecodeCache):
    """Templates that this process has compiled; compiling takes a third of a small report."""

    def __init__(self) -> None:
        self._by_source: dict[tuple[str, str], bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        code = self._by_source.get((bucket.key, bucket.checksum))
        if code is not None:
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._by_source[bucket.key, bucket.checksum] = bucket.bytecode_to_string()


_COMPILED = _Compiled()


def environment(words: Words) -> jinja2.Environment:
    """The environment of one language; all text is escaped, an unknown name is an error."""
    pages = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        bytecode_cache=_COMPILED,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def unit(column: Column) -> str:
        return words.unit(column.output.unit)

    def heading(column: Column) -> str:
        return sheets.heading(column, words)

    def gap_text(entry: Entry) -> str:
        return sheets.gap_text(entry, words)

    def output_text(output: OutputPart) -> str:
        return _output_text(output, words)

    def stand_in(dataset: Dataset) -> str:
        return stand_in_text(dataset, words)

    def rho(estimate: object) -> str:
        return rho_text(estimate, words)  # type: ignore[arg-type]

    pages.filters["coded"] = coded
    pages.globals.update(
        t=words,
        arrow=arrow,
        colour_class=colour_class,
        comparison_text=comparison_text,
        difference_gain=GAIN,
        difference_white=math.ceil(255 / GAIN),
        gap_text=gap_text,
        estimate_span=estimate_span,
        fixed=fixed,
        heading=heading,
        holds=holds,
        is_unshown_gain=is_unshown_gain,
        output_text=output_text,
        p_text=p_text,
        percent=percent,
        rank_text=sheets.rank_text,
        rho_text=rho,
        translated=words.translated,
        shown=_shown,
        span=span,
        stand_in_text=stand_in,
        unit=unit,
    )
    return pages


def _output_text(output: OutputPart, words: Words) -> str:
    """One output of a metric, for the provenance: name, direction, unit, range, best value."""
    parts = [
        f"{words.translated(output.heading)} {arrow(output.better)}".strip(),
        words.unit(output.unit),
    ]
    if output.low is not None or output.high is not None:
        low = "−∞" if output.low is None else f"{output.low:g}"
        high = "∞" if output.high is None else f"{output.high:g}"
        parts.append(f"[{low}, {high}]".replace("-", "\N{MINUS SIGN}"))
    if output.best is not None:
        parts.append(words("best_value", value=f"{output.best:g}"))
    return ", ".join(part for part in parts if part)


def _shown(block: Block) -> list[tuple[BlockColumn, BlockColumn | None]]:
    """The columns that the page shows; a value at offset 0 is paired with its column."""
    by_name = {(one.column.protocol, one.column.output.name): one for one in block.columns}
    shown: list[tuple[BlockColumn, BlockColumn | None]] = []
    for one in block.columns:
        protocol, name = one.column.protocol, one.column.output.name
        base = (protocol, name.removesuffix("_at_0"))
        if one.is_evidence and name.endswith("_at_0") and base in by_name:
            continue
        shown.append((one, by_name.get((protocol, f"{name}_at_0"))))
    return shown
