"""Scores from the network itself: what the weights say, and the influence in each of its forms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from glasso_cli.artifacts import ActivationStats, Influence
from glasso_cli.auditing.scores import Coefficients, LeftOut, Score
from glasso_cli.errors import InputError

if TYPE_CHECKING:
    from glasso_cli.hooks import HookPoint
    from glasso_cli.models.loaded import LoadedModel

WEIGHTS = "weights"

# form of the influence → the effects in whose unit it is
_FORMS: dict[str, tuple[str, str]] = {
    "mean": ("step", "mean"),
    "direct": ("step", "mean"),
    "rms": ("step", "rms"),
    "ablation": ("mean", "mean"),
    "ablation_rms": ("mean", "rms"),
}


def weights_score(
    loaded: LoadedModel, source: HookPoint, target: HookPoint, stats: ActivationStats, ids: tuple[list[str], list[str]]
) -> Score | LeftOut:
    """What the gate, and the up-projection, of each target read of what a source writes: the sum of both sizes.

    It takes standard deviations and no other property of the texts, and the residual stream alone. ``ids`` are those of the
    sources and the targets.
    """
    import torch

    from glasso_cli.derivatives.layout.pair import layer_pair
    from glasso_cli.derivatives.maps import maps_of

    neighbours = source.layer is not None and target.layer == source.layer + 1
    if not neighbours or not (source.label.endswith(".mlp") and target.label.endswith(".mlp")):
        return LeftOut(WEIGHTS, "they are known between the MLPs of two neighbouring layers")
    try:
        pair = layer_pair(loaded, source, target)
    except InputError as error:
        return LeftOut(WEIGHTS, error.message.removesuffix("."))
    inside = [torch.from_numpy(_places(point, wanted)) for point, wanted in zip((source, target), ids)]
    maps = maps_of(pair, *inside)
    along = sum((np.abs(read @ maps.writes[0]) for read in maps.reads), np.zeros(()))
    place = {name: row for row, name in enumerate(stats.neuron_ids.tolist())}
    source_std, target_std = (stats.std[[place[name] for name in wanted]] for wanted in ids)
    note = "|gate| + |up| along the stream" if pair.up is not None else "|weight| along the stream"
    return Score(WEIGHTS, "weights", along.T * source_std[:, None] / target_std, sign_of="", note=note)


def _places(point: HookPoint, ids: Sequence[str]) -> np.ndarray:
    place = {name: index for index, name in enumerate(point.neuron_ids)}
    return np.array([place[name] for name in ids], np.int64)


@dataclass(frozen=True, eq=False)
class InfluenceScores:
    """The influence between all neurons of one hook point and the targets."""

    influence: Influence
    stats: ActivationStats
    source: str  # label of the hook point
    target: str
    predictors: np.ndarray  # (k,) neurons of the source hook point, as indices into the statistics
    targets: np.ndarray  # (T,)

    def scores(self, of_sources: np.ndarray) -> Iterator[Score | LeftOut]:
        """Every form, for the sources that stand at ``of_sources (S,)`` among the predictors."""
        if (self.source, self.target) not in {(pair.source, pair.target) for pair in self.influence.metrics.layers}:
            yield LeftOut("influence", "it was not computed between these hook points")
            return
        inside, row, column = self._inside()
        if not inside.any():
            yield LeftOut("influence", "none of these pairs is an edge (influence.keep: all keeps all)")
            return
        whole = int(inside.sum()) == len(self.predictors) * len(self.targets)
        for form, unit in _FORMS.items():
            values = getattr(self.influence, form, None)
            if values is None or not values.size:
                if form == "ablation":
                    closed = self.influence.metrics.paths == "closed"
                    advice = "set influence.ablation: true" if closed else "influence.paths: closed has it"
                    yield LeftOut(f"influence, {form}", advice)
                continue
            dense = np.zeros((len(self.predictors), len(self.targets)))
            dense[row[inside], column[inside]] = values[inside]
            note = f"paths: {self.influence.metrics.paths}"
            if not whole:
                note += f"; {int(inside.sum()):,} pairs were kept, and the others count as 0 (influence.keep: all keeps all)"
            yield Score(
                f"influence, {form}" + ("" if whole else ", edges only"),
                "influence",
                dense[of_sources],
                unit[0] if unit[1] == "mean" else "",
                unit,
                note,
                Coefficients(self.predictors, dense) if form == "mean" else None,
            )

    def _inside(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Which pairs are between the predictors and the targets ``(E,)`` bool, and where: rows and columns."""
        names = self.stats.neuron_ids
        row = {name: place for place, name in enumerate(names[self.predictors].tolist())}
        column = {name: place for place, name in enumerate(names[self.targets].tolist())}
        own = self.influence.neuron_ids.tolist()
        rows = np.array([row.get(name, -1) for name in own])[self.influence.sources]
        columns = np.array([column.get(name, -1) for name in own])[self.influence.targets]
        return (rows >= 0) & (columns >= 0), rows, columns
