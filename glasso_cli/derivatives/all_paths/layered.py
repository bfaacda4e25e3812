"""Derivatives through layers of a known layout: the chain rule token by token, with one matrix for each MLP at a token.

Forward mode takes every linear module of a gated MLP for itself: two products for each direction. At one token, the
derivative of the neurons ``f(g) u`` is one matrix, ``diag(u f'(g)) W_gate + diag(f(g)) W_up``. It is formed once for all
directions, which then take one product. Logits move by a vector for each pair of tokens. These vectors are found by reverse
mode through the norms and the positions of the model itself, and are fewer than the numbers of queries in short texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING, Any

from glasso_cli.derivatives.all_paths.clean import AttentionAt, BlockAt, CleanPass, NormAt

if TYPE_CHECKING:
    from torch import Tensor

    from glasso_cli.derivatives.all_paths.blocks import Block, Chain
    from glasso_cli.derivatives.all_paths.derivative import Derivative

_MEMORY = 2**27  # numbers of a group of pushes
_VECTORS = 2**27  # numbers by which the logits of a layer move
_AT_ONCE = 16  # tokens that look


@dataclass(frozen=True, eq=False)
class LayeredDerivative:
    """As ``general``, whose targets are those of ``chain``, in forward mode, and in float32 on a processor.

    Batches of long rows go to ``general``, since the logits of a layer move by too many vectors there.
    """

    general: Derivative
    chain: Chain

    @property
    def step(self) -> float | None:
        """Of central differences: there are none."""
        return self.general.step

    def along(self, batch: Any, kept: Tensor, vectors: Tensor, units: Tensor) -> Iterator[tuple[slice, list[Tensor]]]:
        """As :meth:`glasso_cli.derivatives.all_paths.derivative.Derivative.along`."""
        seen = self._seen(batch)
        if seen is None:
            yield from self.general.along(batch, kept, vectors, units)
            return
        moved = _Moved(self, batch, kept, *seen)
        groups = ceil(len(vectors) / max(1, _MEMORY // self._numbers(batch, kept)))
        ends = [len(vectors) * group // groups for group in range(groups + 1)]
        for start, stop in pairwise(ends):
            yield slice(start, stop), moved.by(vectors[start:stop])

    def takes(self, batch: Any) -> bool:
        """Whether ``batch`` goes through the chain, and not to ``general``."""
        return self._seen(batch) is not None

    def _seen(self, batch: Any) -> tuple[list[NormAt], list[BlockAt]] | None:
        rows, time = batch.ids.shape
        fits = all(
            2 * rows * time * time * block.attention.heads * block.attention.output.shape[0] <= _VECTORS
            for block in self.chain.blocks
        )
        if not fits:
            return None
        with self.general.feed.errors():
            return CleanPass(self.general.feed, self.chain, self.general.targets.points).over(batch)

    def _numbers(self, batch: Any, kept: Tensor) -> int:
        """How many numbers a push takes in memory, about."""
        targets = sum(len(neurons) for neurons in self.general.targets.neurons)
        inside = max(
            2 * (len(block.attention.values) + block.attention.heads * batch.ids.shape[1])
            + sum(block.attention.output.shape)
            for block in self.chain.blocks
        )
        return int(len(kept) * targets + batch.ids.size * inside)


@dataclass(frozen=True, eq=False)
class _Moved:
    """The chain at the tokens of a batch."""

    of: LayeredDerivative
    batch: Any
    kept: Tensor  # (N,) of the rows times positions
    behind: Sequence[NormAt]  # the norms behind the source
    at: Sequence[BlockAt]

    @cached_property
    def tokens(self) -> list[int]:
        """All tokens that are there, as indices into rows times positions."""
        return [int(token) for token in self.batch.attention.reshape(-1).nonzero()[0]]

    def by(self, pushed: Tensor) -> list[Tensor]:
        """What the targets do where the output of the source moves by ``pushed (k, d)`` at every token, ``(k, N, p)`` each."""
        import torch

        chain, targets = self.of.chain, self.of.general.targets.neurons
        moves = pushed.new_zeros(self.batch.ids.size, *pushed.shape)
        for token in self.tokens:
            moves[token] = chain.written.weight * _through(self.behind, pushed, token)
        last = len(chain.blocks) - 1
        wanted = self.kept.tolist()
        places = {token: place for place, token in enumerate(wanted)}
        found = [pushed.new_empty(len(wanted), len(pushed), len(neurons)) for neurons in targets]
        for number, (block, at) in enumerate(zip(chain.blocks, self.at, strict=True)):
            heads = self._heads(block, at, moves)
            matrix = torch.empty_like(block.gate.weight())
            reads = [part.weight() for part in (block.gate, block.up) if part is not None]
            asked = [(found[target], targets[target]) for target, of in enumerate(chain.targets) if of == number]
            some = [(made, chosen) for made, chosen in asked if len(chosen) < len(matrix)]
            whole = {
                token: made[places[token]] for made, chosen in asked if len(chosen) == len(matrix) for token in wanted
            }
            for token in wanted if number == last else self.tokens:
                attended = heads[token] @ block.attention.output.T
                middle = moves[token] + block.attention.weight * _through(at.after, attended, token)
                read = _through(at.read, middle, token)
                neurons = torch.mm(read, _matrix(reads, at, token, matrix).T, out=whole.get(token))
                for made, chosen in some if token in places else ():
                    made[places[token]] = neurons[:, chosen]
                if block.written is not None:
                    wrote = _through(at.written, neurons @ block.written.matrix.T, token)
                    moves[token] = middle.add_(wrote, alpha=block.written.weight)
        return [made.transpose(0, 1) for made in found]

    def _heads(self, block: Block, at: BlockAt, moves: Tensor) -> Tensor:
        """How the results of all heads move where the stream does by ``moves (B T, k, d)``: ``(B T, k, H w)``."""
        attention = at.attention
        rows, time, n_heads, _ = attention.pattern.shape
        groups, width, k = attention.values.shape[1], attention.values.shape[3], moves.shape[1]
        values = moves.new_zeros(rows * time, k, groups * width)
        by_query = moves.new_zeros(rows, time, k, n_heads, time)  # of the token that looks
        by_key = moves.new_zeros(rows, time, k, n_heads, time)  # of the token that is looked at
        for token in self.tokens:
            row, place = divmod(token, time)
            values[token] = _through(at.before, moves[token], token) @ block.attention.values.T
            by_query[row, place] = (moves[token] @ attention.by_query[token].T).unflatten(1, (n_heads, time))
            by_key[row, place] = (moves[token] @ attention.by_key[token].T).unflatten(1, (n_heads, time))
        made = moves.new_empty(rows, time, k, n_heads, width)
        for row in range(rows):
            logits = by_query[row].add_(by_key[row].permute(3, 1, 2, 0))
            self._row(attention, row, logits, values.unflatten(0, (rows, time))[row], made[row])
        return made.flatten(3).flatten(0, 1)

    def _row(self, attention: AttentionAt, row: int, logits: Tensor, values: Tensor, made: Tensor) -> None:
        """The moves ``made (T, k, H, w)`` of the heads in a row, from those of logits ``(T, k, H, T)`` and values ``(T, k, G w)``."""
        import torch

        pattern = attention.pattern[row]  # (T, H, T)
        groups, time, width = attention.values.shape[1:]
        shared, k = pattern.shape[1] // groups, values.shape[1]
        for start in range(0, time, _AT_ONCE):
            some = slice(start, min(start + _AT_ONCE, time))
            weights = pattern[some, None]
            change = logits[some].mul_(weights)
            change -= weights * change.sum(-1, keepdim=True)
            for group in range(groups):
                heads = slice(group * shared, (group + 1) * shared)
                moved = values.unflatten(2, (groups, width))[:, :, group].reshape(time, k * width)
                passed = (pattern[some, heads].flatten(0, 1) @ moved).reshape(-1, shared, k, width)
                looked = torch.matmul(change[:, :, heads], attention.values[row, group])
                torch.add(looked, passed.transpose(1, 2), out=made[some, :, heads])


def _through(norms: Sequence[NormAt], moves: Tensor, token: int) -> Tensor:
    for norm in norms:
        moves = norm.of(moves, token)
    return moves


def _matrix(reads: Sequence[Tensor], at: BlockAt, token: int, out: Tensor) -> Tensor:
    """The derivative of the neurons of an MLP by what it reads at a token, ``(p, d)``, in the memory of ``out``."""
    import torch

    torch.mul(reads[0], at.by_gate[token, :, None], out=out)
    if at.by_up is not None:
        out.addcmul_(reads[1], at.by_up[token, :, None])
    return out
