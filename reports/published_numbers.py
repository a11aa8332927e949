"""Numbers that a paper printed; reports show them in tables of their own."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.records.manifest import PublishedPart

FOLDER = Path(__file__).resolve().parent / "published"


@dataclass(frozen=True)
class Figure:
    """One printed value, as text; empty if the paper prints N. A.

    contradiction: the value that the same paper prints elsewhere for the same number, or empty.
    """

    value: str
    contradiction: str


@dataclass(frozen=True)
class PublishedTable:
    """A paper's table.

    data: the paper's names of the data sets, in order. measured: the report's data set for each of
    them. figures: by data, method and output.
    """

    source: str
    protocol: str
    data: tuple[str, ...]
    measured: Mapping[str, str]
    outputs: tuple[str, ...]
    methods: tuple[tuple[str, str], ...]
    figures: Mapping[tuple[str, str, str], Figure]

    @property
    def contradictions(self) -> tuple[tuple[str, str, str, Figure], ...]:
        """Data, method, output and figure of every number that the paper contradicts."""
        return tuple((*key, one) for key, one in self.figures.items() if one.contradiction)


def read_published(part: PublishedPart) -> PublishedTable:
    """The published table that a config names, with data sets in the config's order."""
    with (FOLDER / f"{part.table}.csv").open(encoding="utf-8", newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["data"] in part.data.values()]
    present = {line["data"] for line in lines}
    return PublishedTable(
        source=lines[0]["source"] if lines else "",
        protocol=lines[0]["protocol"] if lines else "",
        data=tuple(dict.fromkeys(name for name in part.data.values() if name in present)),
        measured={name: dataset for dataset, name in part.data.items()},
        outputs=tuple(dict.fromkeys(line["output"] for line in lines)),
        methods=tuple(dict.fromkeys((line["method"], line["year"]) for line in lines)),
        figures={
            (line["data"], line["method"], line["output"]): Figure(
                line["value"], line["contradiction"]
            )
            for line in lines
        },
    )


def read_published_study() -> PublishedTable:
    """The paper's Table 3."""
    return read_published(PublishedPart(table="user_study", data={"": "clr"}))
