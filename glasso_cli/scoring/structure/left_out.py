"""Partial correlations of the edges of a fit, and predictability, of all documents and without each block of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glasso_cli.artifacts import ActivationStats, PrecisionPath
from glasso_cli.errors import InputError
from glasso_cli.inference.blocks import LEAST, Blocks
from glasso_cli.inference.effective_n import share_left
from glasso_cli.inference.estimates import estimate_on, inverse_estimate
from glasso_cli.inference.factors import leading_factors
from glasso_cli.linalg.precision import partial_correlation

_LEAST = 1e-12  # of a diagonal entry of an estimate


@dataclass(frozen=True, eq=False)
class LeftOut:
    """E edges of p neurons as all documents have them, and without each of B blocks."""

    rows: np.ndarray  # (E,)
    cols: np.ndarray  # (E,)
    rho: np.ndarray  # (E,) partial correlations, without the penalty's bias
    rho_without: np.ndarray  # (B, E)
    explained: np.ndarray | None  # (p,) R^2 of each neuron on all others, in sample; None where no inverse was tested
    explained_without: np.ndarray | None  # (B, p)
    shares: np.ndarray  # (B,) of the tokens
    left: float  # 1 - p / n where the inverse was tested, 1 for a lasso


def blocks_of(stats: ActivationStats, fit: PrecisionPath) -> tuple[Blocks, np.ndarray]:
    """The blocks that ``fit`` was fitted to, with the same leading components taken out, and their correlation ``(p, p)``."""
    blocks = Blocks.of(stats.counts, stats.sums, stats.dense_moments, fit.neurons.astype(np.int64))
    S = blocks.correlation()
    described = fit.metrics.factors
    if described is not None and described.removed:
        blocks = blocks.without(leading_factors(S, described.removed))
        S = blocks.correlation()
    return blocks, S


def without_blocks(blocks: Blocks, S: np.ndarray, fit: PrecisionPath, n_effective: float) -> LeftOut:
    """The edges of ``fit`` that are drawn, estimated as its tests did, of all documents and without each block.

    ``S (p, p)`` is the correlation of ``blocks``. The inverse is taken again without each block; the Theta of a lasso is held,
    and its bias removed on the blocks that are left. Raises :class:`InputError` for fewer than four blocks with tokens, and
    where the inverse does not exist without one of them.
    """
    if len(blocks.filled) < LEAST:
        raise InputError(
            f"The errors of scores need {LEAST} blocks of documents with tokens; there are {len(blocks.filled)}.",
            "Collect more documents, or raise collect.blocks.",
        )
    part = fit.drawn()
    rows, cols = np.asarray(fit.rows[part], np.int64), np.asarray(fit.cols[part], np.int64)
    rho, explained = estimated(S, fit, rows, cols)
    filled = blocks.filled
    rest = [estimated(blocks.correlation(np.setdiff1d(filled, block)), fit, rows, cols) for block in filled]
    known = fit.tested_precision() is None
    return LeftOut(
        rows=rows,
        cols=cols,
        rho=rho,
        rho_without=np.stack([other for other, _ in rest]),
        explained=explained if known else None,
        explained_without=np.stack([other for _, other in rest]) if known else None,
        shares=blocks.shares,
        left=share_left(n_effective, len(S) if known else 0),
    )


def estimated(S: np.ndarray, fit: PrecisionPath, rows: np.ndarray, cols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Partial correlations of pairs ``(E,)`` and 1 - 1 / T_ii ``(p,)``, by the estimate T that the tests of ``fit`` took.

    ``S (p, p)`` is the correlation of any of its documents. T is the inverse of S, or what removes the bias of the Theta that
    was tested, which is held.
    """
    theta = fit.tested_precision()
    estimate = inverse_estimate(S) if theta is None else estimate_on(S, theta, fit.tested_factors)
    diagonal = np.maximum(estimate.T.diagonal(), _LEAST)
    rho = partial_correlation(rows, cols, estimate.T[rows, cols], diagonal)
    return np.clip(rho, -1.0, 1.0), 1 - 1 / diagonal
