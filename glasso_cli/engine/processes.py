"""The same function on many pieces of work, in processes side by side that end at once, and with their parent."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import connection, get_context, parent_process
from typing import Any


def run_all(
    function: Callable[..., None], shared: Any, work: Sequence[tuple[Any, ...]], workers: int
) -> Iterator[None]:
    """Call ``function(shared, *item)`` for every item of ``work``, and yield once for each that has ended.

    With fewer than two ``workers`` all of it runs in this process. ``shared`` is sent to every process once. Raises
    :class:`concurrent.futures.process.BrokenProcessPool` when a process is ended from outside. However the iteration
    ends, no process is left: ``function`` must leave nothing behind when it is ended half-way.
    """
    if workers < 2:
        for item in work:
            function(shared, *item)
            yield
        return
    pool = ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_start, initargs=(function, shared)
    )
    try:
        for done in as_completed([pool.submit(_call, item) for item in work]):
            done.result()
            yield
        pool.shutdown()
    finally:
        _end(pool)


def _end(pool: ProcessPoolExecutor) -> None:
    running = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in running:
        process.terminate()


_task: tuple[Callable[..., None], Any] | None = None  # of the process of a worker


def _start(function: Callable[..., None], shared: Any) -> None:
    global _task
    _task = function, shared
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
