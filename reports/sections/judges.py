"""Where two sync judges disagree: a short table of methods, sentences, and the worst clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports.case_page import CaseLink
from reports.judges import Disagreement, Opinion, TwoOpinions
from reports.results import Results, Row
from reports.text import fixed, span
from reports.words import Words

DIGITS = 2


@dataclass(frozen=True)
class OpinionView:
    """One judge's mean of a method with its interval, rank, and what that means, in words."""

    mean: str
    span: str
    rank: str
    zone: str
    value: float


@dataclass(frozen=True)
class JudgesLine:
    """One method: what each judge says, and whether they contradict each other."""

    row: Row
    opinions: tuple[OpinionView, OpinionView]
    is_contradiction: bool


@dataclass(frozen=True)
class JudgesClip:
    """One video about which the judges contradict each other. file: its case page."""

    file: str
    method: str
    case: str
    text: str


@dataclass(frozen=True)
class JudgesPart:
    """One data set. verdicts: sentences. A part without lines has only them."""

    title: str
    verdicts: tuple[str, ...]
    judges: tuple[str, ...]
    lines: tuple[JudgesLine, ...]
    clips: tuple[JudgesClip, ...]
    note: str


def view_judges(
    results: Results,
    found: Sequence[Disagreement],
    links: Mapping[tuple[str, str], CaseLink],
    words: Words,
) -> tuple[JudgesPart, ...]:
    """The part of each data set on which a sync judge was measured."""
    return tuple(_part(results, one, links, words) for one in found)


def judges_line(found: Sequence[Disagreement], words: Words) -> str:
    """How many methods the judges contradict each other about; "" if nothing was compared."""
    asked = [one for one in found if one.missing is None]
    if not asked:
        return ""
    n = sum(len(one.contradictions) + len(one.reversed) for one in asked)
    return words("judges_glance", n=n) if n else words("judges_glance_none")


def _part(
    results: Results,
    one: Disagreement,
    links: Mapping[tuple[str, str], CaseLink],
    words: Words,
) -> JudgesPart:
    title = words.translated(one.dataset.info.title or one.dataset.name)
    if one.missing is not None:
        named = {
            "measured": words.listed(one.measured),
            "silent": words.listed(one.silent),
            "data": one.dataset.name,
        }
        return JudgesPart(title, (words(f"judges_missing_{one.missing}", **named),), (), (), (), "")
    names = tuple(column.title(words) for column in one.judges)
    return JudgesPart(
        title,
        tuple(_verdicts(results, one, names, words)),
        names,
        tuple(
            JudgesLine(
                results.row(each.label),
                (_opinion(each.first, words), _opinion(each.second, words)),
                each in one.contradictions,
            )
            for each in one.methods
        ),
        tuple(
            JudgesClip(
                links[one.dataset.name, clip.case].file,
                results.shown(clip.label),
                clip.case,
                words("sentence_separator").join(
                    words(
                        "judges_clip",
                        judge=name,
                        made=fixed(heard.made, digits=DIGITS),
                        truth=fixed(heard.truth, digits=DIGITS),
                        wrong=fixed(heard.wrong, digits=DIGITS),
                    )
                    for name, heard in zip(names, (clip.first, clip.second), strict=True)
                ),
            )
            for clip in one.clips
        ),
        words("judges_note", n=one.compared),
    )


def _opinion(one: Opinion, words: Words) -> OpinionView:
    return OpinionView(
        fixed(one.mean.mean, digits=DIGITS),
        span(one.mean, digits=DIGITS),
        "" if one.rank is None else words("judges_rank", rank=one.rank),
        words(f"judges_zone_{one.zone}"),
        one.mean.mean,
    )


def _verdicts(results: Results, one: Disagreement, names: Sequence[str], words: Words) -> list[str]:
    """A sentence for each contradiction; one that says so where there is none."""
    said = [_contradiction(results, each, names, words) for each in one.contradictions]
    said += [
        words(
            "judges_reversed",
            first=names[0],
            second=names[1],
            one=results.shown(pair[0]),
            other=results.shown(pair[1]),
        )
        for pair in one.reversed
    ]
    return said or [words("judges_agree", first=names[0], second=names[1])]


def _contradiction(results: Results, one: TwoOpinions, names: Sequence[str], words: Words) -> str:
    return words(
        "judges_contradict",
        method=results.shown(one.label),
        first=names[0],
        one=words(f"judges_zone_{one.first.zone}"),
        second=names[1],
        other=words(f"judges_zone_{one.second.zone}"),
    )
