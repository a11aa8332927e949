"""Failures that differ in names and numbers alone are told once, with count and cases."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from bench.records.causes import cause, gist
from tests.small_data import make_config, make_manifest
from tests.test_run import bench


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            ("command: the program ended with exit code 1; its last lines:\nA\nno face 7", "s1"),
            ("command: the program ended with exit code 1; its last lines:\nB\nno face 12", "s2"),
        ),
        (("/data/s1.mp4: has no sound", "s1"), ("/other/place/s2.mp4: has no sound", "s2")),
        (("clip a b: too short", "a b"), ("clip $(x): too short", "$(x)")),
        (("b is bad", "a+b"), ("c is bad", "c~d")),
        (("at 0x7f21ab: 3.5 s", "x"), ("at 0x10ffee: -12 s", "y")),
        (("digest 9f86d081884c7d65 is wrong", "x"), ("digest e3b0c44298fc1c14 is wrong", "y")),
    ],
)
def test_names_paths_and_numbers_make_no_other_cause(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    assert cause(*one) == cause(*other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("exit code 1; its last lines:\nno face", "exit code 1; its last lines:\nno memory"),
        ("KeyError: 'voice'", "KeyError: 'face'"),
        ("has no sound", "has no video track"),
    ],
)
def test_other_words_are_another_cause(one: str, other: str) -> None:
    assert cause(one, "a") != cause(other, "a")


def test_a_short_id_does_not_eat_the_words() -> None:
    assert "has no sound" in cause("a.mp4: has no sound", "a")


def test_the_gist_is_the_first_line_and_the_last_of_the_programs_output() -> None:
    short = gist("command: exit code 1; its last lines:\nloading\n\nImportError: torch\n")
    assert (short.text, short.last_line) == ("command: exit code 1", "ImportError: torch")
    assert gist("RuntimeError: no such layer").last_line == ""
    assert gist("").text == ""


def test_terminal_and_report_tell_each_cause_once(tmp_path: Path) -> None:
    ids = tuple(f"clip {number}" for number in range(7))
    make_manifest(tmp_path / "data", ids)
    said = "'cannot find <b>part</b> of ' + sys.argv[1]"
    code = f"import sys; print(sys.argv, flush=True); sys.exit({said})"
    options = {"argv": [sys.executable, "-c", code, "{case}", "{output}"]}
    config = make_config(
        tmp_path,
        methods=[{"name": "truth"}, {"name": "command", "options": options}],
        cases={"kinds": ["reconstruct"]},
        tables=[],
    )
    for again in (False, True):  # the second run reads the failures from the records
        _, output = bench("run", config, "-o", tmp_path / "run")
        text = " ".join(output.split())
        assert "7 failures (command): command: the program ended with exit code 1" in text
        assert "last line of its output: cannot find <b>part</b> of clip 0" in text
        assert "clip 0, clip 1, clip 2, clip 3, clip 4, and 2 more" in text
        assert text.count("exit code 1") == (1 if again else 2)
    page = (tmp_path / "run" / "report" / "index.html").read_text(encoding="utf-8")
    section = page[page.index('<section id="failures">') :]
    section = section[: section.index("</section>")]
    assert section.count('<details class="failure">') == 1
    assert "7 failures" in section
    assert "cannot find &lt;b&gt;part&lt;/b&gt; of clip 0" in section
    assert len(re.findall(r'<a href="cases/[^"]+">clip \d</a>', section)) == 7
