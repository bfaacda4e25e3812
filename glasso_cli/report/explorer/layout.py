"""The layout of the explorer: communities are discs that do not overlap, and edges place the neurons inside each disc.

Two levels keep a graph of 10,000 neurons readable. First the communities are placed by the weight of the edges between
them, then the neurons of each community inside its disc. Only community and neighbourhood have a meaning; distance has
none (Jones, Mair and McNally 2018). Neurons without edges stand in rows below. The same graph gives the same places.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from scipy.sparse import coo_array, csr_array

from glasso_cli.engine.threads import numba_limited
from glasso_cli.graph import ISOLATED

_SEED = 1
_ROUNDS = 120
_PAIRS = 4_000_000  # repulsions per round; in a larger community a neuron meets a part of the others, in turn
_GOLDEN = math.pi * (3 - math.sqrt(5))
_STRIP = 0.12  # of the height, for neurons without edges


def lay_out(p: int, rows: np.ndarray, cols: np.ndarray, weights: np.ndarray, communities: np.ndarray) -> np.ndarray:
    """Places ``(p, 2)`` between 0 and 1 of p neurons with E edges of positive ``weights (E,)``."""
    places = np.zeros((p, 2))
    linked = np.flatnonzero(communities != ISOLATED)
    if len(linked):
        places[linked] = _linked(p, rows, cols, weights, communities)[linked]
    alone = np.flatnonzero(communities == ISOLATED)
    _fit_into(places, linked, bottom=_STRIP if len(alone) else 0.0)
    if len(alone):
        places[alone] = _rows_of(len(alone), height=_STRIP * 0.75 if len(linked) else 1.0)
    return places


def _linked(p: int, rows: np.ndarray, cols: np.ndarray, weights: np.ndarray, communities: np.ndarray) -> np.ndarray:
    """Places ``(p, 2)``, in any scale, of the neurons that have a community; the others are at 0."""
    # The communities are those of another graph or of more neurons: some may have no neuron here.
    present = np.unique(communities[communities >= 0])
    communities = np.where(communities >= 0, np.searchsorted(present, communities), ISOLATED)
    both = (communities[rows] >= 0) & (communities[cols] >= 0)
    rows, cols, weights = rows[both], cols[both], weights[both]
    sizes = np.bincount(communities[communities >= 0])
    radii = np.sqrt(sizes.astype(float)) + 0.8
    inside = communities[rows] == communities[cols]
    centres = _discs(radii, communities[rows[~inside]], communities[cols[~inside]], weights[~inside])
    one_way = coo_array((weights[inside], (rows[inside], cols[inside])), shape=(p, p))
    graph = csr_array(one_way + one_way.T)
    places = np.zeros((p, 2))
    for community, size in enumerate(sizes.tolist()):
        members = np.flatnonzero(communities == community)
        places[members] = centres[community] + _disc(csr_array(graph[members][:, members]), math.sqrt(size))
    return places


def _discs(radii: np.ndarray, first: np.ndarray, second: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The centres ``(k, 2)`` of discs that do not overlap and stay close together; strong links pull them together."""
    k = len(radii)
    links = np.zeros((k, k))
    np.add.at(links, (first, second), weights)
    links += links.T
    links /= max(float(links.max(initial=0.0)), 1e-12)
    turn = np.arange(k) * _GOLDEN
    places: np.ndarray = np.sqrt(np.cumsum(radii**2))[:, None] * np.column_stack([np.cos(turn), np.sin(turn)])
    with numba_limited():
        _pack(places, radii, links)
    return places


def _disc(graph: csr_array, radius: float) -> np.ndarray:
    """Places ``(m, 2)`` of the m neurons of one community inside a disc about 0; the strongest are near the middle."""
    m = graph.shape[0]
    strength = np.asarray(graph.sum(axis=1))
    order = np.empty(m, dtype=np.int64)
    order[np.argsort(-strength, kind="stable")] = np.arange(m)
    turn = order * _GOLDEN
    places: np.ndarray = np.sqrt((order + 0.5) / m)[:, None] * np.column_stack([np.cos(turn), np.sin(turn)])
    step = max(1, m * m // _PAIRS)
    with numba_limited():
        _relax(places, graph.indptr, graph.indices, graph.data / max(float(graph.data.max(initial=0.0)), 1e-12), step)
    distance = np.sqrt((places**2).sum(axis=1))
    rank = np.empty(m)
    rank[np.argsort(distance, kind="stable")] = np.sqrt((np.arange(m) + 0.5) / m)
    # half of the way to an even filling of the disc, so that neither the middle nor the rim is crowded
    wanted = (rank + distance / max(float(distance.max()), 1e-12)) / 2
    places *= (wanted / np.maximum(distance, 1e-12))[:, None] * radius
    return places


def _fit_into(places: np.ndarray, linked: np.ndarray, bottom: float) -> None:
    """Scale ``places[linked]`` into the square above ``bottom``, keeping their proportions."""
    if not len(linked):
        return
    part = places[linked]
    low, extent = part.min(axis=0), max(float(np.ptp(part, axis=0).max()), 1e-9)
    room = 0.96 * (1 - bottom)
    part = (part - low) / extent * room
    margins = np.array([1, 2 * bottom + 0.04 + room]) - np.ptp(part, axis=0)
    places[linked] = part + margins / 2


def _rows_of(count: int, height: float) -> np.ndarray:
    """Places ``(count, 2)`` in rows from the bottom up to ``height``."""
    width = math.ceil(math.sqrt(count / max(height, 1e-9)))
    index = np.arange(count)
    lines = -(-count // width)
    return np.column_stack([0.02 + 0.96 * (index % width + 0.5) / width, height * (index // width + 0.5) / lines])


@njit(cache=True)
def _pack(places: np.ndarray, radii: np.ndarray, links: np.ndarray) -> None:
    """Move the discs in ``places`` in two steps."""
    # 1. by their links and towards the middle
    k = len(radii)
    moves = np.zeros((k, 2))
    for turn in range(400):
        pull = 0.15 * (1 - turn / 400)
        moves[:] = 0
        for i in range(k):
            for j in range(i + 1, k):
                dx, dy = places[j, 0] - places[i, 0], places[j, 1] - places[i, 1]
                apart = math.sqrt(dx * dx + dy * dy) + 1e-9
                over = radii[i] + radii[j] - apart
                share = pull * links[i, j] * max(-over, 0.0) if over < 0 else -over / 2
                total = radii[i] ** 2 + radii[j] ** 2
                a, b = share * radii[j] ** 2 / total * 2, share * radii[i] ** 2 / total * 2
                moves[i, 0] += a * dx / apart
                moves[i, 1] += a * dy / apart
                moves[j, 0] -= b * dx / apart
                moves[j, 1] -= b * dy / apart
        for i in range(k):
            places[i, 0] += 0.5 * moves[i, 0] - 0.02 * (1 - turn / 400) * places[i, 0]
            places[i, 1] += 0.5 * moves[i, 1] - 0.02 * (1 - turn / 400) * places[i, 1]
    # 2. apart, as far as they overlap
    for _ in range(300):
        worst = 0.0
        for i in range(k):
            for j in range(i + 1, k):
                dx, dy = places[j, 0] - places[i, 0], places[j, 1] - places[i, 1]
                apart = math.sqrt(dx * dx + dy * dy) + 1e-9
                over = radii[i] + radii[j] - apart
                if over > 0:
                    worst = max(worst, over)
                    total = radii[i] ** 2 + radii[j] ** 2
                    a, b = over * radii[j] ** 2 / total, over * radii[i] ** 2 / total
                    places[i, 0] -= a * dx / apart
                    places[i, 1] -= a * dy / apart
                    places[j, 0] += b * dx / apart
                    places[j, 1] += b * dy / apart
        if worst < 0.01:
            break


@njit(cache=True)
def _relax(places: np.ndarray, indptr: np.ndarray, indices: np.ndarray, weights: np.ndarray, step: int) -> None:
    """Fruchterman and Reingold (1991) in a disc of radius 1, each neuron pushed by every ``step``-th other in turn."""
    m = len(places)
    ideal = 1.0 / math.sqrt(m)
    moves = np.zeros((m, 2))
    for turn in range(_ROUNDS):
        furthest = 0.25 * (1 - turn / _ROUNDS) ** 1.5 + 0.002
        for i in range(m):
            x, y, mx, my = places[i, 0], places[i, 1], 0.0, 0.0
            for j in range((turn + i) % step, m, step):
                dx, dy = x - places[j, 0], y - places[j, 1]
                square = dx * dx + dy * dy + 1e-9
                push = step * ideal * ideal / square
                mx += dx * push
                my += dy * push
            for e in range(indptr[i], indptr[i + 1]):
                dx, dy = places[indices[e], 0] - x, places[indices[e], 1] - y
                pull = (0.2 + 0.8 * weights[e]) * math.sqrt(dx * dx + dy * dy) / ideal
                mx += dx * pull
                my += dy * pull
            moves[i, 0], moves[i, 1] = mx - x, my - y
        for i in range(m):
            size = math.sqrt(moves[i, 0] ** 2 + moves[i, 1] ** 2) + 1e-12
            scale = min(size, furthest) / size
            places[i, 0] += moves[i, 0] * scale
            places[i, 1] += moves[i, 1] * scale
