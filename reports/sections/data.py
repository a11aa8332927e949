"""The data sets: their size, the doctor's marks, frames without a face."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from reports.results import Dataset, Results
from reports.text import percent
from reports.words import Words


@dataclass(frozen=True)
class FacesLine:
    """How often the detector finds no face in a method's videos.

    share: of the frames. clips: videos with any such frame. lost: videos with no face in any frame.
    """

    method: str
    share: str
    clips: str
    lost: int


@dataclass(frozen=True)
class DataView:
    """What the page shows of a data set."""

    title: str
    text: str
    marks_text: str
    marks: tuple[tuple[str, tuple[str, ...]], ...]
    faces: tuple[FacesLine, ...]


def view_data(results: Results, words: Words) -> tuple[DataView, ...]:
    """The view of each data set."""
    views: list[DataView] = []
    for dataset in results.datasets:
        marks = {clip: tuple(found) for clip, found in dataset.info.marks.items() if found}
        counts = words("glance_cases_of", cases=case_counts(dataset, words))
        views.append(
            DataView(
                title=words.translated(dataset.info.title or dataset.name),
                text=f"{size(dataset, words)}{words('sentence_separator')}{counts}",
                marks_text=words("marks", marked=len(marks), clips=dataset.info.clips),
                marks=tuple(sorted(marks.items())),
                faces=tuple(_faces(results, dataset)),
            )
        )
    return tuple(views)


def stand_in_text(dataset: Dataset, words: Words) -> str:
    """The warning that goes with numbers measured on a stand-in."""
    info = dataset.info
    return words("stand_in", n=info.clips, stand_in=info.stand_in, name=dataset.name)


def warnings(dataset: Dataset, words: Words) -> list[str]:
    """What to know of a data set before any of its numbers: a stand-in, cases left out."""
    found = [stand_in_text(dataset, words)] if dataset.info.stand_in else []
    if dataset.info.left_out:
        ran = len(dataset.cases)
        whole = ran + dataset.info.left_out
        found.append(words("limited", name=dataset.name, n=ran, whole=whole))
    return found


def size(dataset: Dataset, words: Words) -> str:
    """The number of clips and speakers of a data set."""
    counts = words("size_clips", n=dataset.info.clips)
    return words("size", clips=counts, speakers=words("size_speakers", n=speaker_count(dataset)))


def case_counts(dataset: Dataset, words: Words) -> str:
    """The number of cases of each kind in a data set."""
    kinds = Counter(case.kind for case in dataset.cases)
    return words.listed(words(f"size_{kind}", n=n) for kind, n in kinds.items())


def speaker_count(dataset: Dataset) -> int:
    """The number of speakers in a data set's cases."""
    return len({case.speaker for case in dataset.cases})


def _faces(results: Results, dataset: Dataset) -> list[FacesLine]:
    lines: list[FacesLine] = []
    columns = list({c.metric: c for c in results.columns(dataset) if not c.is_set}.values())
    for row in results.rows:
        shares: list[float] = []
        for case in dataset.cases:
            cells = [results.cell(dataset, row.label, case, column) for column in columns]
            known = [c.faces_missing for c in cells if c and c.faces_missing is not None]
            if known:
                shares.append(max(known))
        if shares:
            hit = sum(share > 0 for share in shares)
            lost = sum(share >= 1 for share in shares)
            mean = sum(shares) / len(shares)
            lines.append(FacesLine(row.shown, percent(mean), f"{hit} / {len(shares)}", lost))
    return lines
