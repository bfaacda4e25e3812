"""Dask's process beside a worker, which starts it and starts it again, without a trace in the environment of this process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from distributed import Nanny

from glasso_cli.engine import threads


class CleanNanny(Nanny):
    """Sets the variables of its worker in this process only while a worker starts.

    Dask leaves them there. ``OMP_NUM_THREADS`` among them says how many threads this process, and others that it starts,
    may use; results depend on that in their last digit.
    """

    async def instantiate(self) -> Any:
        """Start the worker."""
        with _environment.of(self.pre_spawn_env):
            return await super().instantiate()


class _Environment:
    """That of this process, which is as before when the last of several nannies has started its worker."""

    def __init__(self) -> None:
        self._starting = 0
        self._held = ExitStack()

    @contextmanager
    def of(self, values: Mapping[str, str]) -> Iterator[None]:
        """Have the variables ``values``, which are the same ones for all nannies, at least until the end."""
        if not self._starting:
            self._held.enter_context(threads.environment(values))
        self._starting += 1
        try:
            yield
        finally:
            self._starting -= 1
            if not self._starting:
                self._held.close()


_environment = _Environment()  # nannies of one process share it, in the one thread of Dask
