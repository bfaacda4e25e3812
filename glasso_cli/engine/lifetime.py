"""In the Dask worker of a job with a time limit: take no new call after a while, finish the call at hand, and end the job.

Dask has ``--lifetime`` for this. It waits for a call for 30 seconds, then leaves the call to another worker, which begins it
again. A call that takes longer than the lifetime would never end.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

VARIABLE = "GLASSO_JOB_TAKES_CALLS_UNTIL"  # Unix time; a worker that is started again in the same job keeps it
_POLL_SECONDS = 1.0
_FETCH_SECONDS = 60.0  # in which the driver must have read the value of the last call
_running: set[asyncio.Task[None]] = set()


async def dask_setup(worker: Any) -> None:
    """Begin to wait for the time of :data:`VARIABLE`; Dask calls this where a worker starts with ``--preload``."""
    until = os.environ.get(VARIABLE)
    if until is not None:
        _running.add(asyncio.create_task(_end_after(worker, float(until))))


async def _end_after(worker: Any, until: float) -> None:
    await asyncio.sleep(until - time.time())
    while worker.status.name == "running":  # Dask refuses while a value is here and there is no other worker to keep it
        await worker.scheduler.retire_workers(workers=[worker.address], close_workers=False, remove=False)
        await asyncio.sleep(_POLL_SECONDS)
    while worker.state.executing:
        await asyncio.sleep(_POLL_SECONDS)
    read_until = time.monotonic() + _FETCH_SECONDS
    while worker.data and time.monotonic() < read_until:
        await asyncio.sleep(_POLL_SECONDS)
    # Calls that were given to this worker and have not begun go to others, which nobody blames on it.
    await worker.scheduler.retire_workers(workers=[worker.address], close_workers=False, remove=True)
    await worker.close(reason="the job has taken calls for its lifetime")
