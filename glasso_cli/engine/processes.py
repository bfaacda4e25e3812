"""The same function on many pieces of work, in processes side by side that end at once, and with their parent."""

from __future__ import annotations

import os
import signal
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import connection, get_context, parent_process
from typing import Any


class Team:
    """Processes that are kept from one call of :func:`run_all` to the next: starting one takes two seconds.

    They end with :meth:`end`, with this object, and with their parent.
    """

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._workers = 0
        self._finalizer: weakref.finalize[Any, Any] | None = None

    def of(self, workers: int) -> ProcessPoolExecutor:
        """The processes, ``workers`` of them or more; they start when they are needed."""
        if self._pool is None or workers > self._workers:
            self.end()
            self._pool = _started(workers)
            self._workers = workers
            self._finalizer = weakref.finalize(self, _end, self._pool)
        return self._pool

    def end(self) -> None:
        """End all processes at once; new ones start with the next call."""
        if self._finalizer is not None:
            self._finalizer()
        self._pool = self._finalizer = None


def run_all(
    function: Callable[..., None],
    shared: Any,
    work: Sequence[tuple[Any, ...]],
    workers: int,
    team: Team | None = None,
) -> Iterator[None]:
    """Call ``function(shared, *item)`` for every item of ``work``, and yield once for each that has ended.

    With fewer than two ``workers`` all of it runs in this process. Without a ``team`` the processes are started for this
    call, and ``shared`` is sent to each of them once; a team is sent it with every item, so that it should be small. Raises
    :class:`concurrent.futures.process.BrokenProcessPool` when a process is ended from outside. Unless all has ended well,
    no process is left, of a team neither: ``function`` must leave nothing behind when it is ended half-way.
    """
    if workers < 2:
        for item in work:
            function(shared, *item)
            yield
        return
    pool = _started(workers, function, shared) if team is None else team.of(workers)
    is_done = False
    try:
        calls = [pool.submit(_call, item) if team is None else pool.submit(function, shared, *item) for item in work]
        for done in as_completed(calls):
            done.result()
            yield
        is_done = True
    finally:
        if team is None:
            if is_done:
                pool.shutdown()
            _end(pool)
        elif not is_done:
            team.end()


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
