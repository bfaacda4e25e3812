"""Many calls of one function elsewhere: what goes to another process, how it is done there, and what comes back.

A call is a pure function of files: its result is in files, and what it returns is small. So a call that was lost with its
process is made again, and a call that was made twice does no harm.
"""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from glasso_cli.engine import threads
from glasso_cli.engine.versions import refuse_other_versions, versions
from glasso_cli.errors import GlassoError

Function = Callable[..., Any]  # called with what all calls share, and then the values of one item
Item = tuple[Any, ...]


@dataclass(frozen=True)
class Call:
    """What goes to another process: the function with what all calls share, and what must be the same there."""

    pickled: bytes
    folder: str  # paths are relative to it
    versions: dict[str, str]
    threads: int | None  # of compiled code; None leaves all as it is

    @classmethod
    def of(cls, function: Function, shared: Any, n_threads: int | None = None) -> Call:
        """The call of a function that is found by its name."""
        return cls(pickle.dumps((function, shared)), os.getcwd(), versions(), n_threads)


@dataclass(frozen=True)
class Outcome:
    """How the calls for one item ended: with a value, or with the error of the last attempt."""

    item: Item
    value: Any = None
    error: BaseException | None = None


_ONE_AT_A_TIME = threading.Lock()
_AT_END: list[Callable[[], None]] = []


class Engine(Protocol):
    """What makes calls elsewhere. An error of class :class:`ConfigError` ends all of them."""

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
    """What went wrong in another process, in words."""


def portable(error: BaseException) -> BaseException:
    """``error`` as another process can read it: those that a user can fix as they are, others in words."""
    return error if isinstance(error, GlassoError) else CallFailed(in_words(error))


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
    """The engine that resampled fits run on; None for processes of this machine."""
    return _ENGINE.get()


def perform(call: Call, item: Item) -> Any:
    """What ``call`` gives for ``item``, in this process; raises :class:`ConfigError` where the driver has other versions."""
    refuse_other_versions("The process that started this one", call.versions)
    with _ONE_AT_A_TIME:  # a worker of Dask may have several threads
        if os.getcwd() != call.folder:
            os.chdir(call.folder)
        function, shared = _unpickled(call.pickled)
        with threads.limited(call.threads):
            return function(shared, *item)


def at_end(function: Callable[[], None]) -> None:
    """Call ``function`` where a driver leaves this process, which goes on without it."""
    _AT_END.append(function)


def clean_up() -> None:
    """Free what was kept for further calls of a driver."""
    for function in _AT_END:
        function()
    _unpickled.cache_clear()


@lru_cache(maxsize=1)
def _unpickled(pickled: bytes) -> Any:
    return pickle.loads(pickled)
