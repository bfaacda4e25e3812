"""Which modules have experts, and how the neurons of these follow from their weights.

The experts of a layer are one module. Its weights are arrays with one matrix for each expert, and it takes the vectors
of tokens with the experts that a router chose for each token. No module is an expert, so no hook sees the neurons of
one. They are computed again from what the module takes, for the expert that is asked for and the tokens routed to it.
How the weights are to be read is found by trial. One reading is right if all experts together, computed so, give the
module's own output.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import product
from typing import TYPE_CHECKING, Any

from glasso_cli.hooks.neurons import NEURON_TOLERANCE, probe_ids
from glasso_cli.hooks.record import first_tensor
from glasso_cli.hooks.routed import Experts, Taken, known, linear_of, neurons_of
from glasso_cli.models.forward import errors_of, one_pass
from glasso_cli.models.layers import embedding

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedModel

    from glasso_cli.models.layers import LayerStack

_PROBE = range(5, 37)  # token ids


def find_experts(model: PreTrainedModel, stack: LayerStack) -> dict[int, Experts]:
    """The modules of experts in the layers, by ``id``; one whose neurons are not proved is left out.

    One pass over a few tokens, unless every module of experts is known from an earlier one.
    """
    modules = [
        module for layer in stack.modules().values() for module in layer.modules() if next(_readings(module), None)
    ]
    if any(module not in known for module in modules):
        errors = expert_errors(model, modules, probe_ids(model, _PROBE))
        for module in modules:
            best = min(errors.get(id(module), ()), key=lambda item: item[1], default=None)
            if best is not None and best[1] <= NEURON_TOLERANCE[str(embedding(model).dtype).removeprefix("torch.")]:
                known[module] = best[0]
    return {id(module): known[module] for module in modules if module in known}


def expert_errors(
    model: PreTrainedModel, modules: list[nn.Module], input_ids: Tensor
) -> dict[int, list[tuple[Experts, float]]]:
    """For each module that ran, by ``id``: its readings, and how far each is from the module's output, over its norm."""
    import torch

    found: dict[int, list[tuple[Experts, float]]] = {}

    def judge(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        made = first_tensor(output)
        if made is not None:
            readings = [known[module]] if module in known else list(_readings(module))
            found[id(module)] = [(reading, _tried(module, reading, args, kwargs, made)) for reading in readings]

    with ExitStack() as hooks, errors_of(model), torch.inference_mode():
        for module in modules:
            hooks.callback(module.register_forward_hook(judge, with_kwargs=True).remove)
        one_pass(model, {"input_ids": input_ids})
    return found


# -- how its weights are read ---------------------------------------------------------------------


def _readings(module: nn.Module) -> Iterator[Experts]:
    """Every way in which the arrays of ``module`` could be experts; none for a module of another kind."""
    own = dict(module.named_parameters(recurse=False))
    stacks = {name: parameter.shape for name, parameter in own.items() if parameter.ndim == 3}
    rows = {name: parameter.shape for name, parameter in own.items() if parameter.ndim == 2}
    gates = [*(["own"] if hasattr(module, "_apply_gate") else []), "halves", "none"]
    for (up, first), (down, second), transposed in product(stacks.items(), stacks.items(), (False, True)):
        if up == down or first[0] != second[0] or first[0] < 2:
            continue
        (out, width), (hidden, narrow) = (first[1:], second[1:]) if not transposed else (first[:0:-1], second[:0:-1])
        if width != hidden or out not in (narrow, 2 * narrow):
            continue
        biases = _bias(rows, (first[0], out), up), _bias(rows, (first[0], hidden), down)
        for gate in gates:
            if (gate == "none") == (out == narrow):
                gated = gate != "none" and _changes_sign(module, gate, narrow)
                yield Experts(first[0], narrow, up, down, transposed, *biases, gate, gated)


def _bias(rows: dict[str, Any], shape: tuple[int, int], of: str) -> str | None:
    """The array that can be the bias of ``of``: of its shape, and with its name in front."""
    return next((name for name, size in rows.items() if tuple(size) == shape and name.startswith(of)), None)


def _changes_sign(module: nn.Module, gate: str, width: int) -> bool:
    """Whether one half of what the gate takes, with another sign, changes the sign of the neurons, and nothing else."""
    import torch

    if gate == "halves":
        return True
    weight = next(module.parameters())
    pattern = torch.linspace(-2, 2, 2 * width, device=weight.device, dtype=weight.dtype)[None].sin()
    with torch.inference_mode(), suppress(TypeError, RuntimeError):
        neurons = module._apply_gate(pattern)  # type: ignore[operator]
        for half in (slice(0, width), slice(width, None), slice(0, None, 2), slice(1, None, 2)):
            flipped = pattern.clone()
            flipped[:, half] *= -1
            if torch.allclose(module._apply_gate(flipped), -neurons):  # type: ignore[operator]
                return True
    return False


def _tried(module: nn.Module, experts: Experts, args: tuple[Any, ...], kwargs: dict[str, Any], made: Tensor) -> float:
    """As :func:`_error`; infinite for a reading that does not even run."""
    try:
        return _error(module, experts, args, kwargs, made)
    except (RuntimeError, TypeError, AttributeError):  # shapes that do not fit, an activation of two arguments
        return float("inf")


def _error(module: nn.Module, experts: Experts, args: tuple[Any, ...], kwargs: dict[str, Any], made: Tensor) -> float:
    """How far all experts together are from ``made``, the module's own output, over its norm; infinite where unlike."""
    import torch

    taken = Taken.of(args, kwargs, experts.count)
    if taken is None or (not callable(getattr(module, "act_fn", None)) and experts.gate != "own"):
        return float("inf")
    again = torch.zeros(taken.hidden.shape, dtype=torch.float32, device=made.device)
    flat = again.reshape(-1, again.shape[-1])
    for expert in range(experts.count):
        rows, given, weights = taken.of_expert(expert)
        neurons = neurons_of(module, experts, expert, given)
        out = linear_of(module, experts.down, experts.down_bias, experts.transposed, expert, neurons)
        if getattr(module, "has_post_expert_norm", False):
            out = module.post_expert_norm(out)  # type: ignore[operator]
        place = rows if taken.chosen is not None else rows + expert * taken.n_tokens
        flat.index_add_(0, place, (out * weights[:, None]).float())
    if made.numel() != flat.numel():
        return float("inf")
    norm = float(made.float().norm())
    return float((flat - made.reshape(flat.shape).float()).norm()) / norm if norm else float("inf")
