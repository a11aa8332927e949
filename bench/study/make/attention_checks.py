"""Attention checks: the hidden references and low anchors among the videos to rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.study.make.finished_videos import StudyVideo

LOW_ANCHORS = ("mismatched", "still")  # controls that serve as low anchor, the better one first


@dataclass(frozen=True)
class AttentionChecks:
    """The videos available as attention checks, in drawn order.

    truths, lows: hidden references and low anchors, at most one per rated case; of the rated cases
    if these have any, else of others. No rater gets more than these. examples: one of each kind, if
    possible of a case that is not rated. notes: a line if there are fewer than asked for.
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
    """The checks among these videos.

    cases: one video of each rated case. methods: labels of the rated methods. asked: the number of
    checks of each kind per rater.
    """
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
    """The videos of the first of these controls that has any and is not rated itself."""
    for plugin in plugins:
        found = [v for v in videos if v.plugin == plugin and v.method not in methods]
        found = [video for video in found if video.kind == "reconstruct"]
        if found:
            return found
    return []


def _apart(videos: Sequence[StudyVideo], taken: set[tuple[str, str]]) -> list[StudyVideo]:
    """The videos of cases that are not rated; all videos if there are none."""
    return [v for v in videos if (v.dataset, v.case) not in taken] or list(videos)


def _within(
    videos: Sequence[StudyVideo], taken: set[tuple[str, str]], generator: np.random.Generator
) -> tuple[StudyVideo, ...]:
    """The videos of rated cases, else of others; in drawn order, at most one per rated case."""
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
    """A line that says how many checks are missing and what would give more; empty if enough.

    rated: the plugins of the rated methods.
    """
    fewer = min(len(truths), len(lows))
    if fewer >= asked:
        return []
    kinds: dict[str, list[str]] = {}
    if len(truths) < asked:
        hint = _more(truths, "truth", cases=cases, rated=rated)
        kinds.setdefault(hint, []).append("hidden references")
    if len(lows) < asked:
        hint = _more(lows, LOW_ANCHORS[0], cases=cases, rated=rated)
        kinds.setdefault(hint, []).append("low anchors")
    shortage = (
        f"--checks {asked} asks for {asked} hidden references and {asked} low anchors per rater, "
        f"but only {len(truths)} and {len(lows)} are available."
    )
    advice = [f"For more {' and '.join(names)}: {hint}." for hint, names in kinds.items()]
    if fewer:
        advice.append(f"Or ask for fewer: --checks {fewer}.")
    return [" ".join((shortage, *advice))]


def _more(
    found: Sequence[StudyVideo], plugin: str, *, cases: Sequence[StudyVideo], rated: set[str]
) -> str:
    """What would give more checks of one kind. plugin: the control that suits it best."""
    if not found and plugin in rated:
        return f"leave the control {plugin} out of --methods"
    possible = sum(video.kind == "reconstruct" for video in cases)  # checks are of no other kind
    if len(found) >= (possible or len(cases)):
        return "rate more cases (each gives one)"  # `found` is limited to one per rated case
    where = "the rated cases" if possible else "more reconstruct cases"
    return f"add a run with the control {found[0].plugin if found else plugin} on {where}"
