"""Orders of the neurons that curves compare: attributions, trivial baselines, other scores and random orders."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from glasso_cli.scoring.clean import Neurons

_BINS = 10  # of the write norms of a hook point


def by_score(scores: np.ndarray) -> np.ndarray:
    """The neurons from the highest score to the lowest; those without one (nan) are last."""
    return np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")


def rankings(
    neurons: Neurons, importance: Mapping[str, np.ndarray], others: Mapping[str, np.ndarray], draws: int, seed: int
) -> dict[str, list[np.ndarray]]:
    """One or more orders ``(P,)`` of the neurons under each name; curves of several are averaged.

    ``importance`` are the forms of attribution, and ``others`` further scores. ``matched`` has the hook points and write norms of the
    first form at every share, and other neurons.
    """
    found = {name: [by_score(scores)] for name, scores in importance.items()}
    if np.isfinite(neurons.write_norms).any():
        found["write_norm"] = [by_score(neurons.write_norms)]
    found["mean_abs"] = [by_score(neurons.mean_abs)]
    found |= {name: [by_score(scores)] for name, scores in others.items()}
    rng = np.random.default_rng([seed, 2])
    if draws:
        found["random"] = [rng.permutation(len(neurons.ids)) for _ in range(draws)]
        first, strata = next(iter(found.values()))[0], alike(neurons)
        found["matched"] = [matched(first, strata, rng) for _ in range(draws)]
    return found


def alike(neurons: Neurons) -> np.ndarray:
    """A number for each neuron ``(P,)``: equal for those of one hook point with write norms in one tenth."""
    labels = np.zeros(len(neurons.ids), np.int64)
    for point in range(len(neurons.points)):
        own = neurons.of_point(point)
        norms = neurons.write_norms[own]
        ranks = (
            np.argsort(np.argsort(norms, kind="stable"), kind="stable")
            if np.isfinite(norms).all()
            else np.zeros(len(norms))
        )
        labels[own] = point * _BINS + (ranks * _BINS // max(len(norms), 1)).astype(np.int64)
    return labels


def matched(order: np.ndarray, strata: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """``order`` with the neurons of every stratum exchanged at random: each share of it has the same numbers of every stratum."""
    other = np.arange(len(order))
    for label in np.unique(strata):
        members = np.flatnonzero(strata == label)
        other[members] = rng.permutation(members)
    return np.asarray(other[order])
