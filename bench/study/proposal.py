"""Proposes a mapping for somebody's table from what it holds, for a person to check.

What a proposal says is only ever read from the table and the study; where it had to choose, a
comment beside it says so. Reading by it is as strict as by any mapping.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from bench.study.folder import Study
from bench.study.mapping import KNOWN_COLUMNS, UNKNOWN_METHOD
from bench.study.mapping_template import template
from bench.study.rating_target import questions_by_name
from bench.study.rating_words import is_blank, plain, rating_in, word_scale
from bench.study.survey_time import is_day_or_month, order_of, survey_time
from bench.study.tables import Reading, Table, is_no_header

_OVERALL = "overall"  # what is asked where the table does not say it
_MOST_RATINGS = 12  # different texts for five ratings; more are remarks
_RATED_LEAST = 0.6  # share of a column's answers that are ratings; the others are then told

_LONG_NAMES: Mapping[str, str] = {
    "rating": "rating|score|mos|opinion|vote|mark|stimuli_rating|rating_score|评分|得分|分数|打分",
    "method": "method|system|sys|sysid|system_id|model|condition|algorithm|stimuli|stimulus|"
    "rating_stimulus|方法|系统|模型",
    "case": "case|clip|utterance|utt|uttid|utterance_id|sample|trial|trial_id|sentence|video|file|"
    "filename|file_name|wav|item|视频|片段|样本|用例|文件",
    "question": "question|dimension|attribute|criterion|aspect|scale|问题|题目|维度|指标",
    "rater": "rater|listener|listener_id|worker|workerid|worker_id|participant|participant_id|"
    "subject|subject_id|user|user_id|annotator|judge|session_uuid|prolific_pid|who|name|评分者|"
    "评价者|被试|被试编号|用户|编号|姓名|序号",
    "dataset": "dataset|corpus|数据集",
    "role": "role",
    "at": "at|timestamp|time|date|datetime|submittime|created_at|submitted_at|时间|提交时间|时间戳|"
    "提交答卷时间",
}
_CODE_NAMES = re.compile(
    r"your code|code|participant.?id|rater|listener|subject.?id|prolific.?p?id|编号|代码|被试.*",
    re.IGNORECASE,
)
_RATER_LIKE = re.compile(
    r"(?:rater|worker|listener|subject|user|participant|judge|p|s|r|l)[-_ ]?\d+", re.IGNORECASE
)
_PERSONAL = re.compile(
    r"(?:your |full |first |last |您的)?(?:name|e-?mail.*|phone.*|mobile.*|姓名.*|电话.*|手机.*|"
    r"微信.*|邮箱.*|学号.*|qq.*)",
    re.IGNORECASE,
)
_ABOUT_RATERS = re.compile(
    r"\bage\b|gender|\bsex\b|education|occupation|native|language|headphone|device|hearing|"
    r"experience|birth|consent|n_(?:play|finish|pause|volume)|duration|年龄|性别|学历|专业|职业|母语|耳机|设备|听力|视力|经验|同意",
    re.IGNORECASE,
)
_REMARK = re.compile(r"comment|remark|feedback|anything else|备注|意见|建议|评论", re.IGNORECASE)
_AGAIN = re.compile(r"(.*) #(\d+)", re.DOTALL)
_SPLITS = (
    re.compile(r"(.*\S)\s*\[([^\[\]]+)\]"),  # a grid of Google's
    re.compile(r"(.*\S)\s*(?:——|—|–|\||：|::)\s*(\S.*)"),  # a matrix of Wenjuanxing's, and by hand
    re.compile(r"(.*\S)(?:\s+-+\s+|:\s*|_|/)(\S.*)"),
)
_ORDINAL = re.compile(r"(?:Q?\d+\s*[、.．)]\s*)(?=\S)")  # 1、 Q1. in front of a question


@dataclass(frozen=True)
class Proposal:
    """text: of mapping.yaml. seen: what the table holds, one sentence each."""

    text: str
    seen: tuple[str, ...]


@dataclass
class _Draft:
    """What is proposed so far: keys of the mapping, remarks beside their entries, what was seen."""

    values: dict[str, object] = field(default_factory=dict)
    remarks: dict[tuple[str, str], str] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)

    def ignore(self, name: str, reason: str) -> None:
        """Leaves a column out."""
        ignored = self.values.setdefault("ignore", [])
        assert isinstance(ignored, list)
        ignored.append(name)
        self.remarks["ignore", name] = reason


def propose(table: Table, reading: Reading, study: Study | None) -> Proposal:
    """A mapping for this table, as it was read. study: whose videos and questions it may name."""
    cells = _columns(table)
    coded = any(name in cells for name in ("提交答卷时间", "序号"))
    answers = {
        name: [text for text in texts if not is_blank(text, coded=coded)]
        for name, texts in cells.items()
    }
    rated = [name for name, texts in answers.items() if _is_rated(name, texts)]
    rated = [name for name in answers if name in rated or _is_like(name, answers[name], rated)]
    draft = _Draft()
    if reading.header is not None:
        draft.seen.append(
            "the table has no header; the mapping names its columns "
            f"({', '.join(reading.header)}): check the names"
        )
    crowd = {name: _crowd_video(name, cells) for name in rated}
    long = _long_fields(cells, rated, reading)
    if any(crowd.values()):
        rated = [name for name in rated if crowd[name]]
        _propose_crowd(draft, cells, {name: crowd[name] for name in rated}, study)
    elif long is not None:
        rated = [long["rating"]]
        _propose_long(draft, cells, long, study)
    else:
        _propose_wide(draft, cells, rated, study)
    _propose_ratings(draft, cells, answers, rated, coded=coded)
    if not rated:
        draft.seen.append(_why_none(answers))
    draft.seen.append(f"ratings in {len(rated)} of {len(cells)} columns")
    text = template(draft.values, draft.remarks, reading, names=list(cells))
    return Proposal(text, tuple(draft.seen))


# ---- what columns hold ----------------------------------------------------------------------


def _columns(table: Table) -> dict[str, list[str]]:
    """The cells of each named column that are not empty."""
    found: dict[str, list[str]] = {}
    for place, name in enumerate(table.header):
        if name:
            texts = [row[place] if place < len(row) else "" for _, row in table.rows]
            found[name] = texts
    return found


def _is_rated(name: str, answers: Sequence[str]) -> bool:
    """Whether a column holds ratings; answers without the cells that stand for none."""
    given = [text for text in answers if text]
    if not given or name in KNOWN_COLUMNS or _ABOUT_RATERS.search(name):
        return False
    texts = set(given)
    if len(texts) > _MOST_RATINGS and not all(rating_in(text) == _digit(text) for text in texts):
        return False
    known = sum(rating_in(text) is not None for text in given)
    return bool(word_scale(texts)) or known >= _RATED_LEAST * len(given)


def _is_like(name: str, answers: Sequence[str], rated: Sequence[str]) -> bool:
    """Whether a column without ratings belongs to those with some: nobody answered it, or wrongly.

    It is called as one of them but for numbers, or ends in the same [question], and holds nothing
    but numbers, if anything.
    """
    if (
        name in KNOWN_COLUMNS
        or _ABOUT_RATERS.search(name)
        or not _are_numbers(filter(None, answers))
    ):
        return False

    def looks(one: str) -> tuple[str, str]:
        ends = [match[2] for pattern in _SPLITS if (match := pattern.fullmatch(one))]
        return re.sub(r"\d+", "#", one), ends[0] if ends else ""

    own = looks(name)
    return any(own[0] == other[0] or (own[1] and own[1] == other[1]) for other in map(looks, rated))


def _why_none(answers: Mapping[str, Sequence[str]]) -> str:
    """Why no column holds ratings, with the likeliest one."""
    why = "no column holds ratings, whole numbers from 1 to 5"
    for name, texts in answers.items():
        given = [text for text in texts if text]
        is_score = plain(name).replace(" ", "_") in _LONG_NAMES["rating"].split("|")
        if given and _are_numbers(given) and (is_score or any("." in text for text in given)):
            wrong = next((text for text in given if rating_in(text) is None), given[0])
            return (
                f"{why}: {name!r} holds {wrong!r}. Means and other scales cannot be scored, only "
                "each rater's own ratings of 1 to 5"
            )
    return why


def _digit(text: str) -> int | None:
    return int(plain(text)) if plain(text) in "12345" and len(plain(text)) == 1 else None


def _propose_ratings(
    draft: _Draft,
    cells: Mapping[str, Sequence[str]],
    answers: Mapping[str, Sequence[str]],
    rated: Sequence[str],
    *,
    coded: bool,
) -> None:
    """Fills in what stands for which rating, and what for none."""
    texts = Counter(text for name in rated for text in answers[name] if text)
    scale = word_scale(text for text in texts if rating_in(text) is None)
    ratings: dict[str, int] = {}
    for text in texts:
        value = rating_in(text) if rating_in(text) is not None else scale.get(plain(text))
        if value is not None and not re.fullmatch(r"[1-5](\.0+)?", text):
            ratings[text] = value
            if rating_in(text) is None:
                draft.remarks["ratings", text] = "by its place on a usual scale of five"
    if ratings:
        draft.values["ratings"] = dict(sorted(ratings.items(), key=lambda one: -one[1]))
        draft.seen.append(
            "ratings in words: "
            + ", ".join(f"{text!r} is {value}" for text, value in ratings.items())
        )
    unknown = [text for text in texts if text not in ratings and rating_in(text) is None]
    for text in unknown[:5]:
        draft.seen.append(f"{_count(texts[text])} {text[:40]!r}: no rating that is known")
    blanks = Counter(
        text for name in rated for text in cells[name] if text and is_blank(text, coded=coded)
    )
    if blanks:
        draft.values["unanswered"] = list(blanks)
        for text, count in blanks.items():
            draft.seen.append(f"{_count(count)} {text!r}: taken as unanswered")
    empty = sum(not text for name in rated for text in cells[name])
    if empty:
        draft.values["blank"] = "unanswered"
        draft.seen.append(f"empty cells ({empty}) are taken as unanswered")


def _count(cells: int) -> str:
    return "1 cell holds" if cells == 1 else f"{cells} cells hold"


def _propose_at(draft: _Draft, cells: Mapping[str, Sequence[str]], name: str) -> bool:
    """Fills in how the times of this column are written; False where they cannot be read."""
    texts = [text for text in cells[name] if text]
    if not texts:
        draft.ignore(name, "empty")
        return False
    order = None
    if any(is_day_or_month(text) for text in texts):
        order = order_of(texts)
        if order is not None:
            draft.values["dates"] = order
            draft.seen.append(f"dates of {name!r} have the {order}")
        else:
            example = next(text for text in texts if is_day_or_month(text))
            draft.remarks["dates", ""] = f"{example!r} may be either: say which"
            draft.seen.append(
                f"dates of {name!r}, such as {example!r}, may have the day or the month first: say "
                "which under `dates`"
            )
            return True
    if all(survey_time(text, order) for text in texts):
        return True
    wrong = next(text for text in texts if not survey_time(text, order))
    draft.ignore(name, f"no plain date and time, such as {wrong[:40]!r}")
    draft.seen.append(f"{name!r} is left out: no plain date and time, such as {wrong[:40]!r}")
    return False


# ---- a row is a rater -----------------------------------------------------------------------


def _propose_wide(
    draft: _Draft, cells: Mapping[str, Sequence[str]], rated: Sequence[str], study: Study | None
) -> None:
    draft.values["table"] = "wide"
    _propose_special(draft, cells, rated)
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
            f"of {unknown} of {len(columns)} columns the table does not name the method: write it "
            "into the mapping"
        )


def _propose_special(
    draft: _Draft, cells: Mapping[str, Sequence[str]], rated: Sequence[str]
) -> None:
    """Fills in rater, time and remark, and leaves out the other columns that are no ratings."""
    for name, texts in cells.items():
        if name in rated:
            continue
        kind = KNOWN_COLUMNS.get(name)
        given = [text for text in texts if text]
        is_time = bool(given) and all(survey_time(text, "month first") for text in given)
        is_named = plain(name) in _LONG_NAMES["at"].split("|")
        if kind == "at" or (kind is None and is_time and (is_named or not _are_numbers(given))):
            if "at" in draft.values:
                draft.ignore(name, "a further time")
            elif _propose_at(draft, cells, name):
                draft.values["at"] = name
        elif kind == "rater" or (kind is None and _CODE_NAMES.fullmatch(name)):
            if "rater" in draft.values or not all(texts):
                draft.ignore(name, "a further name of raters, or one with empty cells")
            else:
                draft.values["rater"] = name
        elif kind is not None:
            continue  # left out by itself
        elif _PERSONAL.fullmatch(name):
            draft.ignore(name, "tells who the rater is")
        elif _REMARK.search(name) and "comment" not in draft.values:
            draft.values["comment"] = name
        else:
            about = _ABOUT_RATERS.search(name)
            draft.ignore(name, "about the rater" if about else "holds no ratings of 1 to 5")


def _are_numbers(texts: Iterable[str]) -> bool:
    return all(re.fullmatch(r"[\d.]+", plain(text)) for text in texts)


def _split_all(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """The video and the question in the name of each column, as far as names tell them apart."""
    splits: dict[str, tuple[str, str]] = {}
    for pattern in _SPLITS:
        found = {name: pattern.fullmatch(_base(name)) for name in names}
        if all(found.values()):
            splits = {name: (match[1], match[2]) for name, match in found.items() if match}
            break
    firsts = {first + _again(name) for name, (first, _) in splits.items()}
    lasts = {last for _, last in splits.values()}
    if splits and len(firsts) < len(lasts):  # there are fewer questions than videos
        splits = {name: (last, first) for name, (first, last) in splits.items()}
    items = {name: splits.get(name, (_base(name), ""))[0] for name in names}
    questions = {name: splits.get(name, ("", _OVERALL))[1] for name in names}
    plain_items = {name: _ORDINAL.sub("", item, count=1) for name, item in items.items()}
    # 1、 in front is no name of a video, unless nothing else tells columns apart.
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
    """Case and method where a path says them: .../METHOD/CASE.mp4."""
    path = PurePosixPath(item)
    if len(path.parts) > 1 and path.suffix:
        return {"case": path.stem, "method": path.parts[-2]}
    return {"case": item, "method": UNKNOWN_METHOD}


def _only(text: str, wanted: Sequence[str]) -> str:
    """The one of these that stands in the text, empty where none or several do."""
    found = [one for one in wanted if one and one in text]
    longest = [one for one in found if not any(one != other and one in other for other in found)]
    return longest[0] if len(set(longest)) == 1 else ""


# ---- a row names its videos itself (MTurk) --------------------------------------------------


def _crowd_video(name: str, cells: Mapping[str, Sequence[str]]) -> str:
    """The column that names the video which this column of MTurk's answers rates, or empty.

    Answer.q0 is about Answer.q0_url where there is one (a page that shuffles), else about
    Input.Q0; Answer.q0_ovrl about the same; with one Input of videos alone, all are about that.
    """
    match = re.fullmatch(r"answer\.(.+)", name, re.IGNORECASE)
    if match is None:
        return ""
    by_name = {plain(one): one for one in cells}
    asked = plain(match[1])
    stems = [asked, *([asked.rsplit("_", 1)[0]] if "_" in asked else [])]
    for stem in stems:
        for wanted in (f"answer.{stem}_url", f"input.{stem}", f"input.{stem}_url"):
            if wanted in by_name and by_name[wanted] != name:
                return by_name[wanted]
    inputs = [
        one
        for text, one in by_name.items()
        if text.startswith("input.") and any("/" in cell or "." in cell for cell in cells[one])
    ]
    return inputs[0] if len(inputs) == 1 else ""


def _propose_crowd(
    draft: _Draft,
    cells: Mapping[str, Sequence[str]],
    videos: Mapping[str, str],
    study: Study | None,
) -> None:
    draft.values["table"] = "wide"
    _propose_special(draft, cells, [*videos, *videos.values()])
    draft.values["anonymous"] = True
    draft.remarks["anonymous", ""] = "a worker's id tells who it is"
    columns: dict[str, dict[str, str]] = {}
    for name, column in videos.items():
        asked = name.split(".", 1)[1]
        stem, _, suffix = asked.rpartition("_")
        question = _OVERALL if plain(asked) in plain(column) else asked
        if stem and plain(stem) in plain(column):
            question = suffix
        columns[name] = {"item_in": column, "question": _asked_of(study, question)}
    draft.values["columns"] = columns
    draft.seen.append("videos are named in the rows' own cells, as MTurk has it")
    named = {text for column in set(videos.values()) for text in cells[column] if text}
    patterns: dict[str, str] = {}
    for column in dict.fromkeys(videos.values()):
        pattern, remark = _address_pattern(named, study)
        patterns[column] = pattern
        if remark:
            draft.remarks["cells", column] = remark
    draft.values["cells"] = patterns


def _asked_of(study: Study | None, question: str) -> str:
    """The question, or the study's only one."""
    if study is not None and len(study.questions) == 1:
        return study.questions[0]
    return question


def _address_pattern(named: Iterable[str], study: Study | None) -> tuple[str, str]:
    """How case and method stand in addresses of videos, and a remark where this is uncertain."""
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
                f"{first} and {last} are taken as parted by {mark!r} in the file's name",
            )
    return (
        rf"(?:.*/)?(?P<case>[^/]+?){tail}",
        "the method is not named: write a group (?P<method>...) that finds it",
    )


# ---- a row is a rating ----------------------------------------------------------------------


def _long_fields(
    cells: Mapping[str, Sequence[str]], rated: Sequence[str], reading: Reading
) -> dict[str, str] | None:
    """Which column is what in a table of ratings; None where it is no such table."""
    fields: dict[str, str] = {}
    for what, names in _LONG_NAMES.items():
        known = names.split("|")
        found = [name for name in cells if plain(name).replace(" ", "_") in known]
        found.sort(key=lambda name: known.index(plain(name).replace(" ", "_")))
        if what == "rating":
            found = [name for name in found if name in rated]
        if found:
            fields[what] = found[0]
    if reading.header is not None and "rating" not in fields:
        return _guessed_fields(cells, rated)  # by what stands in them
    is_long = "rating" in fields and ("case" in fields or "method" in fields)
    return fields if is_long else None


def _guessed_fields(
    cells: Mapping[str, Sequence[str]], rated: Sequence[str]
) -> dict[str, str] | None:
    """Which column is what where none has a name: the file, what begins its name, the rest."""
    if len(rated) != 1:
        return None
    fields = {"rating": rated[0]}
    texts = {name: own for name, own in cells.items() if name not in rated}
    files = [name for name, own in texts.items() if is_no_header(["a.wav"], [[o] for o in own])]
    if files:
        fields["case"] = files[0]
    prefixes = [
        name
        for name, own in texts.items()
        if files
        and name not in files
        and all(file.startswith(one) for file, one in zip(cells[files[0]], own, strict=True))
    ]
    left = [name for name in texts if name not in (*files, *prefixes[:1])]
    raters = [name for name in left if all(_RATER_LIKE.fullmatch(one) for one in texts[name])]
    if prefixes:
        fields["method"] = prefixes[0]
    elif len(left) > 1:
        # Fewer than there are videos and raters, but several.
        rest = [name for name in left if name not in raters[:1]]
        fields["method"] = min(
            rest, key=lambda name: (len(set(texts[name])) < 2, len(set(texts[name])))
        )
        left.remove(fields["method"])
    if left:
        fields["rater"] = (raters or left[-1:])[0]
        left = [name for name in left if name != fields["rater"]]
    if not files and left:
        fields["case"] = left[0]
    return fields if "case" in fields or "method" in fields else None


def _propose_long(
    draft: _Draft,
    cells: Mapping[str, Sequence[str]],
    fields: Mapping[str, str],
    study: Study | None,
) -> None:
    draft.values["table"] = "long"
    chosen = dict(fields)
    if any(name.startswith("(") for name in chosen.values()):
        draft.remarks["fields", ""] = "the table does not name its columns: check which is what"
        draft.seen.append(
            "which column is what is a guess from what stands in them: check `fields`"
        )
    if "at" in chosen and not _propose_at(draft, cells, chosen["at"]):
        del chosen["at"]
    patterns: dict[str, str] = {}
    if "rater" in chosen and all(
        re.fullmatch(r"\{\}(_[^_]*){6}", one) for one in cells[chosen["rater"]]
    ):
        patterns[chosen["rater"]] = r"[^_]*_[^_]*_(?P<rater>[^_]*)_.*"
        draft.remarks["cells", chosen["rater"]] = "VoiceMOS: nothing_age_LISTENER_gender_..."
    case = cells[chosen["case"]] if "case" in chosen else []
    if case and all(re.search(r"\.\w{2,4}$", one) for one in case):
        if "method" not in chosen:
            pattern, remark = _address_pattern(case, study)
            patterns[chosen["case"]] = pattern
            if remark:
                draft.remarks["cells", chosen["case"]] = remark
            del chosen["case"]  # a part of the cell, not the whole
        else:
            methods = cells[chosen["method"]]
            begins = all(
                re.match(re.escape(method) + r"[-_/]", one)
                for method, one in zip(methods, case, strict=True)
            )
            front = r"(?:.*/)?" if not begins else _front_of(methods)
            patterns[chosen["case"]] = rf"{front}(?P<case>[^/]+)\.\w+"
    constants: dict[str, str] = {}
    if "question" not in chosen:
        tests = set(cells.get("session_test_id", ()))
        asked = next(iter(tests)) if len(tests) == 1 else _OVERALL
        constants["question"] = _asked_of(study, asked or _OVERALL)
        draft.remarks["constants", "question"] = "the table asks one thing: name it"
        draft.seen.append(f"one question for all rows, called {constants['question']!r}")
    said = "".join(patterns.values())
    if "method" not in chosen and "<method>" not in said and "<item>" not in said:
        constants["method"] = UNKNOWN_METHOD
        draft.remarks["constants", "method"] = "the table does not name the method: write it"
    if "rater" not in chosen:
        draft.seen.append(
            "no column names the rater: say under `fields` which does, or under `constants` who it "
            "is; means over raters cannot be scored"
        )
    draft.values["fields"] = chosen
    if constants:
        draft.values["constants"] = constants
    if patterns:
        draft.values["cells"] = patterns
    if "rater" in chosen and any("@" in text for text in cells[chosen["rater"]]):
        draft.values["anonymous"] = True
    for name in cells:
        if name not in chosen.values() and name not in KNOWN_COLUMNS and name not in patterns:
            draft.ignore(name, "needed for nothing")


def _front_of(methods: Sequence[str]) -> str:
    """A pattern for the methods that begin the names of the files."""
    if any(re.search(r"[-_/]", method) for method in methods):
        return f"(?:{'|'.join(re.escape(one) for one in sorted(set(methods)))})[-_/]"
    return r"[^-_/]+[-_/]"
