"""The report's two languages: the same keys, and no page mixes them."""

from __future__ import annotations

import ast
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

import reports
from bench.contract.registry import load_registry
from reports.text import coded
from reports.words import Words, read_words
from tests.conftest import ROOT
from tests.fixtures_run import CONTROLS, SEVEN, FakeRun, add_study, build_run

FOLDER = Path(reports.__file__).parent / "words"
SENTENCE = re.compile(r"[A-Za-z][a-z']+(?:,? [a-z']{2,}){2,}")  # three words in a row
COMPOSED = (  # prefixes that code and templates complete: `f"caption_{kind}"`
    *("absent_", "alpha_", "axis_", "caption_", "fact_", "failed_", "faceless_", "how_", "icc_"),
    *("kind_", "leakfree_", "missing_", "note_", "output_", "question_", "rho_", "role_", "rule_"),
    *("section_", "size_", "table_", "undefined_", "unit_", "gain_", "validity_"),
    *("foot_", "listening_", "loss_", "sees_", "worth_", "judges_"),
)
VOID = ("br", "img", "input", "link", "meta")  # tags that never close
SOURCES = (  # of texts in records
    "metrics",
    "bench/data/conform.py",
    "bench/media",
    "bench/data/doctor.py",
    "bench/features/faces.py",
)


class Visible(HTMLParser):
    """The text and tooltips of a page, without code and text marked as English."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._hidden: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.texts += [values[name] or "" for name in ("title", "aria-label") if name in values]
        is_code = tag in ("code", "pre", "script", "style") or values.get("lang") == "en"
        if (self._hidden or is_code) and tag not in VOID:
            self._hidden.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._hidden and self._hidden[-1] == tag:
            self._hidden.pop()

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.texts.append(data)


def test_both_languages_have_the_same_words_and_places() -> None:
    english, chinese = (
        yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
        for name in ("en", "zh")
    )
    singular = {key for key in english if key.endswith("_one")}  # Chinese has no plural
    assert {key.removesuffix("_one") for key in singular} <= set(english)
    assert set(english) - singular == set(chinese)
    for key in chinese:
        places = re.findall(r"\{(\w+)\}", str(english[key]))
        assert sorted(places) == sorted(re.findall(r"\{(\w+)\}", str(chinese[key]))), key


def test_every_word_is_used_somewhere() -> None:
    """Code or a template names each key, or composes it from a known prefix."""
    files = [*(ROOT / "reports").rglob("*.py"), *(ROOT / "reports/templates").rglob("*.html")]
    source = "".join(path.read_text(encoding="utf-8") for path in files)
    words = yaml.safe_load((FOLDER / "zh.yaml").read_text(encoding="utf-8"))
    unused = [
        key
        for key in words
        if not re.search(rf"""["']{re.escape(key)}["']""", source) and not key.startswith(COMPOSED)
    ]
    assert unused == []


def test_the_chinese_report_has_no_english_sentence(tmp_path: Path) -> None:
    fake = FakeRun(
        methods=CONTROLS + SEVEN[:3],
        reference="Wav2Lip",
        ablation=[method.label for method in SEVEN[:3]],
        clips_each=2,
        failing=[("MFCC-Wav2Lip", "s00_000")],
        faceless=[("M-Wav2Lip", f"s{s:02d}_{c:03d}") for s in range(4) for c in range(2)],
        undefined=[("Wav2Lip", "s01_000")],
        marks={"s00_000": ["frozen frames 12-40", "no sound"]},
        videos=False,
    )
    run = build_run(tmp_path / "run", fake)
    add_study(run, fake)
    reports.build([run], tmp_path / "zh", lang="zh")
    for page in [tmp_path / "zh/index.html", *list((tmp_path / "zh/cases").glob("*.html"))[:4]]:
        visible = Visible()
        visible.feed(page.read_text(encoding="utf-8"))
        found = [one for text in visible.texts for one in SENTENCE.findall(text)]
        own = "out of ideas"  # a failure's message is not translated
        assert [one for one in found if one != own] == [], page.name
    assert '<html lang="zh-CN">' in (tmp_path / "zh/index.html").read_text(encoding="utf-8")
    assert reports.is_current(run, tmp_path / "zh", lang="zh")
    assert not reports.is_current(run, tmp_path / "zh", lang="en")


def test_titles_of_ranked_outputs_are_translated_everywhere(tmp_path: Path) -> None:
    """Two ranked columns get titles with a translation: no page, plot or file has the original."""
    fake = FakeRun(speakers=2, clips_each=2, undefined=[("copycat", "s01_000")])
    run = build_run(tmp_path / "run", fake)
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    titles = {"psnr": "mouth sharpness", "lse_c": "AV offset"}
    for metric in manifest["metrics"]:
        for output in metric["outputs"]:
            output["title"] = titles.get(output["name"], output["name"])
    (run / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    reports.build([run], tmp_path / "zh", lang="zh")
    texts: dict[str, list[str]] = {}
    for page in sorted((tmp_path / "zh").rglob("*.html")):
        visible = Visible()
        visible.feed(page.read_text(encoding="utf-8"))
        texts[page.name] = visible.texts
    for path in sorted((tmp_path / "zh/tables").iterdir()):
        texts[path.name] = path.read_text(encoding="utf-8").splitlines()
    closing = reports.closing([run], lang="zh")
    texts["terminal"] = [str(closing.notes), str(closing.tables), str(closing.footnotes)]
    said = [(name, text) for name, each in texts.items() for text in each]
    kept = [(name, text) for name, text in said if any(one in text for one in titles.values())]
    assert kept == []
    assert sum("嘴部清晰度" in text for _, text in said) > 20


def spoken() -> list[str]:
    """The texts of records by metrics, conforming and the doctor, with a number in every place."""
    files = [
        file
        for name in SOURCES
        for file in ([ROOT / name] if name.endswith(".py") else (ROOT / name).rglob("*.py"))
    ]
    found: dict[str, None] = {}
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            if _name(node) in ("Undefined", "NoFace", "Mark"):
                text = _filled(node.args[0])
                if text:
                    found[text] = None
    return list(found)


def _filled(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "7" for part in node.values
        )
    return ""


def judged() -> list[str]:
    """What the scoring of a user study gives as reasons and notes."""
    found: dict[str, None] = {}
    for name in (
        "agreement",
        "correlation",
        "bootstrap",
        "compute_scores",
        "screening",
        "significance",
    ):
        tree = ast.parse((ROOT / f"bench/study/score/{name}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            given: list[ast.expr] = []
            if isinstance(node, (ast.Assign, ast.Return)) and node.value is not None:
                given = [node.value]
            elif isinstance(node, ast.Call) and _name(node) in ("append", "_twice", "Estimate"):
                given = list(node.args)
            found |= dict.fromkeys(text for one in given if _is_sentence(text := _filled(one)))
    return list(found)


def _name(node: ast.Call) -> str:
    """What a call calls."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _is_sentence(text: str) -> bool:
    return len(text.split()) > 3 or text == "nobody rated it"


@pytest.mark.parametrize("text", judged())
def test_what_a_study_says_has_a_chinese_reading(text: str) -> None:
    text = text.replace("7 7; at least 7", "3 methods with a value and ratings; at least 5")
    text = text.replace(
        "the 7 is the same for all 7",
        "the metric is the same for all methods with a value and ratings",
    )
    assert read_words("zh").translated(text) != text


@pytest.mark.parametrize("text", spoken())
def test_reasons_in_records_have_a_chinese_translation(text: str) -> None:
    words = read_words("zh")
    if text == "7no frames":  # its first part is empty or a case's name
        text = "no frames"
    if text.startswith(("flat 7", "frozen 7")):
        text = text.replace("7", "frames 3-9")
    text = text.replace("at 7", "at frames 7, 9")
    if text.startswith("the sound is 7 s 7"):
        text = "the sound is 7 s longer than the video"
    assert words.translated(text) != text
    assert read_words("en").translated(text) == text


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda p: p.name)
def test_titles_of_shipped_configs_have_a_chinese_translation(path: Path) -> None:
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    titles = [config.get("title"), *(part.get("title") for part in config.get("tables", ()))]
    for title in filter(None, titles):
        assert read_words("zh").translated(title) != title


def test_a_translation_fills_its_places_and_translates_them() -> None:
    words = Words(
        "xx", {"sentence_separator": "|"}, {"a {one} of {two}": "{two}: {one}!", "b": "B"}
    )
    assert words.translated("a b of 3") == "3: B!"
    assert words.translated("b; a 1 of b") == "B|B: 1!"
    assert words.translated("b; unknown") == "b; unknown"


def test_two_reasons_for_one_exclusion_are_both_said() -> None:
    checks = (
        "4 of 8 attention checks failed, more than 25%: 3 of 6 ratings of the hidden reference are "
        "below 3, 1 of 2 of the low anchor are above 3"
    )
    upside_down = "hidden reference not rated above the low anchor (means 2.00 and 4.00)"
    words = read_words("zh")
    both = words.translated(f"{checks}; {upside_down}")
    assert both == f"{words.translated(checks)}；{words.translated(upside_down)}"
    assert not SENTENCE.search(both)


def test_a_single_thing_has_a_singular() -> None:
    words = read_words("en")
    assert words("size_clips", n=1) == "1 clip"
    assert words("size_clips", n=2) == "2 clips"


def test_only_backticks_become_code() -> None:
    assert str(coded("no `truth` & <b>")) == "no <code>truth</code> &amp; &lt;b&gt;"
    assert str(coded("a lone ` stays <i>")) == "a lone ` stays &lt;i&gt;"


def test_every_title_of_an_output_is_a_name_or_has_a_chinese_reading() -> None:
    titles = {
        output.title or output.name
        for one in load_registry().metrics.values()
        for output in one.plugin.outputs
        if not output.curve
    }
    names = {"LSE-D", "LSE-C", *(title for title in titles if re.fullmatch(r"[A-Z]+", title))}
    words = read_words("zh")
    assert [title for title in sorted(titles - names) if words.translated(title) == title] == []


def test_every_unit_has_a_chinese_reading_or_is_a_symbol() -> None:
    units = {
        output.unit
        for one in load_registry().metrics.values()
        for output in one.plugin.outputs
        if not output.curve
    }
    words = read_words("zh")
    said = {unit for unit in units if unit and words.unit(unit) == unit}
    assert said <= {"dB", "px", "MAR"}
