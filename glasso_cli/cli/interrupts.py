"""Signals that end a run, also where a library swallows the exception that they raise.

numba and matplotlib call back into Python from compiled code, which prints an exception and goes on. So the signal is
remembered, and raised again the next time that the run says something or moves its progress on.
"""

from __future__ import annotations

import signal
from typing import Any

_ENDING = ("SIGINT", "SIGTERM", "SIGHUP")  # not all are known on every system
_arrived: list[int] = []


def install() -> None:
    """End the run with its usual clean-up at these signals, except those that the caller ignores."""
    for name in _ENDING:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def check() -> None:
    """Raise what ends the run if a signal has arrived that should have ended it."""
    if _arrived:
        raise _ending(_arrived[0])


def _end(number: int, frame: Any) -> None:
    _arrived.append(number)
    raise _ending(number)


def _ending(number: int) -> BaseException:
    return KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)
