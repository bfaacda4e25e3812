"""Dask's process beside a worker, which starts it and starts it again, without a trace in the environment of this process."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from distributed import Nanny


class CleanNanny(Nanny):
    """Sets the variables of its worker in this process only while a worker starts.

    Dask leaves them there. ``OMP_NUM_THREADS`` among them says how many threads this process, and others that it starts,
    may use; results depend on that in their last digit.
    """

    async def instantiate(self) -> Any:
        """Start the worker."""
        with _environment.kept(self.pre_spawn_env):
            return await super().instantiate()


class _Environment:
    """That of this process, which is as before when the last of several nannies has started its worker."""

    def __init__(self) -> None:
        self._starting = 0
        self._before: dict[str, str | None] = {}

    @contextmanager
    def kept(self, names: Iterable[str]) -> Iterator[None]:
        """The variables ``names`` have their values again afterwards."""
        for name in names:
            self._before.setdefault(name, os.environ.get(name))
        self._starting += 1
        try:
            yield
        finally:
            self._starting -= 1
            if not self._starting:
                self._restore()

    def _restore(self) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._before.clear()


_environment = _Environment()  # nannies of one process share it, in the one thread of Dask
