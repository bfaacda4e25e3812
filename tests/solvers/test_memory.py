"""The peak that a fit takes is what `solvers/memory.py` says, measured in processes of their own.

Again, alone: ``pytest tests/solvers/test_memory.py -k measured -s``
"""

from __future__ import annotations

import subprocess
import sys

import pytest
from support.peak_memory import needs_linux

from glasso_cli.errors import InputError
from glasso_cli.solvers import SOLVERS
from glasso_cli.solvers.memory import BUFFERS, check_joint_memory, check_memory, joint_peak, peak

# Prints the most resident memory while a problem of p neurons is solved, in float64 buffers (p, p), its covariance
# among them. Small problems first: imports, compiled kernels and pools of threads are not of the problem.
MEASURED = """
import ctypes, gc, sys
import numpy as np
from glasso_cli.solvers.joint.fit import fit_joint
from glasso_cli.solvers.path import fit_path
from glasso_cli.solvers.screening import solve

def resident(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name))

def problem(p, alone):
    rng = np.random.default_rng(0)
    S = np.corrcoef((rng.standard_normal((1200, p)) + 0.5 * rng.standard_normal((1200, 1))).T)
    S = (S + S.T) / 2
    S[p - alone :], S[:, p - alone :] = 0.0, 0.0
    np.fill_diagonal(S, 1.0)
    return S

def settled():
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return resident("VmRSS")

def measured(job, p, alone):
    run = {
        "solve": lambda S: solve(S, 0.255),
        "path": lambda S: fit_path(S, [0.28, 0.255]),
        "penalised": lambda S: fit_path(S, [0.28, 0.255], penalise_diagonal=True),
        "variances": lambda S: solve(S, 0.255),
        "full": lambda S: solve(S, 0.1),
        "latent": lambda S: fit_path(S, [0.2], hidden=0.5),
        "joint": lambda S: fit_joint([S, S], 0.2, 0.05, penalty="fused", max_iter=11),
    }[job]
    run(problem(200, alone)), run(problem(600, alone))
    before = settled()
    S = problem(p, alone)
    if job == "full":  # every pair is an edge
        S = np.full((p, p), 0.5) + 0.5 * np.eye(p)
    if job == "variances":
        S *= np.outer(*2 * [np.linspace(1.0, 1.001, p)])
    settled()
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    run(S)
    return (resident("VmHWM") - before) / (8 * p * p)

p = int(sys.argv[1])
for job in sys.argv[3:]:
    print(job, measured(job, p, int(sys.argv[2])))
"""


def measured(p: int, alone: int, *jobs: str) -> dict[str, float]:
    """The peak of every job in buffers (p, p), in one process; ``alone`` neurons are linked to no other."""
    words = [sys.executable, "-c", MEASURED, str(p), str(alone), *jobs]
    lines = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    return {job: float(buffers) for job, buffers in map(str.split, lines)}


@pytest.mark.slow
@needs_linux
@pytest.mark.parametrize("alone", [0, 5], ids=["one component", "nearly one"])
def test_the_measured_peak_of_newton_is_within_the_bound(alone: int) -> None:
    p = 1500
    peaks = measured(p, alone, "solve", "path", "penalised", "variances")
    assert len(peaks) == 4
    for job, buffers in peaks.items():
        bound = peak(p, p - alone, "newton", penalised=job == "penalised") / (8 * p**2)
        print(f"{alone} alone, {job}: {buffers:.2f}, at most {bound:.2f}")
        more = 2 if job == "variances" else 0  # the correlation and the weights
        assert 3 < buffers <= bound + more + 0.3, job  # pages and free entries, which are sparse


@pytest.mark.slow
@needs_linux
def test_an_answer_with_all_pairs_takes_newton_what_the_module_says() -> None:
    """More than the bound, which cannot know it: see the head of `solvers/memory.py`."""
    buffers = measured(800, 0, "full")["full"]
    print(f"full: {buffers:.2f}")
    assert BUFFERS["newton"] < buffers <= 21


@pytest.mark.slow
@needs_linux
def test_the_measured_peak_with_hidden_factors_is_within_the_bound() -> None:
    p = 1500
    buffers = measured(p, 0, "latent")["latent"]
    print(f"latent: {buffers:.2f}")
    assert 3 < buffers <= BUFFERS["latent"] + 0.3


@pytest.mark.slow
@needs_linux
@pytest.mark.parametrize("alone", [0, 700], ids=["one component", "a small one"])
def test_the_measured_peak_of_a_joint_fit_is_within_the_bound(alone: int) -> None:
    p = 800
    (buffers,) = measured(p, alone, "joint").values()
    bound = joint_peak(p, p - alone, 2) / (8 * p**2)
    print(f"{alone} alone: {buffers:.2f} buffers of {bound:.2f}")
    assert 3 < buffers <= bound + 0.3


def test_every_solver_has_a_bound() -> None:
    assert set(BUFFERS) == {*SOLVERS, "latent"}


def test_small_components_take_little_more_than_the_covariance_and_the_result() -> None:
    assert peak(1000, 1000, "gglasso") == 8 * 27 * 1000**2
    assert peak(1000, 1, "gglasso") == 24_016_000
    assert peak(1000, 999, "gglasso") == 8 * (27 * 999**2 + 1000**2)
    assert peak(1000, 500, "gglasso") < peak(1000, 1000, "gglasso") / 3
    assert peak(1000, 1000, "newton") == 8 * 5 * 1000**2
    assert peak(1000, 1000, "newton", penalised=True) == 8 * 6 * 1000**2


def test_what_does_not_fit_is_refused_with_both_numbers() -> None:
    check_memory(1000, 1000, "gglasso", 216_000_000)
    with pytest.raises(InputError) as caught:
        check_memory(20_000, 20_000, "gglasso", 22_500_000_000)
    assert caught.value.message == (
        "The solver gglasso needs 86.4 GB of memory for 20,000 neurons, and 22.5 GB are available."
    )
    assert "fit.neurons" in caught.value.hint
    with pytest.raises(InputError, match=r"needs 24\.8 GB of memory for 20,000 neurons \(10,000 of them connected\)"):
        check_memory(20_000, 10_000, "gglasso", 10**9)


def test_a_joint_fit_that_does_not_fit_is_refused() -> None:
    check_joint_memory(1000, 1000, 2, 320_000_000)
    with pytest.raises(InputError) as caught:
        check_joint_memory(10_000, 1000, 2, 10**9)
    assert caught.value.message == (
        "A joint fit of 2 corpora needs 8.3 GB of memory for 10,000 neurons (1,000 of them connected), "
        "and 1.0 GB are available."
    )
    assert "compare.neurons" in caught.value.hint
