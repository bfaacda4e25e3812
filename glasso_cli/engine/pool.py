"""Processes of this machine that stay, one per group of cores or GPUs, and are replaced where one is ended from outside."""

from __future__ import annotations

import signal
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import connection, get_context
from typing import Any

from glasso_cli.engine import threads
from glasso_cli.engine.processes import end_with_parent
from glasso_cli.engine.shares import is_worth_another
from glasso_cli.engine.tasks import Call, CallFailed, Function, Item, Outcome, perform, portable
from glasso_cli.errors import ConfigError

Environment = Mapping[str, str]  # variables that a process must have before it imports anything


@dataclass(eq=False)
class _Worker:
    """A process, the way to it, and the index of the item that it works on."""

    place: int  # among the environments
    process: Any
    pipe: Any
    index: int | None = None


@dataclass(eq=False)
class Pool:
    """One process for each of the ``environments``; they start with the first call, and none outlives this process."""

    environments: Sequence[Environment]
    _workers: dict[int, _Worker] = field(default_factory=dict)  # by their places

    @property
    def size(self) -> int:
        """How many processes there are at most."""
        return len(self.environments)

    def run(
        self, function: Function, shared: Any, work: Sequence[Item], n_threads: int | None = None
    ) -> Iterator[Outcome]:
        """As :class:`glasso_cli.engine.tasks.Engine` says. Calls that fail, or whose process is ended, are made again."""
        call = Call.of(function, shared, n_threads)
        waiting, attempts = deque(range(len(work))), [0] * len(work)
        while waiting or self._busy():
            self._hand_out(call, work, waiting)
            for worker in self._heard():
                index, worker.index = worker.index, None
                assert index is not None
                value, error = self._answer(worker)
                attempts[index] += 1
                if isinstance(error, ConfigError):
                    raise error
                if error is not None and is_worth_another(error, attempts[index]):
                    waiting.append(index)
                else:
                    yield Outcome(work[index], value, error)

    def close(self) -> None:
        """End the processes, in the middle of a call if need be."""
        for worker in self._workers.values():
            worker.process.terminate()
        for worker in self._workers.values():
            worker.process.join()
            worker.pipe.close()
        self._workers.clear()

    def _busy(self) -> list[_Worker]:
        return [worker for worker in self._workers.values() if worker.index is not None]

    def _hand_out(self, call: Call, work: Sequence[Item], waiting: deque[int]) -> None:
        """Give waiting items to idle processes, and start those that are missing."""
        for place in range(len(self.environments)):
            worker = self._workers.get(place)
            if not waiting or (worker is not None and worker.index is not None):
                continue
            if worker is None:
                worker = self._workers[place] = self._start(place)
            worker.index = waiting.popleft()
            with suppress(OSError):  # its end is noticed when it should answer
                worker.pipe.send((call, work[worker.index]))

    def _start(self, place: int) -> _Worker:
        context = get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(target=_serve, args=(there,), daemon=True)
        with threads.environment(self.environments[place]):  # the process gets a copy
            process.start()
        there.close()
        return _Worker(place, process, here)

    def _heard(self) -> list[_Worker]:
        """The busy processes that have answered or ended; waits for one."""
        busy = {worker.pipe: worker for worker in self._busy()}
        ready = connection.wait(list(busy))
        return [worker for pipe, worker in busy.items() if pipe in ready]

    def _answer(self, worker: _Worker) -> tuple[Any, BaseException | None]:
        try:
            value, error = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join()
            del self._workers[worker.place]
            return None, CallFailed(_how(worker.process.exitcode))
        return value, error


def _how(code: int | None) -> str:
    """How a process ended, in words."""
    if code is not None and code < 0:
        why = ", most likely for want of memory" if -code == signal.SIGKILL else ""
        return f"the process was ended by signal {-code}{why}"
    return f"the process ended with code {code}"


# -- in a process of the pool -------------------------------------------------------------------------


def _serve(pipe: Any) -> None:
    """Make calls until the other end of ``pipe`` is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it too, and ends its processes
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=end_with_parent, daemon=True).start()
    while True:
        try:
            call, item = pipe.recv()
        except EOFError:
            return
        try:
            answer: tuple[Any, BaseException | None] = perform(call, item), None
        except Exception as error:
            answer = None, portable(error)
        pipe.send(answer)
