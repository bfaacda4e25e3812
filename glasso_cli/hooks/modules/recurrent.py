"""The hidden units of every layer of a recurrent module: a fused call of several layers as a chain of single ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glasso_cli.errors import InputError
from glasso_cli.hooks.record import first_tensor

if TYPE_CHECKING:
    from torch import Tensor, nn

    from glasso_cli.hooks.modules.trace import Call
    from glasso_cli.models.modules.network import ModuleBatch, ModuleNetwork

CLOSE = 1e-5  # of the norm of a fused output: how far that of the chain may be from it


def recurrent_layers(calls: list[Call]) -> list[tuple[str, int]]:
    """The recurrent modules that run, with each of their layers: ``(name, layer)`` in the order in which they run."""
    from torch import nn

    modules = {call.name: call.module for call in calls}
    return [
        (name, layer)
        for name, module in modules.items()
        if isinstance(module, nn.RNNBase)
        for layer in range(module.num_layers)
    ]


def unfuse(network: ModuleNetwork, name: str, call: Call, batch: ModuleBatch) -> None:
    """Put a chain of one-layer modules with the same weights in the place of the module ``name``.

    ``call`` is what the module gave for ``batch``. Raises :class:`InputError` where the chain gives anything else.
    """
    fused = network.module.get_submodule(name)
    _replace(network.module, name, chain_of(fused))
    seen: list[Tensor] = []

    def keep(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        seen.extend(tensor for tensor in [first_tensor(output)] if tensor is not None)

    handle = network.module.get_submodule(name).register_forward_hook(keep)
    try:
        with network.errors():
            network.run(batch)
    finally:
        handle.remove()
    distance = float((seen[0] - call.made).norm() / call.made.norm().clamp_min(1e-30)) if seen else float("inf")
    if not distance <= CLOSE:
        _replace(network.module, name, fused)
        raise InputError(
            f"'{name}' layer by layer differs from its fused call by {distance:.2g} of its norm (allowed {CLOSE:g}).",
            f"Its lower layers cannot be read; use '{name}:out' for the top one.",
        )


def chain_of(fused: Any) -> nn.Module:
    """A recurrent module as a chain of modules of one layer, in ``layers``; called and answering as ``fused`` does."""
    import torch
    from torch import nn

    directions = 2 if fused.bidirectional else 1

    class Chain(nn.Module):
        """The layers of a recurrent module one after the other."""

        def __init__(self) -> None:
            super().__init__()
            self.batch_first = fused.batch_first
            self.layers = nn.ModuleList([_one_layer(fused, layer) for layer in range(fused.num_layers)])

        def forward(self, input: Any, hx: Any = None) -> Any:
            states = []
            for place, layer in enumerate(self.layers):
                part = slice(place * directions, (place + 1) * directions)
                start = None if hx is None else tuple(h[part] for h in hx) if isinstance(hx, tuple) else hx[part]
                input, state = layer(input, start)
                states.append(state)
            if isinstance(states[0], tuple):
                return input, tuple(torch.cat(parts) for parts in zip(*states))
            return input, torch.cat(states)

    return Chain().to(next(fused.parameters()).device).eval().requires_grad_(False)


def _one_layer(fused: Any, layer: int) -> nn.Module:
    from torch import nn

    kind: Any = {"LSTM": nn.LSTM, "GRU": nn.GRU}.get(fused.mode, nn.RNN)
    directions = 2 if fused.bidirectional else 1
    inputs = fused.input_size if layer == 0 else (fused.proj_size or fused.hidden_size) * directions
    options: dict[str, Any] = {
        "bias": fused.bias,
        "batch_first": fused.batch_first,
        "bidirectional": fused.bidirectional,
    }
    if kind is nn.LSTM:
        options["proj_size"] = fused.proj_size
    if kind is nn.RNN:
        options["nonlinearity"] = "relu" if fused.mode == "RNN_RELU" else "tanh"
    single = kind(inputs, fused.hidden_size, 1, **options)
    weights = {name: getattr(fused, name.replace("_l0", f"_l{layer}")) for name, _ in single.named_parameters()}
    single.load_state_dict(weights)
    module: nn.Module = single
    return module


def _replace(root: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(root.get_submodule(parent), last, module)
