"""Processes that work side by side: every item is done, a killed process is replaced, and none is left behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from support.calls import (
    Counted,
    alive,
    killed,
    note_item,
    own_variable,
    poison,
    process_of,
    remember,
    told_or_tried_again,
    unreadable,
    waits_or_not,
)

from glasso_cli.engine import tasks
from glasso_cli.engine.pool import Pool
from glasso_cli.engine.shares import ATTEMPTS
from glasso_cli.engine.tasks import CallFailed, ProcessEnded
from glasso_cli.errors import ConfigError

ITEMS = [(n,) for n in range(8)]


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool([{"GLASSO_TEST_PLACE": "a"}, {"GLASSO_TEST_PLACE": "b"}]) as made:
        yield made


def processes_of(pool: Pool, items: int = 8) -> set[int]:
    """The processes that make this many calls."""
    outcomes = list(pool.run(process_of, None, ITEMS[:items]))
    assert len(outcomes) == items
    return {outcome.value for outcome in outcomes}


def test_one_worker_is_this_process(tmp_path: Path) -> None:
    for count in (0, 1):
        pool = Pool.of(count)
        assert pool.size == 1
        assert processes_of(pool) == {os.getpid()}
    (outcome,) = Pool().run(own_variable, "OMP_NUM_THREADS", [(0,)], n_threads=1)
    assert outcome.value == ("1", os.getpid())
    assert len(list(Pool().run(note_item, tmp_path, [(0,), (1,)]))) == 2
    failed, done = Pool().run(poison, tmp_path, [(0,), (1,)])
    assert type(failed.error).__name__ == "StrangeError"  # as it was raised
    assert len(remember(tmp_path)) == 1
    assert (done.value, done.error) == (1, None)


def test_a_wrong_configuration_ends_all_in_this_process(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        list(Pool().run(note_item, tmp_path, [(0,), (1,)], n_threads=0))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_every_item_is_done_and_each_process_has_its_variables(pool: Pool) -> None:
    outcomes = list(pool.run(own_variable, "GLASSO_TEST_PLACE", ITEMS))
    assert sorted(outcome.item for outcome in outcomes) == ITEMS
    assert {outcome.value[0] for outcome in outcomes} == {"a", "b"}
    assert len({outcome.value[1] for outcome in outcomes}) == 2  # processes
    assert "GLASSO_TEST_PLACE" not in os.environ
    again = list(pool.run(own_variable, "GLASSO_TEST_PLACE", ITEMS))
    assert {o.value for o in again} == {o.value for o in outcomes}  # the same processes


@pytest.mark.slow
def test_processes_start_when_they_are_needed_and_have_one_thread() -> None:
    with Pool.of(3) as pool:
        first = processes_of(pool, 1)
        assert len(first) == 1
        assert first < processes_of(pool, 3)
        outcomes = pool.run(own_variable, "OMP_NUM_THREADS", ITEMS)
        assert {outcome.value[0] for outcome in outcomes} == {"1"}


@pytest.mark.slow
def test_a_pool_grows_and_shrinks_and_keeps_what_is_left() -> None:
    with Pool() as pool:
        assert processes_of(pool) == {os.getpid()}
        pool.resize(2)
        two = processes_of(pool)
        pool.resize(3)
        three = processes_of(pool)
        assert two < three
        pool.resize(2)
        assert processes_of(pool) == two
        assert not any(alive(process) for process in three - two)
        pool.resize(1)
        assert not any(alive(process) for process in two)
        assert processes_of(pool) == {os.getpid()}


@pytest.mark.slow
def test_what_is_shared_is_sent_to_each_process_once(pool: Pool) -> None:
    shared = Counted()
    for times in (1, 2):  # once for each run
        assert len({outcome.value for outcome in pool.run(process_of, shared, ITEMS)}) == 2
        assert shared.times == 2 * times


@pytest.mark.slow
def test_a_killed_process_costs_one_attempt(pool: Pool, tmp_path: Path) -> None:
    outcomes = list(pool.run(killed, tmp_path, [(n, 1) for n in range(4)]))
    assert [outcome.error for outcome in outcomes] == [None] * 4
    assert len(list(tmp_path.glob("tried-*"))) == 2 * 4


@pytest.mark.slow
def test_an_item_that_always_kills_its_process_is_told_and_the_others_are_done(pool: Pool, tmp_path: Path) -> None:
    outcomes = {o.item[0]: o for o in pool.run(killed, tmp_path, [(0, 9), (1, 0), (2, 0)])}
    assert isinstance(outcomes[0].error, ProcessEnded)
    assert "ended by signal 9, most likely for want of memory" in str(outcomes[0].error)
    assert (outcomes[1].error, outcomes[2].error) == (None, None)
    assert len(list(tmp_path.glob("tried-0-*"))) == ATTEMPTS


@pytest.mark.slow
def test_an_item_that_always_fails_is_told_in_words(pool: Pool, tmp_path: Path) -> None:
    outcomes = {o.item[0]: o for o in pool.run(poison, tmp_path, [(0,), (1,)])}
    error = outcomes[0].error
    assert isinstance(error, CallFailed)
    assert str(error) == "StrangeError: no\nsuch thing"  # of a class that cannot be pickled
    assert "in poison" in str(error.__cause__)
    assert outcomes[1].value == 1
    assert len(remember(tmp_path)) == ATTEMPTS


@pytest.mark.slow
def test_what_would_be_wrong_again_is_told_at_once(pool: Pool, tmp_path: Path) -> None:
    told_or_tried_again(pool, tmp_path)


@pytest.mark.slow
def test_a_value_that_cannot_be_sent_is_told(pool: Pool) -> None:
    outcomes = {o.item[0]: o for o in pool.run(unreadable, None, [(0,), (1,)])}
    assert "cannot pickle '_thread.lock' object" in str(outcomes[0].error)
    assert outcomes[1].value == 1


@pytest.mark.slow
def test_a_caller_that_stops_ends_the_processes_at_work_and_keeps_the_others(pool: Pool) -> None:
    both = processes_of(pool)
    with pytest.raises(KeyboardInterrupt):
        for outcome in islice(pool.run(waits_or_not, None, [(0,), (1,)]), 1):
            assert outcome.item == (1,)
            raise KeyboardInterrupt
    (idle,) = [process for process in both if alive(process)]
    after = processes_of(pool)
    assert after & both == {idle}
    assert len(after) == 2
    pool.close()
    assert not any(alive(process) for process in after)


@pytest.mark.slow
def test_other_versions_are_refused_at_once(monkeypatch: pytest.MonkeyPatch, pool: Pool, tmp_path: Path) -> None:
    monkeypatch.setattr(tasks, "versions", lambda: {"glasso": "0.0.1", "torch": "1.0"})
    with pytest.raises(ConfigError, match=r"has glasso 0\.0\.1, and this process has"):
        list(pool.run(poison, tmp_path, [(1,)]))
    assert remember(tmp_path) == []
