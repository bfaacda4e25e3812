"""The search for the alpha whose graph has a given mean degree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from glasso_cli.errors import InputError
from glasso_cli.solvers.path import OnPoint, PathPoint, Walk

DEGREE_TOLERANCE = 0.02  # relative distance to the target degree at which the search ends
MAX_SOLVES = 24  # new alphas in a search


class GraphPoint(Protocol):
    """A graph at one alpha."""

    @property
    def alpha(self) -> float: ...

    @property
    def n_neurons(self) -> int: ...

    @property
    def mean_degree(self) -> float: ...


class Searched(Protocol):
    """Where a search can go, and where it has been."""

    @property
    def n_neurons(self) -> int: ...

    @property
    def most(self) -> float:
        """The largest mean degree that there can be."""
        ...

    @property
    def strongest(self) -> float:
        """The smallest alpha without an edge."""
        ...

    def first_alpha(self, target: float) -> float:
        """The alpha with ``target`` correlations per neuron above it."""
        ...

    def points(self) -> Sequence[GraphPoint]:
        """The points visited so far, in decreasing order of alpha."""
        ...

    def visit(self, alpha: float) -> None:
        """Add the point at ``alpha``."""
        ...


def fit_degree(
    covariance: np.ndarray,
    target: float,
    *,
    solver: str = "newton",
    tol: float = 1e-7,
    max_iter: int = 1000,
    max_solves: int = MAX_SOLVES,
    penalise_diagonal: bool = False,
    hidden: float | None = None,
    grid: Sequence[PathPoint] = (),
    done: Iterable[PathPoint] = (),
    on_point: OnPoint | None = None,
    checked: bool = False,
) -> list[PathPoint]:
    """Every point visited in search of a mean degree of ``target``, in decreasing order of alpha.

    The search ends within 2 % of the target or within one edge, or after ``max_solves`` new alphas, or when
    no alpha in six digits lies between a graph too sparse and one too dense. ``grid`` holds points to begin
    with; the rest is as in :func:`fit_path`.
    """
    walk = Walk(covariance, solver, tol, max_iter, penalise_diagonal, hidden, done, on_point, grid, checked=checked)
    search_degree(walk, target, max_solves)
    return walk.points()


def search_degree(walk: Searched, target: float, max_solves: int) -> None:
    """Visit alphas until one gives a mean degree of ``target``: the search of :func:`fit_degree`, for any kind of graph."""
    check_target(target, walk.n_neurons, walk.most)
    if walk.strongest == 0:
        raise InputError("No two neurons are correlated, so no alpha gives an edge.", "Fit other neurons.")
    for _ in range(max_solves):
        alpha = _next_alpha(walk, target)
        if alpha is None:
            break
        walk.visit(alpha)


def is_near(point: GraphPoint, target: float) -> bool:
    """Whether the mean degree is within 2 % of the target, or within one edge of it."""
    one_edge = 2 / point.n_neurons
    return abs(point.mean_degree - target) <= max(DEGREE_TOLERANCE * target, one_edge)


def check_target(target: float, n_neurons: int, most: float) -> None:
    """Raise :class:`InputError` unless graphs of these neurons, whose mean degree is at most ``most``, can have that of ``target``."""
    if not 0 < target <= most:
        raise InputError(
            f"A mean degree of {target:g} is not possible among {n_neurons} neurons.",
            f"Give a target above 0 and at most {most:g}." if most > 0 else "Fit more neurons.",
        )


def _next_alpha(walk: Searched, target: float) -> float | None:
    """Where to look next, in six digits; None when the search is over."""
    points, strongest = walk.points(), walk.strongest
    if any(is_near(point, target) for point in points):
        return None
    dense = [point for point in points if point.mean_degree > target]
    if dense:
        alpha = _between(points, dense[0], target, strongest)
    elif points:
        alpha = _below(points, target)
    else:
        alpha = max(walk.first_alpha(target), 1e-3 * strongest)  # mostly a graph somewhat too sparse
    alpha = float(f"{alpha:.6g}")
    return None if any(point.alpha == alpha for point in points) else alpha


def _below(points: Sequence[GraphPoint], target: float) -> float:
    """A smaller alpha, where log degree would reach the target on the line of the last two points.

    The first step supposes the power -2.5 that is typical of activations.
    """
    alphas = [point.alpha for point in points[-2:]]
    degrees = [max(point.mean_degree, target / 20) for point in points[-2:]]
    power = 2.5
    if len(points) > 1:
        power = max(0.3, float(np.log(degrees[1] / degrees[0]) / np.log(alphas[0] / alphas[1])))
    return alphas[-1] * float(np.clip((degrees[-1] / target) ** (1 / power), 0.5, 0.95))


def _between(points: Sequence[GraphPoint], dense: GraphPoint, target: float, strongest: float) -> float:
    """Log degree interpolated in log alpha, kept off the ends of the bracket so that both of them move."""
    sparser = [point for point in points if point.alpha > dense.alpha]
    high = sparser[-1].alpha if sparser else strongest
    fewest = max(sparser[-1].mean_degree if sparser else 0.0, target / 20)
    share = np.log(target / fewest) / np.log(dense.mean_degree / fewest)
    return float(high * (dense.alpha / high) ** np.clip(share, 0.1, 0.9))
