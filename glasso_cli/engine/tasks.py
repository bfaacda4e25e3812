"""Many calls of one function elsewhere: what goes to another process, how it is done there, and what comes back.

A call is a pure function of files: its result is in files, and what it returns is small. So a call that was lost with its
process is made again, and a call that was made twice does no harm.
"""

from __future__ import annotations

import os
import pickle
import threading
import traceback
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from glasso_cli.engine import threads
from glasso_cli.engine.versions import refuse_other_versions, versions
from glasso_cli.errors import GlassoError, missing_extra

Function = Callable[..., Any]  # called with what all calls share, and then the values of one item
Item = tuple[Any, ...]


@dataclass(frozen=True)
class Call:
    """What goes to another process: the function with what all calls share, and what must be the same there."""

    name: str  # no other call has it
    pickled: bytes  # may be empty in a process that has made the call before
    folder: str  # paths are relative to it
    versions: dict[str, str]
    threads: int | None  # of compiled code; None leaves all as it is

    @classmethod
    def of(cls, function: Function, shared: Any, n_threads: int | None = None) -> Call:
        """The call of a function that is found by its name."""
        return cls(uuid.uuid4().hex, pickle.dumps((function, shared)), os.getcwd(), versions(), n_threads)


@dataclass(frozen=True)
class Outcome:
    """How the calls for one item ended: with a value, or with the error of the last attempt."""

    item: Item
    value: Any = None
    error: BaseException | None = None


_ONE_AT_A_TIME = threading.Lock()
_AT_END: list[Callable[[], None]] = []
_unpickled: dict[str, tuple[Function, Any]] = {}  # by the name of the call that was made last


class Engine(Protocol):
    """What makes many calls, mostly elsewhere. An error of class :class:`ConfigError` ends all of them."""

    @property
    def size(self) -> int:
        """How many processes there are at most, as far as it is known."""

    def run(
        self, function: Function, shared: Any, work: Sequence[Item], n_threads: int | None = None
    ) -> Iterator[Outcome]:
        """Call ``function(shared, *item)`` for every item of ``work``; the outcomes come as they end."""

    def close(self) -> None:
        """End all processes of the engine."""


class CallFailed(Exception):  # noqa: N818
    """What went wrong in another process, in words; its cause is the traceback there."""

    def __init__(self, words: str, there: str = "") -> None:
        super().__init__(words)
        self.there = there
        if there:
            self.__cause__ = CallFailed(there)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.there)


class ProcessEnded(CallFailed):
    """The process of a call was ended from outside, as often as a call is made."""


def portable(error: BaseException) -> BaseException:
    """``error`` as another process can read it: those that a user can fix as they are, others in words.

    A user can fix errors of glasso, a package that is not installed, and what the system refuses.
    """
    if isinstance(error, ModuleNotFoundError):
        error = missing_extra(error) or error
    if isinstance(error, GlassoError):
        return error
    if isinstance(error, MemoryError):
        return MemoryError(str(error))  # classes of packages derive from it
    if isinstance(error, OSError) and error.errno is not None:
        return OSError(error.errno, error.strerror, error.filename, None, error.filename2)
    return CallFailed(in_words(error), "".join(traceback.format_exception(error)))


def in_words(error: BaseException) -> str:
    """What an error says, without a full stop."""
    if isinstance(error, GlassoError):
        return error.message.rstrip(".")
    text = str(error) if isinstance(error, CallFailed) else f"{type(error).__name__}: {error}"
    return text.rstrip(".")


@contextmanager
def using(engine: Engine | None) -> Iterator[None]:
    """Let :func:`current` give ``engine`` inside the block."""
    token = _ENGINE.set(engine)
    try:
        yield
    finally:
        _ENGINE.reset(token)


_ENGINE: ContextVar[Engine | None] = ContextVar("engine", default=None)


def current() -> Engine | None:
    """The engine that resampled fits and the bootstraps of an audit run on; None for processes of this machine."""
    return _ENGINE.get()


def perform(call: Call, item: Item) -> Any:
    """What ``call`` gives for ``item``, in this process; raises :class:`ConfigError` where the driver has other versions."""
    refuse_other_versions("The process that started this one", call.versions)
    with _ONE_AT_A_TIME:  # a worker of Dask may have several threads
        if os.getcwd() != call.folder:
            os.chdir(call.folder)
        if call.name not in _unpickled:
            _unpickled.clear()
            _unpickled[call.name] = pickle.loads(call.pickled)
        function, shared = _unpickled[call.name]
        with threads.limited(call.threads):
            return function(shared, *item)


def at_end(function: Callable[[], None]) -> None:
    """Call ``function`` where a driver leaves this process, which goes on without it."""
    _AT_END.append(function)


def clean_up() -> None:
    """Free what was kept for further calls of a driver."""
    for function in _AT_END:
        function()
    _unpickled.clear()
