"""The certified graphical lasso as a scikit-learn estimator. Imported on demand alone: it needs scikit-learn at the top."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.covariance import EmpiricalCovariance, empirical_covariance
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import validate_data

from glasso_cli.errors import InputError
from glasso_cli.solvers import SOLVERS, solve


class GraphicalLasso(EmpiricalCovariance):  # type: ignore[misc]  # scikit-learn has no types
    """Sparse inverse covariance of ``X (n_samples, n_features)``, with a certificate of how near the optimum it is.

    Minimises ``-log det Theta + tr(S Theta) + alpha sum_{i != j} |Theta_ij|`` over positive definite ``Theta``, as
    :class:`sklearn.covariance.GraphicalLasso` does, S being the empirical covariance (divided by ``n_samples``). Unlike
    there, ``dual_gap_`` is a certified bound, computed from the solution alone: the objective is at most
    ``n_features * dual_gap_`` nats above the optimum, whatever the solver did.

    Parameters
    ----------
    alpha : float, default 0.01
        Penalty on off-diagonal entries, on the scale of the covariance: variance units of ``X``. 0 gives the inverse of S.
    solver : {'newton', 'gglasso', 'sklearn'}, default 'newton'
        Which solver; every result gets the same certificate.
    tol : float, default 1e-7
        Largest certified duality gap per feature, in nats.
    max_iter : int, default 1000
        Most iterations of the solver.
    penalise_diagonal : bool, default False
        Penalise the diagonal too, which is the problem of ``S + alpha I``.
    covariance : {None, 'precomputed'}, default None
        With 'precomputed', ``fit`` takes S ``(n_features, n_features)`` in the place of ``X``.
    assume_centered : bool, default False
        Take the means of ``X`` to be zero.
    store_precision : bool, default True
        Kept for compatibility with :class:`sklearn.covariance.EmpiricalCovariance`; the precision is always stored.

    Attributes
    ----------
    location_ : ndarray (n_features,)
        The means of ``X``, or zeros.
    covariance_ : ndarray (n_features, n_features)
        The inverse of ``precision_``.
    precision_ : ndarray (n_features, n_features)
        Exactly symmetric, with exact zeros.
    dual_gap_ : float
        The certified duality gap, in nats per feature.
    n_iter_ : int
        Iterations of the solver, in the largest component.
    converged_ : bool
        Whether ``dual_gap_ <= tol``; ``fit`` warns with :class:`sklearn.exceptions.ConvergenceWarning` if not.
    n_features_in_ : int
    feature_names_in_ : ndarray of str, where ``X`` has them

    Raises
    ------
    ValueError
        For data or parameters that make no problem: fewer than one feature, a covariance that is not symmetric, a feature
        without variance, or ``alpha=0`` where S has no inverse.

    References
    ----------
    Friedman, Hastie and Tibshirani (2008), Sparse inverse covariance estimation with the graphical lasso.

    Examples
    --------
    >>> import numpy as np, glasso_cli as g
    >>> X = np.random.default_rng(0).standard_normal((200, 4))
    >>> X[:, 1] += X[:, 0]
    >>> estimator = g.GraphicalLasso(alpha=0.2).fit(X)
    >>> (np.abs(estimator.precision_) > 0).astype(int)
    array([[1, 1, 0, 0],
           [1, 1, 0, 0],
           [0, 0, 1, 0],
           [0, 0, 0, 1]])
    >>> bool(estimator.dual_gap_ <= 1e-7)
    True
    """

    def __init__(
        self,
        alpha: float = 0.01,
        *,
        solver: str = "newton",
        tol: float = 1e-7,
        max_iter: int = 1000,
        penalise_diagonal: bool = False,
        covariance: str | None = None,
        assume_centered: bool = False,
        store_precision: bool = True,
    ) -> None:
        super().__init__(store_precision=store_precision, assume_centered=assume_centered)
        self.alpha = alpha
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.penalise_diagonal = penalise_diagonal
        self.covariance = covariance

    def fit(self, X: Any, y: None = None) -> GraphicalLasso:
        """Fit ``X (n_samples, n_features)``, or S ``(n_features, n_features)`` with ``covariance='precomputed'``."""
        X = validate_data(self, X, ensure_min_samples=1 if self.covariance == "precomputed" else 2, dtype=np.float64)
        self._check_parameters(X)
        if self.covariance == "precomputed":
            S, self.location_ = X.copy(), np.zeros(X.shape[1])
        else:
            S = empirical_covariance(X, assume_centered=self.assume_centered)
            self.location_ = np.zeros(X.shape[1]) if self.assume_centered else X.mean(axis=0)
        try:
            result = solve(
                S,
                float(self.alpha) if self.alpha else np.zeros(S.shape),
                init=None if self.alpha else _inverse(S),
                solver=self.solver,
                tol=self.tol,
                max_iter=self.max_iter,
                penalise_diagonal=self.penalise_diagonal and self.alpha > 0,
            )
        except InputError as error:
            raise ValueError(f"{error.message} {error.hint}") from error
        self.precision_, self.covariance_ = result.precision, result.covariance
        self.dual_gap_, self.n_iter_ = float(result.duality_gap), int(result.n_iter)
        self.converged_ = bool(result.converged)
        if not self.converged_:
            warnings.warn(
                f"The duality gap is {self.dual_gap_:.1e} nats per feature, not {self.tol:g}; raise max_iter or tol.",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def _check_parameters(self, X: np.ndarray) -> None:
        if self.covariance not in (None, "precomputed"):
            raise ValueError(f"covariance should be None or 'precomputed', not {self.covariance!r}.")
        if self.covariance == "precomputed" and X.shape[0] != X.shape[1]:
            raise ValueError(f"A precomputed covariance is square; this one is {X.shape[0]} by {X.shape[1]}.")
        if self.solver not in SOLVERS:
            raise ValueError(f"solver should be one of {', '.join(SOLVERS)}, not {self.solver!r}.")
        if not np.isfinite(self.alpha) or self.alpha < 0:
            raise ValueError(f"alpha should be at least 0, not {self.alpha!r}.")


def _inverse(S: np.ndarray) -> np.ndarray:
    """The answer ``(p, p)`` without a penalty; raises ValueError where S has no inverse."""
    eigenvalues = np.linalg.eigvalsh(S)
    if eigenvalues[0] <= len(S) * np.finfo(np.float64).eps * eigenvalues[-1]:
        raise ValueError(
            "With alpha=0 the answer is the inverse of the covariance, and it has none; give a larger alpha."
        )
    inverse = np.linalg.inv(S)
    return np.asarray((inverse + inverse.T) / 2)
