"""How many words or characters were read wrongly: edit distances and their totals."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Errors:
    """Substitutions, deletions and insertions together, and what they are counted against.

    wrong: errors. spoken: tokens of the reference. Errors of several texts are added up before they
    are divided: a rate over words, not the mean of the texts' rates.
    """

    wrong: int
    spoken: int

    def __add__(self, other: Errors) -> Errors:
        return Errors(self.wrong + other.wrong, self.spoken + other.spoken)

    @property
    def rate(self) -> float:
        """Errors for each token spoken, from 0; above 1 where more was read than was spoken."""
        return self.wrong / self.spoken


def errors(read: Sequence[object], spoken: Sequence[object]) -> Errors:
    """The least number of substitutions, deletions and insertions that make one of the other.

    Source: Levenshtein 1966, by Wagner and Fischer's table, a row at a time.
    """
    codes: dict[object, int] = {}
    told, said = (
        np.array([codes.setdefault(token, len(codes)) for token in tokens], dtype=np.int64)
        for tokens in (read, spoken)
    )
    row = np.arange(len(told) + 1)
    steps = np.arange(len(told) + 1)
    for number, token in enumerate(said, start=1):
        best = np.minimum(row[1:] + 1, row[:-1] + (told != token))  # deleted, substituted
        # An insertion costs 1 a step from any place before: a running least of value minus place.
        row = np.minimum.accumulate(np.concatenate([[number], best]) - steps) + steps
    return Errors(int(row[-1]), len(said))


# Scripts that are written without blanks: their words are not to be told by blanks.
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")


def has_no_blanks(text: str) -> bool:
    """Whether the text is in Chinese or Japanese script, which is counted by characters."""
    return bool(_UNSPACED.search(text))


def plain(text: str) -> str:
    """The text in lower case, without punctuation, its blanks single; an apostrophe stays.

    Full-width letters become usual ones (NFKC), so that the same word is written in one way.
    """
    lowered = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    kept = (
        letter if letter == "'" or unicodedata.category(letter)[0] not in "PS" else " "
        for letter in lowered
    )
    return " ".join("".join(kept).split())
