"""The videos that check whether raters attend: hidden truths and low anchors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.study.make.finished_videos import StudyVideo

LOW_ANCHORS = ("mismatched", "still")  # controls that make a low anchor, the better one first


@dataclass(frozen=True)
class AttentionChecks:
    """What there is to check raters with, in drawn order.

    truths, lows: at most as many as rated cases, and of these where they have any; no rater gets
    more of a kind. examples: one of each, of other cases where there are any. notes: a line where a
    rater gets fewer than asked for.
    """

    truths: tuple[StudyVideo, ...]
    lows: tuple[StudyVideo, ...]
    examples: tuple[StudyVideo, ...]
    notes: tuple[str, ...]


def attention_checks(
    videos: Sequence[StudyVideo],
    cases: Sequence[StudyVideo],
    *,
    methods: Sequence[str],
    asked: int,
    generator: np.random.Generator,
) -> AttentionChecks:
    """The checks among these videos. cases: a video of each rated case. methods: what is rated."""
    taken = {(video.dataset, video.case) for video in cases}
    all_truths = _anchors(videos, ("truth",), methods)
    all_lows = _anchors(videos, LOW_ANCHORS, methods)
    truths = _within(all_truths, taken, generator)
    lows = _within(all_lows, taken, generator)
    rated = {video.plugin for video in videos if video.method in methods}
    examples = (*_apart(all_truths, taken)[:1], *_apart(all_lows, taken)[:1])
    notes = _shortage(truths, lows, cases=cases, rated=rated, asked=asked)
    return AttentionChecks(truths, lows, examples, tuple(notes))


def _anchors(
    videos: Sequence[StudyVideo], plugins: Sequence[str], methods: Sequence[str]
) -> list[StudyVideo]:
    """The videos of the first of these controls that made any and is not itself rated."""
    for plugin in plugins:
        found = [v for v in videos if v.plugin == plugin and v.method not in methods]
        found = [video for video in found if video.kind == "reconstruct"]
        if found:
            return found
    return []


def _apart(videos: Sequence[StudyVideo], taken: set[tuple[str, str]]) -> list[StudyVideo]:
    """Those of other cases than the rated ones, if there are any."""
    return [v for v in videos if (v.dataset, v.case) not in taken] or list(videos)


def _within(
    videos: Sequence[StudyVideo], taken: set[tuple[str, str]], generator: np.random.Generator
) -> tuple[StudyVideo, ...]:
    """Those of the rated cases, else as many others, in drawn order."""
    found = [v for v in videos if (v.dataset, v.case) in taken] or list(videos)
    drawn = [found[index] for index in generator.permutation(len(found))]
    return tuple(drawn[: len(taken)])


def _shortage(
    truths: Sequence[StudyVideo],
    lows: Sequence[StudyVideo],
    *,
    cases: Sequence[StudyVideo],
    rated: set[str],
    asked: int,
) -> list[str]:
    """One line on how many checks were asked for, how many there are, and what would give more.

    None where there are enough. rated: the plugins that made the rated videos.
    """
    fewer = min(len(truths), len(lows))
    if fewer >= asked:
        return []
    kinds: dict[str, list[str]] = {}
    if len(truths) < asked:
        hint = _more(truths, "truth", cases=cases, rated=rated)
        kinds.setdefault(hint, []).append("hidden truths")
    if len(lows) < asked:
        hint = _more(lows, LOW_ANCHORS[0], cases=cases, rated=rated)
        kinds.setdefault(hint, []).append("low anchors")
    told = (
        f"--checks {asked}: {asked} hidden truths and as many low anchors were asked for each "
        f"rater, but of hidden truths there are {len(truths)}, of low anchors {len(lows)}."
    )
    advice = [f"For more {' and '.join(names)}: {hint}." for hint, names in kinds.items()]
    if fewer:
        advice.append(f"Or ask for fewer: --checks {fewer}.")
    return [" ".join((told, *advice))]


def _more(
    found: Sequence[StudyVideo], plugin: str, *, cases: Sequence[StudyVideo], rated: set[str]
) -> str:
    """What would give more checks of a kind. plugin: the control that is best for it."""
    if not found and plugin in rated:
        return f"leave the control {plugin} out of --methods"
    possible = sum(video.kind == "reconstruct" for video in cases)  # checks are of no other kind
    if len(found) >= (possible or len(cases)):
        return "rate more cases (each gives one)"
    where = "the rated cases" if possible else "more reconstruct cases"
    return f"add a run with the control {found[0].plugin if found else plugin} on {where}"
