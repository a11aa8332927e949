"""Proposed mappings for tables of survey sites and other tools, filled in from their content."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.command.cli import main
from bench.ground.errors import BenchError
from bench.study.answers import read_answers
from bench.study.read.importing import Imported, import_answers, template_for
from bench.study.read.mapping import ColumnMapping, read_mapping
from bench.study.read.rating_words import is_blank, rating_in, word_scale
from bench.study.read.survey_time import is_ambiguous_date, order_of, survey_time
from bench.study.read.table_file import read_table
from bench.study.score.scores import read_scores


def table(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(textwrap.dedent(text).lstrip("\n").encode(encoding))
    return path


def by_proposal(path: Path, folder: Path) -> tuple[Imported, ColumnMapping]:
    """The answers that a table gives with its unchanged proposed mapping, and that mapping."""
    (folder / "mapping.yaml").write_text(template_for(path, None).text, encoding="utf-8")
    mapping = read_mapping(folder / "mapping.yaml")
    return import_answers([path], mapping=mapping), mapping


def places(found: Imported) -> list[tuple[str, str, str, str, int]]:
    return [(one.rater, one.case, one.method, one.question, one.rating) for one in found.answers]


# ---- one table of each kind, imported as proposed -------------------------------------------

GOOGLE = """
    时间戳,您的评价 [口型同步],您的评价 [口型同步],您的评价 [画面],您的评价 [画面],备注
    2017/06/14 1:34:49 下午 GMT+8,4,5 - Excellent,３,,不错
    2017/06/15 11:00:00 上午 GMT+8,5分,1,2,非常好(5),
"""
STAR = """
    序号,提交答卷时间,所用时间,来源,来源详情,来自IP,1、您的年龄段,2、视频1—口型同步,3、视频2—口型同步,总分
    1,2024/3/5 15:04:05,95秒,微信,N/A,1.2.3.4(北京),2,4,(跳过),4
    2,2024/3/5 15:14:05,95秒,微信,N/A,1.2.3.4(北京),1,-3,５,5
"""
MUSHRA = """
    session_test_id,age,gender,session_uuid,trial_id,stimuli_rating,stimuli,rating_time
    mos_test,24,female,a1b2,clip1," 4 ",wav2lip,5312
    mos_test,31,male,c3d4,clip1," 5 ",sadtalker,6312
"""
VOICE_MOS = """
    sys64e2f,sys64e2f-utt9c183cd.wav,4,VDP1_1,{}_30-39_r1_Female_Valid_1_No
    sys7ab3c,sys7ab3c-utt1417b69.wav,2,VDP1_2,{}_20-29_r2_Male_Valid_1_No
"""
CROWD = """
    HITId,WorkerId,AcceptTime,SubmitTime,Input.Q0,Input.Q1,Answer.q0,Answer.q1,Answer.3_birth_year
    H1,W1,x,Tue Nov 05 03:14:05 PST 2019,https://x/wav2lip/c1.mp4,https://x/sad/c1.mp4,4,2,1990
    H2,W2,x,Tue Nov 05 03:14:05 PST 2019,https://x/sad/c1.mp4,https://x/wav2lip/c1.mp4,3,5,1991
"""


def test_a_chinese_google_form_with_equal_titles(tmp_path: Path) -> None:
    found, mapping = by_proposal(table(tmp_path / "a.csv", GOOGLE), tmp_path)
    assert places(found) == [
        ("row002", "您的评价", "unknown", "口型同步", 4),
        ("row002", "您的评价 #2", "unknown", "口型同步", 5),
        ("row002", "您的评价", "unknown", "画面", 3),
        ("row003", "您的评价", "unknown", "口型同步", 5),
        ("row003", "您的评价 #2", "unknown", "口型同步", 1),
        ("row003", "您的评价", "unknown", "画面", 2),
        ("row003", "您的评价 #2", "unknown", "画面", 5),
    ]
    assert found.answers[0].at == "2017-06-14T13:34:49+08:00"
    assert found.answers[0].comment == "不错"
    assert [one.zh for one in found.questions] == ["口型同步", "画面"]
    assert mapping.blank == "unanswered"
    assert mapping.ratings == {"5 - Excellent": 5, "5分": 5, "非常好(5)": 5, "３": 3}
    assert any("does not name the method (it is 'unknown')" in note for note in found.notes)


def test_skipped_questions_of_wenjuanxing(tmp_path: Path) -> None:
    found, mapping = by_proposal(table(tmp_path / "a.csv", STAR, "gb18030"), tmp_path)
    assert places(found) == [
        ("1", "视频1", "unknown", "口型同步", 4),
        ("2", "视频2", "unknown", "口型同步", 5),
    ]
    assert set(mapping.unanswered) == {"(跳过)", "-3"}
    assert "1、您的年龄段" in mapping.ignore  # coded from 1, and yet no rating
    assert mapping.encoding == "gb18030"
    assert any("counted as unanswered: 1 cells with '(跳过)'" in note for note in found.notes)
    assert "1.2.3.4" not in repr(found)


def test_webmushra_asks_one_question_in_all_rows(tmp_path: Path) -> None:
    found, mapping = by_proposal(table(tmp_path / "lss.csv", MUSHRA), tmp_path)
    assert places(found) == [
        ("a1b2", "clip1", "wav2lip", "mos_test", 4),
        ("c3d4", "clip1", "sadtalker", "mos_test", 5),
    ]
    assert mapping.constants == {"question": "mos_test"}


def test_voicemos_lists_have_no_header(tmp_path: Path) -> None:
    path = table(tmp_path / "TRAINSET", VOICE_MOS)
    found, mapping = by_proposal(path, tmp_path)
    assert places(found) == [
        ("r1", "utt9c183cd", "sys64e2f", "overall", 4),
        ("r2", "utt1417b69", "sys7ab3c", "overall", 2),
    ]
    assert "30-39" not in repr(found.answers)
    assert mapping.header == ("system", "utterance", "rating", "set", "listener")
    with pytest.raises(BenchError) as caught:
        import_answers([path], mapping=ColumnMapping(table="long"))
    assert "row 1 seems to be an answer, not the names of the columns" in str(caught.value)
    assert 'header: ["system", "utterance", "rating", "set", "listener"]' in str(caught.value)


def test_rows_of_mturk_name_their_own_videos(tmp_path: Path) -> None:
    found, mapping = by_proposal(table(tmp_path / "batch.csv", CROWD), tmp_path)
    assert places(found) == [
        ("rater-01", "c1", "wav2lip", "overall", 4),
        ("rater-01", "c1", "sad", "overall", 2),
        ("rater-02", "c1", "sad", "overall", 3),
        ("rater-02", "c1", "wav2lip", "overall", 5),
    ]
    assert found.answers[0].at == "2019-11-05T03:14:05-08:00"
    assert mapping.anonymous


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (  # the page shuffles: the answer's own address counts, not the input
            """
            WorkerId,Input.q0,Input.q1,Answer.q0,Answer.q0_url,Answer.q1,Answer.q1_url
            W1,h://x/a/c1.mp4,h://x/b/c1.mp4,4,h://x/b/c1.mp4,5,h://x/a/c1.mp4
            """,
            [("b", "overall", 4), ("a", "overall", 5)],
        ),
        (  # several questions about one video
            """
            WorkerId,Input.video_url,Answer.q1,Answer.q2
            W1,h://x/a/c1.mp4?t=1,4,5
            W2,h://x/b/c1.mp4?t=1,3,2
            """,
            [("a", "q1", 4), ("a", "q2", 5), ("b", "q1", 3), ("b", "q2", 2)],
        ),
        (  # P.835: three scales a video
            """
            WorkerId,Input.Q0,Answer.q0_sig,Answer.q0_ovrl
            W1,h://x/a_c1.wav,4,5
            W2,h://x/a_c2.wav,2,3
            """,
            [("a", "sig", 4), ("a", "ovrl", 5), ("a", "sig", 2), ("a", "ovrl", 3)],
        ),
    ],
)
def test_other_result_files_of_mturk(
    tmp_path: Path, text: str, expected: list[tuple[str, str, int]]
) -> None:
    found, _ = by_proposal(table(tmp_path / "a.csv", text), tmp_path)
    assert [(one.method, one.question, one.rating) for one in found.answers] == expected
    assert {one.case for one in found.answers} <= {"c1", "c2"}


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "a.csv",
            """
            wav2lip/c1.mp4,4,anna
            sad/c1.mp4,3,bob
            """,
            [("anna", "c1", "wav2lip", "overall", 4), ("bob", "c1", "sad", "overall", 3)],
        ),
        (
            "a.tsv",
            "r01\twav2lip\tc1\t5\nr02\tsad\tc1\t3\nr03\tsad\tc1\t2\n",
            [
                ("r01", "c1", "wav2lip", "overall", 5),
                ("r02", "c1", "sad", "overall", 3),
                ("r03", "c1", "sad", "overall", 2),
            ],
        ),
        (
            "a.csv",
            """
            系统,视频,评价者,维度,得分
            wav2lip,c1,甲,同步,5分
            """,
            [("甲", "c1", "wav2lip", "同步", 5)],
        ),
        (
            "a.csv",  # as pandas writes it, with a column of row numbers
            """
            ,system,clip,listener,score
            0,wav2lip,c1,l1,4.0
            """,
            [("l1", "c1", "wav2lip", "overall", 4)],
        ),
        (
            "a.csv",
            """
            Name,1,2
            anna,4,5
            """,
            [("row002", "1", "unknown", "overall", 4), ("row002", "2", "unknown", "overall", 5)],
        ),
        (
            "a.csv",
            """
            时间戳,视频1_同步,视频1_画质,视频2_同步,视频2_画质
            2024年3月5日 15:04,非常好,好,一般,差
            """,
            [
                ("row002", "视频1", "unknown", "同步", 5),
                ("row002", "视频1", "unknown", "画质", 4),
                ("row002", "视频2", "unknown", "同步", 3),
                ("row002", "视频2", "unknown", "画质", 2),
            ],
        ),
    ],
)
def test_other_tables(
    tmp_path: Path, name: str, text: str, expected: list[tuple[str, str, str, str, int]]
) -> None:
    found, _ = by_proposal(table(tmp_path / name, text), tmp_path)
    assert places(found) == expected


def test_each_column_of_words_has_its_own_scale_and_remarks_are_not_ratings(tmp_path: Path) -> None:
    text = """
        序号,提交答卷时间,1、视频1的口型与声音同步吗,2、视频2的口型与声音同步吗,3、视频1自然吗,4、您的建议
        1,2024/3/5 15:04:05,非常同步,(跳过),非常自然,很好
        2,2024/3/5 15:14:05,不同步,一般,一般,-
    """
    found, mapping = by_proposal(table(tmp_path / "a.csv", text), tmp_path)
    assert [one.rating for one in found.answers] == [5, 5, 2, 3, 3]
    assert mapping.comment == "4、您的建议"


def test_names_that_end_in_digits_are_not_ratings(tmp_path: Path) -> None:
    text = "Best one,Video 1,Video 2\nVideo 2,4,5\nwav2lip,3,4\n"
    found, mapping = by_proposal(table(tmp_path / "a.csv", text), tmp_path)
    assert mapping.ignore == ("Best one",)
    assert len(found.answers) == 4


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a-1.wav,4.5\nb-1.wav,3.25\n", "'(B)' holds '4.5'. Means and other scales cannot"),
        ("trial_id,rating_stimulus,rating_score\nc1,a,56\nc1,b,88\n", "'rating_score' holds '56'"),
    ],
)
def test_means_and_other_scales_are_reported(tmp_path: Path, text: str, told: str) -> None:
    path = table(tmp_path / "a.csv", text)
    assert any(told in line for line in template_for(path, None).seen)
    with pytest.raises(BenchError, match="no answers"):
        by_proposal(path, tmp_path)


@pytest.mark.parametrize(
    ("dates", "order", "first"),
    [
        (("6/14/2017 13:34:49", "3/5/2017 9:00:00"), "month first", "2017-06-14T13:34:49"),
        (("14/06/2017 13:34:49", "03/05/2017 9:00:00"), "day first", "2017-06-14T13:34:49"),
    ],
)
def test_one_unambiguous_date_settles_the_order_of_all(
    tmp_path: Path, dates: tuple[str, str], order: str, first: str
) -> None:
    text = f"Timestamp,Video 1\n{dates[0]},4\n{dates[1]},5\n"
    found, mapping = by_proposal(table(tmp_path / "a.csv", text), tmp_path)
    assert (mapping.dates, found.answers[0].at) == (order, first)


def test_dates_of_ambiguous_order_are_reported_and_left_to_the_organiser(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "Timestamp,Video 1\n3/5/2024 13:34:49,4\n")
    proposal = template_for(path, None)
    assert any("may have the day or the month first" in line for line in proposal.seen)
    with pytest.raises(BenchError, match="`dates: month first` or `dates: day first`"):
        by_proposal(path, tmp_path)


def test_times_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "Timestamp,Video 1\n下午 9:07:42,4\n")
    found, mapping = by_proposal(path, tmp_path)
    assert mapping.ignore == ("Timestamp",)
    assert found.answers[0].at == ""


@pytest.mark.parametrize(
    "name",
    ["a\u0085b", "a\u2028b", "a: b # c", "'a'", "{a}", "a\\b", "- a", "\x7f", "? 😀", "\ufeffa"],
)
def test_any_name_of_a_column_survives_the_mapping(tmp_path: Path, name: str) -> None:
    path = table(tmp_path / "a.csv", f'Who,"{name}","two\nlines"\nanna,4,5\n')
    found, mapping = by_proposal(path, tmp_path)
    assert name in mapping.columns
    assert "two\nlines" in mapping.columns
    assert [one.rating for one in found.answers] == [4, 5]


# ---- wrong values ---------------------------------------------------------------------------


def test_a_wrong_value_is_reported_once_with_its_count(tmp_path: Path) -> None:
    header = ",".join(f"v{number}" for number in range(40))
    rows = [",".join(["4"] * 40), ",".join(["(跳过)"] * 37 + ["4"] * 3), ",".join(["6"] * 2)]
    path = table(tmp_path / "a.csv", "\n".join([header, *rows]) + "\n")
    video = {"method": "m", "question": "q"}
    columns = {name: {**video, "case": name} for name in header.split(",")}
    with pytest.raises(BenchError) as caught:
        import_answers([path], mapping=ColumnMapping.model_validate({"columns": columns}))
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert "37 cells hold '(跳过)', first in row 3, column v0: it is not a whole number" in lines[0]
    assert "to `unanswered`" in lines[0]
    assert "2 cells hold '6', first in row 4, column v0" in lines[1]
    assert "38 cells are empty, first in row 4, column v10: If raters could skip" in lines[2]


def test_column_names_are_made_unique_whatever_the_header_contains(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "a,a,a #2,,a\n1,2,3,4,5\n")
    assert read_table(path).header == ("a", "a #3", "a #2", "(D)", "a #4")


# ---- titles and order of questions ------------------------------------------------------------


def test_scores_keep_titles_and_order_of_imported_questions(tmp_path: Path) -> None:
    text = """
        Who,Clip,System,Q,Mark
        anna,c1,a,Zeal?,4
        anna,c1,a,Beauty?,3
        bob,c1,a,Beauty?,3
        bob,c1,a,Zeal?,5
    """
    table(tmp_path / "form.csv", text)
    (tmp_path / "mapping.yaml").write_text(
        "table: long\n"
        "fields: {rater: Who, case: Clip, method: System, question: Q, rating: Mark}\n"
        'names: {"Zeal?": zeal, "Beauty?": beauty}\n',
        encoding="utf-8",
    )
    answers = tmp_path / "answers.csv"
    arguments = ["study", "import", str(tmp_path / "form.csv"), "-o", str(answers)]
    done = CliRunner().invoke(main, [*arguments, "--mapping", str(tmp_path / "mapping.yaml")])
    assert done.exit_code == 0, done.output
    assert {one.question for one in read_answers(answers)} == {"zeal", "beauty"}
    done = CliRunner().invoke(main, ["study", "score", str(answers)])
    assert done.exit_code == 0, done.output
    asked = read_scores(tmp_path / "answers.scores.json").questions
    assert [(one.name, one.en) for one in asked] == [("zeal", "Zeal?"), ("beauty", "Beauty?")]
    beside = tmp_path / "answers.questions.json"
    beside.unlink()  # then they go by the csv's own order
    assert CliRunner().invoke(main, ["study", "score", str(answers)]).exit_code == 0
    asked = read_scores(tmp_path / "answers.scores.json").questions
    assert [one.name for one in asked] == ["zeal", "beauty"]
    beside.write_text('{"zeal": 1}', encoding="utf-8")
    done = CliRunner().invoke(main, ["study", "score", str(answers)])
    assert done.exit_code == 2
    assert "answers.questions.json: is not a list of questions" in done.output


def test_the_command_prints_its_findings(tmp_path: Path) -> None:
    path = table(tmp_path / "star.csv", STAR)
    mapping = tmp_path / "m.yaml"
    done = CliRunner().invoke(
        main, ["study", "import", str(path), "--mapping-template", str(mapping)]
    )
    assert done.exit_code == 0, done.output
    assert "1 cell holds '(跳过)': counted as unanswered" in done.output
    done = CliRunner().invoke(
        main,
        ["study", "import", str(path), "--mapping", str(mapping), "-o", str(tmp_path / "o.csv")],
    )
    assert done.exit_code == 0, done.output
    assert len(read_answers(tmp_path / "o.csv")) == 2


# ---- pieces -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2017/06/14 1:34:49 下午 GMT+8", "2017-06-14T13:34:49+08:00"),
        ("2024/03/05 15:04:05 GMT+5:30", "2024-03-05T15:04:05+05:30"),
        ("2024/03/05 15:04:05 GMT-3:30", "2024-03-05T15:04:05-03:30"),
        ("2024-03-05 15:04:05 +0530", "2024-03-05T15:04:05+05:30"),
        ("2024/3/5 15:04 UTC+08:00", "2024-03-05T15:04:00+08:00"),
        ("2024-03-05T15:04:05.123Z", "2024-03-05T15:04:05+00:00"),
        ("2024/3/5 3:04:05 pm", "2024-03-05T15:04:05"),
        ("2024/3/5 3:04:05 p.m. GMT+8", "2024-03-05T15:04:05+08:00"),
        ("2024/3/5 12:00:00 AM", "2024-03-05T00:00:00"),
        ("2024/3/5 12:00:00 PM", "2024-03-05T12:00:00"),
        ("2024/3/5 下午 9:07:42", "2024-03-05T21:07:42"),
        ("2024/3/5 上午9:07", "2024-03-05T09:07:00"),
        ("2024/3/5 12:30 上午", "2024-03-05T00:30:00"),
        ("2024年3月5日 15:04", "2024-03-05T15:04:00"),
        ("2024年3月5日 下午3时04分05秒", "2024-03-05T15:04:05"),
        ("２０２４／３／５　１５：０４", "2024-03-05T15:04:00"),
        ("6/14/2017 1:34:49 PM", "2017-06-14T13:34:49"),
        ("14.06.2017 13:34", "2017-06-14T13:34:00"),
        ("45356.627835", "2024-03-05T15:04:05"),
        ("1709622245", "2024-03-05T07:04:05+00:00"),
        ("1709622245123", "2024-03-05T07:04:05+00:00"),
        ("Tue Nov 05 03:14:05 PST 2019", "2019-11-05T03:14:05-08:00"),
        ("Tue Nov 05 03:14:05 CST 2019", "2019-11-05T03:14:05"),  # Chicago's or China's
    ],
)
def test_times_are_read(text: str, expected: str) -> None:
    moment = survey_time(text)
    assert moment is not None
    assert moment.isoformat() == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "5", "1.2", "soon", "下午 9:07:42", "2024/3/5", "2024/13/5 10:00", "2024/2/30 10:00"),
        *("2024/3/5 13:00 AM", "2024/3/5 25:00", "2024/3/5 晚上 12:10", "3/5/2024 10:00"),
        *("13/13/2024 10:00", "2024/3/5 上午 9:00 PM", "99999999999999999999"),
    ],
)
def test_ambiguous_or_incomplete_times_are_not_guessed(text: str) -> None:
    assert survey_time(text) is None


def test_the_order_of_dates_follows_from_all_of_them() -> None:
    assert is_ambiguous_date("3/5/2024 10:00")
    assert not is_ambiguous_date("13/5/2024 10:00")
    assert not is_ambiguous_date("soon")
    assert order_of(["3/5/2024 10:00"]) is None
    assert order_of(["3/5/2024 10:00", "5/13/2024 10:00"]) == "month first"
    assert order_of(["13/5/2024 10:00", "5/13/2024 10:00"]) is None


@pytest.mark.parametrize(
    ("text", "rating"),
    [
        *(("5分", 5), ("５", 5), ("非常好(5)", 5), ("5 - Excellent", 5), ("5.0", 5), ("4/5", 4)),
        *(("1-非常差", 1), ("很好（4）", 4), ("3 out of 5", 3), ("(2) Poor", 2), ("4星", 4)),
        *(("★★☆☆☆", 2), ("⭐⭐⭐⭐⭐", 5), ("四分", 4), ("☆☆☆☆☆", None)),
        *(("0", None), ("6", None), ("-3", None), ("4.5", None), ("wav2lip", None), ("c1", None)),
        *(("Video 3", None), ("10", None), ("", None), ("4-5", None), ("rater01", None)),
    ],
)
def test_the_digit_of_a_rating(text: str, rating: int | None) -> None:
    assert rating_in(text) == rating


def test_words_are_ratings_only_if_all_belong_to_one_scale() -> None:
    assert word_scale(["Excellent", "poor"])["excellent"] == 5
    assert word_scale(["非常同步", "一般"])["一般"] == 3
    assert word_scale(["excellent", "nice"]) == {}
    assert word_scale([]) == {}
    assert word_scale(["bad"]) == {}  # 1 of P.800's, 2 where there is "very bad"


def test_blanks() -> None:
    for text in ("(跳过)", "（跳过）", "(空)", "N/A", "-", "—", "Skipped"):
        assert is_blank(text, coded=False), text
    assert is_blank("-3", coded=True)
    assert not is_blank("-3", coded=False)
    assert not is_blank("3", coded=True)


# ---- shared tables ----------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gf.csv", [("row002", 4), ("row002", 5)]),
        ("t.csv", [("row002", 4)]),
        ("wjx.csv", [("1", 4), ("2", 5)]),
        ("lss.csv", [("a1b2", 4), ("a1b2", 2), ("c3d4", 5), ("c3d4", 3)]),
        ("bvcc.csv", [("r1", 4), ("r2", 5), ("r1", 3), ("r2", 2)]),
        ("p808.csv", [("rater-01", 4), ("rater-01", 2), ("rater-02", 3), ("rater-02", 5)]),
    ],
)
def test_the_shared_tables(
    shared: Path, tmp_path: Path, name: str, expected: list[tuple[str, int]]
) -> None:
    found, _ = by_proposal(shared / "cases" / "answers" / name, tmp_path)
    assert [(one.rater, one.rating) for one in found.answers] == expected
    times = {"gf.csv": "2017-06-14T13:34:49+08:00", "t.csv": "2024-03-05T15:04:05+05:30"}
    if name in times:
        assert found.answers[0].at == times[name]
