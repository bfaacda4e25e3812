"""Mean squares of what ablation does at single tokens, for all pairs of neurons.

The change of target j at token t by source i is a sum over responses r and paths k: c_rj(t) M_ki(t) A_rkji. Its square is a
sum over pairs of those terms. For each pair, the sum over tokens is one matrix product, of c_r c_r' and M_k M_k'.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from glasso_cli.derivatives.maps import Maps
    from glasso_cli.derivatives.reader import TokenFactors

_TOKENS = 1_024  # that are held until they are summed
_TARGETS = 256  # in a group


class SummedSquares:
    """Adds up the squares over tokens, ``(p, m)`` float32 for p targets and m sources."""

    def __init__(self, maps: Maps, targets: Tensor) -> None:
        """``targets (p,)`` are the neurons of the target layer that count."""
        import torch

        self._targets = targets
        self._reads = torch.from_numpy(maps.reads).to(targets.device)  # (R, p, d)
        self._writes = torch.from_numpy(maps.writes).to(targets.device)  # (K, d, m)
        self._squares = torch.zeros(len(targets), self._writes.shape[2], device=targets.device)
        self._held: list[tuple[Tensor, Tensor]] = []  # responses (R, N, p) and moves (K, N, m)
        self.tokens = 0

    def add(self, factors: TokenFactors, moves: Iterable[Tensor], chosen: Tensor) -> None:
        """Add the tokens ``chosen (N,)`` bool of a batch; ``moves`` has what moves on each path, ``(N, m)``."""
        import torch

        if not bool(chosen.any()):
            return
        responses = torch.stack([response[chosen][:, self._targets] for response in factors.responses()])
        self._held.append((responses, torch.stack([moved[chosen] for moved in moves])))
        self.tokens += responses.shape[1]
        if sum(part.shape[1] for part, _ in self._held) >= _TOKENS:
            self._add_held()

    def finish(self) -> np.ndarray:
        """The sums ``(p, m)``."""
        if self._held:
            self._add_held()
        return np.asarray(self._squares.clamp(min=0).cpu().numpy())

    def _add_held(self) -> None:
        import torch

        responses, moves = (torch.cat(parts, dim=1) for parts in zip(*self._held))
        self._held = []
        for start in range(0, len(self._targets), _TARGETS):
            group = slice(start, start + _TARGETS)
            maps = torch.matmul(self._reads[:, None, group], self._writes)  # (R, K, c, m)
            for k, other_k in combinations_with_replacement(range(len(moves)), 2):
                moved = moves[k] * moves[other_k]
                for r, other_r in combinations_with_replacement(range(len(responses)), 2):
                    products = (responses[r][:, group] * responses[other_r][:, group]).T @ moved
                    crossed = [
                        ((r, k), (other_r, other_k)),
                        ((r, other_k), (other_r, k)),
                    ]  # have the same sum over tokens
                    for first, second in sorted({tuple(sorted(terms)) for terms in crossed}):
                        weight = 1 if first == second else 2
                        self._squares[group].addcmul_(products, maps[first] * maps[second], value=weight)
