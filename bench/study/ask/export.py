"""Exports a study: its collected answers, unblinded, and its questionnaire as static pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from bench.ground.errors import BenchError
from bench.study.answers import Answer
from bench.study.ask.ledger import Ledger
from bench.study.ask.pages import ASSETS, Pages
from bench.study.blinding import unblinded
from bench.study.folder import ANSWERS, VIDEOS, Study
from bench.study.questionnaire import Language

SCRIPTS = ("study.css", "rate.js", "keep_in_file.js")
UNSEEN = 0.5  # seconds by which a rating may precede the video's end; the page allows 0.3


def collected_answers(study: Study, ledger: Ledger) -> tuple[Answer, ...]:
    """Every answer that counts, unblinded, in the order of arrival.

    A remark is attached to the first answer on its video.
    """
    remarks = dict(ledger.comments())
    seconds = {code: item.seconds for code, item in study.design.items.items()}
    early = {place for place, wait in ledger.waits().items() if wait < seconds[place[1]] - UNSEEN}
    return tuple(
        unblinded(
            study.design,
            entry.rater,
            entry.item,
            question=entry.question,
            rating=entry.rating,
            at=entry.at,
            comment=remarks.pop((entry.rater, entry.item), ""),
            early=(entry.rater, entry.item) in early,
        )
        for entry in ledger.entries()
    )


def study_answers(study: Study) -> tuple[Answer, ...]:
    """The answers that a served study has collected; raises BenchError if there are none."""
    path = study.folder / ANSWERS
    if not path.exists():
        raise BenchError(
            f"{path}: no such file: nobody has answered yet. Serve the study with `bench study "
            "serve`, or read the files that raters sent back with `bench study import`."
        )
    with Ledger(path) as ledger:
        answers = collected_answers(study, ledger)
    if not answers:
        raise BenchError(f"{path}: contains no answers yet.")
    return answers


def write_static_pages(study: Study, folder: Path) -> Sequence[Path]:
    """Writes one folder per rater, ready to pack and send: index.html and all that it needs.

    Videos are hard links if the file system allows it, else copies. Returns the folders. Raises
    BenchError if `folder` exists.
    """
    if folder.exists():
        raise BenchError(f"{folder} already exists; choose another folder with --html.")
    pages = Pages(study, assets="", videos=f"{VIDEOS}/")
    languages = study.questionnaire.languages
    names: dict[Language, str] = {
        code: "index.html" if code == languages[0] else f"{code}.html" for code in languages
    }
    folders: list[Path] = []
    for rater, session in study.design.sessions.items():
        own = folder / rater
        (own / VIDEOS).mkdir(parents=True)
        for language, name in names.items():
            text = pages.questionnaire_file(rater, language, names=names)
            (own / name).write_text(text, encoding="utf-8")
        for script in SCRIPTS:
            shutil.copyfile(ASSETS / script, own / script)
        shown = [study.design.items[code].video for page in session for code in page]
        for video in {*shown, *(example.video for example in study.design.examples)}:
            _link(study.folder / VIDEOS / video, own / VIDEOS / video)
        folders.append(own)
    return folders


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        shutil.copy2(source, target)
