"""Signs relative to each neuron's heavier pole: the one place where orientation is applied.

Artifacts hold the model's own signs, and beside them the orientation of every neuron, -1 or +1. Whatever a person sees comes
from the :func:`oriented` copy of an artifact: a value of a neuron is multiplied by its orientation, and a number of a pair by
the orientations of both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, TypeVar, cast

import numpy as np

AnArtifact = TypeVar("AnArtifact", bound="Kind")


class Kind(Protocol):
    """An artifact; by this alone it is known here, since artifacts import this module."""

    kind: ClassVar[str]

    @property
    def meta(self) -> dict[str, Any]: ...


class WithPoles(Kind, Protocol):
    """Statistics of neurons with contexts at both poles: see :class:`glasso_cli.artifacts.ActivationStats`."""

    @property
    def orientation(self) -> np.ndarray: ...

    @property
    def skewness(self) -> np.ndarray: ...


_FAINT = 0.05  # a pole whose strongest value is less than this share of the other's is none


def oriented(artifact: AnArtifact) -> AnArtifact:
    """``artifact`` with oriented signs; itself where it has them already. It cannot be saved.

    The second moments of statistics keep the model's own signs.
    """
    if is_oriented(artifact):
        return artifact
    turned = _TURN[artifact.kind](artifact)
    return cast("AnArtifact", replace(cast("Any", artifact), meta={**artifact.meta, "oriented": True}, **turned))


def is_oriented(artifact: Kind) -> bool:
    """Whether ``artifact`` is an oriented copy."""
    return bool(artifact.meta.get("oriented"))


def pair_signs(orientation: np.ndarray, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
    """What the numbers of pairs are multiplied by, ``(E,)``: -1 or +1."""
    return np.asarray(orientation[rows] * orientation[cols])


def _turned_fit(fit: Any) -> dict[str, Any]:
    sign = fit.orientation
    signs = pair_signs(sign, fit.rows, fit.cols)
    selected = signs[fit.part()]
    return {
        "values": fit.values * signs,
        "marginals": fit.marginals * signs,
        "factors": fit.factors * sign[:, None],
        "debiased": fit.debiased * selected,
        "z": fit.z * selected,
        "tested_values": fit.tested_values * pair_signs(sign, fit.tested_rows, fit.tested_cols),
        "tested_factors": fit.tested_factors * sign[:, None] if fit.tested_factors.size else fit.tested_factors,
        "plain_values": fit.plain_values * pair_signs(sign, fit.plain_rows, fit.plain_cols),
    }


def _turned_stats(stats: Any) -> dict[str, Any]:
    sign = stats.orientation
    turned = {"mean": stats.mean * sign, "skewness": stats.skewness * sign}
    downwards = sign < 0
    for name in ("tokens", "values", "documents"):
        high, low, fifths = (getattr(stats, f"{group}_{name}") for group in ("top", "bottom", "quantile"))
        exchange = downwards.reshape(-1, *[1] * (high.ndim - 1))
        turned |= {
            f"top_{name}": np.where(exchange, low, high),
            f"bottom_{name}": np.where(exchange, high, low),
            f"quantile_{name}": np.where(exchange[:, None], fifths[:, ::-1, ::-1], fifths),
        }
    for group in ("top", "bottom", "quantile"):
        values = turned[f"{group}_values"]
        turned[f"{group}_values"] = values * sign.reshape(-1, *[1] * (values.ndim - 1))
    return turned


def _turned_comparison(comparison: Any) -> dict[str, Any]:
    signs = pair_signs(comparison.orientation, comparison.rows, comparison.cols)
    turned = {name: getattr(comparison, name) * signs for name in ("rho_a", "rho_b", "z")}
    of_neurons = {
        name: getattr(comparison, name) * comparison.active_orientation for name in ("mean_a", "mean_b", "shift")
    }
    return {**turned, **of_neurons}


def _turned_joint(fit: Any) -> dict[str, Any]:
    signs = pair_signs(fit.orientation, fit.rows, fit.cols)
    return {name: getattr(fit, name) * signs for name in ("values", "partial_correlations")}


def _turned_interventions(found: Any) -> dict[str, Any]:
    """A step has the sign of its source and of its target; other changes do not depend on the sign of the source."""
    target = found.target_orientation
    sources = [
        found.source_orientation if change == "step" else np.ones(len(found.source_ids), np.int8)
        for change in found.changes
    ]
    signs = np.array(sources)[:, :, None] * target
    steps = found.source_orientation[found.linear_sources][:, None] * target
    # The slope of an output has the sign of the source; a divergence has none.
    outputs = np.where(found.outputs == "kl", 1, np.array(sources)[:, :, None])
    return {
        "output_effects": found.output_effects * outputs,
        "block_outputs": found.block_outputs * outputs[:, :, None],
        "effects": found.effects * signs,
        "block_sums": found.block_sums * signs[:, :, None],
        "linear_effects": found.linear_effects * steps,
        "random_effects": found.random_effects * target,
    }


def _turned_influence(influence: Any) -> dict[str, Any]:
    signs = pair_signs(influence.orientation, influence.sources, influence.targets)
    turned = {name: getattr(influence, name) * signs for name in ("mean", "z")}
    if influence.direct.size:
        turned["direct"] = influence.direct * signs
    if influence.ablation.size:  # a source that is set to its mean has no sign
        turned["ablation"] = influence.ablation * influence.orientation[influence.targets]
    if influence.block_deviations is not None:
        turned["block_deviations"] = influence.block_deviations * signs[influence.edge, None]
    return turned


def _turned_ordered(graph: Any) -> dict[str, Any]:
    signs = pair_signs(graph.orientation, graph.sources, graph.targets)
    selected = signs[graph.part()]
    turned = {name: getattr(graph, name) * signs for name in ("values", "marginals")}
    return turned | {name: getattr(graph, name) * selected for name in ("coefficients", "partial_correlations", "z")}


_TURN: dict[str, Callable[[Any], dict[str, Any]]] = {
    "activation-stats": _turned_stats,
    "precision-path": _turned_fit,
    "comparison": _turned_comparison,
    "joint-precision": _turned_joint,
    "interventions": _turned_interventions,
    "influence": _turned_influence,
    "ordered-graph": _turned_ordered,
}


# -- the contexts of both poles -----------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Pole:
    """The strongest contexts of a neuron in one direction, from strong to weak, with oriented values.

    ``tokens (K, W)`` index into the vocabulary, -1 outside the text, where ``values (K, W)`` are nan; ``documents (K,)``
    are -1 where there are fewer.
    """

    sign: int  # 1 or -1
    tokens: np.ndarray
    values: np.ndarray
    documents: np.ndarray

    @property
    def name(self) -> str:
        return "positive pole" if self.sign > 0 else "negative pole"


def poles_of(stats: WithPoles, neuron: int) -> list[Pole]:
    """The poles of one neuron (an index), the one that is heavier in this corpus first.

    A pole is left out if the neuron never has its sign there, or is never stronger than 5 % of the other pole, as where an
    activation function cuts off values.
    """
    sign = int(stats.orientation[neuron])
    done = is_oriented(stats)
    poles = [_pole(stats, neuron, pole, 1 if done else sign) for pole in ("top", "bottom")]
    if stats.skewness[neuron] < 0:
        poles.reverse()
    shown = pole_strengths(stats, neuron)
    return [pole for pole in poles if shown[pole.sign * (1 if done else sign)] > 0]


def _pole(stats: WithPoles, neuron: int, group: str, sign: int) -> Pole:
    tokens, values, documents = (
        getattr(stats, f"{group}_{name}")[neuron] for name in ("tokens", "values", "documents")
    )
    return Pole(sign if group == "top" else -sign, tokens, values * sign, documents)


def pole_strengths(stats: WithPoles, neuron: int) -> dict[int, float]:
    """The strongest value towards the highest (1) and the lowest (-1) values of a neuron; 0 for a pole that is none."""
    high, low = (getattr(stats, f"{group}_values")[neuron] for group in ("top", "bottom"))
    if high.size == 0:
        return {1: 0.0, -1: 0.0}
    middle = high.shape[1] // 2
    found = {1: float(np.nan_to_num(high[0, middle])), -1: float(np.nan_to_num(-low[0, middle]))}
    least = _FAINT * max(found.values())
    return {sign: strength if strength > max(least, 0.0) else 0.0 for sign, strength in found.items()}


def pole_contexts(stats: WithPoles, neuron: int, most: int) -> list[Pole]:
    """The poles of one neuron with ``most`` contexts of the heavier one and half as many of the other."""
    poles = poles_of(stats, neuron)
    amounts = (most, most // 2)
    return [
        Pole(pole.sign, pole.tokens[:amount], pole.values[:amount], pole.documents[:amount])
        for pole, amount in zip(poles, amounts)
        if amount
    ]
