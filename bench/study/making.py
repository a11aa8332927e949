"""Makes a study from finished runs: chooses videos, draws the design, copies under random names."""

from __future__ import annotations

import dataclasses
import os
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from bench.errors import BenchError
from bench.study.answers import Role
from bench.study.blinding import Design, Example, Item, Plan, read_design, write_design
from bench.study.choosing import Chosen, Wishes, choose
from bench.study.folder import VIDEOS, YAML
from bench.study.footage import Video, finished_videos
from bench.study.invitations import write_secret
from bench.study.questionnaire import questionnaire_text, read_questionnaire
from bench.study.sessions import draw_sessions

SECONDS_A_QUESTION = 4.0  # what reading and answering takes, for the estimate


@dataclass(frozen=True)
class Made:
    """What became of it: the design, and what the organiser should know of it."""

    design: Design
    notes: tuple[str, ...]


def new_study(runs: Sequence[Path], folder: Path, wishes: Wishes) -> Made:
    """Makes the study in `folder`, whole or not at all.

    Raises BenchError where the folder exists, a method or case is unknown, or the numbers do not go
    together; the message says which option to change.
    """
    if folder.exists():
        raise BenchError(f"{folder} exists already; choose another folder with -o.")
    text = questionnaire_text(
        questions=wishes.questions, layout=wishes.layout, languages=wishes.languages
    )
    chosen = choose(finished_videos(runs), wishes)
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    (part / VIDEOS).mkdir(parents=True)
    part.chmod(0o700)  # the design unblinds: for the organiser alone
    try:
        (part / YAML).write_text(text, encoding="utf-8")
        questions = len(read_questionnaire(part / YAML).questions)
        write_secret(part)
        design = _design(runs, chosen, wishes, part / VIDEOS)
        write_design(part, design)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Made(design, (*chosen.notes, _estimate(design, questions)))


def invite(folder: Path, count: int) -> Design:
    """Adds raters to a study; the sessions of those that are there stay as they are."""
    design = read_design(folder)
    first = len(design.sessions)
    added = draw_sessions(design.plan, design.items.values(), range(first, first + count))
    grown = dataclasses.replace(design, sessions={**design.sessions, **added})
    write_design(folder, grown)
    return grown


def _design(runs: Sequence[Path], chosen: Chosen, wishes: Wishes, videos: Path) -> Design:
    plan = Plan(chosen.methods, chosen.cases, wishes.checks, chosen.balance)
    groups: tuple[tuple[Role, Sequence[Video]], ...] = (
        ("rated", chosen.rated),
        ("truth", chosen.checks.truths if wishes.checks else ()),
        ("low", chosen.checks.lows if wishes.checks else ()),
        ("training", chosen.practice),
    )
    items = [_item(video, role, videos) for role, group in groups for video in group]
    # In the order of their random codes: the order of copying would tell roles and methods.
    items.sort(key=lambda item: item.code)
    return Design(
        study=secrets.token_hex(4),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        runs=tuple(str(run.resolve()) for run in runs),  # score finds the metrics there
        layout=wishes.layout,
        plan=plan,
        items={item.code: item for item in items},
        examples=tuple(Example(_copied(v, videos), v.plugin) for v in chosen.checks.examples),
        sessions=draw_sessions(plan, items, range(wishes.raters)),
    )


def _item(video: Video, role: Role, videos: Path) -> Item:
    from bench import media

    name = _copied(video, videos)
    seconds = media.probe(videos / name).seconds
    code = secrets.token_hex(6)
    return Item(code, video.dataset, video.case, video.method, role, name, seconds)


def _copied(video: Video, videos: Path) -> str:
    """The random name under which the video now lies, with one date for all."""
    from bench import media

    name = f"{secrets.token_hex(12)}.mp4"
    media.copy_anonymous(video.path, videos / name)
    os.utime(videos / name, (0, 0))
    return name


def _estimate(design: Design, questions: int) -> str:
    """How long a rater will take, and how many ratings every video will get."""
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
        f"in about {minutes} minutes; each video gets {each:.1f} ratings a question"
    )
