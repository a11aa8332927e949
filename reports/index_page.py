"""The report's index page: the first screen, then the sections in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports.case_page import CaseLink
from reports.comparison import Table
from reports.judges import Disagreement
from reports.listening import Listening
from reports.pairwise import compare_pairs
from reports.pictures import Evidence
from reports.results import Results
from reports.sections.cases import CaseGroup, group_cases
from reports.sections.data import DataView, view_data
from reports.sections.faces import FacesView
from reports.sections.failures import MOST_CASES, MOST_SHOWN, Gaps, gather_gaps
from reports.sections.glance import Banner, Panel, banners, glance
from reports.sections.heat import HeatView, map_heat
from reports.sections.judges import JudgesPart, judges_line, view_judges
from reports.sections.listening import ListeningPart, view_listening
from reports.sections.pairs import MatrixView, view_pairs
from reports.sections.plots import Question, ask
from reports.sections.provenance import RunView, view_runs
from reports.sections.speakers import Breakdown, SpeakersView, view_speakers
from reports.sections.speed import SpeedView, view_speed
from reports.sections.study import StudyView
from reports.sections.tables import TableView
from reports.sections.worst import Card, find_worst
from reports.sections.worth import WorthPart, view_worth
from reports.validity import Validity
from reports.words import Words
from reports.worth import Worth

NOTES = 8  # how_1 .. how_8


@dataclass(frozen=True)
class IndexView:
    """Everything that index.html shows. contents: anchor and name of every section.

    pairs: by a table's anchor. sources: the text of each table's file that is short enough for the
    page's copy button, by file name.
    """

    title: str
    faces: FacesView | None
    banners: tuple[Banner, ...]
    glance: tuple[Panel, ...]
    contents: tuple[tuple[str, str], ...]
    tables: tuple[TableView, ...]
    studies: tuple[StudyView, ...]
    pairs: Mapping[str, tuple[MatrixView, ...]]
    worth: tuple[WorthPart, ...]
    listening: tuple[ListeningPart, ...]
    judges: tuple[JudgesPart, ...]
    heat: HeatView | None
    speakers: SpeakersView | None
    speed: SpeedView | None
    questions: tuple[Question, ...]
    worst: tuple[Card, ...]
    gaps: Gaps
    most_causes: int
    most_cases: int
    strips_note: str
    case_groups: tuple[CaseGroup, ...]
    data: tuple[DataView, ...]
    provenance: tuple[RunView, ...]
    how: tuple[str, ...]
    sources: Mapping[str, str]


def view_index(
    results: Results,
    words: Words,
    *,
    tables: Sequence[Table],
    views: Sequence[TableView],
    studies: Sequence[StudyView],
    validities: Sequence[Validity],
    worths: Sequence[Worth],
    listening: Sequence[Listening],
    disagreements: Sequence[Disagreement],
    links: Sequence[CaseLink],
    evidence: Mapping[tuple[str, str], Evidence],
    faces: FacesView | None,
    n_shown: int,
    sources: Mapping[str, str],
    breakdowns: Sequence[Breakdown],
) -> IndexView:
    """The whole page. n_shown: how many case pages show frames."""
    gaps = gather_gaps(results, links)
    by_case = {(link.dataset.name, link.case.id): link for link in links}
    worst = find_worst(results, tables, by_case, evidence, words)
    questions = ask(results, tables, words)
    worth = view_worth(results, worths, words)
    heard = view_listening(results, listening, words)
    heat = map_heat(results, tables, by_case, words)
    speakers = view_speakers(results, breakdowns, words)
    speed = view_speed(results, tables, words)
    return IndexView(
        title=title_of(results, words),
        faces=faces,
        banners=banners(results, validities, worths, gaps, words),
        glance=glance(
            results,
            tables=views,
            studies=studies,
            validities=validities,
            worths=worths,
            gaps=gaps,
            worst=worst,
            judges=judges_line(disagreements, words),
            words=words,
        ),
        contents=_contents(
            views,
            studies,
            words,
            sections={
                "worth": bool(worth),
                "judges": bool(disagreements),
                "listening": bool(heard),
                "plots": bool(questions),
                "heat": heat is not None,
                "speakers": speakers is not None,
                "speed": speed is not None,
            },
        ),
        tables=tuple(views),
        studies=tuple(studies),
        pairs={
            view.anchor: view_pairs(results, compare_pairs(view.table), words) for view in views
        },
        worth=worth,
        listening=heard,
        judges=view_judges(results, disagreements, by_case, words),
        heat=heat,
        speakers=speakers,
        speed=speed,
        questions=questions,
        worst=worst,
        gaps=gaps,
        most_causes=MOST_SHOWN,
        most_cases=MOST_CASES,
        strips_note=_strips_note(n_shown, len(links), words),
        case_groups=group_cases(links),
        data=view_data(results, words),
        provenance=view_runs(results, words),
        how=tuple(words(f"how_{number}") for number in range(1, NOTES + 1)),
        sources=sources,
    )


def title_of(results: Results, words: Words) -> str:
    """The report's title: that of the run, or those of all runs."""
    titles = dict.fromkeys(run.manifest.title or run.manifest.name for run in results.runs)
    return " · ".join(words.translated(title) for title in titles)


def _contents(
    views: Sequence[TableView],
    studies: Sequence[StudyView],
    words: Words,
    *,
    sections: Mapping[str, bool],
) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for view in views:
        name = words("section_table", number=view.number)
        found.append((view.anchor, f"{name} {words.translated(words(f'table_{view.part_kind}'))}"))
        if view.leakfree is not None:
            found.append((view.leakfree.anchor, f"{name} {words('section_leakfree')}"))
    for study in studies:
        name = words("section_table", number=study.number)
        found.append((study.anchor, f"{name} {words('table_study')}"))
    names = [name for name, is_there in sections.items() if is_there]
    names += ["worst", "failures", "cases", "data", "provenance"]
    return (*found, *((name, words(f"section_{name}")) for name in names))


def _strips_note(shown: int, total: int, words: Words) -> str:
    if shown < total:
        return words("strips_some", shown=shown, all=total)
    return words("strips_all", n=total)
