"""The search for the alpha whose graph has a given mean degree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from glasso_cli.errors import InputError
from glasso_cli.solvers.path import OnPoint, PathPoint, Walk

DEGREE_TOLERANCE = 0.02  # relative distance to the target degree at which the search ends


def fit_degree(
    covariance: np.ndarray,
    target: float,
    *,
    solver: str = "newton",
    tol: float = 1e-7,
    max_iter: int = 1000,
    max_solves: int = 24,
    penalise_diagonal: bool = False,
    hidden: float | None = None,
    grid: Sequence[PathPoint] = (),
    done: Iterable[PathPoint] = (),
    on_point: OnPoint | None = None,
) -> list[PathPoint]:
    """Every point visited in search of a mean degree of ``target``, in decreasing order of alpha.

    The search ends within 2 % of the target or within one edge, or after ``max_solves`` new alphas, or when
    no alpha in six digits lies between a graph too sparse and one too dense. ``grid`` holds points to begin
    with; the rest is as in :func:`fit_path`.
    """
    walk = Walk(covariance, solver, tol, max_iter, penalise_diagonal, hidden, done, on_point, grid)
    _check_target(target, walk)
    for _ in range(max_solves):
        alpha = _next_alpha(walk, target)
        if alpha is None:
            break
        walk.visit(alpha)
    return walk.points()


def is_near(point: PathPoint, target: float) -> bool:
    """Whether the mean degree is within 2 % of the target, or within one edge of it."""
    one_edge = 2 / len(point.diagonal)
    return abs(point.mean_degree - target) <= max(DEGREE_TOLERANCE * target, one_edge)


def _check_target(target: float, walk: Walk) -> None:
    p = len(walk.covariance)
    if not 0 < target <= p - 1:
        raise InputError(
            f"A mean degree of {target:g} is not possible among {p} neurons.",
            f"Give a target above 0 and at most {p - 1}." if p > 1 else "Fit more neurons.",
        )
    if walk.tree.strongest == 0:
        raise InputError("No two neurons are correlated, so no alpha gives an edge.", "Fit other neurons.")


def _next_alpha(walk: Walk, target: float) -> float | None:
    """Where to look next, in six digits; None when the search is over."""
    points, strongest = walk.points(), walk.tree.strongest
    if any(is_near(point, target) for point in points):
        return None
    dense = [point for point in points if point.mean_degree > target]
    if dense:
        alpha = _between(points, dense[0], target, strongest)
    elif points:
        alpha = _below(points, target)
    else:
        alpha = _first_alpha(target, walk.covariance, strongest)
    alpha = float(f"{alpha:.6g}")
    return None if any(point.alpha == alpha for point in points) else alpha


def _first_alpha(target: float, covariance: np.ndarray, strongest: float) -> float:
    """The alpha with ``target`` correlations per neuron above it: mostly a graph somewhat too sparse."""
    size = np.abs(covariance)
    np.fill_diagonal(size, 0.0)
    entries = size.ravel()
    place = entries.size - round(target * len(covariance))
    entries.partition(place)
    return max(float(entries[place]), 1e-3 * strongest)


def _below(points: Sequence[PathPoint], target: float) -> float:
    """A smaller alpha, where log degree would reach the target on the line of the last two points.

    The first step supposes the power -2.5 that is typical of activations.
    """
    alphas = [point.alpha for point in points[-2:]]
    degrees = [max(point.mean_degree, target / 20) for point in points[-2:]]
    power = 2.5
    if len(points) > 1:
        power = max(0.3, float(np.log(degrees[1] / degrees[0]) / np.log(alphas[0] / alphas[1])))
    return alphas[-1] * float(np.clip((degrees[-1] / target) ** (1 / power), 0.5, 0.95))


def _between(points: Sequence[PathPoint], dense: PathPoint, target: float, strongest: float) -> float:
    """Log degree interpolated in log alpha, kept off the ends of the bracket so that both of them move."""
    sparser = [point for point in points if point.alpha > dense.alpha]
    high = sparser[-1].alpha if sparser else strongest
    fewest = max(sparser[-1].mean_degree if sparser else 0.0, target / 20)
    share = np.log(target / fewest) / np.log(dense.mean_degree / fewest)
    return float(high * (dense.alpha / high) ** np.clip(share, 0.1, 0.9))
