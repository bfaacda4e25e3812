"""Which linear modules read the heads of attention, found by following what attention computes.

A short pass is watched operation by operation. The result of a softmax over the tokens that are read, or of a fused
attention operation, has one row for each head and token. Each of its numbers gets a label, its head and its token. The
labels go along wherever numbers are only moved, scaled, or multiplied head by head. A linear module reads the heads if
every number of its input has a label, with the token at its own place and the heads side by side in equal parts. The
number of heads follows from the labels: no configuration is asked.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from glasso_cli.hooks.neurons import linear_widths, probe_inputs
from glasso_cli.hooks.record import first_tensor
from glasso_cli.models.forward import errors_of, one_pass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor, nn
    from transformers import PreTrainedModel

    from glasso_cli.models.layers import LayerStack

_PROBE = range(5, 16)  # token ids; their number is prime, so that it is not that of the heads
_SHAPE = frozenset(["view", "_unsafe_view", "reshape", "_reshape_alias"])
_LAYOUT = frozenset(
    [
        "transpose",
        "permute",
        "t",
        "expand",
        "unsqueeze",
        "squeeze",
        "slice",
        "select",
        "split",
        "split_with_sizes",
        "unbind",
        "clone",
        "contiguous",
        "alias",
        "detach",
        "cat",
        "stack",
        "repeat",
        "index",
        "index_select",
        "narrow",
    ]
)
_SCALING = frozenset(["mul", "div", "masked_fill", "native_dropout"])
_SUMS = frozenset(("add", "sub"))
_SAME = frozenset(["_to_copy", "neg", "lift_fresh"])

_known: WeakKeyDictionary[nn.Module, tuple[object, dict[int, int]]] = WeakKeyDictionary()


def find_heads(model: PreTrainedModel, stack: LayerStack, inputs: Mapping[str, Tensor] | None = None) -> dict[int, int]:
    """The linear modules that read heads, by ``id``, with the number of heads of each.

    One pass over ``inputs`` of one document, arguments of the model by name, or over a few tokens. What was found is
    remembered while the model has the same modules.
    """
    state = (stack.path, [(name, id(module)) for name, module in model.named_modules()])
    if model not in _known or _known[model][0] != state:
        _known[model] = state, heads_in_pass(model, stack, inputs or probe_inputs(model, _PROBE))
    return _known[model][1]


def heads_in_pass(model: PreTrainedModel, stack: LayerStack, inputs: Mapping[str, Tensor]) -> dict[int, int]:
    """As :func:`find_heads`, on ``inputs`` of one document, arguments of the model by name."""
    import torch

    labels = _labels(inputs["input_ids"].shape[1] if "input_ids" in inputs else None)
    judged: dict[int, list[int | None]] = {}
    with ExitStack() as hooks, errors_of(model), torch.no_grad():
        for module in model.modules():
            if linear_widths(module):
                hooks.callback(module.register_forward_pre_hook(_judge(labels, judged), with_kwargs=True).remove)
        for layer in stack.modules().values():
            hooks.callback(layer.register_forward_hook(lambda *_: labels.forget()).remove)
        with labels:
            one_pass(model, inputs)
    found = {module: set(counts) for module, counts in judged.items()}
    return {module: count for module, (count, *others) in found.items() if count is not None and not others}


def _judge(labels: Any, judged: dict[int, list[int | None]]) -> Callable[..., None]:
    def judge(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        tensor = first_tensor(args or kwargs)
        judged.setdefault(id(module), []).append(None if tensor is None else labels.heads_of(tensor))

    return judge


@dataclass(frozen=True, eq=False)
class _Label:
    """Where numbers come from, ``head * time + token``; -1 from elsewhere. ``read``: already summed over tokens."""

    values: Tensor
    read: bool
    time: int


def _labels(time: int | None) -> Any:
    """A mode of torch that labels the numbers of attention in a pass over ``time`` tokens.

    Where ``time`` is None, as for images, every attention has as many tokens as rows of queries.
    """
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    class Labels(TorchDispatchMode):
        """Watches every operation."""

        def __init__(self) -> None:
            super().__init__()  # type: ignore[no-untyped-call]
            self._held: dict[int, tuple[Tensor, _Label]] = {}  # by id, with the tensor, so that no id is used twice

        def __torch_dispatch__(
            self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
        ) -> Any:
            kwargs = kwargs or {}
            out = func(*args, **kwargs)
            name = func._schema.name.rpartition("::")[2]
            self._follow(name, func, args, kwargs, out)
            return out

        def forget(self) -> None:
            """Drop all labels."""
            self._held.clear()

        def heads_of(self, tensor: Tensor) -> int | None:
            """How many heads lie side by side in ``tensor``; None where it is not made of heads."""
            held = self._held.get(id(tensor))
            return _heads_side_by_side(held[1], tensor.shape[-1]) if held is not None else None

        def _follow(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
            if name in ("_softmax", "_safe_softmax"):
                self._hold(out, _start(out, time, read=False) if args[1] in (-1, out.ndim - 1) else None)
            elif "scaled_dot_product" in name:
                made, keys = first_tensor(out), args[1]
                # With other counts it reads no tokens of this pass.
                if made is not None and (time is None or made.shape[-2] == time <= keys.shape[-2]):
                    self._hold(made, _start(made, time, read=True))
            elif any(id(item) in self._held for item in _tensors(args)):
                try:
                    self._carry(name, func, args, kwargs, out)
                except (RuntimeError, ValueError, IndexError, TypeError):  # a step of another kind: no labels, no heads
                    for tensor in _tensors([out]):
                        self._hold(tensor, None)

        def _carry(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
            in_place = name.endswith("_") and not name.startswith("_")
            plain = name.removesuffix("_") if in_place else name
            labels = [self._label(item) for item in _tensors(args)]
            known = [label for label in labels if label is not None]
            read, tokens = all(label.read for label in known), known[0].time
            made = first_tensor(out)
            if any(label.time != tokens for label in known):  # of two attentions
                for tensor in _tensors([out]):
                    self._hold(tensor, None)
            elif plain in _SHAPE and made is not None and labels[0] is not None:
                self._hold(made, _Label(labels[0].values.reshape(made.shape), read, tokens))
            elif plain in _LAYOUT:
                moved = func(*self._swapped(args), **{k: v for k, v in kwargs.items() if k != "memory_format"})
                for tensor, values in zip(_tensors([out]), _tensors([moved]), strict=True):
                    self._hold(tensor, _Label(values, read, tokens))
            elif plain in _SAME and made is not None and labels[0] is not None:
                self._hold(made, labels[0])
            elif plain == "bmm" and made is not None:
                self._hold(made, _product(labels[0], labels[1], made))
            elif plain in _SCALING | _SUMS and made is not None:
                self._hold(made, _combined(labels, made, alone=plain in _SCALING or len(labels) == 1))
            elif in_place and made is not None:
                self._hold(made, None)

        def _label(self, tensor: Tensor) -> _Label | None:
            held = self._held.get(id(tensor))
            return held[1] if held is not None else None

        def _hold(self, tensor: Tensor, label: _Label | None) -> None:
            if label is None:
                self._held.pop(id(tensor), None)
            else:
                self._held[id(tensor)] = (tensor, label)

        def _swapped(self, value: Any) -> Any:
            """``value`` with labels in place of tensors."""
            if isinstance(value, torch.Tensor):
                label = self._label(value)
                if label is not None:
                    return label.values
                return value if not value.is_floating_point() else torch.full(value.shape, -1, device=value.device)
            if isinstance(value, list | tuple):
                return type(value)(self._swapped(item) for item in value)
            return value

    return Labels()


def _tensors(items: Any) -> list[Tensor]:
    """The tensors in ``items``, and in the lists among them."""
    import torch

    found: list[Tensor] = []
    for item in items:
        if isinstance(item, torch.Tensor):
            found.append(item)
        elif isinstance(item, list | tuple):
            found += _tensors(item)
    return found


def _start(made: Tensor, time: int | None, *, read: bool) -> _Label | None:
    """The labels of what has one row for each head and token; None for another shape."""
    rows = made.shape[:-1]
    if time is None:
        if len(rows) < 2 or (len(rows) < 3 and made.shape[-1] < rows[-1]):  # weights of something else
            return None
        return _numbered(made, rows[-1], len(rows) - 1, read=read)
    axes = [axis for axis, size in enumerate(rows) if size == time]
    if not axes or (not read and made.shape[-1] < time):
        return None
    return _numbered(made, time, axes[-1], read=read)


def _numbered(made: Tensor, time: int, axis: int, *, read: bool) -> _Label:
    """The labels of what has its tokens on ``axis``."""
    import torch

    rows = made.shape[:-1]
    others = [size for place, size in enumerate(rows) if place != axis]
    heads = torch.arange(rows.numel() // time, device=made.device).reshape(others)
    tokens = torch.arange(time, device=made.device)
    shape = [time if place == axis else 1 for place in range(len(rows))]
    label = heads.unsqueeze(axis) * time + tokens.reshape(shape)
    return _Label(label.unsqueeze(-1).expand(made.shape), read, time)


def _product(first: _Label | None, second: _Label | None, made: Tensor) -> _Label | None:
    """The labels of a batched product of matrices, whose rows or columns keep theirs."""
    if first is not None and second is None and bool((first.values == first.values[..., :1]).all()):
        return _Label(first.values[..., :1].expand(made.shape), True, first.time)
    if second is not None and first is None and bool((second.values == second.values[..., :1, :]).all()):
        return _Label(second.values[..., :1, :].expand(made.shape), True, second.time)
    return None


def _combined(labels: list[_Label | None], made: Tensor, *, alone: bool) -> _Label | None:
    """The labels of a result taken number by number: all tensors agree, or (``alone``) only one of them has labels."""
    import torch

    known = [label for label in labels if label is not None]
    if not known or (len(known) < len(labels) and not alone):
        return None
    spread = [torch.broadcast_to(label.values, made.shape) for label in known]
    if any(not torch.equal(spread[0], other) for other in spread[1:]):
        return None
    return _Label(spread[0], all(label.read for label in known), known[0].time)


def _heads_side_by_side(label: _Label, width: int) -> int | None:
    """The number of heads in a tensor ``(1, time, width)`` or ``(time, width)``; None where it is no such thing."""
    import torch

    values, time = label.values, label.time
    if not label.read or values.numel() != time * width:
        return None
    values = values.reshape(time, width)
    heads = int(values.max()) // time + 1
    if int(values.min()) < 0 or width % heads:
        return None
    tokens = torch.arange(time, device=values.device)[:, None]
    places = torch.arange(width, device=values.device) // (width // heads)
    return heads if torch.equal(values, places * time + tokens) else None
