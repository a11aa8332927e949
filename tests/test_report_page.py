"""Accessibility of the report's pages: headings in order, descriptions of plots, contrast."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import reports
from reports.rendering import TEMPLATES
from tests.fixtures_run import FakeRun, add_study, build_run

ENOUGH = 4.5  # WCAG 2, AA, for text
TEXTS = ("ink", "muted", "accent", "good", "warn", "bad")
GROUNDS = {"good": "good-paper", "warn": "warn-paper", "bad": "bad-paper"}


class Outline(HTMLParser):
    """Heading levels, ids, and elements without a name."""

    def __init__(self) -> None:
        super().__init__()
        self.levels: list[int] = []
        self.ids: list[str] = []
        self.unnamed: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if re.fullmatch(r"h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if "id" in values:
            self.ids.append(values["id"] or "")
        if tag == "img" and not values.get("alt"):
            self.unnamed.append(tag)
        if (tag == "video" or values.get("role") in ("region", "group")) and not values.get(
            "aria-label"
        ):
            self.unnamed.append(tag)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """An index page with every section, and a case page."""
    fake = FakeRun(speakers=2, clips_each=1, videos=True, ablation=("wav2lip", "copycat"))
    run = build_run(tmp_path_factory.mktemp("runs") / "run", fake)
    add_study(run, fake)
    out = reports.build([run], run / "report").parent
    return [out / "index.html", next((out / "cases").glob("*.html"))]


def test_headings_go_down_one_level_at_a_time_and_ids_are_distinct(pages: list[Path]) -> None:
    for page in pages:
        outline = Outline()
        outline.feed(page.read_text(encoding="utf-8"))
        assert outline.levels[0] == 1
        assert outline.levels.count(1) == 1
        steps = zip(outline.levels, outline.levels[1:], strict=False)
        assert all(after <= before + 1 for before, after in steps), page
        assert len(outline.ids) == len(set(outline.ids))
        assert outline.unnamed == []


def test_every_plot_has_a_question_and_its_numbers(pages: list[Path]) -> None:
    found = 0
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for plot in re.findall(r'<svg class="plot.*?</svg>', text, re.S):
            found += 1
            assert 'role="img"' in plot
            (title,) = re.findall(r"<title>([^<]+)</title><desc>", plot)
            (about,) = re.findall(r"<desc>([^<]+)</desc>", plot)
            assert "?" in title
            assert about
            if "wave" not in plot:
                assert re.search(r"\d", about), title
    assert found > 20


def palettes() -> list[dict[str, str]]:
    """The style sheet's colours: light, dark, and in print."""
    text = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    found = re.findall(r":root \{(.*?)\}", text, re.S)
    assert len(found) == 3
    return [dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{3,6});", one)) for one in found]


def luminance(colour: str) -> float:
    """The relative luminance of #rgb or #rrggbb after WCAG 2."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * one for one in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    """The contrast ratio of two colours, 1 to 21."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_by_hand() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#767676", "#fff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("index", [0, 1, 2], ids=["light", "dark", "print"])
def test_every_text_colour_contrasts_with_its_backgrounds(index: int) -> None:
    colours = palettes()[index]
    for text in TEXTS:
        for ground in ("paper", "panel", *([GROUNDS[text]] if text in GROUNDS else [])):
            assert contrast(colours[text], colours[ground]) >= ENOUGH, (text, ground)
    for ground in ("good-paper", "warn-paper", "bad-paper"):
        assert contrast(colours["ink"], colours[ground]) >= ENOUGH
        assert contrast(colours["muted"], colours[ground]) >= ENOUGH


@pytest.mark.parametrize("index", [0, 1, 2], ids=["light", "dark", "print"])
def test_every_series_contrasts_with_the_page(index: int) -> None:
    """Graphics need 3:1 (WCAG 2, 1.4.11)."""
    colours = palettes()[index]
    assert all(contrast(colours[f"c{n}"], colours["paper"]) >= 3.0 for n in range(7))
    assert all(contrast(colours[f"k{n}"], colours["paper"]) >= 3.0 for n in range(4))
