"""What a chain of layers does at the tokens of one batch: all that the derivative of each layer at each token needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from glasso_cli.derivatives.attention import AttentionCall, watched_attention
from glasso_cli.hooks import record
from glasso_cli.hooks.record import first_tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from glasso_cli.derivatives.all_paths.blocks import Block, Chain
    from glasso_cli.derivatives.layout.linear import LinearPart
    from glasso_cli.derivatives.layout.norms import Norm
    from glasso_cli.hooks import HookPoint
    from glasso_cli.intervention.feed import Feed

_LEAST = 1e-6  # of a pattern: smaller entries say nothing of the products of queries and keys
_BENT = 1e-4  # of the spread of logits: how far they may be from products of queries and keys


class _Attended(Exception):  # noqa: N818 - not an error
    """Ends the run of a layer at its attention; never leaves this module."""


@dataclass(frozen=True, eq=False)
class NormAt:
    """The derivative of a norm at N tokens: ``gain * scale * (dx - x (x . dx) scale² / d)``, ``dx`` centred where x is."""

    x: Tensor  # (N, d), centred where the norm centres
    along: Tensor  # (N, d): x scale² / d
    gain: Tensor  # (N, d): gain times scale
    centred: bool

    @classmethod
    def of_pass(cls, norm: Norm, given: Tensor, made: Tensor) -> NormAt:
        """From the input and the output ``(N, d)`` of ``norm``."""
        scale = norm.scales(given, made)[:, None]
        x = given - given.mean(1, keepdim=True) if norm.centred else given
        return cls(x, x * scale.square() / x.shape[1], norm.gain * scale, norm.centred)

    def of(self, moves: Tensor, token: int) -> Tensor:
        """What becomes of small moves ``(k, d)`` of the input at a token."""
        import torch

        if self.centred:
            moves = moves - moves.mean(1, keepdim=True)
        return torch.addr(moves, moves @ self.along[token], self.x[token], alpha=-1).mul_(self.gain[token])


@dataclass(frozen=True, eq=False)
class AttentionAt:
    """The attention of a layer at the tokens of a batch of B rows of T tokens: H heads, G value heads of width w.

    A logit moves by ``by_query · dx`` of the token that looks, plus ``by_key · dx`` of the token that is looked at, where
    ``dx`` is the move of the stream before the layer.
    """

    pattern: Tensor  # (B, T, H, T): of the token that looks, a head, and the token that is looked at
    values: Tensor  # (B, G, T, w)
    by_query: Tensor  # (B T, H T, d): heads, and the tokens that are looked at
    by_key: Tensor  # (B T, H T, d): heads, and the tokens that look


@dataclass(frozen=True, eq=False)
class BlockAt:
    """One layer at N tokens."""

    attention: AttentionAt
    before: tuple[NormAt, ...]
    after: tuple[NormAt, ...]
    read: tuple[NormAt, ...]
    written: tuple[NormAt, ...]
    by_gate: Tensor  # (N, p): how a neuron moves with its gate
    by_up: Tensor | None  # (N, p)


@dataclass(eq=False)
class CleanPass:
    """Passes of the network without a push, in which the layers of a chain are seen."""

    feed: Feed
    chain: Chain
    points: tuple[HookPoint, ...]  # the targets, where a pass ends
    _norms: dict[int, NormAt] = field(default_factory=dict)  # by the id of the norm
    _made: dict[str, Tensor] = field(default_factory=dict)  # outputs of gate and up-projection, (N, width)
    _calls: dict[str, tuple[Any, Any]] = field(default_factory=dict)  # what each layer was given

    def over(self, batch: Any) -> tuple[list[NormAt], list[BlockAt]] | None:
        """The norms behind the source, and every layer, over a batch; None where attention is no softmax of products."""
        import torch

        model, chain = self.feed.model, self.chain
        with ExitStack() as stack:
            stack.enter_context(torch.no_grad())
            stack.enter_context(torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH))
            recorder = stack.enter_context(record(model, self.points, detached=False))
            with self._seen():
                recorder.read(self.feed.call(batch, 1, False), self.feed.shaped(batch, 1), errors=nullcontext())
            found = []
            for block in chain.blocks:
                attention = self._attention(block)
                if attention is None:
                    return None
                found.append(self._block(block, attention))
        return self._norms_of(chain.written.norms), found

    @contextmanager
    def _seen(self) -> Iterator[None]:
        model, chain = self.feed.model, self.chain
        with ExitStack() as hooks:
            for norm in (*chain.written.norms, *(norm for block in chain.blocks for norm in block.norms())):
                hooks.callback(norm.module.register_forward_hook(self._norm_ran(norm), with_kwargs=True).remove)
            for block in chain.blocks:
                layer = model.get_submodule(block.path)
                hooks.callback(layer.register_forward_pre_hook(self._layer_began(block.path), with_kwargs=True).remove)
                for part in {part.name: part for part in (block.gate, block.up) if part is not None}.values():
                    hooks.callback(part.module.register_forward_hook(self._linear_ran(part.name)).remove)
            yield

    def _norm_ran(self, norm: Norm) -> Callable[..., None]:
        def keep(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            given, made = first_tensor(args or kwargs), first_tensor(output)
            assert given is not None
            assert made is not None
            x = given.reshape(-1, given.shape[-1])
            self._norms[id(norm)] = NormAt.of_pass(norm, x, made.reshape(x.shape))

        return keep

    def _linear_ran(self, name: str) -> Callable[..., None]:
        def keep(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
            made = first_tensor(output)
            assert made is not None
            self._made[name] = made.reshape(-1, made.shape[-1])

        return keep

    def _layer_began(self, path: str) -> Callable[..., None]:
        def keep(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self._calls[path] = (args, kwargs)

        return keep

    def _norms_of(self, norms: Sequence[Norm]) -> list[NormAt]:
        return [self._norms[id(norm)] for norm in norms]

    def _block(self, block: Block, attention: AttentionAt) -> BlockAt:
        import torch

        def outputs(part: LinearPart) -> Tensor:
            return self._made[part.name][:, part.outputs]

        with torch.enable_grad():
            given = outputs(block.gate).clone().requires_grad_()
            value = block.function(given)
            (slope,) = torch.autograd.grad(value.sum(), given)
        return BlockAt(
            attention=attention,
            before=tuple(self._norms_of(block.attention.before)),
            after=tuple(self._norms_of(block.attention.after)),
            read=tuple(self._norms_of(block.read)),
            written=() if block.written is None else tuple(self._norms_of(block.written.norms)),
            by_gate=slope if block.up is None else slope * outputs(block.up),
            by_up=None if block.up is None else value.detach(),
        )

    def _attention(self, block: Block) -> AttentionAt | None:
        """The layer runs again from its input up to its attention, whose queries and keys are differentiated."""
        import torch

        seen: list[Any] = []

        def watch(call: AttentionCall) -> Any:
            if call.module is not block.attention.module:
                return call.of(call.value)
            sides: list[Tensor] = []  # queries, then keys
            values = call.value.detach()
            batch, groups, time, _ = values.shape
            each = torch.eye(time).expand(batch, groups, time, time).contiguous()
            with torch.no_grad():
                pattern = first_tensor(call.of(each, prepared=lambda tensor: sides.append(tensor) or tensor.detach()))  # type: ignore[func-returns-value]
            seen.extend((*sides, values, pattern))
            raise _Attended

        args, kwargs = self._calls[block.path]
        stream = first_tensor(args or kwargs)
        assert stream is not None
        leaf = stream.detach().clone().requires_grad_()
        args = tuple(leaf if value is stream else value for value in args)
        kwargs = {name: leaf if value is stream else value for name, value in kwargs.items()}
        with torch.enable_grad(), watched_attention(watch), suppress(_Attended):
            self.feed.model.get_submodule(block.path)(*args, **kwargs)
        if not seen:
            return None
        query, key, values, pattern = seen
        pattern = pattern.nan_to_num()
        shared = query.shape[1] // key.shape[1]
        scaling = scaling_of(pattern, query.detach(), key.detach().repeat_interleave(shared, 1))
        if scaling is None:
            return None
        by_query = _gradients(query, scaling * key.detach(), leaf, lambda head: (head, head // shared))
        by_key = _gradients(key, scaling * query.detach(), leaf, lambda head: (head // shared, head))
        return AttentionAt(pattern, values, by_query, by_key)


def scaling_of(pattern: Tensor, query: Tensor, key: Tensor) -> float | None:
    """The factor of the products of ``query (B, H, T, w)`` and ``key`` whose softmax is ``pattern (B, T, H, T)``.

    None where the pattern is no softmax of such products, with a mask, or says nothing of it.
    """
    import torch

    weights = pattern.transpose(1, 2).double()
    products = query.double() @ key.double().transpose(2, 3)
    weights = torch.where(weights > _LEAST, weights, 0.0)
    logits = torch.where(weights > 0, weights, 1.0).log()
    sums = weights.sum(-1, keepdim=True).clamp(min=1e-30)
    logits = logits - (weights * logits).sum(-1, keepdim=True) / sums
    products = products - (weights * products).sum(-1, keepdim=True) / sums
    spread = float((weights * products.square()).sum())
    if spread <= 0:
        return None
    scaling = float((weights * logits * products).sum()) / spread
    rest = float((weights * (logits - scaling * products).square()).sum())
    return scaling if rest <= _BENT**2 * float((weights * logits.square()).sum()) else None


def _gradients(made: Tensor, others: Tensor, leaf: Tensor, heads: Callable[[int], tuple[int, int]]) -> Tensor:
    """The gradients by the stream ``leaf (B, T, d)`` of products of ``made (B, M, T, w)`` and ``others (B, O, T, w)``.

    ``(B T, H T, d)``: of every token of ``made``, for each head and each token of ``others``. ``heads`` says which of both
    make a head.
    """
    import torch

    batch, _, time, _ = others.shape
    n_heads = max(made.shape[1], others.shape[1])
    found = leaf.new_empty(batch, time, n_heads, time, leaf.shape[-1])
    for head in range(n_heads):
        mine, other = heads(head)
        upstream = made.new_zeros(time, *made.shape)
        upstream[:, :, mine] = others[:, other].transpose(0, 1)[:, :, None]
        (gradient,) = torch.autograd.grad(made, leaf, upstream, is_grads_batched=True, retain_graph=True)
        found[:, :, head] = gradient.movedim(0, 2)
    return found.flatten(2, 3).flatten(0, 1)
