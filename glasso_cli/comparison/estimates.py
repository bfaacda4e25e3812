"""Fitted corpora made comparable: the same neurons, the same kind of estimate at the same penalty, and their halves.

Debiased estimates still depend on the penalty, so both corpora are estimated at the same one: the larger of their two test
penalties. One corpus already has that fit in its artifact. The other is solved again, warm-started from its own fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array

from glasso_cli.artifacts import ActivationStats, PrecisionPath
from glasso_cli.artifacts.keys import Material, differences
from glasso_cli.artifacts.precision_path import places_of
from glasso_cli.comparison.differential import PairInflation, Side
from glasso_cli.comparison.permutation import PooledCorpora, pool
from glasso_cli.config import FitSection
from glasso_cli.errors import InputError
from glasso_cli.inference.blocks import LEAST, Blocks
from glasso_cli.inference.estimates import Estimate, estimate_on, inverse_estimate
from glasso_cli.inference.factors import leading_factors
from glasso_cli.inference.held_precision import HeldPairs
from glasso_cli.inference.pair_errors import inflation_and_group
from glasso_cli.solvers.path import fit_from

_ENOUGH_FOR_HALVES = 1.2  # effective tokens per neuron that a half needs where the inverse is taken


@dataclass(frozen=True, eq=False)
class Corpus:
    """A corpus as `collect` and `fit` left it."""

    name: str
    stats: ActivationStats
    fit: PrecisionPath


@dataclass(frozen=True, eq=False)
class CommonNeurons:
    """The p neurons that several fits share, in one order."""

    ids: np.ndarray  # (p,) str
    places: tuple[np.ndarray, ...]  # (p,) of each fit: where they stand in it

    def part(self, chosen: np.ndarray) -> CommonNeurons:
        """Some of them, by index."""
        return CommonNeurons(self.ids[chosen], tuple(places[chosen] for places in self.places))


def common_neurons(*corpora: Corpus) -> CommonNeurons:
    """The neurons that all fits have; raises :class:`InputError` for fewer than two and for fits of different models."""
    first = corpora[0]
    ids = first.fit.neuron_ids
    for corpus in corpora[1:]:
        _refuse_different(first, corpus)
        ids = ids[np.isin(ids, corpus.fit.neuron_ids)]
    if len(ids) < 2:
        names = ", ".join(corpus.name for corpus in corpora)
        raise InputError(
            f"The fits of {names} have {len(ids)} neurons in common.",
            "Fit the same neurons in all: fit.neurons: all, or a list of ids.",
        )
    return CommonNeurons(ids, tuple(places_of(ids, corpus.fit.neuron_ids) for corpus in corpora))


def left_out(corpora: Sequence[Corpus], common: CommonNeurons) -> str:
    """How many neurons of each fit are in not all of the others, in words; empty if none."""
    missing = {corpus.name: corpus.fit.n_neurons - len(common.ids) for corpus in corpora}
    if not any(missing.values()):
        return ""
    return ", ".join(f"{count:,} of {name}" for name, count in missing.items())


def _refuse_different(first: Corpus, second: Corpus) -> None:
    """Raise :class:`InputError` when the statistics are not of one model, one mask and one transform."""
    changes = differences(*(_comparable(corpus.stats.meta.get("material", {})) for corpus in (first, second)))
    if changes:
        raise InputError(
            f"{first.name} and {second.name} were not collected alike: {'; '.join(changes[:3])}.",
            "Collect both with one configuration.",
        )


def _comparable(material: Material) -> Material:
    config = {name: value for name, value in material.get("config", {}).items() if name in ("model", "collect")}
    return {"config": config, "inputs": {"model": material.get("inputs", {}).get("model")}}


@dataclass(frozen=True, eq=False)
class CorpusEstimate:
    """A corpus estimated in the way that both are."""

    blocks: Blocks
    estimate: Estimate
    precision: csr_array | None  # of the fit that the estimate is of; None for the inverse
    hidden: np.ndarray  # (p, r) factors of that fit
    removed: int  # leading components taken out of the correlation
    autocorrelation: np.ndarray  # (p, L)
    n_effective: float
    inflation: float
    freedom: float
    least_inflation: float  # that the errors of its edges had: 1 where every pair had its own, else 0

    def side(self) -> Side:
        """What is compared."""
        n = self.blocks.n_tokens
        return Side.of(self.estimate.T.copy(), self.autocorrelation, n, self.inflation, self.freedom)

    def own(self, rows: np.ndarray, cols: np.ndarray, group: np.ndarray) -> tuple[PairInflation, HeldPairs | None]:
        """The errors of pairs by themselves, where they are larger than those of a typical pair, and what the blocks say
        about all pairs of a ``group (k,)`` of neurons.
        """
        inflation, moves = inflation_and_group(
            self.blocks, self.estimate, self.autocorrelation, rows, cols, group, self.least_inflation
        )
        return PairInflation(np.maximum(inflation, 1.0), self.blocks.freedom), moves

    def halves(self) -> tuple[CorpusEstimate, CorpusEstimate] | None:
        """The same of the even and of the odd blocks of documents; None where there is too little for that.

        A sparse Theta is held, so that only the errors of the correlation differ; the inverse is taken anew.
        """
        filled = self.blocks.filled
        used = self.estimate.fitted
        parts = [self.blocks.part(filled[start::2]) for start in (0, 1)]
        worth = [self.n_effective * part.n_tokens / self.blocks.n_tokens for part in parts]
        if len(filled) < 2 * LEAST or min(worth) < _ENOUGH_FOR_HALVES * used:
            return None
        first, second = (self._half(part, n) for part, n in zip(parts, worth))
        return first, second

    def _half(self, blocks: Blocks, n_effective: float) -> CorpusEstimate:
        blocks, S = _correlation(blocks, self.removed)
        used = self.estimate.fitted
        return replace(
            self,
            blocks=blocks,
            estimate=_estimated(S, self.precision, self.hidden),
            n_effective=n_effective,
            # that of the whole is 1 / (1 - p / n) times what the blocks say
            inflation=self.inflation * (1 - used / self.n_effective) / (1 - used / n_effective),
        )


def _correlation(blocks: Blocks, removed: int) -> tuple[Blocks, np.ndarray]:
    """The blocks and their correlation ``(p, p)`` without their leading ``removed`` components."""
    S = blocks.correlation()
    if removed:
        blocks = blocks.without(leading_factors(S, removed))
        S = blocks.correlation()
    return blocks, S


@dataclass(frozen=True, eq=False)
class BothEstimates:
    """Both corpora, and in which way they were estimated."""

    kind: str  # inverse, lasso or latent
    alpha: float | None  # None for the inverse
    first: CorpusEstimate
    second: CorpusEstimate

    def pool(
        self,
        centres: tuple[np.ndarray, np.ndarray],
        section: FitSection,
        once: Callable[[Callable[[], np.ndarray]], np.ndarray] = lambda fit: fit(),
    ) -> PooledCorpora:
        """Both together, for permutations; ``once`` gives what the fit of both gives, which may be known.

        Raises :class:`InputError` where factors are part of the fit.
        """
        if self.kind == "latent" or self.first.removed:
            raise InputError(
                "Permutations hold one precision of all tokens, and this fit has hidden factors.",
                "Set compare.permutations: 0, or fit.method: plain without fit.remove_factors.",
            )

        def precision(S: np.ndarray) -> np.ndarray:
            if self.alpha is None:
                return inverse_estimate(S).T
            return np.asarray(fit_from(S, self.alpha, self.first.precision, **section.solving).precision().toarray())

        return pool(self.first.blocks, self.second.blocks, centres, lambda S: once(lambda: precision(S)))


def estimate_both(first: Corpus, second: Corpus, common: CommonNeurons, section: FitSection) -> BothEstimates:
    """Both corpora over the neurons they share, estimated in one way as ``section`` says."""
    corpora, places = (first, second), common.places
    kinds = [corpus.fit.metrics.estimate.kind for corpus in corpora]
    if kinds == ["inverse", "inverse"]:
        estimates = [_estimate(*pair, None, section) for pair in zip(corpora, places)]
        return BothEstimates("inverse", None, *estimates)
    alpha = max(float(corpus.fit.tested_alpha[0]) for corpus in corpora if len(corpus.fit.tested_alpha))
    estimates = [_estimate(*pair, alpha, section) for pair in zip(corpora, places)]
    return BothEstimates("latent" if section.method == "latent" else "lasso", alpha, *estimates)


def _estimate(corpus: Corpus, places: np.ndarray, alpha: float | None, section: FitSection) -> CorpusEstimate:
    stats, fit = corpus.stats, corpus.fit
    metrics = fit.metrics
    neurons = fit.neurons[places].astype(np.int64)
    blocks = Blocks.of(stats.counts, stats.sums, stats.dense_moments, neurons)
    blocks, S = _correlation(blocks, section.remove_factors)
    precision, factors = None, np.zeros((0, 0))
    if alpha is not None:
        precision, factors = _fit(fit, places, S, alpha, section)
    freedom = metrics.degrees_of_freedom
    return CorpusEstimate(
        blocks=blocks,
        estimate=_estimated(S, precision, factors),
        precision=precision,
        hidden=factors,
        removed=section.remove_factors,
        autocorrelation=stats.autocorrelation[neurons],
        n_effective=stats.n_effective,
        inflation=metrics.variance_inflation,
        freedom=np.inf if freedom is None else freedom,
        least_inflation=float(metrics.variance == "jackknife"),
    )


def _estimated(S: np.ndarray, precision: csr_array | None, hidden: np.ndarray) -> Estimate:
    """The inverse of ``S (p, p)``, which is overwritten, or the estimate of a fit to it."""
    return inverse_estimate(S, overwrite=True) if precision is None else estimate_on(S, precision, hidden)


def _fit(
    fit: PrecisionPath, places: np.ndarray, S: np.ndarray, alpha: float, section: FitSection
) -> tuple[csr_array, np.ndarray]:
    """The sparse precision at ``alpha`` and its hidden factors: those of the artifact, or solved from them."""
    stored = fit.tested_precision()
    whole = len(places) == fit.n_neurons
    if stored is not None and whole and float(fit.tested_alpha[0]) == alpha:
        return stored, fit.tested_factors
    start = csr_array(fit.precision() if stored is None else stored)
    point = fit_from(S, alpha, csr_array(start[places][:, places]), **section.solving)
    return point.precision(), point.factors
