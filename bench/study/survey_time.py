"""Moments as survey sites write them: the year first, with or without seconds, AM or PM, a zone."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

_TIME = re.compile(
    r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})[T ](\d{1,2}):(\d{2})(?::(\d{2}))?"
    r"(?:\.\d+)?(?: ?(AM|PM))?(?: ?(?:GMT|UTC)?([+-]\d{1,2})(?::?(\d{2}))?| ?(Z))?"
)


def survey_time(text: str) -> datetime | None:
    """The moment, None where the text has no plain date (the year in front) and time.

    It knows its zone where the text names one; parts of seconds are dropped.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute = (int(match[group]) for group in range(1, 6))
    if match[7] and not 1 <= hour <= 12:
        return None
    if match[7]:
        hour = hour % 12 + (12 if match[7] == "PM" else 0)
    try:
        zone = _zone(match)
        return datetime(year, month, day, hour, minute, int(match[6] or 0), tzinfo=zone)
    except ValueError:
        return None


def _zone(match: re.Match[str]) -> timezone | None:
    if match[8]:
        sign = -1 if match[8].startswith("-") else 1
        return timezone(timedelta(hours=int(match[8]), minutes=sign * int(match[9] or 0)))
    return timezone.utc if match[10] else None
