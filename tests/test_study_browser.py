"""The questionnaire in a headless Chromium, as raters and the organiser see it."""

from __future__ import annotations

import csv
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench.command.cli import main
from bench.study.answers import read_answers
from bench.study.ask.ledger import Ledger
from bench.study.blinding import Design, read_design, read_returned
from bench.study.make.new_study import new_study
from bench.study.make.selection import StudyOptions
from bench.study.score.compute_scores import ScoringSettings, compute_scores
from tests import chromium
from tests.chromium import complaints, contrasts, until
from tests.fixtures_run import FakeRun, build_run
from tests.study_server import Server

pytest.importorskip("uvicorn")
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]
ENTER, SPACE = "\ue007", " "
QUESTIONS = ("sync_accuracy", "visual_quality", "overall_impression")
TEXTS = "p, h1, h2, a, span, small, legend, dt, dd, li, th, td, code, button, summary, figcaption"

# What the three raters answer, by method and question; the means were worked out by hand.
RATINGS = {
    "wav2lip": {"r01": (3, 4, 3), "r02": (4, 4, 3), "r03": (3, 3, 3)},
    "copycat": {"r01": (2, 5, 3), "r02": (1, 4, 2), "r03": (2, 5, 2)},
    "M-CSAWav2Lip": {"r01": (5, 4, 5), "r02": (4, 4, 4), "r03": (5, 5, 4)},
    "truth": {"r01": (5, 5, 5), "r02": (5, 5, 4), "r03": (4, 5, 5)},
    "mismatched": {"r01": (1, 5, 2), "r02": (2, 4, 2), "r03": (1, 5, 1)},
}
MEANS = {
    "wav2lip": ("3.333", "3.667", "3.000"),
    "copycat": ("1.667", "4.667", "2.333"),
    "M-CSAWav2Lip": ("4.667", "4.333", "4.333"),
    "truth": ("4.667", "5.000", "4.667"),
    "mismatched": ("1.333", "4.667", "1.667"),
}


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, downloads: Path) -> Iterator[Any]:
    """A headless Chromium with chromedriver; tests are skipped if either is missing."""
    chrome = chromium.started(tmp_path_factory.mktemp("chromium"), downloads=downloads)
    chrome.set_window_size(1400, 900)
    yield chrome
    chrome.quit()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of three competitors and four controls on two clips, with real videos."""
    fake = FakeRun(speakers=2, clips_each=1, videos=True)
    return build_run(tmp_path_factory.mktemp("runs") / "clr", fake)


@pytest.fixture(scope="module")
def served(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A served study of that run for four raters, each with seven videos, of which three count."""
    folder = tmp_path_factory.mktemp("studies") / "clr"
    made = CliRunner().invoke(
        main, f"study new {run} -o {folder} --raters 4 --per-rater 3 --checks 1"
    )
    assert made.exit_code == 0, made.output
    with Server(folder) as server:
        yield server


def find(browser: Any, selector: str) -> Any:
    return browser.find_element("css selector", selector)


def find_all(browser: Any, selector: str) -> list[Any]:
    found: list[Any] = browser.find_elements("css selector", selector)
    return found


def codes_shown(browser: Any) -> list[str]:
    """The items of the current page, once it has loaded."""
    found: list[str] = browser.execute_script(
        "return document.readyState !== 'complete' ? [] : "
        "[...document.querySelectorAll('section.page:not([hidden]) .card')]"
        ".map(card => card.dataset.item)"
    )
    return found


def next_codes(browser: Any) -> list[str]:
    """The items of the next page; fails if it does not load."""
    assert until(lambda: codes_shown(browser))
    return codes_shown(browser)


def is_thanked(browser: Any) -> bool:
    return "Thank you" in str(browser.execute_script("return document.body.innerText"))


def is_locked(browser: Any) -> bool:
    inputs = find_all(browser, "section.page:not([hidden]) input")
    return bool(inputs) and not any(number.is_enabled() for number in inputs)


def watch(browser: Any, code: str) -> None:
    """Plays a video to its end, which unlocks its questions."""
    card = f'.card[data-item="{code}"]'
    assert not find(browser, f"{card} input").is_enabled()
    find(browser, f"{card} .play").click()
    assert until(lambda: find(browser, f"{card} input").is_enabled()), find(browser, card).text


def choose(browser: Any, code: str, question: str, rating: int) -> Any:
    """Clicks a rating like a user."""
    selector = f'input[name="{code}-{question}"][value="{rating}"]'
    number = find(browser, selector)
    browser.execute_script(
        "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", number
    )
    number.click()
    return number


def ratings_of(design: Design, code: str, rater: str) -> tuple[int, int, int]:
    return RATINGS[design.items[code].method][rater]


def leave(browser: Any, *, clicks: int = 1) -> None:
    """Continues to the next page once everything is saved."""
    from selenium.webdriver import ActionChains

    before = codes_shown(browser)
    button = find(browser, "#next")
    assert until(button.is_enabled)
    action = ActionChains(browser)
    (action.double_click(button) if clicks == 2 else action.click(button)).perform()
    gone(browser, before)


def gone(browser: Any, codes: list[str]) -> None:
    """Waits until the page changes or disappears."""
    assert until(lambda: codes_shown(browser) != codes)


def progress(browser: Any) -> str:
    shown: str = find(browser, "#count").text
    return shown


# ---- from a run to scores -------------------------------------------------------------------


def test_from_a_run_to_scores_through_three_raters(
    browser: Any, served: Server, tmp_path: Path
) -> None:
    design = read_design(served.folder)
    rate_by_mouse(browser, served, design)
    rate_with_a_reload(browser, served, design)
    rate_by_keys_and_double_clicks(browser, served, design)
    assert complaints(browser) == []

    browser.get(f"{served.links['organiser']}/?lang=en")
    done = [find(row, "td").text for row in find_all(browser, "#raters tbody tr")]
    assert done == ["7 of 7", "7 of 7", "7 of 7", "0 of 7"]
    shown = {
        find(row, "th").text.split()[0]: tuple(cell.text.split()[0] for cell in find_all(row, "td"))
        for row in find_all(browser, "#means tbody tr")
    }
    assert shown == MEANS

    target = tmp_path / "answers.csv"
    exported = CliRunner().invoke(main, f"study export {served.folder} -o {target}")
    assert exported.exit_code == 0, exported.output
    answers = read_answers(target)
    assert len(answers) == 3 * 7 * 3
    assert [answer.comment for answer in answers if answer.comment] == ["a little blurred"]
    scores = compute_scores(answers, name="clr", settings=ScoringSettings(resamples=50))
    for opinion in scores.everyone.opinions:
        mean = MEANS[opinion.method][QUESTIONS.index(opinion.question)]
        assert (f"{opinion.mean.value:.3f}", opinion.mean.n) == (mean, 3)
    assert len(scores.everyone.opinions) == len(MEANS) * len(QUESTIONS)


def rate_by_mouse(browser: Any, served: Server, design: Design) -> None:
    browser.get(served.links["r01"])
    assert until(lambda: find_all(browser, "#begin"))
    assert len(find_all(browser, ".examples video")) == 2
    find(browser, "#begin").click()
    for number in range(7):
        (code,) = next_codes(browser)
        assert progress(browser) == f"{number} of 7"
        assert bool(find_all(browser, "h1.badge")) == (number < 2)
        watch(browser, code)
        ratings = ratings_of(design, code, "r01")
        for question, rating in zip(QUESTIONS, ratings, strict=True):
            assert not find(browser, "#next").is_enabled()
            choose(browser, code, question, rating)
        if number == 3:
            find(browser, ".remark summary").click()
            find(browser, ".remark textarea").send_keys("a little blurred")
        assert find(browser, "#next").text == ("Finish" if number == 6 else "Next")
        leave(browser)
    assert until(lambda: is_thanked(browser))


def rate_with_a_reload(browser: Any, served: Server, design: Design) -> None:
    browser.get(f"{served.links['r02']}/rate?lang=en")
    for number in range(7):
        (code,) = next_codes(browser)
        ratings = ratings_of(design, code, "r02")
        watch(browser, code)
        first = choose(browser, code, QUESTIONS[0], ratings[0])
        if number == 3:
            assert until(lambda: "2 left to answer" in find(browser, "#status").text)
            browser.refresh()
            assert next_codes(browser) == [code]
            assert progress(browser) == "3 of 7"
            first = find(browser, f'input[name="{code}-{QUESTIONS[0]}"][value="{ratings[0]}"]')
        assert first.is_selected()
        assert find(browser, ".play").text == "Watch again"
        for question, rating in zip(QUESTIONS[1:], ratings[1:], strict=True):
            choose(browser, code, question, rating)
        leave(browser)


def rate_by_keys_and_double_clicks(browser: Any, served: Server, design: Design) -> None:
    from selenium.webdriver import ActionChains

    browser.get(f"{served.links['r03']}/rate?lang=en")
    seen: list[str] = []
    for number in range(7):
        (code,) = next_codes(browser)
        seen.append(code)
        ratings = ratings_of(design, code, "r03")
        if number % 2:
            watch(browser, code)
            for question, rating in zip(QUESTIONS, ratings, strict=True):
                number_shown = choose(browser, code, question, rating)
                ActionChains(browser).double_click(number_shown).perform()
            leave(browser, clicks=2)
            continue
        keys = browser.switch_to.active_element
        keys.send_keys("5" + SPACE + "5")  # too early, twice: nothing happens
        assert until(lambda: not is_locked(browser))
        assert not find_all(browser, "input:checked")
        for rating in ratings:
            browser.switch_to.active_element.send_keys(str(rating))
        assert until(find(browser, "#next").is_enabled)
        browser.switch_to.active_element.send_keys(ENTER)
        gone(browser, [code])
    assert seen == [code for page in design.sessions["r03"] for code in page]


# ---- one page -------------------------------------------------------------------------------


def test_a_video_cannot_be_rated_by_jumping_to_its_end(browser: Any, served: Server) -> None:
    browser.get(f"{served.links['r04']}/rate?lang=en")
    assert until(
        lambda: browser.execute_script("return document.querySelector('video').readyState >= 3")
    )
    assert not find(browser, "video").get_attribute("controls")
    browser.execute_script(
        "const video = document.querySelector('video');video.currentTime = video.duration - 0.1"
    )
    find(browser, ".play").click()
    assert until(lambda: browser.execute_script("return document.querySelector('video').ended"))
    time.sleep(0.3)
    assert is_locked(browser)
    watch(browser, codes_shown(browser)[0])


def test_an_answer_is_sent_again_after_a_network_failure(browser: Any, served: Server) -> None:
    browser.get(f"{served.links['r04']}/rate?lang=en")
    (code,) = next_codes(browser)
    watch(browser, code)
    browser.execute_cdp_cmd("Network.enable", {})
    offline = {"offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    for question in QUESTIONS:
        choose(browser, code, question, 3)
    assert until(lambda: "Not saved yet" in find(browser, "#status").text)
    find(browser, "#next").click()
    time.sleep(0.5)
    assert codes_shown(browser) == [code]
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", {**offline, "offline": False})
    assert until(lambda: codes_shown(browser) not in ([code], []))
    assert progress(browser) == "1 of 7"
    complaints(browser)  # the failed requests stand on the console


def test_answers_and_pages_retry_while_the_ledger_is_locked(
    browser: Any, run: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "study"
    made = CliRunner().invoke(
        main, f"study new {run} -o {folder} --raters 2 --per-rater 3 --checks 0"
    )
    assert made.exit_code == 0, made.output
    with Server(folder) as server:
        browser.get(f"{server.links['r01']}/rate?lang=en")
        (code,) = next_codes(browser)
        watch(browser, code)
        other = sqlite3.connect(folder / "answers.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        choose(browser, code, QUESTIONS[0], 4)
        assert until(lambda: "Not saved yet" in find(browser, "#status").text)
        other.execute("ROLLBACK")
        assert until(lambda: "2 left to answer" in find(browser, "#status").text)
        other.execute("BEGIN IMMEDIATE")
        browser.get(f"{server.links['r02']}/rate?lang=en")
        assert "retry by itself" in find(browser, ".message").text
        other.execute("ROLLBACK")
        other.close()
        assert next_codes(browser)
    with Ledger(folder / "answers.sqlite") as ledger:
        assert [(one.rater, one.rating) for one in ledger.entries()] == [("r01", 4)]
    complaints(browser)  # the refused requests stand on the console


def test_a_refused_remark_can_be_corrected(browser: Any, served: Server) -> None:
    browser.get(f"{served.links['r04']}/rate?lang=en")
    (code,) = next_codes(browser)
    watch(browser, code)
    for question in QUESTIONS:
        choose(browser, code, question, 3)
    find(browser, ".remark summary").click()
    remark = find(browser, "textarea")
    remark.send_keys("the <b>mouth</b>")
    find(browser, "#next").click()  # leaving the remark saves it
    assert until(lambda: "The remark was refused" in find(browser, "#status").text)
    assert not find(browser, "#next").is_enabled()
    assert codes_shown(browser) == [code]
    remark.clear()
    remark.send_keys("the mouth")
    find(browser, ".screen").click()
    assert until(find(browser, "#next").is_enabled)
    browser.refresh()  # all is answered, so the next page comes; what was said is kept
    assert next_codes(browser) != [code]
    with Ledger(served.folder / "answers.sqlite") as ledger:
        assert ledger.remarks_of("r04")[code] == "the mouth"
    complaints(browser)  # the refused request stands on the console


def test_a_chosen_language_is_kept(browser: Any, served: Server) -> None:
    browser.get(f"{served.links['r04']}/")
    find(browser, "header nav a").click()
    assert until(lambda: find(browser, "html").get_attribute("lang") == "zh-CN")
    assert "怎样进行" in find(browser, "main").text
    find(browser, "#begin").click()
    next_codes(browser)
    assert find(browser, "legend").text == "嘴唇的动作与语音是否同步？"


@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_pages_fit_the_screen_with_enough_contrast_and_every_field_has_a_name(
    browser: Any, served: Server, width: int, scheme: str, lang: str
) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
    )
    try:
        for link in (
            f"{served.links['r04']}/?lang={lang}",
            f"{served.links['r04']}/rate?lang={lang}",
            f"{served.links['organiser']}/?lang={lang}",
        ):
            browser.get(link)
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width
            ratios = contrasts(browser, TEXTS)
            assert len(ratios) > 10
            assert [one for one in ratios if one[0] < 4.5] == []
            assert nameless(browser) == []
            small = browser.execute_script(
                "return [...document.querySelectorAll('button, .button, .scale label')]"
                ".filter(e => e.offsetParent).map(e => e.getBoundingClientRect().height)"
            )
            assert all(height >= 44 for height in small), small  # a finger finds them
        assert complaints(browser) == []
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def nameless(browser: Any) -> list[str]:
    """Fields, buttons and videos without an accessible name."""
    found: list[str] = browser.execute_script(
        """
        const named = (e) => e.getAttribute("aria-label") || (e.labels && e.labels.length
          && e.labels[0].innerText.trim()) || e.innerText.trim();
        const all = document.querySelectorAll("input, textarea, button, video, progress, a");
        const bare = [...all].filter((e) => e.offsetParent && !named(e)).map((e) => e.outerHTML);
        const groups = [...document.querySelectorAll("fieldset")];
        return bare.concat(groups.filter((e) => !e.querySelector("legend")).map(String));
        """
    )
    return found


# ---- side by side, and without a server -----------------------------------------------------


def test_side_by_side_each_video_can_be_rated_after_it_was_watched(
    browser: Any, run: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "study"
    options = StudyOptions(layout="side_by_side", raters=1, per_rater=3, checks=0)
    design = new_study([run], folder, options).design
    with Server(folder) as server:
        for _ in range(2):  # the practice
            browser.get(f"{server.links['r01']}/rate?lang=en")
            (code,) = next_codes(browser)
            watch(browser, code)
            for question in QUESTIONS:
                choose(browser, code, question, 3)
            leave(browser)
        shown = next_codes(browser)
        assert shown == list(design.sessions["r01"][2])
        assert [h2.text for h2 in find_all(browser, ".card h2")] == [
            "Video A",
            "Video B",
            "Video C",
        ]
        watch(browser, shown[0])
        assert not find(browser, f'input[name="{shown[1]}-{QUESTIONS[0]}"]').is_enabled()
        for code in shown[1:]:
            watch(browser, code)
        for rating, code in enumerate(shown, start=2):
            for question in QUESTIONS:
                choose(browser, code, question, rating)
        leave(browser)
        assert until(lambda: is_thanked(browser))
    assert complaints(browser) == []


def test_static_pages_save_a_csv_that_unblinds_to_the_answers(
    browser: Any, served: Server, tmp_path: Path, downloads: Path
) -> None:
    out = tmp_path / "pages"
    made = CliRunner().invoke(main, f"study export {served.folder} --html {out}")
    assert made.exit_code == 0, made.output
    design = read_design(served.folder)
    browser.get((out / "r01" / "index.html").as_uri())
    find(browser, "#begin").click()
    sent: dict[tuple[str, str], int] = {}
    for number in range(7):
        if number == 3:
            browser.refresh()  # what was answered is still there
            find(browser, "#begin").click()
        if number == 4:  # to some browsers the page in the other language is another site
            browser.execute_script("localStorage.clear()")
            find(browser, "header nav a").click()
            assert until(lambda: find_all(browser, "#begin"))
            assert find(browser, "#begin").text == "继续"
            assert find(browser, "#count").text == "4 / 7"
            find(browser, "#begin").click()
        (code,) = next_codes(browser)
        assert progress(browser) == (f"{number} of 7" if number < 4 else f"{number} / 7")
        watch(browser, code)
        for question, rating in zip(QUESTIONS, ratings_of(design, code, "r01"), strict=True):
            choose(browser, code, question, rating)
            sent[(code, question)] = rating
        if number == 2:
            find(browser, "section:not([hidden]) .remark summary").click()
            remark = 'said "so", and then some\n=1+1'
            find(browser, "section:not([hidden]) textarea").send_keys(remark)
        leave(browser)
    find(browser, "#done [data-download]").click()
    target = downloads / f"answers_{design.study}_r01.csv"
    assert until(target.exists)
    with target.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["item"], row["question"]): int(row["rating"]) for row in rows} == sent
    assert not any(item.method in target.read_text() for item in design.items.values())
    answers = read_returned(target, design, QUESTIONS)
    assert len(answers) == 21
    for answer in answers:
        given = RATINGS[answer.method]["r01"][QUESTIONS.index(answer.question)]
        assert answer.rating == given
    assert [answer.comment for answer in answers if answer.comment] == [remark]
    assert complaints(browser) == []
