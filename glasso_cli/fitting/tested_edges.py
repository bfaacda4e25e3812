"""The tests of a fit: on which estimate, with which errors, and what the same tests find among shifted neurons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from glasso_cli.artifacts import ActivationStats
from glasso_cli.artifacts.metrics.fit import NullEdges
from glasso_cli.config import FitSection
from glasso_cli.errors import InputError
from glasso_cli.fitting import edge_table
from glasso_cli.inference.blocks import Blocks
from glasso_cli.inference.edges import EdgeTests, edge_tests
from glasso_cli.inference.estimates import (
    ENOUGH,
    alpha_for_tests,
    estimate_on,
    inverse_estimate,
)
from glasso_cli.solvers.path import PathPoint, fit_from


@dataclass(frozen=True, eq=False)
class EdgeTestResult:
    """The tests of the edges of one point, and of the null if there is one."""

    tests: EdgeTests
    estimate: str  # inverse, lasso or latent
    fit: PathPoint | None  # that was tested; None for the inverse
    null: NullEdges | None

    @property
    def alpha(self) -> float | None:
        """The penalty of the fit that was tested."""
        return None if self.fit is None else self.fit.alpha


def tested_point(
    point: PathPoint, correlation: np.ndarray, stats: ActivationStats, blocks: Blocks, section: FitSection
) -> EdgeTestResult:
    """The tests of ``point``, fitted to ``correlation (p, p)``, the tokens of ``blocks``.

    Raises :class:`InputError` for an inverse that does not exist, for a null that was not collected, and for what
    :func:`edge_tests` refuses.
    """
    p = len(correlation)
    kind = _kind(section, p, stats.n_effective, blocks)
    alpha = min(point.alpha, alpha_for_tests(p, stats.n_effective))
    autocorrelation = stats.autocorrelation[blocks.neurons]

    def fit_for_tests(S: np.ndarray, at: PathPoint) -> PathPoint | None:
        if kind == "inverse":
            return None
        return fit_at(S, alpha, at.precision(), section) if alpha < at.alpha else at

    def tested(
        S: np.ndarray, at: PathPoint, fit: PathPoint | None, variance: str, inflation: float | None = None
    ) -> EdgeTests:
        return edge_tests(
            inverse_estimate(S) if fit is None else estimate_on(S, fit.precision(), fit.factors),
            S,
            blocks,
            autocorrelation,
            at.rows,
            at.cols,
            fdr=section.fdr,
            min_effect=section.min_effect,
            variance=variance,
            inflation=inflation,
        )

    fit = fit_for_tests(correlation, point)
    tests = tested(correlation, point, fit, section.variance)
    covariance = _null_covariance(stats, section)
    null = None
    if covariance is not None:
        S = blocks.correlation_of(covariance)
        shifted = fit_at(S, point.alpha, None, section)
        null_tests = tested(S, shifted, fit_for_tests(S, shifted), "normal", tests.inflation)
        kept = edge_table.filter_edges(null_tests, shifted.values < 0, section.fdr)
        null = NullEdges(shifted.n_edges, int(kept.mask.sum()), null_tests.discoveries)
    return EdgeTestResult(tests, kind, fit, null)


def tested_anyhow(
    point: PathPoint, correlation: np.ndarray, stats: ActivationStats, blocks: Blocks, section: FitSection
) -> EdgeTestResult:
    """As :func:`tested_point` without a null, but by the lasso where the inverse correlation does not exist.

    For a graph that stands beside the one that was asked for, and does not decide whether there is a result.
    """
    alone = section.model_copy(update={"null": False})
    try:
        return tested_point(point, correlation, stats, blocks, alone)
    except InputError:
        return tested_point(point, correlation, stats, blocks, alone.model_copy(update={"estimate": "lasso"}))


def _kind(section: FitSection, p: int, n_effective: float, blocks: Blocks) -> str:
    if section.method == "latent":
        return "latent"
    if section.estimate != "auto":
        return section.estimate
    singular = blocks.factors.shape[1] > 0
    return "inverse" if n_effective >= ENOUGH * p and not singular else "lasso"


def fit_at(S: np.ndarray, alpha: float, start: csr_array | None, section: FitSection) -> PathPoint:
    """The point at ``alpha`` of ``S (p, p)``, solved as ``section`` says, from ``start`` if there is one."""
    return fit_from(S, alpha, start, **section.solving)


def _null_covariance(stats: ActivationStats, section: FitSection) -> np.ndarray | None:
    covariance = stats.null_covariance() if section.null is not False else None
    if section.null and covariance is None and stats.metrics.fresh_network is None:
        raise InputError(
            "fit.null asks for a null, and the statistics have none.",
            "Collect one: collect.null: true, or collect.null: reinitialised.",
        )
    return covariance
