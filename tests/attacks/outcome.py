"""What an attack can come to, and how outcomes are counted."""

from __future__ import annotations

import re
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

HELD = "held"  # the right result, or one sentence of what is wrong
SILENT = "silent"  # another result, and not a word
STUCK = "stuck"  # no way on, or no end
BUG = "bug"  # a traceback, or "this is a bug"
LEAK = "leak"  # a secret where it must not be


@dataclass(frozen=True)
class Outcome:
    """What came of one attack, and what it was."""

    kind: str
    what: str


@dataclass
class Tally:
    """Outcomes by attack and kind, and the ones that did not hold."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[tuple[str, Outcome]] = field(default_factory=list)

    def add(self, attack: str, outcome: Outcome) -> None:
        """Count one outcome."""
        self.counts[attack, outcome.kind] += 1
        if outcome.kind != HELD:
            self.failures.append((attack, outcome))


Attack = Callable[[Random], Outcome]


def of_result(what: str, result: Any) -> Outcome | None:
    """The outcome of a command that ended badly; None where it ended well or with a sentence."""
    text = str(result.output)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return Outcome(BUG, f"{what}: {last_lines(result.exception)}")
    if result.exit_code == 1 or "This is a bug" in text or "Traceback" in text:
        return Outcome(BUG, f"{what}: exit {result.exit_code}, {text[-400:]}")
    if result.exit_code and not re.search(r"^error: .+", text, re.MULTILINE):
        return Outcome(BUG, f"{what}: exit {result.exit_code} without a sentence: {text[-400:]}")
    return None


def last_lines(error: BaseException) -> str:
    """An exception and where it came from, short."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    return f"{type(error).__name__}: {error} at {', '.join(f'{f.name}:{f.lineno}' for f in frames)}"[:600]
