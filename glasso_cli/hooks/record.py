"""The two context managers that touch a model: ``record`` reads hook points, ``ablate`` changes neurons.

Both remove their hooks when the block ends, also by an error. A recorder stops the forward pass as soon as
it has what it was asked for: no later layers, and no language-model head (168M of the 268M parameters of
Gemma 3 270M).
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from glasso_cli.errors import InputError
from glasso_cli.hooks.point import HookPoint
from glasso_cli.models.forward import errors_of

if TYPE_CHECKING:
    from torch import Tensor, nn


Shaped: TypeAlias = "Callable[[HookPoint, Tensor | None], Tensor]"


class _Stop(Exception):  # noqa: N818 - not an error
    """Ends a forward pass from inside a hook; never leaves this module."""


# -- reading --------------------------------------------------------------------------------------


@contextmanager
def record(
    model: nn.Module,
    points: Sequence[HookPoint],
    *,
    stop: bool = True,
    call: Callable[..., Any] | None = None,
    detached: bool = True,
) -> Iterator[Recorder]:
    """A recorder of the tensors at ``points``, for as many passes as the block makes.

    ``stop=False`` runs every pass to its end. ``call`` stands in for ``model`` when it has to be called in
    another way. ``detached=False`` gives the tensors of the pass themselves, in their dtype and with their derivatives.
    Raises :class:`InputError` for a model whose hooks ``torch.compile`` would skip.
    """
    model = uncompiled(model)
    recorder = Recorder(model, tuple(points), stop, call or model, detached)
    with ExitStack() as hooks:
        for point in recorder.points:
            hooks.callback(recorder.attach(point).remove)
        yield recorder


class Recorder:
    """Runs forward passes and keeps what the hooks saw. Made by :func:`record`."""

    def __init__(
        self, model: nn.Module, points: tuple[HookPoint, ...], stop: bool, call: Callable[..., Any], detached: bool
    ) -> None:
        self.points = points
        self._detached = detached
        self._model = model
        self._stop = stop
        self._call = call
        self._accepted = set(inspect.signature(model.forward).parameters)
        self._device = next((item.device for item in model.parameters()), None)
        self._shaped: Shaped | None = None  # of the pass under way
        self._tokens: tuple[int, int] | None = None  # (batch, time) of the last pass over tokens
        self._seen: dict[str, Tensor] = {}
        self._runs: Counter[str] = Counter()  # of the module of each hook point in the pass under way
        self._unrouted: Tensor | None = None

    def run(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
    ) -> list[Tensor]:
        """Activations per hook point, in order: float32 ``(batch, time, width)``, memory of their own.

        Batches are padded on the right: a bare forward pass then gives every token its right position in
        any model. ``position_ids`` are passed on only where given. Raises :class:`InputError` for padding
        on the left without them, a hooked module that did not run or ran twice, and a tensor of another
        shape than the hook point's. The neurons of an expert are zero at tokens of which it saw nothing:
        :attr:`unrouted` tells these apart.
        """
        if attention_mask is not None and position_ids is None:
            _require_right_padding(attention_mask)
        inputs = self.inputs(input_ids, attention_mask, position_ids)
        tokens = self._tokens = (input_ids.shape[0], input_ids.shape[1])
        return self.read(lambda: self._call(**inputs), lambda point, tensor: as_tokens(point, tensor, tokens))

    def read(
        self, forward: Callable[[], Any], shaped: Shaped, errors: AbstractContextManager[None] | None = None
    ) -> list[Tensor]:
        """What ``shaped`` makes of the tensor of each hook point in the pass ``forward``: float32, memory of their own.

        ``errors`` turns what the model raises into errors of glasso, by default those of a language model.
        """
        import torch

        self._shaped, self._seen = shaped, {}
        self._runs, self._unrouted = Counter(), None
        try:
            with ExitStack() as around, suppress(_Stop):
                around.enter_context(errors or errors_of(self._model))
                around.enter_context(torch.inference_mode() if self._detached else torch.no_grad())
                forward()
        finally:
            self._shaped = None
        return self._take()

    @property
    def unrouted(self) -> Tensor | None:
        """The tokens ``(batch, time)`` of the last pass that an expert of the hook points did not see; None without experts."""
        return self._unrouted

    def inputs(self, *tensors: Tensor | None) -> dict[str, Any]:
        """What the model is called with for ids, an attention mask and positions, as little as it needs to give all layers."""
        names = ("input_ids", "attention_mask", "position_ids")
        given = zip(names, tensors, strict=True)
        spare_work = {"use_cache": False, "logits_to_keep": 1}
        return {name: value.to(self._device).long() for name, value in given if value is not None} | {
            name: value for name, value in spare_work.items() if name in self._accepted
        }

    def attach(self, point: HookPoint) -> Any:
        """Hook one point; returns the handle that removes the hook."""
        module = self._model.get_submodule(point.module)
        if point.expert is not None:
            return module.register_forward_pre_hook(
                lambda module, args, kwargs: self._keep_expert(point, module, args, kwargs), with_kwargs=True
            )
        if point.side == "out":
            return module.register_forward_hook(lambda module, args, output: self._keep(point, first_tensor(output)))
        return module.register_forward_pre_hook(
            lambda module, args, kwargs: self._keep(point, first_tensor(args or kwargs)),
            with_kwargs=True,
        )

    def _keep_expert(self, point: HookPoint, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        from glasso_cli.hooks.routed import routed_neurons

        if self._shaped is None or self._tokens is None:  # somebody else's pass
            return
        values, routed = routed_neurons(module, point, args, kwargs, self._tokens)
        missed = ~routed.to(self._device)
        self._unrouted = missed if self._unrouted is None else self._unrouted | missed
        self._keep(point, values)

    def _keep(self, point: HookPoint, tensor: Tensor | None) -> None:
        import torch

        if self._shaped is None:  # somebody else's pass
            return
        self._runs[point.name] += 1
        if point.run is not None and self._runs[point.name] != point.run:
            return
        if point.name in self._seen:
            raise InputError(
                f"The module of hook point '{point.name}' ran more than once in one pass.",
                f"Name one of its runs, such as '{point.module}#1:{point.side}'.",
            )
        if tensor is not None and point.part is not None:
            tensor = tensor[..., point.part]
        shaped = self._shaped(point, tensor)
        if self._detached:
            # A copy even where nothing needs converting: a view would keep its whole parent alive.
            shaped = shaped.detach().to(device=self._device, dtype=torch.float32, copy=True)
        self._seen[point.name] = shaped
        if self._stop and len(self._seen) == len(self.points):
            raise _Stop

    def _take(self) -> list[Tensor]:
        seen, self._seen = self._seen, {}
        missing = [point for point in self.points if point.name not in seen]
        if missing:
            runs = self._runs[missing[0].name]
            if missing[0].run is not None and runs:
                raise InputError(
                    f"The module of hook point '{missing[0].name}' ran {runs} times in one pass.",
                    f"Name one of the runs #1 to #{runs}.",
                )
            raise InputError(
                f"The module of hook point '{missing[0].name}' did not run in the forward pass.",
                "This model does not use it here; choose another hook point.",
            )
        return [seen[point.name] for point in self.points]


def _require_right_padding(attention_mask: Tensor) -> None:
    if bool((attention_mask[:, 1:] > attention_mask[:, :-1]).any()):
        raise InputError(
            "The batch is padded on the left, which moves the positions of its tokens.",
            "Pad on the right, or pass position_ids.",
        )


def first_tensor(value: Any) -> Tensor | None:
    """The first tensor of what a module takes or returns: itself, or the first in a tuple or mapping."""
    import torch

    if isinstance(value, torch.Tensor):
        return value
    items = value.values() if isinstance(value, dict) else value
    if not isinstance(value, dict | tuple | list):
        return None
    return next((item for item in items if isinstance(item, torch.Tensor)), None)


def as_tokens(point: HookPoint, tensor: Tensor | None, tokens: tuple[int, int]) -> Tensor:
    """``tensor`` as ``(batch, time, width)``; some modules see batch and time in one dimension."""
    width = point.width or (tensor.shape[-1] if tensor is not None and tensor.ndim else 0)
    expected = (*tokens, width)
    if tensor is not None and tuple(tensor.shape) == (tokens[0] * tokens[1], width):
        tensor = tensor.reshape(expected)
    if tensor is None or tuple(tensor.shape) != expected:
        shape = "no tensor" if tensor is None else str(tuple(tensor.shape))
        raise InputError(
            f"Hook point '{point.name}' gives {shape} where (batch, time, width) = {expected} was expected.",
            "Only tensors with one vector a token can be used; choose another hook point.",
        )
    return tensor


def uncompiled(model: nn.Module) -> nn.Module:
    """The module under ``torch.compile``; :class:`InputError` when a part is compiled on its own."""
    model = getattr(model, "_orig_mod", model)
    for name, module in model.named_modules():
        if hasattr(module, "_orig_mod") or getattr(module, "_compiled_call_impl", None) is not None:
            raise InputError(
                f"'{name or type(model).__name__}' is compiled by torch.compile, which may skip hooks.",
                "Pass the model as it was before it was compiled.",
            )
    return model
