"""Error rates of transcripts: golden values, how texts are counted, wrong files, totals."""

from __future__ import annotations

import csv
import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import bench
from bench.files.digests import file_sha256
from metrics.error_rates import Errors, errors, plain
from metrics.transcripts import COLUMNS, listed, read_transcripts
from metrics.wer import Wer, WerTotal, _errors
from tests.small_data import make_config, make_manifest
from tests.test_run import bench as command


@pytest.mark.shared
@pytest.mark.parametrize("name", ["en", "en_long", "two", "empty_hyp", "zh"])
def test_rates_are_torchmetrics(shared: Path, name: str) -> None:
    expected = json.loads((shared / "golden" / "expected_metrics.json").read_text())
    one = expected["error_rates"][name]
    counted = [_errors(read, spoken) for read, spoken in zip(one["hyp"], one["ref"], strict=True)]
    by_words = sum((words for words, _ in counted), Errors(0, 0))
    by_characters = sum((characters for _, characters in counted), Errors(0, 0))
    assert by_characters.rate == pytest.approx(one["cer"], abs=1e-6)
    if "wer" in one:
        assert by_words.rate == pytest.approx(one["wer"], abs=1e-6)


def by_definition(read: str, spoken: str) -> int:
    """The edit distance, by its recursion."""
    if not read or not spoken:
        return len(read) + len(spoken)
    if read[-1] == spoken[-1]:
        return by_definition(read[:-1], spoken[:-1])
    shorter = ((read[:-1], spoken), (read, spoken[:-1]), (read[:-1], spoken[:-1]))
    return 1 + min(by_definition(*both) for both in shorter)


def test_errors_are_the_edit_distance() -> None:
    texts = ["", "a", "ab", "ba", "abc", "cab", "bbca", "acbab"]
    for read, spoken in product(texts, texts):
        assert errors(read, spoken) == Errors(by_definition(read, spoken), len(spoken))


def test_long_texts_are_quick_and_right() -> None:
    random = np.random.default_rng(0)
    spoken = random.integers(50, size=2000).tolist()
    read = [token for token in spoken if random.random() > 0.1]
    assert errors(read, spoken).wrong == len(spoken) - len(read)


@pytest.mark.parametrize(
    ("read", "spoken", "words", "characters"),
    [
        ("Bin blue, at F two -- now!", "bin blue at f two now", 0.0, 0.0),
        ("it's", "it\u2019s", 0.0, 0.0),
        ("\uff22\uff29\uff2e blue", "bin blue", 0.0, 0.0),
        ("今天 天气，很好", "今天天气很好。", 0.0, 0.0),
        ("今天很好", "今天天气很好", 2 / 6, 2 / 6),
        ("hello", "今天", 2.5, 2.5),
        ("a b c d e f", "a", 5.0, 10.0),
        ("", "one two", 1.0, 1.0),
    ],
)
def test_texts_are_compared_without_case_and_punctuation(
    read: str, spoken: str, words: float, characters: float
) -> None:
    by_words, by_characters = _errors(read, spoken)
    assert (by_words.rate, by_characters.rate) == pytest.approx((words, characters))


def test_a_speech_of_punctuation_has_no_rate() -> None:
    assert plain("... -- !") == ""
    with pytest.raises(bench.Undefined, match="not known"):
        _errors("anything", "...")


def sample_of(video: Path, text: str) -> bench.Sample:
    clip = bench.Clip(id="a", video=video, text=text)
    case = bench.Case("d", "reconstruct", clip, clip)
    return bench.Sample(case, bench.Video(video, sha256=file_sha256(video)))


def write(path: Path, *rows: dict[str, str]) -> Path:
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def loaded(path: Path) -> Wer:
    metric = Wer(Wer.Options(csv=path))
    metric.load("cpu")
    return metric


def test_a_video_is_found_by_its_digest_or_its_file(tmp_path: Path) -> None:
    video = tmp_path / "v.mp4"
    video.write_bytes(b"any bytes")
    rows = {"file": "v.mp4", "text": "'=one too"}, {"sha256": file_sha256(video), "text": "one two"}
    for number, (row, wrong) in enumerate(zip(rows, (1, 0), strict=True)):
        path = write(tmp_path / f"{number}.csv", row)
        assert loaded(path).measure(sample_of(video, "one two"))["wer"] == wrong / 2
    video.write_bytes(b"others")
    with pytest.raises(bench.Undefined, match="no transcript of this video"):
        loaded(tmp_path / "1.csv").measure(sample_of(video, "one two"))


def test_the_transcripts_are_in_the_key_and_the_reader_in_the_protocol(tmp_path: Path) -> None:
    path = write(tmp_path / "avhubert.csv", {"sha256": "ab", "text": "one"})
    metric = Wer(Wer.Options(csv=path))
    assert metric.identity() == {"transcripts": file_sha256(path)}
    assert metric.protocol == "wer[avhubert; no case, no punctuation; clip]"
    named = Wer.Options(csv=path, reader="AV-HuBERT large")
    assert WerTotal(named).protocol == "wer[AV-HuBERT large; no case, no punctuation; total]"
    path.unlink()
    with pytest.raises(bench.BenchError, match="lists the videos to read"):
        metric.identity()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"case,text\na,b\n", "expected the columns text, and sha256 or file"),
        (b"", "found none"),
        (b"sha256,text\n,b\n", "line 2: names no video"),
        (b"file,text\nnowhere.mp4,b\n", "nowhere.mp4 is not there"),
        (b"sha256,text\nab,one\nAB,two\n", "line 3: the video ab has another transcript"),
        (b"sha256,text\nab,\xff\n", "cannot be read as csv in UTF-8"),
    ],
)
def test_a_wrong_file_says_where(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(bench.BenchError, match=said):
        read_transcripts(path)


def test_totals_are_over_words(tmp_path: Path) -> None:
    rows = [
        {"sha256": "a" * 64, "text": "a b c", "spoken": "a b d"},
        {"sha256": "b" * 64, "text": "d", "spoken": "d e"},
    ]
    metric = WerTotal(WerTotal.Options(csv=write(tmp_path / "t.csv", *rows)))
    metric.load("cpu")
    summary = metric.start()
    for row in rows:
        metric.update(summary, bench.Video(None, sha256=row["sha256"]))
    found = metric.compute(summary, None)
    assert found == pytest.approx({"wer": 2 / 5, "cer": 3 / 8, "words": 5, "characters": 8})
    with pytest.raises(bench.Undefined):
        metric.update(metric.start(), bench.Video(None, sha256="c" * 64))
    with pytest.raises(bench.Undefined, match="no clips"):
        metric.compute(metric.start(), None)


def test_from_a_run_to_its_transcripts_and_back(tmp_path: Path) -> None:
    make_manifest(tmp_path / "data")
    plain_run = {
        "methods": [{"name": "truth"}, {"name": "still"}],
        "metrics": [{"name": "brightness"}],
        "tables": [{"name": "t", "columns": ["brightness.brightness"]}],
    }
    config = make_config(tmp_path, **plain_run)
    code, output = command("run", config, "-o", tmp_path / "run")
    assert code == 0, output
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in listed(tmp_path / "run")]
    assert len(rows) == len({(row["case"], row["method"]) for row in rows}) > 0
    assert all(file_sha256(Path(row["file"])) == row["sha256"] for row in rows)
    for row in rows:
        row["spoken"] = row["spoken"] or "one two three"
        row["text"] = row["spoken"] if row["method"] == "truth" else "one"
    path = write(tmp_path / "read.csv", *rows)
    asked = plain_run | {
        "metrics": [{"name": "wer_total", "options": {"csv": str(path)}}],
        "tables": [{"name": "t", "columns": ["wer_total.wer"]}],
    }
    config = make_config(tmp_path, **asked)
    path.rename(tmp_path / "away.csv")
    code, output = command("plan", config, "-o", tmp_path / "other")
    assert code == 0
    assert f"cells will fail: {path}: is not there" in " ".join(output.split())
    (tmp_path / "away.csv").rename(path)
    code, output = command("run", config, "-o", tmp_path / "run")
    assert code == 0, output
    numbers = bench.load(tmp_path / "run")
    wer = numbers[numbers.output == "wer"].groupby("method").value.max()
    assert wer["truth"] == 0.0
    assert wer["still"] > 0.5
