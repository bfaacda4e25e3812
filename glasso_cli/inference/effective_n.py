"""How many independent tokens a correlation rests on, given that tokens in a document are dependent.

Without an edge, Var(r_ij) is about tau_ij / n with tau_ij = 1 + 2 sum_k rho_i(k) rho_j(k), where rho_i(k) is
the autocorrelation of neuron i at lag k (Bartlett, 1935). With R the ``(p, L)`` matrix of autocorrelations
at lags 1 to L, all of them are one product, 1 + 2 R R'.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glasso_cli.errors import InputError

TAU_FLOOR = 0.1  # noisy or alternating autocorrelations can push tau to zero, where n / tau means nothing
_EXACT = 4096  # neurons whose pairs are all counted; of more, every second (third ...) neuron is taken
_BLOCK = 512


@dataclass(frozen=True)
class EffectiveN:
    """Effective numbers of tokens over all pairs of neurons."""

    n_tokens: int
    median: float
    q05: float  # 5 % of the pairs have fewer


def tau(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Variance inflation ``(a, b)`` of the pairs of two groups of neurons, at least ``TAU_FLOOR``.

    ``first`` ``(a, L)`` and ``second`` ``(b, L)`` hold autocorrelations at lags 1 to L.
    """
    return np.asarray(np.maximum(1 + 2 * (first @ second.T), TAU_FLOOR))


def pair_tau(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The same of m chosen pairs ``(m,)``: ``first`` and ``second (m, L)`` hold the autocorrelations of both ends."""
    return np.asarray(np.maximum(1 + 2 * np.einsum("ml,ml->m", first, second), TAU_FLOOR))


def effective_n(autocorrelation: np.ndarray, n_tokens: int) -> EffectiveN:
    """Median and 5 % quantile of n / tau over pairs; ``n_tokens`` itself if there is no pair.

    Exact up to 4,096 neurons, over evenly spaced neurons in the order of :func:`by_autocorrelation` beyond.
    """
    R = np.asarray(autocorrelation, dtype=np.float64)
    if R.ndim != 2 or not np.isfinite(R).all():
        raise InputError(
            f"The autocorrelations of shape {R.shape} are not a finite (p, L) matrix.",
            "Collect the statistics again.",
        )
    if len(R) > _EXACT:
        R = R[by_autocorrelation(R)[:: -(-len(R) // _EXACT)]]
    if len(R) < 2:
        return EffectiveN(n_tokens, float(n_tokens), float(n_tokens))
    median, q05 = np.quantile(n_tokens / _all_tau(R), [0.5, 0.05])
    return EffectiveN(n_tokens, float(median), float(q05))


def by_autocorrelation(autocorrelation: np.ndarray) -> np.ndarray:
    """The neurons ``(p,)`` from weak to strong autocorrelation ``(p, L)``: an order that their numbers do not decide."""
    return np.argsort((np.asarray(autocorrelation, dtype=np.float64) ** 2).sum(axis=1), kind="stable")


def _all_tau(R: np.ndarray) -> np.ndarray:
    """tau of the pairs i < j ``(p (p - 1) / 2,)``, a block of rows at a time."""
    p = len(R)
    parts = []
    for start in range(0, p, _BLOCK):
        rows = R[start : start + _BLOCK]
        block = tau(rows, R[start:])
        parts.append(block[np.triu_indices(len(rows), 1, p - start)])
    return np.concatenate(parts)


def more_of(sample: str) -> str:
    """What to collect more of where statistics of tokens, or of samples that are no tokens, fall short."""
    return "text" if sample == "token" else "documents"


def fewer_tokens_than_neurons(n_effective: float, neurons: int, tokens: str = "the tokens") -> str:
    """That ``tokens`` are worth fewer independent ones than there are ``neurons``, in words; empty where they are not."""
    if n_effective >= neurons:
        return ""
    return f"{tokens} are worth {n_effective:,.0f} independent ones, fewer than the {neurons:,} neurons"


def share_left(n_effective: float, fitted: int) -> float:
    """1 - p / n for n effective tokens and an estimate that uses up p; 1 for one that uses none.

    ``fitted`` is p. Raises :class:`InputError` where no token is left.
    """
    if fitted == 0:
        return 1.0
    if n_effective <= fitted:
        raise InputError(
            f"The tokens are worth {n_effective:,.0f} independent ones: too few for partial correlations given all "
            f"{fitted:,} neurons.",
            "Set fit.estimate: lasso, collect more text, or fit fewer neurons.",
        )
    return 1 - fitted / n_effective
