"""How much of the dependence of neurons the hidden factors of a fit carry, beside its edges.

Neurons x and independent factors of unit variance have the joint precision [[Theta, -V], [-V', I]]. So the neurons have
the covariance W = (Theta - V V')^-1, and given the factors they have Theta^-1. The total correlation of a distribution is
its divergence from independent neurons with the same marginals: for Gaussian values, -1/2 log det of the correlation
matrix. It does not depend on signs, scales and order of the neurons. What the factors carry is the total correlation that
they explain (Ver Steeg and Galstyan, 2014): that of W less that of Theta^-1.

The penalties of a fit shrink edges far more than factors, which raises the share of the factors: to 0.97 in a planted model
where it is 0.70. So the share is that of :func:`unpenalised`, the most likely model with the same edges and as many factors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_array, triu

from glasso_cli.engine.threads import numba_limited
from glasso_cli.linalg.cholesky import Inverse, invert
from glasso_cli.linalg.precision import symmetric

_INDEPENDENT = 1e-12  # nats per neuron, and a squared correlation: up to this, rounding of nothing
_STEPS = 100
_PROGRESS = 1e-6  # nats per neuron and step: the last step gains less
_IMPOSSIBLE = 1e6  # nats per neuron: of a precision that is not positive definite


@dataclass(frozen=True)
class CarriedDependence:
    """The dependence of p neurons, and what is left of it given their hidden factors."""

    total_correlation: float  # nats
    total_given_factors: float
    squared_correlation: float  # mean over all pairs
    squared_given_factors: float
    variance_explained: float  # share of the variance of a neuron that the factors explain, mean over all neurons

    @property
    def share(self) -> float | None:
        """Of the total correlation, what the factors carry; None for independent neurons.

        It is negative where edges and factors cancel, so that neurons depend more on each other given the factors.
        """
        return _carried(self.total_given_factors, self.total_correlation)

    @property
    def share_of_squares(self) -> float | None:
        """The same of the squared correlations."""
        return _carried(self.squared_given_factors, self.squared_correlation)


def carried_dependence(precision: csr_array, factors: np.ndarray) -> CarriedDependence:
    """The dependence of neurons with a sparse ``precision (p, p)`` beside hidden ``factors`` V ``(p, r)``.

    Raises :class:`ValueError` where Theta - V V' is not positive definite.
    """
    theta = precision.toarray()
    given, squared_given, left = _dependence(theta)
    if factors.size == 0:
        return CarriedDependence(given, given, squared_given, squared_given, 0.0)
    whole, squared, variances = _dependence(theta - factors @ factors.T)
    return CarriedDependence(whole, given, squared, squared_given, float(np.mean(1 - left / variances)))


def mean_square(correlation: np.ndarray) -> float:
    """The mean squared correlation of all pairs of a correlation matrix ``(p, p)``."""
    p = len(correlation)
    off = float(np.vdot(correlation, correlation)) - float((correlation.diagonal() ** 2).sum())
    return off / max(1, p * (p - 1))


def _carried(left: float, whole: float) -> float | None:
    return 1 - left / whole if whole > 0 else None


def _dependence(precision: np.ndarray) -> tuple[float, float, np.ndarray]:
    """The total correlation, the mean squared correlation of pairs and the variances ``(p,)`` of Gaussian neurons."""
    inverse = _inverse(precision)
    W, variances = inverse.matrix, inverse.matrix.diagonal().copy()
    total = (inverse.log_det + float(np.log(variances).sum())) / 2
    W /= np.sqrt(variances)[:, None]
    W /= np.sqrt(variances)
    squared = mean_square(W)
    return (
        total if total > _INDEPENDENT * len(W) else 0.0,
        squared if squared > _INDEPENDENT else 0.0,
        variances,
    )


def _inverse(precision: np.ndarray) -> Inverse:
    with numba_limited():
        inverse = invert(precision)
    if inverse is None:
        raise ValueError("the precision is not positive definite")
    return inverse


# -- without penalty ------------------------------------------------------------------------------------


def unpenalised(correlation: np.ndarray, precision: csr_array, factors: np.ndarray) -> tuple[csr_array, np.ndarray]:
    """The most likely ``precision (p, p)`` and ``factors (p, r)`` with the edges and the number of factors of these.

    It maximises log det(Theta - V V') - tr(S (Theta - V V')) for S = ``correlation (p, p)``, by L-BFGS from the point
    given, until a step gains less than 1e-6 nats per neuron. Raises :class:`ValueError` where that point is not
    positive definite.
    """
    upper = triu(precision, 1).tocoo()
    with numba_limited():
        model = _Model(correlation, upper.row, upper.col, precision.toarray(), factors)
        found = minimize(
            model.loss,
            model.start(precision.diagonal(), upper.data),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": _STEPS, "maxfun": 2 * _STEPS, "ftol": _PROGRESS, "gtol": 0.0, "maxcor": 20},
        )
    diagonal, values, loadings = model.parts(found.x)
    return symmetric(upper.row, upper.col, values, diagonal), loadings


class _Model:
    """The likelihood over coordinates in which L-BFGS takes tens of steps instead of hundreds.

    They are such that the curvature at the start is about one: log det(R) changes by W dR W in the second order, so that
    entries are in units of the precisions of their neurons, and factors V = C Y K with C C' = R and K'K the inverse of
    V' W V.
    """

    def __init__(
        self, correlation: np.ndarray, rows: np.ndarray, cols: np.ndarray, theta: np.ndarray, factors: np.ndarray
    ) -> None:
        self.correlation, self.rows, self.cols = correlation, rows, cols
        self.shape = factors.shape if factors.size else (len(theta), 0)
        self.factors = np.ascontiguousarray(factors.reshape(self.shape))  # one order, so that products round alike
        R = theta - self.factors @ self.factors.T
        W = _inverse(R).matrix
        self.unit = 1 / W.diagonal()
        self.edge_unit = np.sqrt(self.unit[rows] * self.unit[cols] / 2)
        strengths, turn = np.linalg.eigh(self.factors.T @ W @ self.factors)
        self.left = np.linalg.cholesky(R)
        self.right = (turn / np.sqrt(2 * np.maximum(strengths, 1.0))).T  # floored: weak factors are not stretched

    def start(self, diagonal: np.ndarray, values: np.ndarray) -> np.ndarray:
        """The coordinates of the point that the model was made from."""
        Y = np.linalg.solve(self.left, self.factors) @ np.linalg.inv(self.right)
        return np.concatenate([diagonal / self.unit, values / self.edge_unit, Y.ravel()])

    def parts(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Diagonal ``(p,)`` and entries ``(E,)`` of Theta, and V ``(p, r)``."""
        p, edges = len(self.unit), len(self.rows)
        Y = x[p + edges :].reshape(self.shape)
        return x[:p] * self.unit, x[p : p + edges] * self.edge_unit, self.left @ Y @ self.right

    def loss(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """tr(S R) - log det R in nats per neuron, and its gradient."""
        p = len(self.unit)
        diagonal, values, V = self.parts(x)
        R = -(V @ V.T)
        R[self.rows, self.cols] += values
        R[self.cols, self.rows] += values
        R[np.diag_indices(p)] += diagonal
        inverse = invert(R)
        if inverse is None:
            return _IMPOSSIBLE, np.zeros_like(x)
        value = float(np.vdot(self.correlation, R)) - inverse.log_det
        G = np.subtract(self.correlation, inverse.matrix, out=inverse.matrix)
        parts = (
            G.diagonal() * self.unit,
            2 * G[self.rows, self.cols] * self.edge_unit,
            (-2 * self.left.T @ (G @ V) @ self.right.T).ravel(),
        )
        return value / p, np.concatenate(parts) / p
