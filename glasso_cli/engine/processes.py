"""A process beside this one: it ends with this one, however this one ends, and leaves Ctrl-C to it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import connection, get_context, parent_process, resource_tracker
from multiprocessing.context import SpawnProcess
from typing import Any

from glasso_cli.engine import threads

Environment = Mapping[str, str]  # variables that a process must have before it imports anything


def started(function: Callable[..., None], *arguments: Any, environment: Environment | None = None) -> SpawnProcess:
    """A new process that calls ``function(*arguments)``, with the variables ``environment`` over those of this process."""
    process = get_context("spawn").Process(target=_run, args=(function, *arguments), daemon=True)
    with threads.environment(environment or {}), _deaf_to_interrupts():
        process.start()
    return process


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes that start in the block never hear Ctrl-C, not even while they start; this process hears it after the block."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # or it starts in the block, and its start ends the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# -- in the process -----------------------------------------------------------------------------------


def _run(function: Callable[..., None], *arguments: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    function(*arguments)


def _end_with_parent() -> None:
    """Wait for the end of the process that started this one, and end this one."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
