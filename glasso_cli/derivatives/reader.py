"""The numbers per token that the closed form needs, read from passes of the model.

A path from a source neuron to the gate of a target neuron is a matrix times a number per token. Along the stream, the
number is the product of the scales of the norms on the way. Through a head, it is the sum over source tokens of the
attention pattern times the scales before, times the scales after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from glasso_cli.derivatives.attention import AttentionCall, watched_attention
from glasso_cli.hooks.record import first_tensor

if TYPE_CHECKING:
    from torch import Tensor, nn

    from glasso_cli.derivatives.layout.norms import Norm
    from glasso_cli.derivatives.layout.pair import Attention, LayerPair


@dataclass(frozen=True, eq=False)
class TokenFactors:
    """Of N tokens: how the target neurons respond, and the number of each path.

    The derivative of target j at a token, for source neuron i moved by one unit at every token, is
    ``sum over paths k of scales[:, k] * (by_gate[:, j] * A_kji + by_up[:, j] * B_kji)``, where A and B are what the gate and
    the up-projection of j read of what i writes on path k.
    """

    by_gate: Tensor  # (N, p): u f'(g) of a gated MLP, f'(g) of a plain one
    by_up: Tensor | None  # (N, p): f(g)
    scales: Tensor  # (N, paths)

    def responses(self) -> Iterator[Tensor]:
        """The response to the gate, and to the up-projection if there is one."""
        yield self.by_gate
        if self.by_up is not None:
            yield self.by_up


@dataclass(eq=False)
class PairReader:
    """Sees one pair of layers in every pass of the block of :func:`pairs_read`."""

    pair: LayerPair
    centre: Tensor | None = None  # (m,) means of the sources that are ablated; None where none are
    sources: Tensor | None = None  # (m,) their places at the source hook point
    _scales: dict[int, Tensor] = field(default_factory=dict)  # (batch * time,) by the id of the norm
    _heads: Tensor | None = None  # (batch * time, heads): pattern times the scales before, summed over source tokens
    _moved: Tensor | None = None  # (batch * time, m): from the source neurons to their means
    _moved_heads: Tensor | None = None  # (batch * time, heads, m): as ``_heads``, times what the sources move by
    _made: dict[str, Tensor] = field(default_factory=dict)  # outputs of gate and up-projection, (batch * time, width)

    def take(self, kept: Tensor) -> TokenFactors:
        """The factors at the tokens ``kept``, indices ``(N,)`` into batch times time of the last pass."""
        import torch

        pair = self.pair
        gate = self._made[pair.gate.name][kept][:, pair.gate.outputs]
        with torch.enable_grad():
            given = gate.detach().clone().requires_grad_()
            value = pair.function(given)
            (slope,) = torch.autograd.grad(value.sum(), given)
        by_up = None
        if pair.up is not None:
            slope = slope * self._made[pair.up.name][kept][:, pair.up.outputs]
            by_up = value.detach()
        paths = self._product(pair.written)[:, None]
        if pair.attention is not None:
            assert self._heads is not None
            through = self._heads * self._product(pair.attention.after)[:, None]
            paths = torch.cat([paths, through], dim=1)
        paths = paths * self._product(pair.read)[:, None]
        return TokenFactors(slope, by_up, paths[kept])

    def moves(self, kept: Tensor) -> Iterator[Tensor]:
        """For each path, what reaches the target's MLP on it where every source is set to its mean, ``(N, m)``.

        It is that of one unit, in the place of the scales of :class:`TokenFactors`.
        """
        assert self._moved is not None
        read = self._product(self.pair.read)
        yield (self._moved * (self._product(self.pair.written) * read)[:, None])[kept]
        if self.pair.attention is not None:
            assert self._moved_heads is not None
            after = (self._product(self.pair.attention.after) * read)[kept, None]
            for head in range(self.pair.attention.heads):
                yield self._moved_heads[kept, head] * after

    def _product(self, norms: Sequence[Norm]) -> Tensor:
        import torch

        some = next(iter(self._made.values()))
        product = torch.ones(len(some), device=some.device)
        for norm in norms:
            product = product * self._scales[id(norm)]
        return product

    def norm_ran(self, norm: Norm) -> Callable[..., None]:
        """The hook that keeps the scales of ``norm``."""

        def keep(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            given, made = first_tensor(args or kwargs), first_tensor(output)
            assert given is not None
            assert made is not None
            self._scales[id(norm)] = norm.scales(given, made).reshape(-1)

        return keep

    def linear_ran(self, name: str) -> Callable[..., None]:
        """The hook that keeps what the linear module called ``name`` gives."""

        def keep(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
            made = first_tensor(output)
            assert made is not None
            self._made[name] = made.detach().reshape(-1, made.shape[-1]).float()

        return keep

    def heads_ran(self, attention: Attention, call: AttentionCall) -> None:
        """Keep what the heads make of the scales of the source tokens."""
        import torch

        batch, groups, time, width = call.value.shape
        before = torch.ones(batch * time, device=call.value.device)
        for norm in (*self.pair.written, *attention.before):
            before = before * self._scales[id(norm)]
        values = before.to(call.value.dtype).reshape(batch, 1, time, 1).expand(batch, groups, time, width)
        made = first_tensor(call.of(values.contiguous()))
        assert made is not None
        self._heads = made[..., 0].reshape(batch * time, -1).float()
        if self._moved is not None:
            moved = (self._moved * before[:, None]).to(call.value.dtype).reshape(batch, 1, time, -1)
            made = first_tensor(call.of(moved.expand(-1, groups, -1, -1).contiguous()))
            assert made is not None
            self._moved_heads = made.reshape(batch * time, made.shape[2], -1).float()

    def source_ran(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """The hook that keeps how far the source neurons are from their means."""
        given = first_tensor(args or kwargs)
        assert given is not None
        assert self.centre is not None
        self._moved = self.centre - given.reshape(-1, given.shape[-1])[:, self.sources].float()


@contextmanager
def pairs_read(model: nn.Module, readers: Sequence[PairReader]) -> Iterator[None]:
    """Every pass of the block is seen by ``readers``, and must reach the neurons of the last target."""
    attended = {id(reader.pair.attention.module): reader for reader in readers if reader.pair.attention is not None}

    def watch(call: AttentionCall) -> Any:
        reader = attended.get(id(call.module))
        if reader is not None and reader.pair.attention is not None:
            reader.heads_ran(reader.pair.attention, call)
        return call.of(call.value)

    with ExitStack() as hooks:
        for reader in readers:
            pair = reader.pair
            if reader.centre is not None:
                source = model.get_submodule(pair.source.module)
                hooks.callback(source.register_forward_pre_hook(reader.source_ran, with_kwargs=True).remove)
            for norm in pair.norms():
                hooks.callback(norm.module.register_forward_hook(reader.norm_ran(norm), with_kwargs=True).remove)
            for part in {part.name: part for part in (pair.gate, pair.up) if part is not None}.values():
                hooks.callback(part.module.register_forward_hook(reader.linear_ran(part.name)).remove)
        hooks.enter_context(watched_attention(watch))
        yield
