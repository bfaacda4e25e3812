"""An order of the neurons in each layer that gives short edges between layers."""

from __future__ import annotations

import numpy as np

_SWEEPS = 24


def places_in_rows(rows: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Places ``(n,)`` between 0 and 1 along the ``rows (n,)`` of neurons, for edges with ``ends (E, 2)``.

    Every neuron stands at the mean of its neighbours, row by row: barycentres, after Sugiyama, Tagawa and Toda (1981).
    """
    n = len(rows)
    places = np.empty(n)
    for row in np.unique(rows):
        members = np.flatnonzero(rows == row)
        places[members] = _spread(len(members))
    around: list[list[int]] = [[] for _ in range(n)]
    for source, target in ends.tolist():
        around[source].append(target)
        around[target].append(source)
    for sweep in range(_SWEEPS):
        order = np.unique(rows) if sweep % 2 else np.unique(rows)[::-1]
        for row in order:
            members = np.flatnonzero(rows == row)
            wanted = np.array(
                [np.mean(places[around[neuron]]) if around[neuron] else places[neuron] for neuron in members]
            )
            places[members[np.argsort(wanted, kind="stable")]] = _spread(len(members))
    return places


def _spread(amount: int) -> np.ndarray:
    spread: np.ndarray = (np.arange(amount) + 0.5) / max(amount, 1)
    return spread
