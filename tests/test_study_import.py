"""Import of answers: tables of survey sites, hand-made tables, files that raters sent back."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.command.cli import main
from bench.ground.errors import BenchError
from bench.study.answers import Answer, read_answers, write_answers
from bench.study.balance import Balance
from bench.study.blinding import RETURNED, Design, Item, SessionPlan
from bench.study.folder import Study
from bench.study.questionnaire import questionnaire_text, read_questionnaire
from bench.study.read.importing import import_answers, template_for
from bench.study.read.mapping import ColumnMapping, read_mapping

FIRST, SECOND, HIDDEN, PRACTICE = "a1f3", "b2e4", "c3d5", "d4c6"


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Two rated videos, a hidden reference and practice, for two raters."""
    text = questionnaire_text(questions=None, layout="single", languages=("en", "zh"))
    (tmp_path / "study.yaml").write_text(text, encoding="utf-8")
    items = (
        Item(FIRST, "CLR", "s01", "wav2lip", "rated", "x.mp4", 2.0),
        Item(SECOND, "CLR", "s01", "copycat", "rated", "y.mp4", 2.0),
        Item(HIDDEN, "CLR", "s02", "truth", "truth", "z.mp4", 2.0),
        Item(PRACTICE, "CLR", "s03", "copycat", "training", "p.mp4", 2.0),
    )
    codes = tuple((item.code,) for item in items)
    design = Design(
        study="5eed",
        created="2026-01-01T00:00:00+00:00",
        runs=(),
        layout="single",
        plan=SessionPlan(("wav2lip", "copycat"), (("CLR", "s01"),), 1, Balance(2, 1, 2, 1, 0)),
        items={item.code: item for item in items},
        examples=(),
        sessions={"r01": codes, "r02": codes[:1]},
    )
    return Study(tmp_path, read_questionnaire(tmp_path / "study.yaml"), design)


def written(path: Path, rows: Sequence[Sequence[object]], encoding: str = "utf-8") -> Path:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def workbook(path: Path, sheets: dict[str, Sequence[Sequence[object]]]) -> Path:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        page = book.create_sheet(name)
        for row in rows:
            page.append(list(row))
    book.save(path)
    return path


def error_lines(
    path: Path, mapping: ColumnMapping | None = None, study: Study | None = None
) -> list[str]:
    with pytest.raises(BenchError) as caught:
        import_answers([path], mapping=mapping, study=study)
    return str(caught.value).splitlines()


def proposed(path: Path, study: Study | None = None) -> ColumnMapping:
    """The proposed mapping for a table, read from its file."""
    target = path.with_name("proposed.yaml")
    target.write_text(template_for(path, study).text, encoding="utf-8")
    return read_mapping(target)


# ---- Google Forms -----------------------------------------------------------------------------

FORM_HEADER = [
    "Timestamp",
    "Email Address",
    f"Video {FIRST} [Sync accuracy]",
    f"Video {FIRST} [Visual quality]",
    f"Video {HIDDEN} [Sync accuracy]",
]
FORM = ColumnMapping(
    pattern=r"Video (?P<item>\w+) \[(?P<question>.+)\]",
    names={"Sync accuracy": "sync_accuracy", "Visual quality": "visual_quality"},
    ratings={"5 (Excellent)": 5},
)


def test_a_google_form_is_read_without_its_e_mails(tmp_path: Path, study: Study) -> None:
    rows = [
        FORM_HEADER,
        ["2026/01/31 2:05:00 PM GMT+8", "a@example.org", "4", "5 (Excellent)", "5"],
        ["2026/01/31 14:06:00", "b@example.org", "3", "2", "5"],
    ]
    found = import_answers([written(tmp_path / "form.csv", rows)], mapping=FORM, study=study)
    at = "2026-01-31T14:05:00+08:00"
    assert found.answers[:3] == (
        Answer("row002", "CLR", "s01", "wav2lip", "sync_accuracy", 4, at=at),
        Answer("row002", "CLR", "s01", "wav2lip", "visual_quality", 5, at=at),
        Answer("row002", "CLR", "s02", "truth", "sync_accuracy", 5, "truth", at=at),
    )
    assert found.answers[3].rater == "row003"
    assert found.answers[3].at == "2026-01-31T14:06:00"
    assert any("left out as personal: Email Address" in note for note in found.notes)
    assert "example.org" not in repr(found.answers)


def test_an_import_keeps_the_titles_of_the_studys_questions(tmp_path: Path, study: Study) -> None:
    rows = [[FORM_HEADER[0], *FORM_HEADER[3:]], ["", "4", "5"]]
    found = import_answers([written(tmp_path / "form.csv", rows)], mapping=FORM, study=study)
    assert [(one.name, one.zh) for one in found.questions] == [
        ("sync_accuracy", "同步准确度"),
        ("visual_quality", "视觉质量"),
        ("overall_impression", "整体印象"),
    ]


def test_one_error_lists_all_bad_cells_of_a_form(tmp_path: Path, study: Study) -> None:
    rows = [
        [*FORM_HEADER, "Video ffff [Sync accuracy]", f"Video {SECOND} [Beauty]", "Your age"],
        ["31.1.2026", "", "4.5", "good", "", "3", "3", "30"],
        ["", "", "6", "2", "5", "3", "3", "30", "surplus"],
    ]
    lines = error_lines(written(tmp_path / "form.csv", rows), FORM, study)
    expected = [
        "row 1, column Video ffff [Sync accuracy]: 'ffff' is neither a code nor a file",
        f"row 1, column Video {SECOND} [Beauty]: 'Beauty' is not one of the study's questions",
        "row 1, column Your age: is not in the mapping",
        "row 2, column Timestamp: not a readable time, for example '31.1.2026'",
        f"row 2, column Video {FIRST} [Sync accuracy]: '4.5' is not a whole number from 1 to 5.",
        f"row 2, column Video {FIRST} [Visual quality]: 'good' is not a whole number from 1 to 5.",
        f"row 2, column Video {HIDDEN} [Sync accuracy]: is empty",
        "row 3: has more than the header's 8 cells",
        f"row 3, column Video {FIRST} [Sync accuracy]: '6' is not a whole number",
    ]
    assert len(lines) == len(expected)
    for part in expected:
        assert any(part in line for line in lines), part


def test_empty_cells_count_as_unanswered_only_if_the_mapping_says_so(
    tmp_path: Path, study: Study
) -> None:
    path = written(tmp_path / "form.csv", [FORM_HEADER, ["", "", "4", "", "5"]])
    assert any("is empty" in line for line in error_lines(path, FORM, study))
    lenient = FORM.model_copy(update={"blank": "unanswered"})
    found = import_answers([path], mapping=lenient, study=study)
    assert len(found.answers) == 2
    assert any("counted as unanswered: 1 empty cells" in note for note in found.notes)


def test_a_date_of_ambiguous_order_needs_the_order_in_the_mapping(
    tmp_path: Path, study: Study
) -> None:
    rows = [FORM_HEADER, ["1/3/2026 14:05:00", "", "4", "4", "5"]]
    path = written(tmp_path / "form.csv", rows)
    (line,) = error_lines(path, FORM, study)
    assert "may have the day or the month first, such as '1/3/2026 14:05:00'" in line
    assert "`dates: month first` or `dates: day first`" in line
    for said, at in (
        ({"at_format": "%m/%d/%Y %H:%M:%S"}, "2026-01-03T14:05:00"),
        ({"dates": "month first"}, "2026-01-03T14:05:00"),
        ({"dates": "day first"}, "2026-03-01T14:05:00"),
    ):
        found = import_answers([path], mapping=FORM.model_copy(update=said), study=study)
        assert found.answers[0].at == at
    other = FORM.model_copy(update={"at_format": "%d.%m.%Y"})
    assert any("does not match at_format" in line for line in error_lines(path, other, study))


# ---- Wenjuanxing ------------------------------------------------------------------------------

STAR_HEADER = [
    "序号",
    "提交答卷时间",
    "所用时间",
    "来源",
    "来源详情",
    "来自IP",
    "1、视频一：音画同步",
    "总分",
]
STAR = ColumnMapping.model_validate(
    {
        "columns": {
            "1、视频一：音画同步": {
                "case": "s01",
                "method": "wav2lip",
                "dataset": "CLR",
                "question": "sync_accuracy",
            }
        },
        "ratings": {"非常同步": 5},
    }
)
STAR_ROW = [1, "2026/1/31 14:05:33", "95秒", "微信", "N/A", "10.1.2.3(广西-桂林)", "非常同步", 5]


def test_a_wenjuanxing_sheet_is_read_without_its_addresses(tmp_path: Path) -> None:
    path = workbook(tmp_path / "star.xlsx", {"Sheet1": [STAR_HEADER, STAR_ROW]})
    found = import_answers([path], mapping=STAR)
    assert found.answers == (
        Answer("1", "CLR", "s01", "wav2lip", "sync_accuracy", 5, at="2026-01-31T14:05:33"),
    )
    assert any("left out as personal: 来自IP" in note for note in found.notes)
    assert "10.1.2.3" not in repr(found)


def test_the_error_for_a_csv_in_gb18030_names_the_encoding(tmp_path: Path) -> None:
    path = written(tmp_path / "star.csv", [STAR_HEADER, STAR_ROW], "gb18030")
    assert "encoding: gb18030" in error_lines(path, STAR)[0]
    found = import_answers([path], mapping=STAR.model_copy(update={"encoding": "gb18030"}))
    assert found.answers[0].rating == 5


def test_the_mapping_must_name_the_sheet_if_a_workbook_has_several(tmp_path: Path) -> None:
    sheets = {"notes": [["nothing"]], "answers": [STAR_HEADER, STAR_ROW]}
    path = workbook(tmp_path / "star.xlsx", sheets)
    assert "has the sheets notes, answers" in error_lines(path, STAR)[0]
    found = import_answers([path], mapping=STAR.model_copy(update={"sheet": "answers"}))
    assert len(found.answers) == 1
    missing = STAR.model_copy(update={"sheet": "Answers"})
    assert "has no sheet 'Answers'" in error_lines(path, missing)[0]


def test_a_file_that_is_not_a_workbook_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    (tmp_path / "a.xlsx").write_bytes(b"PK\x03\x04 no zip")
    assert "is not an xlsx file" in error_lines(tmp_path / "a.xlsx", STAR)[0]


# ---- hand-made tables ---------------------------------------------------------------------------

LONG = ColumnMapping(
    table="long",
    fields={"rater": "Who", "case": "Clip", "method": "System", "question": "Q", "rating": "Mark"},
    names={"A": "wav2lip", "Sync": "sync_accuracy"},
)


def test_a_long_table_is_read_by_its_fields(tmp_path: Path, study: Study) -> None:
    rows = [["Who", "Clip", "System", "Q", "Mark"], ["anna", "s01", "A", "Sync", 4]]
    path = written(tmp_path / "long.csv", rows)
    expected = Answer("anna", "", "s01", "wav2lip", "sync_accuracy", 4)
    assert import_answers([path], mapping=LONG).answers == (expected,)
    (resolved,) = import_answers([path], mapping=LONG, study=study).answers
    assert resolved.dataset == "CLR"


def test_one_error_lists_all_bad_cells_of_a_long_table(tmp_path: Path, study: Study) -> None:
    rows = [
        ["Who", "Clip", "System", "Q", "Mark"],
        ["", "s01", "A", "Sync", 4],
        ["anna", "", "A", "Sync", "4"],
        ["anna", "s09", "A", "Sync", "five"],
        ["b@c.org", "s01", "A", "Sync", "3"],
    ]
    lines = error_lines(written(tmp_path / "long.csv", rows), LONG, study)
    for part in (
        "row 2, column Who: is empty",
        "row 3, column Clip: is empty",
        "row 4, column System: 's09 wav2lip' is not a video of the study",
        "row 5, column Who: looks like an e-mail address",
    ):
        assert any(part in line for line in lines), part


def test_columns_missing_in_a_long_table_are_named(tmp_path: Path) -> None:
    path = written(tmp_path / "long.csv", [["Who", "Clip", "Mark", "Mood"], ["a", "b", 3, "x"]])
    lines = error_lines(path, LONG)
    assert any("column System: is named as `method`, but is not" in line for line in lines)
    assert any("column Mood: is not in the mapping" in line for line in lines)


def test_raters_can_be_numbered_instead_of_named(tmp_path: Path) -> None:
    rows = [
        ["Who", "Clip", "System", "Q", "Mark"],
        ["b@c.org", "s01", "A", "Sync", 4],
        ["a@c.org", "s01", "A", "Sync", 3],
        ["b@c.org", "s02", "A", "Sync", 2],
    ]
    path = written(tmp_path / "long.csv", rows)
    found = import_answers([path], mapping=LONG.model_copy(update={"anonymous": True}))
    assert [one.rater for one in found.answers] == ["rater-01", "rater-02", "rater-01"]


def test_answers_given_twice_are_refused_unless_the_mapping_says_which_counts(
    tmp_path: Path,
) -> None:
    rows = [
        ["Who", "Clip", "System", "Q", "Mark"],
        ["anna", "s01", "A", "Sync", 4],
        ["anna", "s01", "A", "Sync", 2],
    ]
    path = written(tmp_path / "long.csv", rows)
    (line,) = error_lines(path, LONG)
    assert "row 3: the rater 'anna' already answered 1 of these questions in row 2" in line
    for twice, rating in (("first", 4), ("last", 2)):
        found = import_answers([path], mapping=LONG.model_copy(update={"twice": twice}))
        assert [one.rating for one in found.answers] == [rating]
        assert any(f"the {twice} one counts" in note for note in found.notes)


def test_columns_with_the_same_name_or_no_name_are_reported(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", [["a", "a", "", "b"], ["3", "4", "5", "2"]])
    lines = error_lines(path, ColumnMapping(ignore=("a", "b")))
    assert any("column a #2: is not in the mapping" in line for line in lines)
    assert any("column (C): is not in the mapping" in line for line in lines)
    columns = {
        name: {"case": name, "method": "m", "question": "q"} for name in ("a", "a #2", "(C)", "b")
    }
    found = import_answers([path], mapping=ColumnMapping.model_validate({"columns": columns}))
    assert [(one.case, one.rating) for one in found.answers] == [
        ("a", 3),
        ("a #2", 4),
        ("(C)", 5),
        ("b", 2),
    ]


def test_two_columns_for_the_same_video_and_question_are_reported(tmp_path: Path) -> None:
    video = {"case": "s01", "method": "m", "question": "q"}
    mapping = ColumnMapping.model_validate({"columns": {"one": video, "other": video}})
    lines = error_lines(written(tmp_path / "a.csv", [["one", "other"], ["3", "4"]]), mapping)
    assert any("column other: rates the same video and question as 'one'" in line for line in lines)


def test_row_numbers_count_from_the_top_of_the_file_if_the_header_is_further_down(
    tmp_path: Path,
) -> None:
    rows = [["Results of our study"], [], ["Who", "Clip", "System", "Q", "Mark"]]
    path = written(tmp_path / "long.csv", [*rows, ["anna", "s01", "A", "Sync", "x"]])
    lines = error_lines(path, LONG.model_copy(update={"header_row": 3}))
    assert "row 4, column Mark: 'x'" in lines[0]
    assert "row 2 is empty" in error_lines(path, LONG.model_copy(update={"header_row": 2}))[0]


# ---- answers in our own format ------------------------------------------------------------------


def test_tidy_answers_are_imported_unchanged(tmp_path: Path) -> None:
    answers = (Answer("r", "CLR", "c", "m", "q", 3, simulated=True),)
    write_answers(tmp_path / "a.csv", answers)
    assert import_answers([tmp_path / "a.csv"]).answers == answers


def returned(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    return written(path, [RETURNED, *rows])


def test_files_that_raters_sent_back_are_unblinded(tmp_path: Path, study: Study) -> None:
    time = "2026-01-31T14:05:00Z"
    paths = [
        returned(
            tmp_path / "one.csv",
            [
                ["5eed", "r01", FIRST, "sync_accuracy", "4", time, "nice"],
                ["5eed", "r01", PRACTICE, "sync_accuracy", "2", time, ""],
            ],
        ),
        returned(tmp_path / "two.csv", [["5eed", "r02", FIRST, "sync_accuracy", "3", time, ""]]),
    ]
    found = import_answers(paths, study=study)
    assert [(one.rater, one.method, one.role, one.rating) for one in found.answers] == [
        ("r01", "wav2lip", "rated", 4),
        ("r01", "copycat", "training", 2),
        ("r02", "wav2lip", "rated", 3),
    ]
    assert found.answers[0].comment == "nice"
    assert "Name the study" in error_lines(paths[0])[0]


def test_one_error_reports_all_bad_files(tmp_path: Path, study: Study) -> None:
    one = returned(tmp_path / "one.csv", [["beef", "r01", FIRST, "sync_accuracy", "4", "", ""]])
    two = returned(tmp_path / "two.csv", [["5eed", "r02", SECOND, "sync_accuracy", "9", "", ""]])
    with pytest.raises(BenchError) as caught:
        import_answers([one, two], study=study)
    assert "one.csv" in str(caught.value)
    assert "two.csv" in str(caught.value)


def test_the_same_answers_in_two_files_are_refused(tmp_path: Path) -> None:
    answers = (Answer("r", "CLR", "c", "m", "q", 3),)
    for name in ("a.csv", "b.csv"):
        write_answers(tmp_path / name, answers)
    with pytest.raises(BenchError, match=r"1 of its 1 answers are also in .*a\.csv"):
        import_answers([tmp_path / "a.csv", tmp_path / "b.csv"])


@pytest.mark.parametrize(
    ("name", "separator", "encoding"),
    [("a.csv", ";", "utf-8"), ("a.txt", "\t", "utf-16"), ("a.csv", "\t", "gb18030")],
)
def test_the_mapping_can_name_the_separator(
    tmp_path: Path, name: str, separator: str, encoding: str
) -> None:
    """Excel separates cells by semicolons in much of Europe, and by tabs in its Unicode text."""
    text = separator.join(map(str, STAR_HEADER)) + "\n" + separator.join(map(str, STAR_ROW))
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    mapping = STAR.model_copy(update={"encoding": encoding})
    said = "tab" if separator == "\t" else f'"{separator}"'
    assert f"`separator: {said}`" in error_lines(path, mapping)[0]
    template = template_for(path, None).text
    assert f"\nseparator: {said}\n" in template
    mapping = mapping.model_copy(update={"separator": said.strip('"')})
    assert [one.rating for one in import_answers([path], mapping=mapping).answers] == [5]


@pytest.mark.parametrize(
    ("name", "data", "what"),
    [
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1" + b"\x00" * 200_000, "old kind (.xls)"),
        ("a.xls", b"\r\n<html><table><tr><td>1</td></tr></table>", "a web page"),
        ("a.ods", b"PK\x03\x04" + b"\x14\x00" * 20, "a packed file"),
        ("a.sav", b"$FL2@(#) SPSS", "an SPSS file"),
    ],
)
def test_errors_for_binary_files_say_in_which_format_to_save_them(
    tmp_path: Path, name: str, data: bytes, what: str
) -> None:
    (tmp_path / name).write_bytes(data)
    (line,) = error_lines(tmp_path / name, STAR)
    assert what in line
    assert "save it as .xlsx or csv" in line
    with pytest.raises(BenchError, match="save it as"):
        template_for(tmp_path / name, None)


# ---- the mapping ------------------------------------------------------------------------------


def test_the_template_uses_the_studys_videos_and_questions(tmp_path: Path, study: Study) -> None:
    header = [
        "Timestamp",
        f"Video {FIRST} [Sync accuracy]",
        f"视频 {HIDDEN}：视觉质量",
        "Anything else?",
    ]
    path = written(tmp_path / "form.csv", [header, ["2026/1/31 14:05", "4", "5", "no"]])
    mapping = proposed(path, study)
    assert mapping.comment == "Anything else?"
    assert mapping.columns[header[1]].item == FIRST
    assert mapping.columns[header[2]].question == "visual_quality"
    found = import_answers([path], mapping=mapping, study=study)
    assert [one.rating for one in found.answers] == [4, 5]


def test_every_comment_line_of_the_template_is_valid_once_uncommented(tmp_path: Path) -> None:
    """The template's examples are valid keys of a mapping with valid values."""
    path = written(tmp_path / "form.csv", [["a"], ["3"]])
    template = template_for(path, None).text
    examples = [line[2:] for line in template.splitlines() if line.startswith("# ")]
    keys = [line for line in examples if line.split(":")[0] in ColumnMapping.model_fields]
    assert len(keys) >= 10
    for line in keys:
        table = "table: long\n" if line.startswith(("fields", "constants")) else ""
        (tmp_path / "one.yaml").write_text(f"{table}{line}\n", encoding="utf-8")
        read_mapping(tmp_path / "one.yaml")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("tabel: wide\n", "tabel"),
        ("columns: {a: {item: x, case: c, method: m, question: q}}\n", "only by one of these"),
        ("columns: {a: {case: c, question: q}}\n", "given together"),
        ("pattern: '(?P<item>.+)'\n", "needs the groups"),
        ("pattern: '(?P<item>'\n", "not a valid regular expression"),
        ("pattern: '(?P<video>.+)'\n", "has the group video"),
        ("ratings: {bad: 0}\n", "ratings.bad"),
        ("table: long\npattern: '(?P<item>.)(?P<question>.)'\n", "for wide tables"),
        ("fields: {rater: a}\n", "for long tables"),
    ],
)
def test_wrong_mappings_say_what_is_wrong(text: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "mapping.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(BenchError) as caught:
        read_mapping(tmp_path / "mapping.yaml")
    assert problem in str(caught.value)


def test_the_command_writes_answers_that_can_be_scored(tmp_path: Path) -> None:
    rows = [
        ["Who", "Clip", "System", "Q", "Mark"],
        *[[who, clip, "A", "Sync", 4] for who in "abc" for clip in ("s01", "s02")],
    ]
    table = written(tmp_path / "long.csv", rows)
    (tmp_path / "mapping.yaml").write_text(
        "table: long\n"
        "fields: {rater: Who, case: Clip, method: System, question: Q, rating: Mark}\n",
        encoding="utf-8",
    )
    answers = tmp_path / "answers.csv"
    run = CliRunner().invoke
    arguments = ["study", "import", str(table), "--mapping", str(tmp_path / "mapping.yaml")]
    done = run(main, [*arguments, "-o", str(answers)])
    assert done.exit_code == 0, done.output
    assert len(read_answers(answers)) == 6
    assert run(main, ["study", "score", str(answers)]).exit_code == 0
    onto_itself = run(main, ["study", "import", str(table), "-o", str(table)])
    assert onto_itself.exit_code == 2
    assert "one of the tables to read" in onto_itself.output
    nowhere = run(main, arguments)
    assert nowhere.exit_code == 2
    assert "-o answers.csv" in nowhere.output


def test_the_error_for_a_missing_mapping_says_how_to_get_one(tmp_path: Path) -> None:
    path = written(tmp_path / "form.csv", [["Timestamp", "Clip 1"], ["2026/1/31 14:05", "4"]])
    (line,) = error_lines(path)
    assert "does not have the columns rater, dataset, case, method" in line
    assert "--mapping-template" in line
    own = [
        ["rater", "case", "method", "question", "rating", "age"],
        ["r", "c", "m", "q", "3", "30"],
    ]
    (line,) = error_lines(written(tmp_path / "own.csv", own))
    assert "row 1, column age: unknown" in line


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_the_template_detects_the_encoding_of_a_csv(
    tmp_path: Path, study: Study, encoding: str
) -> None:
    header = ["序号", "来自IP", f"视频 {FIRST}：视觉质量", f"视频 {HIDDEN}：同步准确度"]
    path = written(tmp_path / "wjx.csv", [header, ["1", "1.2.3.4", "4", "5"]], encoding)
    mapping = tmp_path / "mapping.yaml"
    template = ["study", "import", str(path), "--mapping-template", str(mapping)]
    found = import_answers([path], mapping=proposed(path, study), study=study)
    assert [(one.rater, one.rating) for one in found.answers] == [("1", 4), ("1", 5)]
    assert [one.question for one in found.answers] == ["visual_quality", "sync_accuracy"]
    assert CliRunner().invoke(main, template).exit_code == 0


def test_the_template_finds_the_sheet_and_the_header(tmp_path: Path, study: Study) -> None:
    rows = [[], ["Our study"], ["Name", f"{FIRST} Sync accuracy"], ["ann", 4]]
    path = workbook(tmp_path / "form.xlsx", {"Answers": rows, "Notes": [["x"]]})
    text = template_for(path, study).text
    assert '\nsheet: "Answers"\n' in text
    assert "\nheader_row: 3\n" in text  # a title alone in its row names no columns
    found = import_answers([path], mapping=proposed(path, study), study=study)
    assert [one.rating for one in found.answers] == [4]


def test_cells_in_a_column_without_a_name_are_not_times(tmp_path: Path, study: Study) -> None:
    rows = [[f"Video {FIRST} [Sync accuracy]", ""], ["4", "soon"]]
    lines = error_lines(written(tmp_path / "form.csv", rows), FORM, study)
    assert not [line for line in lines if "date" in line]
    assert lines


def test_a_pattern_that_does_not_find_enough_is_reported_once_per_column(
    tmp_path: Path, study: Study
) -> None:
    header = [f"{FIRST} | ", f"{FIRST} | sync_accuracy judged"]
    path = written(tmp_path / "form.csv", [header, ["1", "2"]])
    pattern = r"(?P<item>\w+) \|(?: (?P<question>\w+))?(?: (?P<role>\w+))?"
    lines = error_lines(path, ColumnMapping(pattern=pattern), study)
    assert len(lines) == 2
    assert "name its question" in lines[0]
    assert "'judged' is not one of rated, truth, low" in lines[1]


def test_videos_and_questions_are_found_by_all_their_names_in_the_study(
    tmp_path: Path, study: Study
) -> None:
    texts = {q.name: q.text["en"] for q in study.questionnaire.questions}
    header = [
        f"{FIRST} | Sync accuracy",
        f"x.mp4 | {texts['visual_quality']}",
        "z | 整体印象",
        "Video 2 | sync_accuracy",
    ]
    path = written(tmp_path / "form.csv", [header, ["1", "2", "3", "4"]])
    mapping = ColumnMapping(pattern=r"(?P<item>.+) \| (?P<question>.+)", names={"Video 2": SECOND})
    found = import_answers([path], mapping=mapping, study=study)
    assert [(one.method, one.question, one.rating) for one in found.answers] == [
        ("wav2lip", "sync_accuracy", 1),
        ("wav2lip", "visual_quality", 2),
        ("truth", "overall_impression", 3),
        ("copycat", "sync_accuracy", 4),
    ]


def test_a_video_shown_as_practice_too_means_the_rated_one_unless_its_role_is_given(
    tmp_path: Path, study: Study
) -> None:
    practice = Item("e5d7", "CLR", "s01", "copycat", "training", "q.mp4", 2.0)
    items = {**study.design.items, practice.code: practice}
    both = replace(study, design=replace(study.design, items=items))
    header = ["rater", "case", "method", "question", "rating", "role"]
    rows = [
        header,
        ["ann", "s01", "copycat", "sync_accuracy", "3", ""],
        ["ann", "s01", "copycat", "sync_accuracy", "4", "training"],
        ["ann", "s03", "copycat", "sync_accuracy", "5", ""],
    ]
    path = written(tmp_path / "long.csv", rows)
    found = import_answers([path], mapping=ColumnMapping(table="long"), study=both)
    assert [(one.role, one.rating) for one in found.answers] == [
        ("rated", 3),
        ("training", 4),
        ("training", 5),
    ]


def test_bad_questions_and_videos_are_reported_with_their_columns(
    tmp_path: Path, study: Study
) -> None:
    rows = [
        ["rater", "case", "method", "question", "rating", "at"],
        ["ann", "s01", "wav2lop", "Beauty", "3", "1/2/2026"],
        ["bob", "s01", "wav2lip", "Sync accuracy", "3", "2/2/2026"],
    ]
    lines = error_lines(written(tmp_path / "long.csv", rows), ColumnMapping(table="long"), study)
    assert any("row 2, column question: 'Beauty' is not one of" in line for line in lines)
    assert any("row 2, column method: 's01 wav2lop' is not a video" in line for line in lines)
    assert any(
        "rows 2-3, column at: not a readable time, for example '1/2/2026'" in line for line in lines
    )
    assert len(lines) == 3
