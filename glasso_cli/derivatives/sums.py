"""Sums over tokens, block of documents by block, from which the derivatives of all pairs follow.

For K paths, p target neurons and the responses r of a target (to its gate, and to its up-projection): the sums of r times
scale, ``K x p`` for each response and block; and over all blocks the sums of products of two responses and two scales,
which give the mean square.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
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
    """The sums of one pair of layers over B blocks: K paths, R responses (1 or 2), p target neurons; all float64."""

    counts: np.ndarray  # (B,) int64, tokens
    first: np.ndarray  # (B, R, K, p): response times scale
    second: np.ndarray  # (R (R + 1) / 2, K (K + 1) / 2, p): two responses times two scales, over all blocks

    def __add__(self, other: PairSums) -> PairSums:
        return PairSums(self.counts + other.counts, self.first + other.first, self.second + other.second)

    def by_factor(self) -> np.ndarray:
        """``first`` with responses and paths as one axis, ``(B, p, R K)``."""
        blocks, responses, paths, p = self.first.shape
        return np.asarray(self.first.reshape(blocks, responses * paths, p).transpose(0, 2, 1))

    def products(self) -> np.ndarray:
        """``second`` as one symmetric matrix for each target, ``(p, R K, R K)``."""
        _, responses, paths, p = self.first.shape
        whole = np.empty((p, responses, paths, responses, paths))
        for products, (r, s) in zip(self.second, combinations_with_replacement(range(responses), 2)):
            for values, (k, m) in zip(products, combinations_with_replacement(range(paths), 2)):
                for a, b in ((r, s), (s, r)):
                    whole[:, a, k, b, m] = values
                    whole[:, a, m, b, k] = values
        return whole.reshape(p, responses * paths, responses * paths)


class SummedFactors:
    """Adds up the factors of one pair of layers, batch by batch."""

    def __init__(self, pair: LayerPair, blocks: int, targets: Tensor) -> None:
        """``targets (p,)`` are the neurons of the target layer that count."""
        import torch

        responses, paths = pair.n_responses, pair.n_paths
        double: Any = {"dtype": torch.float64, "device": targets.device}
        self._targets = targets
        self._counts = np.zeros(blocks, np.int64)
        self._first = torch.zeros(blocks, responses, paths, len(targets), **double)
        pairs = (responses * (responses + 1) // 2, paths * (paths + 1) // 2)
        self._second = torch.zeros(*pairs, len(targets), **double)

    def add(self, factors: TokenFactors, blocks: Tensor) -> None:
        """Add tokens; ``blocks (N,)`` is the block of each."""
        import torch

        responses = [response[:, self._targets] for response in factors.responses()]
        scales = factors.scales
        for block in blocks.unique().tolist():
            rows = blocks == block
            self._counts[block] += int(rows.sum())
            for place, response in enumerate(responses):
                self._first[block, place] += scales[rows].T @ response[rows]
        upper = torch.triu_indices(scales.shape[1], scales.shape[1], device=scales.device)
        products = (scales[:, upper[0]] * scales[:, upper[1]]).T
        for place, (one, other) in enumerate(combinations_with_replacement(responses, 2)):
            self._second[place] += products @ (one * other)

    def finish(self) -> PairSums:
        """The sums."""
        return PairSums(self._counts, self._first.cpu().numpy(), self._second.cpu().numpy())


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
