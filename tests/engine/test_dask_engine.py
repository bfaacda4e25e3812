"""Calls on a real cluster of Dask: outcomes, killed processes, and jobs of a Slurm that runs them here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from support.calls import killed, own_variable, poison, remember
from support.divided import plain_environment

from glasso_cli.engine import dask_engine, threads
from glasso_cli.engine.dask_engine import DaskEngine, Slurm
from glasso_cli.engine.shares import ATTEMPTS
from glasso_cli.engine.tasks import CallFailed
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


def test_calls_end_as_those_of_processes_do(engine: DaskEngine, tmp_path: Path) -> None:
    outcomes = list(engine.run(own_variable, "GLASSO_TEST_PLACE", [(n,) for n in range(8)]))
    assert sorted(outcome.item for outcome in outcomes) == [(n,) for n in range(8)]
    assert {outcome.value[0] for outcome in outcomes} == {"a", "b"}
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # Dask would set one
        assert {outcome.value[0] for outcome in engine.run(own_variable, name, [(0,), (1,)])} == {"3"}
    failed = {outcome.item[0]: outcome for outcome in engine.run(poison, tmp_path, [(0,), (1,)])}
    assert str(failed[0].error) == "StrangeError: no\nsuch thing"
    assert len(remember(tmp_path)) == ATTEMPTS
    assert failed[1].value == 1


def test_a_call_that_always_kills_its_process_is_told_and_the_others_are_done(
    engine: DaskEngine, tmp_path: Path
) -> None:
    outcomes = {o.item[0]: o for o in engine.run(killed, tmp_path, [(0, 9), (1, 0), (2, 1)])}
    assert isinstance(outcomes[0].error, CallFailed)
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


# A Slurm with one machine: sbatch starts the job here, and its number is that of its process.
SBATCH = """#!/bin/bash
setsid bash "$1" > /dev/null 2>&1 &
cp "$1" "$JOBS/$!"
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/bash
kill -- "-$1" 2> /dev/null || true
"""


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with a script for every job that was submitted."""
    programs, jobs = tmp_path / "bin", tmp_path / "jobs"
    programs.mkdir()
    jobs.mkdir()
    for name, script in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (programs / name).write_text(script)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("JOBS", str(jobs))
    for name, value in _here().items():
        monkeypatch.setenv(name, value)
    return jobs


def slurm(logs: Path) -> Slurm:
    return Slurm(2, 0, 3, "1GB", "00:10:00", 500, "short", ["--account=me"], logs)


def test_jobs_of_slurm_have_what_was_asked_for(jobs: Path, tmp_path: Path) -> None:
    engine = DaskEngine(slurm=slurm(tmp_path / "logs"))
    try:
        outcomes = list(engine.run(own_variable, "OMP_NUM_THREADS", [(n,) for n in range(4)]))
        assert {outcome.value[0] for outcome in outcomes} == {"3"}
        script = min(jobs.iterdir()).read_text()
        for line in ("-p short", "--cpus-per-task=3", "-t 00:10:00", "--account=me"):
            assert f"#SBATCH {line}\n" in script
        for name in ("OMP", "OPENBLAS", "MKL"):
            assert f"export {name}_NUM_THREADS=3" in script
        assert "--lifetime 500s" in script
    finally:
        engine.close()
    numbers = [int(path.name) for path in jobs.iterdir()]
    psutil.wait_procs([psutil.Process(number) for number in numbers if psutil.pid_exists(number)], timeout=30)


def test_slurm_without_sbatch_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="sbatch, which this machine does not have"):
        list(DaskEngine(slurm=slurm(tmp_path)).run(print, None, [(1,)]))
