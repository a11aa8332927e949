"""Yaml from outside: any bad file gives one sentence with file and line, fast."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest

from bench.command.study_scores import import_command
from bench.config.kinds import KINDS
from bench.config.reader import read_yaml
from bench.config.yaml_file import MOST_BYTES, MOST_DEPTH, MOST_NODES
from bench.ground.errors import BenchError
from bench.run.config import Config, load_config
from bench.study.questionnaire import Questionnaire, read_questionnaire
from bench.study.read.mapping import ColumnMapping, read_mapping
from bench.train.config import TrainConfig, load_train_config
from tests.conftest import ROOT, shared_folder

READERS = (load_config, load_train_config, read_mapping, read_questionnaire)
BOMB = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
)
MERGED = "a0: &a0 {x: 1, y: 2}\n" + "".join(
    f"a{n}: &a{n} {{k1: *a{n - 1}, k2: *a{n - 1}, <<: *a{n - 1}}}\n" for n in range(1, 20)
)
HOSTILE = {
    "alias bomb": (BOMB.encode(), 5, "aliases"),
    "bomb of merges": (MERGED.encode(), 8, "aliases"),
    "long text named often": (b"a: &a " + b"x" * 9 * 10**5 + b"\nb: [*a, *a, *a]\n", 2, "aliases"),
    "list in itself": (b"name: x\ny: &y [*y]\n", 2, "never end"),
    "mapping in itself": (b"y: &y {z: {w: *y}}\n", 1, "never end"),
    "merged into itself": (b"y: &y {<<: *y}\n", 1, "never end"),
    "deep lists": (b"name: x\ny: " + b"[" * 10**5, 2, "deep"),
    "deep mappings": (b"y: " + b"{a: " * 10**5, 1, "deep"),
    "deep blocks": (b"- " * 10**5, 1, "deep"),
    "deep question marks": (b"? " * 10**5, 1, "deep"),
    "many values": (b"name: x\ny: [" + b"1," * 10**5 + b"]\n", 2, "values"),
    "too long": (b"# x\n" * (MOST_BYTES // 4 + 1), None, "bytes"),
    "surrogate": (b'name: x\ntitle: "\\ud800"\n', 2, "U+D800"),
    "NUL": (b'name: x\ntitle: "a\\0b"\n', 2, "U+0000"),
    "plain NUL": (b"name: x\ntitle: a\0b\n", 2, "U+0000"),
    "escape sequence": (b'name: x\ntitle: "\\e[2J"\n', 2, "U+001B"),
    "control character in a key": (b'"\\x07": x\n', 1, "U+0007"),
    "Latin-1": (b"name: x\ntitle: caf\xe9\n", 2, "UTF-8"),
    "UTF-16": ("name: x\n".encode("utf-16"), 1, "UTF-8"),
    "endless number": (b"name: x\nseed: " + b"9" * 5000 + b"\n", 2, "number"),
    "no number": (b"seed: !!int x\n", 1, "number"),
    "python": (b"name: x\ny: !!python/object/apply:os.system [ls]\n", 2, "tag"),
    "bytes": (b"name: !!binary AAAA\n", 1, "tag"),
    "a set, which has no order": (b"rows: !!set {b, a}\n", 1, "tag"),
    "list as key": (b"name: x\n? [a]\n: b\n", 2, "plain text"),
    "two documents": (b"name: x\n---\nname: y\n", 2, "document"),
    "nothing": (b"", 1, "empty"),
    "comments alone": (b"# x\n", 1, "empty"),
    "text": (b"name\n", 1, "found text"),
    "list": (b"- name: x\n", 1, "found a list"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("case", "reader"),
    [(case, read_yaml) for case in HOSTILE]
    + list(itertools.product(("alias bomb", "list in itself", "deep lists", "NUL"), READERS)),
)
def test_any_content_is_one_sentence_with_file_and_line(
    case: str, reader: object, tmp_path: Path
) -> None:
    data, line, said = HOSTILE[case]
    path = tmp_path / "mine.yaml"
    path.write_bytes(data)
    began = time.process_time()
    with pytest.raises(BenchError) as caught:
        reader(path)  # type: ignore[operator]
    assert time.process_time() - began < 20
    message = str(caught.value)
    assert message.startswith(f"{path}:{line}: " if line else f"{path}: ")
    assert said in message
    assert "\n" not in message
    assert len(message) < 500
    message.encode()


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("title: one: two\n", 1, "a text with a colon in it needs quotes"),
        ("name: x\n\tseed: 1\n", 2, "a tab; yaml is indented with blanks"),
        ("name: @x\n", 1, "cannot begin with `@`"),
        ("name: *.mp4\n", 1, "begins with `*`"),
        ("name: *x\n", 1, "begins with `*`"),
        ("name: x\ntitle: 'abc\nseed: 1\n", 2, "a quote that is not closed"),
        ("name: x\ndata: [a, b\nseed: 1\n", 2, "the closing `]` is missing"),
        ("name: x\ndata: {a: b\nseed: 1\n", 2, "the closing `}` is missing"),
        ("data:\n  a: 1\n b: 2\n", 3, "its indentation differs"),
        ("name: x\nfoo\nseed: 1\n", 2, "a line without `key: value`"),
        ('root: "C:\\data"\n', 1, "single quotes leave it"),
        ("data: - a\n", 1, "an unexpected list item"),
        ("a: &x 1\nb: &x 2\n", 2, "the anchor is defined twice"),
        ("name: !mine x\n", 1, "the tag `!mine` is not read"),
        (" name: x\nseed: 1\n", 2, "begin in one column"),
    ],
)
def test_syntax_errors_are_reported_in_our_words_with_the_line(
    tmp_path: Path, text: str, line: int, said: str
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(BenchError) as caught:
        load_config(path)
    assert str(caught.value).startswith(f"{path}:{line}: not valid yaml: ")
    assert said in str(caught.value)
    assert str(caught.value).endswith(f"The line: {text.splitlines()[line - 1].strip()}")


@pytest.mark.parametrize("date", ["2020-01-01", "2020-13-45", "2020-01-01 25:61:00", "0000-00-00"])
def test_dates_are_text(tmp_path: Path, date: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"name: {date}\nother: !!timestamp {date}\n")
    raw, _, _ = read_yaml(path)
    assert raw == {"name": date, "other": date}


def test_files_within_the_limits_are_read_with_aliases(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    deep = MOST_DEPTH - 1
    path.write_text(
        "\ufeffa: &a {x: 1}\nb: [*a, *a]\nc: {<<: *a, y: 2}\n"
        f"d: {'[' * deep}{']' * deep}\ne: [{', '.join(['1'] * (MOST_NODES // 2))}]\nf: 你好 🎥\n"
    )
    raw, lines, problems = read_yaml(path)
    assert raw["b"] == [{"x": 1}, {"x": 1}]
    assert raw["c"] == {"x": 1, "y": 2}
    assert raw["f"] == "你好 🎥"
    assert lines["b[1].x"] == 1
    assert not problems


def test_thousands_of_mistakes_and_long_values_give_a_short_message(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    entries = "\n".join(f"  - {'x' * 90}{n}" for n in range(5000))
    path.write_text(f"name: {'y' * 10**5}\ndata: [a]\nmetrics: [a]\nmethods:\n{entries}\n")
    with pytest.raises(BenchError) as caught:
        load_config(path)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"5006 problems in {path}"
    assert lines[-1] == "and 4956 more"
    assert len(str(caught.value)) < 20_000


EXAMPLES = {
    load_config: ("the config of a benchmark", ROOT / "configs" / "smoke.yaml"),
    load_train_config: ("the config of a training", ROOT / "configs" / "train" / "wav2lip.yaml"),
    read_questionnaire: (
        "the questionnaire of a study",
        "languages: [en]\nlayout: single\ntitle: {en: x}\nquestions: []\n",
    ),
    read_mapping: ("a mapping of a table of answers", "rater: a\ncolumns: {}\nignore: [b]\n"),
}


@pytest.mark.parametrize(
    ("reader", "given"),
    [(reader, given) for reader, given in itertools.product(EXAMPLES, EXAMPLES) if reader != given],
    ids=lambda reader: reader.__name__,
)
def test_the_error_for_a_file_of_another_kind_names_kind_and_command(
    tmp_path: Path, reader: object, given: object
) -> None:
    what, example = EXAMPLES[given]  # type: ignore[index]
    path = tmp_path / "given.yaml"
    path.write_text(example if isinstance(example, str) else example.read_text())
    with pytest.raises(BenchError) as caught:
        reader(path)  # type: ignore[operator]
    assert str(caught.value).startswith(f"{path}: is {what} (`")
    assert "Use it with: bench " in str(caught.value)


@pytest.mark.parametrize("schema", [Config, TrainConfig, Questionnaire, ColumnMapping])
def test_the_keys_of_each_kind_are_those_of_its_schema(schema: type) -> None:
    assert frozenset(schema.model_fields) in [kind.keys for kind in KINDS]


def test_the_command_for_a_mapping_is_one_that_the_command_line_takes(tmp_path: Path) -> None:
    (tmp_path / "STUDY").mkdir()
    for name in ("TABLE", "mapping.yaml"):
        (tmp_path / name).touch()
    (form,) = (kind.use for kind in KINDS if "mapping" in kind.what)
    words = form.format(path="mapping.yaml").removeprefix("bench study import ").split()
    given = [word if word.startswith("--") else str(tmp_path / word) for word in words]
    context = import_command.make_context("import", given)
    assert context.params["files"] == (tmp_path / "TABLE",)
    assert context.params["study"] == tmp_path / "STUDY"


def test_a_misplaced_key_of_another_kind_is_an_ordinary_error(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: x\ndata: []\nplugin: [a.py]\nmethods: []\n")
    with pytest.raises(BenchError, match=r"plugin: unknown key\. Did you mean 'plugins'"):
        load_config(path)


@pytest.mark.shared
def test_the_shared_hostile_files_are_refused_with_their_line() -> None:
    folder = shared_folder()
    if folder is None or not (folder / "cases" / "hostile").is_dir():
        pytest.skip("development data not here (set BENCH_SHARED)")
    lines = {"bomb7": 9, "deep": 5, "recur": 5, "surr": 2, "nul_manifest": 2}
    for name, line in lines.items():
        path = folder / "cases" / "hostile" / f"{name}.yaml"
        with pytest.raises(BenchError, match=rf"{name}\.yaml:{line}: ") as caught:
            load_config(path)
        assert "\n" not in str(caught.value)
    load_config(folder / "cases" / "hostile" / "date.yaml")  # a date is text, and a valid name
