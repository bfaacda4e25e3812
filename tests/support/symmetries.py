"""Exact symmetries of a model: changes of its weights that change none of its outputs."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# The modules of an MLP whose outputs are the gates and the values of its neurons, by family.
GATED = {
    **dict.fromkeys(("gemma3", "gemma3n", "gemma3_vision", "llama"), "gate_proj up_proj"),
    **dict.fromkeys(("phi3", "phi3_longrope"), "gate_up_proj"),
}
RELU = {"opt"}  # act(c x) = c act(x) for c > 0
# Of the other families, the module that gives the neurons, and the one that reads them.
PLAIN = {
    "gpt2": ("c_fc", "c_proj"),
    "gpt_neox": ("dense_h_to_4h", "dense_4h_to_h"),
    "opt": ("fc1", "fc2"),
    "bert": ("intermediate.dense", "output.dense"),
    "roberta": ("intermediate.dense", "output.dense"),
}


@dataclass(frozen=True, eq=False)
class Symmetry:
    """What happens to the p neurons of a layer: neuron ``order[k]`` becomes neuron k, times ``factors[k]``."""

    order: np.ndarray
    factors: np.ndarray


def symmetry(kind: str, p: int, seed: int = 0) -> Symmetry:
    """One of ``sign``, ``scale`` and ``permutation``, at random."""
    rng = np.random.default_rng(seed)
    order, factors = np.arange(p), np.ones(p)
    if kind == "sign":
        factors[rng.permutation(p)[: p // 2]] = -1
    elif kind == "scale":
        factors = np.exp2(rng.integers(-2, 3, p))  # powers of two, which round nothing
    else:
        order = rng.permutation(p)
    return Symmetry(order, factors)


def kinds_of(family: str) -> list[str]:
    """The symmetries that the neurons of a family have."""
    if family in GATED:
        return ["sign", "scale", "permutation"]
    return ["scale", "permutation"] if family in RELU else ["permutation"]


KINDS = {family: kinds_of(family) for family in [*GATED, *PLAIN]}


def transformed(model: Any, family: str, reader: str, change: Symmetry) -> Any:
    """A copy of ``model`` whose neurons in front of the linear module ``reader`` are changed; its outputs are the same."""
    model = copy.deepcopy(model)
    parent, _, name = reader.rpartition(".")
    layer = model.get_submodule(parent)
    if family in GATED:
        modules = [layer.get_submodule(part) for part in GATED[family].split()]
        if len(modules) == 1:
            _change_halves(modules[0], change)
        else:
            _change_rows(modules[0], change.order, np.ones(len(change.order)))
            _change_rows(modules[1], change.order, change.factors)
    else:
        source, target = PLAIN[family]
        root = reader[: -len(target)].rstrip(".")
        _change_rows(model.get_submodule(f"{root}.{source}"), change.order, change.factors)
    _change_columns(layer.get_submodule(name), change)
    return model


def _change_halves(module: Any, change: Symmetry) -> None:
    """Of a projection that gives gates and values one after the other."""
    p = len(change.order)
    order = np.concatenate([change.order, p + change.order])
    _change_rows(module, order, np.concatenate([np.ones(p), change.factors]))


def _change_rows(module: Any, order: Sequence[int] | np.ndarray, factors: np.ndarray) -> None:
    """What a linear module gives: output ``order[k]`` becomes output k, times ``factors[k]``."""
    import torch

    scale = torch.tensor(factors, dtype=module.weight.dtype)
    with torch.no_grad():
        if type(module).__name__ == "Conv1D":
            module.weight.copy_(module.weight[:, list(order)] * scale)
        else:
            module.weight.copy_(module.weight[list(order)] * scale[:, None])
        if module.bias is not None:
            module.bias.copy_(module.bias[list(order)] * scale)


def _change_columns(module: Any, change: Symmetry) -> None:
    """What a linear module reads: the other way round, so that it gives the same."""
    import torch

    scale = torch.tensor(1 / change.factors, dtype=module.weight.dtype)
    with torch.no_grad():
        if type(module).__name__ == "Conv1D":
            module.weight.copy_(module.weight[change.order.tolist()] * scale[:, None])
        else:
            module.weight.copy_(module.weight[:, change.order.tolist()] * scale)
