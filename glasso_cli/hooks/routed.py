"""The neurons of an expert, from what the module that has it takes, and the tokens that were routed to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from glasso_cli.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from glasso_cli.hooks.point import HookPoint


@dataclass(frozen=True)
class Experts:
    """How a module's weights give the neurons of its experts.

    ``up`` and ``down`` name arrays ``(experts, out, in)``, or ``(experts, in, out)`` where ``transposed``; ``up_bias``
    and ``down_bias`` arrays ``(experts, out)``. ``gate`` says how neurons follow from what ``up`` gives: ``own`` is the
    module's method ``_apply_gate``, ``halves`` is act(a) * b, ``none`` is act(a). ``width`` counts the neurons of an
    expert. A ``gated`` expert has neurons with an arbitrary sign.
    """

    count: int
    width: int
    up: str
    down: str
    transposed: bool
    up_bias: str | None
    down_bias: str | None
    gate: str
    gated: bool


# What was found of every module: hooks must not search while a model runs.
known: WeakKeyDictionary[nn.Module, Experts] = WeakKeyDictionary()


def experts_of(module: nn.Module) -> Experts:
    """The experts of ``module``, whose reading is known; :class:`InputError` for another one."""
    if module not in known:
        raise InputError(
            "The experts of this model have not been resolved.",
            "Take hook points from resolve_hook_points of this model.",
        )
    return known[module]


def routed_neurons(
    module: nn.Module, point: HookPoint, args: tuple[Any, ...], kwargs: dict[str, Any], tokens: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """The neurons of the expert of ``point`` ``(batch, time, width)``, and which tokens it saw ``(batch, time)``.

    ``args`` and ``kwargs`` are what ``module`` takes; ``tokens`` is (batch, time). Neurons are zero at other tokens.
    """
    import torch

    experts, expert = experts_of(module), point.expert or 0
    taken = Taken.of(args, kwargs, experts.count)
    if taken is None or taken.n_tokens != tokens[0] * tokens[1]:
        raise InputError(
            f"The experts of '{point.module}' do not take one vector for each token.",
            "Choose another hook point.",
        )
    rows, given, _ = taken.of_expert(expert)
    with torch.inference_mode():
        neurons = neurons_of(module, experts, expert, given)
    values = neurons.new_zeros(taken.n_tokens, experts.width)
    values[rows] = neurons
    routed = torch.zeros(taken.n_tokens, dtype=torch.bool, device=values.device)
    routed[rows] = True
    return values.reshape(*tokens, -1), routed.reshape(tokens)


# -- what the module takes ------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Taken:
    """What a module of experts was called with.

    ``hidden (tokens, width)``, ``chosen (tokens, k)`` and ``weights (tokens, k)``. Where a module takes the vectors of all
    tokens for each expert (Llama 4), ``hidden`` is ``(experts, tokens, width)``, zero where a token is not routed, and
    the others are None.
    """

    hidden: Tensor
    chosen: Tensor | None
    weights: Tensor | None

    @classmethod
    def of(cls, args: tuple[Any, ...], kwargs: dict[str, Any], count: int) -> Taken | None:
        """The tensors among the arguments, by their kinds; None where they are others."""
        import torch

        tensors = [item for item in (*args, *kwargs.values()) if isinstance(item, torch.Tensor)]
        if not tensors or not tensors[0].is_floating_point():
            return None
        hidden = tensors[0].reshape(-1, tensors[0].shape[-1])
        chosen = next((item for item in tensors[1:] if not item.is_floating_point() and item.ndim > 1), None)
        weights = next((item for item in tensors[1:] if item.is_floating_point() and item.ndim > 1), None)
        if chosen is not None and weights is not None:
            chosen, weights = chosen.reshape(-1, chosen.shape[-1]), weights.reshape(-1, weights.shape[-1])
            return cls(hidden, chosen, weights) if len(chosen) == len(weights) == len(hidden) else None
        if len(tensors) == 1 and len(hidden) % count == 0:
            return cls(hidden.reshape(count, -1, hidden.shape[-1]), None, None)
        return None

    @property
    def n_tokens(self) -> int:
        """How many tokens it was called with."""
        return int(self.hidden.shape[-2])

    def of_expert(self, expert: int) -> tuple[Tensor, Tensor, Tensor]:
        """The tokens routed to ``expert`` ``(n,)``, their vectors ``(n, width)`` and their weights ``(n,)``."""
        import torch

        if self.chosen is None or self.weights is None:
            given = self.hidden[expert]
            rows = given.any(dim=-1).nonzero()[:, 0]
            return rows, given[rows], torch.ones_like(given[rows, 0])
        rows, place = torch.where(self.chosen == expert)
        # by shape alone, some modules take a weight for every expert
        at = place if self.weights.shape == self.chosen.shape else torch.full_like(place, expert)
        return rows, self.hidden[rows], self.weights[rows, at]


# -- what its weights give -----------------------------------------------------------------------


def linear_of(module: nn.Module, name: str, bias: str | None, transposed: bool, expert: int, given: Tensor) -> Tensor:
    """The vectors ``given (n, in)`` times the matrix of one expert, ``(n, out)``."""
    weight: Tensor = getattr(module, name)[expert]
    made = given.to(weight.dtype) @ (weight if transposed else weight.T)
    return made if bias is None else made + cast("Tensor", getattr(module, bias)[expert])


def neurons_of(module: nn.Module, experts: Experts, expert: int, given: Tensor) -> Tensor:
    """The neurons ``(n, width)`` of one expert at the vectors ``given (n, hidden)``."""
    made = linear_of(module, experts.up, experts.up_bias, experts.transposed, expert, given)
    if experts.gate == "own":
        return cast("Tensor", module._apply_gate(made))  # type: ignore[operator]
    act = cast("Callable[[Tensor], Tensor]", module.act_fn)
    if experts.gate == "none":
        return act(made)
    first, second = made.chunk(2, dim=-1)
    return act(first) * second
