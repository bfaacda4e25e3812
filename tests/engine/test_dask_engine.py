"""Calls on a real cluster of Dask: outcomes, killed processes, and jobs of a Slurm that runs them here."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Future, SpecCluster
from support.calls import (
    alive,
    killed,
    kills_all_jobs,
    kills_own_job,
    own_variable,
    poison,
    remember,
    told_or_tried_again,
)
from support.divided import plain_environment
from support.fake_slurm import BOOKS, RUNS, FakeSlurm
from support.waiting import until

from glasso_cli.engine import dask_engine, threads
from glasso_cli.engine import slurm as slurm_module
from glasso_cli.engine.dask_engine import DaskEngine
from glasso_cli.engine.machine import ALLOCATOR
from glasso_cli.engine.shares import ATTEMPTS
from glasso_cli.engine.slurm import Slurm
from glasso_cli.engine.tasks import ProcessEnded
from glasso_cli.errors import ConfigError, ServiceError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def engine() -> Iterator[DaskEngine]:
    common = {**_here(), **threads.variables(3)}
    made = DaskEngine(environments=[{"GLASSO_TEST_PLACE": place, **common} for place in "ab"])
    yield made
    made.close()


def _here() -> dict[str, str]:
    return {name: plain_environment()[name] for name in ("PYTHONPATH", "OMP_NUM_THREADS")}


def _environment() -> dict[str, str]:
    """That of this process, without the variable in which Dask keeps the number of a process for its title."""
    return {name: value for name, value in os.environ.items() if name != "__DASK_PARENT_PID"}


def test_calls_end_as_those_of_processes_do(engine: DaskEngine, tmp_path: Path) -> None:
    before = _environment()
    outcomes = list(engine.run(own_variable, "GLASSO_TEST_PLACE", [(n,) for n in range(8)]))
    assert _environment() == before  # though three threads were asked for
    assert sorted(outcome.item for outcome in outcomes) == [(n,) for n in range(8)]
    assert {outcome.value[0] for outcome in outcomes} == {"a", "b"}
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # Dask would set one
        assert {outcome.value[0] for outcome in engine.run(own_variable, name, [(0,), (1,)])} == {"3"}
    for name, value in ALLOCATOR.items():  # Dask sets another
        assert {outcome.value[0] for outcome in engine.run(own_variable, name, [(0,), (1,)])} == {value}
    failed = {outcome.item[0]: outcome for outcome in engine.run(poison, tmp_path, [(0,), (1,)])}
    assert str(failed[0].error) == "StrangeError: no\nsuch thing"
    assert len(remember(tmp_path)) == ATTEMPTS
    assert failed[1].value == 1


def test_what_would_be_wrong_again_is_told_at_once(engine: DaskEngine, tmp_path: Path) -> None:
    told_or_tried_again(engine, tmp_path)


def test_a_call_that_always_kills_its_process_is_told_and_the_others_are_done(
    engine: DaskEngine, tmp_path: Path
) -> None:
    before = _environment()
    outcomes = {o.item[0]: o for o in engine.run(killed, tmp_path, [(0, 9), (1, 0), (2, 1)])}
    until(lambda: _environment() == before)  # when the last process has started again
    assert isinstance(outcomes[0].error, ProcessEnded)
    assert "ended from outside 3 times" in str(outcomes[0].error)
    assert (outcomes[1].error, outcomes[2].error) == (None, None)
    tried = len(list(tmp_path.glob("tried-0-*")))
    assert ATTEMPTS <= tried <= 2 * ATTEMPTS  # again alone, since another call could have been the cause


def test_a_scheduler_that_does_not_answer_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_engine, "CONNECT_SECONDS", 1)
    with pytest.raises(ServiceError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        list(DaskEngine(address="tcp://127.0.0.1:9").run(print, None, [(1,)]))
    with pytest.raises(ServiceError, match="No Dask scheduler answers at nowhere"):
        list(DaskEngine(address="nowhere").run(print, None, [(1,)]))


class _Unreachable:
    """A call that has ended well, and whose value is lost with the scheduler."""

    status = "finished"

    def exception(self) -> None:
        """None."""

    def result(self) -> None:
        """Fail as a closed connection does."""
        raise OSError("Stream is closed")


def test_a_scheduler_that_is_lost_with_a_value_is_one_sentence() -> None:
    with pytest.raises(ServiceError, match=r"The Dask scheduler at tcp://127\.0\.0\.1:9 was lost"):
        DaskEngine(address="tcp://127.0.0.1:9")._result(_Unreachable())  # type: ignore[arg-type]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers are looked for all the time, and their absence is told at once."""
    monkeypatch.setattr(dask_engine, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(dask_engine, "SAY_AFTER", 0.2)


@pytest.mark.usefixtures("impatient")
def test_a_cluster_without_workers_is_told_and_then_given_up(cluster: SpecCluster) -> None:
    said: list[str] = []
    engine = DaskEngine(address=cluster.scheduler_address, wait=1, tell=said.append)
    with pytest.raises(ServiceError, match=rf"{cluster.scheduler_address} has had no worker for 0:00:01") as caught:
        list(engine.run(own_variable, "HOME", [(1,), (2,)]))
    engine.close()
    assert f"dask worker {cluster.scheduler_address}" in caught.value.hint
    assert len(said) == 2
    assert re.fullmatch(
        r"engine: the cluster has had no worker since \d\d:\d\d:\d\d; waiting for up to 0:00:01", said[1]
    )
    assert cluster.scheduler is not None
    tasks = cluster.scheduler.tasks
    until(lambda: not tasks)


@pytest.mark.usefixtures("impatient")
def test_a_worker_that_comes_late_does_the_work(cluster: SpecCluster) -> None:
    said: list[str] = []

    def tell(text: str) -> None:
        said.append(text)
        if "no worker since" in text:
            cluster.scale(1)

    engine = DaskEngine(address=cluster.scheduler_address, tell=tell)
    assert {outcome.value[1] for outcome in engine.run(own_variable, "HOME", [(1,), (2,)])} == {os.getpid()}
    engine.close()
    assert "waiting without a time limit" in said[1]


def test_a_scheduler_that_stops_answering_is_lost(cluster: SpecCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = DaskEngine(address=cluster.scheduler_address, wait=0.2)
    monkeypatch.setattr(DaskEngine, "_workers", lambda self: None)
    monkeypatch.setattr(dask_engine, "LOOK_SECONDS", 0.05)
    with pytest.raises(ServiceError, match=f"The Dask scheduler at {cluster.scheduler_address} was lost"):
        list(engine.run(own_variable, "HOME", [(1,)]))
    engine.close()


def test_a_value_that_is_lost_with_its_worker_is_made_again(
    cluster: SpecCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, losses = DaskEngine._next, list[str | None]()

    def lose_the_first(self: DaskEngine, ended: Any, n_running: int) -> Future[Any]:
        future = real(self, ended, n_running)
        if not losses:
            (worker,) = cluster.workers.values()
            cluster.sync(worker.close, nanny=False)
            until(lambda: future.status == "lost")
            losses.append(future.status)
            cluster.scale(2)
        return future

    monkeypatch.setattr(DaskEngine, "_next", lose_the_first)
    cluster.scale(1)
    engine = DaskEngine(address=cluster.scheduler_address)
    (outcome,) = engine.run(own_variable, "HOME", [(1,)])
    engine.close()
    assert losses == ["lost"]
    assert outcome.value == (os.environ["HOME"], os.getpid())


def test_processes_that_end_as_they_start_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\nif 'spawn_main' in ' '.join(sys.orig_argv): os._exit(3)\n"
    )
    engine = DaskEngine(environments=[{"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}])
    with pytest.raises(ServiceError, match="A process of Dask on this machine ended as it started") as caught:
        list(engine.run(own_variable, "HOME", [(1,)]))
    engine.close()
    assert "engine.kind: none" in caught.value.hint


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSlurm]:
    """A Slurm that runs jobs here, and is asked often."""
    monkeypatch.setattr(slurm_module, "RENEW_SECONDS", 0.2)
    monkeypatch.setattr(dask_engine, "LOOK_SECONDS", 0.2)
    for name, value in _here().items():
        monkeypatch.setenv(name, value)
    fake = FakeSlurm.installed(RUNS, tmp_path / "slurm", monkeypatch)
    yield fake
    fake.kill(*fake.jobs)
    fake.wait()


def settings(logs: Path) -> Slurm:
    return Slurm(2, 0, 3, "1GB", "00:10:00", 500, "short", ["--account=me"], logs)


def test_jobs_of_slurm_have_what_was_asked_for_and_are_replaced_when_they_are_killed(
    slurm: FakeSlurm, tmp_path: Path
) -> None:
    engine = DaskEngine(slurm=settings(tmp_path / "logs"))
    try:
        outcomes = list(engine.run(own_variable, "OMP_NUM_THREADS", [(n,) for n in range(4)]))
        assert {outcome.value[0] for outcome in outcomes} == {"3"}
        script = (tmp_path / "logs" / "job.sh").read_text()
        for line in ("-p short", "--cpus-per-task=3", "-t 00:10:00", "--account=me"):
            assert f"#SBATCH {line}\n" in script
        for name in ("OMP", "OPENBLAS", "MKL"):
            assert f"export {name}_NUM_THREADS=3" in script
        for name, value in ALLOCATOR.items():
            assert f"export {name}={value}" in script
        first = slurm.jobs
        assert len(first) == 2
        until(lambda: len(engine._workers() or ()) == 2)
        engine._look(2)  # a job that ends before its worker was seen would count as a failure
        outcomes = list(engine.run(kills_all_jobs, tmp_path, [(n,) for n in range(4)]))
        assert {(outcome.item, outcome.error) for outcome in outcomes} == {((n,), None) for n in range(4)}
        assert len(slurm.jobs) == 4
        assert not any(alive(number) for number in first)
        outcomes = list(engine.run(kills_own_job, tmp_path, [(1,)]))
        assert [outcome.error for outcome in outcomes] == [None]
    finally:
        engine.close()
    slurm.wait()


def test_jobs_that_end_at_once_are_one_sentence_with_their_log(
    slurm: FakeSlurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    engine = DaskEngine(slurm=settings(tmp_path / "logs"), tell=said.append)
    with pytest.raises(
        ServiceError, match=r"(?s)no worker 3 times in a row: .*ends with:\n.*/no/such/python: No such file"
    ):
        list(engine.run(own_variable, "HOME", [(1,)]))
    engine.close()
    assert len(slurm.jobs) == 4
    assert "/no/such/python: No such file" in said[1]


@pytest.mark.usefixtures("impatient")
def test_jobs_that_wait_too_long_are_told_and_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm_module, "RENEW_SECONDS", 0.1)
    books, said = FakeSlurm.installed(BOOKS, tmp_path / "books", monkeypatch), list[str]()
    engine = DaskEngine(slurm=settings(tmp_path / "logs"), wait=1, tell=said.append)
    with pytest.raises(
        ServiceError, match=r"no worker for 0:00:01; 2 of 2 jobs wait in the queue of Slurm \(Priority\)"
    ):
        list(engine.run(own_variable, "HOME", [(1,), (2,)]))
    engine.close()
    assert said[1].endswith("2 of 2 jobs wait in the queue of Slurm (Priority)")
    assert (books.folder / "cancelled").read_text() == "1 2\n"
    assert books.submitted == 2


def test_slurm_without_sbatch_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="sbatch, which this machine does not have"):
        list(DaskEngine(slurm=settings(tmp_path)).run(print, None, [(1,)]))
