"""Recognises which columns of a table hold ratings, by their cells and names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from bench.study.read.mapping import KNOWN_COLUMNS
from bench.study.read.rating_words import plain, rating_in, word_scale
from bench.study.read.table_file import Table

_MOST_RATINGS = 12  # a column with more different texts holds remarks
_RATED_LEAST = 0.6  # share of a column's answers that must be ratings; the others are reported

FIELD_NAMES: Mapping[str, str] = {
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
ABOUT_RATERS = re.compile(
    r"\bage\b|gender|\bsex\b|education|occupation|native|language|headphone|device|hearing|"
    r"experience|birth|consent|n_(?:play|finish|pause|volume)|duration|"
    r"年龄|性别|学历|专业|职业|母语|耳机|设备|听力|视力|经验|知情同意",
    re.IGNORECASE,
)
REMARKS = re.compile(r"comment|remark|feedback|anything else|备注|意见|建议|评论", re.IGNORECASE)
SPLITS = (
    re.compile(r"(.*\S)\s*\[([^\[\]]+)\]"),  # a grid question of Google Forms
    re.compile(r"(.*\S)\s*(?:——|—|–|\||：|::)\s*(\S.*)"),  # Wenjuanxing's matrix, and by hand
    re.compile(r"(.*\S)(?:\s+-+\s+|:\s*|_|/)(\S.*)"),
)


def columns_of(table: Table) -> dict[str, list[str]]:
    """The cells of each named column, including empty cells."""
    found: dict[str, list[str]] = {}
    for place, name in enumerate(table.header):
        if name:
            texts = [row[place] if place < len(row) else "" for _, row in table.rows]
            found[name] = texts
    return found


def is_rated(name: str, answers: Sequence[str]) -> bool:
    """Whether a column holds ratings. answers: its cells without those that stand for no answer."""
    given = [text for text in answers if text]
    if not given or name in KNOWN_COLUMNS or ABOUT_RATERS.search(name) or REMARKS.search(name):
        return False
    texts = set(given)
    if len(texts) > _MOST_RATINGS and not all(rating_in(text) == _digit(text) for text in texts):
        return False
    known = sum(rating_in(text) is not None for text in given)
    return bool(word_scale(texts)) or known >= _RATED_LEAST * len(given)


def is_like(name: str, answers: Sequence[str], rated: Sequence[str]) -> bool:
    """Whether a column without valid ratings is like the rated ones: unanswered, or off the scale.

    Its name equals one of theirs up to numbers, or ends in the same [question], and its cells are
    numbers or empty.
    """
    if name in KNOWN_COLUMNS or ABOUT_RATERS.search(name) or not are_numbers(filter(None, answers)):
        return False

    def looks(one: str) -> tuple[str, str]:
        ends = [match[2] for pattern in SPLITS if (match := pattern.fullmatch(one))]
        return re.sub(r"\d+", "#", one), ends[0] if ends else ""

    own = looks(name)
    return any(own[0] == other[0] or (own[1] and own[1] == other[1]) for other in map(looks, rated))


def why_none(answers: Mapping[str, Sequence[str]]) -> str:
    """A sentence on why no column holds ratings; it names the likeliest one."""
    why = "no column holds ratings, whole numbers from 1 to 5"
    for name, texts in answers.items():
        given = [text for text in texts if text]
        is_score = plain(name).replace(" ", "_") in FIELD_NAMES["rating"].split("|")
        if given and are_numbers(given) and (is_score or any("." in text for text in given)):
            wrong = next((text for text in given if rating_in(text) is None), given[0])
            return (
                f"{why}: {name!r} holds {wrong!r}. Means and other scales cannot be scored, only "
                "each rater's own ratings of 1 to 5"
            )
    return why


def are_numbers(texts: Iterable[str]) -> bool:
    return all(re.fullmatch(r"[\d.]+", plain(text)) for text in texts)


def _digit(text: str) -> int | None:
    return int(plain(text)) if plain(text) in "12345" and len(plain(text)) == 1 else None
