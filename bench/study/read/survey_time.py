"""Reads times as survey sites write them, in English and Chinese, with or without a time zone."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import Literal, TypeAlias, get_args

DateOrder: TypeAlias = Literal["month first", "day first"]

_ZONE = r"(?: ?\(?(?:GMT|UTC)?([+-]\d{1,2})(?::?([0-5]\d))?\)?| ?\(?(Z|GMT|UTC)\)?)?"
_CLOCK = (
    r"(?:(AM|PM|A\.M\.|P\.M\.|上午|下午|中午|凌晨|早上|晚上) ?)?"
    r"(\d{1,2})[:时](\d{2})(?:[:分](\d{2})(?:[.,]\d+)?)?秒?分?"
    r"(?: ?(AM|PM|A\.M\.|P\.M\.|上午|下午))?"
)
_YEAR_FIRST = re.compile(
    rf"(\d{{4}}) ?[-/.年] ?(\d{{1,2}}) ?[-/.月] ?(\d{{1,2}}) ?日?(?:[T,]? ?){_CLOCK}{_ZONE}",
    re.IGNORECASE,
)
_YEAR_LAST = re.compile(rf"(\d{{1,2}})[-/.](\d{{1,2}})[-/.](\d{{4}}),? ?{_CLOCK}{_ZONE}", re.I)
# `Tue Nov 05 03:14:05 PST 2019`, as Java and MTurk write it.
_NAMED = re.compile(
    r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) +(\d{1,2}) (\d{2}):(\d{2}):(\d{2}) (\w+) (\d{4})"
)
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
# RFC 2822, 4.3. CST is left out: it means China's time or Chicago's, so its zone stays unknown.
_ZONES = {"UTC": 0, "GMT": 0, "EST": -5, "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6}
_ZONES |= {"PST": -8, "PDT": -7}
_MORNING = ("am", "a.m.", "上午", "凌晨", "早上")
_SERIAL = re.compile(r"\d{5}(?:\.\d+)?")  # Excel's days since 1899-12-30: years 1927-2173
_EXCEL_START = datetime(1899, 12, 30)
_EPOCH = re.compile(r"(1\d{9})(?:\.\d+|\d{3})?")  # (milli)seconds since 1970: years 2001-2033


def survey_time(text: str, order: DateOrder | None = None) -> datetime | None:
    """The time, or None if the text is not an unambiguous date and time.

    order: of day and month if the year is last; without it, such dates are read only if they can
    have one order. The result has a time zone if the text names one; fractions of seconds are
    dropped. Excel's serial numbers (1900 date system) and seconds or milliseconds since 1970 are
    also read.
    """
    plain = " ".join(unicodedata.normalize("NFKC", text).split())
    try:
        return _written(plain, order) or _named(plain) or _counted(plain)
    except (ValueError, OverflowError):
        return None


def is_ambiguous_date(text: str) -> bool:
    """Whether this is a time that can be read with the day or the month first."""
    return survey_time(text) is None and survey_time(text, "month first") is not None


def order_of(texts: Iterable[str]) -> DateOrder | None:
    """The only order in which all these dates can be read; None if both or neither fit."""
    given = [text for text in texts if text]
    orders: tuple[DateOrder, ...] = get_args(DateOrder)
    fitting = [one for one in orders if all(survey_time(text, one) for text in given)]
    return fitting[0] if len(fitting) == 1 and given else None


def _written(text: str, order: DateOrder | None) -> datetime | None:
    match = _YEAR_FIRST.fullmatch(text)
    if match is not None:
        year, month, day = (int(match[group]) for group in (1, 2, 3))
        return _moment(year, month, day, match)
    match = _YEAR_LAST.fullmatch(text)
    if match is None:
        return None
    first, second, year = (int(match[group]) for group in (1, 2, 3))
    if order is None:
        if (first > 12) == (second > 12) and first != second:
            return None
        order = "day first" if first > 12 else "month first"
    month, day = (first, second) if order == "month first" else (second, first)
    return _moment(year, month, day, match)


def _moment(year: int, month: int, day: int, match: re.Match[str]) -> datetime | None:
    hour, minute, second = int(match[5]), int(match[6]), int(match[7] or 0)
    half = (match[4] or match[8] or "").lower()
    if (match[4] and match[8]) or (half == "晚上" and hour == 12):
        return None  # two markers, or 12 at night, whose day is unclear
    if half and hour <= 12:
        if hour == 0 and half in ("am", "pm", "a.m.", "p.m."):
            return None  # a 12-hour clock has no hour 0
        noon = half == "中午" and hour in (11, 12)
        hour = hour if noon else hour % 12 + (0 if half in _MORNING else 12)
    elif half and (half in _MORNING or half.isascii()):
        return None  # 13 o'clock in the morning
    return datetime(year, month, day, hour, minute, second, tzinfo=_zone(match))


def _zone(match: re.Match[str]) -> timezone | None:
    if match[9]:
        sign = -1 if match[9].startswith("-") else 1
        return timezone(timedelta(hours=int(match[9]), minutes=sign * int(match[10] or 0)))
    return timezone.utc if match[11] else None


def _named(text: str) -> datetime | None:
    match = _NAMED.fullmatch(text)
    if match is None or match[1] not in _MONTHS:
        return None
    hours = _ZONES.get(match[6])
    zone = None if hours is None else timezone(timedelta(hours=hours))
    day, hour, minute, second, year = (int(match[group]) for group in (2, 3, 4, 5, 7))
    return datetime(year, 1 + _MONTHS.index(match[1]), day, hour, minute, second, tzinfo=zone)


def _counted(text: str) -> datetime | None:
    if _SERIAL.fullmatch(text):
        seconds = round(float(text) * 86400)
        return _EXCEL_START + timedelta(seconds=seconds)
    match = _EPOCH.fullmatch(text)
    if match is None:
        return None
    return datetime.fromtimestamp(int(match[1]), timezone.utc)
