"""The report beside its tables: faces, pairs, cases, speakers, time, the paper's columns."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.files.digests import file_sha256
from bench.ground import stats
from reports.comparison import build_table
from reports.drawing import log_scale
from reports.heat_map import Heat, HeatCase, heat_map
from reports.pairwise import compare_pairs
from reports.pictures import GAIN, MOMENTS, Footage, take_evidence
from reports.results import Results, join
from reports.sections.heat import map_heat
from reports.sections.speakers import break_down
from reports.sections.speed import measure_pace
from reports.text import decimals
from reports.words import read_words
from tests.fixtures_run import CONTROLS, SEVEN, FakeMethod, FakeRun, build_report, build_run

TWINS = (FakeMethod("one", psnr=30.0), FakeMethod("two", psnr=30.0), FakeMethod("far", psnr=35.0))


def joined(tmp_path: Path, *fakes: FakeRun) -> Results:
    return join([build_run(tmp_path / f"run{i}", fake) for i, fake in enumerate(fakes)])


def page_of(tmp_path: Path, fake: FakeRun, lang: str = "en") -> str:
    return build_report(tmp_path, fake, lang=lang).read_text(encoding="utf-8")


# ---- faces --------------------------------------------------------------------------------------


def test_faces_come_before_everything_else(tmp_path: Path) -> None:
    page = page_of(tmp_path, FakeRun(speakers=2, clips_each=1, videos=True))
    strip = page[page.index('<section class="faces"') : page.index('<p class="intro">')]
    shown = re.findall(r'<img src="(pictures/\w+\.jpg)" alt="([^"]+): the face', strip)
    names = ["truth", "Wav2Lip (2020)", "copycat", "M-CSAWav2Lip", "still", "shifted", "mismatched"]
    assert [name for _, name in shown] == names
    assert all((tmp_path / "out" / file).is_file() for file, _ in shown)
    assert "case s00_000" in strip
    assert "The rule is fixed, so nobody can choose a flattering frame" in strip


def test_the_strip_takes_the_first_case_that_the_most_methods_have(tmp_path: Path) -> None:
    fake = FakeRun(speakers=2, clips_each=1, videos=True, failing=[("wav2lip", "s00_000")])
    assert "case s01_000" in page_of(tmp_path, fake)


def test_a_method_without_a_video_of_the_case_is_shown_as_failed(tmp_path: Path) -> None:
    failing = [("wav2lip", "s00_000"), ("wav2lip", "s01_000")]
    page = page_of(tmp_path, FakeRun(speakers=2, clips_each=1, videos=True, failing=failing))
    assert '<span class="noface"><strong>failed</strong></span>' in page


def test_without_any_video_there_is_no_strip(tmp_path: Path) -> None:
    assert 'class="faces"' not in page_of(tmp_path, FakeRun(speakers=2, clips_each=1))


def video(path: Path, level: int) -> Path:
    """A second of one grey level."""
    from bench import media

    frames = np.full((25, 64, 64, 3), level, dtype=np.uint8)
    media.write_video(path, frames, sound=np.zeros(16000, dtype=np.int16))
    return path


def footage(one: Path, truth: Path | None = None) -> Footage:
    """A video, and its reference."""
    own = file_sha256(one)
    return Footage(one, own, None, truth, "" if truth is None else file_sha256(truth))


def test_damaged_videos_have_no_pictures_and_are_no_reference(tmp_path: Path) -> None:
    truth = video(tmp_path / "truth.mp4", 100)
    near = video(tmp_path / "near.mp4", 120)
    asked = {"truth": footage(truth), "near": footage(near, truth)}
    content = bytearray(truth.read_bytes())
    content[-500] ^= 1
    truth.write_bytes(content)
    (tmp_path / "pictures").mkdir()
    found = take_evidence(asked, folder=tmp_path / "pictures", before=tmp_path / "none")
    assert set(found) == {"near"}
    assert found["near"].difference == ""


def test_a_difference_is_that_from_the_real_video_times_the_gain(
    tmp_path: Path,
) -> None:
    import cv2

    truth = video(tmp_path / "truth.mp4", 100)
    near = video(tmp_path / "near.mp4", 120)
    far = video(tmp_path / "far.mp4", 220)
    asked = {
        "truth": footage(truth),
        "near": footage(near, truth),
        "far": footage(far, truth),
        "alone": footage(far),
    }
    (tmp_path / "pictures").mkdir()
    found = take_evidence(asked, folder=tmp_path / "pictures", before=tmp_path / "none")
    assert found["truth"].difference == found["alone"].difference == ""
    levels = {}
    for name in ("near", "far"):
        picture = cv2.imread(str(tmp_path / "pictures" / found[name].difference))
        assert picture.shape == (112, 112 * MOMENTS, 3)
        levels[name] = float(picture.mean())
    assert levels["near"] == pytest.approx(20 * GAIN, abs=2 * GAIN)
    assert levels["far"] == pytest.approx(255, abs=2)


def test_videos_of_another_size_or_length_than_the_real_one_have_no_difference(
    tmp_path: Path,
) -> None:
    from bench import media

    truth = video(tmp_path / "truth.mp4", 100)
    other = tmp_path / "other.mp4"
    silence = np.zeros(32000, np.int16)
    media.write_video(other, np.zeros((50, 32, 32, 3), np.uint8), sound=silence)
    (tmp_path / "pictures").mkdir()
    asked = {"other": footage(other, truth)}
    found = take_evidence(asked, folder=tmp_path / "pictures", before=tmp_path / "none")
    assert found["other"].difference == ""
    assert found["other"].strip


def test_case_pages_show_differences_except_for_cross_cases(tmp_path: Path) -> None:
    page_of(tmp_path, FakeRun(speakers=2, clips_each=1, videos=True))
    counts = {
        path.name.rsplit("-", 1)[0]: path.read_text(encoding="utf-8").count('class="difference"')
        for path in (tmp_path / "out/cases").glob("*.html")
    }
    assert counts["CLR-s00-000-s01-000"] in (0, 4)  # `cross` and `probe` share the plain name
    assert counts["CLR-s00-000"] > 0
    pages = [p.read_text(encoding="utf-8") for p in (tmp_path / "out/cases").glob("*.html")]
    cross = [page for page in pages if "No real video of that" in page]
    assert cross
    assert all('class="difference"' not in page for page in cross)


# ---- every two methods --------------------------------------------------------------------------


def test_pairs_are_tested_on_the_same_cases_and_corrected_within_their_column(
    tmp_path: Path,
) -> None:
    results = joined(tmp_path, FakeRun(methods=CONTROLS + TWINS, reference="one"))
    matrices = compare_pairs(build_table(results, results.tables[0]))
    assert [matrix.column.output.name for matrix in matrices] == ["lse_d", "lse_c", "ssim", "psnr"]
    psnr = matrices[3]
    values = {
        label: results.column_values(psnr.dataset, label, psnr.column, kind="reconstruct").values
        for label in psnr.labels
    }
    pairs = [("one", "two"), ("one", "far"), ("two", "far")]
    raw = [
        stats.wilcoxon([values[a][case] - values[b][case] for case in values[a]]) for a, b in pairs
    ]
    assert [psnr.duels[pair].p_value for pair in pairs] == pytest.approx(stats.holm(raw))
    assert not psnr.duels["one", "two"].holds
    assert psnr.duels["far", "one"].holds
    first, back = psnr.duels["far", "one"].difference, psnr.duels["one", "far"].difference
    assert (back.mean, back.low, back.high) == (-first.mean, -first.high, -first.low)
    assert (psnr.n, psnr.n_pairs, psnr.n_held) == (12, 3, 2)


def test_the_matrix_points_at_the_better_method_whatever_the_direction(tmp_path: Path) -> None:
    methods = (*CONTROLS, FakeMethod("good", sync=6.0), FakeMethod("bad", sync=2.0))
    page = page_of(tmp_path, FakeRun(methods=methods, reference="good"))
    for title in ("LSE-D", "LSE-C"):
        (matrix,) = re.findall(rf"<strong>{title}</strong>.*?</table>", page, re.S)
        assert "1 of 1 difference is significant (n = 12 cases)" in matrix
        good, bad = re.findall(r'<tr><th scope="row" class="label">(\w+)</th>(.*?)</tr>', matrix)
        assert good[0] == "good"
        assert "▲" in good[1]
        assert 'class="better"' in good[1]
        assert "▼" in bad[1]


def test_nothing_is_shown_as_valid_by_a_scorer_that_does_not_work(tmp_path: Path) -> None:
    page = page_of(tmp_path, FakeRun(works=False))
    (matrix,) = re.findall(
        r'<div class="matrix"><p class="caption"><strong>LSE-D.*?</div>', page, re.S
    )
    assert "the column is meaningless" in matrix
    assert "<table" not in matrix
    maps = page[page.index('<section id="heat">') : page.index('<section id="worst">')]
    assert "<figcaption>LSE" not in maps
    assert "<figcaption>PSNR" in maps
    with (tmp_path / "out/tables/comparison_paper.csv").open(encoding="utf-8") as file:
        _, *rows = csv.reader(file)
    assert {tuple(row[1:3]) for row in rows} == {("–", "–")}
    assert "would be meaningless" in (tmp_path / "out/tables/comparison_paper.tex").read_text(
        "utf-8"
    )


# ---- the map of cases ---------------------------------------------------------------------------


def cells_of(drawing: str, kind: str) -> int:
    (path,) = re.findall(rf'<path class="{kind}" d="([^"]+)"', drawing) or [""]
    return path.count("M")


def test_the_map_colours_by_distance_and_marks_missing_values() -> None:
    rows = [
        [Heat(1.0), Heat(-1.0), Heat(0.0), Heat(None, "failed")],
        [Heat(5.0), Heat(None, "undefined"), Heat(None, "missing"), Heat(None, "absent")],
    ]
    cases = [HeatCase(f"cases/{i}.html", f"case {i}") for i in range(4)]
    drawn = str(
        heat_map("What?", "1", ["a", "b"], cases, rows, ends=("", ""), sides=("hard", "easy"))
    )
    counts = [cells_of(drawn, f"h{shade}") for shade in range(9)]
    assert counts == [1, 0, 0, 0, 1, 0, 0, 0, 2]
    assert [cells_of(drawn, f"nothing {s}") for s in ("undefined", "missing")] == [1, 1]
    assert drawn.count("<path") == 3 + 3  # cells that are not planned are not drawn
    assert drawn.count("<a href=") == 4


def test_the_map_orders_cases_from_hard_to_easy_and_lists_their_values(tmp_path: Path) -> None:
    results = joined(tmp_path, FakeRun(failing=[("copycat", "s00_000")]))
    table = build_table(results, results.tables[0])
    links = {(link.dataset.name, link.case.id): link for link in reports_links(results)}
    view = map_heat(results, [table], links, read_words("en"))
    psnr = str(view.maps[3].drawing)
    told = re.findall(r"<title>(s\d+_\d+)\n", psnr)
    dataset = results.datasets[0]
    column = next(c for c in results.columns(dataset) if c.name == "psnr.psnr")
    labels = ("wav2lip", "copycat", "M-CSAWav2Lip")
    scores = {
        x: results.column_values(dataset, x, column, kind="reconstruct").values for x in labels
    }
    middle = {
        case: float(np.median([scores[x][case] for x in labels if case in scores[x]]))
        for case in scores["wav2lip"]
    }
    assert told == sorted(middle, key=lambda case: (middle[case], case))
    assert "copycat failed" in psnr
    assert view.states == ("failed", "undefined")


def reports_links(results: Results):
    from reports.case_page import case_links

    return case_links(results)


@pytest.mark.slow
def test_a_map_of_three_hundred_cases_and_twelve_methods_is_small(tmp_path: Path) -> None:
    methods = CONTROLS + SEVEN + (FakeMethod("twelfth", psnr=29.0),)
    methods = tuple(replace(one, kinds=("reconstruct",)) for one in methods)  # what the map shows
    fake = FakeRun(methods=methods, speakers=20, clips_each=15, reference="Wav2Lip")
    results = joined(tmp_path, fake)
    table = build_table(results, results.tables[0])
    links = {(link.dataset.name, link.case.id): link for link in reports_links(results)}
    view = map_heat(results, [table], links, read_words("en"))
    sizes = [len(str(one.drawing).encode()) for one in view.maps]
    assert len(sizes) == 4
    assert max(sizes) < 60_000
    assert view.note == ""  # every case is drawn


# ---- speakers -----------------------------------------------------------------------------------


def test_speakers_have_their_own_means_on_the_shared_cases(tmp_path: Path) -> None:
    fake = FakeRun(failing=[("copycat", "s00_000")])
    results = joined(tmp_path, fake)
    found = break_down(results, [build_table(results, results.tables[0])])
    psnr = next(one for one in found if one.column.name == "psnr.psnr")
    assert dict(psnr.speakers) == {"s00": 2, "s01": 3, "s02": 3, "s03": 3}
    values = results.column_values(psnr.dataset, "wav2lip", psnr.column, kind="reconstruct").values
    own = [values["s00_001"], values["s00_002"]]
    assert psnr.means["s00", "wav2lip"] == pytest.approx(sum(own) / 2)
    page_of(tmp_path, fake)
    with (tmp_path / "out/tables/speakers.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    line = next(
        one
        for one in lines
        if (one["speaker"], one["method"], one["output"]) == ("s00", "wav2lip", "psnr")
    )
    assert float(line["mean"]) == psnr.means["s00", "wav2lip"]
    assert line["n_cases"] == "2"


@pytest.mark.parametrize(("speakers", "clips_each"), [(1, 4), (4, 1)])
def test_one_speaker_or_one_clip_each_has_no_breakdown(
    tmp_path: Path, speakers: int, clips_each: int
) -> None:
    results = joined(tmp_path, FakeRun(speakers=speakers, clips_each=clips_each))
    assert break_down(results, [build_table(results, results.tables[0])]) == []


# ---- time ---------------------------------------------------------------------------------------


def test_pace_is_seconds_of_generation_per_second_of_video(tmp_path: Path) -> None:
    results = joined(tmp_path, FakeRun())
    paces = measure_pace(results, read_words("en"))
    assert set(paces) == {"wav2lip", "copycat", "M-CSAWav2Lip"}
    assert paces["wav2lip"].seconds == pytest.approx(0.5 / (30 / 25))
    assert paces["wav2lip"].n == 36
    page = page_of(tmp_path, FakeRun())
    assert "Measured on: " in page[page.index('<section id="speed">') :]


def test_a_logarithmic_scale_gives_equal_factors_equal_lengths() -> None:
    scale = log_scale([0.1, 1.0, 10.0], 0.0, 100.0)
    assert scale(1.0) - scale(0.1) == pytest.approx(scale(10.0) - scale(1.0))
    assert {0.1, 1.0, 10.0} <= {round(tick, 9) for tick in scale.ticks()}


# ---- files and names ----------------------------------------------------------------------------


def test_the_papers_columns_as_csv_are_plain_numbers(tmp_path: Path) -> None:
    page = page_of(tmp_path, FakeRun())
    assert "comparison_paper.csv" in page
    with (tmp_path / "out/tables/comparison_paper.csv").open(encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    assert [one.rsplit(" ", 2)[-2] for one in head[1:]] == ["LSE-D", "LSE-C", "SSIM", "PSNR"]
    assert all("[synth-zh]" in one for one in head[1:])
    assert [row[0] for row in rows] == ["Real video", "Wav2Lip (2020)", "copycat", "M-CSAWav2Lip"]
    assert all(re.fullmatch(r"-?\d+\.\d{3}", cell) for row in rows[1:] for cell in row[1:])


def test_methods_that_share_a_title_keep_their_labels_beside_it(tmp_path: Path) -> None:
    methods = (
        FakeMethod("wav2lip", label="first", title="Wav2Lip", sync=5.0),
        FakeMethod("wav2lip", label="other", title="Wav2Lip", sync=4.0),
        FakeMethod("copycat", title="The Copycat"),
    )
    results = joined(tmp_path, FakeRun(methods=CONTROLS + methods, reference="first"))
    names = [results.shown(one) for one in ("first", "other", "copycat", "truth", "nobody")]
    assert names == ["Wav2Lip (first)", "Wav2Lip (other)", "The Copycat", "truth", "nobody"]


def test_a_note_on_several_videos_is_shown_once(tmp_path: Path) -> None:
    page_of(tmp_path, FakeRun(speakers=2, clips_each=1, videos=True))
    text = next((tmp_path / "out/cases").glob("CLR-s00-000-????????.html")).read_text("utf-8")
    assert text.count("size 128x128 -&gt; 96x96") == 1
    assert "Wav2Lip (2020), copycat, M-CSAWav2Lip: size 128x128" in text


@pytest.mark.parametrize(
    ("values", "digits"),
    [
        ((), 3),
        ((0.0,), 3),
        ((0.854, 0.007), 3),
        ((0.0555, 0.0203), 4),
        ((-0.0042,), 5),
        ((1e-9,), 6),
    ],
)
def test_a_column_of_small_values_gets_more_decimals(
    values: tuple[float, ...], digits: int
) -> None:
    assert decimals(values) == digits
