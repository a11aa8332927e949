"""From the network's answers to what was read: no language model, but GRID's grammar for words."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from metrics.reader.settings import UnitKind
from metrics.reader.units import REST, SLOTS, collapsed

CHANGE = 1.5  # nats; the best of 0, 0.5, ... 4 on `val` of both corpora together

Answers: TypeAlias = NDArray[np.float32]  # (N, classes), logarithms of chances, each half frame


def read(answers: Answers, kind: UnitKind) -> tuple[int, ...]:
    """The units read, in order.

    visemes: the likeliest path on which each change costs CHANGE nats, so that no half frame is a
    unit of its own unless it is sure; runs of one as one. words: the likeliest path through the six
    places of GRID's grammar, so that it is always six words.
    """
    return best_sentence(answers) if kind == "words" else collapsed(calm_path(answers))


def calm_path(answers: Answers) -> list[int]:
    """The class of each half frame on the path of the largest sum, changes paid for (Viterbi)."""
    scores = answers[0].astype(np.float64)
    every = np.arange(len(scores))
    before: list[NDArray[np.int64]] = []
    for answer in answers[1:]:
        best = int(np.argmax(scores))
        stays = scores >= scores[best] - CHANGE
        before.append(np.where(stays, every, best))
        scores = np.where(stays, scores, scores[best] - CHANGE) + answer
    path = [int(np.argmax(scores))]
    for places in reversed(before):
        path.append(int(places[path[-1]]))
    return path[::-1]


def best_sentence(answers: Answers) -> tuple[int, ...]:
    """The six words of the likeliest path: rests, and each place's word for a half frame or more.

    Raises ValueError for fewer than six half frames.
    """
    if len(answers) < len(SLOTS):
        raise ValueError(f"{len(answers)} half frames are too few for {len(SLOTS)} words")
    ends = np.full(len(SLOTS) + 1, -np.inf)  # by words said: best path that rests now
    ends[0] = 0.0
    ended: list[tuple[int, ...]] = [()] * (len(SLOTS) + 1)
    within = [np.full(len(words), -np.inf) for words in SLOTS]  # best path within each word
    before: list[list[tuple[int, ...]]] = [[()] * len(words) for words in SLOTS]
    for answer in answers:
        entered = [(ends[0], ended[0])]
        for slot in range(len(SLOTS)):
            last = int(np.argmax(within[slot]))
            said = (*before[slot][last], SLOTS[slot][last])
            resting, speaking = ends[slot + 1], float(within[slot][last])
            better = (resting, ended[slot + 1]) if resting >= speaking else (speaking, said)
            entered.append(better)
        for slot, words in enumerate(SLOTS):
            come, path = entered[slot]
            stays = within[slot] >= come
            before[slot] = [
                old if stay else path for old, stay in zip(before[slot], stays, strict=True)
            ]
            within[slot] = np.maximum(within[slot], come) + answer[list(words)]
        ends = np.array([score for score, _ in entered]) + answer[REST]
        ended = [path for _, path in entered]
    last = int(np.argmax(within[-1]))
    if ends[-1] >= within[-1][last]:
        return ended[-1]
    return (*before[-1][last], SLOTS[-1][last])
