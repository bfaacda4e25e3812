"""What a command says: results on stdout, everything else on stderr, and a log file.

On a terminal rich draws the progress; elsewhere one plain line every half minute says the same.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rich.console import RenderableType

PLAIN_EVERY = 30.0  # seconds between progress lines off a terminal
WIDE = 200  # characters of a line off a terminal
SHOW_AFTER = 2.0  # seconds before progress is worth showing


class Advance(Protocol):
    """Report ``amount`` more units of work done."""

    def __call__(self, amount: float) -> None: ...


class Reporter(Protocol):
    """What long work says while it runs, and to whom: a terminal, or the notebook that called it."""

    def note(self, text: str) -> None:
        """A line of progress."""

    def detail(self, text: str) -> None:
        """A line for those who asked for more."""

    def warn(self, text: str) -> None:
        """Something that a reader of the result must know."""

    def progress(self, label: str, total: float, unit: str) -> AbstractContextManager[Advance]:
        """Work of ``total`` units begins; the value is a function that adds units done."""


class GlassoWarning(UserWarning):
    """Something that a reader of the result must know, said by a function called from Python."""


class PythonWarnings:
    """A reporter for notebooks and scripts: warnings become Python's, the rest is silent."""

    def note(self, text: str) -> None:
        """Nothing."""

    def detail(self, text: str) -> None:
        """Nothing."""

    def warn(self, text: str) -> None:
        """Warn with :class:`GlassoWarning`."""
        warnings.warn(text, GlassoWarning, stacklevel=2)

    @contextmanager
    def progress(self, label: str, total: float, unit: str) -> Iterator[Advance]:
        """Nothing is shown."""
        yield lambda amount: None


@dataclass
class Console:
    """How a command talks; ``quiet`` keeps results, warnings and errors only."""

    quiet: bool = False
    verbose: bool = False
    as_json: bool = False
    log_path: Path | None = None
    check: Callable[[], None] = lambda: None  # called while work goes on; raises where the run is to end

    def note(self, text: str) -> None:
        """A line of progress on stderr."""
        self.check()
        self.log(text)
        if not self.quiet:
            _stderr(text)

    def show(self, drawing: RenderableType | None, *, beside: bool = False) -> None:
        """Something drawn by rich, on stdout; in colour on a terminal. ``beside`` results it goes to stderr, unless quiet."""
        from rich.console import Console as RichConsole

        if drawing is not None and not (beside and self.quiet):
            stream = sys.stderr if beside else sys.stdout
            wide = None if stream.isatty() else WIDE
            RichConsole(highlight=False, soft_wrap=wide is not None, width=wide, stderr=beside).print(drawing)

    def detail(self, text: str) -> None:
        """A line for ``-v`` and the log."""
        self.check()
        self.log(text)
        if self.verbose:
            _stderr(text)

    def warn(self, text: str) -> None:
        """A warning on stderr."""
        self.log(f"warning: {text}")
        _stderr(text, label="warning", style="yellow")

    def error(self, message: str, hint: str = "") -> None:
        """What went wrong and what to do."""
        self.log(f"error: {message} {hint}")
        _stderr(message, label="error", style="bold red")
        if hint:
            _stderr(f"  {hint}")

    def result(self, record: dict[str, Any]) -> None:
        """One artifact on stdout: its path, or the whole record with ``--json``."""
        self.log(f"result: {record['path']}")
        path = visible(record["path"]) if sys.stdout.isatty() else record["path"]
        print(strict_json(record) if self.as_json else path, flush=True)

    def log(self, text: str) -> None:
        """A line in the log file of the stage, with the time; a log that cannot be written is no error."""
        if self.log_path is None:
            return
        stamp = datetime.now(timezone.utc).isoformat(timespec="seconds")
        try:
            self.log_path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.log_path, "a", encoding="utf-8") as file:
                file.write(f"{stamp} {text}\n")
        except OSError:
            self.log_path = None

    @contextmanager
    def progress(self, label: str, total: float, unit: str) -> Iterator[Advance]:
        """Show work of ``total`` units; the value is a function that adds units done."""
        if self.quiet:
            yield self._checked(lambda amount: None)
        elif sys.stderr.isatty():
            with _rich_progress(label, total, unit) as advance:
                yield self._checked(advance)
        else:
            now = time.monotonic()
            yield self._checked(_PlainProgress(self, label, total, unit, started=now, said=now))

    def _checked(self, advance: Advance) -> Advance:
        def advance_and_check(amount: float) -> None:
            self.check()
            advance(amount)

        return advance_and_check


@dataclass
class _PlainProgress:
    """Progress as one line every half minute, for logs and pipes."""

    console: Console
    label: str
    total: float
    unit: str
    started: float
    said: float
    done: float = 0.0

    def __call__(self, amount: float) -> None:
        self.done += amount
        now = time.monotonic()
        if now - self.said < PLAIN_EVERY:
            return
        self.said = now
        rate = self.done / (now - self.started)
        left = f", {_duration((self.total - self.done) / rate)} left" if rate else ""
        self.console.note(
            f"{self.label}: {self.done:,.0f} of {self.total:,.0f} {self.unit}, {rate:,.1f} {self.unit}/s{left}"
        )


@contextmanager
def _rich_progress(label: str, total: float, unit: str) -> Iterator[Advance]:
    from rich.console import Console as RichConsole
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f} {task.fields[unit]}"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=RichConsole(stderr=True),
        transient=True,
    )
    task = bar.add_task(label, total=total, unit=unit, rate="")
    started = time.monotonic()
    shown = False

    def advance(amount: float) -> None:
        nonlocal shown
        elapsed = time.monotonic() - started
        if not shown and elapsed >= SHOW_AFTER:
            bar.start()
            shown = True
        bar.advance(task, amount)
        bar.update(task, rate=f"{bar.tasks[0].completed / max(elapsed, 1e-9):,.1f} {unit}/s")

    try:
        yield advance
    finally:
        if shown:
            bar.stop()


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def visible(text: str) -> str:
    """``text`` with every character that is not printed as an escape, so that no file or server controls a terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else f"\\u{ord(char):04x}" for char in text)


def _stderr(text: str, label: str = "", style: str = "") -> None:
    """A line on stderr, its ``label`` coloured where that is wanted; nothing is wrapped or marked up."""
    text = visible(text)
    if label and _colours():
        from rich.console import Console as RichConsole
        from rich.text import Text

        line = Text.assemble((f"{label}:", style), " ", text)
        RichConsole(stderr=True).print(line, soft_wrap=True)
    else:
        try:
            print(f"{label}: {text}" if label else text, file=sys.stderr, flush=True)
        except OSError:  # a full disk behind stderr does not stop the work; Python flushes what is left at its end
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def _colours() -> bool:
    """Whether stderr is a terminal that wants colours (https://no-color.org)."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return sys.stderr.isatty() and not plain


def strict_json(value: Any, indent: int | None = None) -> str:
    """``value`` as JSON that every reader takes: numbers that are not finite become null."""
    return visible(json.dumps(_finite(value), ensure_ascii=False, allow_nan=False, indent=indent))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
