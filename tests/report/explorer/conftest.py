"""Studies, the page written of one, and a browser without a network to open it in."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from support.studies import build_study

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
    found = webdriver.Chrome(options=options, service=Service(chromedriver))
    found.set_script_timeout(60)
    yield found
    found.quit()
