"""Studies, the page written of one, and a browser without a network to open it in."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.browser import Page
from support.studies import build_study

from glasso_cli.report.explorer import View, write_explorer
from glasso_cli.report.plots.study import Study


@pytest.fixture
def make_study(tmp_path: Path) -> Callable[..., Study]:
    """A function that makes a study; see :func:`build_study`."""
    return partial(build_study, tmp_path)


@pytest.fixture(scope="session")
def driver() -> Iterator[object]:
    """Headless Chromium that can reach nothing but files."""
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and chromedriver):
        pytest.skip("needs chromium and chromedriver (Debian: chromium, chromium-driver)")
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs the extra 'dev'")
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for word in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
        "--host-resolver-rules=MAP * ~NOTFOUND",
    ):  # fmt: skip
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(chromedriver))
    browser.set_script_timeout(60)
    yield browser
    browser.quit()


@pytest.fixture
def opened(driver: Any, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Opens the page of a view; at the end no request but for the file and no error was logged."""

    def open_(view: View, hash_: str = "") -> Page:
        path = write_explorer(view, tmp_path / "page.html", 12.0).path
        return Page(driver, path, hash_)

    yield open_
    errors = [entry for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    assert errors == []
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    assert [url for url in asked if not url.startswith(("file:", "blob:", "data:", "about:"))] == []
    assert sum(url.startswith("file:") for url in asked) <= 1 + sum("page.html#" in url for url in asked)
