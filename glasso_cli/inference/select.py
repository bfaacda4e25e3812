"""Which point of a path to show: a given alpha, a target degree, the extended BIC, held-out likelihood or stability.

A point that did not converge is not chosen while there is one that did, unless its alpha was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from glasso_cli.errors import InputError
from glasso_cli.solvers.degree import GraphPoint, is_near


class Candidate(GraphPoint, Protocol):
    """A point of a path that can be selected: of a graphical lasso or of an ordered graph."""

    @property
    def n_edges(self) -> int: ...

    @property
    def log_likelihood(self) -> float:
        """Twice the Gaussian one per token, in nats and without constants."""
        ...

    @property
    def duality_gap(self) -> float: ...

    @property
    def gap_per(self) -> str:
        """What the gap is counted per, in nats: a neuron or a token."""
        ...

    @property
    def converged(self) -> bool: ...


@dataclass(frozen=True, eq=False)
class Selection:
    """The chosen point of a path of A points, and what should be said about the choice."""

    index: int
    rule: str
    criterion: np.ndarray | None  # (A,) what the rule compared, small is good; None if it has no curve
    error: np.ndarray | None  # (A,) its standard error, where there is one
    warning: str | None


@dataclass(frozen=True, eq=False)
class Options:
    """What the rules need; each reads its own."""

    alpha: float | None = None  # fixed
    target: float | None = None  # degree: mean number of edges per neuron
    n_effective: float | None = None  # ebic: effectively independent tokens
    gamma: float = 0.5  # ebic: weight of the extra penalty, 0 is BIC
    held_out: np.ndarray | None = None  # cv: (K, A) log-likelihood of every fold, as Candidate.log_likelihood
    instability: np.ndarray | None = None  # stars: (A,)
    threshold: float = 0.05  # stars


Rule = Callable[[Sequence[Candidate], Options], Selection]


def select(points: Sequence[Candidate], rule: str, **options: float | np.ndarray | None) -> Selection:
    """The point that the named rule chooses; ``options`` are fields of :class:`Options`.

    ``points`` are in decreasing order of alpha. Raises :class:`InputError` for an unknown rule, an empty path, or an
    option that the rule lacks.
    """
    if rule not in RULES:
        raise InputError(f"There is no selection rule '{rule}'.", f"Choose one of: {', '.join(RULES)}.")
    if not points:
        raise InputError("There is no point to select from.", "Fit at least one alpha.")
    return RULES[rule](points, Options(**options))  # type: ignore[arg-type]


def ebic(
    log_likelihood: np.ndarray, n_edges: np.ndarray, n_neurons: int, n_effective: float, gamma: float = 0.5
) -> np.ndarray:
    """The extended BIC, ``(A,)`` in nats: -n loglik + E log n + 4 gamma E log p (Foygel and Drton, 2010).

    ``log_likelihood`` is log det Theta - tr(S Theta), which is twice the Gaussian one per sample, and n is
    the *effective* number of samples: dependent tokens would be counted again and again.
    """
    per_edge = np.log(n_effective) + 4 * gamma * np.log(n_neurons)
    return np.asarray(-n_effective * np.asarray(log_likelihood) + np.asarray(n_edges) * per_edge)


def _fixed(points: Sequence[Candidate], options: Options) -> Selection:
    alpha = _needed(options.alpha, "fixed", "alpha")
    distances = [abs(point.alpha / alpha - 1) for point in points]
    index = int(np.argmin(distances))
    if distances[index] > 1e-9:
        known = ", ".join(f"{point.alpha:g}" for point in points)
        raise InputError(f"alpha {alpha:g} is not on the path.", f"Choose one of: {known}.")
    warning = None if points[index].converged else _uncertified(points[index])
    return Selection(index, "fixed", None, None, warning)


def _degree(points: Sequence[Candidate], options: Options) -> Selection:
    target = _needed(options.target, "degree", "target")
    cost = np.array([abs(point.mean_degree - target) for point in points])
    index, warning = _smallest(points, cost)
    best = points[index]
    if warning is None and not is_near(best, target):
        warning = (
            f"No certified alpha gives a mean degree of {target:g}; "
            f"the nearest, {best.alpha:.4g}, gives {best.mean_degree:.3g}."
        )
    return Selection(index, "degree", None, None, warning)


def _ebic(points: Sequence[Candidate], options: Options) -> Selection:
    n_effective = _needed(options.n_effective, "ebic", "n_effective")
    if not n_effective > 1:
        raise InputError(f"EBIC needs more than one effective sample, not {n_effective:g}.", "Collect more text.")
    curve = ebic(
        np.array([point.log_likelihood for point in points]),
        np.array([point.n_edges for point in points]),
        points[0].n_neurons,
        n_effective,
        options.gamma,
    )
    index, warning = _smallest(points, curve)
    return Selection(index, "ebic", curve, None, warning or _at_an_end(points, index, "EBIC is smallest"))


def _cv(points: Sequence[Candidate], options: Options) -> Selection:
    """The largest alpha whose held-out loss is within one standard error of the smallest."""
    losses = -_array(options.held_out, "cv", "held_out") / points[0].n_neurons
    mean = losses.mean(axis=0)
    error = losses.std(axis=0, ddof=1) / np.sqrt(len(losses))
    best, warning = _smallest(points, mean)
    within = [k for k in range(best + 1) if points[k].converged and mean[k] <= mean[best] + error[best]]
    index = within[0] if within else best
    warning = warning or _at_an_end(points, best, "The held-out loss is smallest")
    return Selection(index, "cv", mean, error, warning)


def _stars(points: Sequence[Candidate], options: Options) -> Selection:
    """The smallest alpha down to which the instability stays below the threshold."""
    instability = _array(options.instability, "stars", "instability")
    curve = np.maximum.accumulate(instability)
    stable = [k for k in range(len(points)) if curve[k] <= options.threshold and points[k].converged]
    if not stable:
        index, warning = _smallest(points, curve)
        warning = warning or (
            f"At no alpha is the instability below {options.threshold:g}; the most stable graph, at alpha "
            f"{points[index].alpha:.4g}, has {curve[index]:.3g}. Collect more text or go to larger alphas."
        )
        return Selection(index, "stars", curve, None, warning)
    index = stable[-1]
    warning = None
    if index == len(points) - 1:
        warning = (
            f"The instability is below {options.threshold:g} down to the smallest alpha, {points[index].alpha:.4g}. It is "
            "a mean over all pairs, most of which have an edge in no sample: with thousands of neurons it is small for "
            "any sparse graph. Lower fit.select.instability, go on to smaller alphas, or select by degree."
        )
    return Selection(index, "stars", curve, None, warning)


RULES: dict[str, Rule] = {"fixed": _fixed, "degree": _degree, "ebic": _ebic, "cv": _cv, "stars": _stars}


def _needed(value: float | None, rule: str, name: str) -> float:
    if value is None:
        raise InputError(f"The selection rule {rule} needs {name}.", f"Give {name} a number.")
    return value


def _array(value: np.ndarray | None, rule: str, name: str) -> np.ndarray:
    if value is None:
        raise InputError(f"The selection rule {rule} needs {name}.", f"Compute {name} on resamples first.")
    return np.asarray(value, dtype=np.float64)


def _smallest(points: Sequence[Candidate], cost: np.ndarray) -> tuple[int, str | None]:
    converged = np.array([point.converged for point in points])
    if converged.any():
        return int(np.argmin(np.where(converged, cost, np.inf))), None
    index = int(np.argmin(cost))
    return index, _uncertified(points[index])


def _uncertified(point: Candidate) -> str:
    return (
        f"The fit at the selected alpha {point.alpha:.4g} did not converge "
        f"(gap {point.duality_gap:.1e} nats per {point.gap_per}): its edges are not certified."
    )


def _at_an_end(points: Sequence[Candidate], index: int, what: str) -> str | None:
    alphas = [point.alpha for point in points]
    if len(points) > 1 and alphas[index] == min(alphas):
        return (
            f"{what} at the smallest alpha, {alphas[index]:.4g}: with many more tokens than "
            "neurons it tends to pick the densest graph; go on to smaller alphas or select by degree."
        )
    if len(points) > 1 and alphas[index] == max(alphas):
        return (
            f"{what} at the largest alpha, {alphas[index]:.4g}, the sparsest graph of the path; "
            "go on to larger alphas or collect more text."
        )
    return None
