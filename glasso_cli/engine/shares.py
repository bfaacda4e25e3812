"""Which units of a long computation this process makes: all of them, a fixed part, or those that it is told to make.

A unit ends in files, so what one process makes is there for all others. Code that makes units calls :func:`each_unit`,
:func:`require_units` where units that come next need these, and :func:`end_of_share` before it reads them all. Where nobody
shared the work, the first makes every unit and the others do nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

from glasso_cli.errors import ConfigError, DiskError, InputError

ATTEMPTS = 3  # of a unit, before it is left out


@dataclass(frozen=True)
class Unit:
    """What a unit is called, such as ``block 3``, and how much work it is; the units of one computation have the same measure."""

    name: str
    size: float


Units = Mapping[int, Unit]  # by their numbers, which are the same in every process


def is_worth_another(error: BaseException, attempts: int) -> bool:
    """Whether a unit or a call is made again after ``attempts``; a wrong input stays wrong, and a full disk full.

    Raises ``error`` where it is of class :class:`ConfigError`, since all others would end in the same way.
    """
    if isinstance(error, ConfigError):
        raise error
    return attempts < ATTEMPTS and not isinstance(error, InputError | DiskError)


class ShareDone(Exception):  # noqa: N818 - no error
    """This process has made its share, and another one merges."""


class Share(Protocol):
    """The units of this process."""

    def own(self, missing: Units) -> Units:
        """Those of the ``missing`` units that are known to be of this share."""

    def each(self, missing: Units, make: Callable[[int], None]) -> None:
        """Make the units of this share."""

    def merges(self) -> bool:
        """Whether this process goes on to merge all units, once the others are made."""


_SHARE: ContextVar[Share | None] = ContextVar("share", default=None)


@contextmanager
def sharing(share: Share | None) -> Iterator[None]:
    """Make only the units of ``share`` inside the block; None makes all."""
    token = _SHARE.set(share)
    try:
        yield
    finally:
        _SHARE.reset(token)


def is_shared() -> bool:
    """Whether other processes make units of the same work."""
    return _SHARE.get() is not None


def own_size(missing: Units) -> float:
    """The work of the ``missing`` units that this process will make, as far as it is known."""
    share = _SHARE.get()
    return sum(unit.size for unit in (missing if share is None else share.own(missing)).values())


def each_unit(missing: Units, make: Callable[[int], None]) -> None:
    """Call ``make`` with the number of every unit that is ``missing`` and of this process."""
    share = _SHARE.get()
    if share is not None:
        share.each(missing, make)
        return
    for number in missing:
        make(number)


def require_units(there: bool) -> None:
    """Raise :class:`ShareDone` where units that come next need others, which are not ``there`` and which other processes make."""
    if not there and is_shared():
        raise ShareDone


def end_of_share() -> None:
    """Go on where this process merges what all have made, and raise :class:`ShareDone` in the others."""
    share = _SHARE.get()
    if share is None:
        return
    if not share.merges():
        raise ShareDone
    _SHARE.set(None)


@dataclass
class Part:
    """Every ``of``-th unit, from unit ``number - 1`` on; part 0 of 0 makes no unit, only what comes before all units."""

    number: int
    of: int
    made: list[str] = field(default_factory=list)
    failed: dict[str, Exception] = field(default_factory=dict)  # the last error of units that failed at every attempt

    @classmethod
    def parsed(cls, text: str) -> Part:
        """The part that ``I/N`` names; raises :class:`ConfigError` for anything else."""
        number, slash, of = text.partition("/")
        if not (slash and _is_number(number) and _is_number(of)):
            raise ConfigError(
                f"--part {text} is not a part such as 2/8.", "Give the number of the part and of all parts: 2/8."
            )
        part = cls(int(number), int(of))
        if not 1 <= part.number <= part.of:
            raise ConfigError(
                f"--part {text} does not exist.",
                f"Parts are counted from 1: give 1/{part.of} to {part.of}/{part.of}."
                if part.of
                else "Give the number of the part and of all parts: 2/8.",
            )
        return part

    @classmethod
    def nothing(cls) -> Part:
        """The share of a process that prepares the work of others."""
        return cls(0, 0)

    @property
    def prepares(self) -> bool:
        """Whether this process makes what comes before all units."""
        return self.of == 0

    def own(self, missing: Units) -> Units:
        """Those of the ``missing`` units that are of this part."""
        return {number: unit for number, unit in missing.items() if self.of and number % self.of == self.number - 1}

    def merges(self) -> bool:
        """No part merges."""
        return False

    def each(self, missing: Units, make: Callable[[int], None]) -> None:
        """Make the units of this part. A unit that fails is tried again, then left out; the others are made."""
        for number, unit in self.own(missing).items():
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    make(number)
                except Exception as error:
                    if is_worth_another(error, attempt):
                        continue
                    self.failed[unit.name] = error
                else:
                    self.made.append(unit.name)
                break


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10
