"""Proposes a mapping for MTurk's result files, in which each row names its own videos."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bench.study.folder import Study
from bench.study.read.proposal_draft import OVERALL, Draft, address_pattern, asked_of
from bench.study.read.propose_wide import propose_special
from bench.study.read.rating_words import plain


def mturk_video_column(name: str, cells: Mapping[str, Sequence[str]]) -> str:
    """The column that names the video rated in column `name` of MTurk's answers; empty if none.

    Answer.q0 rates the video in Answer.q0_url if that column exists (a page that shuffles videos),
    else in Input.Q0; so does Answer.q0_ovrl. If only one Input column holds videos, all answers
    rate that one.
    """
    match = re.fullmatch(r"answer\.(.+)", name, re.IGNORECASE)
    if match is None:
        return ""
    by_name = {plain(one): one for one in cells}
    asked = plain(match[1])
    stems = [asked, *([asked.rsplit("_", 1)[0]] if "_" in asked else [])]
    for stem in stems:
        for wanted in (f"answer.{stem}_url", f"input.{stem}", f"input.{stem}_url"):
            if wanted in by_name and by_name[wanted] != name:
                return by_name[wanted]
    inputs = [
        one
        for text, one in by_name.items()
        if text.startswith("input.") and any("/" in cell or "." in cell for cell in cells[one])
    ]
    return inputs[0] if len(inputs) == 1 else ""


def propose_mturk(
    draft: Draft,
    cells: Mapping[str, Sequence[str]],
    videos: Mapping[str, str],
    study: Study | None,
) -> None:
    """Proposes `columns` and `cells`. videos: for each column of ratings, the column of videos."""
    draft.values["table"] = "wide"
    propose_special(draft, cells, [*videos, *videos.values()])
    draft.values["anonymous"] = True
    draft.remarks["anonymous", ""] = "a worker's id identifies a person"
    columns: dict[str, dict[str, str]] = {}
    for name, column in videos.items():
        asked = name.split(".", 1)[1]
        stem, _, suffix = asked.rpartition("_")
        question = OVERALL if plain(asked) in plain(column) else asked
        if stem and plain(stem) in plain(column):
            question = suffix
        columns[name] = {"item_in": column, "question": asked_of(study, question)}
    draft.values["columns"] = columns
    draft.seen.append("each row names its own videos, as in MTurk's result files")
    named = {text for column in set(videos.values()) for text in cells[column] if text}
    patterns: dict[str, str] = {}
    for column in dict.fromkeys(videos.values()):
        pattern, remark = address_pattern(named, study)
        patterns[column] = pattern
        if remark:
            draft.remarks["cells", column] = remark
    draft.values["cells"] = patterns
