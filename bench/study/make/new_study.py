"""Makes a study from finished runs: selects videos, draws the design, copies videos blindly."""

from __future__ import annotations

import dataclasses
import os
import secrets
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from bench.files.intact import is_intact
from bench.files.one_move import part_beside
from bench.ground.errors import BenchError
from bench.study.answers import Role
from bench.study.blinding import Design, Example, Item, SessionPlan, read_design, write_design
from bench.study.folder import VIDEOS, YAML
from bench.study.make.finished_videos import StudyVideo, finished_videos
from bench.study.make.invitations import write_secret
from bench.study.make.power import Spread, power_sentences, sizes_of
from bench.study.make.selection import Selection, StudyOptions, select_videos
from bench.study.make.sessions import draw_sessions
from bench.study.questionnaire import SECONDS_A_QUESTION, questionnaire_text, read_questionnaire


@dataclass(frozen=True)
class NewStudy:
    """A new study's design, and notes for the organiser."""

    design: Design
    notes: tuple[str, ...]


def new_study(
    runs: Sequence[Path],
    folder: Path,
    options: StudyOptions,
    *,
    progress: Callable[[int, int], None] = lambda _done, _wanted: None,
) -> NewStudy:
    """Makes the study in `folder`, which appears only once it is complete.

    progress: called with the numbers of copied and of all videos. Raises BenchError if the folder
    exists, a method or case is unknown, or the numbers do not fit together; the message says which
    option to change.
    """
    if folder.exists():
        raise BenchError(f"{folder} already exists; choose another folder with -o.")
    text = questionnaire_text(
        questions=options.questions, layout=options.layout, languages=options.languages
    )
    selection = select_videos(finished_videos(runs), options)
    part = part_beside(folder)
    (part / VIDEOS).mkdir(parents=True)
    part.chmod(0o700)  # the design undoes the blinding: for the organiser only
    try:
        (part / YAML).write_text(text, encoding="utf-8")
        questions = len(read_questionnaire(part / YAML).questions)
        write_secret(part)
        copies = _copied(selection, options, part / VIDEOS, progress)
        design = _design(runs, selection, options, copies)
        write_design(part, design)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    notes = (*selection.notes, copies.note, _estimate(design, questions))
    return NewStudy(design, (*notes, *_power(design, options.tell)))


def invite(folder: Path, count: int) -> Design:
    """Adds `count` raters to a study; the sessions of the others do not change."""
    design = read_design(folder)
    first = len(design.sessions)
    added = draw_sessions(design.plan, design.items.values(), range(first, first + count))
    grown = dataclasses.replace(design, sessions={**design.sessions, **added})
    write_design(folder, grown)
    return grown


@dataclass(frozen=True)
class _Copies:
    """The blind copies of the selected videos.

    items: videos to rate, each with a copy of its own. note: what encoding cost in time and
    quality.
    """

    items: tuple[Item, ...]
    examples: tuple[Example, ...]
    note: str


def _design(
    runs: Sequence[Path], selection: Selection, options: StudyOptions, copies: _Copies
) -> Design:
    plan = SessionPlan(selection.methods, selection.cases, options.checks, selection.balance)
    # Sorted by their random codes: the order of copying would reveal roles and methods.
    items = sorted(copies.items, key=lambda item: item.code)
    return Design(
        study=secrets.token_hex(4),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        runs=tuple(str(run.resolve()) for run in runs),  # `bench study score` reads metrics there
        layout=options.layout,
        plan=plan,
        items={item.code: item for item in items},
        examples=copies.examples,
        sessions=draw_sessions(plan, items, range(options.raters)),
    )


def _copied(
    selection: Selection, options: StudyOptions, videos: Path, progress: Callable[[int, int], None]
) -> _Copies:
    """Copies every selected video under a random name; all copies are encoded alike."""
    groups: tuple[tuple[Role, Sequence[StudyVideo]], ...] = (
        ("rated", selection.rated),
        ("truth", selection.checks.truths if options.checks else ()),
        ("low", selection.checks.lows if options.checks else ()),
        ("training", selection.practice),
    )
    wanted = [(video, role) for role, group in groups for video in group]
    shown = [*(video for video, _ in wanted), *selection.checks.examples]
    begun = time.monotonic()
    copies: list[_Copy] = []
    for done, video in enumerate(shown):
        progress(done, len(shown))
        copies.append(_copy(video, videos))
    progress(len(shown), len(shown))
    _hide_sizes(dict(zip((copy.path for copy in copies), shown, strict=True)))
    seconds = time.monotonic() - begun
    losses = [copy.psnr for copy in copies]
    return _Copies(
        items=tuple(
            _item(video, role, copy)
            for (video, role), copy in zip(wanted, copies[: len(wanted)], strict=True)
        ),
        examples=tuple(
            Example(copy.path.name, video.plugin)
            for video, copy in zip(selection.checks.examples, copies[len(wanted) :], strict=True)
        ),
        note=(
            f"{len(copies)} videos re-encoded with the same settings in {seconds:.0f} s; PSNR of "
            f"the copies: mean {sum(losses) / len(losses):.1f} dB, worst {min(losses):.1f} dB"
        ),
    )


@dataclass(frozen=True)
class _Copy:
    """A blind copy, and its PSNR against the original file in dB."""

    path: Path
    psnr: float


def _copy(video: StudyVideo, videos: Path) -> _Copy:
    from bench import media

    if not is_intact(video.path, video.sha256):
        raise BenchError(
            f"{video.path}: is damaged: its SHA-256 differs from its record's. Call `bench run` on "
            "its run folder to generate it again."
        )
    path = videos / f"{secrets.token_hex(12)}.mp4"
    return _Copy(path, media.copy_anonymous(video.path, path))


def _hide_sizes(copies: Mapping[Path, StudyVideo]) -> None:
    """Gives all copies of a case the same file size and date: sharper frames take more bytes."""
    from bench import media

    by_case: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for path, video in copies.items():
        by_case[video.dataset, video.case].append(path)
    for paths in by_case.values():
        media.pad_alike(paths)
    for path in copies:
        os.utime(path, (0, 0))


def _item(video: StudyVideo, role: Role, copy: _Copy) -> Item:
    from bench import media

    seconds = media.probe(copy.path).seconds
    code = secrets.token_hex(6)
    return Item(code, video.dataset, video.case, video.method, role, copy.path.name, seconds)


def _power(design: Design, difference: float) -> tuple[str, ...]:
    """Sentences on the differences that the design can detect."""
    sizes = sizes_of(design)
    return power_sentences(sizes, difference, Spread()) if sizes is not None else ()


def _estimate(design: Design, questions: int) -> str:
    """A sentence on the length of a session and the number of ratings per video."""
    plan = design.plan
    session = next(iter(design.sessions.values()), ())
    shown = [design.items[code] for page in session for code in page]
    seconds = sum(item.seconds + questions * SECONDS_A_QUESTION for item in shown)
    cells = plan.balance.methods * plan.balance.cases
    each = len(design.sessions) * plan.balance.per_rater / cells
    minutes = max(1, round(seconds / 60))
    counting = plan.balance.per_rater
    return (
        f"{len(plan.methods)} methods, {len(plan.cases)} cases, {len(design.sessions)} raters: "
        f"a rater sees {len(shown)} videos ({counting} count, the others are practice and checks) "
        f"in about {minutes} minutes; each video gets {each:.1f} ratings per question"
    )
