"""One corpus fitted: neurons chosen, a path of alphas solved, one alpha selected, its edges tested."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from glasso_cli.artifacts import ActivationStats, OrderedGraph, PrecisionPath
from glasso_cli.config import FitSection, neurons
from glasso_cli.console import PythonWarnings, Reporter
from glasso_cli.engine import machine
from glasso_cli.errors import InputError
from glasso_cli.fitting import finished_points
from glasso_cli.fitting.assemble import Findings, assemble
from glasso_cli.fitting.fresh_network import fresh_network
from glasso_cli.fitting.pieces import Pieces, pieces_in_memory
from glasso_cli.fitting.plain_graph import PlainFit, plain_fit
from glasso_cli.fitting.sample_curves import DenseSamples, Resamples
from glasso_cli.fitting.sparse.collected import sparse_collected
from glasso_cli.fitting.sparse.run import fit_sparse_corpus
from glasso_cli.fitting.tested_edges import tested_point
from glasso_cli.inference.blocks import Blocks, blocks_of_variation, check_blocks
from glasso_cli.inference.edges import EdgeTests
from glasso_cli.inference.effective_n import fewer_tokens_than_neurons, more_of
from glasso_cli.inference.factors import Factors, leading_factors
from glasso_cli.inference.jackknife import LARGEST_SPREAD
from glasso_cli.inference.select import select
from glasso_cli.solvers import fit_path
from glasso_cli.solvers.components import spanning_tree
from glasso_cli.solvers.degree import fit_degree
from glasso_cli.solvers.memory import check_memory
from glasso_cli.solvers.path import PathPoint
from glasso_cli.solvers.problem import alpha_max

_FACTORS = 5  # leading components that are always reported
_MUCH = 0.5  # of the squared correlations in them is worth a warning


def fit_corpus(
    stats: ActivationStats,
    section: FitSection,
    *,
    name: str = "corpus",
    seed: int = 0,
    reporter: Reporter | None = None,
    pieces: Pieces | None = None,
) -> PrecisionPath:
    """The path of sparse precision matrices of the neurons in ``stats``, with a test of every edge.

    ``section`` says which neurons, alphas, selection rule and tests; ``seed`` finds communities and draws half-samples.
    ``name`` is that of the corpus, for what ``reporter`` says (by default: warnings alone, as Python's). ``pieces`` keep
    finished parts; without them nothing is left on disk. The ``meta`` of the result holds the name and the metrics.

    Raises :class:`InputError` for neurons that do not exist, too few blocks of documents for what ``section`` asks,
    and a problem that takes more memory than there is.
    """
    if stats.keeps_values:
        collected = sparse_collected(stats)
        return fit_sparse_corpus(collected, section, name=name, seed=seed, reporter=reporter, pieces=pieces)
    with nullcontext(pieces) if pieces is not None else pieces_in_memory(stats) as kept:
        return _Fit(stats, section, name, seed, reporter or PythonWarnings(), kept).run()


def shortfall(name: str, section: FitSection, fit: PrecisionPath | OrderedGraph, per: str = "neuron") -> str:
    """Which alphas of ``fit`` did not converge, in a sentence; empty when all did. Gaps are in nats ``per`` something."""
    missed = np.flatnonzero(~fit.converged)
    if len(missed) == 0:
        return ""
    rows = ", ".join(f"{fit.alphas[k]:.4g} (gap {fit.duality_gap[k]:.1e})" for k in missed.tolist())
    return (
        f"fit {name}: not converged to a gap of {section.tol:g} nats per {per} at alpha {rows}; "
        "raise fit.max_iter or fit.tol."
    )


def choose_neurons(stats: ActivationStats, section: FitSection) -> np.ndarray:
    """Indices of the neurons to fit, increasing.

    Dead and duplicate ones are never among them, nor those that vary in one block of documents only: without that block
    they have no variance, and so no error.
    """
    usable = np.setdiff1d(stats.usable(), rarely_active(stats))
    wanted = section.neurons
    if isinstance(wanted, int):
        order = np.argsort(-stats.std[usable], kind="stable")[:wanted]
        usable = np.sort(usable[order])
    elif (ids := neurons.wanted_ids(wanted)) is not None:
        usable = np.intersect1d(usable, neurons.indices_of(ids, stats.neuron_ids.tolist()))
    if len(usable) == 0:
        raise InputError(
            "No neuron is left to fit: all are dead, duplicates, or not among fit.neurons.",
            "Give other fit.neurons, or collect more text.",
        )
    return usable


def rarely_active(stats: ActivationStats) -> np.ndarray:
    """Indices of the usable neurons that vary in a single block of documents, where there are several."""
    if np.count_nonzero(stats.counts) < 2:
        return np.zeros(0, dtype=np.int64)
    varying = blocks_of_variation(stats.counts, stats.sums, stats.moments)
    usable = stats.usable()
    return np.asarray(usable[varying[usable] < 2])


@dataclass(frozen=True, eq=False)
class _Fit:
    """One call of :func:`fit_corpus`."""

    stats: ActivationStats
    section: FitSection
    name: str
    seed: int
    reporter: Reporter
    pieces: Pieces

    def run(self) -> PrecisionPath:
        stats, section = self.stats, self.section
        chosen_neurons = choose_neurons(stats, section)
        self._warn_rare()
        available = machine.available_memory()
        check_memory(stats.n_neurons, 1, section.solved_by, available)  # the covariance of all that were collected
        blocks = Blocks.of(stats.counts, stats.sums, stats.moments, chosen_neurons)
        self._check_resampling(blocks)
        factors, removed, correlation = self._without_factors(blocks)
        if removed is not None:
            blocks = blocks.without(removed)
        largest = self._largest(correlation)
        penalised = section.penalise_diagonal
        check_memory(len(correlation), largest, section.solved_by, available, penalised=penalised)
        self._warn_isolated(correlation)
        points = self._solve(correlation)
        samples = DenseSamples(section, self.pieces, chosen_neurons, removed, memory=available, largest=largest)
        resamples = Resamples(
            section=section,
            seed=self.seed,
            name=self.name,
            reporter=self.reporter,
            neurons=len(chosen_neurons),
            filled=blocks.filled,
            fits=samples.fits,
        )
        chosen = select(
            points,
            section.rule,
            alpha=section.select.alpha or (section.alpha or (None,))[0],
            target=section.select.target,
            gamma=section.select.gamma,
            n_effective=stats.n_effective,
            threshold=section.select.instability,
            **resamples.curves([point.alpha for point in points]),
        )
        if chosen.warning:
            self.reporter.warn(f"{self.name}: {chosen.warning}")
        self._warn_few(len(correlation))
        best = points[chosen.index]
        tested = tested_point(best, correlation, stats, blocks, section)
        self._tell_spread(tested.tests)
        findings = Findings(
            neurons=chosen_neurons,
            correlation=correlation,
            points=points,
            chosen=chosen,
            tested=tested,
            stability=resamples.stability(best),
            factors=factors,
            removed=removed,
            plain=self._plain_fit(best.alpha, correlation, blocks),
            fresh=fresh_network(stats, best.alpha, blocks, section, self.seed),
        )
        return assemble(lambda metrics: {"corpus": self.name, "metrics": metrics}, section, self.seed, stats, findings)

    def _warn_rare(self) -> None:
        rare = rarely_active(self.stats)
        if len(rare):
            shown = ", ".join(self.stats.neuron_ids[rare[:5]])
            more = ", …" if len(rare) > 5 else ""
            self.reporter.warn(
                f"{self.name}: {len(rare)} neurons vary in one block of documents only and are left out of the fit: "
                f"{shown}{more}"
            )

    def _check_resampling(self, blocks: Blocks) -> None:
        """Raise :class:`InputError` when there are too few blocks for what the configuration asks for."""
        section = self.section
        wanted = {
            f"fit.variance: {section.variance}": section.variance != "normal",
            "fit.half_samples": section.half_samples > 0,
            f"fit.select.rule: {section.rule}": section.rule in ("cv", "stars"),
        }
        for name, needed in wanted.items():
            if needed:
                check_blocks(len(blocks.filled), name)

    def _solve(self, correlation: np.ndarray) -> list[PathPoint]:
        """All alphas asked for, and those that the search for a degree adds; finished ones are taken as they are."""
        section, pieces = self.section, self.pieces
        done = finished_points.all_of(pieces, self.reporter.detail)
        solved = []

        def keep(point: PathPoint) -> None:
            finished_points.save_piece(pieces.folder, point, pieces.problem)
            solved.append(point.chain)
            self.reporter.note(
                f"fit {self.name}: alpha {point.alpha:.4g}, {len(point.rows):,} edges, "
                f"gap {point.duality_gap:.1e}, {point.n_iter} iterations"
            )

        options: dict[str, Any] = {**section.solving, "done": done, "on_point": keep}
        points: list[PathPoint] = []
        if section.alpha is not None:
            points = fit_path(correlation, section.alpha, **options)
        if section.rule == "degree":
            checked = section.alpha is not None
            points = fit_degree(correlation, section.select.target, grid=points, checked=checked, **options)
        if len(solved) < len(points):
            taken = len(points) - len(solved)
            self.reporter.note(f"fit {self.name}: {taken} of {len(points)} alphas taken from the last fit")
        return points

    def _plain_fit(self, alpha: float, correlation: np.ndarray, blocks: Blocks) -> PlainFit | None:
        """For a fit with hidden factors, the one without them at ``alpha``, to be compared with it."""
        if self.section.method != "latent":
            return None
        plain = plain_fit(alpha, correlation, self.stats, blocks, self.section)
        if not plain.point.converged:
            self.reporter.warn(
                f"{self.name}: the fit without hidden factors, which is for comparison, did not converge "
                f"(gap {plain.point.duality_gap:.1e}); raise fit.max_iter or fit.tol."
            )
        return plain

    def _largest(self, correlation: np.ndarray) -> int:
        """Neurons in the largest component at the smallest alpha; a search for a degree or hidden factors may connect all."""
        if self.section.rule == "degree" or self.section.alpha is None or self.section.method == "latent":
            return len(correlation)
        return spanning_tree(correlation).largest(min(self.section.alpha))

    def _warn_isolated(self, correlation: np.ndarray) -> None:
        top = alpha_max(correlation)
        over = [alpha for alpha in self.section.alpha or () if alpha >= top]
        if over:
            self.reporter.warn(
                f"{self.name}: at alpha {', '.join(f'{a:g}' for a in over)} every neuron is isolated; "
                f"the strongest correlation is {top:.4g}, so edges begin below that."
            )

    def _without_factors(self, blocks: Blocks) -> tuple[Factors | None, Factors | None, np.ndarray]:
        """The leading components of the correlation, those taken out of it, and what is fitted ``(p, p)``."""
        wanted = self.section.remove_factors
        correlation = blocks.correlation()
        p = len(correlation)
        if wanted >= p:
            raise InputError(f"{wanted} factors cannot be taken out of {p} neurons.", "Lower fit.remove_factors.")
        if p < 2:
            return None, None, correlation
        factors = leading_factors(correlation, max(wanted, min(_FACTORS, p - 1)))
        if wanted:
            removed = factors.first(wanted, correlation)
            return factors, removed, blocks.without(removed).correlation()
        if factors.share > _MUCH and p > 2 * _FACTORS:
            self.reporter.warn(
                f"{self.name}: {len(factors.variances)} directions carry {100 * factors.share:.0f} % of the squared "
                "correlations; a sparse graph spends edges on them. Compare with fit.method: latent or fit.remove_factors."
            )
        return factors, None, correlation

    def _tell_spread(self, tests: EdgeTests) -> None:
        """Say where one inflation of the errors does not describe the pairs."""
        if tests.spread <= LARGEST_SPREAD:
            return
        found = f"{self.name}: the errors of pairs differ from one factor on the formula by {tests.spread:.2g} times"
        if self.section.variance == "auto":
            self.reporter.note(f"{found}, so every pair has its own (fit.variance: jackknife)")
        elif tests.variance == "pooled":
            self.reporter.warn(
                f"{found}, as those of neurons do that are mostly zero: fit.variance: pooled finds false edges or none. "
                "Set fit.variance: auto."
            )

    def _warn_few(self, p: int) -> None:
        if few := fewer_tokens_than_neurons(self.stats.n_effective, p, f"the {self.stats.metrics.sample}s"):
            self.reporter.warn(
                f"{self.name}: {few}: error bars are too small, and only edges that come back in most half-samples "
                f"(frequency) can be trusted. Collect more {more_of(self.stats.metrics.sample)}, or fit fewer neurons."
            )
