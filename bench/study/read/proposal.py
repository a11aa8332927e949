"""Proposes a mapping for a table of answers from its content; a person must check it.

A proposal uses only the table and the study; a comment marks every choice that it had to make. An
import with a proposed mapping is as strict as with any other.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.study.folder import Study
from bench.study.read.column_contents import columns_of, is_like, is_rated, why_none
from bench.study.read.mapping_template import template
from bench.study.read.proposal_draft import Draft, propose_ratings
from bench.study.read.propose_long import long_fields, propose_long
from bench.study.read.propose_mturk import mturk_video_column, propose_mturk
from bench.study.read.propose_wide import propose_wide
from bench.study.read.rating_words import is_blank
from bench.study.read.table_file import Table, TableFormat


@dataclass(frozen=True)
class Proposal:
    """A proposed mapping. text: of mapping.yaml. seen: findings in the table, one sentence each."""

    text: str
    seen: tuple[str, ...]


def propose(table: Table, table_format: TableFormat, study: Study | None) -> Proposal:
    """A mapping for this table. study: if given, the mapping uses its videos and questions."""
    cells = columns_of(table)
    coded = any(name in cells for name in ("提交答卷时间", "序号"))
    answers = {
        name: [text for text in texts if not is_blank(text, coded=coded)]
        for name, texts in cells.items()
    }
    rated = [name for name, texts in answers.items() if is_rated(name, texts)]
    rated = [name for name in answers if name in rated or is_like(name, answers[name], rated)]
    draft = Draft()
    if table_format.header is not None:
        draft.seen.append(
            "the table has no header; the mapping names its columns "
            f"({', '.join(table_format.header)}): check the names"
        )
    crowd = {name: mturk_video_column(name, cells) for name in rated}
    long = long_fields(cells, rated, table_format)
    if any(crowd.values()):
        rated = [name for name in rated if crowd[name]]
        propose_mturk(draft, cells, {name: crowd[name] for name in rated}, study)
    elif long is not None:
        rated = [long["rating"]]
        propose_long(draft, cells, long, study)
    else:
        propose_wide(draft, cells, rated, study)
    propose_ratings(draft, cells, answers, rated, coded=coded)
    if not rated:
        draft.seen.append(why_none(answers))
    draft.seen.append(f"ratings in {len(rated)} of {len(cells)} columns")
    text = template(draft.values, draft.remarks, table_format, names=list(cells))
    return Proposal(text, tuple(draft.seen))
