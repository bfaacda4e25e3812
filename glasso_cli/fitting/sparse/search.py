"""The search for the alpha at which many sparse neurons have a given number of edges each.

It goes as on the dense route (:mod:`glasso_cli.solvers.degree`). Correlations are known above a threshold. It is set from a
histogram so that a few times as many pairs are above it as edges are asked for. A search that goes below it lowers it. The
threshold decides how much memory the search takes, and changes no point.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from glasso_cli.errors import InputError
from glasso_cli.fitting.sparse import problem as limits
from glasso_cli.fitting.sparse.problem import SparseProblem
from glasso_cli.inference.sparse.screening import StrongPairs
from glasso_cli.inference.sparse.sizes import threshold_of
from glasso_cli.solvers.degree import MAX_SOLVES, check_target, search_degree
from glasso_cli.solvers.path import PathPoint

_WIDE = 4  # pairs above the threshold for each edge that is asked for
_LEAST = 1_000_000  # pairs above the threshold: 24 MB
_FURTHER = 0.7  # where a search goes below the threshold, the next one is this share of its alpha


def search_sparse(
    problem: SparseProblem,
    target: float,
    *,
    grid: Sequence[PathPoint] = (),
    done: Iterable[PathPoint] = (),
    on_point: Callable[[PathPoint], None] | None = None,
) -> list[PathPoint]:
    """Every point visited in search of ``target`` edges per neuron, in decreasing order of alpha; those of ``grid`` among them.

    ``done`` and ``on_point`` are as in :func:`glasso_cli.solvers.parts.fit_parts`. Raises :class:`InputError` for a target
    that cannot be, and where the search comes to a component that is too large.
    """
    walk = _Walk(problem, target, grid, done, on_point)
    search_degree(walk, target, MAX_SOLVES)
    return walk.points()


class _Walk:
    """The points visited so far, as :class:`glasso_cli.solvers.degree.Searched` wants them."""

    def __init__(
        self,
        problem: SparseProblem,
        target: float,
        grid: Sequence[PathPoint],
        done: Iterable[PathPoint],
        on_point: Callable[[PathPoint], None] | None,
    ) -> None:
        self._problem, self._target = problem, target
        self._visited = {point.alpha: point for point in grid}
        self._done, self._on_point = list(done), on_point
        check_target(target, self.n_neurons, self.most)
        self._pairs = self._most_pairs()

    @property
    def n_neurons(self) -> int:
        return self._problem.n_neurons

    @property
    def most(self) -> float:
        return self.n_neurons - 1

    @property
    def strongest(self) -> float:
        return float(np.abs(self._pairs.values).max(initial=0.0))

    def first_alpha(self, target: float) -> float:
        """The alpha with ``target`` correlations per neuron above it, where so many are known."""
        sizes = np.abs(self._pairs.values)
        count = min(self._wanted(target), len(sizes))
        return float(np.partition(sizes, len(sizes) - count)[len(sizes) - count])

    def points(self) -> list[PathPoint]:
        return [self._visited[alpha] for alpha in sorted(self._visited, reverse=True)]

    def visit(self, alpha: float) -> None:
        pairs = self._known(alpha)
        if not self._problem.solves(pairs, alpha):
            enough = pairs.alpha_for(limits.LARGEST)
            raise self._refusal(
                alpha,
                f"{pairs.largest(alpha):,} of {self.n_neurons:,} neurons are in one component, more than the {limits.LARGEST:,} that "
                "are solved together",
                f"Lower fit.select.target. At alpha {enough:g}, where components are small enough, every neuron has "
                f"{2 * pairs.above(enough) / self.n_neurons:.2g} correlations above alpha.",
            )
        larger = [known for known in self._visited if known > alpha]
        (point,) = self._problem.solved(
            self._problem.parts(pairs, alpha),
            [alpha],
            after=self._visited[min(larger)] if larger else None,
            done=self._done,
            on_point=self._on_point,
        )
        self._visited[alpha] = point

    def _wanted(self, target: float) -> int:
        """Pairs for ``target`` per neuron."""
        return max(1, math.ceil(round(target * self.n_neurons) / 2))

    def _most_pairs(self) -> StrongPairs:
        """The pairs above a threshold that the search does not need to go below, mostly."""
        wanted = self._wanted(self._target)
        count = float(min(max(_LEAST, _WIDE * wanted), limits.PAIRS / 2))
        for _ in range(4):  # the histogram was of other neurons
            pairs = self._problem.pairs(threshold_of(self._problem.values, count))
            if pairs is not None:
                return pairs
            count /= 4
        raise InputError(
            f"More than {limits.PAIRS:,} pairs of neurons are correlated too much to search for an alpha.",
            "Give fit.alpha numbers.",
        )

    def _known(self, alpha: float) -> StrongPairs:
        """The strong pairs, of a threshold of at most ``alpha``."""
        if alpha < self._pairs.threshold:
            further = self._problem.pairs(_FURTHER * alpha) or self._problem.pairs(alpha)
            if further is None:
                raise self._refusal(
                    alpha,
                    f"more than {limits.PAIRS:,} pairs of neurons are correlated above alpha",
                    "Lower fit.select.target.",
                )
            self._pairs = further
        return self._pairs

    def _refusal(self, alpha: float, why: str, hint: str) -> InputError:
        densest = max((point.mean_degree for point in self._visited.values()), default=0.0)
        if densest:
            hint = f"Lower fit.select.target to {densest:.2g} or less."
        return InputError(
            f"The search for {self._target:g} edges per neuron came to alpha {alpha:.4g}, at which {why}.", hint
        )
