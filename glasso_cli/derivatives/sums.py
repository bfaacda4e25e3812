"""Sums over tokens, block of documents by block, from which the derivatives of all pairs follow.

For K paths, p target neurons and the responses r of a target (to its gate, and to its up-projection): the sums of r times
scale, ``K x p`` for each response and block; and those of products of two responses and two scales, which give the mean
square.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from glasso_cli.derivatives.layout.pair import LayerPair
    from glasso_cli.derivatives.maps import Maps
    from glasso_cli.derivatives.reader import TokenFactors


@dataclass(frozen=True, eq=False)
class PairSums:
    """The sums of one pair of layers over B blocks: K paths, R responses (1 or 2), p target neurons."""

    counts: np.ndarray  # (B,) int64, tokens
    first: np.ndarray  # (B, R, K, p) float64: response times scale
    second: np.ndarray  # (B, R (R + 1) / 2, K (K + 1) / 2, p) float32: two responses times two scales

    @classmethod
    def joined(cls, parts: Sequence[PairSums]) -> PairSums:
        """Those of one group of blocks after the other."""
        return cls(*(np.concatenate([getattr(part, item.name) for part in parts]) for item in fields(cls)))

    def by_factor(self) -> np.ndarray:
        """``first`` with responses and paths as one axis, ``(B, p, R K)``."""
        blocks, responses, paths, p = self.first.shape
        return np.asarray(self.first.reshape(blocks, responses * paths, p).transpose(0, 2, 1))

    def products(self, targets: slice) -> np.ndarray:
        """``second`` of c ``targets`` as the upper triangle of a symmetric matrix, ``(B, c, R K (R K + 1) / 2)``."""
        blocks, responses, paths, _ = self.first.shape
        second = self.second[..., targets]
        whole = np.empty((blocks, second.shape[-1], responses, paths, responses, paths), np.float32)
        for r_s, (r, s) in enumerate(combinations_with_replacement(range(responses), 2)):
            for k_m, (k, m) in enumerate(combinations_with_replacement(range(paths), 2)):
                for a, b in ((r, s), (s, r)):
                    whole[:, :, a, k, b, m] = whole[:, :, a, m, b, k] = second[:, r_s, k_m]
        size = responses * paths
        upper = np.triu_indices(size)
        return np.ascontiguousarray(whole.reshape(blocks, -1, size, size)[:, :, upper[0], upper[1]])


class SummedFactors:
    """Adds up the factors of one pair of layers over the tokens of some blocks, batch by batch."""

    def __init__(self, pair: LayerPair, blocks: Sequence[int], targets: Tensor) -> None:
        """``blocks`` are their numbers, and ``targets (p,)`` the neurons of the target layer that count."""
        import torch

        responses, paths = pair.n_responses, pair.n_paths
        double: Any = {"dtype": torch.float64, "device": targets.device}
        self._targets = targets
        self._place = {block: place for place, block in enumerate(blocks)}
        self._counts = np.zeros(len(blocks), np.int64)
        self._first = torch.zeros(len(blocks), responses, paths, len(targets), **double)
        pairs = (responses * (responses + 1) // 2, paths * (paths + 1) // 2)
        self._second = torch.zeros(len(blocks), *pairs, len(targets), **double)

    def add(self, factors: TokenFactors, blocks: Tensor) -> None:
        """Add tokens; ``blocks (N,)`` is the block of each."""
        import torch

        responses = [response[:, self._targets] for response in factors.responses()]
        scales = factors.scales
        upper = torch.triu_indices(scales.shape[1], scales.shape[1], device=scales.device)
        products = scales[:, upper[0]] * scales[:, upper[1]]
        crossed = [one * other for one, other in combinations_with_replacement(responses, 2)]
        for block in blocks.unique().tolist():
            rows, at = blocks == block, self._place[block]
            self._counts[at] += int(rows.sum())
            for place, response in enumerate(responses):
                self._first[at, place] += scales[rows].T @ response[rows]
            for place, values in enumerate(crossed):
                self._second[at, place] += products[rows].T @ values[rows]

    def finish(self) -> PairSums:
        """The sums."""
        return PairSums(self._counts, self._first.cpu().numpy(), self._second.float().cpu().numpy())


class SummedMoves:
    """Adds up what ablation moves, over the tokens of one block: ``R K p m`` float32, m sources and p targets."""

    def __init__(self, targets: Tensor) -> None:
        """``targets (p,)`` are the neurons of the target layer that count."""
        self._targets = targets
        self._sums: list[Tensor] = []  # (p, m), paths within responses

    def add(self, factors: TokenFactors, moves: Iterable[Tensor]) -> None:
        """Add tokens; ``moves`` has what moves on each path, ``(N, m)``."""
        paths = list(moves)
        products = [response[:, self._targets].T @ moved for response in factors.responses() for moved in paths]
        if not self._sums:
            self._sums = products
        else:
            for total, product in zip(self._sums, products, strict=True):
                total += product

    def finish(self, maps: Maps) -> np.ndarray:
        """The sum over tokens of how far each target is moved by the ablation of each source, ``(p, m)`` float32."""
        _, _, m = maps.writes.shape
        total = np.zeros((len(self._targets), m), np.float32)
        combined = ((reads, writes) for reads in maps.reads for writes in maps.writes)
        for (reads, writes), sums in zip(combined, self._sums):
            total += (reads @ writes) * sums.cpu().numpy()
        return total
