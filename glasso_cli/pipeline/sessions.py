"""The units of a stage made one by one, as another process says: the model is loaded once, and waits between units.

:func:`units_of`, :func:`make_unit` and :func:`merge` are called in the processes of an engine. The first call for an
artifact starts its stage in a thread, which pauses where the units begin.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from glasso_cli.config import Config
from glasso_cli.console import Console
from glasso_cli.engine.shares import ShareDone, Units, sharing
from glasso_cli.engine.tasks import at_end
from glasso_cli.errors import ServiceError
from glasso_cli.pipeline.cache import Target
from glasso_cli.pipeline.job import Job
from glasso_cli.pipeline.shared import Shared
from glasso_cli.pipeline.stage import stage_named

Said = tuple[str, str]  # a method of a console, and the line


@dataclass(frozen=True)
class Order:
    """What another process needs to make units of an artifact."""

    config: Config
    corpus: str
    target: Target
    upstream: dict[str, Path]
    pieces: Path

    @classmethod
    def of(cls, job: Job) -> Order:
        """The order for the artifact of ``job``."""
        return cls(job.config, job.corpus, job.target, job.upstream, job.pieces)

    @property
    def name(self) -> str:
        """Of the artifact, the same for the same work."""
        return f"{self.target.stage} {self.corpus} {self.target.key}"


def units_of(order: Order, phase: int) -> Units | None:
    """The units that are missing in a phase of the work, after what comes before them is made.

    None after the last phase, and where a phase needs units of the one before that are not there.
    """
    return _session(order).missing(phase)


def make_unit(order: Order, phase: int, number: int) -> list[Said]:
    """Make one unit; the value is warnings that others must hear."""
    return _session(order).make(phase, number)


def merge(order: Order) -> tuple[str, list[Said]]:
    """Make the artifact of units that are all made; the value is what the stage says of it, and what it said on the way."""
    return _session(order).merge()


@dataclass
class _Kept(Console):
    """Keeps what is said, for the process that has the terminal and the log."""

    quiet: bool = True
    said: list[Said] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Keep the line."""
        self.said.append(("note", text))

    def detail(self, text: str) -> None:
        """Keep the line."""
        self.said.append(("detail", text))

    def warn(self, text: str) -> None:
        """Keep the warning."""
        self.said.append(("warn", text))


class _Told(Enum):
    """What the thread of a session is told in the place of the number of a unit."""

    NEXT = auto()  # go on to the next phase
    MERGE = auto()
    STOP = auto()


class _Session:
    """A stage that runs in a thread, and pauses where it could make units, and before it merges them."""

    def __init__(self, order: Order, shared: Shared) -> None:
        self.order = order
        self._console = _Kept()
        self._phase = 0
        self._missing: Units | None = None
        self._is_incomplete = (
            False  # whether the stage ended before its last units, since others that they need are not there
        )
        self._told: SimpleQueue[int | _Told] = SimpleQueue()  # to the thread
        self._heard: SimpleQueue[Any] = SimpleQueue()  # from the thread
        self._thread = threading.Thread(target=contextvars.Context().run, args=(self._run, shared), daemon=True)
        self._thread.start()
        self._missing = self._answer()

    def missing(self, phase: int) -> Units | None:
        """The missing units of a phase; None where there is no such phase, or it cannot begin."""
        while self._phase < phase and self._missing is not None:
            self._told.put(_Told.NEXT)
            self._phase += 1
            self._missing = self._answer()
        return self._missing

    def make(self, phase: int, number: int) -> list[Said]:
        """Make a unit of a phase; the value is warnings."""
        if self.missing(phase) is None:
            raise _gone(self.order)
        before = len(self._console.said)
        self._told.put(number)
        self._answer()
        new = self._console.said[before:]
        return [said for said in new if said[0] == "warn"]

    def merge(self) -> tuple[str, list[Said]]:
        """Let the stage finish."""
        while self._missing is not None:
            self.missing(self._phase + 1)
        if self._is_incomplete:
            raise _gone(self.order)
        self._told.put(_Told.MERGE)
        return str(self._answer()), self._console.said

    def stop(self) -> None:
        """Let the thread end, after the unit that it may be making."""
        self._told.put(_Told.STOP)

    def close(self) -> None:
        """End the thread, which makes no unit now."""
        self.stop()
        self._thread.join()

    @property
    def is_over(self) -> bool:
        """Whether the stage has come to an end, well or not."""
        return not self._thread.is_alive()

    def _answer(self) -> Any:
        answer = self._heard.get()
        if isinstance(answer, _Raised):
            if answer.last:
                self._thread.join()
            raise answer.error
        return answer

    # -- in the thread

    def _run(self, shared: Shared) -> None:
        order = self.order
        job = Job(order.config, order.corpus, order.target, order.upstream, order.pieces, self._console, shared=shared)
        try:
            with sharing(self):
                self._heard.put(stage_named(order.target.stage).make(job))
        except ShareDone:
            self._is_incomplete = True
            self._heard.put(None)
        except BaseException as error:
            self._heard.put(_Raised(error, last=True))

    def own(self, missing: Units) -> Units:
        """Units come one by one, so none is known before."""
        return {}

    def each(self, missing: Units, make: Callable[[int], None]) -> None:
        """Make the units that the session is told to make."""
        self._heard.put(missing)
        while (told := self._told.get()) is not _Told.NEXT:
            if isinstance(told, _Told):
                raise ShareDone
            try:
                make(told)
            except Exception as error:
                self._heard.put(_Raised(error, last=False))
            else:
                self._heard.put(None)

    def merges(self) -> bool:
        """Wait until the session is told to merge, or to stop."""
        self._heard.put(None)
        return self._told.get() is _Told.MERGE


@dataclass(frozen=True, eq=False)
class _Raised:
    error: BaseException
    last: bool  # whether the thread ended with it


def _gone(order: Order) -> ServiceError:
    return ServiceError(
        f"{order.target.stage} {order.corpus}: files that other processes wrote are not in {order.pieces}.",
        "See to it that all processes see the same folder, and run the same command again.",
    )


_open: _Session | None = None
_shared = Shared()  # such as the model, for the next corpus


def _session(order: Order) -> _Session:
    """The session of ``order``; another one that is open is closed."""
    global _open
    if _open is not None and (_open.is_over or _open.order.name != order.name):
        if (_open.order.target.stage, _open.order.config) != (order.target.stage, order.config):
            _shared.forget()
        _open.close()
        _open = None
    if _open is None:
        _open = _Session(order, _shared)
    return _open


def _leave() -> None:
    """Let the open session end, after the unit that it may be making."""
    global _open
    if _open is not None:
        _open.stop()
        _open = None
    _shared.forget()


at_end(_leave)
