"""Which linear modules read what a mixer of tokens gave: state-space models, linear attention, short convolutions.

A mixer is a block of a layer whose output is that of one linear module. It hands on from token to token: with one token
of its input changed, the input of the linear module changes at later tokens. Attention by a softmax does that too, and
is no mixer: its heads are found by :mod:`glasso_cli.hooks.heads`. An MLP does not do it, as it sees each token alone.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from glasso_cli.errors import InputError
from glasso_cli.hooks.neurons import linear_widths, probe_inputs
from glasso_cli.hooks.record import first_tensor
from glasso_cli.models.forward import errors_of, one_pass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor, nn
    from transformers import PreTrainedModel

    from glasso_cli.models.layers import LayerStack

_PROBE = range(5, 16)  # token ids
_CHANGED = 3  # the token that is changed, from 0
_SOFTMAX = ("softmax", "logsumexp", "attention", "flash")  # parts of the names of operations
_SMALL = 1e-5  # of the norm: what a change of the order of sums can do

_known: WeakKeyDictionary[nn.Module, tuple[object, frozenset[int]]] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class _Call:
    """One run of a module, with what it took and gave."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    made: Tensor


def find_mixers(model: PreTrainedModel, stack: LayerStack) -> frozenset[int]:
    """The linear modules that read what a mixer gave, by ``id``.

    One pass over a few tokens, and each block that may be a mixer alone. What was found is remembered while the model
    has the same modules. Raises :class:`InputError` for a model in training mode, which may take another way through
    its mixers.
    """
    if model.training:
        raise InputError(
            "The model is in training mode, in which mixers may run in one fused step that no hook sees.",
            "Call model.eval() first.",
        )
    state = (stack.path, [(name, id(module)) for name, module in model.named_modules()])
    if model not in _known or _known[model][0] != state:
        _known[model] = state, mixers_in_pass(model, stack, probe_inputs(model, _PROBE))
    return _known[model][1]


def mixers_in_pass(model: PreTrainedModel, stack: LayerStack, inputs: Mapping[str, Tensor]) -> frozenset[int]:
    """As :func:`find_mixers`, on ``inputs`` of one document, arguments of the model by name, with at least five tokens."""
    import torch

    found: set[int] = set()
    calls: dict[int, _Call] = {}
    with ExitStack() as hooks, errors_of(model), torch.no_grad():
        for layer in stack.modules().values():
            for module in layer.modules():
                hooks.callback(module.register_forward_hook(_keep(calls), with_kwargs=True).remove)
            hooks.callback(layer.register_forward_hook(_end(layer, stack.hidden_size, calls, found)).remove)
        one_pass(model, inputs)
    return frozenset(found)


def _keep(calls: dict[int, _Call]) -> Callable[..., None]:
    def keep(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        made = first_tensor(output)
        if made is not None:
            calls[id(module)] = _Call(args, kwargs, made)

    return keep


def _end(layer: nn.Module, hidden_size: int, calls: dict[int, _Call], found: set[int]) -> Callable[..., None]:
    """A hook that judges a layer when it has run."""

    def end(*_: Any) -> None:
        kept = dict(calls)
        calls.clear()
        modules = dict(layer.named_modules())
        for name, module in modules.items():
            widths = linear_widths(module)
            if not widths or widths[1] != hidden_size or id(module) not in kept:
                continue
            blocks = [modules[path] for path in _above(name) if id(modules[path]) in kept]
            same = [block for block in blocks if _same(kept[id(block)].made, kept[id(module)].made)]
            if any(_mixes(block, module, kept[id(block)]) for block in same):
                found.add(id(module))
        calls.clear()

    return end


def _above(name: str) -> list[str]:
    """The paths of the modules that hold ``name`` inside its layer, nearest first."""
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(len(parts) - 1, 0, -1)]


def _same(first: Tensor, second: Tensor) -> bool:
    import torch

    return first.numel() == second.numel() and torch.equal(first.flatten(), second.flatten())


def _mixes(block: nn.Module, projection: nn.Module, call: _Call) -> bool:
    """Whether a change of one token of the input of ``block`` reaches later tokens before ``projection``, without softmax."""
    operations: set[str] = set()
    before = _read_by(projection, block, call, None, operations)
    again = _read_by(projection, block, call, None, operations)
    after = _read_by(projection, block, call, _CHANGED, operations)
    if (
        before is None
        or again is None
        or after is None
        or any(word in name for name in operations for word in _SOFTMAX)
    ):
        return False
    norm = before.norm(dim=-1).clamp_min(1e-30)
    moved, noise = (after - before).norm(dim=-1) / norm, (again - before).norm(dim=-1) / norm
    return bool(noise.max() <= _SMALL) and bool((moved[_CHANGED + 1 :] > _SMALL).any())


def _read_by(
    projection: nn.Module, block: nn.Module, call: _Call, changed: int | None, operations: set[str]
) -> Tensor | None:
    """What ``projection`` reads, ``(time, width)``, when ``block`` runs once more; None where it cannot."""
    seen: list[Tensor] = []

    def see(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        tensor = first_tensor(args or kwargs)
        if tensor is not None:
            seen.append(tensor.detach().float().reshape(-1, tensor.shape[-1]).clone())

    args, kwargs = call.args, call.kwargs
    if changed is not None:
        args, kwargs = (_moved(args, changed), kwargs) if args else (args, _moved(kwargs, changed))
    handle = projection.register_forward_pre_hook(see, with_kwargs=True)
    try:
        with suppress(Exception), _names(operations):  # code of others, called in a way of ours
            block(*args, **kwargs)
    finally:
        handle.remove()
    return seen[0] if len(seen) == 1 else None


def _moved(inputs: Any, token: int) -> Any:
    """``inputs`` with the first tensor ``(1, time, width)`` changed at ``token``."""
    import torch

    pairs = list(inputs.items()) if isinstance(inputs, dict) else list(enumerate(inputs))
    at = next((place for place, item in pairs if isinstance(item, torch.Tensor) and item.is_floating_point()), None)
    if at is None:
        return inputs
    changed = dict(pairs)
    tensor = changed[at].clone()
    rows = tensor.reshape(-1, tensor.shape[-1])
    rows[token] = rows[token].flip(0) + rows[token].abs().mean()
    changed[at] = rows.reshape(tensor.shape)
    return changed if isinstance(inputs, dict) else tuple(changed.values())


def _names(operations: set[str]) -> Any:
    """A mode of torch that adds the name of every operation to ``operations``."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Names(TorchDispatchMode):
        """Watches every operation."""

        def __torch_dispatch__(
            self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
        ) -> Any:
            operations.add(str(func._schema.name))
            return func(*args, **(kwargs or {}))

    return Names()  # type: ignore[no-untyped-call]
