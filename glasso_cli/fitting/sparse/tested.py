"""The tests of all pairs of many sparse neurons, and the fit whose bias they remove."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from glasso_cli.config import FitSection
from glasso_cli.console import Reporter
from glasso_cli.engine import machine
from glasso_cli.errors import InputError
from glasso_cli.fitting import finished_points
from glasso_cli.fitting.pieces import Pieces
from glasso_cli.fitting.sparse.problem import SparseProblem
from glasso_cli.fitting.tested_edges import EdgeTestResult
from glasso_cli.inference.estimates import alpha_for_tests
from glasso_cli.inference.sparse.edges import sparse_edge_tests
from glasso_cli.solvers.parts import Part
from glasso_cli.solvers.path import PathPoint

_LARGEST = 1_024  # neurons in a component of the small alpha of the tests
_PRODUCTS = 3e11  # of values of y = Theta z, from which all pairs are tested: about ten minutes on one core
_VALUES = 2e8  # of y
_BYTES = 20  # of memory for each value of y
_COUNTS = 200_000_000  # bytes for the counts of p-values


@dataclass(frozen=True, eq=False)
class SparseTests:
    """How the edges of one graph are tested."""

    problem: SparseProblem
    section: FitSection
    autocorrelation: np.ndarray  # (p, L)
    n_effective: float
    smallest: float  # alpha of the path
    parts: list[Part]  # the components at the smallest alpha
    pieces: Pieces
    name: str  # of the corpus
    reporter: Reporter

    def of(self, best: PathPoint) -> EdgeTestResult:
        """The tests of all pairs, of which those of the edges of ``best`` are kept."""
        fit = self._fit_for_tests(best)
        self._check_memory(fit)
        tests = sparse_edge_tests(
            self.problem.values,
            fit.precision(),
            self.autocorrelation,
            best.rows,
            best.cols,
            fdr=self.section.fdr,
            min_effect=self.section.min_effect,
            variance=self.section.variance,
            finished=self.problem.finished.within(f"tests by {fit.alpha!r} of {best.chain}"),
        )
        return EdgeTestResult(tests, "lasso", fit, None)

    def _fit_for_tests(self, best: PathPoint) -> PathPoint:
        """The fit whose bias the tests remove, at a small alpha: that of the dense route, where its components are small.

        Elsewhere it is zero between the components of the smallest alpha of the path, and at a larger alpha if its
        products would take too long.
        """
        alpha = alpha_for_tests(self.problem.n_neurons, self.n_effective)
        if alpha >= best.alpha:
            return best
        parts, within = self.parts, self.smallest
        if alpha < self.smallest:
            pairs = self.problem.pairs(alpha)
            if pairs is not None and pairs.largest(alpha) <= _LARGEST:
                parts, within = self.problem.parts(pairs, alpha), alpha
            else:
                self.reporter.detail(
                    f"fit {self.name}: the estimate of the tests is zero between the components at alpha {self.smallest:g}"
                )
        folder, problem = self.pieces.folder, f"{self.pieces.problem} tests of {best.chain} within {within!r}"
        done = finished_points.of_pieces(folder, problem, self.reporter.detail, "tested")
        while alpha < best.alpha:
            (point,) = self.problem.solved(
                parts,
                [alpha],
                start=best.precision(),
                done=done,
                on_point=lambda point: finished_points.save_piece(folder, point, problem, "tested"),
            )
            if self._affordable(point):
                return point
            alpha *= 1.5
        if not self._affordable(best):
            raise InputError(
                f"The graph at alpha {best.alpha:.4g} has too many edges for a test of all pairs of "
                f"{self.problem.n_neurons:,} neurons.",
                "Raise the smallest fit.alpha.",
            )
        return best

    def _affordable(self, point: PathPoint) -> bool:
        """Whether y = Theta z has few enough values, and products of them."""
        lengths = self._lengths(point)
        return bool(lengths.sum() <= _VALUES and (lengths**2).sum() / 2 <= _PRODUCTS)

    def _check_memory(self, point: PathPoint) -> None:
        """Raise :class:`InputError` where y = Theta z takes more memory than there is."""
        need, available = _BYTES * float(self._lengths(point).sum()) + _COUNTS, machine.available_memory()
        if need > available:
            raise InputError(
                f"The tests of all pairs of {self.problem.n_neurons:,} neurons need {need / 1e9:,.1f} GB of memory, and "
                f"{available / 1e9:,.1f} GB are available.",
                "Fit fewer neurons (fit.neurons), raise the smallest fit.alpha, or use a machine with more memory.",
            )

    def _lengths(self, point: PathPoint) -> np.ndarray:
        """How many values of y = Theta z each token has at most, ``(n,)``."""
        values = self.problem.values
        pattern = csr_array(abs(point.precision()))
        ones = csr_array((np.ones(pattern.nnz, np.float32), pattern.indices, pattern.indptr), shape=pattern.shape)
        active = csr_array(values.matrix)
        lengths = active.astype(bool).astype(np.float32) @ np.asarray(ones.sum(axis=1)).ravel()
        return np.asarray(np.minimum(lengths, values.n_neurons))
