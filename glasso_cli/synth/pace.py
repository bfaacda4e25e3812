"""How many requests are in flight: as many as allowed, fewer when the server says that these are too many."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

FIRST_WAIT = 0.5  # seconds; doubles with every try
LONGEST_WAIT = 60.0
_LESS = 0.75


def backoff(tries: int) -> float:
    """Seconds to wait after ``tries`` failures: anything up to a limit that doubles, so that clients spread out."""
    return random.uniform(0, min(LONGEST_WAIT, FIRST_WAIT * 2**tries))


def retry_after(headers: dict[str, str]) -> float | None:
    """The seconds that the server asks to wait, from ``Retry-After`` (seconds or a date) or ``retry-after-ms``."""
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        asked = headers.get("retry-after", "")
        return max(0.0, float(asked)) if asked else None
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=timezone.utc)
    return max(0.0, (until - datetime.now(timezone.utc)).total_seconds())


@dataclass
class Pace:
    """A limit on requests in flight that falls by a quarter when the server has too many, and rises again slowly.

    ``clock`` returns seconds, and ``sleep`` waits for as many; tests pass a clock of their own.
    """

    ceiling: int
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    limit: float = field(init=False)
    _active: int = 0
    _not_before: float = -math.inf
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def __post_init__(self) -> None:
        self.limit = float(self.ceiling)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """One request's time in flight: it begins when there is room and the server's pause is over."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._active < int(self.limit))
            self._active += 1
        try:
            while (pause := self._not_before - self.clock()) > 0:
                await self.sleep(pause)
            yield
        finally:
            async with self._changed:
                self._active -= 1
                self._changed.notify_all()

    def faster(self) -> None:
        """An answer came: one more in flight after as many answers as are in flight now."""
        self.limit = min(float(self.ceiling), self.limit + 1 / self.limit)

    def slower(self, pause: float) -> None:
        """The server has too many: a quarter fewer, and nothing new for ``pause`` seconds.

        What comes back during that pause was sent before it: it is the same news, not more of it.
        """
        now = self.clock()
        if now >= self._not_before:
            self.limit = max(1.0, self.limit * _LESS)
        self._not_before = max(self._not_before, now + pause)
