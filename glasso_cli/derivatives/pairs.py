"""From sums over tokens to the expected derivative of every pair of neurons, with its error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from glasso_cli.derivatives.errors import RootMeanSquares, weighted_deviations
from glasso_cli.derivatives.maps import Maps
from glasso_cli.derivatives.sums import PairSums

_VALUES = 2**25  # numbers in memory at a time, of the derivatives of a group of targets by path


@dataclass(frozen=True, eq=False)
class ClosedTargets:
    """The derivatives of c target neurons by all m source neurons, in the units of the activations."""

    targets: slice
    mean: np.ndarray  # (c, m): over tokens
    error: np.ndarray  # (c, m): standard error of the mean, over documents
    direct: np.ndarray  # (c, m): the part of the mean along the stream, without attention
    direct_error: np.ndarray  # (c, m)
    _counts: np.ndarray  # (B,) tokens of each block
    _by_path: np.ndarray  # (c, R K, m): derivative per unit of response times scale
    _second: np.ndarray  # (B, c, R K (R K + 1) / 2): sums of products of two responses times two scales

    def rms(self, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The root mean squares over tokens of chosen pairs ``(E,)`` and their standard errors."""
        sums = RootMeanSquares(self._counts, len(rows))
        found = np.empty((len(self._counts), len(rows)), np.float32)
        borders = np.searchsorted(rows, np.arange(len(self.mean) + 1))
        one, other = np.triu_indices(self._by_path.shape[1])
        twice = np.where(one == other, 1, 2).astype(np.float32)[:, None]
        for target, (start, stop) in enumerate(pairwise(borders)):
            if stop > start:
                values = self._by_path[target][:, columns[start:stop]]
                found[:, start:stop] = self._second[:, target] @ (values[one] * values[other] * twice)
        for block, squares in enumerate(found):
            sums.add(block, squares)
        return sums.finish()


def derivatives(sums: PairSums, maps: Maps) -> Iterator[ClosedTargets]:
    """The derivatives of all pairs, one group of targets after the other.

    The error is the delete-one-block jackknife of Busing, Meijer and van der Leeden (1999). The mean is a ratio of sums,
    so the pseudo-value of a block less the mean is the mean over the block less the mean over all.
    """
    paths, _, sources = maps.writes.shape
    responses, p, _ = maps.reads.shape
    tokens = sums.counts.sum()
    first = sums.by_factor()
    whole = first.sum(0) / tokens  # (p, R K)
    _, spread = weighted_deviations(sums.counts, first)  # (B, p, R K)
    factors = np.concatenate([whole[None], spread]).transpose(1, 0, 2).astype(np.float32)  # (p, 1 + B, R K)
    step = max(1, _VALUES // (sources * (responses * paths + 2 * factors.shape[1])))
    along = np.arange(responses * paths) % paths == 0
    for start in range(0, p, step):
        group = slice(start, min(start + step, p))
        reads = maps.reads[:, group]
        size = reads.shape[1]
        by_path = np.empty((size, responses * paths, sources), np.float32)
        for response in range(responses):
            for path in range(paths):
                by_path[:, response * paths + path] = reads[response] @ maps.writes[path]
        made = np.matmul(factors[group], by_path)  # (c, 1 + B, m)
        direct = np.matmul(factors[group][:, :, along], by_path[:, along])
        yield ClosedTargets(
            targets=group,
            mean=made[:, 0],
            error=np.sqrt(np.square(made[:, 1:]).sum(1)),
            direct=direct[:, 0],
            direct_error=np.sqrt(np.square(direct[:, 1:]).sum(1)),
            _counts=sums.counts,
            _by_path=by_path,
            _second=sums.products(group),
        )


def deviations(sums: PairSums, maps: Maps, targets: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """What each block adds to the error of chosen pairs, ``(E, B)``: the root of its jackknife weight times its mean less that of all.

    ``targets (E,)`` and ``sources (E,)`` are indices into the maps. The squares of a pair add up to that of its error.
    """
    paths, d, _ = maps.writes.shape
    responses = len(maps.reads)
    first = sums.by_factor()
    filled, spread = weighted_deviations(sums.counts, first)
    found = np.zeros((len(targets), len(sums.counts)), np.float32)
    step = max(1, _VALUES // (d * (responses + paths)))
    for start in range(0, len(targets), step):
        group = slice(start, start + step)
        reads, writes = maps.reads[:, targets[group]], maps.writes[:, :, sources[group]]
        by_path = np.stack([np.einsum("ed,de->e", one, other) for one in reads for other in writes])  # (R K, e)
        found[group, filled] = np.einsum("bef,fe->eb", spread[:, targets[group]], by_path)
    return found
