"""Recognises ratings in words, and cells that stand for no answer.

Used only to propose a mapping, which a person then checks.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

from bench.study.answers import HIGHEST, LOWEST

# From 1 to 5. The first is from ITU-T P.800, annex B; survey sites offer the Chinese ones.
_SCALES = (
    "bad|poor|fair|good|excellent",
    "very bad|bad|neutral|good|very good",
    "very poor|poor|average|good|very good",
    "very poor|poor|fair|good|very good",
    "strongly disagree|disagree|neutral|agree|strongly agree",
    "strongly disagree|disagree|neither agree nor disagree|agree|strongly agree",
    "劣|差|中|良|优",
    "非常差|差|一般|好|非常好",
    "很差|差|一般|好|很好",
    "很差|较差|一般|较好|很好",
    "非常差|比较差|一般|比较好|非常好",
    "非常不同步|不同步|一般|同步|非常同步",
    "非常不满意|不满意|一般|满意|非常满意",
    "非常不同意|不同意|一般|同意|非常同意",
    "非常不自然|不自然|一般|自然|非常自然",
    "完全不同步|不同步|一般|同步|完全同步",
)
SCALES = tuple(
    {word: LOWEST + place for place, word in enumerate(scale.split("|"))} for scale in _SCALES
)
_BLANKS = frozenset(
    {"(跳过)", "(空)", "跳过", "空", "未作答", "未答", "无", "不适用", "n/a", "na", "n.a.", "nan"}
    | {"none", "null", "nil", "-", "--", "—", "–", "/", ".", "?", "skip", "skipped", "(skipped)"}
    | {"(skip)", "(empty)", "(blank)", "blank", "no answer", "not answered", "did not answer"}
)
_CODED_BLANKS = ("-3", "-2")  # Wenjuanxing's numeric codes for skipped and empty
# Excludes digits in names (wav2lip, clip1, a-1.wav); a minus counts only at the start of a word.
_NUMBER = re.compile(r"(?<![\d.,_a-z])(?<![a-z]-)(?:(?<!\S)-)?\d+(?:[.,]\d+)?(?![\d_a-z]|\.[a-z])")
_NO_RATING = re.compile(r"video|clip|sample|option|method|system|视频|影片|片段|样本|选项|方法")
_OF_FIVE = re.compile(r"([1-5]) ?(?:/|out of|of|分 ?/) ?5 ?分?")
_STARS = re.compile(r"([★⭐]{1,5})☆*")
_NUMERAL = re.compile(r"([一二三四五])[分星颗]*")
_CHARACTERS = 40  # longer texts count as remarks


def plain(text: str) -> str:
    """The text in lower case with full-width characters made narrow, for comparison."""
    return unicodedata.normalize("NFKC", text).replace("\ufe0f", "").strip().lower()


def is_blank(text: str, *, coded: bool) -> bool:
    """Whether a cell stands for no answer. coded: Wenjuanxing's numeric codes count, too."""
    return plain(text) in _BLANKS or (coded and plain(text) in _CODED_BLANKS)


def rating_in(text: str) -> int | None:
    """The rating 1 to 5 in a cell, as a digit or stars (5分, 非常好(5), ★★☆☆☆), or None."""
    known = plain(text)
    if len(known) > _CHARACTERS or _NO_RATING.search(known):
        return None  # a remark, or a choice among videos
    if match := _STARS.fullmatch(known):
        return len(match[1])
    if match := _NUMERAL.fullmatch(known):
        return "一二三四五".index(match[1]) + LOWEST
    match = _OF_FIVE.fullmatch(known)
    numbers = [match[1]] if match else _NUMBER.findall(known)
    if len(numbers) != 1:
        return None
    value = float(numbers[0].replace(",", "."))
    return int(value) if value.is_integer() and LOWEST <= value <= HIGHEST else None


def word_scale(texts: Iterable[str]) -> Mapping[str, int]:
    """The known scale that has all these words; empty if there is none or if scales disagree."""
    words = {plain(text) for text in texts}
    fitting = [scale for scale in SCALES if words <= scale.keys()]
    meanings = {tuple(scale[word] for word in sorted(words)) for scale in fitting}
    return fitting[0] if words and len(meanings) == 1 else {}
