"""Work in processes beside this one, which end with it, however it ends."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, get_context, parent_process
from typing import Any, TypeVar

from glasso_cli.engine import threads
from glasso_cli.engine.shares import ATTEMPTS
from glasso_cli.engine.tasks import CallFailed, Engine, current, in_words
from glasso_cli.errors import ServiceError

Outcome = TypeVar("Outcome")


class Workers:
    """Processes of one thread each that wait for work until the end of a ``with`` block; each starts when it is needed.

    With a ``count`` below two, all is done in this process.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    def grow(self, count: int) -> None:
        """See to it that there are ``count`` processes or more."""
        if count > self.count:
            self.end()
            self.count = count

    def end(self) -> None:
        """End all processes at once; new ones start with the next work."""
        if self._pool is not None:
            _end(self._pool)
        self._pool = None

    def outcomes(
        self, function: Callable[..., Outcome], work: Sequence[tuple[Any, ...]]
    ) -> Iterator[tuple[int, Outcome | Exception]]:
        """Call ``function(*item)`` for every item of ``work``; yield its place in ``work`` with its value, or with what it raised.

        Those that end first come first. An item that raises keeps no other from being done. A caller that stops early ends the
        processes. Raises :class:`concurrent.futures.process.BrokenProcessPool` when a process is ended from outside.
        """
        if self.count < 2:
            for place, item in enumerate(work):
                try:
                    outcome: Outcome | Exception = function(*item)
                except Exception as error:
                    outcome = error
                yield place, outcome
            return
        is_done = False
        try:
            self._pool = self._pool or _started(self.count)
            with threads.limited(1):  # read by processes that start now
                places = {self._pool.submit(function, *item): place for place, item in enumerate(work)}
            for done in as_completed(places):
                try:
                    outcome = done.result()
                except BrokenProcessPool:
                    raise
                except Exception as error:
                    outcome = error
                yield places[done], outcome
            is_done = True
        finally:
            if not is_done:
                self.end()


def run_all(
    function: Callable[..., None],
    shared: Any,
    work: Sequence[tuple[Any, ...]],
    workers: int,
    team: Workers | None = None,
) -> Iterator[None]:
    """Call ``function(shared, *item)`` for every item of ``work``, and yield once for each that has ended.

    With one worker all is done in this process. A ``team`` goes on with its processes, and gets ``shared`` with every item; otherwise
    each process gets it once and ends when all is done. The first error is raised at once, and ends the processes.
    Raises :class:`concurrent.futures.process.BrokenProcessPool` when a process is ended from outside.

    Where there is a cluster (:func:`glasso_cli.engine.tasks.current`), all of it runs there, whatever ``workers`` says.
    """
    cluster = current()
    if cluster is not None and len(work) > 1:
        yield from _on_cluster(cluster, function, shared, work)
        return
    if workers < 2:
        for item in work:
            function(shared, *item)
            yield
        return
    if team is not None:
        team.grow(workers)
        for _, outcome in team.outcomes(function, [(shared, *item) for item in work]):
            if isinstance(outcome, Exception):
                raise outcome
            yield
        return
    pool = _started(workers, function, shared)
    try:
        for done in as_completed([pool.submit(_call, item) for item in work]):
            done.result()
            yield
        pool.shutdown()
    finally:
        _end(pool)


def _on_cluster(
    cluster: Engine, function: Callable[..., None], shared: Any, work: Sequence[tuple[Any, ...]]
) -> Iterator[None]:
    """Make the calls on ``cluster``; raises the error of one that failed every time, after all others have ended."""
    failed: BaseException | None = None
    for outcome in cluster.run(function, shared, work, threads.allowed()):
        failed = failed or outcome.error
        yield
    if isinstance(failed, CallFailed):
        raise ServiceError(
            f"A part of the work failed {ATTEMPTS} times on the cluster: {in_words(failed)}.",
            "Run the same command without an engine to see where; what is finished is kept.",
        )
    if failed is not None:
        raise failed


def _started(workers: int, *task: Any) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start, initargs=task)


def _end(pool: ProcessPoolExecutor) -> None:
    running = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in running:
        process.terminate()


_task: tuple[Callable[..., None], Any] | None = None  # of the process of a worker


def _start(*task: Any) -> None:
    global _task
    if task:
        _task = task[0], task[1]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it too, and ends its workers
    threading.Thread(target=end_with_parent, daemon=True).start()


def _call(item: tuple[Any, ...]) -> None:
    assert _task is not None
    function, shared = _task
    function(shared, *item)


def end_with_parent() -> None:
    """Wait for the end of the process that started this one, and end this one; for a thread."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
