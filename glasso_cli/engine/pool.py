"""The processes of this machine that work side by side: each starts when it is needed, and is replaced where it is killed."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing import Pipe, connection
from typing import Any

from glasso_cli.engine import threads
from glasso_cli.engine.processes import Environment, started
from glasso_cli.engine.shares import is_worth_another
from glasso_cli.engine.tasks import Call, Function, Item, Outcome, ProcessEnded, perform, portable
from glasso_cli.errors import ConfigError


@dataclass(eq=False)
class _Worker:
    """A process and the way to it."""

    place: int  # among the environments
    process: Any
    pipe: Any
    index: int | None = None  # of the item that it works on
    has_call: bool = False  # whether it has the call that is being made


@dataclass(eq=False)
class Pool:
    """At most one process for each of the ``environments``; without any, this process makes all calls itself.

    The processes stay until the end of a ``with`` block, or until this process ends, however it does. One :meth:`run` at a time.
    """

    environments: Sequence[Environment] = ()
    _workers: dict[int, _Worker] = field(default_factory=dict)  # by their places

    @classmethod
    def of(cls, count: int) -> Pool:
        """``count`` processes of one thread each; fewer than two are this process alone."""
        return cls(_one_thread_each(count))

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def size(self) -> int:
        """How many processes work at most."""
        return max(1, len(self.environments))

    def resize(self, count: int) -> None:
        """Go on with the processes of :meth:`of`: those that are there stay, and those that are too many end."""
        self.environments = _one_thread_each(count)
        self._end([worker for worker in self._workers.values() if worker.place >= len(self.environments)])

    def run(
        self, function: Function, shared: Any, work: Sequence[Item], n_threads: int | None = None
    ) -> Iterator[Outcome]:
        """As :class:`glasso_cli.engine.tasks.Engine` says.

        Calls that fail, or whose process is ended, are made again, after those that wait. A caller that stops early ends the
        processes that are at work. This process itself makes every call once, and gives errors as they were raised.
        """
        if not self.environments:
            yield from _here(function, shared, work, n_threads)
            return
        for worker in self._workers.values():
            worker.has_call = False
        waiting, attempts = deque(range(len(work))), [0] * len(work)

        def hand_out() -> None:
            for worker in self._idle(len(waiting)):
                worker.index = waiting.popleft()
                call = None if worker.has_call else Call.of(function, shared, n_threads)
                worker.has_call = True
                with suppress(OSError):  # its end is noticed when it should answer
                    worker.pipe.send((call, work[worker.index]))

        try:
            hand_out()
            while busy := self._busy():
                ended = []
                for worker in _heard(busy):
                    assert worker.index is not None
                    index, worker.index = worker.index, None
                    value, error = self._answer(worker)
                    attempts[index] += 1
                    if error is not None and is_worth_another(error, attempts[index]):
                        waiting.append(index)
                    else:
                        ended.append(Outcome(work[index], value, error))
                hand_out()  # before the caller takes its time
                yield from ended
        finally:
            self._end(self._busy())

    def close(self) -> None:
        """End the processes, in the middle of a call if need be; others start with the next work."""
        self._end(list(self._workers.values()))

    def _busy(self) -> list[_Worker]:
        return [worker for worker in self._workers.values() if worker.index is not None]

    def _idle(self, wanted: int) -> list[_Worker]:
        """Up to ``wanted`` processes that have no work; starts those that are missing, all before any is sent anything."""
        idle = [worker for worker in self._workers.values() if worker.index is None][:wanted]
        missing = [place for place in range(len(self.environments)) if place not in self._workers]
        for place in missing[: wanted - len(idle)]:
            self._workers[place] = self._start(place)
            idle.append(self._workers[place])
        return idle

    def _start(self, place: int) -> _Worker:
        here, there = Pipe()
        process = started(_serve, there, environment=self.environments[place])
        there.close()
        return _Worker(place, process, here)

    def _end(self, workers: Iterable[_Worker]) -> None:
        workers = list(workers)
        for worker in workers:
            del self._workers[worker.place]
            worker.process.kill()
        for worker in workers:
            worker.process.join()
            worker.pipe.close()

    def _answer(self, worker: _Worker) -> tuple[Any, BaseException | None]:
        try:
            value, error = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join()
            self._end([worker])
            return None, ProcessEnded(_how(worker.process.exitcode))
        return value, error


def _one_thread_each(count: int) -> list[Environment]:
    return [threads.variables(1)] * count if count > 1 else []


def _here(function: Function, shared: Any, work: Sequence[Item], n_threads: int | None) -> Iterator[Outcome]:
    for item in work:
        try:
            with threads.limited(n_threads):
                outcome = Outcome(item, function(shared, *item))
        except ConfigError:
            raise
        except Exception as error:
            outcome = Outcome(item, error=error)
        yield outcome


def _heard(busy: Sequence[_Worker]) -> list[_Worker]:
    """Those of the ``busy`` processes that have answered or ended; waits for one."""
    ready = set(connection.wait([worker.pipe for worker in busy]))
    return [worker for worker in busy if worker.pipe in ready]


def _how(code: int | None) -> str:
    """How a process ended, in words."""
    if code is not None and code < 0:
        why = ", most likely for want of memory" if -code == signal.SIGKILL else ""
        return f"the process was ended by signal {-code}{why}"
    return f"the process ended with code {code}"


# -- in a process of the pool -------------------------------------------------------------------------


def _serve(pipe: Any) -> None:
    """Make calls until the other end of ``pipe`` is closed; a call comes once, with the first of its items."""
    call: Call | None = None
    while True:
        try:
            new, item = pipe.recv()
        except EOFError:
            return
        call = new or call
        assert call is not None
        try:
            pipe.send((perform(call, item), None))
            call = replace(call, pickled=b"")  # this process has what was pickled
        except Exception as error:
            pipe.send((None, portable(error)))
