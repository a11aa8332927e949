"""Selects what a study shows: methods, cases, practice videos and attention checks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.config.names import closest
from bench.ground.errors import BenchError
from bench.study.balance import Balance
from bench.study.make.attention_checks import LOW_ANCHORS, AttentionChecks, attention_checks
from bench.study.make.finished_videos import StudyVideo
from bench.study.questionnaire import Language, Layout

CASES = 20  # default number of cases, or all if there are fewer
PER_RATER = 40  # default videos per rater: about 15 minutes with the paper's three questions
COMPARED = 4  # default videos on one page of a side-by-side layout
PRACTICE = 2  # practice videos before the first one that counts


@dataclass(frozen=True)
class StudyOptions:
    """The options of `bench study new`; None and () mean the default."""

    methods: tuple[str, ...] = ()
    cases: int | tuple[str, ...] | None = None
    kind: str = "reconstruct"
    questions: Path | None = None
    raters: int = 20
    per_rater: int | None = None
    layout: Layout = "single"
    per_page: int | None = None
    checks: int = 2
    seed: int = 0
    tell: float = 0.3  # the difference of mean scores that the study should be able to detect
    languages: tuple[Language, ...] = ("en", "zh")


@dataclass(frozen=True)
class Selection:
    """The videos of a study, by purpose; methods and cases are in drawn order."""

    balance: Balance
    methods: tuple[str, ...]
    cases: tuple[tuple[str, str], ...]
    rated: tuple[StudyVideo, ...]
    checks: AttentionChecks
    practice: tuple[StudyVideo, ...]
    notes: tuple[str, ...]


def select_videos(videos: Sequence[StudyVideo], options: StudyOptions) -> Selection:
    """Selects the videos that the study shows; random choices follow from the seed.

    Raises BenchError that names the option if an option cannot be satisfied.
    """
    generator = np.random.default_rng(options.seed)
    methods = _methods(videos, options)
    by_place = {video.place: video for video in videos}
    complete, notes = _complete_cases(videos, methods, options)
    cases = _cases(complete, options, generator)
    methods = tuple(methods[index] for index in generator.permutation(len(methods)))
    taken = {(video.dataset, video.case) for video in cases}
    rated = [by_place[(*place, method)] for place in sorted(taken) for method in methods]
    kinds = {video.kind for video in cases}
    spare = [v for v in complete if (v.dataset, v.case) not in taken and v.kind in kinds]
    practised = [*spare, *cases][:PRACTICE]
    practice = [
        by_place[(video.dataset, video.case, methods[number % len(methods)])]
        for number, video in enumerate(practised)
    ]
    checks = attention_checks(
        videos, cases, methods=methods, asked=options.checks, generator=generator
    )
    return Selection(
        balance=_balance(len(methods), len(cases), options),
        methods=methods,
        cases=tuple((video.dataset, video.case) for video in cases),
        rated=tuple(rated),
        checks=checks,
        practice=tuple(practice),
        notes=(*notes, *checks.notes),
    )


def _methods(videos: Sequence[StudyVideo], options: StudyOptions) -> tuple[str, ...]:
    known = dict.fromkeys(video.method for video in videos)
    for method in options.methods:
        if method not in known:
            raise BenchError(
                f"--methods: the runs have no method {method!r}. {closest(method, known)}"
            )
    methods = options.methods or tuple(
        dict.fromkeys(video.method for video in videos if not video.is_control)
    )
    if len(set(methods)) < len(methods):
        raise BenchError("--methods: names a method twice.")
    if not methods:
        checks = ("truth", LOW_ANCHORS[0])  # better kept as attention checks
        controls = ",".join(method for method in known if method not in checks)
        raise BenchError(
            "the runs have no methods besides controls. Name what to rate; for a trial: "
            f"--methods {controls or 'truth'}."
        )
    return methods


def _complete_cases(
    videos: Sequence[StudyVideo], methods: Sequence[str], options: StudyOptions
) -> tuple[list[StudyVideo], list[str]]:
    """One video for each case that every method has a video of, and a note on the other cases."""
    by_case: dict[tuple[str, str], dict[str, StudyVideo]] = defaultdict(dict)
    for video in videos:
        if video.kind == options.kind or isinstance(options.cases, tuple):
            by_case[(video.dataset, video.case)][video.method] = video
    complete, lacking = [], set()
    for found in by_case.values():
        missing = set(methods) - set(found)
        lacking |= missing
        if not missing:
            complete.append(found[methods[0]])
    if not complete:
        raise BenchError(
            f"no {options.kind} case has a video of every method ({', '.join(methods)}); videos "
            f"are missing of {', '.join(sorted(lacking)) or 'all'}. Finish the runs, leave methods "
            "out with --methods, or choose another --kind."
        )
    left_out = len(by_case) - len(complete)
    if not left_out or isinstance(options.cases, tuple):
        return complete, []
    return complete, [
        f"{left_out} cases left out: they lack videos of {', '.join(sorted(lacking))}"
    ]


def _cases(
    complete: Sequence[StudyVideo], options: StudyOptions, generator: np.random.Generator
) -> tuple[StudyVideo, ...]:
    """The named cases, or the wanted number spread over data sets and speakers; in drawn order."""
    if isinstance(options.cases, tuple):
        if len(set(options.cases)) < len(options.cases):
            raise BenchError("--cases: names a case twice.")
        named = []
        known = dict.fromkeys(video.case for video in complete)
        for case in options.cases:
            if case not in known:
                hint = closest(case, known)
                raise BenchError(f"--cases: no case {case!r} with videos of all methods. {hint}")
            named += [video for video in complete if video.case == case]
        return tuple(named[index] for index in generator.permutation(len(named)))
    drawn = [complete[index] for index in generator.permutation(len(complete))]
    turns: dict[tuple[str, str], int] = defaultdict(int)
    ranked = []
    for video in drawn:
        group = (video.dataset, video.speaker)
        ranked.append((turns[group], video))
        turns[group] += 1
    ranked.sort(key=lambda pair: pair[0])  # stable: one of each speaker before a second of any
    count = CASES if options.cases is None else options.cases
    if options.cases is not None and count > len(ranked):
        raise BenchError(
            f"--cases: {count}, but only {len(ranked)} cases have videos of all methods."
        )
    if count < 1:
        raise BenchError(
            f"--cases: {count}; expected 1 to {len(ranked)}, or ids separated by commas."
        )
    return tuple(video for _, video in ranked[:count])


def _balance(methods: int, cases: int, options: StudyOptions) -> Balance:
    width = 1 if options.layout == "single" else options.per_page or min(COMPARED, methods)
    if options.layout == "side_by_side" and not 2 <= width <= methods:
        raise BenchError(f"--per-page: {width}; expected 2 to {methods}, the number of methods.")
    most = methods * cases if width == 1 else width * cases
    step = min(methods, most) if width == 1 else width
    per_rater = options.per_rater or max(step, min(PER_RATER, most) // step * step)
    if per_rater > most or (width > 1 and per_rater % width):
        wanted = f"at most {most}" + (f", a multiple of {width}" if width > 1 else "")
        raise BenchError(
            f"--per-rater: {per_rater}; expected {wanted}, for {cases} cases and {methods} methods."
        )
    return Balance(methods, cases, per_rater, width, options.seed)
