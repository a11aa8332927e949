"""Renders a study's pages in each of its languages: start, rating, organiser, messages."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from types import SimpleNamespace
from typing import cast

import jinja2
import yaml

from bench.study.answers import Answer
from bench.study.folder import Study
from bench.study.questionnaire import SECONDS_A_QUESTION, Language

HERE = Path(__file__).parent
ASSETS = HERE / "assets"
NAMES: Mapping[Language, str] = {"en": "English", "zh": "中文"}

RatingsByItem = Mapping[str, Mapping[str, int]]  # by item, by question
RemarksByItem = Mapping[str, str]  # by item


@functools.cache
def read_words(language: Language) -> Mapping[str, str]:
    """The built-in texts of a language, by key."""
    text = (HERE / "words" / f"{language}.yaml").read_text(encoding="utf-8")
    return cast("Mapping[str, str]", yaml.safe_load(text))


@functools.cache
def _templates() -> jinja2.Environment:
    """The pages' templates, each compiled once for all studies."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@dataclass(frozen=True)
class Card:
    """One video on a page, with the rater's answers so far."""

    code: str
    name: str
    source: str
    ratings: Mapping[str, int]
    remark: str


@dataclass(frozen=True)
class Page:
    """One page of a rater's session."""

    number: int
    cards: tuple[Card, ...]
    is_practice: bool
    is_last: bool


class Pages:
    """Fills the templates for one study.

    assets, videos: prefixes of the links to scripts and style, and to videos; relative to the page.
    """

    def __init__(self, study: Study, *, assets: str, videos: str) -> None:
        self.study = study
        self._assets = assets
        self._videos = videos

    def language(self, wanted: str | None) -> Language:
        """The wanted language if the study has it, else the study's first."""
        known = self.study.questionnaire.languages
        return next((language for language in known if language == wanted), known[0])

    def page(
        self,
        rater: str,
        number: int,
        ratings: RatingsByItem,
        language: Language,
        *,
        remarks: RemarksByItem,
    ) -> Page:
        """Page `number` (from 0) of a rater; the last one if all others are answered."""
        sessions, items = self.study.design.sessions[rater], self.study.design.items
        codes = sessions[number]
        words = read_words(language)
        cards = [
            Card(
                code,
                words["video_named"].format(letter=chr(ord("A") + place))
                if len(codes) > 1
                else words["video"],
                f"{self._videos}{items[code].video}",
                ratings.get(code, {}),
                remarks.get(code, ""),
            )
            for place, code in enumerate(codes)
        ]
        open_pages = [
            index for index in range(len(sessions)) if not self.is_done(rater, index, ratings)
        ]
        return Page(
            number,
            tuple(cards),
            is_practice=items[codes[0]].role == "training",
            is_last=set(open_pages) <= {number},
        )

    def is_done(self, rater: str, number: int, ratings: RatingsByItem) -> bool:
        """Whether every question of a page has an answer."""
        codes = self.study.design.sessions[rater][number]
        return all(set(self.study.questions) <= set(ratings.get(code, {})) for code in codes)

    def first_open(self, rater: str, ratings: RatingsByItem) -> int | None:
        """The number of the first unfinished page; None if all are finished."""
        numbers = range(len(self.study.design.sessions[rater]))
        return next((n for n in numbers if not self.is_done(rater, n, ratings)), None)

    def progress(self, rater: str, ratings: RatingsByItem) -> tuple[int, int]:
        """The numbers of finished pages and of all pages."""
        numbers = range(len(self.study.design.sessions[rater]))
        return sum(self.is_done(rater, number, ratings) for number in numbers), len(numbers)

    # ---- the pages themselves ----

    def start(
        self, rater: str, ratings: RatingsByItem, language: Language, *, rate_link: str
    ) -> str:
        """The start page: the questions, the instructions, the examples."""
        done, everything = self.progress(rater, ratings)
        words = read_words(language)
        lines = (self._long("start_long", rater, words), words["start_private"])
        return self._filled(
            "start.html",
            language,
            lines=lines,
            done=done,
            all=everything,
            rate_link=rate_link,
            **self._asked(language),
        )

    def rate(
        self,
        rater: str,
        ratings: RatingsByItem,
        language: Language,
        *,
        number: int,
        remarks: RemarksByItem,
    ) -> str:
        """The rating page `number`."""
        done, everything = self.progress(rater, ratings)
        return self._filled(
            "rate.html",
            language,
            page=self.page(rater, number, ratings, language, remarks=remarks),
            done=done,
            all=everything,
            **self._asked(language),
        )

    def message(self, heading: str, text: str, language: Language) -> str:
        """A page with a heading and one sentence, given by the keys of their texts."""
        words = read_words(language)
        return self._filled("message.html", language, heading=words[heading], text=words[text])

    def questionnaire_file(
        self, rater: str, language: Language, *, names: Mapping[Language, str]
    ) -> str:
        """The whole session as one html file that needs no server."""
        words = read_words(language)
        numbers = range(len(self.study.design.sessions[rater]))
        return self._filled(
            "file.html",
            language,
            switches=[(code, NAMES[code], name) for code, name in names.items()],
            study=self.study.design.study,
            rater=rater,
            pages=[self.page(rater, number, {}, language, remarks={}) for number in numbers],
            lines=(self._long("start_file", rater, words),),
            done=0,
            all=len(numbers),
            **self._asked(language),
        )

    def organiser(
        self,
        answers: Sequence[Answer],
        done: Mapping[str, int],
        links: Mapping[str, str],
        language: Language,
    ) -> str:
        """The organiser's page: every rater's progress, the means so far. done: pages by rater."""
        raters = [self._progress_row(rater, answers, done, links) for rater in links]
        return self._filled(
            "organiser.html",
            language,
            raters=raters,
            total=SimpleNamespace(done=sum(r.done for r in raters), all=sum(r.all for r in raters)),
            means=mean_rows(answers, self.study.questions),
            **self._asked(language),
        )

    def _progress_row(
        self,
        rater: str,
        answers: Sequence[Answer],
        done: Mapping[str, int],
        links: Mapping[str, str],
    ) -> SimpleNamespace:
        own = [answer for answer in answers if answer.rater == rater]
        first = self.study.questions[0]

        def mean(role: str) -> str:
            given = [a.rating for a in own if a.role == role and a.question == first]
            return f"{fmean(given):.1f}" if given else "–"

        return SimpleNamespace(
            rater=rater,
            done=done[rater],
            all=len(self.study.design.sessions[rater]),
            last=max((answer.at for answer in own), default="")[:19].replace("T", " "),
            truth=mean("truth"),
            low=mean("low"),
            link=links[rater],
        )

    def _asked(self, language: Language) -> dict[str, object]:
        """Template values that all pages with questions need."""
        asked = self.study.questionnaire
        words = read_words(language)
        return {
            "questions": [
                SimpleNamespace(
                    name=question.name,
                    title=question.title[language],
                    text=question.text[language],
                    low=question.low[language],
                    high=question.high[language],
                )
                for question in asked.questions
            ],
            "examples": [
                SimpleNamespace(
                    source=f"{self._videos}{example.video}", text=words[f"example_{example.shows}"]
                )
                for example in self.study.design.examples
            ],
            "introduction": asked.introduction.get(language, "").strip(),
            "comments": asked.comments,
        }

    def _long(self, key: str, rater: str, words: Mapping[str, str]) -> str:
        """The sentence on how many videos there are and about how many minutes they take."""
        design = self.study.design
        items = [design.items[code] for page in design.sessions[rater] for code in page]
        each = SECONDS_A_QUESTION * len(self.study.questions)
        minutes = max(1, round(sum(item.seconds + each for item in items) / 60))
        return words[key].format(videos=len(items), minutes=minutes)

    def _filled(self, template: str, language: Language, **values: object) -> str:
        known = self.study.questionnaire.languages
        switches = [(code, NAMES[code], f"?lang={code}") for code in known]
        given = {
            "t": SimpleNamespace(**read_words(language)),
            "language": language,
            "switches": switches,
            "title": self.study.questionnaire.title[language],
            "assets": self._assets,
            **values,
        }
        return _templates().get_template(template).render(given)


def mean_rows(answers: Sequence[Answer], questions: Sequence[str]) -> list[SimpleNamespace]:
    """For each method, then hidden reference and low anchor: mean and count of every question."""
    given: dict[tuple[str, str], dict[str, list[int]]] = {}
    for answer in answers:
        if answer.role != "training":
            row = given.setdefault((answer.role, answer.method), {})
            row.setdefault(answer.question, []).append(answer.rating)
    order = {"rated": 0, "truth": 1, "low": 2}
    return [
        SimpleNamespace(
            role=role,
            method=method,
            cells=[
                SimpleNamespace(n=len(found), mean=fmean(found) if found else 0.0)
                for found in (row.get(question, []) for question in questions)
            ],
        )
        for (role, method), row in sorted(
            given.items(), key=lambda pair: (order[pair[0][0]], pair[0][1])
        )
    ]
