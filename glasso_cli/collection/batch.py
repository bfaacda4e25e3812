"""Activations of one batch, flat: one row a token, windows one after the other."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from glasso_cli.artifacts.metrics.collect import MASKS, SELDOM, TokenCounts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import torch

RULES = ("kept", *MASKS)  # what a token's rule can be: kept, or masked by one of the others


@dataclass(frozen=True, eq=False)
class ActivationBatch:
    """Values of p neurons at N tokens of b windows, longest window first.

    Masked tokens are present (contexts show them); ``rules`` says by an index into ``RULES`` what masked each.
    """

    values: torch.Tensor  # (N, p) float32
    tokens: torch.Tensor  # (N,) int64
    rules: torch.Tensor  # (N,) int64
    lengths: torch.Tensor  # (b,) int64, decreasing
    documents: torch.Tensor  # (b,) int64

    @property
    def kept(self) -> torch.Tensor:
        """Which tokens count, ``(N,)`` bool."""
        return self.rules == 0

    def token_counts(self) -> Counter[str]:
        """How many tokens each of ``RULES`` took, zeros included, except those of experts and images."""
        counts = dict(zip(RULES, self.rules.bincount(minlength=len(RULES)).tolist(), strict=True))
        return Counter({rule: count for rule, count in counts.items() if count or rule not in SELDOM})

    def masked(self, hit: torch.Tensor, rule: str) -> ActivationBatch:
        """The batch with the kept tokens among ``hit (N,)`` masked by ``rule``."""
        return replace(self, rules=self.rules.masked_fill(hit & self.kept, RULES.index(rule)))

    def windows(self, chosen: torch.Tensor) -> ActivationBatch:
        """The windows for which ``chosen (b,)`` is true."""
        rows = chosen.repeat_interleave(self.lengths)
        return ActivationBatch(
            values=self.values[rows],
            tokens=self.tokens[rows],
            rules=self.rules[rows],
            lengths=self.lengths[chosen],
            documents=self.documents[chosen],
        )

    def window_of(self) -> torch.Tensor:
        """The window of every token, ``(N,)``."""
        import torch

        rows = torch.arange(len(self.lengths), device=self.lengths.device)
        return torch.repeat_interleave(rows, self.lengths)

    def starts(self) -> torch.Tensor:
        """The row of the first token of every window, ``(b,)``."""
        return self.lengths.cumsum(0) - self.lengths

    def position_of(self) -> torch.Tensor:
        """The position of every token in its window, from 0, ``(N,)``."""
        import torch

        rows = torch.arange(len(self.tokens), device=self.tokens.device)
        return rows - self.starts().repeat_interleave(self.lengths)

    def padded(self, values: torch.Tensor, fill: float = 0) -> torch.Tensor:
        """Flat rows ``(N, …)`` as ``(b, T, …)``, ``fill`` beyond the end of each window."""
        shape = (len(self.lengths), int(self.lengths[0]), *values.shape[1:])
        out = values.new_full(shape, fill)
        rows = self.window_of() * shape[1] + self.position_of()
        out.flatten(0, 1).index_copy_(0, rows, values)
        return out


def add_counts(counters: Iterable[Mapping[str, int]]) -> TokenCounts:
    """Token counts by ``RULES`` added up."""
    total: Counter[str] = Counter()
    for counts in counters:
        total.update(counts)
    return TokenCounts(read=total.total(), **{rule: total[rule] for rule in RULES})


def join(batches: Sequence[ActivationBatch]) -> ActivationBatch:
    """Several batches as one, windows in the order they come in."""
    import torch

    return ActivationBatch(
        *(torch.cat([getattr(batch, field.name) for batch in batches]) for field in fields(ActivationBatch))
    )
