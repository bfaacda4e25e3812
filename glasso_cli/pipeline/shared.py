"""What the jobs of one run share, such as a loaded model or processes that draw."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, ExitStack
from typing import Any, TypeVar

from glasso_cli.engine.machine import is_roomy

Made = TypeVar("Made")


class Shared(ExitStack):
    """Values by what they are, made when they are first asked for. Those that have an end are ended with the run."""

    def __init__(self) -> None:
        super().__init__()
        self._values: dict[Hashable, Any] = {}

    def once(self, what: Hashable, make: Callable[[], Made]) -> Made:
        """What ``make`` gave the first job that asked for ``what``: a loaded model, say."""
        if what not in self._values:
            self._values[what] = make()
        made: Made = self._values[what]
        return made

    def entered_once(self, what: Hashable, make: Callable[[], AbstractContextManager[Made]]) -> Made:
        """The same for a value with an end, which comes with that of the run or with :meth:`make_room`."""
        return self.once(what, lambda: self.enter_context(make()))

    def make_room(self) -> None:
        """Forget everything, for a stage that is about to begin, unless this process takes little of the machine's memory."""
        if not is_roomy():
            self.forget()

    def forget(self) -> None:
        """Forget everything, and end what has an end."""
        self._values.clear()
        self.close()
