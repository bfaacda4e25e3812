"""Sums over the tokens of one block of documents, from which the derivatives of all pairs of neurons follow, with errors.

Where sources are pushed, their derivatives are summed as they are. Where directions are pushed, the derivative by a neuron
at a token is a product of matrices, too dear at every token. The mean needs no more than sums over tokens. The mean square
is estimated without bias from fewer combinations of tokens: of each group of n tokens, the mean, and a few combinations
with random signs whose sum is zero. What does not vary within a group has no error, and neither has one large token.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from glasso_cli.derivatives.errors import weighted_deviations

if TYPE_CHECKING:
    from torch import Tensor

    from glasso_cli.derivatives.all_paths.push import Push

GROUP = 16  # tokens
RANDOM = 3  # combinations with random signs of each group
_NUMBERS = 2**26  # of the derivatives of a batch in memory
_VALUES = 2**25  # of a group of targets in memory


@dataclass(frozen=True, eq=False)
class Combinations:
    """R weighted sums of N tokens, such that their squares add up to those of the tokens, on average.

    ``sums (R,)`` are the weights with which they add up to the sum of all tokens.
    """

    rows: Tensor  # (R, N) float32
    sums: Tensor  # (R,) float32

    @classmethod
    def of(cls, tokens: int, most: int, seed: Sequence[int]) -> Combinations:
        """About ``most`` combinations at most, and no more than ``GROUP`` asks for."""
        import torch

        rng = np.random.default_rng(list(seed))
        size = max(GROUP, ceil(tokens * (1 + RANDOM) / most))
        rows, sums = [], []
        for start in range(0, tokens, size):
            n = min(size, tokens - start)
            if n <= 1 + RANDOM:  # the tokens themselves
                part, weights = np.eye(n), np.ones(n)
            else:
                signs = rng.choice([-1.0, 1.0], (RANDOM, n))
                signs -= signs.mean(1, keepdims=True)
                part = np.concatenate([np.full((1, n), n**-0.5), signs * RANDOM**-0.5])
                weights = np.array([n**0.5, *[0.0] * RANDOM])
            rows.append(np.pad(part, ((0, 0), (start, tokens - start - n))))
            sums.append(weights)
        return cls(torch.from_numpy(np.concatenate(rows)).float(), torch.from_numpy(np.concatenate(sums)).float())


@dataclass(frozen=True, eq=False)
class DerivativeSums:
    """The sums of one source hook point and one target over one block: K pushes, m sources, p targets."""

    first: np.ndarray  # (K, p) float32: derivatives along the pushes, over tokens
    second: np.ndarray  # (m, p) float32: squares of the derivatives by the sources, over tokens


class SummedDerivatives:
    """Adds up the derivatives of several targets along the pushes at one hook point, batch by batch."""

    def __init__(self, push: Push, widths: Sequence[int], device: object) -> None:
        """``widths`` are the numbers of neurons of the targets."""
        import torch

        self._push, self._device = push, device
        self._first = [torch.zeros(len(push.coordinates), p, device=device) for p in widths]  # type: ignore[call-overload]
        self._second = [torch.zeros(len(push.neurons), p, device=device) for p in widths]  # type: ignore[call-overload]
        self.combinations = 0  # of tokens, whose squares were summed

    def add(self, derivatives: Iterable[tuple[slice, Sequence[Tensor]]], tokens: int, seed: Sequence[int]) -> None:
        """Add the derivatives at the N ``tokens`` of a batch, ``(k, N, p)`` of each target for one group of pushes after the other."""
        if self._push.writes is None:
            self.combinations += tokens
            for group, found in derivatives:
                for first, second, values in zip(self._first, self._second, found, strict=True):
                    first[group] += values.sum(1)
                    second[group] += values.square().sum(1)
            return
        self._add_directions(derivatives, tokens, seed)

    def _add_directions(
        self, derivatives: Iterable[tuple[slice, Sequence[Tensor]]], tokens: int, seed: Sequence[int]
    ) -> None:
        import torch

        assert self._push.writes is not None
        most = _NUMBERS // sum(first.numel() for first in self._first)
        combined = Combinations.of(tokens, max(1 + RANDOM, most), seed)
        rows, sums = combined.rows.to(self._first[0]), combined.sums.to(self._first[0])
        self.combinations += len(rows)
        held = [first.new_empty(len(first), len(rows), first.shape[1]) for first in self._first]
        for group, found in derivatives:
            for kept, values in zip(held, found, strict=True):
                torch.matmul(rows, values.to(kept), out=kept[group])
        writes = torch.from_numpy(self._push.writes).to(self._first[0])
        for first, second, kept in zip(self._first, self._second, held, strict=True):
            first += torch.einsum("r,krp->kp", sums, kept)
            for row in range(len(rows)):
                second += (writes.T @ kept[:, row]).square_()

    def finish(self) -> list[DerivativeSums]:
        """The sums of each target."""
        return [
            DerivativeSums(first.cpu().numpy(), second.cpu().numpy())
            for first, second in zip(self._first, self._second, strict=True)
        ]


@dataclass(frozen=True, eq=False)
class DifferentiatedTargets:
    """The derivatives of c target neurons by all m source neurons, in the units of the activations."""

    targets: slice
    mean: np.ndarray  # (c, m): over tokens
    error: np.ndarray  # (c, m): standard error of the mean, over documents
    direct: np.ndarray  # (c, m): not a number, since paths are not told apart
    direct_error: np.ndarray
    _rms: tuple[np.ndarray, np.ndarray]  # (m, c) each: root mean squares over tokens, and their standard errors

    def rms(self, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The root mean squares over tokens of chosen pairs ``(E,)``, and their standard errors."""
        rms, error = self._rms
        return rms[columns, rows], error[columns, rows]


def derivatives(
    counts: np.ndarray, first: np.ndarray, rms: tuple[np.ndarray, np.ndarray], writes: np.ndarray | None
) -> Iterator[DifferentiatedTargets]:
    """The derivatives of all pairs, one group of targets after the other, with the errors of :func:`glasso_cli.derivatives.pairs.derivatives`.

    ``counts (B,)`` are tokens per block, ``first (B, K, p)`` sums over the tokens of each, ``rms`` root mean squares and their
    errors ``(m, p)``, and ``writes (K, m)`` are those of the pushes.
    """
    tokens = counts.sum()
    sources, p = rms[0].shape
    step = max(1, _VALUES // ((1 + np.count_nonzero(counts)) * sources))
    for start in range(0, p, step):
        group = slice(start, min(start + step, p))
        part = first[:, :, group].astype(np.float64)
        whole = part.sum(0) / tokens
        _, spread = weighted_deviations(counts, part)
        factors = np.concatenate([whole[None], spread]).transpose(2, 0, 1).astype(np.float32)  # (c, 1 + B, K)
        made = factors if writes is None else np.matmul(factors, writes)
        none = np.broadcast_to(np.float32(np.nan), made[:, 0].shape)
        yield DifferentiatedTargets(
            targets=group,
            mean=made[:, 0],
            error=np.sqrt(np.square(made[:, 1:]).sum(1)),
            direct=none,
            direct_error=none,
            _rms=(rms[0][:, group], rms[1][:, group]),
        )


def deviations(
    counts: np.ndarray, first: np.ndarray, writes: np.ndarray | None, targets: np.ndarray, sources: np.ndarray
) -> np.ndarray:
    """As :func:`glasso_cli.derivatives.pairs.deviations`, from the sums of :func:`derivatives`: ``(E, B)``."""
    found = np.zeros((len(targets), len(counts)), np.float32)
    step = max(1, _VALUES // (len(counts) * (1 if writes is None else len(writes))))
    for start in range(0, len(targets), step):
        group = slice(start, start + step)
        if writes is None:
            part = first[:, sources[group], targets[group]][:, None].astype(np.float64)  # (B, 1, e)
            by_push = np.ones((1, part.shape[2]))
        else:
            part, by_push = first[:, :, targets[group]].astype(np.float64), writes[:, sources[group]]
        filled, spread = weighted_deviations(counts, part)
        found[group, filled] = np.einsum("bke,ke->eb", spread, by_push)
    return found
