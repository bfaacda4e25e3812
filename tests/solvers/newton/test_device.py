"""The Newton solver's arithmetic on a torch device, against plain numpy and against the host's."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from support.glasso_problems import PROBLEMS, neuron_like
from support.matrices import every_size, random_definite, random_symmetric, upper_entries

from glasso_cli.errors import ServiceError
from glasso_cli.linalg.cholesky import Inverse
from glasso_cli.solvers.certificate import certificate
from glasso_cli.solvers.newton import device as devices
from glasso_cli.solvers.newton import place as places
from glasso_cli.solvers.newton import solve
from glasso_cli.solvers.newton.device import Device, DeviceFactor
from glasso_cli.solvers.newton.free_set import symmetric
from glasso_cli.solvers.newton.place import Host, Place, place_for
from glasso_cli.solvers.newton.problem import Problem
from glasso_cli.solvers.newton.solve import solve_at

PRECISIONS = [(np.float32, 1e-5), (np.float64, 1e-10)]
each_precision = pytest.mark.parametrize(("dtype", "error"), PRECISIONS, ids=["float32", "float64"])


@pytest.fixture(params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest) -> Device:
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip(reason="no CUDA device")
    return Device(torch.device(request.param))


def assert_near(found: np.ndarray, expected: np.ndarray, error: float) -> None:
    """Equal to ``error`` of the largest entry."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=error * max(1.0, np.abs(expected).max(initial=0)))


# -- the parts --------------------------------------------------------------------------------------------


def factorised(device: Device, matrix: np.ndarray, dtype: type = np.float64) -> DeviceFactor:
    factor = device.factorise(matrix, dtype)
    assert factor is not None
    return factor


@every_size
@each_precision
def test_entries_of_products_with_w(device: Device, p: int, dtype: type, error: float) -> None:
    W: np.ndarray = random_definite(p).astype(dtype)
    D = random_symmetric(p)
    rows, cols = upper_entries(D)
    some = np.arange(0, len(rows), 2)  # entries wanted and entries of D may differ
    products = device.products(p)
    loaded = products.load(Inverse(W, 0.0))
    np.testing.assert_array_equal(loaded, W.astype(np.float32))
    values = D[rows, cols]
    found = products.product(symmetric(rows, cols, p), rows[some], cols[some], values)
    assert found.dtype == np.float64
    assert_near(found, (W @ D @ W)[rows[some], cols[some]], 1e-5)


@each_precision
def test_an_inverse_from_the_device_is_what_is_loaded(device: Device, dtype: type, error: float) -> None:
    p = 40
    inverse, products = factorised(device, random_definite(p), dtype).inverse(), device.products(p)
    loaded = products.load(inverse)
    assert loaded.dtype == np.float32
    assert loaded.flags.c_contiguous
    np.testing.assert_array_equal(loaded, inverse.matrix.astype(np.float32))
    rows, cols = upper_entries(np.ones((p, p)))
    found = products.product(symmetric(rows, cols, p), rows, cols, np.ones(len(rows)))
    assert_near(found, (inverse.matrix @ np.ones((p, p)) @ inverse.matrix)[rows, cols], 1e-5)


def test_patterns_that_follow_each_other_are_kept_apart(device: Device) -> None:
    p = 40
    W, products = random_definite(p), device.products(p)
    products.load(Inverse(W, 0.0))
    patterns = [upper_entries(random_symmetric(p, seed) > limit) for seed, limit in enumerate([0.0, 0.5, 1.0] * 4)]
    for rows, cols in patterns * 2:
        pattern = symmetric(rows, cols, p)
        for size in (1.0, 2.0):
            D = np.zeros((p, p))
            D[rows, cols] = D[cols, rows] = size
            values = np.full(len(rows), size)
            assert_near(products.product(pattern, rows, cols, values), (W @ D @ W)[rows, cols], 1e-5)


@every_size
@pytest.mark.parametrize("k", [1, 5])
def test_w_times_vectors(device: Device, p: int, k: int) -> None:
    W, V = random_definite(p), np.random.default_rng(5).standard_normal((p, k)).astype(np.float32)
    products = device.products(p)
    products.load(Inverse(W, 0.0))
    found = products.times(V)
    assert found.dtype == np.float32
    assert_near(found, W @ V, 1e-5)


def test_a_low_rank_part_is_added_to_w_but_not_to_the_callers(device: Device) -> None:
    p = 40
    inverse, D = factorised(device, random_definite(p), np.float32).inverse(), random_symmetric(p)
    W, left = inverse.matrix, np.random.default_rng(2).standard_normal((p, 3)).astype(np.float32)
    rows, cols = upper_entries(D)
    before, products = W.copy(), device.products(p)
    products.load(inverse)
    products.add_low_rank(left, 2 * left)
    changed = W + 2 * left @ left.T
    found = products.product(symmetric(rows, cols, p), rows, cols, D[rows, cols])
    assert_near(found, (changed @ D @ changed)[rows, cols], 1e-5)
    np.testing.assert_array_equal(W, before)
    np.testing.assert_array_equal(inverse.there.cpu().numpy(), before)


@every_size
@each_precision
def test_factor_and_inverse(device: Device, p: int, dtype: type, error: float) -> None:
    matrix = random_definite(p)
    matrix = (matrix + matrix.T) / 2
    before = matrix.copy()
    factor = factorised(device, matrix, dtype)
    lower = np.tril(factor.lower.cpu().numpy())
    assert_near(lower, np.linalg.cholesky(matrix), error)
    assert factor.log_det == pytest.approx(np.linalg.slogdet(matrix)[1], rel=error, abs=error)
    inverse = factor.inverse()
    assert inverse.log_det == factor.log_det
    assert inverse.matrix.dtype == dtype
    assert inverse.matrix.flags.c_contiguous  # the sweep reads its rows
    assert_near(inverse.matrix, np.linalg.inv(matrix), error)
    np.testing.assert_array_equal(inverse.matrix, inverse.matrix.T)
    np.testing.assert_array_equal(inverse.matrix, inverse.there.cpu().numpy())
    np.testing.assert_array_equal(matrix, before)


@pytest.mark.parametrize("bad", [-1.0, 0.0, np.nan, np.inf])
def test_what_is_not_positive_definite_has_no_factor(device: Device, bad: float) -> None:
    matrix = np.eye(5)
    matrix[2, 2] = bad
    assert device.factorise(matrix) is None


@pytest.mark.slow
@every_size
def test_the_host_and_a_device_multiply_alike(device: Device, p: int) -> None:
    W, D = random_definite(p).astype(np.float32), random_symmetric(p)
    V = np.random.default_rng(5).standard_normal((p, 3)).astype(np.float32)
    rows, cols = upper_entries(D)
    pattern, values = symmetric(rows, cols, p), D[rows, cols]
    found = []
    for products in (Host().products(p), device.products(p)):
        products.load(Inverse(W, 0.0))
        product = products.product(pattern, rows, cols, values)
        found.append((product, products.times(V)))
    for host, there in zip(*found):
        assert_near(there, host, 1e-5)


# -- a whole solve ----------------------------------------------------------------------------------------


def solve_there(place: Place, S: np.ndarray, alpha: float, init: np.ndarray | None = None) -> np.ndarray:
    result = solve_at(place, Problem.of(S, alpha), init, 1e-10, 100)
    assert result.converged
    assert certificate(result.precision, S, alpha).duality_gap <= 1.1e-10
    np.testing.assert_allclose(result.precision @ result.covariance, np.eye(len(S)), atol=1e-9)
    return result.precision


@pytest.mark.slow
@pytest.mark.parametrize("name", PROBLEMS)
def test_a_solve_is_certified_and_that_of_the_host(device: Device, name: str) -> None:
    S, alpha = PROBLEMS[name]
    np.testing.assert_allclose(solve_there(device, S, alpha), solve_there(Host(), S, alpha), atol=1e-4)


@pytest.mark.slow
def test_a_solve_of_more_neurons_from_a_start(device: Device) -> None:
    S = neuron_like(150)
    start = solve_there(device, S, 0.08)
    np.testing.assert_allclose(solve_there(device, S, 0.05, start), solve_there(Host(), S, 0.05, start), atol=1e-4)


@pytest.mark.slow
def test_the_same_device_gives_the_same_bytes(device: Device) -> None:
    S = neuron_like(70)
    first, second = (solve_there(device, S, 0.05) for _ in range(2))
    assert first.tobytes() == second.tobytes()


@pytest.mark.slow
def test_a_device_without_room_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    monkeypatch.setattr(torch.linalg, "cholesky_ex", full)
    monkeypatch.setattr(places, "place_for", lambda p: Device(torch.device("cpu")))
    with pytest.raises(ServiceError, match="no room left to fit 70 neurons") as caught:
        solve.solve(neuron_like(70), 0.05)
    assert "CUDA_VISIBLE_DEVICES=" in caught.value.hint


# -- which one --------------------------------------------------------------------------------------------


def test_small_problems_and_machines_without_a_driver_stay_on_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_cuda_memory", lambda: 2**40)
    monkeypatch.setattr(places, "_DRIVERS", (__file__,))
    assert place_for(2048) == Device(torch.device("cuda", 0))
    assert isinstance(place_for(1023), Host)
    monkeypatch.setattr(places, "_DRIVERS", ())
    assert isinstance(place_for(2048), Host)


def test_a_problem_too_large_for_the_device_stays_on_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_DRIVERS", (__file__,))
    for memory in (0, 10**8):
        monkeypatch.setattr(devices, "_cuda_memory", lambda memory=memory: memory)
        assert isinstance(place_for(2048), Host)


@pytest.mark.slow
def test_without_a_driver_torch_is_not_imported() -> None:
    code = """
import sys
from glasso_cli.solvers.newton import place
place._DRIVERS = ()
place.place_for(10**4)
import glasso_cli.solvers.newton.step, glasso_cli.solvers.newton.products, glasso_cli.solvers.newton.device
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
