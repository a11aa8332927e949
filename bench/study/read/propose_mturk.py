"""Proposes a mapping for MTurk's batches, whose rows name their videos themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bench.study.folder import Study
from bench.study.read.proposal_draft import OVERALL, Draft, address_pattern, asked_of
from bench.study.read.propose_wide import propose_special
from bench.study.read.rating_words import plain


def mturk_video_column(name: str, cells: Mapping[str, Sequence[str]]) -> str:
    """The column that names the video which this column of MTurk's answers rates, or empty.

    Answer.q0 is about Answer.q0_url where there is one (a page that shuffles), else about
    Input.Q0; Answer.q0_ovrl about the same; with one Input of videos alone, all are about that.
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
    """Fills in which columns name the videos. videos: by column of ratings, that column."""
    draft.values["table"] = "wide"
    propose_special(draft, cells, [*videos, *videos.values()])
    draft.values["anonymous"] = True
    draft.remarks["anonymous", ""] = "a worker's id tells who it is"
    columns: dict[str, dict[str, str]] = {}
    for name, column in videos.items():
        asked = name.split(".", 1)[1]
        stem, _, suffix = asked.rpartition("_")
        question = OVERALL if plain(asked) in plain(column) else asked
        if stem and plain(stem) in plain(column):
            question = suffix
        columns[name] = {"item_in": column, "question": asked_of(study, question)}
    draft.values["columns"] = columns
    draft.seen.append("videos are named in the rows' own cells, as MTurk has it")
    named = {text for column in set(videos.values()) for text in cells[column] if text}
    patterns: dict[str, str] = {}
    for column in dict.fromkeys(videos.values()):
        pattern, remark = address_pattern(named, study)
        patterns[column] = pattern
        if remark:
            draft.remarks["cells", column] = remark
    draft.values["cells"] = patterns
