"""The layers between a source MLP and its last target, where each adds attention and then an MLP to the stream.

The layout is that of the closed form (:mod:`glasso_cli.derivatives.layout.pair`). Nothing is held here, so attention must
also be a softmax of the products of queries and keys. Whether the whole gives the derivatives of the network is measured
(:mod:`glasso_cli.derivatives.all_paths.check`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from glasso_cli.derivatives.layout.linear import weight_of
from glasso_cli.derivatives.layout.pair import LayerPair, layer_pair
from glasso_cli.errors import InputError
from glasso_cli.hooks import resolve_hook_points
from glasso_cli.hooks.point import whole
from glasso_cli.models.layers import find_layers

if TYPE_CHECKING:
    from torch import Tensor

    from glasso_cli.derivatives.layout.linear import LinearPart
    from glasso_cli.derivatives.layout.norms import Norm
    from glasso_cli.derivatives.layout.pair import Attention, Function
    from glasso_cli.hooks import HookPoint
    from glasso_cli.models.loaded import LoadedModel


@dataclass(frozen=True, eq=False)
class Written:
    """What an MLP adds to the stream: ``weight`` times the norms of what its output projection gives."""

    matrix: Tensor  # (d, p), of the output projection
    norms: tuple[Norm, ...]
    weight: float


@dataclass(frozen=True, eq=False)
class Block:
    """One layer: attention reads the stream, then the MLP reads the stream with what attention added."""

    path: str  # of the module of the layer
    attention: Attention
    read: tuple[Norm, ...]  # between the stream and the MLP
    gate: LinearPart
    up: LinearPart | None
    function: Function
    written: Written | None  # None in the last layer

    def norms(self) -> tuple[Norm, ...]:
        """All norms over the stream."""
        return (
            *self.attention.before,
            *self.attention.after,
            *self.read,
            *(self.written.norms if self.written else ()),
        )


@dataclass(frozen=True, eq=False)
class Chain:
    """What the source writes, and the layers behind it up to that of the last target."""

    written: Written
    blocks: tuple[Block, ...]
    targets: tuple[int, ...]  # the number of the block of each target


def chain_of(loaded: LoadedModel, source: HookPoint, targets: Sequence[HookPoint]) -> Chain | None:
    """The layers from ``source`` to ``targets``, or None where a layer has another layout, or one of them is no MLP."""
    layers = [target.layer for target in targets]
    if source.layer is None or None in layers or source.part is not None:
        return None
    span = range(source.layer, max(layer for layer in layers if layer is not None) + 1)
    try:
        points = resolve_hook_points(loaded.model, [f"mlp.{layer}" for layer in span])
        if len(points) != len(span) or any(
            whole(target) != whole(points[target.layer - span.start])  # type: ignore[operator]
            for target in (source, *targets)
        ):
            return None
        pairs = [layer_pair(loaded, *ends) for ends in pairwise(points)]
    except InputError:
        return None
    stack = find_layers(loaded.model)
    written = [_written(loaded, pair) for pair in pairs]
    blocks: list[Block] = []
    for pair, after in zip(pairs, [*written[1:], None], strict=True):
        if pair.attention is None or pair.target.layer is None:
            return None
        path = stack.path_of(pair.target.layer)
        blocks.append(Block(path, pair.attention, pair.read, pair.gate, pair.up, pair.function, after))
    return Chain(written[0], tuple(blocks), tuple(layer - span.start - 1 for layer in layers if layer is not None))


def _written(loaded: LoadedModel, pair: LayerPair) -> Written:
    matrix = weight_of(loaded.model.get_submodule(pair.source.module))
    through = matrix
    for norm in pair.written:
        through = norm.through(through)
    return Written(matrix, pair.written, float((pair.write * through).sum() / through.square().sum().clamp(min=1e-30)))
