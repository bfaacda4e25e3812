"""The graphical lasso by an active-set Newton method with preconditioned conjugate gradients.

At Theta with inverse W, the smooth part of the objective has gradient G = S - W and Hessian W (x) W. A step

1. collects the free entries: those that are not zero, and zeros whose |G_ij| exceeds their weight;
2. predicts the signs at its end by one sweep of coordinate descent on the quadratic model with the l1 term
   (QUIC; Hsieh, Sustik, Dhillon and Ravikumar, 2014);
3. minimises the model over the entries predicted not to be zero by conjugate gradients, preconditioned by
   X -> Theta X Theta, the inverse of the Hessian where no entry is fixed, and by a coarse correction of that while steps
   are of full length; what crossed its sign is zeroed half-way, and far from the answer the model is then made to
   curb what would overshoot;
4. goes along the direction as far as the objective falls and the diagonal of W stays near that of S.

Where that takes many products, the model is too hard to minimise. Iterations of ADMM and Newton steps then take turns until
one of them gets the certificate.

Far from the answer too many entries would be free, so the weights come down in levels from where few pairs exceed them,
with one full step at each; how far down is up to how much the last one made the variances swell. Directions need the
Hessian in float32 only, and W itself is float32 until the first certificate, or until it proves not to be the inverse;
the certificate is float64.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from glasso_cli.engine.threads import numpy_on_one_thread
from glasso_cli.linalg import pages
from glasso_cli.solvers.base import SolverResult, Start
from glasso_cli.solvers.newton.admm import STRETCH
from glasso_cli.solvers.newton.problem import Point, Problem, SparsePoint
from glasso_cli.solvers.problem import Alpha

if TYPE_CHECKING:
    from glasso_cli.solvers.newton.admm import Splitting
    from glasso_cli.solvers.newton.free_set import FreeSet
    from glasso_cli.solvers.newton.place import Factor, Place
    from glasso_cli.solvers.newton.step import Workspace

_FALL = 0.16  # of the logarithm of the weights from the first level to the next
_FALLS = (0.05, 0.3)  # and from any to the next
_STRETCH = 1.25  # the last level may be this factor longer than the planned step
_SWELLING = 0.4  # max W_ii / S_ii - 1 after a step from one level to the next that was as long as it should be
_FIRST_DEGREE = 4.0  # free pairs per neuron at the first level
_SAMPLED = 256  # neurons that decide where the first level is
_SETTLED = 0.1  # violation, on the scale of the weights, at which a level needs no step
_NEAR = 3e-4  # nats per neuron gained by a step, below which steps need no curb
_ROUGH = (0.3, 8)  # residual and iterations of conjugate gradients far from the answer
_EXACT = (0.1, 12)  # and near it, or from a start that is
_SWOLLEN = 3.0  # how far a variance W_ii may exceed S_ii, which it equals at the answer
_FASTEST = 0.05  # of the gain of a step, the least to expect of the next one
_SLOW = 0.3  # share of the gain of the full step before, above which the next model gets twice the iterations
_PATIENCE = 16  # times those iterations, at most
_SHORTEST = 1e-4  # length of a step
_BUDGET = 7.0  # products and sweeps, times p^0.75, that Newton steps may take until ADMM takes over
_DENSE = 10.0  # how much more a product costs where all entries are free, until ADMM has had its first turn
_LAST = 20  # factor on that near the answer, where Newton steps need no other method
_SPLITS = 300  # iterations of ADMM until Newton steps take over again
_HELPFUL = 0.1  # factor on the gap by Newton steps, up to which they helped
_ROUNDING = 1e-4  # relative error of tr(Theta W) = p from which float32 is not enough


@numpy_on_one_thread()
def solve(
    covariance: np.ndarray,
    alpha: Alpha,
    *,
    init: Start = None,
    tol: float = 1e-7,
    max_iter: int = 1000,
    overwrite_covariance: bool = False,
) -> SolverResult:
    """The minimiser by Newton steps; the best certified point if ``max_iter`` of them are not enough.

    ``cost`` counts factorisations, products with the Hessian and sweeps.
    """
    from glasso_cli.solvers.newton.place import place_for

    place = place_for(len(covariance))
    with place.errors(len(covariance)):
        return solve_at(place, Problem.of(covariance, alpha, overwrite_covariance), init, tol, max_iter)


def solve_at(place: Place, problem: Problem, init: Start, tol: float, max_iter: int) -> SolverResult:
    """:func:`solve` with the factorisations and the products at ``place``."""
    run = _Run(place, problem, _start(place, problem, init), tol, max_iter)
    if init is None or not run.starts_at_the_answer(init):
        for level in run.levels():
            run.approach(level)
        run.finish()
        while run.goes_on():
            run.split()
            run.finish()
    return run.result()


# -- the run ------------------------------------------------------------------------------------------


def _start(place: Place, problem: Problem, init: Start) -> Point:
    """``init`` where it is positive definite, isolated neurons otherwise."""
    if init is not None:
        Theta = problem.precision_from(init)
        factor = place.factorise(Theta, np.float32) or place.factorise(Theta, np.float64)
        if factor is not None:
            return Point(Theta, factor.inverse())
    p = len(problem.S)
    return Point(pages.identity(p), place.isolated(p))


class _Run:
    """The point reached, the best certified result, and what it cost."""

    def __init__(self, place: Place, problem: Problem, start: Point, tol: float, max_iter: int) -> None:
        self._place, self._problem, self._point = place, problem, start
        self._tol, self._max_iter = tol, max_iter
        self._scale = problem.typical_weight
        self._answer: SolverResult | None = None
        self._best: SparsePoint | None = None  # until there is an answer
        self._precise = False  # whether W is float64
        self._gain = self._gain_before = np.inf  # nats, of the last two steps
        self._warm = start.connected  # from a start that is expected to be near
        self._length = 1.0 if self._warm else 0.0  # of the last step, or what is expected of the first
        self._n_iter = 0
        self._patience = 1  # factor on the iterations of conjugate gradients
        self._cost: Counter[str] = Counter(n_cholesky=0, n_products=0, n_sweeps=0)
        self._workspace: Workspace | None = None
        self._splitting: Splitting | None = None
        self._effort, self._budget = 0.0, _BUDGET * len(problem.S) ** 0.75  # of Newton steps since ADMM, in products
        self._objective = np.inf  # nats, of the last certificate
        self._gap_before = np.inf  # of the best point after ADMM

    def starts_at_the_answer(self, init: Start) -> bool:
        """Whether the start is optimal already; it is then returned to the bit."""
        if self._scan(1.0)[1] > 0.01 * self._scale or not self._certify():
            return False
        assert self._answer is not None
        assert init is not None
        precision = init.toarray() if isinstance(init, csr_array) else init.copy()
        self._answer = replace(self._answer, precision=precision)
        return True

    def levels(self) -> Iterator[float]:
        """Factors above 1 on the weights, decreasing: from where few zeros are free, as fast as the steps allow.

        The variances swell in a step by about the square of the logarithm between its levels, and when they swell too
        much, the next steps overshoot.
        """
        left = float(np.log(self._first_level()))  # to the weights themselves
        fall = _FALL
        if left <= _STRETCH * fall:
            return
        while left > 0 and not self._exhausted:
            yield float(np.exp(left))
            swelling = max(self._point.swollen - 1, 1e-3)
            fall *= float(np.clip(np.sqrt(_SWELLING / swelling), 0.5, 1.5))
            fall = float(np.clip(fall, *_FALLS))
            left = 0.0 if left <= _STRETCH * fall else left - left / np.ceil(left / fall)

    def _first_level(self) -> float:
        """Where ``_FIRST_DEGREE`` zeros per neuron are free, or as many as there are edges; by every k-th neuron."""
        p = len(self._problem.S)
        some = slice(None, None, max(1, p // _SAMPLED))
        gradient = self._problem.S[some] - self._point.inverse.matrix[some]
        np.abs(gradient, out=gradient)
        weights = self._problem.weights[some]
        gradient[(self._point.Theta[some] != 0) | (weights <= 0)] = 0.0
        excess = np.divide(gradient, weights, out=gradient, where=weights > 0).ravel()
        degree = max(_FIRST_DEGREE, np.count_nonzero(self._point.Theta) / p - 1)
        place = max(0, excess.size - 1 - int(degree * len(gradient)))
        excess.partition(place)
        return max(1.0, float(excess[place]))

    def approach(self, level: float) -> None:
        """Newton steps at ``level`` times the weights, until one of them is of full length."""
        while self._n_iter < self._max_iter and not self._exhausted:
            counts, violation = self._scan(level)
            if violation <= _SETTLED * level * self._scale or not self._step(level, counts) or self._length == 1:
                return

    def finish(self) -> None:
        """Newton steps at the weights themselves, to the certificate."""
        self._gain = self._gain_before = np.inf
        idle = 0  # certificates in a row that are hardly better than the best before them
        while self._answer is None:
            counts, violation = self._scan(1.0)
            if self._next_gain <= 2 * self._tol * len(counts) or violation == 0:
                if self._sharpen():
                    continue
                before = self._best.proof.duality_gap if self._best else np.inf
                if self._certify():
                    return
                assert self._best is not None
                idle = idle + 1 if self._best.proof.duality_gap > 0.99 * before else 0
            if idle == 3 or self._n_iter >= self._max_iter or self._exhausted:
                return
            if not self._step(1.0, counts) and not self._sharpen():
                return

    @property
    def _exhausted(self) -> bool:
        """Whether Newton steps took about as long as ADMM takes for most problems that are hard for them."""
        near = self._gain <= _NEAR * len(self._problem.S)
        return self._problem.splits and bool(self._effort > (_LAST if near else 1) * self._budget)

    def _work(self) -> int:
        return self._cost["n_products"] + self._cost["n_sweeps"]

    def goes_on(self) -> bool:
        """Whether there is no answer yet, and iterations of ADMM are left to get to one."""
        return self._problem.splits and self._answer is None and self._max_iter - self._n_iter >= STRETCH

    def split(self) -> None:
        """Iterations of ADMM from the point reached, until one has a certificate or ``_SPLITS`` are done.

        The next Newton steps start from the point with the lowest objective. Newton steps that made the gap much smaller may
        take twice as long the next time, and ADMM goes on from where they got to; otherwise it goes on with its own point.
        """
        from glasso_cli.solvers.newton.admm import Splitting

        self._workspace = None
        if self._certify():
            return
        best, lowest = self._point, self._objective
        assert self._best is not None
        splitting = self._splitting
        if splitting is None or self._best.proof.duality_gap < _HELPFUL * self._gap_before:
            splitting = self._splitting = splitting or Splitting(self._problem)
            splitting.start(best.Theta, best.inverse)
            self._budget *= 2
        for _ in range(min(_SPLITS, self._max_iter - self._n_iter) // STRETCH):
            Theta = splitting.advance()
            self._n_iter += STRETCH
            self._cost["n_eigh"] += STRETCH
            factor = self._factorise(Theta)
            if factor is None:
                continue
            self._point = Point(Theta.copy(), factor.inverse())
            if self._certify():
                return
            if self._objective < lowest:
                best, lowest = self._point, self._objective
        self._point, self._effort = best, 0.0
        self._gap_before = self._best.proof.duality_gap

    @property
    def _next_gain(self) -> float:
        """What one more step would gain if it fell by as much again, though by no more than ``_FASTEST``."""
        known = 0 < self._gain_before < np.inf
        fall = self._gain / self._gain_before if known else 1.0
        return self._gain * max(_FASTEST, min(1.0, fall))

    def result(self) -> SolverResult:
        """The answer, or the best point if there is none."""
        if self._answer is None:
            self._certify()
        answer = self._answer
        if answer is None:
            assert self._best is not None
            answer = self._of_best(self._best)
        return replace(answer, n_iter=self._n_iter, cost=dict(self._cost))

    def _of_best(self, best: SparsePoint) -> SolverResult:
        Theta = best.Theta.toarray()
        factor = self._place.factorise(Theta, np.float64)
        assert factor is not None
        return self._problem.result(Theta, factor.inverse(), best.proof, False)

    def _certify(self) -> bool:
        """Whether the point reached is optimal by its certificate; it is kept if it is the best so far."""
        if self._workspace:
            self._workspace.release()
        self._sharpen()
        Theta, inverse = self._point.Theta, self._point.inverse
        proof = self._problem.certificate(Theta, inverse, self._tol)
        self._objective = proof.objective
        self._cost["n_cholesky"] += 1
        if proof.duality_gap <= self._tol:
            self._answer = self._problem.result(Theta, inverse, proof, True)
        elif self._best is None or proof.duality_gap < self._best.proof.duality_gap:
            self._best = SparsePoint(csr_array(Theta), proof)
        return self._answer is not None

    def _sharpen(self) -> bool:
        """Go on in float64; false if that is so already."""
        if self._precise:
            return False
        self._precise = True
        if self._workspace:
            self._workspace.release()
        self._invert_in_float64()
        return True

    def _invert_in_float64(self) -> None:
        """Have W of the point reached in float64."""
        if self._point.inverse.matrix.dtype == np.float64:
            return
        self._point = self._point.without_inverse()
        factor = self._factorise(self._point.Theta)
        if factor is None:  # positive definite by rounding alone: isolated neurons are the start again
            self._point = _start(self._place, self._problem, None)
        else:
            self._point = Point(self._point.Theta, factor.inverse())

    # -- one step -------------------------------------------------------------------------------------

    def _scan(self, level: float) -> tuple[np.ndarray, float]:
        from glasso_cli.solvers.newton.free_set import scan

        problem, point = self._problem, self._point
        counts, worst = scan(problem.S, point.inverse.matrix, point.Theta, problem.weights, level)
        return counts, float(worst.max())

    def _step(self, level: float, counts: np.ndarray) -> bool:
        """One Newton step; false when the objective does not fall along any direction found."""
        from glasso_cli.solvers.newton.face import Accuracy
        from glasso_cli.solvers.newton.free_set import free_set
        from glasso_cli.solvers.newton.step import Workspace

        problem, point = self._problem, self._point
        self._workspace = self._workspace or Workspace(self._place, len(counts))
        near = level == 1 and self._gain <= _NEAR * len(counts)
        trusted = near or self._length == 1  # where steps fall short, a better solution of the model overshoots more
        residual, iterations = _EXACT if near or (self._warm and trusted and level == 1) else _ROUGH
        if near and self._length == 1:
            is_slow = self._gain > _SLOW * self._gain_before
            self._patience = min(2 * self._patience, _PATIENCE) if is_slow else max(self._patience // 2, 1)
        accuracy = Accuracy(residual, iterations * self._patience)
        free = free_set(problem.S, point.inverse.matrix, point.Theta, problem.weights, level, counts)
        self._n_iter += 1
        work = self._work()
        point = self._point = self._point.rounded()  # the room of W in float64 is needed more than W
        directions = self._workspace.directions(
            point.inverse, free, accuracy, self._cost, curbed=not near, coarse=trusted
        )
        self._workspace.release()  # there is no room for it beside W and its successor
        density = 2 * len(free.rows) / len(counts) ** 2 if self._splitting is None else 0.0
        self._effort += (self._work() - work) * (1 + _DENSE * density)
        found = any(self._search(free, step) for step in directions)
        if self._precise:
            self._invert_in_float64()
        return found

    def _search(self, free: FreeSet, step: np.ndarray) -> bool:
        """Go along ``step`` if the objective falls on it."""
        from glasso_cli.solvers.newton.line import Line

        line = Line.of(self._problem.S, free, step)
        if not line.slope < 0:
            return False
        before = line.value(0.0, self._point.inverse.log_det)
        noise = 1e-13 * abs(before) if self._precise else 1e-7 * len(self._point.Theta)
        allowed = max(_SWOLLEN, self._point.swollen)
        length = 1.0
        while length >= _SHORTEST:
            Theta = self._point.Theta
            values = free.values + length * step
            Theta[free.rows, free.cols] = Theta[free.cols, free.rows] = values
            factor = self._factorise(Theta)
            if factor is not None:
                gain = before - line.value(length, factor.log_det)
                if gain >= -1e-3 * length * line.slope - noise:
                    point = Point(Theta, factor.inverse())
                    if point.swollen <= allowed or length < 0.1:
                        self._point, self._length = point, length
                        self._gain, self._gain_before = gain, self._gain
                        if not self._precise and line.rounding(length, point) > _ROUNDING:
                            self._sharpen()
                        return True
            length /= 2
        Theta[free.rows, free.cols] = Theta[free.cols, free.rows] = free.values
        return False

    def _factorise(self, Theta: np.ndarray) -> Factor | None:
        self._cost["n_cholesky"] += 1
        return self._place.factorise(Theta, np.float64 if self._precise else np.float32)
