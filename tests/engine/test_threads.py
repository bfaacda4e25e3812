"""One number of threads for BLAS, torch and numba, and the same bytes from the same number."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from support.command_lines import Shell
from threadpoolctl import threadpool_info, threadpool_limits

from glasso_cli.engine import machine, threads
from glasso_cli.engine.threads import allowed, limited, numba_limited
from glasso_cli.errors import ConfigError
from glasso_cli.solvers import SOLVERS, fit_path, solve

two_cores = pytest.mark.skipif(machine.cores() < 2, reason="needs two cores")


# Loads everything under the limit or before it, and says how many threads each uses inside a solve.
COUNTS = """
import json, sys
from glasso_cli.engine.threads import limited, numba_limited
if "before" in sys.argv:
    import torch, numba, scipy.linalg
with limited(int(sys.argv[1]) if sys.argv[1] != "-" else None):
    import torch, numba, scipy.linalg
    from threadpoolctl import threadpool_info
    with numba_limited():
        blas = [pool["num_threads"] for pool in threadpool_info()]
        print(json.dumps([torch.get_num_threads(), numba.get_num_threads(), *blas]))
"""


@pytest.fixture
def correlation() -> np.ndarray:
    """One component of 600 neurons: BLAS uses all its threads from 512 on."""
    rng = np.random.default_rng(0)
    common = rng.standard_normal((900, 1))
    return np.asarray(np.corrcoef((rng.standard_normal((900, 600)) + 0.7 * common).T))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, int]]:
    """How many threads BLAS and numba may use whenever the solver runs."""
    import numba

    seen: list[dict[str, int]] = []
    newton = SOLVERS["newton"]

    def watched(*arguments: Any, **options: Any) -> Any:
        seen.append({"blas": blas_threads(), "numba": numba.get_num_threads()})
        return newton(*arguments, **options)

    monkeypatch.setitem(SOLVERS, "newton", watched)
    return seen


def blas_threads() -> int:
    return max(int(pool["num_threads"]) for pool in threadpool_info() if pool["user_api"] == "blas")


def run_counts(*words: str, **variables: str) -> list[int]:
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    command = [sys.executable, "-c", COUNTS, *words]
    done = subprocess.run(command, env={**kept, **variables}, capture_output=True, text=True, check=True)
    counts: list[int] = json.loads(done.stdout)
    return counts


@pytest.mark.slow
@two_cores
@pytest.mark.parametrize("words", [("1",), ("1", "before")], ids=["loaded later", "loaded before"])
def test_the_option_reaches_every_library(words: tuple[str, ...]) -> None:
    assert set(run_counts(*words)) == {1}
    assert set(run_counts(*words, OMP_NUM_THREADS="2", OPENBLAS_NUM_THREADS="2")) == {1}


@pytest.mark.slow
@two_cores
def test_the_variable_reaches_every_library_and_the_option_wins() -> None:
    assert set(run_counts("-", OMP_NUM_THREADS="1")) == {1}
    assert set(run_counts("2", OMP_NUM_THREADS="1")) == {2}


@pytest.mark.parametrize(("value", "number"), [("1", 1), (" 3 ", 3), ("2,4", 2), ("", 5), ("0", 5), ("all", 5)])
def test_what_the_variable_says(monkeypatch: pytest.MonkeyPatch, value: str, number: int) -> None:
    monkeypatch.setattr(threads, "cores", lambda: 5)
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert allowed() == number


@pytest.mark.parametrize("number", [-1, 0, 9])
def test_a_number_that_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(threads, "cores", lambda: 8)
    with pytest.raises(ConfigError, match=f"--threads {number} is") as caught, limited(number):
        pass
    assert caught.value.exit_code == 2
    assert "from 1 to 8" in caught.value.hint


@two_cores
def test_the_limit_ends_with_its_block(monkeypatch: pytest.MonkeyPatch) -> None:
    import numba

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = (dict(os.environ), blas_threads(), numba.get_num_threads())
    with limited(1), numba_limited():
        assert (allowed(), blas_threads(), numba.get_num_threads()) == (1, 1, 1)
    assert (dict(os.environ), blas_threads(), numba.get_num_threads()) == before


# What each library of torch may use, after a limit that ended: torch itself does not know what MKL does.
AFTER = """
import re, sys, torch
from glasso_cli.engine.threads import limited
def numbers():
    return re.findall(r"_threads\\(\\) : (\\d+)", torch.__config__.parallel_info())
before = numbers()
with limited(1):
    assert set(numbers()[:1]) == {"1"}
print(before == numbers(), before, numbers())
"""


@pytest.mark.slow
@two_cores
def test_all_libraries_of_torch_get_their_threads_back() -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    shown = subprocess.run([sys.executable, "-c", AFTER], env=environment, capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("True"), shown.stdout


@pytest.mark.slow
@two_cores
@pytest.mark.parametrize("number", [1, 2])
def test_the_solver_runs_on_that_many(
    number: int, correlation: np.ndarray, counted: list[dict[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with limited(number):
        solve(correlation, 0.25)
    assert counted == [{"blas": number, "numba": number}]


@pytest.mark.slow
@two_cores
def test_screening_never_raises_the_number(correlation: np.ndarray, counted: list[dict[str, int]]) -> None:
    import numba

    with limited(2), threadpool_limits(1):
        before = numba.get_num_threads()
        numba.set_num_threads(1)
        solve(correlation, 0.25)
        numba.set_num_threads(before)
    assert counted == [{"blas": 1, "numba": 1}]


def test_small_blocks_take_one_blas_thread(correlation: np.ndarray, counted: list[dict[str, int]]) -> None:
    solve(correlation[:100, :100], 0.25)
    assert {count["blas"] for count in counted} == {1}


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, pytest.param(2, marks=two_cores)])
def test_the_same_number_gives_the_same_bytes(number: int, correlation: np.ndarray) -> None:
    with limited(number):
        first, second = (fit_path(correlation, [0.33, 0.25]) for _ in range(2))
    assert sum(point.n_edges for point in first) > 1000
    for one, other in zip(first, second):
        for item in fields(one):
            assert np.asarray(getattr(one, item.name)).tobytes() == np.asarray(getattr(other, item.name)).tobytes()


def test_the_number_of_threads_is_in_no_key(shell: Shell) -> None:
    assert shell("run", "c.yaml", "--threads", "1").exit_code == 0
    made = len(shell.stages.made)
    assert shell("run", "c.yaml").exit_code == 0
    assert len(shell.stages.made) == made
    refused = shell("fit", "c.yaml", "--threads", "0")
    assert refused.stderr.startswith("error: --threads 0 is not a number of threads.\n  Give a number from 1 to ")


def test_numpy_keeps_to_one_thread_and_scipy_does_not() -> None:
    import scipy.linalg  # noqa: F401  its BLAS is loaded with it

    def counts() -> dict[str, int]:
        return {pool["filepath"]: pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    before = counts()
    with threads.numpy_on_one_thread():
        within = counts()
    own = {path for path in before if "numpy.libs" in path}
    assert {path: within[path] for path in own} == dict.fromkeys(own, 1)
    assert {path: within[path] for path in within.keys() - own} == {path: before[path] for path in before.keys() - own}
    assert counts() == before


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("OPENBLAS_THREAD_TIMEOUT", None, "12"),
        ("OPENBLAS_THREAD_TIMEOUT", "26", "26"),
        ("OMP_WAIT_POLICY", None, "PASSIVE"),
        ("OMP_WAIT_POLICY", "ACTIVE", "ACTIVE"),
    ],
)
def test_threads_that_wait_do_not_spin_unless_told_so(name: str, given: str | None, expected: str) -> None:
    environment = {other: value for other, value in os.environ.items() if other != name}
    environment |= {name: given} if given else {}
    code = f"import sys, os; from glasso_cli.cli import app; app.app = lambda: print(os.environ['{name}']); "
    code += "app.main(); assert 'numpy' not in sys.modules"
    shown = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == expected
