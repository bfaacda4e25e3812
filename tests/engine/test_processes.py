"""The same function on many items: on this machine, or on the cluster that is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.calls import note_item

from glasso_cli.engine.processes import run_all
from glasso_cli.engine.tasks import CallFailed, Function, Item, Outcome, using
from glasso_cli.errors import InputError, ServiceError


class Cluster:
    """Makes all calls at once in this process, except those that are to fail."""

    size = 1

    def __init__(self, failing: dict[int, BaseException] | None = None) -> None:
        self.failing = failing or {}
        self.threads: list[int | None] = []

    def run(
        self, function: Function, shared: Any, work: Sequence[Item], n_threads: int | None = None
    ) -> Iterator[Outcome]:
        self.threads.append(n_threads)
        for item in work:
            error = self.failing.get(item[0])
            yield Outcome(item, None if error else function(shared, *item), error)

    def close(self) -> None:
        """Nothing."""


def done(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_every_item_is_done_once(tmp_path: Path, workers: int) -> None:
    assert len(list(run_all(note_item, tmp_path, [(0,), (1,), (2,)], workers))) == 3
    assert done(tmp_path) == ["0", "1", "2"]


def test_a_cluster_does_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    cluster = Cluster()
    with using(cluster):
        assert len(list(run_all(note_item, tmp_path, [(0,), (1,)], 1))) == 2
        list(run_all(note_item, tmp_path, [(2,)], 1))  # one item is not worth it
    list(run_all(note_item, tmp_path, [(3,), (4,)], 1))
    assert cluster.threads == [1]
    assert done(tmp_path) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("error", "told"),
    [(CallFailed("ValueError: no"), ServiceError), (InputError("Too few blocks.", "Give more."), InputError)],
)
def test_an_item_that_fails_on_the_cluster_is_told_after_the_others(
    tmp_path: Path, error: Exception, told: type[Exception]
) -> None:
    with using(Cluster({0: error})), pytest.raises(told):
        list(run_all(note_item, tmp_path, [(0,), (1,), (2,)], 1))
    assert done(tmp_path) == ["1", "2"]
