"""A worker whose lifetime is over finishes its call, takes no other, and ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from distributed import SpecCluster
from support.calls import ends_own_worker
from support.waiting import until

from glasso_cli.engine import lifetime
from glasso_cli.engine.dask_engine import DaskEngine


@pytest.mark.slow
def test_a_worker_finishes_the_call_at_hand(
    cluster: SpecCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(lifetime.VARIABLE, "0")
    monkeypatch.setattr(lifetime, "_POLL_SECONDS", 0.1)
    cluster.scale(2)
    until(lambda: len(cluster.scheduler_info["workers"]) == 2)
    engine = DaskEngine(address=cluster.scheduler_address)
    outcomes = list(engine.run(ends_own_worker, tmp_path, [(n,) for n in range(6)]))
    assert [outcome.error for outcome in outcomes] == [None] * 6
    assert len(list(tmp_path.glob("began-*"))) == 6
    until(lambda: len(cluster.scheduler_info["workers"]) == 1)
    engine.close()
