"""A proposed mapping under construction, and the parts that all kinds of tables share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from bench.study.folder import Study
from bench.study.read.rating_words import is_blank, plain, rating_in, word_scale
from bench.study.read.survey_time import is_ambiguous_date, order_of, survey_time

OVERALL = "overall"  # the question's name if the table does not give one


@dataclass
class Draft:
    """The proposal so far: the mapping's values, remarks on its entries, findings in the table."""

    values: dict[str, object] = field(default_factory=dict)
    remarks: dict[tuple[str, str], str] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)

    def ignore(self, name: str, reason: str) -> None:
        """Adds a column to `ignore`, with the reason as a remark."""
        ignored = self.values.setdefault("ignore", [])
        assert isinstance(ignored, list)
        ignored.append(name)
        self.remarks["ignore", name] = reason


def propose_ratings(
    draft: Draft,
    cells: Mapping[str, Sequence[str]],
    answers: Mapping[str, Sequence[str]],
    rated: Sequence[str],
    *,
    coded: bool,
) -> None:
    """Proposes `ratings`, `unanswered` and `blank`: what cells stand for a rating or for none."""
    texts = Counter(text for name in rated for text in answers[name] if text)
    scales = {
        name: word_scale(text for text in answers[name] if text and rating_in(text) is None)
        for name in rated
    }
    ratings: dict[str, int] = {}
    for text in texts:
        # Each column has its own scale; a word with several meanings is reported as unknown.
        values = {scales[name].get(plain(text)) for name in rated if text in answers[name]}
        value = rating_in(text) or (values.pop() if len(values) == 1 else None)
        if value is not None and not re.fullmatch(r"[1-5](\.0+)?", text):
            ratings[text] = value
            if rating_in(text) is None:
                draft.remarks["ratings", text] = "by its position on a usual five-point scale"
    if ratings:
        draft.values["ratings"] = dict(sorted(ratings.items(), key=lambda one: -one[1]))
        draft.seen.append(
            "ratings in words: "
            + ", ".join(f"{text!r} is {value}" for text, value in ratings.items())
        )
    unknown = [text for text in texts if text not in ratings and rating_in(text) is None]
    for text in unknown[:5]:
        draft.seen.append(f"{_count(texts[text])} {text[:40]!r}: not a known rating")
    blanks = Counter(
        text for name in rated for text in cells[name] if text and is_blank(text, coded=coded)
    )
    if blanks:
        draft.values["unanswered"] = list(blanks)
        for text, count in blanks.items():
            draft.seen.append(f"{_count(count)} {text!r}: counted as unanswered")
    empty = sum(not text for name in rated for text in cells[name])
    if empty:
        draft.values["blank"] = "unanswered"
        draft.seen.append(f"empty cells ({empty}) are counted as unanswered")


def propose_at(draft: Draft, cells: Mapping[str, Sequence[str]], name: str) -> bool:
    """Proposes the format of this column's times; False if they cannot be read."""
    texts = [text for text in cells[name] if text]
    if not texts:
        draft.ignore(name, "empty")
        return False
    order = None
    if any(is_ambiguous_date(text) for text in texts):
        order = order_of(texts)
        if order is not None:
            draft.values["dates"] = order
            draft.seen.append(f"dates of {name!r} have the {order}")
        else:
            example = next(text for text in texts if is_ambiguous_date(text))
            draft.remarks["dates", ""] = f"{example!r} may be either: write which"
            draft.seen.append(
                f"dates of {name!r}, such as {example!r}, may have the day or the month first: "
                "write under `dates` which"
            )
            return True
    if all(survey_time(text, order) for text in texts):
        return True
    wrong = next(text for text in texts if not survey_time(text, order))
    draft.ignore(name, f"no readable date and time, such as {wrong[:40]!r}")
    draft.seen.append(f"{name!r} is left out: no readable date and time, such as {wrong[:40]!r}")
    return False


def asked_of(study: Study | None, question: str) -> str:
    """The study's question if it has only one, else `question`."""
    if study is not None and len(study.questions) == 1:
        return study.questions[0]
    return question


def address_pattern(named: Iterable[str], study: Study | None) -> tuple[str, str]:
    """A pattern for case and method in the videos' addresses, and a remark if it is uncertain."""
    if study is not None:
        return r"(?:.*/)?(?P<item>[^/?#]+)(?:[?#].*)?", ""
    paths = [PurePosixPath(re.sub(r"[?#].*", "", text)) for text in named]
    folders = {path.parts[-2] if len(path.parts) > 1 else "" for path in paths}
    tail = r"(?:\.\w+)?(?:[?#].*)?"
    if len(folders) > 1 and "" not in folders:
        return rf"(?:.*/)?(?P<method>[^/]+)/(?P<case>[^/]+?){tail}", ""
    stems = [path.stem for path in paths]
    for mark in ("__", "_", "-"):
        if all(mark in stem for stem in stems):
            firsts, lasts = ({s.split(mark, 1)[i] for s in stems} for i in (0, 1))
            order = ("method", "case") if len(firsts) <= len(lasts) else ("case", "method")
            first, last = order
            return (
                rf"(?:.*/)?(?P<{first}>[^/]+?){mark}(?P<{last}>[^/]+?){tail}",
                f"assumes {first} and {last} in the file's name, separated by {mark!r}",
            )
    return (
        rf"(?:.*/)?(?P<case>[^/]+?){tail}",
        "does not find the method: add a group (?P<method>...)",
    )


def _count(cells: int) -> str:
    return "1 cell holds" if cells == 1 else f"{cells} cells hold"
