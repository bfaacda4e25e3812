"""Standard errors of effects of paths, and of sums over paths: of the edges, and of the units in which effects are given.

Where the artifacts say how blocks of documents differ, the error is the block jackknife of the product: every factor changes with the
same blocks, so no two of them are taken as independent. Otherwise the factors are taken as independent, and the standard deviations
that are the unit too. Paths share edges, so a sum over paths has no error where blocks are not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from glasso_cli.scoring.pathways.best_paths import Path
from glasso_cli.scoring.pathways.end import End
from glasso_cli.scoring.pathways.graph import LayeredGraph
from glasso_cli.scoring.pathways.units import Units


def by_jackknife(graph: LayeredGraph, end: End) -> bool:
    """Whether it is known how the blocks of documents differ, for every factor of a path."""
    return graph.deviations is not None and end.deviations is not None


def jackknife_errors(
    statistic: Callable[[LayeredGraph, np.ndarray], np.ndarray], graph: LayeredGraph, end: End, units: Units | None
) -> np.ndarray:
    """The standard errors ``(…)`` of ``statistic``, a function of a graph and what its end gets of each neuron ``(p,)``.

    The statistic is computed again with each block of documents left out. Without ``units``, standard deviations are taken as
    known. All errors are nan where it is not known how blocks differ.
    """
    whole = np.asarray(statistic(graph, end.slopes))
    changes = [statistic(*left) - whole for left in _without_blocks(graph, end, units)]
    if len(changes) < 2:
        return np.full(whole.shape, np.nan)
    return np.asarray(np.sqrt((len(changes) - 1) / len(changes) * np.square(changes).sum(axis=0)))


def _without_blocks(graph: LayeredGraph, end: End, units: Units | None) -> Iterator[tuple[LayeredGraph, np.ndarray]]:
    """The graph, and what the end gets of each neuron, without each block; none where it is not known how blocks differ.

    Both are in the standard deviations of the documents that are left, if there are ``units``.
    """
    if graph.deviations is None or end.deviations is None:
        return
    amount = graph.deviations.shape[1]
    of_units = np.zeros((graph.n_neurons, amount)) if units is None else units.of_neurons(amount)
    filled = np.flatnonzero(graph.deviations.any(axis=0) | end.deviations.any(axis=0) | of_units.any(axis=0))
    scale = np.sqrt(len(filled) / max(len(filled) - 1, 1))
    for block in filled.tolist():
        ratio = np.exp(-scale * of_units[:, block])  # of the standard deviations without the block to those of all
        weights = graph.weights - scale * graph.deviations[:, block]
        slopes = end.slopes - scale * end.deviations[:, block]
        yield (
            replace(graph, weights=weights * ratio[graph.sources] / ratio[graph.targets]),
            slopes * ratio if end.is_scalar else slopes,
        )


def path_errors(graph: LayeredGraph, paths: Sequence[Path], end: End, units: Units | None) -> np.ndarray:
    """The standard errors ``(K,)`` of the effects of ``paths`` that lead to ``end``.

    Without ``units``, standard deviations are taken as known.
    """
    return np.array(
        [
            _jackknife(graph, path, end, units) if by_jackknife(graph, end) else _independent(graph, path, end, units)
            for path in paths
        ]
    )


def _jackknife(graph: LayeredGraph, path: Path, end: End, units: Units | None) -> float:
    assert graph.deviations is not None
    assert end.deviations is not None
    edges, last = list(path.edges), path.neurons[-1]
    factors = np.append(graph.weights[edges], end.slopes[last])
    deviations = np.concatenate([graph.deviations[edges], end.deviations[last][None]])
    if units is not None:
        factors = np.append(factors, 1.0)
        ratio = units.deviations(path.neurons[0], None if end.is_scalar else last, deviations.shape[1])
        deviations = np.concatenate([deviations, ratio[None]])
    return jackknife_product_error(factors, deviations)


def _independent(graph: LayeredGraph, path: Path, end: End, units: Units | None) -> float:
    edges, last = list(path.edges), path.neurons[-1]
    error = product_error(
        np.append(graph.weights[edges], end.slopes[last]), np.append(graph.errors[edges], end.errors[last])
    )
    if units is None:
        return error
    return float(np.hypot(error, path.effect * units.relative_error(path.neurons[0], None if end.is_scalar else last)))


def jackknife_product_error(factors: np.ndarray, deviations: np.ndarray) -> float:
    """The standard error of a product of ``factors (m,)`` whose estimates change with B blocks of documents.

    ``deviations (m, B)`` are, for each block, the root of its jackknife weight times the mean of the factor in the block less that of
    all, so that the squares of a factor add up to its own squared error. For blocks of equal size this is the delete-one-block
    jackknife about the product. For others, each factor has the weights of its own sample.
    """
    blocks = np.count_nonzero(deviations.any(axis=0))
    if blocks < 2:
        return 0.0
    without = factors[:, None] - deviations * np.sqrt(blocks / (blocks - 1))
    changes = without.prod(axis=0) - factors.prod()
    return float(np.sqrt((blocks - 1) / blocks * (changes**2).sum()))


def product_error(factors: np.ndarray, errors: np.ndarray) -> float:
    """The standard error of a product of ``factors (m,)`` with independent ``errors (m,)`` (Goodman 1960).

    Var = prod(f^2 + e^2) - prod(f^2). Unlike the first-order formula it does not vanish where two factors are near zero.
    """
    squares = factors**2
    return float(np.sqrt(max(0.0, (squares + errors**2).prod() - squares.prod())))
