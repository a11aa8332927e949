"""The answers to one question as an array of raters by clips by methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.study.answers import Answer, Role

Floats: TypeAlias = NDArray[np.float64]
Clip: TypeAlias = tuple[str, str]  # data set, case


@dataclass(frozen=True)
class Ratings:
    """All ratings on one question for videos of one role.

    values: (R, C, M) float64 in [1, 5], with NaN for a video that the rater did not rate.
    """

    question: str
    role: Role
    raters: tuple[str, ...]
    clips: tuple[Clip, ...]
    methods: tuple[str, ...]
    values: Floats

    def of_method(self, method: str) -> Floats:
        """The method's ratings, (R, C)."""
        return self.values[:, :, self.methods.index(method)]

    @property
    def items(self) -> Floats:
        """The ratings of all rated videos, (R, I)."""
        flat = self.values.reshape(len(self.raters), -1)  # (R, C * M)
        return flat[:, ~np.isnan(flat).all(axis=0)]


def arrange(
    answers: Sequence[Answer], question: str, role: Role, methods: Sequence[str] = ()
) -> Ratings:
    """The ratings on this question for videos of this role.

    methods: their order; methods without an answer are left out, further ones come last. Raters and
    clips are those of all answers, in the same order for every question and role, so that they all
    share the same bootstrap draws.
    """
    scored = [answer for answer in answers if answer.role != "training"]
    raters = tuple(dict.fromkeys(answer.rater for answer in scored))
    clips = tuple(dict.fromkeys((answer.dataset, answer.case) for answer in scored))
    chosen = [one for one in scored if one.question == question and one.role == role]
    found = dict.fromkeys(answer.method for answer in chosen)
    named = [name for name in methods if name in found]
    methods = tuple(dict.fromkeys([*named, *found]))
    values = np.full((len(raters), len(clips), len(methods)), np.nan)  # (R, C, M)
    row = {name: place for place, name in enumerate(raters)}
    clip = {name: place for place, name in enumerate(clips)}
    layer = {name: place for place, name in enumerate(methods)}
    for one in chosen:
        values[row[one.rater], clip[one.dataset, one.case], layer[one.method]] = one.rating
    return Ratings(question, role, raters, clips, methods, values)


def quotients(sums: Floats, counts: Floats) -> Floats:
    """sums / counts, elementwise, with NaN if a count is 0."""
    out: Floats = np.full(sums.shape, np.nan)
    np.divide(sums, counts, out=out, where=counts > 0)
    return out
