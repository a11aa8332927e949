"""The report in a headless Chromium: an empty console, videos that play in step, any width."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import reports
from tests import chromium
from tests.chromium import complaints, contrasts, until
from tests.fixtures_run import FRAMES, FakeRun, add_study, build_run

pytestmark = pytest.mark.browser
SECONDS = FRAMES / 25


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless Chromium with its driver; skipped if either is missing."""
    chrome = chromium.started(tmp_path_factory.mktemp("chromium"))
    yield chrome
    chrome.quit()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report inside its run folder: real videos, a failure, a working scorer, a user study."""
    fake = FakeRun(speakers=2, clips_each=1, videos=True, failing=[("wav2lip", "s00_000")])
    run = build_run(tmp_path_factory.mktemp("runs") / "clr", fake)
    add_study(run, fake)
    reports.build([run], run / "report")
    return run / "report"


def case_page(report: Path) -> str:
    """The page of a case for which all methods but one have a video."""
    return next((report / "cases").glob("CLR-s00-000-????????.html")).as_uri()


def videos(browser: Any) -> list[dict[str, Any]]:
    """The state of every video of the page at one moment."""
    found: list[dict[str, Any]] = browser.execute_script(
        "return [...document.querySelectorAll('video')].map(v => ({time: v.currentTime, "
        "paused: v.paused, ready: v.readyState, muted: v.muted, rate: v.playbackRate, "
        "error: v.error && v.error.message, frames: v.getVideoPlaybackQuality().totalVideoFrames"
        "}))"
    )
    return found


def open_case(browser: Any, report: Path) -> None:
    """Opens the case page and waits until every video can play."""
    browser.get(case_page(report))
    assert until(lambda: all(video["ready"] >= 3 for video in videos(browser))), videos(browser)


def click(browser: Any, name: str) -> None:
    """Clicks as a user does; fails if another element covers this one."""
    element = browser.find_element("id", name)
    browser.execute_script(
        "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element
    )
    element.click()


def test_play_moves_all_videos_together_and_pause_stops_them_on_one_frame(
    browser: Any, report: Path
) -> None:
    open_case(browser, report)
    assert len(videos(browser)) == 6  # seven methods, one of which failed
    click(browser, "loop")  # play once, so that times only grow
    browser.execute_script(
        "document.getElementById('speed').value = '0.5';"
        "document.getElementById('speed').dispatchEvent(new Event('change'))"
    )
    click(browser, "play")
    assert until(lambda: all(video["time"] > 0.2 for video in videos(browser))), videos(browser)
    times = [video["time"] for video in videos(browser)]
    assert max(times) - min(times) < 0.2, times
    click(browser, "play")
    assert until(lambda: all(video["paused"] for video in videos(browser)))
    time.sleep(0.3)
    stopped = videos(browser)
    assert max(v["time"] for v in stopped) - min(v["time"] for v in stopped) < 0.02, stopped
    assert stopped == videos(browser)
    assert all(video["frames"] > 1 for video in stopped)
    assert complaints(browser) == []


def test_looping_starts_again_with_all_videos(browser: Any, report: Path) -> None:
    open_case(browser, report)
    click(browser, "play")
    seen: list[float] = []

    def came_round() -> bool:
        seen.append(videos(browser)[0]["time"])
        return max(seen) > 0.7 * SECONDS and seen[-1] < 0.4 * SECONDS

    assert until(came_round), seen
    assert all(not video["paused"] for video in videos(browser))
    click(browser, "play")


def test_frame_steps_seek_and_strip_move_all_videos_to_one_time(browser: Any, report: Path) -> None:
    open_case(browser, report)
    click(browser, "forward")
    click(browser, "forward")
    assert until(lambda: all(abs(v["time"] - 2.5 / 25) < 1e-3 for v in videos(browser)))
    click(browser, "back")
    assert until(lambda: all(abs(v["time"] - 1.5 / 25) < 1e-3 for v in videos(browser)))
    moment = browser.find_elements("css selector", ".moments button")[4]
    wanted = float(moment.get_attribute("data-seconds"))
    browser.execute_script(
        "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", moment
    )
    moment.click()
    assert until(lambda: all(abs(v["time"] - wanted) < 1e-3 for v in videos(browser)))
    assert browser.find_element("id", "clock").text.startswith(f"{wanted:.2f} s")


def test_keys_play_step_and_change_speed(browser: Any, report: Path) -> None:
    open_case(browser, report)
    body = browser.find_element("tag name", "body")
    body.send_keys("\ue014")  # right arrow
    assert until(lambda: all(abs(v["time"] - 1.5 / 25) < 1e-3 for v in videos(browser)))
    body.send_keys("s")
    assert {video["rate"] for video in videos(browser)} == {0.5}
    body.send_keys(" ")
    assert until(lambda: all(not video["paused"] for video in videos(browser)))
    body.send_keys(" ")
    assert until(lambda: all(video["paused"] for video in videos(browser)))


def test_one_video_is_heard_and_the_user_chooses_which(browser: Any, report: Path) -> None:
    open_case(browser, report)
    assert [video["muted"] for video in videos(browser)] == [False, *[True] * 5]
    radio = browser.find_elements("css selector", "input[name=sound]")[3]
    browser.execute_script(
        "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", radio
    )
    radio.click()
    assert [video["muted"] for video in videos(browser)].index(False) == 3
    assert sum(not video["muted"] for video in videos(browser)) == 1


def column(browser: Any, index: int) -> list[str]:
    """The first line of every cell of Table 1's column, from top to bottom."""
    found: list[str] = browser.execute_script(
        "return [...document.querySelectorAll('#table-1 table.measured')[0].tBodies[0].rows]"
        ".map(row => row.cells[arguments[0]].innerText.trim().split(/\\n/)[0])",
        index,
    )
    return found


def test_a_click_on_a_heading_sorts_and_the_third_click_restores(
    browser: Any, report: Path
) -> None:
    browser.get((report / "index.html").as_uri())
    as_built = column(browser, 0)
    button = browser.find_element("css selector", "#table-1 thead tr:last-child th button.sort")
    assert button.tag_name == "button"
    assert button.get_attribute("aria-label") == "Sort by LSE-D ↓"
    head = button.find_element("xpath", "..")
    seen: list[str | None] = []
    for _ in range(3):
        browser.execute_script("arguments[0].click()", button)
        seen.append(head.get_attribute("aria-sort"))
        numbers = [float(one.rstrip("*≈†‡")) for one in column(browser, 1)]
        if seen[-1]:
            assert numbers == sorted(numbers, reverse=seen[-1] == "descending")
    assert seen == ["ascending", "descending", None]
    assert column(browser, 0) == as_built


def test_cells_without_a_value_are_last_in_either_sort_direction(
    browser: Any, report: Path
) -> None:
    browser.get((report / "index.html").as_uri())
    buttons = browser.find_elements("css selector", "#table-1 .sidebyside thead button.sort")
    psnr = next(b for b in buttons if (b.get_attribute("aria-label") or "").startswith("Sort by P"))
    for _ in range(2):
        browser.execute_script("arguments[0].click()", psnr)
        assert [text == "N. A." for text in column(browser, 5)] == [False] * 4 + [True] * 3


def test_controls_and_intervals_can_be_hidden_and_the_real_video_stays(
    browser: Any, report: Path
) -> None:
    browser.get((report / "index.html").as_uri())
    shown = "return [...document.querySelectorAll(arguments[0])].filter(e => e.offsetParent).length"
    rows, spans = "#table-1 .sidebyside tbody tr.control", "#table-1 .sidebyside td.value small"
    assert browser.execute_script(shown, rows) == 4
    assert browser.execute_script(shown, spans) > 20
    for name in ("hide-controls", "hide-intervals"):
        browser.execute_script("arguments[0].click()", browser.find_element("id", name))
    assert browser.execute_script(shown, rows) == 1
    kept = browser.execute_script(shown, spans)
    assert kept == browser.execute_script(
        shown, f"{spans}.short"
    )  # counts with missing cases are never hidden


def test_a_tables_files_can_be_copied_from_the_page(browser: Any, report: Path) -> None:
    browser.get((report / "index.html").as_uri())
    buttons = browser.find_elements("css selector", "#table-1 .files button.copy")
    named = {b.get_attribute("aria-label"): b for b in buttons}
    assert {"copy: comparison.tex", "copy: comparison.md", "copy: comparison_paper.tex"} <= set(
        named
    )
    browser.execute_script(
        "window.copied = []; const keep = (text) => { window.copied.push(text); "
        "return Promise.resolve(); };"
        "Object.defineProperty(navigator, 'clipboard', {value: {writeText: keep}})"
    )
    browser.execute_script("arguments[0].click()", named["copy: comparison.tex"])
    assert until(lambda: browser.execute_script("return window.copied.length"))
    (text,) = browser.execute_script("return window.copied")
    assert text == (report / "tables/comparison.tex").read_text(encoding="utf-8")
    assert complaints(browser) == []


def test_only_a_table_that_scrolls_says_so(browser: Any, report: Path) -> None:
    hints = (
        "return [...document.querySelectorAll('.scroll')].filter(e => e.offsetParent).map(e => "
        "[e.scrollWidth > e.clientWidth + 4, getComputedStyle(e, '::before').content])"
    )
    for width in (400, 1400):
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        try:
            browser.get((report / "index.html").as_uri())
            found = browser.execute_script(hints)
        finally:
            browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        assert all(("scrolls sideways" in text) == scrolls for scrolls, text in found)
        assert any(scrolls for scrolls, _ in found) or width == 1400


def test_no_third_of_the_page_is_empty_on_a_desktop_screen(browser: Any, report: Path) -> None:
    """On 1400 pixels, the text, tables and pictures of every section reach beyond two thirds."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 1400, "height": 900, "deviceScaleFactor": 1, "mobile": False},
    )

    def narrow() -> list[tuple[str, float | None]]:
        reached = browser.execute_script(
            "return ['table-1', 'heat', 'plots', 'worst'].map(id => [id, Math.max(..."
            "[...document.querySelectorAll(`#${id} :is(p, li, td, img, svg, th, .card)`)].map("
            "e => e.getBoundingClientRect().right))])"
        )  # null for a section that is not there: a page that is still being read
        return [one for one in reached if one[1] is None or one[1] < 1400 * 2 / 3]

    try:
        browser.get((report / "index.html").as_uri())
        assert until(lambda: not narrow(), 20), narrow()
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("width", [1400, 400])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_pages_fit_their_width_and_the_console_stays_empty(
    browser: Any, report: Path, tmp_path: Path, width: int, lang: str
) -> None:
    out = report
    if lang != "en":
        out = tmp_path / "zh"
        reports.build([report.parent], out, lang=lang)
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    try:
        for page in (out / "index.html", next((out / "cases").glob("*.html"))):
            browser.get(page.as_uri())
            wide = browser.execute_script("return document.documentElement.scrollWidth")
            assert wide <= width, page
            small = browser.execute_script(
                "return [...document.querySelectorAll('svg.plot')].map(s => "
                "s.getBoundingClientRect().width / s.viewBox.baseVal.width)"
            )
            assert all(one > 0.75 for one in small), small  # 12-unit text stays at least 9 px
            assert complaints(browser) == []
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_contrasts_with_its_background_in_both_schemes(
    browser: Any, report: Path, scheme: str
) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
    )
    browser.get((report / "index.html").as_uri())
    ratios = contrasts(browser, "p, small, h1, h2, th, td, a, .badge, .mean, li, summary")
    assert len(ratios) > 100
    assert [one for one in ratios if one[0] < 4.5] == []
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
