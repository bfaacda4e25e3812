"""What of the network is held at its clean values while a source is changed: nothing, attention patterns, or all but one path."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from glasso_cli.errors import InputError
from glasso_cli.hooks.neurons import probe_inputs
from glasso_cli.models.encoder_decoder import DECODER
from glasso_cli.models.forward import one_pass
from glasso_cli.models.loaded import LoadedModel

if TYPE_CHECKING:
    from torch import Tensor, nn

    from glasso_cli.hooks import HookPoint
    from glasso_cli.models.network import Network


class Frozen(Protocol):
    """Remembers parts of a clean pass, and gives them back in others."""

    def watched(self) -> Any:
        """A context: passes over a batch inside it are clean, and the last one is remembered."""

    def held(self, copies: int) -> Any:
        """A context: passes over ``copies`` of the batch inside it get what was remembered."""

    def beyond(self, whole: bool) -> bool:
        """Whether a pass must run to its end to be remembered."""


class Free:
    """Nothing is held."""

    @contextmanager
    def watched(self) -> Iterator[None]:
        yield

    @contextmanager
    def held(self, copies: int) -> Iterator[None]:
        yield

    def beyond(self, whole: bool) -> bool:
        return False


class FrozenOutputs:
    """The outputs of modules are held: every path but the residual stream's own, for the projections of attention and MLPs."""

    def __init__(self, model: nn.Module, modules: list[str]) -> None:
        self._modules = {name: model.get_submodule(name) for name in modules}
        self._seen: dict[str, Any] = {}

    @contextmanager
    def watched(self) -> Iterator[None]:
        with ExitStack() as hooks:
            for name, module in self._modules.items():
                handle = module.register_forward_hook(lambda _m, _a, output, name=name: self._keep(name, output))
                hooks.callback(handle.remove)
            yield

    def _keep(self, name: str, output: Any) -> None:
        self._seen[name] = output.detach()

    @contextmanager
    def held(self, copies: int) -> Iterator[None]:
        held = {name: output.repeat(copies, *[1] * (output.ndim - 1)) for name, output in self._seen.items()}
        with ExitStack() as hooks:
            for name, module in self._modules.items():
                if name in held:
                    handle = module.register_forward_hook(lambda _m, _a, _o, value=held[name]: value)
                    hooks.callback(handle.remove)
            yield

    def beyond(self, whole: bool) -> bool:
        return whole


_NAME = "glasso_held_patterns"


class FrozenPatterns:
    """The attention patterns of all layers are held, as the model's own eager attention gives them.

    :func:`frozen` switches the model to it for as long as its block lasts.
    """

    def __init__(self) -> None:
        self._patterns: dict[int, Tensor] = {}
        self._copies = 0  # 0 while a clean pass is watched
        self._calls = 0  # in the clean pass that is watched

    @contextmanager
    def watched(self) -> Iterator[None]:
        self._copies, self._patterns, self._calls = 0, {}, 0
        yield

    @contextmanager
    def held(self, copies: int) -> Iterator[None]:
        self._copies = copies
        try:
            yield
        finally:
            self._copies = 0

    def beyond(self, whole: bool) -> bool:
        return whole

    @property
    def can_be_held(self) -> bool:
        """Whether the clean pass that was watched has patterns, one for each module."""
        return 0 < self._calls == len(self._patterns)

    def attend(
        self,
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        **options: Any,
    ) -> tuple[Tensor, Tensor]:
        """What transformers calls in the place of an attention function: the module's own, or the held pattern times ``value``."""
        import sys

        self._calls += 1
        if self._copies == 0 or id(module) not in self._patterns:
            eager = sys.modules[type(module).__module__].eager_attention_forward
            output, pattern = eager(module, query, key, value, attention_mask, **options)
            self._patterns[id(module)] = pattern.detach()
            return output, pattern
        pattern = self._patterns[id(module)].repeat(self._copies, 1, 1, 1)
        groups = pattern.shape[1] // value.shape[1]
        mixed = pattern.to(value.dtype) @ value.repeat_interleave(groups, dim=1)
        return mixed.transpose(1, 2).contiguous(), pattern


@contextmanager
def frozen(mode: str, network: Network, source: HookPoint) -> Iterator[Frozen]:
    """What ``mode`` holds in ``network`` when neurons of ``source`` are changed.

    Raises :class:`InputError` for a network of which it is not known how to hold that.
    """
    if mode == "free":
        yield Free()
    elif not isinstance(network, LoadedModel):
        raise _unknown(mode, network.module)
    elif mode == "direct":
        if network.kind == DECODER:
            raise InputError(
                "intervene.mode direct is not possible in the decoder of an encoder-decoder model: it does not hold what the "
                "decoder's attention to the encoder gives.",
                "Set intervene.mode: free.",
            )
        yield FrozenOutputs(network.model, _projections_after(network.model, source))
    else:
        with _patterns_of(network.model) as patterns:
            yield patterns


def _unknown(mode: str, model: Any) -> InputError:
    return InputError(
        f"intervene.mode {mode} is not possible in {type(model).__name__}: it needs attention that transformers' attention interface "
        "computes, in layers that are known.",
        "Set intervene.mode: free.",
    )


def _projections_after(model: Any, source: HookPoint) -> list[str]:
    """The output projections of attention and of MLPs in all layers after that of ``source``."""
    from glasso_cli.hooks.heads import find_heads
    from glasso_cli.hooks.network import Network as Parts
    from glasso_cli.models.layers import find_layers

    if source.layer is None:
        raise _unknown("direct", model)
    stack = find_layers(model)
    parts, heads = Parts(model, stack), find_heads(model, stack)
    later = range(source.layer + 1, len(stack.layers))
    names = {id(module): name for name, module in model.named_modules()}
    inside = [module for layer in later for module in stack.layers[layer].modules() if id(module) in heads]
    mlps = [parts.projections.get(layer) for layer in later]
    if not later or not inside or None in mlps or len(inside) < len(later):
        raise _unknown("direct", model)
    return [names[id(module)] for module in inside] + [name for name in mlps if name is not None]


@contextmanager
def _patterns_of(model: Any) -> Iterator[FrozenPatterns]:
    import torch
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    if not hasattr(model, "set_attn_implementation"):
        raise _unknown("attention", model)
    patterns = FrozenPatterns()
    before = model.config._attn_implementation
    AttentionInterface.register(_NAME, patterns.attend)
    AttentionMaskInterface.register(_NAME, eager_mask)
    inputs = probe_inputs(model)
    try:
        with torch.no_grad():
            expected = one_pass(model, inputs)[0]
            try:
                model.set_attn_implementation(_NAME)
                with patterns.watched():
                    found = one_pass(model, inputs)[0]
            except (AttributeError, KeyError, ValueError, TypeError) as error:
                raise _unknown("attention", model) from error
        scale = float(expected.float().norm())
        if not patterns.can_be_held or not float((found - expected).float().norm()) <= 1e-3 * scale:
            raise _unknown("attention", model)
        yield patterns
    finally:
        model.set_attn_implementation(before)
        AttentionInterface._global_mapping.pop(_NAME, None)
        AttentionMaskInterface._global_mapping.pop(_NAME, None)
