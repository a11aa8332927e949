"""Making a study: a balanced design, blind copies, and helpful errors."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from dataclasses import replace
from itertools import product
from pathlib import Path

import av
import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import media
from bench.command.cli import main
from bench.ground.errors import BenchError
from bench.study.ask.pages import read_words
from bench.study.balance import Balance, rater_pages
from bench.study.blinding import RETURNED, Design, read_design, read_returned
from bench.study.folder import open_study
from bench.study.make.finished_videos import finished_videos
from bench.study.make.new_study import NewStudy, invite, new_study
from bench.study.make.selection import StudyOptions
from tests.fixtures_run import COMPETITORS, CONTROLS, FakeRun, build_run
from tests.small_media import moving_frames, tone


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three competitors and four controls on six clips of three speakers, one failed."""
    fake = FakeRun(
        speakers=3, clips_each=2, videos=True, failing=[("wav2lip", "s02_001")], texts=("hello",)
    )
    return build_run(tmp_path_factory.mktemp("runs") / "clr", fake)


@pytest.fixture(scope="module")
def design(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Design:
    """A study of four cases for six raters."""
    folder = tmp_path_factory.mktemp("studies") / "clr"
    return new_study([run], folder, StudyOptions(cases=4, raters=6, checks=2, seed=3)).design


# ---- balance --------------------------------------------------------------------------------


@st.composite
def balances(draw: st.DrawFn, *, compared: bool) -> Balance:
    methods = draw(st.integers(2, 9))
    cases = draw(st.integers(1, 12))
    width = draw(st.integers(2, methods)) if compared else 1
    units = draw(st.integers(1, cases if compared else methods * cases))
    return Balance(methods, cases, units * width, width, draw(st.integers(0, 1000)))


def spread_of(counts: Counter[object], everything: object) -> int:
    """The largest count minus the smallest; what never occurs counts as 0."""
    numbers = [counts[one] for one in everything]  # type: ignore[attr-defined]
    return max(numbers) - min(numbers)


@settings(max_examples=25, deadline=None)
@given(balances(compared=False), st.integers(1, 10))
def test_single_videos_are_distributed_evenly(balance: Balance, raters: int) -> None:
    cells: Counter[object] = Counter()
    methods: Counter[object] = Counter()
    for rater in range(raters):
        pages = rater_pages(balance, rater)
        assert all(len(page) == 1 for page in pages)
        own = [page[0] for page in pages]
        assert len(own) == balance.per_rater == len(set(own))
        assert spread_of(Counter(method for _, method in own), range(balance.methods)) <= 1
        assert spread_of(Counter(case for case, _ in own), range(balance.cases)) <= 2
        cells.update(own)
        methods.update(method for _, method in own)
    assert spread_of(cells, product(range(balance.cases), range(balance.methods))) <= 1
    assert spread_of(methods, range(balance.methods)) <= 1


@settings(max_examples=25, deadline=None)
@given(balances(compared=True), st.integers(1, 10))
def test_videos_on_a_page_show_one_case_and_are_distributed_evenly(
    balance: Balance, raters: int
) -> None:
    methods: Counter[object] = Counter()
    cells: Counter[object] = Counter()
    for rater in range(raters):
        pages = rater_pages(balance, rater)
        assert {len(page) for page in pages} == {balance.per_page}
        assert all(len({case for case, _ in page}) == 1 for page in pages)
        assert len({page[0][0] for page in pages}) == len(pages)
        own = [cell for page in pages for cell in page]
        assert len(own) == balance.per_rater == len(set(own))
        assert spread_of(Counter(method for _, method in own), range(balance.methods)) <= 2
        methods.update(method for _, method in own)
        cells.update(own)
    assert spread_of(methods, range(balance.methods)) <= 1
    everything = product(range(balance.cases), range(balance.methods))
    assert spread_of(cells, everything) <= balance.per_page


@settings(max_examples=25, deadline=None)
@given(balances(compared=False), st.integers(0, 3))
def test_in_each_group_of_raters_every_method_occurs_once_at_every_position(
    balance: Balance, group: int
) -> None:
    size = balance.methods
    sessions = [rater_pages(balance, group * size + row) for row in range(size)]
    for place in range(balance.per_rater // size * size):
        assert sorted(session[place][0][1] for session in sessions) == list(range(size))


def test_as_many_videos_as_cases_make_a_latin_square() -> None:
    balance = Balance(methods=4, cases=8, per_rater=8, per_page=1, seed=0)
    rows = [dict(page[0] for page in rater_pages(balance, rater)) for rater in range(4)]
    assert all(sorted(row) == list(range(8)) for row in rows)
    assert all(sorted(row[case] for row in rows) == list(range(4)) for case in range(8))


def test_all_pairs_of_methods_meet_about_equally_often_on_pages_of_half_of_them() -> None:
    balance = Balance(methods=4, cases=6, per_rater=12, per_page=2, seed=0)
    pages = [page for rater in range(24) for page in rater_pages(balance, rater)]
    pairs = Counter(frozenset(method for _, method in page) for page in pages)
    assert len(pairs) == 6
    assert max(pairs.values()) <= 2 * min(pairs.values()), pairs


def test_order_depends_on_the_seed_and_differs_between_raters() -> None:
    balance = Balance(methods=5, cases=5, per_rater=25, per_page=1, seed=7)
    assert rater_pages(balance, 0) == rater_pages(balance, 0)
    assert rater_pages(balance, 0) != rater_pages(Balance(5, 5, 25, 1, 8), 0)
    orders = {tuple(page[0][1] for page in rater_pages(balance, rater)) for rater in range(10)}
    assert len(orders) == 10


# ---- the design -----------------------------------------------------------------------------


def test_a_session_starts_with_practice_and_mixes_checks_into_rated_videos(design: Design) -> None:
    for session in design.sessions.values():
        roles = [design.items[code].role for page in session for code in page]
        assert roles[:2] == ["training", "training"]
        assert roles[2] == "rated"
        assert Counter(roles) == {"training": 2, "rated": 12, "truth": 2, "low": 2}
        assert len(set(session)) == len(session)


def test_only_competitors_are_rated_and_the_failed_case_is_left_out(design: Design) -> None:
    rated = {item.method for item in design.items.values() if item.role == "rated"}
    assert rated == {"wav2lip", "copycat", "M-CSAWav2Lip"} == set(design.plan.methods)
    assert ("CLR", "s02_001") not in design.plan.cases
    by_role = {item.role: item.method for item in design.items.values() if item.role != "rated"}
    assert (by_role["truth"], by_role["low"]) == ("truth", "mismatched")


def test_cases_are_spread_over_speakers(run: Path, tmp_path: Path) -> None:
    design = new_study([run], tmp_path / "study", StudyOptions(cases=3, raters=1)).design
    assert sorted(case[:3] for _, case in design.plan.cases) == ["s00", "s01", "s02"]


def test_practice_and_examples_use_other_cases_than_the_rated_ones(
    run: Path, tmp_path: Path
) -> None:
    design = new_study([run], tmp_path / "study", StudyOptions(cases=2, raters=1)).design
    practised = {item.case for item in design.items.values() if item.role == "training"}
    assert not practised & {case for _, case in design.plan.cases}
    assert [example.shows for example in design.examples] == ["truth", "mismatched"]


def test_codes_and_file_names_reveal_nothing_and_differ_between_studies(
    run: Path, tmp_path: Path
) -> None:
    options = StudyOptions(cases=2, raters=2)
    first = new_study([run], tmp_path / "a", options).design
    second = new_study([run], tmp_path / "b", options).design
    names = {item.video for item in first.items.values()}
    assert all(re.fullmatch(r"[0-9a-f]{24}\.mp4", name) for name in names)
    assert all(re.fullmatch(r"[0-9a-f]{12}", code) for code in first.items)
    assert not names & {item.video for item in second.items.values()}
    files = sorted((tmp_path / "a" / "videos").iterdir())
    assert {path.name for path in files} == names | {example.video for example in first.examples}
    assert {path.stat().st_mtime for path in files} == {0.0}

    def shares(design: Design) -> list[list[tuple[str, str, str]]]:
        return [
            [(i.case, i.method, i.role) for page in session for i in [design.items[page[0]]]]
            for session in design.sessions.values()
        ]

    assert shares(first) == shares(second)  # the seed alone decides who sees what


def test_side_by_side_pages_and_their_checks_show_one_case(run: Path, tmp_path: Path) -> None:
    options = StudyOptions(layout="side_by_side", cases=4, raters=4, checks=1)
    design = new_study([run], tmp_path / "study", options).design
    for session in design.sessions.values():
        pages = [[design.items[code] for code in page] for page in session]
        assert [len(page) for page in pages[:2]] == [1, 1]
        assert sum(len(page) for page in pages[2:]) == 12 + 2
        assert all(len({item.case for item in page}) == 1 for page in pages)


def test_invited_raters_are_added_and_the_others_keep_their_sessions(
    run: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "study"
    before = new_study([run], folder, StudyOptions(cases=2, raters=3)).design
    after = invite(folder, 2)
    assert list(after.sessions) == ["r01", "r02", "r03", "r04", "r05"]
    assert read_design(folder) == after
    assert {name: after.sessions[name] for name in before.sessions} == before.sessions
    at_once = new_study([run], tmp_path / "other", StudyOptions(cases=2, raters=5)).design
    order = [
        [i.method for page in s for i in [at_once.items[page[0]]]]
        for s in at_once.sessions.values()
    ]
    assert order == [
        [i.method for page in s for i in [after.items[page[0]]]] for s in after.sessions.values()
    ]


def test_only_the_owner_may_enter_the_folder(run: Path, tmp_path: Path) -> None:
    new_study([run], tmp_path / "study", StudyOptions(cases=1, raters=1))
    assert (tmp_path / "study").stat().st_mode & 0o077 == 0
    assert (tmp_path / "study" / "secret").stat().st_mode & 0o077 == 0


# ---- attention checks -----------------------------------------------------------------------


def checks_note(made: NewStudy) -> str:
    """The study's note on too few checks; empty if there are enough."""
    notes = [note for note in made.notes if "--checks" in note]
    assert len(notes) <= 1
    assert not any("\n" in note for note in notes)
    return notes[0] if notes else ""


def checks_seen(design: Design) -> set[tuple[int, int]]:
    """The different pairs (hidden references, low anchors) that raters get."""
    sessions = [
        [design.items[code] for page in s for code in page] for s in design.sessions.values()
    ]
    roles = [Counter(item.role for item in session) for session in sessions]
    return {(one["truth"], one["low"]) for one in roles}


def test_a_note_reports_fewer_cases_than_checks_and_its_advice_helps(
    run: Path, tmp_path: Path
) -> None:
    made = new_study([run], tmp_path / "few", StudyOptions(cases=2, raters=3, checks=4))
    assert checks_note(made) == (
        "--checks 4 asks for 4 hidden references and 4 low anchors per rater, but only 2 and 2 are "
        "available. For more hidden references and low anchors: rate more cases (each gives one). "
        "Or ask for fewer: --checks 2."
    )
    assert checks_seen(made.design) == {(2, 2)}
    more = new_study([run], tmp_path / "more", StudyOptions(cases=4, raters=3, checks=4))
    assert (checks_note(more), checks_seen(more.design)) == ("", {(4, 4)})
    fewer = new_study([run], tmp_path / "fewer", StudyOptions(cases=2, raters=3, checks=2))
    assert (checks_note(fewer), checks_seen(fewer.design)) == ("", {(2, 2)})


def test_a_note_reports_a_missing_control_and_another_run_with_it_helps(tmp_path: Path) -> None:
    truth, still, mismatched = (CONTROLS[place] for place in (0, 1, 3))
    small = FakeRun(speakers=3, clips_each=1, videos=True)
    lame = replace(small, methods=(still, *COMPETITORS), failing=[("still", "s01_000")])
    first = build_run(tmp_path / "first", lame)
    made = new_study([first], tmp_path / "study", StudyOptions(raters=2, checks=3))
    assert (
        "but only 0 and 2 are available. For more hidden references: add a run with the control "
        "truth on the rated cases. For more low anchors: add a run with the control still on the "
        "rated cases."
    ) in checks_note(made)
    assert checks_seen(made.design) == {(0, 2)}
    second = build_run(tmp_path / "second", replace(small, methods=(truth, mismatched)))
    helped = new_study([first, second], tmp_path / "again", StudyOptions(raters=2, checks=3))
    assert (checks_note(helped), checks_seen(helped.design)) == ("", {(3, 3)})


def test_a_note_says_that_a_rated_control_cannot_be_a_check(run: Path, tmp_path: Path) -> None:
    options = StudyOptions(cases=3, raters=2, methods=("truth", "wav2lip"))
    made = new_study([run], tmp_path / "study", options)
    advice = "For more hidden references: leave the control truth out of --methods."
    assert advice in checks_note(made)
    assert checks_seen(made.design) == {(0, 2)}


def test_checks_of_cross_studies_come_from_reconstruct_cases(tmp_path: Path) -> None:
    failing = [("truth", "s00_000"), ("truth", "s01_000")]
    fake = FakeRun(speakers=3, clips_each=1, videos=True, failing=failing)
    cross = build_run(tmp_path / "run", fake)
    made = new_study([cross], tmp_path / "study", StudyOptions(kind="cross", raters=2))
    assert (
        "but only 1 and 3 are available. For more hidden references: add a run with the control "
        "truth on more reconstruct cases. Or ask for fewer: --checks 1."
    ) in checks_note(made)
    assert checks_seen(made.design) == {(1, 2)}


# ---- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            StudyOptions(methods=("wav2lpi",)),
            "--methods: the runs have no method 'wav2lpi'. Did you mean",
        ),
        (StudyOptions(methods=("copycat", "copycat")), "--methods: names a method twice"),
        (StudyOptions(cases=("nobody",)), "--cases: no case 'nobody'"),
        (StudyOptions(cases=6), "--cases: 6, but only 5 cases have"),
        (StudyOptions(cases=0), "--cases: 0; expected 1 to 5"),
        (StudyOptions(cases=("s00_000", "s00_000")), "--cases: names a case twice"),
        (StudyOptions(cases=2, per_rater=7), "--per-rater: 7; expected at most 6"),
        (
            StudyOptions(cases=2, layout="side_by_side", per_page=2, per_rater=3),
            "--per-rater: 3; expected at most 4, a multiple of 2",
        ),
        (StudyOptions(layout="side_by_side", per_page=4), "--per-page: 4; expected 2 to 3"),
        (
            StudyOptions(kind="cross", methods=("truth",)),
            "no cross case has a video of every method",
        ),
    ],
)
def test_errors_for_impossible_options_name_the_option(
    run: Path, tmp_path: Path, options: StudyOptions, says: str
) -> None:
    with pytest.raises(BenchError, match=re.escape(says)):
        new_study([run], tmp_path / "study", options)
    assert list(tmp_path.glob("*study*")) == []


def test_an_existing_folder_is_left_alone(run: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="already exists"):
        new_study([run], tmp_path, StudyOptions())


def test_two_runs_with_different_videos_of_one_method_are_refused(
    run: Path, tmp_path: Path
) -> None:
    other = build_run(tmp_path / "other", FakeRun(speakers=3, clips_each=2, videos=True))
    assert len(finished_videos([run, other])) > len(finished_videos([run]))
    lines = (other / "generations.jsonl").read_text(encoding="utf-8")
    changed = re.sub(r'"sha256": "([0-9a-f]{64})"', '"sha256": "00"', lines)
    (other / "generations.jsonl").write_text(changed, encoding="utf-8")
    with pytest.raises(BenchError, match="a different video of the same method and case"):
        finished_videos([run, other])


def test_a_damaged_video_is_not_shown_to_raters(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", FakeRun(speakers=2, clips_each=1, videos=True))
    for video in finished_videos([run]):
        content = bytearray(video.path.read_bytes())
        content[-500] ^= 1
        video.path.write_bytes(content)
    with pytest.raises(BenchError, match="is damaged"):
        new_study([run], tmp_path / "study", StudyOptions())


def test_the_error_for_a_folder_that_is_not_a_run_names_it(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="bench run CONFIG"):
        finished_videos([tmp_path])


# ---- study.yaml -----------------------------------------------------------------------------


def test_given_questions_and_languages_are_in_study_yaml(run: Path, tmp_path: Path) -> None:
    text = {"en": "Would you believe it?"}
    own = {
        "name": "belief",
        "title": text,
        "text": text,
        "low": {"en": "no"},
        "high": {"en": "yes"},
    }
    (tmp_path / "own.yaml").write_text(yaml.safe_dump({"questions": [own]}), encoding="utf-8")
    folder = tmp_path / "study"
    options = StudyOptions(cases=1, raters=1, questions=tmp_path / "own.yaml", languages=("en",))
    new_study([run], folder, options)
    study = open_study(folder)
    assert study.questions == ("belief",)
    assert study.questionnaire.languages == ("en",)


@pytest.fixture(scope="module")
def smallest(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of one case for one rater, to be copied."""
    folder = tmp_path_factory.mktemp("smallest") / "study"
    new_study([run], folder, StudyOptions(cases=1, raters=1))
    return folder


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("languages: [en, zh]", "languages: [en, fr]", "languages[1]"),
        ("layout: single", "layout: side_by_side", "the design was drawn for single"),
        ("comments: true", "coments: true", "Did you mean 'comments'"),
        ("name: visual_quality", "name: sync_accuracy", "names must differ"),
        ("zh: 嘴唇的动作与语音是否同步？", "", "questions[0].text: no text in zh"),
        ("name: visual_quality", "name: Visual quality!", "questions[1].name"),
    ],
)
def test_errors_in_study_yaml_name_the_key(
    smallest: Path, tmp_path: Path, old: str, new: str, says: str
) -> None:
    folder = tmp_path / "study"
    shutil.copytree(smallest, folder)
    path = folder / "study.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(BenchError, match=re.escape(says)):
        open_study(folder)


def test_both_languages_have_the_same_words_and_places() -> None:
    english, chinese = read_words("en"), read_words("zh")
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert re.findall(r"{\w+}", text) or not re.findall(r"{\w+}", chinese[key])
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", chinese[key])), key


# ---- blind copies ---------------------------------------------------------------------------


def coding(path: Path) -> dict[str, object]:
    """Everything that ffprobe reports on a file's encoding, without its content."""
    with av.open(str(path)) as file:
        found: dict[str, object] = {"format": file.format.name, "tags": dict(file.metadata)}
        for stream in file.streams:
            context = stream.codec_context
            found[stream.type] = {
                "codec": (context.name, context.profile, context.extradata),
                "tags": (dict(stream.metadata), stream.time_base, stream.start_time),
                "sizes": (stream.frames, stream.duration),
                "setting": (context.pix_fmt, stream.average_rate)
                if stream.type == "video"
                else (context.sample_rate, context.layout.name, context.format.name),
            }
        video = file.streams.video[0]
        found["packets"] = [(p.pts, p.dts, p.is_keyframe) for p in file.demux(video) if p.size]
    with av.open(str(path)) as file:
        pictures = list(file.decode(video=0))
        found["pictures"] = [(int(p.pict_type), p.key_frame, p.interlaced_frame) for p in pictures]
        found["colours"] = {(int(p.colorspace), int(p.color_range)) for p in pictures}
    data = path.read_bytes()
    found["boxes"] = [name for name in (b"udta", b"elst", b"ctts", b"stss") if name in data]
    return found


def coded_otherwise(path: Path, frames: np.ndarray, options: dict[str, str]) -> Path:
    """A video with another encoder's settings, a title, and PCM or AAC sound."""
    with av.open(str(path), "w") as file:
        file.metadata.update({"title": "wav2lip s00_000", "comment": "made by wav2lip"})
        stream = file.add_stream("libx264", rate=25, options=options)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        voice = file.add_stream("aac", rate=16_000)
        voice.codec_context.layout = "mono"
        for frame in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        file.mux(stream.encode(None))
        sound = av.AudioFrame.from_ndarray(tone(1.2)[None], format="s16", layout="mono")
        sound.sample_rate = 16_000
        file.mux(voice.encode(sound))
        file.mux(voice.encode(None))
    return path


def test_copies_are_encoded_alike_whatever_their_sources(tmp_path: Path) -> None:
    """Still or moving, with or without cuts, Baseline or High, with or without B-frames."""
    smooth = moving_frames(30)
    cuts = np.concatenate([smooth[:11], 255 - smooth[11:17], smooth[17:]])
    sources = [tmp_path / "wav2lip.mp4", tmp_path / "truth.mp4"]
    media.write_video(sources[0], smooth, sound=tone(1.2))
    media.write_video(sources[1], np.repeat(smooth[:1], 30, axis=0), sound=tone(1.2), crf=30)
    for name, options in {
        "baseline": {"profile": "baseline", "crf": "20"},
        "reference": {"preset": "veryslow", "crf": "5", "g": "250", "refs": "8"},
        "all": {"g": "1", "crf": "10"},
    }.items():
        sources.append(coded_otherwise(tmp_path / f"{name}.mp4", cuts, options))
    assert len({str(coding(source)) for source in sources}) == len(sources)
    copies = [tmp_path / f"{number}.mp4" for number in range(len(sources))]
    for source, copy in zip(sources, copies, strict=True):
        assert media.copy_anonymous(source, copy) > 38.0
        assert np.abs(media.read_frames(copy).astype(int) - media.read_frames(source)).max() < 60
        assert media.read_sound(copy) is not None
        for trace in (b"wav2lip", b"x264", b"Lavf", b"Lavc"):
            assert trace not in copy.read_bytes()
    first, *others = map(coding, copies)
    assert first["pictures"]
    assert all(other == first for other in others)
    media.pad_alike(copies)
    assert len({copy.stat().st_size for copy in copies}) == 1
    assert [coding(copy) for copy in copies] == [first] * len(copies)
    assert sorted(tmp_path.iterdir()) == sorted(sources + copies)


def test_all_videos_of_a_case_have_one_encoding_file_size_and_date(
    run: Path, tmp_path: Path
) -> None:
    steps: list[tuple[int, int]] = []
    folder = tmp_path / "study"
    made = new_study(
        [run], folder, StudyOptions(cases=2, raters=1), progress=lambda *step: steps.append(step)
    )
    sizes: dict[str, set[int]] = {}
    codings = []
    for item in made.design.items.values():
        path = folder / "videos" / item.video
        sizes.setdefault(item.case, set()).add(path.stat().st_size)
        codings.append(coding(path))
    assert all(len(own) == 1 for own in sizes.values()), sizes
    assert all(one == codings[0] for one in codings)
    videos = len(list((folder / "videos").iterdir()))
    assert steps[-1] == (videos, videos)
    assert any(f"{videos} videos re-encoded with the same settings" in note for note in made.notes)


# ---- files that raters send back ------------------------------------------------------------


def returned(path: Path, *rows: tuple[str, ...]) -> Path:
    lines = [",".join(row) for row in (RETURNED, *rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_returned_file_is_unblinded(design: Design, tmp_path: Path) -> None:
    code = design.sessions["r02"][2][0]
    row = (design.study, "r02", code, "sync_accuracy", "4", "2026-01-01T00:00:00Z", "fine")
    (answer,) = read_returned(returned(tmp_path / "a.csv", row), design, ["sync_accuracy"])
    item = design.items[code]
    assert (answer.rater, answer.rating, answer.comment) == ("r02", 4, "fine")
    assert (answer.case, answer.method, answer.role) == (item.case, item.method, "rated")


def test_errors_list_bad_cells_of_a_returned_file_by_row_and_column(
    design: Design, tmp_path: Path
) -> None:
    good = (design.study, "r01", design.sessions["r01"][2][0], "sync_accuracy", "4", "", "")
    rows = [
        good,
        ("feedbeef", *good[1:]),
        (*good[:1], "r99", *good[2:]),
        (*good[:2], "0" * 12, *good[3:]),
        (*good[:3], "beauty", *good[4:]),
        (*good[:4], "6", *good[5:]),
        good,
        (*good[:5], "soon", ""),
        (*good[:6], "a" * 2001),
    ]
    with pytest.raises(BenchError) as caught:
        read_returned(returned(tmp_path / "a.csv", *rows), design, ["sync_accuracy"])
    lines = str(caught.value).splitlines()
    wanted = [
        ("row 3, column study", "feedbeef"),
        ("row 4, column item", "no rater 'r99'"),
        ("row 5, column item", "r01 was not given the item"),
        ("row 6, column question", "'beauty' is not one of sync_accuracy"),
        ("row 7, column rating", "'6'"),
        ("row 8, column item", "already has an answer to this question"),
        ("row 9, column at", "'soon' is not a time"),
        ("row 10, column comment", "more than 2000 characters"),
    ]
    assert len(lines) == len(wanted)
    for line, (where, what) in zip(lines, wanted, strict=True):
        assert where in line
        assert what in line


def test_a_returned_file_damaged_by_a_spreadsheet_is_refused_with_its_name(
    design: Design, tmp_path: Path
) -> None:
    row = (design.study, "r01", design.sessions["r01"][2][0], "sync_accuracy", "4", "", "很好")
    path = returned(tmp_path / "a.csv", row)
    path.write_bytes(path.read_text(encoding="utf-8").encode("gb18030"))
    with pytest.raises(BenchError, match=r"a\.csv: line 2 is not utf-8"):
        read_returned(path, design, ["sync_accuracy"])
    path = returned(tmp_path / "b.csv", (*row[:6], '"open'))
    with pytest.raises(BenchError, match=r"b\.csv: is not a csv"):
        read_returned(path, design, ["sync_accuracy"])


# ---- the command ----------------------------------------------------------------------------


def test_new_then_invite_print_what_an_organiser_needs(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    runner = CliRunner()
    made = runner.invoke(
        main,
        f"study new {run} -o {folder} --cases s00_000,s01_001 --methods wav2lip,copycat "
        "--raters 2 --checks 0",
    )
    assert made.exit_code == 0, made.output
    assert "2 methods, 2 cases, 2 raters: a rater sees 6 videos (4 count" in made.output
    assert "--checks" not in made.output
    greedy = f"study new {run} -o {tmp_path / 'greedy'} --cases 1 --raters 1 --checks 5"
    assert "--checks 5 asks for 5 hidden references" in runner.invoke(main, greedy).output
    first = runner.invoke(main, ["study", "invite", str(folder)])
    again = runner.invoke(
        main, ["study", "invite", str(folder), "1", "--url", "https://x.example/"]
    )
    assert first.exit_code == again.exit_code == 0
    names = [line.split()[0] for line in again.output.splitlines()]
    assert names == ["organiser", "r01", "r02", "r03"]
    tokens = [line.rsplit("/", 1)[1] for line in again.output.splitlines()]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{32}", token) for token in tokens)
    assert len(set(tokens)) == 4
    assert tokens[:3] == [line.rsplit("/", 1)[1] for line in first.output.splitlines()]
    assert "https://x.example/r/" in again.output
