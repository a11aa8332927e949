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
    """A headless Chromium driven through its own driver; skipped where either is missing."""
    chrome = chromium.started(tmp_path_factory.mktemp("chromium"))
    yield chrome
    chrome.quit()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report inside of its run folder: real videos, a failure, a working scorer, a user study."""
    fake = FakeRun(speakers=2, clips_each=1, videos=True, failing=[("wav2lip", "s00_000")])
    run = build_run(tmp_path_factory.mktemp("runs") / "clr", fake)
    add_study(run, fake)
    reports.build([run], run / "report")
    return run / "report"


def case_page(report: Path) -> str:
    """The page of a case that every method but one has a video for."""
    return next((report / "cases").glob("CLR-s00-000-????????.html")).as_uri()


def videos(browser: Any) -> list[dict[str, Any]]:
    """What every video of the page is doing, taken at one moment."""
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
    """Clicks as a user does; an element that something covers would refuse."""
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
def test_text_stands_out_from_its_ground_in_both_schemes(
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
