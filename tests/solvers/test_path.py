from __future__ import annotations

import json
import re
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from support.glasso_problems import PROBLEMS, hub, neuron_like, reference_kkt, sample_correlation

from glasso_cli.errors import InputError
from glasso_cli.solvers import SOLVERS, fit_path, solve
from glasso_cli.solvers.degree import fit_degree
from glasso_cli.solvers.path import PathPoint
from glasso_cli.solvers.screening import as_checked_covariance

ALPHAS = [0.1, 0.3, 0.2, 0.05, 0.15]
S = neuron_like()

every_solver = pytest.mark.parametrize("solver", SOLVERS)


def as_bytes(point: PathPoint) -> list[bytes]:
    return [np.asarray(getattr(point, item.name)).tobytes() for item in fields(point)]


class StoppedError(Exception):
    """The process was killed."""


class Saver:
    """Keeps finished points, and stops the run after ``budget`` of them."""

    def __init__(self, budget: int) -> None:
        self.saved: list[PathPoint] = []
        self.budget = budget

    def __call__(self, point: PathPoint) -> None:
        self.saved.append(point)
        if len(self.saved) == self.budget:
            raise StoppedError


@pytest.mark.slow
@every_solver
def test_every_point_is_the_single_fit(solver: str) -> None:
    path = fit_path(S, ALPHAS, solver=solver, tol=1e-10)
    assert [point.alpha for point in path] == sorted(ALPHAS, reverse=True)
    for point in path:
        single = solve(S, point.alpha, solver=solver, tol=1e-10)
        precision = point.precision().toarray()
        assert point.converged
        np.testing.assert_allclose(precision, single.precision, atol=1e-3)
        assert abs(point.objective - single.objective) <= len(S) * 1e-10 + 1e-11
        assert reference_kkt(precision, S, point.alpha) <= 1e-3


def test_a_covariance_that_is_checked_already_gives_the_same_bytes() -> None:
    correlation = as_checked_covariance(S, 1.0)
    looked_at, trusted = (fit_path(correlation, ALPHAS, checked=checked) for checked in (False, True))
    assert [as_bytes(point) for point in looked_at] == [as_bytes(point) for point in trusted]


def test_a_point_holds_the_upper_triangle_and_its_likelihood() -> None:
    point = fit_path(S, [0.1])[0]
    precision = point.precision().toarray()
    np.testing.assert_array_equal(precision, precision.T)
    np.testing.assert_array_equal(precision[point.rows, point.cols], point.values)
    np.testing.assert_array_equal(precision.diagonal(), point.diagonal)
    assert (point.rows < point.cols).all()
    assert point.rows.dtype == point.cols.dtype == np.int32
    assert point.values.all()
    values = {item.name: getattr(point, item.name) for item in fields(point)}
    numbers = {name: value for name, value in values.items() if not isinstance(value, np.ndarray | tuple)}
    assert json.loads(json.dumps(numbers)) == numbers
    assert {type(number) for number in numbers.values()} == {float, int, bool}
    likelihood = np.linalg.slogdet(precision)[1] - np.trace(S @ precision)
    assert point.log_likelihood == pytest.approx(likelihood, abs=1e-9)
    assert point.mean_degree == pytest.approx((np.count_nonzero(precision) - len(S)) / len(S))


def test_a_point_and_a_result_say_in_a_line_what_they_are() -> None:
    shown = repr(fit_path(S, [0.2])[0])
    assert re.fullmatch(r"PathPoint\(alpha 0\.2: \d+ neurons, \d+ edges, duality gap \S+ after \d+ iterations\)", shown)
    result = repr(solve(S, 0.2))
    assert re.fullmatch(r"SolverResult\(\d+ neurons, \d+ edges, duality gap \S+ after \d+ iterations\)", result)


def test_alphas_are_solved_once_from_large_to_small() -> None:
    solved = []
    fit_path(S, [*ALPHAS, 0.1], on_point=lambda point: solved.append(point.alpha))
    assert solved == sorted(ALPHAS, reverse=True)
    assert fit_path(S, []) == []


@pytest.mark.slow
@pytest.mark.parametrize("budget", [1, 2, 4])
def test_a_resumed_path_ends_in_the_same_bytes(budget: int) -> None:
    whole = fit_path(S, ALPHAS)
    saver = Saver(budget)
    with pytest.raises(StoppedError):
        fit_path(S, ALPHAS, on_point=saver)
    later: list[float] = []
    resumed = fit_path(S, ALPHAS, done=saver.saved, on_point=lambda point: later.append(point.alpha))
    assert [as_bytes(point) for point in resumed] == [as_bytes(point) for point in whole]
    assert len(later) == len(ALPHAS) - budget


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after", "solved"),
    [
        ([0.3, 0.2], [0.3, 0.2, 0.1], [0.1]),  # one that is smaller
        ([0.3, 0.1], [0.3, 0.2, 0.1], [0.2, 0.1]),  # one in between: the larger ones are kept
        ([0.2, 0.1], [0.3, 0.2, 0.1], [0.3, 0.2, 0.1]),  # all start from the new one
        ([0.3, 0.2, 0.1], [0.3, 0.2], []),
        ([0.3, 0.2, 0.1], [0.3, 0.1], [0.1]),  # its start is gone
    ],
)
def test_a_path_goes_on_from_points_of_the_same_chain(
    before: list[float], after: list[float], solved: list[Any]
) -> None:
    last, new = fit_path(S, before), []
    path = fit_path(S, after, done=last, on_point=lambda point: new.append(point.alpha))
    assert new == solved
    assert [as_bytes(point) for point in path] == [as_bytes(point) for point in fit_path(S, after)]


def test_a_chain_is_the_alphas_on_the_way() -> None:
    assert [point.chain for point in fit_path(S, [0.2, 0.3, 0.1])] == [(0.3,), (0.3, 0.2), (0.3, 0.2, 0.1)]
    order: list[PathPoint] = []
    whole = fit_degree(S, 9.0, on_point=order.append)
    for index, point in enumerate(order):
        larger = [earlier for earlier in order[:index] if earlier.alpha > point.alpha]
        start = min(larger, key=lambda known: known.alpha, default=None)
        assert point.ancestors == (start.chain if start else ())
    assert {point.chain for point in whole} == {point.chain for point in order}


def test_another_target_goes_on_from_the_grid() -> None:
    grid = fit_path(S, [0.3, 0.1])
    new: list[PathPoint] = []
    last = fit_degree(S, 6.0, grid=grid)
    again = fit_path(S, [0.3, 0.1], done=last, on_point=new.append)
    path = fit_degree(S, 6.0, grid=again, done=last, on_point=new.append)
    assert new == []
    assert [as_bytes(point) for point in path] == [as_bytes(point) for point in last]


def test_a_path_with_a_penalised_diagonal_solves_shifted_problems() -> None:
    before = S.copy()
    for point in fit_path(S, [0.2, 0.1], tol=1e-10, penalise_diagonal=True):
        single = solve(S + point.alpha * np.eye(len(S)), point.alpha, tol=1e-10)
        precision = point.precision().toarray()
        np.testing.assert_allclose(precision, single.precision, atol=1e-3)
        assert point.objective == pytest.approx(single.objective, abs=1e-7)
        likelihood = np.linalg.slogdet(precision)[1] - np.trace(S @ precision)
        assert point.log_likelihood == pytest.approx(likelihood, abs=1e-9)
    np.testing.assert_array_equal(S, before)
    near = fit_degree(S, 6.0, penalise_diagonal=True)
    assert min(abs(point.mean_degree - 6.0) for point in near) <= 0.12


def test_warm_starts_save_iterations() -> None:
    alphas = np.geomspace(0.2, 0.1, 5)
    warm = fit_path(S, alphas, tol=1e-6)[-1]
    assert warm.n_iter <= solve(S, 0.1, tol=1e-6).n_iter


def test_unconverged_points_are_kept_and_marked() -> None:
    path = fit_path(S, [0.1, 0.05], max_iter=2, tol=1e-12)
    assert [point.converged for point in path] == [False, False]
    assert all(point.duality_gap > 1e-12 for point in path)


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("nan"), float("inf")])
def test_a_bad_alpha_is_refused_before_anything_is_solved(alpha: float) -> None:
    with pytest.raises(InputError, match="not a positive number"):
        fit_path(S, [0.1, alpha], on_point=lambda point: pytest.fail("solved"))


# -- the search for a degree ----------------------------------------------------------------------


@pytest.mark.slow
@every_solver
@pytest.mark.parametrize("target", [0.5, 2.0, 6.0, 15.0])
def test_the_target_degree_is_found_in_a_few_fits(solver: str, target: float) -> None:
    path = fit_degree(S, target, solver=solver, tol=1e-6)
    nearest = min(abs(point.mean_degree - target) for point in path)
    assert nearest <= max(0.02 * target, 2 / len(S))
    assert len(path) <= 10
    alphas = [point.alpha for point in path]
    assert alphas == sorted(alphas, reverse=True)


@pytest.mark.parametrize("budget", [1, 2])
def test_a_resumed_search_ends_in_the_same_bytes(budget: int) -> None:
    whole = fit_degree(S, 6.0)
    assert len(whole) > budget
    saver = Saver(budget)
    with pytest.raises(StoppedError):
        fit_degree(S, 6.0, on_point=saver)
    resumed = fit_degree(S, 6.0, done=saver.saved)
    assert [as_bytes(point) for point in resumed] == [as_bytes(point) for point in whole]


@pytest.mark.slow
@pytest.mark.parametrize("lost", range(5))
def test_a_resumed_search_does_not_start_from_points_it_has_not_reached_yet(lost: int) -> None:
    order: list[float] = []
    whole = fit_degree(S, 9.0, on_point=lambda point: order.append(point.alpha))
    assert order != sorted(order, reverse=True), "the search turns back, or there is nothing to test"
    done = [point for index, point in enumerate(whole) if index != lost]
    again = fit_degree(S, 9.0, done=done)
    assert [as_bytes(point) for point in again] == [as_bytes(point) for point in whole]


def test_a_grid_is_kept_and_searched_between_its_points() -> None:
    grid = fit_path(S, [0.4, 0.02])
    new: list[PathPoint] = []
    path = fit_degree(S, 6.0, grid=grid, on_point=new.append)
    assert {0.4, 0.02} < {point.alpha for point in path}
    assert all(0.02 < point.alpha < 0.4 for point in new)
    assert min(abs(point.mean_degree - 6.0) for point in path) <= 0.12


def test_a_grid_with_the_target_on_it_needs_no_search() -> None:
    grid = fit_path(S, [0.2, 0.1])
    assert fit_degree(S, grid[1].mean_degree, grid=grid) == grid


def test_the_search_is_bounded() -> None:
    assert len(fit_degree(S, 6.0)) == 3
    assert len(fit_degree(S, 6.0, max_solves=2)) == 2


def test_equal_correlations_that_enter_together_end_the_search() -> None:
    equal = np.full((20, 20), 0.5) + 0.5 * np.eye(20)
    path = fit_degree(equal, 5.0)
    assert len(path) <= 24
    assert {point.mean_degree for point in path} <= {0.0, 19.0}


@pytest.mark.parametrize(
    ("covariance", "target", "message"),
    [
        (PROBLEMS["hub"][0], 40.0, "mean degree of 40 is not possible among 40"),
        (PROBLEMS["hub"][0], 0.0, "mean degree of 0 is not possible"),
        (np.eye(1), 1.0, "among 1 neurons"),
        (np.eye(3), 1.0, "No two neurons are correlated"),
    ],
)
def test_a_degree_that_cannot_be_is_refused(covariance: np.ndarray, target: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit_degree(covariance, target)


def test_a_planted_graph_is_recovered_at_its_own_degree() -> None:
    planted = hub()
    correlation = sample_correlation(planted, 3000, 12)
    degree = (np.count_nonzero(planted) - len(planted)) / len(planted)
    path = fit_degree(correlation, degree)
    best = min(path, key=lambda point: abs(point.mean_degree - degree))
    found = best.precision().toarray() != 0
    off = ~np.eye(len(planted), dtype=bool)
    agreement = np.count_nonzero((found & (planted != 0))[off]) / np.count_nonzero((planted != 0)[off])
    assert agreement >= 0.9
