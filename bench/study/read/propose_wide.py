"""Proposes a mapping for wide tables: a row per rater, a column per video and question."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from bench.study.folder import Study
from bench.study.read.column_contents import ABOUT_RATERS, FIELD_NAMES, REMARKS, SPLITS, are_numbers
from bench.study.read.mapping import KNOWN_COLUMNS, UNKNOWN_METHOD
from bench.study.read.proposal_draft import OVERALL, Draft, propose_at
from bench.study.read.rating_target import questions_by_name
from bench.study.read.rating_words import plain
from bench.study.read.survey_time import survey_time

_CODE_NAMES = re.compile(
    r"your code|code|participant.?id|rater|listener|subject.?id|prolific.?p?id|编号|代码|被试.*",
    re.IGNORECASE,
)
_PERSONAL = re.compile(
    r"(?:your |full |first |last |您的)?(?:name|e-?mail.*|phone.*|mobile.*|姓名.*|电话.*|手机.*|"
    r"微信.*|邮箱.*|学号.*|qq.*)",
    re.IGNORECASE,
)
_AGAIN = re.compile(r"(.*) #(\d+)", re.DOTALL)
_ORDINAL = re.compile(r"(?:Q?\d+\s*[、.．)]\s*)(?=\S)")  # 1、 Q1. in front of a question


def propose_wide(
    draft: Draft, cells: Mapping[str, Sequence[str]], rated: Sequence[str], study: Study | None
) -> None:
    """Proposes `columns` with their videos and questions, and the roles of the other columns."""
    draft.values["table"] = "wide"
    propose_special(draft, cells, rated)
    parts = _split_all(rated)
    columns: dict[str, dict[str, str]] = {}
    for name in rated:
        item, question = parts[name]
        if study is not None:
            codes = [text for one in study.design.items.values() for text in (one.code, one.video)]
            titles = questions_by_name(study)
            found = _only(name, tuple(titles))
            columns[name] = {
                "item": _only(name, codes) or item,
                "question": titles.get(found, question),
            }
            continue
        columns[name] = {**_video_of(item), "question": question}
        if columns[name]["method"] == UNKNOWN_METHOD:
            draft.remarks["columns", name] = "the table does not name the method: write it"
    draft.values["columns"] = columns
    unknown = sum(one.get("method") == UNKNOWN_METHOD for one in columns.values())
    if unknown:
        draft.seen.append(
            f"the table does not name the method of {unknown} of {len(columns)} columns: write it "
            "into the mapping"
        )


def propose_special(draft: Draft, cells: Mapping[str, Sequence[str]], rated: Sequence[str]) -> None:
    """Proposes the columns of rater, time and remark, and ignores others that hold no ratings."""
    for name, texts in cells.items():
        if name in rated:
            continue
        kind = KNOWN_COLUMNS.get(name)
        given = [text for text in texts if text]
        is_time = bool(given) and all(survey_time(text, "month first") for text in given)
        is_named = plain(name) in FIELD_NAMES["at"].split("|")
        if kind == "at" or (kind is None and is_time and (is_named or not are_numbers(given))):
            if "at" in draft.values:
                draft.ignore(name, "another time")
            elif propose_at(draft, cells, name):
                draft.values["at"] = name
        elif kind == "rater" or (kind is None and _CODE_NAMES.fullmatch(name)):
            if "rater" in draft.values or not all(texts):
                draft.ignore(name, "another name of the rater, or one with empty cells")
            else:
                draft.values["rater"] = name
        elif kind is not None:
            continue  # known columns need no entry
        elif _PERSONAL.fullmatch(name):
            draft.ignore(name, "identifies the rater")
        elif REMARKS.search(name) and "comment" not in draft.values:
            draft.values["comment"] = name
        else:
            about = ABOUT_RATERS.search(name)
            draft.ignore(name, "about the rater" if about else "holds no ratings of 1 to 5")


def _split_all(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """The video and the question that each column's name contains, as far as they can be split."""
    splits: dict[str, tuple[str, str]] = {}
    for pattern in SPLITS:
        found = {name: pattern.fullmatch(_base(name)) for name in names}
        if all(found.values()):
            splits = {name: (match[1], match[2]) for name, match in found.items() if match}
            break
    firsts = {first + _again(name) for name, (first, _) in splits.items()}
    lasts = {last for _, last in splits.values()}
    if splits and len(firsts) < len(lasts):  # a study has fewer questions than videos
        splits = {name: (last, first) for name, (first, last) in splits.items()}
    items = {name: splits.get(name, (_base(name), ""))[0] for name in names}
    questions = {name: splits.get(name, ("", OVERALL))[1] for name in names}
    plain_items = {name: _ORDINAL.sub("", item, count=1) for name, item in items.items()}
    # A leading `1、` is not part of a video's name, unless names differ only by it.
    if len(set(zip(plain_items.values(), questions.values(), strict=True))) == len(names):
        items = plain_items
    found_questions = {name: _ORDINAL.sub("", asked, count=1) for name, asked in questions.items()}
    return {name: (items[name] + _again(name), found_questions[name]) for name in names}


def _base(name: str) -> str:
    match = _AGAIN.fullmatch(name)
    return match[1] if match else name


def _again(name: str) -> str:
    match = _AGAIN.fullmatch(name)
    return f" #{match[2]}" if match else ""


def _video_of(item: str) -> dict[str, str]:
    """Case and method from a path .../METHOD/CASE.mp4, else the item as case."""
    path = PurePosixPath(item)
    if len(path.parts) > 1 and path.suffix:
        return {"case": path.stem, "method": path.parts[-2]}
    return {"case": item, "method": UNKNOWN_METHOD}


def _only(text: str, wanted: Sequence[str]) -> str:
    """The one of these that the text contains; empty if it contains none or several."""
    found = [one for one in wanted if one and one in text]
    longest = [one for one in found if not any(one != other and one in other for other in found)]
    return longest[0] if len(set(longest)) == 1 else ""
