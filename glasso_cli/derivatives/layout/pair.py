"""From the neurons of one layer to those of the next: every path of the residual stream, as matrices and scales.

A path is a matrix times a number per token. Every statement about the two layers is an equality of tensors in one short
pass: this norm reads what that module gave, this sum is the stream plus what attention gave. Names of classes and modules
play no part, and :mod:`glasso_cli.derivatives.frozen` checks the whole by differentiation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING

from glasso_cli.derivatives.layout.linear import LinearPart, weight_of
from glasso_cli.derivatives.layout.norms import Norm
from glasso_cli.derivatives.layout.seen import Layer, ModuleCall, alike, seen_layers
from glasso_cli.errors import InputError
from glasso_cli.hooks.neurons import NEURON_TOLERANCE, activation_functions, linear_parts, linear_widths, probe_ids
from glasso_cli.models.layers import find_layers

if TYPE_CHECKING:
    from torch import Tensor, nn

    from glasso_cli.hooks import HookPoint
    from glasso_cli.models.loaded import LoadedModel

Function = Callable[["Tensor"], "Tensor"]
_PROBE = range(5, 18)  # token ids of the short pass
_NO_MODULE = 1e-6  # a weight of attention in the sum, below which it is not part of the sum


@dataclass(frozen=True, eq=False)
class Attention:
    """The values of a layer's heads and what they write, on the way to the MLP of the same layer."""

    module: nn.Module
    before: tuple[Norm, ...]
    values: Tensor  # (value heads * width, d)
    output: Tensor  # (d, heads * width)
    after: tuple[Norm, ...]
    weight: float  # of what attention gives in the sum of the stream
    heads: int
    value_heads: int

    def through(self, columns: Tensor) -> Iterator[Tensor]:
        """What every head writes where its input changes by ``columns (d, m)``: one ``(d, m)`` for each head."""
        for norm in self.before:
            columns = norm.through(columns)
        core = self.values @ columns
        width = self.output.shape[1] // self.heads
        shared = self.heads // self.value_heads
        for head in range(self.heads):
            group = head // shared
            written = self.output[:, head * width : (head + 1) * width] @ core[group * width : (group + 1) * width]
            for norm in self.after:
                written = norm.through(written)
            yield self.weight * written


@dataclass(frozen=True, eq=False)
class LayerPair:
    """How neurons at ``source`` reach neurons at ``target``, in the next layer, with patterns and scales held."""

    source: HookPoint
    target: HookPoint
    write: Tensor  # (d, p): what a unit of each neuron writes into the stream, times ``written`` scales
    written: tuple[Norm, ...]  # norms between the output projection and the stream of the next layer
    attention: Attention | None  # None where the MLP does not read what attention of its own layer gives
    read: tuple[Norm, ...]  # norms between the stream and the MLP
    gate: LinearPart  # what the activation function takes
    up: LinearPart | None  # what multiplies it, in a gated MLP
    function: Function

    @property
    def n_paths(self) -> int:
        """Paths from a source neuron to the input of the target's MLP: the stream, and each head."""
        return 1 + (self.attention.heads if self.attention is not None else 0)

    @property
    def n_responses(self) -> int:
        """2 for a gated MLP, whose neurons respond to the gate and to the up-projection; 1 for a plain one."""
        return 1 if self.up is None else 2

    def norms(self) -> Iterator[Norm]:
        """All norms on the way."""
        yield from self.written
        if self.attention is not None:
            yield from self.attention.before
            yield from self.attention.after
        yield from self.read

    def writes(self, neurons: Tensor) -> Iterator[Tensor]:
        """For each path, what a unit of the source ``neurons (m,)`` adds to the input of the target's MLP, ``(d, m)``."""
        columns = self.write[:, neurons]
        paths = [columns] if self.attention is None else [columns, *self.attention.through(columns)]
        for written in paths:
            for norm in self.read:
                written = norm.through(written)
            yield written


def layer_pair(loaded: LoadedModel, source: HookPoint, target: HookPoint) -> LayerPair:
    """The paths from ``source``, the neurons of an MLP, to ``target``, those of the next layer.

    Raises :class:`InputError` for a network whose layers are connected in any other way than the closed form knows.
    """
    assert source.layer is not None
    assert target.layer is not None
    stack = find_layers(loaded.model)
    if source.run is not None or target.run is not None:
        raise unknown(source, target, "one module is several layers")
    ids = probe_ids(loaded.model, _PROBE)
    layers = seen_layers(loaded.model, stack, (source.layer, target.layer), ids)
    if len(layers) < 2:
        raise unknown(source, target, "a layer takes no tensor")
    return _Finder(loaded, source, target, *layers).found()


def unknown(source: HookPoint, target: HookPoint, why: str) -> InputError:
    """That the closed form does not know how two layers are connected."""
    return InputError(
        f"The closed form of influence does not know how '{source.label}' reaches '{target.label}' in this network: {why}.",
        "Leave this pair out of influence.layers; docs/influence.md lists what the closed form knows.",
    )


@dataclass(frozen=True, eq=False)
class _Finder:
    loaded: LoadedModel
    source: HookPoint
    target: HookPoint
    above: Layer  # the source's
    below: Layer  # the target's

    def found(self) -> LayerPair:
        stream = self.below.given
        projection = self._run_of(self.above, self.source)
        after, written = self._norm_of(self.above, projection.made)
        outer, summed = self._norm_to(self.above, stream)
        if summed.shape != written.shape:
            raise self._unknown("the residual stream is not one vector per token")
        weight = self._weight_in(summed, written)
        write = weight_of(projection.module)
        for norm in after:
            write = norm.through(write)
        write = weight * write
        for norm in outer:
            write = norm.through(write)
        gate, up, function, taken = self._neurons()
        read, middle = self._norm_to(self.below, taken)
        return LayerPair(
            source=self.source,
            target=self.target,
            write=write,
            written=(*after, *outer),
            attention=self._attention(stream, middle),
            read=read,
            gate=gate,
            up=up,
            function=function,
        )

    # -- the source's layer ---------------------------------------------------------------------------

    def _run_of(self, layer: Layer, point: HookPoint) -> ModuleCall:
        """The run of the output projection whose input holds the neurons."""
        runs = [call for call in layer.calls if call.name == point.module]
        if len(runs) != 1 or not linear_widths(runs[0].module):
            raise self._unknown(f"'{point.module}' does not run once as a linear module")
        return runs[0]

    def _weight_in(self, summed: Tensor, written: Tensor) -> float:
        """The weight of ``written`` in the sum that is the stream, whatever else is in the sum."""
        rests = list(self.above.streams())
        rests += [self.above.given + rest for rest in rests]
        for rest in rests:
            weight = _weight(summed - rest, written)
            if weight != 0 and self._alike(rest + weight * written, summed):
                return weight
        raise self._unknown("what the MLP of the first layer gives is not simply added to the residual stream")

    # -- the target's layer ---------------------------------------------------------------------------

    def _neurons(self) -> tuple[LinearPart, LinearPart | None, Function, Tensor]:
        """The linear modules that give gate and value, the activation function, and what both modules read."""
        neurons = self._run_of(self.below, self.target).given
        parts = [
            (LinearPart(call.name, call.module, outputs), part, call.given)
            for call in self.below.linear(attention=False)
            for outputs, part in linear_parts(call.made, neurons)
        ]
        for function in activation_functions(self.loaded.model):
            for gate, values, given in parts:
                if self._alike(function(values), neurons):
                    return gate, None, function, given
            for (gate, values, given), (up, others, also_given) in permutations(parts, 2):
                if self._alike(function(values) * others, neurons) and self._alike(given, also_given):
                    return gate, up, function, given
        raise self._unknown("the neurons of the second layer are not act(a) or act(a) * b of what one tensor gives")

    def _attention(self, stream: Tensor, middle: Tensor) -> Attention | None:
        """The heads between ``stream``, the input of the layer, and ``middle``, what the MLP or its norm reads."""
        if self._alike(middle, stream):
            return None
        if len(self.below.attention) != 1:
            raise self._unknown("attention of the second layer does not run through transformers' attention functions")
        call = self.below.attention[0]
        readers = [run for run in self.below.linear(attention=True) if self._alike(run.given, call.made)]
        if not readers:
            raise self._unknown("no linear module reads the results of the heads as they are")
        output = readers[0]
        after, written = self._norm_of(self.below, output.made)
        weight = _weight(middle - stream, written)
        if abs(weight) < _NO_MODULE or not self._alike(stream + weight * written, middle):
            raise self._unknown("the MLP of the second layer does not read the stream plus what attention gives")
        values, given = self._values(call.values)
        before, read = self._norm_to(self.below, given)
        if not self._alike(read, stream):
            raise self._unknown("attention of the second layer does not read the stream")
        return Attention(
            module=call.module,
            before=before,
            values=values,
            output=weight_of(output.module),
            after=after,
            weight=weight,
            heads=call.heads,
            value_heads=call.value_heads,
        )

    def _values(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """The matrix ``(value heads * width, d)`` that gives the values of heads, and what it is applied to.

        The values are outputs of a linear module, in any order and among others: keys and queries, say.
        """
        import torch

        for run in self.below.linear(attention=True):
            if run.made.shape[1] < values.shape[1] or len(run.made) != len(values):  # or of other tokens
                continue
            nearest = torch.cdist(values.T.contiguous(), run.made.T.contiguous()).argmin(1)
            if self._alike(run.made[:, nearest], values):
                return weight_of(run.module)[nearest], run.given
        raise self._unknown("the values of the heads are not what a linear module gives")

    # -- norms ----------------------------------------------------------------------------------------

    def _norm_of(self, layer: Layer, given: Tensor) -> tuple[tuple[Norm, ...], Tensor]:
        """The norm in ``layer`` that reads ``given``, if there is one, and what comes out."""
        for norm, call in layer.norms():
            if self._alike(call.given, given):
                return (norm,), call.made
        return (), given

    def _norm_to(self, layer: Layer, made: Tensor) -> tuple[tuple[Norm, ...], Tensor]:
        """The norm in ``layer`` that gives ``made``, if there is one, and what goes in."""
        for norm, call in layer.norms():
            if self._alike(call.made, made):
                return (norm,), call.given
        return (), made

    def _alike(self, first: Tensor, second: Tensor) -> bool:
        return alike(first, second, self.loaded.dtype if self.loaded.dtype in NEURON_TOLERANCE else "float32")

    def _unknown(self, why: str) -> InputError:
        return unknown(self.source, self.target, why)


def _weight(rest: Tensor, part: Tensor) -> float:
    """How often ``part`` is in ``rest``, by least squares; 1 where it is nearly 1, since most networks have no such weight."""
    weight = float((rest * part).sum() / (part * part).sum().clamp(min=1e-30))
    return 1.0 if abs(weight - 1) < 1e-3 else weight
