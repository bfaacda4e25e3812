"""Fits to parts of the documents: the same bytes wherever they are made, and what is said where a process is killed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.calls import KillsItsReader, StrangeError, process_of
from support.planted_corpora import statistics, tokens_of

from glasso_cli.artifacts import ActivationStats
from glasso_cli.engine.pool import Pool
from glasso_cli.engine.shares import ATTEMPTS
from glasso_cli.engine.tasks import CallFailed, Function, Item, Outcome, using
from glasso_cli.errors import InputError, ServiceError
from glasso_cli.fitting.sample_fits import Sample, SampleFit, SampleProblem, fit_samples

P = 6
SAMPLES = [Sample(tuple(range(first, first + 8)), (0.3, 0.1)) for first in range(4)]


class Cluster:
    """Makes all calls at once in this process, except those that are to fail."""

    size = 1

    def __init__(self, *failing: BaseException) -> None:
        self.failing = iter(failing)
        self.threads: list[int | None] = []

    def run(
        self, function: Function, shared: Any, work: Sequence[Item], n_threads: int | None = None
    ) -> Iterator[Outcome]:
        self.threads.append(n_threads)
        for item in work:
            error = next(self.failing, None)
            yield Outcome(item, None if error else function(shared, *item), error)

    def close(self) -> None:
        """Nothing."""


class Unreadable:
    """Statistics that a bug keeps other processes from reading."""

    def __reduce__(self) -> tuple[Any, ...]:
        return StrangeError, ("no", "thing")


@pytest.fixture(scope="module")
def stats() -> ActivationStats:
    return statistics(tokens_of(np.eye(P) + 0.3 * (np.eye(P, k=1) + np.eye(P, k=-1)), 32, 20, 0))


@pytest.fixture
def study(stats: ActivationStats) -> SampleProblem:
    return SampleProblem(stats, np.arange(P), None, {})


def fitted(
    study: SampleProblem, folder: Path, workers: int, team: Pool | None = None, most: int = 4
) -> list[SampleFit]:
    """The fits, one for each advance of the progress."""
    heard: list[float] = []
    fits = fit_samples(study, SAMPLES[:most], folder, "problem", workers, heard.append, team)
    assert heard == [1] * most
    return fits


def bytes_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("sample-*.npz")}


@pytest.fixture
def expected(study: SampleProblem, tmp_path: Path) -> dict[str, bytes]:
    """The files of one process; a file knows the name of its folder."""
    fitted(study, tmp_path / "one" / "fits", 1)
    files = bytes_in(tmp_path / "one" / "fits")
    assert len(files) == len(SAMPLES)
    return files


@pytest.mark.slow
def test_a_team_is_kept_and_works_with_no_more_processes_than_memory_holds(
    study: SampleProblem, tmp_path: Path, expected: dict[str, bytes]
) -> None:
    with Pool() as team:
        fitted(study, tmp_path / "three" / "fits", 3, team)
        assert team.size == 3
        before = {outcome.value for outcome in team.run(process_of, None, [(n,) for n in range(9)])}
        fitted(study, tmp_path / "two" / "fits", 2, team)
        assert team.size == 2
        after = {outcome.value for outcome in team.run(process_of, None, [(n,) for n in range(9)])}
        assert after <= before
        fitted(study, tmp_path / "single" / "fits", 3, team, most=1)  # in this process
        assert team.size == 2
    assert bytes_in(tmp_path / "three" / "fits") == bytes_in(tmp_path / "two" / "fits") == expected


@pytest.mark.slow
def test_a_fit_whose_process_is_killed_is_made_again(
    study: SampleProblem, stats: ActivationStats, tmp_path: Path, expected: dict[str, bytes]
) -> None:
    killing: Any = KillsItsReader(stats, tmp_path, ATTEMPTS - 1)
    fitted(replace(study, stats=killing), tmp_path / "two" / "fits", 2)
    assert bytes_in(tmp_path / "two" / "fits") == expected


@pytest.mark.slow
def test_a_fit_whose_process_is_always_killed_is_one_sentence(study: SampleProblem, tmp_path: Path) -> None:
    killing: Any = KillsItsReader(study.stats, tmp_path, 99)
    with pytest.raises(ServiceError) as caught:
        fitted(replace(study, stats=killing), tmp_path / "two" / "fits", 2, most=2)
    assert caught.value.message == (
        "A fit to a half-sample or a fold failed 3 times: the process was ended by signal 9, most likely for want of memory."
    )
    assert caught.value.hint == "Set fit.workers: 1, or fit fewer neurons; what is finished is kept."


@pytest.mark.slow
def test_a_bug_in_another_process_is_told_as_a_bug(study: SampleProblem, tmp_path: Path) -> None:
    broken: Any = Unreadable()
    with pytest.raises(CallFailed, match="AttributeError"):
        fitted(replace(study, stats=broken), tmp_path, 2)


@pytest.mark.slow
def test_a_cluster_makes_all_fits_but_a_single_one(
    study: SampleProblem, tmp_path: Path, expected: dict[str, bytes]
) -> None:
    cluster = Cluster()
    with using(cluster):
        fitted(study, tmp_path / "single" / "fits", 2, most=1)
        assert cluster.threads == []
        fitted(study, tmp_path / "cluster" / "fits", 1)
    assert cluster.threads == [1]
    assert bytes_in(tmp_path / "cluster" / "fits") == expected


@pytest.mark.parametrize(
    ("error", "told", "message"),
    [
        (CallFailed("ValueError: no"), ServiceError, "fold failed 3 times on the cluster: ValueError: no."),
        (InputError("Too few blocks.", "Give more."), InputError, "Too few blocks."),
    ],
)
def test_a_fit_that_fails_on_the_cluster_is_told(
    study: SampleProblem, tmp_path: Path, error: Exception, told: type[Exception], message: str
) -> None:
    with using(Cluster(error)), pytest.raises(told, match=message):
        fitted(study, tmp_path, 1)
