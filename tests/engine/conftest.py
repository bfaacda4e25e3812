"""A small cluster of Dask in this process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from distributed import SpecCluster


@pytest.fixture
def cluster() -> Iterator[SpecCluster]:
    """A scheduler without workers; workers that are added run in this process."""
    from distributed import Scheduler, SpecCluster, Worker

    scheduler = {
        "cls": Scheduler,
        "options": {"host": "127.0.0.1", "port": 0, "dashboard": False, "dashboard_address": ":0"},
    }
    worker = {"cls": Worker, "options": {"nthreads": 1, "dashboard": False}}
    with SpecCluster(workers={}, scheduler=scheduler, worker=worker) as made:
        yield made
