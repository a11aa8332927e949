"""Proposes a mapping for long tables, in which each row is one rating."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bench.study.folder import Study
from bench.study.read.column_contents import FIELD_NAMES
from bench.study.read.mapping import KNOWN_COLUMNS, UNKNOWN_METHOD
from bench.study.read.proposal_draft import (
    OVERALL,
    Draft,
    address_pattern,
    asked_of,
    propose_at,
)
from bench.study.read.rating_words import plain
from bench.study.read.table_file import TableFormat, is_no_header

_RATER_LIKE = re.compile(
    r"(?:rater|worker|listener|subject|user|participant|judge|p|s|r|l)[-_ ]?\d+", re.IGNORECASE
)


def long_fields(
    cells: Mapping[str, Sequence[str]], rated: Sequence[str], table_format: TableFormat
) -> dict[str, str] | None:
    """The column of each field in a long table; None if the table is not one."""
    fields: dict[str, str] = {}
    for what, names in FIELD_NAMES.items():
        known = names.split("|")
        found = [name for name in cells if plain(name).replace(" ", "_") in known]
        found.sort(key=lambda name: known.index(plain(name).replace(" ", "_")))
        if what == "rating":
            found = [name for name in found if name in rated]
        if found:
            fields[what] = found[0]
    if table_format.header is not None and "rating" not in fields:
        return _guessed_fields(cells, rated)
    is_long = "rating" in fields and ("case" in fields or "method" in fields)
    return fields if is_long else None


def _guessed_fields(
    cells: Mapping[str, Sequence[str]], rated: Sequence[str]
) -> dict[str, str] | None:
    """The column of each field, guessed from the cells of a table without column names.

    case: file names. method: the beginning of the file's name, else few different texts.
    """
    if len(rated) != 1:
        return None
    fields = {"rating": rated[0]}
    texts = {name: own for name, own in cells.items() if name not in rated}
    files = [name for name, own in texts.items() if is_no_header(["a.wav"], [[o] for o in own])]
    if files:
        fields["case"] = files[0]
    prefixes = [
        name
        for name, own in texts.items()
        if files
        and name not in files
        and all(file.startswith(one) for file, one in zip(cells[files[0]], own, strict=True))
    ]
    left = [name for name in texts if name not in (*files, *prefixes[:1])]
    raters = [name for name in left if all(_RATER_LIKE.fullmatch(one) for one in texts[name])]
    if prefixes:
        fields["method"] = prefixes[0]
    elif len(left) > 1:
        # The column with the fewest different texts, but at least two.
        rest = [name for name in left if name not in raters[:1]]
        fields["method"] = min(
            rest, key=lambda name: (len(set(texts[name])) < 2, len(set(texts[name])))
        )
        left.remove(fields["method"])
    if left:
        fields["rater"] = (raters or left[-1:])[0]
        left = [name for name in left if name != fields["rater"]]
    if not files and left:
        fields["case"] = left[0]
    return fields if "case" in fields or "method" in fields else None


def propose_long(
    draft: Draft,
    cells: Mapping[str, Sequence[str]],
    fields: Mapping[str, str],
    study: Study | None,
) -> None:
    """Proposes `fields`, `constants` and `cells`."""
    draft.values["table"] = "long"
    chosen = dict(fields)
    if any(name.startswith("(") for name in chosen.values()):
        draft.remarks["fields", ""] = "guessed, as the table does not name its columns: check them"
        draft.seen.append("the meaning of the columns is guessed from their cells: check `fields`")
    if "at" in chosen and not propose_at(draft, cells, chosen["at"]):
        del chosen["at"]
    patterns: dict[str, str] = {}
    if "rater" in chosen and all(
        re.fullmatch(r"\{\}(_[^_]*){6}", one) for one in cells[chosen["rater"]]
    ):
        patterns[chosen["rater"]] = r"[^_]*_[^_]*_(?P<rater>[^_]*)_.*"
        draft.remarks["cells", chosen["rater"]] = "VoiceMOS: nothing_age_LISTENER_gender_..."
    case = cells[chosen["case"]] if "case" in chosen else []
    if case and all(re.search(r"\.\w{2,4}$", one) for one in case):
        if "method" not in chosen:
            pattern, remark = address_pattern(case, study)
            patterns[chosen["case"]] = pattern
            if remark:
                draft.remarks["cells", chosen["case"]] = remark
            del chosen["case"]  # a part of the cell, not the whole
        else:
            methods = cells[chosen["method"]]
            begins = all(
                re.match(re.escape(method) + r"[-_/]", one)
                for method, one in zip(methods, case, strict=True)
            )
            front = r"(?:.*/)?" if not begins else _front_of(methods)
            patterns[chosen["case"]] = rf"{front}(?P<case>[^/]+)\.\w+"
    constants: dict[str, str] = {}
    if "question" not in chosen:
        tests = set(cells.get("session_test_id", ()))
        asked = next(iter(tests)) if len(tests) == 1 else OVERALL
        constants["question"] = asked_of(study, asked or OVERALL)
        draft.remarks["constants", "question"] = "the table has a single question: name it"
        draft.seen.append(f"all rows answer one question, called {constants['question']!r}")
    said = "".join(patterns.values())
    if "method" not in chosen and "<method>" not in said and "<item>" not in said:
        constants["method"] = UNKNOWN_METHOD
        draft.remarks["constants", "method"] = "the table does not name the method: write it"
    if "rater" not in chosen:
        draft.seen.append(
            "no column names the rater: name its column under `fields`, or the rater under "
            "`constants`; means over raters cannot be scored"
        )
    draft.values["fields"] = chosen
    if constants:
        draft.values["constants"] = constants
    if patterns:
        draft.values["cells"] = patterns
    if "rater" in chosen and any("@" in text for text in cells[chosen["rater"]]):
        draft.values["anonymous"] = True
    for name in cells:
        if name not in chosen.values() and name not in KNOWN_COLUMNS and name not in patterns:
            draft.ignore(name, "not needed")


def _front_of(methods: Sequence[str]) -> str:
    """A pattern for the method at the beginning of a file's name."""
    if any(re.search(r"[-_/]", method) for method in methods):
        return f"(?:{'|'.join(re.escape(one) for one in sorted(set(methods)))})[-_/]"
    return r"[^-_/]+[-_/]"
