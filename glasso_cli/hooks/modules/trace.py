"""Which modules run in a pass, in what order, and what each reads and gives."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glasso_cli.hooks.record import first_tensor, uncompiled

if TYPE_CHECKING:
    from torch import Tensor, nn

    from glasso_cli.models.modules.network import ModuleBatch, ModuleNetwork


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a module: its first input and output, as they were then, and which tensors they were."""

    name: str
    module: nn.Module
    given: Tensor
    made: Tensor
    given_is: Tensor  # the tensor itself, whose values a later in-place operation may change
    made_is: Tensor


def trace(network: ModuleNetwork, batch: ModuleBatch) -> list[Call]:
    """The calls of all modules without parts, in the order in which they end."""
    calls: list[Call] = []
    inputs: dict[str, list[tuple[Tensor, Tensor] | None]] = {}

    def before(name: str) -> Any:
        def enter(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            tensor = first_tensor(args or kwargs)
            inputs.setdefault(name, []).append(None if tensor is None else (tensor, tensor.clone()))

        return enter

    def after(name: str) -> Any:
        def leave(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
            given, made = inputs[name].pop(), first_tensor(output)
            if given is not None and made is not None:
                calls.append(Call(name, module, given[1], made.clone(), given[0], made))

        return leave

    with ExitStack() as hooks, network.errors():
        for name, module in uncompiled(network.module).named_modules():
            if not any(True for _ in module.children()):
                hooks.callback(module.register_forward_pre_hook(before(name), with_kwargs=True).remove)
                hooks.callback(module.register_forward_hook(after(name)).remove)
        network.run(batch)
    return calls
