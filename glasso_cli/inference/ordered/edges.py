"""Which coefficients to believe: an error bar, p-values and false discovery rates, over all pairs of all layers.

The tests are those of :mod:`glasso_cli.inference.edges`. They judge t = T / scale, which is rho / sqrt(1 - rho^2) for the
partial correlation rho of source and target given all other neurons of the earlier layers. So ``min_effect`` means the same
in both graphs, whatever the variances of the neurons.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glasso_cli.inference.blocks import Blocks
from glasso_cli.inference.edges import check_variance, growth_of
from glasso_cli.inference.effective_n import share_left, tau
from glasso_cli.inference.jackknife import some_neurons
from glasso_cli.inference.ordered.errors import jackknife
from glasso_cli.inference.ordered.estimates import StepEstimate
from glasso_cli.inference.p_values.false_discovery import Rates
from glasso_cli.inference.p_values.minimum_effect import Tail
from glasso_cli.solvers.lasso.problem import Regressions, Step

_ROUNDING = 1e-12  # relative, of a statistic of a pair by itself and among all


@dataclass(frozen=True)
class ErrorsUsed:
    """How the coefficients of one layer were judged."""

    variance: str  # normal, pooled or jackknife
    inflation: float  # of the variance over the formula's for Gaussian tokens with these autocorrelations
    freedom: float  # of the Student's t; inf for the normal distribution


@dataclass(frozen=True, eq=False)
class OrderedTests:
    """What the tests say about E chosen pairs, and about all pairs together."""

    coefficient: np.ndarray  # (E,) T: standard deviations of the target for one of the source, not shrunken
    coefficient_error: np.ndarray  # (E,) its standard error
    partial_correlation: np.ndarray  # (E,) given all other neurons of the earlier layers
    standard_error: np.ndarray  # (E,) of the partial correlation
    z: np.ndarray  # (E,) against zero
    p_zero: np.ndarray  # (E,) two-sided, of H0: the coefficient is zero
    q_zero: np.ndarray  # (E,) over all pairs
    p: np.ndarray  # (E,) of H0: the partial correlation is at most ``min_effect`` in size
    q: np.ndarray  # (E,) over all pairs
    errors: tuple[ErrorsUsed, ...]  # for each layer but the first
    nonzero: int  # of all pairs, those with q_zero up to ``fdr``
    discoveries: int  # of all pairs, those with q up to ``fdr``
    pairs: int


def ordered_tests(
    problem: Regressions,
    estimates: Sequence[StepEstimate],
    blocks: Blocks,
    autocorrelation: np.ndarray,
    sources: np.ndarray,
    targets: np.ndarray,
    *,
    fdr: float = 0.05,
    min_effect: float = 0.0,
    variance: str = "auto",
) -> OrderedTests:
    """Test all pairs of a neuron and one of an earlier layer, and report ``sources (E,)`` to ``targets (E,)``.

    ``estimates`` belong to ``problem.steps``. ``blocks`` and ``autocorrelation (p, L)`` have the neurons in the order of
    ``problem``. ``variance`` is as in :func:`glasso_cli.inference.edges.edge_tests`, decided for every layer by itself.

    Raises :class:`InputError` for another name, for fewer than four blocks with tokens (unless ``normal``), and for least
    squares with fewer effective tokens than predictors.
    """
    check_variance(variance)
    R = np.asarray(autocorrelation, dtype=np.float64)
    layers = _judged(problem, estimates, blocks, R, variance)
    bar = min_effect / math.sqrt(1 - min_effect**2)
    every: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    shape = len(sources)
    columns = {name: np.zeros(shape) for name in ("T", "error", "t", "t_error", "z", "zero", "beyond")}
    for step, estimate, layer in zip(problem.steps, estimates, layers):
        chosen = (targets >= step.start) & (targets < step.stop)
        rows, cols = targets[chosen] - step.start, sources[chosen]
        scale = estimate.scale
        t, error = estimate.T / scale, np.sqrt(layer.variance) / scale
        partial = t / np.sqrt(1 + t**2)
        relative, growth = np.ones(len(rows)), 0.0
        if layer.own is not None and layer.used.variance == "pooled":
            relative = layer.own[rows, cols] / layer.variance[rows, cols]
            growth = growth_of(relative, partial[rows, cols])
            relative = np.maximum(relative, 1.0)
        size = np.abs(t) / error
        tail = Tail(layer.used.freedom, float(size.max(initial=0.0)))
        zero = -tail.log_beyond(size, 0.0)
        error_there = error * math.sqrt(1 + growth * min_effect)
        beyond = zero if bar == 0 else -tail.log_beyond(np.abs(t) / error_there, bar / error_there)
        every[0].append(zero.ravel())
        every[1].append(beyond.ravel())
        for name, values in {"T": estimate.T, "t": t, "zero": zero, "beyond": beyond}.items():
            columns[name][chosen] = values[rows, cols]
        columns["z"][chosen] = estimate.T[rows, cols] / np.sqrt(layer.variance[rows, cols])
        columns["t_error"][chosen] = error[rows, cols] * np.sqrt(relative)
        columns["error"][chosen] = np.sqrt(layer.variance[rows, cols] * relative)
    rates = [Rates.among(_joined(parts), lambda evidence: np.exp(-evidence)) for parts in every]
    q_zero, q = (rate.of(columns[name] * (1 - _ROUNDING)) for rate, name in zip(rates, ("zero", "beyond"), strict=True))
    rho = columns["t"] / np.sqrt(1 + columns["t"] ** 2)
    return OrderedTests(
        coefficient=columns["T"],
        coefficient_error=columns["error"],
        partial_correlation=rho,
        standard_error=columns["t_error"] * (1 - rho**2),
        z=columns["z"],
        p_zero=np.exp(-columns["zero"]),
        q_zero=q_zero,
        p=np.exp(-columns["beyond"]),
        q=q,
        errors=tuple(layer.used for layer in layers),
        nonzero=rates[0].discoveries(fdr),
        discoveries=rates[1].discoveries(fdr),
        pairs=problem.pairs,
    )


@dataclass(frozen=True, eq=False)
class _Layer:
    """The variance ``(m, k)`` that the coefficients of one layer are judged by, and by the jackknife ``own (m, k)``."""

    used: ErrorsUsed
    variance: np.ndarray
    own: np.ndarray | None = None


def _judged(
    problem: Regressions, estimates: Sequence[StepEstimate], blocks: Blocks, R: np.ndarray, variance: str
) -> list[_Layer]:
    steps = problem.steps
    formulas = [_formula(step, estimate, R, blocks.n_tokens) for step, estimate in zip(steps, estimates)]
    some = [(some_neurons(R[step.targets]), some_neurons(R[: step.start])) for step in steps]
    left = [
        share_left(blocks.n_tokens / _median_tau(R[step.targets][rows], R[: step.start][cols]), estimate.fitted)
        for step, estimate, (rows, cols) in zip(steps, estimates, some)
    ]
    if variance == "normal":
        return [
            _Layer(ErrorsUsed(variance, 1 / share, np.inf), formula / share) for formula, share in zip(formulas, left)
        ]
    errors = jackknife(blocks, problem.correlation, steps, estimates, formulas, some)
    layers = []
    for formula, share, found in zip(formulas, left, errors):
        typical = found.typical
        measured = "pooled" if variance == "auto" else variance
        # A jackknife of least squares sees blocks that it was not fitted to, which are off by 1 / (1 - k / n) too much.
        own = found.variance * share
        if typical.blocks_agree:
            layers.append(_Layer(ErrorsUsed(measured, 1 / share, np.inf), formula / share))
            continue
        used = ErrorsUsed(*typical.judging(variance, share, blocks))
        # The formula is the least: a pair that is hardly ever active together has next to no error by a jackknife.
        pooled = used.variance == "pooled"
        layers.append(_Layer(used, formula * used.inflation if pooled else np.maximum(own, formula / share), own))
    return layers


def _formula(step: Step, estimate: StepEstimate, R: np.ndarray, n_tokens: int) -> np.ndarray:
    """The variance ``(m, k)`` of T without an edge, for Gaussian tokens with autocorrelations R ``(p, L)``."""
    variance = np.multiply.outer(estimate.residual, estimate.variance)
    variance *= tau(R[step.targets], R[: step.start])
    variance /= n_tokens
    return np.asarray(variance)


def _median_tau(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.median(tau(first, second)))


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0), *parts])
