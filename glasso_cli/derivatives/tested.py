"""Which pairs have an influence beyond the minimum effect: p-values pair by pair, then q-values over all pairs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Protocol

import numpy as np

from glasso_cli.inference.p_values.false_discovery import q_values_among
from glasso_cli.inference.p_values.minimum_effect import Tail

_LARGEST = 200.0  # standard errors beyond the minimum effect; beyond, every p-value is the same


class TargetGroup(Protocol):
    """The derivatives of c target neurons by all m source neurons, in the units of the activations."""

    @property
    def targets(self) -> slice: ...

    @property
    def mean(self) -> np.ndarray:
        """Over tokens, ``(c, m)``."""

    @property
    def error(self) -> np.ndarray:
        """Standard error of the mean, over documents, ``(c, m)``."""

    @property
    def direct(self) -> np.ndarray:
        """The part of the mean along the stream, without attention, ``(c, m)``."""

    @property
    def direct_error(self) -> np.ndarray:
        """Its standard error, ``(c, m)``."""

    def rms(self, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The root mean squares over tokens of chosen pairs ``(E,)``, and their standard errors.

        ``rows`` are targets of the group in increasing order, and ``columns`` sources.
        """


@dataclass(frozen=True, eq=False)
class PairTable:
    """E pairs of neurons; derivatives in standard deviations of the target per standard deviation of the source."""

    sources: np.ndarray  # (E,) int32
    targets: np.ndarray  # (E,) int32
    mean: np.ndarray  # (E,) float32
    error: np.ndarray
    direct: np.ndarray
    direct_error: np.ndarray
    rms: np.ndarray
    rms_error: np.ndarray
    p: np.ndarray  # (E,) float64

    def chosen(self, which: np.ndarray) -> PairTable:
        """Some of the pairs."""
        return replace(self, **{item.name: getattr(self, item.name)[which] for item in fields(self)})

    @classmethod
    def joined(cls, tables: Sequence[PairTable]) -> PairTable:
        """Several tables one after the other."""
        return cls(*(np.concatenate([getattr(table, item.name) for table in tables]) for item in fields(cls)))


@dataclass(frozen=True, eq=False)
class Standard:
    """The units of one pair of layers: standard deviations of the m sources and the p targets, and their numbers."""

    source_std: np.ndarray  # (m,)
    target_std: np.ndarray  # (p,)
    sources: np.ndarray  # (m,) int32, the numbers that the table gives them
    targets: np.ndarray  # (p,) int32


def pairs_tested(
    groups: Iterable[TargetGroup], standard: Standard, *, min_effect: float, freedom: float, largest_p: float
) -> PairTable:
    """All pairs whose p-value is at most ``largest_p``.

    The p-value is that of H0: the mean is at most ``min_effect`` in absolute value, by Student's t with ``freedom``.
    """
    tail = Tail(freedom, _LARGEST)
    tables = []
    for group in groups:
        scale = standard.source_std / standard.target_std[group.targets, None]
        mean, error = group.mean * scale, group.error * scale
        known = error > 0
        spread = np.where(known, error, 1.0)
        size = np.where(known, np.abs(mean) / spread, np.where(np.abs(mean) > min_effect, np.inf, 0.0))
        p = np.exp(tail.log_beyond(size, np.where(known, min_effect / spread, 0.0)))
        rows, columns = np.nonzero(p <= largest_p)
        rms, rms_error = group.rms(rows, columns)
        unit = scale[rows, columns]
        tables.append(
            PairTable(
                sources=standard.sources[columns],
                targets=standard.targets[group.targets][rows],
                mean=mean[rows, columns].astype(np.float32),
                error=error[rows, columns].astype(np.float32),
                direct=(group.direct[rows, columns] * unit).astype(np.float32),
                direct_error=(group.direct_error[rows, columns] * unit).astype(np.float32),
                rms=(rms * unit).astype(np.float32),
                rms_error=(rms_error * unit).astype(np.float32),
                p=p[rows, columns],
            )
        )
    return PairTable.joined(tables)


def rates(table: PairTable, tests: int) -> np.ndarray:
    """The q-values ``(E,)`` of the pairs of ``table`` among ``tests``, by Benjamini and Hochberg.

    Where pairs were left out whose p-value is above some rate, q-values up to that rate are right, and all others above.
    """
    return q_values_among(table.p, np.zeros(0), tests)
