"""Many sparse neurons fitted: strong pairs, their components one by one, one alpha selected, all pairs tested.

No matrix of all pairs is ever in memory. What needs one is refused: see :func:`check_section`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from glasso_cli.artifacts import PrecisionPath
from glasso_cli.config import FitSection
from glasso_cli.console import PythonWarnings, Reporter
from glasso_cli.engine import machine
from glasso_cli.errors import InputError
from glasso_cli.fitting.assemble import Findings, assemble
from glasso_cli.fitting.sample_curves import Stability
from glasso_cli.fitting.sample_fits import signed_pairs
from glasso_cli.fitting.sparse.collected import SparseCollected, chosen_neurons
from glasso_cli.fitting.tested_edges import EdgeTestResult
from glasso_cli.inference.blocks import check_blocks
from glasso_cli.inference.effective_n import fewer_tokens_than_neurons, more_of
from glasso_cli.inference.estimates import alpha_for_tests
from glasso_cli.inference.resampling import frequencies, half_samples, replication
from glasso_cli.inference.select import select
from glasso_cli.inference.sparse.edges import correlations_of, sparse_edge_tests
from glasso_cli.inference.sparse.screening import StrongPairs, parts_of, strong_pairs
from glasso_cli.inference.sparse.values import SparseValues
from glasso_cli.linalg.precision import symmetric
from glasso_cli.solvers.memory import check_memory
from glasso_cli.solvers.parts import Part, fit_parts
from glasso_cli.solvers.path import PathPoint

LARGEST = 8_192  # neurons in a component: hours of solving beyond
_TESTED_LARGEST = 1_024  # neurons in a component of the small alpha of the tests
_PAIRS = 20_000_000  # strong pairs that are kept
_PRODUCTS = 3e11  # of values of y = Theta z, from which all pairs are tested: about ten minutes on one core
_VALUES = 2e8  # of y: 16 bytes each
_TOLERANCE = 1e-6  # of a half-sample's certificate: its edges are counted, its values are not read


def fit_sparse_corpus(
    collected: SparseCollected,
    section: FitSection,
    *,
    name: str = "corpus",
    seed: int = 0,
    reporter: Reporter | None = None,
) -> PrecisionPath:
    """The path of sparse precision matrices of ``collected`` neurons, with a test of every edge.

    All else is as in :func:`glasso_cli.fitting.run.fit_corpus`. Raises :class:`InputError` for what
    :func:`check_section` refuses, for an alpha that leaves too large a component or too many pairs, and for too few
    blocks of documents.
    """
    check_section(section)
    chosen = chosen_neurons(collected, section)
    told = reporter or PythonWarnings()
    if rare := len(collected.usable) - len(chosen):
        told.detail(f"{name}: {rare:,} neurons vary in one block of documents only, or are not asked for")
    values = collected.values.neurons(chosen).standardised()
    return _SparseFit(collected, chosen, values, section, name, seed, told).run()


def check_section(section: FitSection) -> None:
    """Raise :class:`InputError` for what a fit without a matrix of all pairs cannot do."""
    impossible = {
        "fit.method: latent": section.method == "latent",
        "fit.remove_factors": section.remove_factors > 0,
        "fit.order: layers": section.order == "layers",
        "fit.estimate: inverse": section.estimate == "inverse",
        "fit.null": bool(section.null),
        f"fit.select.rule: {section.rule}": section.rule in ("cv", "stars"),
    }
    for what, asked in impossible.items():
        if asked:
            raise InputError(
                f"{what} needs the matrix of all pairs, which a fit of many sparse neurons never has.",
                "Delete it, or collect fewer latents with collect.sae.moments: dense.",
            )
    if section.alpha is None:
        raise InputError(
            "A fit of many sparse neurons does not search for an alpha.",
            "Give fit.alpha numbers, such as [0.3, 0.2, 0.1].",
        )


@dataclass(frozen=True, eq=False)
class _SparseFit:
    """One call of :func:`fit_sparse_corpus`."""

    collected: SparseCollected
    chosen: np.ndarray  # (p,) the fitted neurons among those collected
    values: SparseValues  # of these, standardised
    section: FitSection
    name: str
    seed: int
    reporter: Reporter

    def run(self) -> PrecisionPath:
        section, p = self.section, self.values.n_neurons
        self._check_resampling()
        if few := fewer_tokens_than_neurons(self.collected.n_effective, p):
            self.reporter.warn(
                f"{self.name}: {few}. Collect more {more_of(self.collected.metrics.sample)}, or fit fewer neurons."
            )
        smallest = min(section.alpha or ())
        pairs = self._pairs(smallest)
        parts = parts_of(self.values, pairs.labels(smallest))
        points = fit_parts(parts, np.ones(p), section.alpha or (), on_point=self._tell, **self._solving)
        chosen = select(
            points,
            section.rule,
            alpha=section.select.alpha or (section.alpha or (None,))[0],
            target=section.select.target,
            gamma=section.select.gamma,
            n_effective=self.collected.n_effective,
        )
        if chosen.warning:
            self.reporter.warn(f"{self.name}: {chosen.warning}")
        best = points[chosen.index]
        tested = self._tested(best, parts)
        findings = Findings(
            neurons=self.chosen,
            correlation=self._correlation(points),
            points=points,
            chosen=chosen,
            tested=tested,
            stability=self._stability(best),
            factors=None,
            removed=None,
            plain=None,
            fresh=None,
        )
        meta = {"corpus": self.name}
        return assemble(lambda metrics: {**meta, "metrics": metrics}, section, self.seed, self.collected, findings)

    @property
    def _solving(self) -> dict[str, Any]:
        return {name: value for name, value in self.section.solving.items() if name != "hidden"}

    def _check_resampling(self) -> None:
        wanted = {
            f"fit.variance: {self.section.variance}": self.section.variance != "normal",
            "fit.half_samples": self.section.half_samples > 0,
        }
        for name, needed in wanted.items():
            if needed:
                check_blocks(len(self.values.filled), name)

    def _tell(self, point: PathPoint) -> None:
        self.reporter.note(
            f"fit {self.name}: alpha {point.alpha:.4g}, {point.n_edges:,} edges, {point.n_components:,} components, "
            f"gap {point.duality_gap:.1e}, {point.n_iter} iterations"
        )

    # -- strong pairs -----------------------------------------------------------------------------------

    def _pairs(self, alpha: float) -> StrongPairs:
        """The pairs above ``alpha``; raises :class:`InputError` for too many, or a component that is too large."""
        pairs = strong_pairs(self.values, alpha, _PAIRS)
        if pairs is None:
            raise InputError(
                f"More than {_PAIRS:,} pairs of neurons have a correlation above {alpha:g}.",
                "Raise the smallest fit.alpha.",
            )
        largest = pairs.largest(alpha)
        if largest > LARGEST:
            raise InputError(
                f"At alpha {alpha:g}, {largest:,} of {pairs.neurons:,} neurons are in one component, more than the "
                f"{LARGEST:,} that are solved together.",
                f"Raise the smallest fit.alpha to {pairs.alpha_for(LARGEST):g} or more.",
            )
        check_memory(largest, largest, self.section.solver, machine.available_memory())
        return pairs

    # -- tests ------------------------------------------------------------------------------------------

    def _tested(self, best: PathPoint, parts: list[Part]) -> EdgeTestResult:
        fit = self._fit_for_tests(best, parts)
        tests = sparse_edge_tests(
            self.values,
            fit.precision(),
            self.collected.autocorrelation[self.chosen],
            best.rows,
            best.cols,
            fdr=self.section.fdr,
            min_effect=self.section.min_effect,
            variance=self.section.variance,
        )
        return EdgeTestResult(tests, "lasso", fit, None)

    def _fit_for_tests(self, best: PathPoint, parts: list[Part]) -> PathPoint:
        """The fit whose bias the tests remove, at a small alpha: that of the dense route, where its components are small.

        Elsewhere it is zero between the components of the smallest alpha of the path, and at a larger alpha if its
        products would take too long.
        """
        alpha = alpha_for_tests(self.values.n_neurons, self.collected.n_effective)
        if alpha >= best.alpha:
            return best
        smallest = min(self.section.alpha or ())
        if alpha < smallest:
            pairs = strong_pairs(self.values, alpha, _PAIRS)
            if pairs is not None and pairs.largest(alpha) <= _TESTED_LARGEST:
                parts = parts_of(self.values, pairs.labels(alpha))
            else:
                self.reporter.detail(
                    f"fit {self.name}: the estimate of the tests is zero between the components at alpha {smallest:g}"
                )
        start = best.precision()
        while alpha < best.alpha:
            (point,) = fit_parts(parts, np.ones(self.values.n_neurons), [alpha], start=start, **self._solving)
            if self._affordable(point):
                return point
            alpha *= 1.5
        if not self._affordable(best):
            raise InputError(
                f"The graph at alpha {best.alpha:.4g} has too many edges for a test of all pairs of "
                f"{self.values.n_neurons:,} neurons.",
                "Raise the smallest fit.alpha.",
            )
        return best

    def _affordable(self, point: PathPoint) -> bool:
        """Whether y = Theta z has few enough values, and products of them."""
        pattern = csr_array(abs(point.precision()))
        ones = csr_array((np.ones(pattern.nnz, np.float32), pattern.indices, pattern.indptr), shape=pattern.shape)
        active = csr_array(self.values.matrix)
        lengths = active.astype(bool).astype(np.float32) @ np.asarray(ones.sum(axis=1)).ravel()
        lengths = np.minimum(lengths, self.values.n_neurons)
        return bool(lengths.sum() <= _VALUES and (lengths**2).sum() / 2 <= _PRODUCTS)

    # -- halves -----------------------------------------------------------------------------------------

    def _stability(self, best: PathPoint) -> Stability:
        """How often the edges of ``best`` come back, each half fitted from there."""
        p = self.values.n_neurons
        halves = half_samples(self.values.filled, self.section.half_samples, self.seed)
        samples, missed = [], 0
        with self.reporter.progress(f"halves {self.name}", len(halves), "fits") as advance:
            for half in halves:
                point = self._half(best, np.array(half))
                missed += not point.converged
                samples.append(np.sort(signed_pairs(point.rows, point.cols, point.values < 0, p)))
                advance(1)
        if missed:
            self.reporter.warn(
                f"{self.name}: {missed} of {len(halves)} resampled fits did not converge; raise fit.max_iter."
            )
        edges = signed_pairs(best.rows, best.cols, best.values < 0, p)
        replicated = replication(samples) if samples else float("nan")
        return Stability(len(samples), frequencies(edges, samples), None if np.isnan(replicated) else replicated)

    def _half(self, best: PathPoint, blocks: np.ndarray) -> PathPoint:
        values = self.values.of_blocks(blocks).standardised()
        pairs = strong_pairs(values, best.alpha, _PAIRS)
        if pairs is None or pairs.largest(best.alpha) > LARGEST:
            raise InputError(
                f"At alpha {best.alpha:.4g}, one half of the documents has too large a component.",
                "Raise fit.alpha, or set fit.half_samples: 0.",
            )
        parts = parts_of(values, pairs.labels(best.alpha))
        options = {**self._solving, "tol": max(self.section.tol, _TOLERANCE)}
        (point,) = fit_parts(parts, np.ones(values.n_neurons), [best.alpha], start=best.precision(), **options)
        return point

    def _correlation(self, points: list[PathPoint]) -> csr_array:
        """The correlations of all edges of the path, ``(p, p)``."""
        p = self.values.n_neurons
        places = np.unique(np.concatenate([point.rows.astype(np.int64) * p + point.cols for point in points]))
        rows, cols = places // p, places % p
        return symmetric(rows, cols, correlations_of(self.values, rows, cols), np.ones(p))
