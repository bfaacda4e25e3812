"""A page of the explorer that is open in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any


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
