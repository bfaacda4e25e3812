"""A page of the explorer that is open in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


class Page:
    """A page that is open in the browser."""

    def __init__(self, driver: Any, path: Path, hash_: str = "") -> None:
        self.driver = driver
        driver.get_log("browser"), driver.get_log("performance")
        driver.get("about:blank")
        driver.get(f"{path.as_uri()}{hash_}")
        driver.execute_async_script("window.glasso.ready.then(arguments[0], arguments[0])")

    def run(self, script: str, *values: Any) -> Any:
        return self.driver.execute_script(script, *values)

    def wait(self, script: str) -> Any:
        return self.driver.execute_async_script(f"(async () => {{ {script} }})().then(arguments[0])")

    def set(self, **changes: Any) -> None:
        self.run("window.glasso.set(arguments[0])", changes)

    def counts(self) -> dict[str, Any]:
        counts: dict[str, Any] = self.run("return window.glasso.counts()")
        return counts

    def text(self, selector: str) -> str:
        return str(self.run("return document.querySelector(arguments[0]).innerText", selector))

    def press(self, selector: str, key: str, **more: bool) -> None:
        self.run(
            "document.querySelector(arguments[0]).dispatchEvent(new KeyboardEvent('keydown', "
            "{key: arguments[1], bubbles: true, cancelable: true, ...arguments[2]}))",
            selector, key, more,
        )  # fmt: skip


def serious_findings(page: Page, *, dark: bool) -> list[tuple[str, str]]:
    """What axe finds in a page as it is, on a light or a dark screen: the rule, and the beginning of the element."""
    axe = pytest.importorskip("axe_core_python", reason="needs the extra 'dev'")
    scheme = {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]}
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme)
    page.wait("await new Promise((done) => setTimeout(done, 100))")
    page.run((Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    violations = page.wait("return (await axe.run()).violations")
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    serious = [item for item in violations if item["impact"] in ("serious", "critical")]
    return [(item["id"], item["nodes"][0]["html"][:200]) for item in serious]
