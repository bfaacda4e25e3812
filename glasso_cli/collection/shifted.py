"""The circular-shift null: second moments of neurons that no longer see the same tokens.

Every neuron's series is turned by an offset of its own. That keeps its values and their order, and with them every
marginal and autocorrelation, but breaks what neurons have in common at a token. Edges fitted to these moments are false.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from glasso_cli.collection.block_moments import BlockMoments

if TYPE_CHECKING:
    import torch

CHUNK = 4096  # tokens turned together: two neurons that share an offset in one chunk do not in the next
_PANEL = 64


class ShiftedTokens:
    """Hands turned tokens on to ``add``; tokens come in the order of the stream, in pieces of any size."""

    def __init__(self, seed: tuple[int, ...], add: Callable[[torch.Tensor], None]) -> None:
        self._add = add
        self._random = np.random.default_rng([*seed, 0x5417])
        self._held: list[torch.Tensor] = []
        self._count = 0

    def update(self, values: torch.Tensor) -> None:
        """Take tokens ``(n, p)``."""
        self._held.append(values)
        self._count += len(values)
        while self._count >= 2 * CHUNK:  # what is left at the end is never a short chunk
            self._turn(CHUNK)

    def finish(self) -> None:
        """Hand on what is left."""
        if self._count:
            self._turn(self._count)

    def _turn(self, count: int) -> None:
        import torch

        held = torch.cat(self._held)
        self._held, self._count = [held[count:]], len(held) - count
        self._add(rotate_columns(held[:count], self._random.integers(count, size=held.shape[1])))


class ShiftedMoments:
    """Accumulates one block; tokens come in the order of the stream, in pieces of any size."""

    def __init__(self, width: int, seed: tuple[int, ...], device: torch.device | str = "cpu") -> None:
        self._moments = BlockMoments(width, device)
        self._tokens = ShiftedTokens(seed, self._moments.update)

    def update(self, centred: torch.Tensor) -> None:
        """Add tokens ``(n, p)``, given as differences from the centre."""
        self._tokens.update(centred)

    def finish(self) -> np.ndarray:
        """The moments, packed row by row, ``(p (p + 1) / 2,)`` float64."""
        self._tokens.finish()
        return self._moments.finish().moments


def rotate_columns(values: torch.Tensor, offsets: np.ndarray) -> torch.Tensor:
    """``values (n, p)`` with column j rotated down by ``offsets[j]``."""
    import torch

    n = len(values)
    out = torch.empty_like(values)
    steps = torch.arange(n, device=values.device)[:, None]
    for columns in _panels(values.shape[1]):
        offset = torch.as_tensor(offsets[columns], device=values.device)
        out[:, columns] = values[:, columns].gather(0, (steps - offset) % n)
    return out


def _panels(width: int) -> Iterator[slice]:
    return (slice(start, start + _PANEL) for start in range(0, width, _PANEL))
