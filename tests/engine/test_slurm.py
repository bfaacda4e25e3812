"""Which jobs are submitted, and when: jobs that wait, work, end, fail and are not accepted."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.fake_slurm import BOOKS, FakeSlurm

from glasso_cli.engine import slurm as module
from glasso_cli.engine.slurm import FAILURES, Jobs, Slurm
from glasso_cli.errors import ConfigError, ServiceError


def settings(logs: Path, jobs: int = 2) -> Slurm:
    return Slurm(jobs, 1, 3, "1GB", "00:10:00", 500, "short", ["--account=me"], logs)


@pytest.fixture
def books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    """A Slurm in which every job waits in the queue, and is asked at every look."""
    monkeypatch.setattr(module, "RENEW_SECONDS", 0.0)
    return FakeSlurm.installed(BOOKS, tmp_path / "slurm", monkeypatch)


@pytest.fixture
def said() -> list[str]:
    """What is told."""
    return []


@pytest.fixture
def jobs(books: FakeSlurm, tmp_path: Path, said: list[str]) -> Jobs:
    """Two jobs that were submitted."""
    made = Jobs(settings(tmp_path / "logs"), said.append)
    made.begin(lambda worker: f"the script of {worker}\n")
    return made


def test_the_script_names_the_worker_by_its_job(jobs: Jobs, books: FakeSlurm, tmp_path: Path) -> None:
    assert (tmp_path / "logs" / "job.sh").read_text() == "the script of glasso-$SLURM_JOB_ID\n"
    assert books.jobs == [1, 2]


def test_jobs_that_wait_in_the_queue_are_not_submitted_twice(jobs: Jobs, books: FakeSlurm) -> None:
    assert jobs.state() == "2 jobs are submitted"
    for _ in range(5):
        jobs.keep(9, ())
    assert books.submitted == 2
    assert jobs.state() == "2 of 2 jobs wait in the queue of Slurm (Priority)"
    (books.folder / "jobs" / "1").write_text("RUNNING None\n")
    jobs.keep(9, {"glasso-1"})
    assert jobs.state() == "1 of 2 jobs wait in the queue of Slurm (Priority)"


def test_jobs_that_have_ended_are_replaced_one_by_one_and_all_at_once(
    jobs: Jobs, books: FakeSlurm, said: list[str]
) -> None:
    jobs.keep(9, {"glasso-1", "glasso-2"})
    books.end(1)
    jobs.keep(9, {"glasso-2"})
    assert books.jobs == [2, 3]
    jobs.keep(9, {"glasso-2", "glasso-3"})
    books.end(2, 3)
    jobs.keep(9, ())
    assert books.jobs == [4, 5]
    assert said == []


def test_jobs_are_replaced_only_as_far_as_there_are_calls(jobs: Jobs, books: FakeSlurm) -> None:
    jobs.keep(9, {"glasso-1", "glasso-2"})
    books.end(1, 2)
    jobs.keep(1, ())
    assert books.jobs == [3]
    jobs.keep(2, {"glasso-3"})
    assert books.jobs == [3, 4]


def test_a_job_whose_worker_is_at_work_has_not_ended(jobs: Jobs, books: FakeSlurm) -> None:
    books.end(1, 2)
    jobs.keep(9, {"glasso-1", "glasso-2"})
    assert books.submitted == 2


def test_nothing_is_submitted_while_slurm_does_not_say_which_jobs_are_there(jobs: Jobs, books: FakeSlurm) -> None:
    jobs.keep(9, {"glasso-1", "glasso-2"})
    books.end(1, 2)
    (books.folder / "deaf").touch()
    jobs.keep(9, ())
    assert books.submitted == 2
    assert jobs.state() == (
        "Slurm does not say which jobs are there (squeue failed (slurm_load_jobs error: Socket timed out))"
    )
    (books.folder / "deaf").unlink()
    jobs.keep(9, ())
    assert books.jobs == [3, 4]


def test_variables_that_hide_jobs_are_not_passed_on(
    jobs: Jobs, books: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQUEUE_STATES", "RUNNING")
    jobs.keep(9, ())
    assert "RUNNING" not in (books.folder / "squeue").read_text()


def test_jobs_that_end_at_once_are_tried_one_by_one_and_then_given_up(
    jobs: Jobs, books: FakeSlurm, tmp_path: Path, said: list[str]
) -> None:
    (tmp_path / "logs" / "glasso-2.err").write_text("loading\n\nModuleNotFoundError: No module named 'torch'\n")
    books.end(1, 2)
    jobs.keep(9, ())
    assert books.jobs == [3]  # one alone, to see whether it fails as well
    assert "job 2 had no worker" in said[0]
    assert said[0].splitlines()[1:3] == ["    loading", "    ModuleNotFoundError: No module named 'torch'"]
    books.end(3)
    jobs.keep(9, ())
    assert books.jobs == [4]
    books.end(4)
    with pytest.raises(
        ServiceError, match=rf"(?s)no worker {FAILURES} times in a row: job 4 .* left no log in"
    ) as caught:
        jobs.keep(9, ())
    assert "engine.slurm" in caught.value.hint
    assert books.submitted == 2 + FAILURES - 1


def test_a_worker_that_comes_ends_the_count_of_failures(jobs: Jobs, books: FakeSlurm) -> None:
    for _ in range(3):
        for _ in range(FAILURES - 1):
            books.end(*books.jobs)
            jobs.keep(9, ())
        (tried,) = books.jobs
        jobs.keep(9, {f"glasso-{tried}"})
        assert len(books.jobs) == 2


def test_a_job_that_always_fails_does_not_stop_the_others(jobs: Jobs, books: FakeSlurm) -> None:
    jobs.keep(9, {"glasso-1", "glasso-2"})
    books.end(2)
    jobs.keep(9, {"glasso-1"})
    for _ in range(2 * FAILURES):
        books.end(*books.jobs[1:])
        jobs.keep(9, {"glasso-1"})
    assert books.jobs == [1]
    assert books.submitted == 2 + FAILURES
    books.end(1)
    jobs.keep(9, ())  # a job that worked has ended, so it is worth trying again
    assert len(books.jobs) == 2


def test_slurm_that_accepts_no_job_is_one_sentence(books: FakeSlurm, tmp_path: Path, said: list[str]) -> None:
    (books.folder / "refuse").write_text("sbatch: error: invalid partition specified: shrt\n")
    with pytest.raises(ServiceError, match=r"no worker: sbatch failed \(sbatch: error: invalid partition") as caught:
        Jobs(settings(tmp_path / "logs"), said.append).begin(str)
    assert caught.value.exit_code == 4
    assert said == []


def test_a_job_that_is_not_accepted_is_tried_again_and_then_given_up(
    jobs: Jobs, books: FakeSlurm, said: list[str]
) -> None:
    jobs.keep(9, {"glasso-1", "glasso-2"})
    (books.folder / "refuse").write_text("sbatch: error: QOSMaxSubmitJobPerUserLimit\n")
    books.end(1)
    for _ in range(2 * FAILURES):
        jobs.keep(9, {"glasso-2"})
    assert [text.splitlines()[0] for text in said] == [
        "engine: sbatch failed (sbatch: error: QOSMaxSubmitJobPerUserLimit)"
    ]
    books.end(2)
    with pytest.raises(ServiceError, match=rf"{FAILURES} times in a row: sbatch failed"):
        for _ in range(FAILURES):
            jobs.keep(9, ())


def test_jobs_that_are_there_are_cancelled(jobs: Jobs, books: FakeSlurm) -> None:
    jobs.keep(9, {"glasso-1", "glasso-2"})
    books.end(1)
    jobs.keep(1, {"glasso-2"})
    assert jobs.cancel() == ""
    assert (books.folder / "cancelled").read_text() == "2\n"
    assert jobs.cancel() == ""


def test_what_cannot_be_cancelled_is_told(jobs: Jobs, books: FakeSlurm) -> None:
    (books.folder / "bin" / "scancel").write_text("#!/bin/bash\necho 'Access denied' >&2\nexit 1\n")
    assert jobs.cancel().startswith("scancel failed (Access denied); jobs 1, 2 end by themselves")


def test_jobs_of_another_cluster_are_looked_for_there(books: FakeSlurm, tmp_path: Path) -> None:
    (books.folder / "bin" / "sbatch").write_text("#!/bin/bash\necho 'Welcome to the cluster'\necho '7;north'\n")
    jobs = Jobs(settings(tmp_path / "logs", 1), print)
    jobs.begin(str)
    jobs.keep(1, {"glasso-7"})
    assert "--clusters=north" in (books.folder / "squeue").read_text()
    jobs.cancel()
    assert (books.folder / "cancelled").read_text() == "--clusters=north 7\n"


@pytest.mark.parametrize("command", ["sbatch", "squeue", "scancel"])
def test_slurm_without_its_commands_is_one_sentence(books: FakeSlurm, tmp_path: Path, command: str) -> None:
    (books.folder / "bin" / command).unlink()
    with pytest.raises(ConfigError, match=f"needs {command}, which this machine does not have"):
        Jobs(settings(tmp_path / "logs"), print)
