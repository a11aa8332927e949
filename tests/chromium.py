"""A headless Chromium for tests that look at pages."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def started(profile: Path, *, downloads: Path | None = None) -> Any:
    """A browser driven through its own driver; the test is skipped where either is missing.

    profile: an empty folder. downloads: where files that pages offer are put.
    """
    webdriver = pytest.importorskip("selenium.webdriver")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("needs chromium and chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--mute-audio",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(argument)
    if downloads is not None:
        options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))


def until(holds: Callable[[], object], seconds: float = 60.0) -> bool:
    """Whether `holds` becomes true in that time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.05)
    return False


def complaints(browser: Any) -> list[str]:
    """Everything on the console since the last call."""
    return [entry["message"] for entry in browser.get_log("browser")]


def contrasts(browser: Any, selector: str) -> list[tuple[float, str]]:
    """The contrast with its ground (WCAG 2) of every shown text that matches, and the text."""
    found: list[tuple[float, str]] = browser.execute_script(
        """
        const light = (colour) => {
          const parts = colour.match(/[\\d.]+/g).slice(0, 3).map((one) => {
            const part = Number(one) / 255;
            return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
          });
          return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
        };
        const ground = (element) => {
          for (let one = element; one; one = one.parentElement) {
            const colour = getComputedStyle(one).backgroundColor;
            if (!colour.endsWith(", 0)") && colour !== "transparent") return colour;
          }
          return "rgb(255, 255, 255)";
        };
        for (const one of document.querySelectorAll("*")) one.style.transition = "none";
        const all = [...document.querySelectorAll(arguments[0])];
        return all.filter((one) => one.innerText && one.offsetParent).map((one) => {
          const pair = [light(getComputedStyle(one).color), light(ground(one))];
          const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
          return [ratio, one.innerText.slice(0, 30)];
        });
        """,
        selector,
    )
    return found
