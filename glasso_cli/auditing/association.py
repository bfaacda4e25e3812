"""Scores from the statistics of activations alone: correlation, partial correlation, the fitted graph, ordered regressions.

Everything is computed from the moments of `collect`, so that the texts on which effects are measured play no part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from glasso_cli.artifacts import ActivationStats, OrderedGraph, PrecisionPath
from glasso_cli.auditing.scores import CORRELATION, Coefficients, LeftOut, Score
from glasso_cli.inference.blocks import LEAST, Blocks
from glasso_cli.linalg.cholesky import factorise, invert
from glasso_cli.linalg.precision import to_partial_correlations
from glasso_cli.solvers.lasso.path import regress
from glasso_cli.solvers.lasso.problem import Regressions

PENALTIES = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)  # of the ridge, on the scale of correlations
LASSO = 0.05  # alpha of the ordered lasso where no fit gives one
_TARGETS = 256  # on which the penalty of the ridge is chosen, at most
_STEP = ("step", "mean")


@dataclass(frozen=True, eq=False)
class Rows:
    """Where S sources, T targets and the k predictors of the targets stand in the statistics; sources are predictors."""

    sources: np.ndarray
    targets: np.ndarray
    predictors: np.ndarray

    @cached_property
    def of_sources(self) -> np.ndarray:
        """Where the sources stand among the predictors, ``(S,)``."""
        return places(self.predictors, self.sources)


def places(among: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where each of ``wanted`` stands in ``among``, which has all of them."""
    order = np.argsort(among)
    return np.asarray(order[np.searchsorted(among[order], wanted)])


class Association:
    """The scores of all sources and targets from ``stats``."""

    def __init__(self, stats: ActivationStats, rows: Rows) -> None:
        self._stats, self._rows = stats, rows
        neurons = np.concatenate([rows.predictors, rows.targets])
        self._blocks = Blocks.of(stats.counts, stats.sums, stats.dense_moments, neurons)
        self._k = len(rows.predictors)
        self._names = stats.neuron_ids[neurons].tolist()

    def scores(self, fit: PrecisionPath | None, ordered: OrderedGraph | None) -> Iterator[Score | LeftOut]:
        """All scores; those of a graph from ``fit`` and ``ordered`` where these were made."""
        yield Score(CORRELATION, "association", self._pairs(self._correlation))
        yield self._partial()
        yield self._graph(fit)
        yield self._ridge()
        yield self._lasso(fit, ordered)

    @cached_property
    def _correlation(self) -> np.ndarray:
        return self._blocks.correlation()

    def _pairs(self, matrix: np.ndarray) -> np.ndarray:
        """The sources and targets of a symmetric matrix of all neurons."""
        return np.asarray(matrix[self._rows.of_sources][:, self._k :])

    def _partial(self) -> Score:
        shrinkage = shrinkage_of(self._correlation, self._stats.n_effective)
        shrunk = (1 - shrinkage) * self._correlation
        np.fill_diagonal(shrunk, 1.0)
        inverse = invert(shrunk, overwrite=True)
        assert inverse is not None  # an identity was added
        return Score(
            "partial correlation",
            "association",
            self._pairs(to_partial_correlations(inverse.matrix)),
            note=f"given all {len(self._correlation):,} neurons, of correlations shrunk by {shrinkage:.2g}",
        )

    def _graph(self, fit: PrecisionPath | None) -> Score | LeftOut:
        name = "fitted graph"
        if fit is None:
            return LeftOut(name, "there is no fit that is up to date")
        rows, cols, values = fit.edges()
        known = fit.neuron_ids.tolist()
        dense = _dense(self._sources_targets, known, known, [(rows, cols), (cols, rows)], values)
        alpha = float(fit.alphas[int(fit.selected)])
        return _sparse(name, dense, self._covered(known), f"edges at alpha {alpha:.3g}")

    def _ridge(self) -> Score:
        """Least squares with a squared penalty, the one that predicts half of the documents best from the other."""
        k, R = self._k, self._correlation
        penalty = self._best_penalty()
        B = ridge(R[:k, :k], R[:k, k:], penalty)
        return Score(
            "ordered ridge",
            "association",
            B[self._rows.of_sources],
            unit=_STEP,
            note=f"penalty {penalty:g}, {k:,} predictors",
            coefficients=Coefficients(self._rows.predictors, B),
        )

    def _best_penalty(self) -> float:
        """The penalty at which one half of the blocks predicts the other best; 0.1 where there are too few blocks."""
        filled = self._blocks.filled.tolist()
        if len(filled) < LEAST:
            return 0.1
        halves = (filled[::2], filled[1::2])
        parts = [
            (self._blocks.correlation(train), self._blocks.held_out(train, test))
            for train, test in (halves, halves[::-1])
        ]
        best, least = PENALTIES[0], np.inf
        for penalty in PENALTIES:
            left = sum(self._left_over(R, second, penalty) for R, second in parts)
            if left > least:
                break
            best, least = penalty, left
        return best

    def _left_over(self, R: np.ndarray, second: np.ndarray, penalty: float) -> float:
        """The squared errors of the regressions on R, on documents with the second moments ``second``, over those of none."""
        k, targets = self._k, len(R) - self._k
        some = k + np.unique(np.linspace(0, targets - 1, min(targets, _TARGETS)).astype(int))
        B = ridge(R[:k, :k], R[:k, some], penalty)
        explained = 2 * float((B * second[:k, some]).sum()) - float((B * (second[:k, :k] @ B)).sum())
        return 1 - explained / float(second.diagonal()[some].sum())

    def _lasso(self, fit: PrecisionPath | None, ordered: OrderedGraph | None) -> Score | LeftOut:
        name, k = "ordered lasso", self._k
        if ordered is not None:
            sources, targets, values = ordered.edges()
            known = ordered.neuron_ids.tolist()
            everything = (self._names[:k], self._names[k:])
            B = _dense(everything, known, known, [(sources, targets)], values)
            note = f"ordered graph at alpha {float(ordered.alphas[int(ordered.selected)]):.3g}"
            covered = self._covered(known)
        else:
            alpha = LASSO if fit is None else float(fit.alphas[int(fit.selected)])
            note = f"alpha {alpha:.3g}" + ("" if fit is None else ", that of the fit")
            problem = Regressions(np.ascontiguousarray(self._correlation), (0, k))
            point = regress(problem, alpha)
            B, covered = point.coefficients(problem.steps[0]).toarray().T, 1.0
        score = _sparse(name, B[self._rows.of_sources], covered, note)
        if isinstance(score, LeftOut):
            return score
        return Score(
            name, "association", score.values, "step", _STEP, score.note, Coefficients(self._rows.predictors, B)
        )

    @cached_property
    def _sources_targets(self) -> tuple[list[str], list[str]]:
        return [self._names[place] for place in self._rows.of_sources.tolist()], self._names[self._k :]

    def _covered(self, known: list[str]) -> float:
        """The share of pairs of which both neurons are ``known``."""
        names = set(known)
        sources, targets = self._sources_targets
        return float(np.mean([name in names for name in sources]) * np.mean([name in names for name in targets]))


def shrinkage_of(correlation: np.ndarray, n: float) -> float:
    """How far towards zero correlations from ``n`` effective tokens are shrunk before they are inverted, from 0 to 1.

    The sum of their variances over that of their squares (Schaefer and Strimmer 2005).
    """
    squares = np.square(correlation)
    np.fill_diagonal(squares, 0.0)
    total = float(squares.sum())
    pairs = len(correlation) * (len(correlation) - 1)
    variance = (pairs - 2 * total + float(np.square(squares).sum())) / n  # of (1 - r²)² / n
    return min(1.0, variance / total) if total > 0 else 1.0


def ridge(R: np.ndarray, r: np.ndarray, penalty: float) -> np.ndarray:
    """The coefficients ``(k, m)`` of targets with the correlations ``r (k, m)`` to predictors that are correlated by R ``(k, k)``."""
    penalised = np.array(R)
    penalised.ravel()[:: len(R) + 1] += penalty
    factor = factorise(penalised, overwrite=True)
    assert factor is not None  # a penalty was added
    return factor.solve(np.asfortranarray(r))


def _sparse(name: str, values: np.ndarray, covered: float, note: str) -> Score | LeftOut:
    """A score that is mostly zero, with a note on the pairs of which it knows nothing."""
    if covered == 0:
        return LeftOut(name, "it has none of these sources or none of these targets")
    if covered < 1:
        note += f"; knows {covered:.0%} of these pairs, and the others count as 0"
    return Score(name, "association", values, note=note)


def _dense(
    wanted: tuple[list[str], list[str]],
    sources: list[str],
    targets: list[str],
    pairs: list[tuple[np.ndarray, np.ndarray]],
    values: np.ndarray,
) -> np.ndarray:
    """Sparse values of pairs of the named ``sources`` and ``targets`` as a matrix of the ``wanted`` ones."""
    out = np.zeros((len(wanted[0]), len(wanted[1])))
    row = {name: place for place, name in enumerate(wanted[0])}
    column = {name: place for place, name in enumerate(wanted[1])}
    of_source = np.array([row.get(name, -1) for name in sources])
    of_target = np.array([column.get(name, -1) for name in targets])
    for first, second in pairs:
        i, j = of_source[first], of_target[second]
        inside = (i >= 0) & (j >= 0)
        out[i[inside], j[inside]] = np.asarray(values)[inside]
    return out
