"""The same function on many pieces of work, in processes side by side that end at once, and with their parent."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import connection, get_context, parent_process
from typing import Any

from glasso_cli.engine import threads
from glasso_cli.engine.shares import ATTEMPTS
from glasso_cli.engine.tasks import CallFailed, Engine, current, in_words
from glasso_cli.errors import ServiceError


def run_all(
    function: Callable[..., None], shared: Any, work: Sequence[tuple[Any, ...]], workers: int
) -> Iterator[None]:
    """Call ``function(shared, *item)`` for every item of ``work``, and yield once for each that has ended.

    With fewer than two ``workers`` all of it runs in this process. ``shared`` is sent to every process once. Raises
    :class:`concurrent.futures.process.BrokenProcessPool` when a process is ended from outside. However the iteration
    ends, no process is left: ``function`` must leave nothing behind when it is ended half-way.

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
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _call(item: tuple[Any, ...]) -> None:
    assert _task is not None
    function, shared = _task
    function(shared, *item)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
