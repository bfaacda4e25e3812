"""Pairs of neurons that several methods looked at, joined into one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from glasso_cli.across.readings import readings

MEASURED_ROWS = 100_000  # of the table, up to which pairs fill it that were measured and in which nothing was found


@dataclass(frozen=True, eq=False)
class Findings:
    """What one method says of ordered pairs of p neurons: E pairs with numbers, and at which pairs it looked.

    It looked at the pair (s, t) if ``looked_from[k, s]`` and ``looked_to[k, t]`` for some k of K. A pair that it looked at and
    that is not among the E was not found, and its numbers were not kept.
    """

    sources: np.ndarray  # (E,)
    targets: np.ndarray  # (E,)
    found: np.ndarray  # (E,) bool
    numbers: Mapping[str, np.ndarray]  # each (E,): value, error, q_value, and others
    looked_from: np.ndarray  # (K, p) bool
    looked_to: np.ndarray  # (K, p) bool

    @property
    def p(self) -> int:
        return int(self.looked_from.shape[1])

    @property
    def keys(self) -> np.ndarray:
        """A number for each of the E pairs, ``(E,)``; see :func:`pair_keys`."""
        return pair_keys(self.sources, self.targets, self.p)

    def places(self, wanted: np.ndarray) -> np.ndarray:
        """Where the pairs with these keys ``(M,)`` stand among the E, ``(M,)``; -1 where they do not."""
        order = np.argsort(self.keys, kind="stable")
        keys = self.keys[order]
        if not len(keys):
            return np.full(len(wanted), -1)
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(keys[at] == wanted, order[at], -1)

    def looked(self, sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Whether the method looked at pairs ``(M,)``, ``(M,)`` bool."""
        return np.asarray((self.looked_from[:, sources] & self.looked_to[:, targets]).any(axis=0))


@dataclass(frozen=True, eq=False)
class Column:
    """What one method says of the M pairs of a table."""

    looked: np.ndarray  # (M,) bool
    found: np.ndarray  # (M,) bool
    numbers: Mapping[str, np.ndarray] = field(default_factory=dict)  # each (M,), nan where it was not kept

    @property
    def value(self) -> np.ndarray:
        """The estimates, ``(M,)``."""
        return self.numbers["value"]

    @property
    def error(self) -> np.ndarray:
        """Their standard errors, ``(M,)``."""
        return self.numbers["error"]

    @property
    def q_value(self) -> np.ndarray:
        """Their q-values, ``(M,)``."""
        return self.numbers["q_value"]


@dataclass(frozen=True, eq=False)
class EdgesAcross:
    """M ordered pairs of neurons with what each method says of them; a method that did not run is None.

    Pairs in which something was found come first; both kinds go from strong to weak.
    """

    sources: np.ndarray  # (M,)
    targets: np.ndarray  # (M,)
    association: Column | None
    influence: Column | None
    effects: Mapping[str, Column]  # by kind of change
    reading: np.ndarray  # (M,) int8, see readings.py
    size: np.ndarray  # (M,) the largest |value| that was found; where none was, the largest |effect|

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def columns(self) -> list[Column]:
        """All columns that are there."""
        return [column for column in (self.association, self.influence, *self.effects.values()) if column is not None]

    @property
    def found(self) -> np.ndarray:
        """Whether any method found something, ``(M,)`` bool."""
        return np.asarray(np.any([column.found for column in self.columns], axis=0))


def joined(
    association: Findings | None,
    influence: Findings | None,
    effects: Mapping[str, Findings],
    *,
    measured_rows: int = MEASURED_ROWS,
) -> EdgesAcross:
    """The pairs in which one of the methods found something, and the pairs whose effect was measured.

    Measured pairs in which nothing was found are taken from strong to weak effects, until the table has ``measured_rows``. Raises
    ``ValueError`` without any method.
    """
    methods = [method for method in (association, influence, *effects.values()) if method is not None]
    if not methods:
        raise ValueError("there is nothing to join")
    p = methods[0].p
    found = np.unique(np.concatenate([method.keys[method.found] for method in methods]))
    keys = np.concatenate([found, _measured(list(effects.values()), found, measured_rows - len(found))])
    sources, targets = keys // p, keys % p
    columns = [None if m is None else _column(m, sources, targets) for m in (association, influence)]
    measured = {change: _column(method, sources, targets) for change, method in effects.items()}
    size, nothing = _sizes([column for column in (*columns, *measured.values()) if column is not None], measured)
    order = np.lexsort((keys, -size, nothing))
    picked = [None if column is None else _rows(column, order) for column in columns]
    return EdgesAcross(
        sources[order],
        targets[order],
        picked[0],
        picked[1],
        {change: _rows(column, order) for change, column in measured.items()},
        _read(picked[0], picked[1], len(order)),
        size[order],
    )


def pair_keys(sources: np.ndarray, targets: np.ndarray, p: int) -> np.ndarray:
    """A number for each ordered pair of p neurons, ``(E,)`` int64."""
    return np.asarray(sources.astype(np.int64) * p + targets)


def _measured(effects: Sequence[Findings], found: np.ndarray, room: int) -> np.ndarray:
    """The keys of measured pairs beside those that were found, the strongest first, at most ``room``."""
    if not effects or room <= 0:
        return np.empty(0, np.int64)
    keys = np.concatenate([method.keys for method in effects])
    sizes = np.nan_to_num(np.concatenate([np.abs(method.numbers["value"]) for method in effects]))
    beside = ~np.isin(keys, found)
    keys = keys[beside][np.lexsort((keys[beside], -sizes[beside]))]
    _, first = np.unique(keys, return_index=True)  # a pair has an effect for each kind of change
    strongest: np.ndarray = keys[np.sort(first)[:room]]
    return strongest


def _column(method: Findings, sources: np.ndarray, targets: np.ndarray) -> Column:
    places = method.places(pair_keys(sources, targets, method.p))
    kept = places >= 0

    def at(values: np.ndarray, missing: float | bool) -> np.ndarray:
        if not len(values):
            return np.full(len(places), missing)
        return np.where(kept, values[np.maximum(places, 0)], missing)

    numbers = {name: at(np.asarray(values, dtype=np.float64), np.nan) for name, values in method.numbers.items()}
    return Column(method.looked(sources, targets), at(method.found, False), numbers)


def _sizes(columns: Sequence[Column], measured: Mapping[str, Column]) -> tuple[np.ndarray, np.ndarray]:
    """The size of every pair, and whether nothing was found in it."""
    sizes = np.max([np.where(column.found, np.abs(np.nan_to_num(column.value)), 0) for column in columns], axis=0)
    nothing = ~np.any([column.found for column in columns], axis=0)
    for column in measured.values():
        sizes[nothing] = np.maximum(sizes, np.abs(np.nan_to_num(column.value)))[nothing]
    return sizes, nothing


def _rows(column: Column, order: np.ndarray) -> Column:
    numbers = {name: values[order] for name, values in column.numbers.items()}
    return Column(column.looked[order], column.found[order], numbers)


def _read(association: Column | None, influence: Column | None, amount: int) -> np.ndarray:
    if association is None or influence is None:
        nothing = np.zeros(amount, bool)
        return readings(nothing, nothing, nothing)
    return readings(association.found, influence.found, association.looked & influence.looked)
