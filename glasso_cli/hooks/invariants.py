"""Checks that a model gives what its hook points promise, once at load; refused with the number.

What they guard against has happened to every tool that reads activations: a hook that never fires, the
wrong tensor under the right name, positions moved by padding, layers that turn to zeros across GPUs, a BOS
token put in twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from glasso_cli.errors import InputError
from glasso_cli.hooks.experts import expert_errors
from glasso_cli.hooks.heads import heads_in_pass
from glasso_cli.hooks.mixers import mixers_in_pass
from glasso_cli.hooks.neurons import NEURON_TOLERANCE, linear_widths, neuron_relations
from glasso_cli.hooks.point import HookPoint, whole
from glasso_cli.hooks.record import first_tensor, record
from glasso_cli.hooks.routed import experts_of
from glasso_cli.hooks.states import require_hidden_states
from glasso_cli.models.layers import find_layers
from glasso_cli.models.loaded import encode, padding_id

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

    from glasso_cli.models.layers import LayerStack
    from glasso_cli.models.loaded import LoadedModel

# How far two ways to compute a token's vector may be apart, relative to its norm: sums are taken in another
# order. Measured on Gemma 3 270M, all layers: 4e-6 (float32), 0.036 (bfloat16).
TOLERANCE = {"float32": 1e-3, "float16": 0.02, "bfloat16": 0.15}
TEXTS = (
    "The museum opens at nine; by noon the queue reaches the river.",
    "Nobody answered.",
    "In 1869 Mendeleev left gaps in his table for elements that nobody had seen yet; "
    "six years later gallium filled one of them.",
)


@dataclass(frozen=True)
class InvariantReport:
    """What was measured, per hook point: the worst token, relative to its norm; 0 is exact.

    ``projection``: module applied to the captured input, against the output it gave (input hook points of
    linear modules), or all experts of a module against its output. ``batching``: a text alone, against the same text in a right-padded batch. ``bos``:
    whether the tokenizer puts a BOS token before a text. ``gated``: the hook points that are proved to be ``act(a) * b``,
    whose neurons have an arbitrary sign.
    """

    projection: dict[str, float]
    batching: dict[str, float]
    tolerance: float
    bos: str
    n_texts: int
    gated: tuple[str, ...] = ()

    def as_meta(self) -> dict[str, Any]:
        """The report as JSON-ready data."""
        return asdict(self)


def check_hook_points(
    loaded: LoadedModel, hook_points: Sequence[HookPoint], texts: Sequence[str] | None = None
) -> InvariantReport:
    """What was measured at ``hook_points``, each of which is then known to be what it says.

    Every module runs, once a pass; every value is finite; an input hook point of a linear module reproduces
    that module's output; a text gives the same activations alone and in a ragged right-padded batch; BOS is
    not doubled; ``mlp.N`` is what an activation function gives, ``resid.N`` the model's own hidden state N + 1,
    ``head.N`` what a softmax over tokens gives, head beside head, and ``mixer.N`` passes on from token to token; all
    experts of a module together give its output. ``texts`` (two or more, of different lengths) replace the built-in ones.
    """
    ids = encode(loaded, texts or TEXTS)
    alone, projection = [], dict[str, float]()
    for row in ids:
        values, errors = _projection_errors(loaded, hook_points, row)
        alone.append(values)
        projection = {name: max(error, projection.get(name, 0.0)) for name, error in errors.items()}
    batched = _batched(loaded, hook_points, ids)
    batching = {
        point.name: max(difference(alone[i][j], batched[j][i, : len(row)]) for i, row in enumerate(ids))
        for j, point in enumerate(hook_points)
    }
    report = InvariantReport(projection, batching, TOLERANCE[loaded.dtype], _bos(loaded), len(ids))
    _refuse(report)
    longest = {"input_ids": max(ids, key=len)[None]}
    gated = prove_short_forms(loaded.model, loaded.dtype, find_layers(loaded.model), hook_points, longest)
    return replace(report, gated=gated)


def prove_short_forms(
    model: PreTrainedModel,
    dtype: str,
    stack: LayerStack,
    hook_points: Sequence[HookPoint],
    inputs: Mapping[str, Tensor],
) -> tuple[str, ...]:
    """The names of the hook points whose neurons are ``act(a) * b``.

    Raises :class:`InputError` for a short form that is not what it says on ``inputs`` of one document, arguments of the
    model by name.
    """
    gated = _prove_neurons(model, dtype, stack, hook_points, inputs)
    _prove_heads(model, stack, hook_points, inputs)
    _prove_mixers(model, stack, hook_points, inputs)
    require_hidden_states(model, stack, hook_points, inputs, TOLERANCE[dtype])
    return gated


# -- what is compared -----------------------------------------------------------------------------


def _bos(loaded: LoadedModel) -> str:
    bos = loaded.tokenizer.bos_token_id
    starts = loaded.tokenizer("a")["input_ids"][:1]
    return "added" if bos is not None and starts == [bos] else "not added"


def _projection_errors(
    loaded: LoadedModel, hook_points: Sequence[HookPoint], row: Tensor
) -> tuple[list[Tensor], dict[str, float]]:
    """Activations ``(time, width)`` of one text, and per linear input the error of recomputed output.

    The pass runs to its end, so that a module that runs twice is seen.
    """
    linear = {p: _whole(loaded.model, p) for p in hook_points if _reads_linear(loaded.model, p)}
    outputs = {point: _output_of(loaded.model, point) for point in linear}
    points = {point.name: point for point in [*hook_points, *linear.values(), *outputs.values()]}
    with ExitStack() as hooks, record(loaded.model, list(points.values()), stop=False) as recorder:
        find = getattr(loaded.model, "get_output_embeddings", None)  # a decoder that is read alone has no head
        head = find() if find is not None else None
        if head is not None:
            hooks.callback(head.register_forward_pre_hook(_copied).remove)
        seen = dict(zip(points, recorder.run(row[None]), strict=True))
    for point in hook_points:
        _refuse_non_finite(point, seen[point.name])
    errors = {
        point.name: difference(_apply(loaded.model, point, seen[tensor.name]), seen[outputs[point].name])
        for point, tensor in linear.items()
    }
    return [seen[point.name][0] for point in hook_points], errors | _expert_errors(loaded.model, hook_points, row)


def _copied(module: object, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Inputs with strides of their own: in bfloat16, torch takes 2 s for the logits of one token of a slice, 0.04 s of a copy."""
    return tuple(item.new_empty(item.shape).copy_(item) if hasattr(item, "new_empty") else item for item in args)


def _reads_linear(model: PreTrainedModel, point: HookPoint) -> bool:
    return point.side == "in" and linear_widths(model.get_submodule(point.module)) is not None


def _whole(model: PreTrainedModel, point: HookPoint) -> HookPoint:
    """All that the linear module reads of which ``point`` may be a part."""
    if point.part is None:
        return point
    widths = linear_widths(model.get_submodule(point.module)) or (0, 0)
    return HookPoint(whole(point), point.layer, widths[0], whole(point))


def _output_of(model: PreTrainedModel, point: HookPoint) -> HookPoint:
    name = f"{whole(point).rpartition(':')[0]}:out"
    widths = linear_widths(model.get_submodule(point.module)) or (0, 0)
    return HookPoint(name, point.layer, widths[1], name)


def _expert_errors(model: PreTrainedModel, hook_points: Sequence[HookPoint], row: Tensor) -> dict[str, float]:
    """Per expert, how far all experts of its module together are from the module's output."""
    experts = [point for point in hook_points if point.expert is not None]
    modules = {point.module: model.get_submodule(point.module) for point in experts}
    found = expert_errors(model, list(modules.values()), row[None]) if experts else {}
    never = [(None, float("inf"))]
    return {point.name: found.get(id(modules[point.module]), never)[0][1] for point in experts}


def _apply(model: PreTrainedModel, point: HookPoint, values: Tensor) -> Tensor:
    """What the module's weights make of captured input: the module's forward, past any hooks."""
    import torch

    module = model.get_submodule(point.module)
    weight = next(module.parameters())
    with torch.inference_mode():
        made = first_tensor(module.forward(values.to(weight.device, weight.dtype)))
        return values.new_zeros(()) if made is None else made.float().to(values.device)


def _batched(loaded: LoadedModel, hook_points: Sequence[HookPoint], rows: Sequence[Tensor]) -> list[Tensor]:
    from torch.nn.utils.rnn import pad_sequence

    ids = pad_sequence(list(rows), batch_first=True, padding_value=padding_id(loaded.tokenizer))
    mask = pad_sequence([row.new_ones(len(row)) for row in rows], batch_first=True)
    with record(loaded.model, hook_points) as recorder:
        return recorder.run(ids, mask)


def difference(first: Tensor, second: Tensor) -> float:
    """The largest distance of a token's vector in ``first`` from that in ``second``, over its norm."""
    distance, norm = (first - second).norm(dim=-1), second.norm(dim=-1)
    return float((distance / norm.clamp_min(1e-30)).max())


def _refuse_non_finite(point: HookPoint, values: Tensor) -> None:
    bad = int((~values.isfinite()).sum())
    if bad:
        raise InputError(
            f"Hook point '{point.name}' gives {bad} values that are not finite on a short text.",
            "Set model.dtype: float32; if it is float32, the checkpoint is damaged.",
        )


def _refuse(report: InvariantReport) -> None:
    allowed = f"(allowed {report.tolerance:g})"
    for name, error in report.projection.items():
        if error > report.tolerance and ":expert." in name:
            raise InputError(
                f"Hook point '{name}' does not hold the neurons of an expert: all experts of its module, computed from its "
                f"weights, differ from the module's output by {error:.2g} of its norm {allowed}.",
                "Choose another hook point, such as the residual stream ('resid.N').",
            )
        if error > report.tolerance:
            raise InputError(
                f"Hook point '{name}' is not what its module reads: the module applied to it "
                f"differs from the module's output by {error:.2g} of its norm {allowed}.",
                "Choose another hook point; this model changes the tensor on its way.",
            )
    for name, error in report.batching.items():
        if error > report.tolerance:
            raise InputError(
                f"Hook point '{name}' differs between a text alone and the same text in a padded "
                f"batch by {error:.2g} of its norm {allowed}.",
                "This model mixes padding into its tokens, or its dtype is too small: try model.dtype: float32.",
            )


def _prove_neurons(
    model: PreTrainedModel,
    dtype: str,
    stack: LayerStack,
    hook_points: Sequence[HookPoint],
    inputs: Mapping[str, Tensor],
) -> tuple[str, ...]:
    """The names of the points that are ``act(a) * b``; raises :class:`InputError` for an ``mlp.N`` that is no neurons."""
    read = [point for point in hook_points if _reads_linear(model, point)]
    relations = neuron_relations(model, stack, [point.module for point in read], inputs) if read else {}
    allowed = NEURON_TOLERANCE[dtype]
    for point in hook_points:
        found = relations.get(point.module)
        if found and found.error > allowed and point.kind == "mlp":
            raise InputError(
                f"Hook point '{point.name}' does not hold the neurons of an MLP: it differs from every act(a) "
                f"and act(a) * b of the linear modules before it by {found.error:.2g} of its norm (allowed {allowed:g}).",
                f"Name a module and a side instead, such as '{point.module}:out'.",
            )
    gated = [p.name for p in read if relations[p.module].gated and relations[p.module].error <= allowed]
    experts = [p for p in hook_points if p.expert is not None]
    return (*gated, *(p.name for p in experts if experts_of(model.get_submodule(p.module)).gated))


def _prove_heads(
    model: PreTrainedModel, stack: LayerStack, hook_points: Sequence[HookPoint], inputs: Mapping[str, Tensor]
) -> None:
    """Raise :class:`InputError` for a ``head`` point that is not made of heads for ``inputs``."""
    heads = [point for point in hook_points if point.kind == "head"]
    found = heads_in_pass(model, stack, inputs) if heads else {}
    for point in heads:
        count, size = found.get(id(model.get_submodule(point.module)), 0), point.width // (point.heads or 1)
        if count * size != _whole(model, point).width:
            raise InputError(
                f"Hook point '{point.name}' does not hold attention heads of {size} numbers on a text.",
                f"Name a module and a side instead, such as '{point.module}:out'.",
            )


def _prove_mixers(
    model: PreTrainedModel, stack: LayerStack, hook_points: Sequence[HookPoint], inputs: Mapping[str, Tensor]
) -> None:
    """Raise :class:`InputError` for a ``mixer`` point that passes nothing on from token to token."""
    mixers = [point for point in hook_points if point.kind == "mixer"]
    found = mixers_in_pass(model, stack, inputs) if mixers else frozenset()
    for point in mixers:
        if id(model.get_submodule(point.module)) not in found:
            raise InputError(
                f"Hook point '{point.name}' does not follow from earlier tokens on a text, so it is no mixer.",
                f"Name a module and a side instead, such as '{point.module}:out'.",
            )


# -- the price of a small dtype -------------------------------------------------------------------


@dataclass(frozen=True)
class DtypeDifference:
    """How far activations and correlations at a hook point move when the arithmetic is in a smaller dtype.

    ``relative_rms``: rms of the difference over the rms of the activations. ``correlation_rms`` and
    ``correlation_max``: the change of the correlations between neurons, over ``n_tokens`` tokens.
    """

    relative_rms: float
    correlation_rms: float
    correlation_max: float
    n_tokens: int


def dtype_difference(
    loaded: LoadedModel, hook_points: Sequence[HookPoint], input_ids: Tensor, attention_mask: Tensor
) -> dict[str, DtypeDifference]:
    """Per hook point, the difference to float32 arithmetic on one right-padded batch.

    The same weights, already rounded, are used in float32, so this is the rounding of the arithmetic alone.
    It takes the memory of a float32 copy of the weights for the duration of the call.
    """
    import torch

    in_float32 = partial(_call_with, loaded.model, _weights_in_float32(loaded.model))
    with record(loaded.model, hook_points) as recorder:
        own = recorder.run(input_ids, attention_mask)
        missed = [recorder.unrouted]
    with record(loaded.model, hook_points, call=in_float32) as recorder:
        exact = recorder.run(input_ids, attention_mask)
        missed.append(recorder.unrouted)
    inside = attention_mask.bool().to(own[0].device)
    for unrouted in missed:
        inside = inside if unrouted is None else inside & ~unrouted
    with torch.inference_mode():
        return {
            point.name: _dtype_difference(small[inside], full[inside])
            for point, small, full in zip(hook_points, own, exact, strict=True)
        }


def _weights_in_float32(model: PreTrainedModel) -> dict[str, Tensor]:
    """The weights of every module by their names, each once: a module that has two names would keep these weights."""
    once = {id(weight): weight.float() for weight in model.parameters()}
    return {
        f"{path}.{name}" if path else name: once[id(weight)]
        for path, module in model.named_modules()
        for name, weight in module.named_parameters(recurse=False, remove_duplicate=False)
    }


def _call_with(model: PreTrainedModel, weights: dict[str, Tensor], **inputs: Any) -> Any:
    from torch.func import functional_call

    return functional_call(model, weights, (), inputs, tie_weights=False)


def _dtype_difference(small: Tensor, full: Tensor) -> DtypeDifference:
    """From activations ``(tokens, width)`` of the same tokens."""
    relative = float((small - full).double().square().mean().sqrt() / full.double().square().mean().sqrt())
    moved = (_correlation(small) - _correlation(full)).abs()
    n_pairs = max(1, moved.numel() - len(moved))
    rms = float(moved.double().square().sum() / n_pairs) ** 0.5
    return DtypeDifference(relative, rms, float(moved.max()), len(full))


def _correlation(values: Tensor) -> Tensor:
    """Correlations ``(width, width)``; those of a constant neuron are zero."""
    centred = (values - values.mean(0)).double()
    scaled = centred / centred.norm(dim=0).clamp_min(1e-30)
    correlation: Tensor = scaled.T @ scaled
    return correlation
