"""The scores of the structure as an artifact, with its metrics."""

from __future__ import annotations

import numpy as np

from glasso_cli.artifacts import PrecisionPath, Structure
from glasso_cli.artifacts.metrics import StructureMetrics, to_json
from glasso_cli.artifacts.metrics.structure import RankingStability
from glasso_cli.scoring.structure.scores import StructureScores
from glasso_cli.scoring.structure.stability import SHARE, Level


def structure_artifact(
    found: StructureScores, fit: PrecisionPath, n_effective: float, blocks: int, name: str
) -> Structure:
    """The artifact of the scores of ``fit``, on ``n_effective`` tokens in so many ``blocks`` of documents."""
    scores = found.scores
    levels = () if found.stability is None else found.stability.levels
    metrics = StructureMetrics(
        neurons=fit.n_neurons,
        edges=int(np.count_nonzero(fit.kept)),
        communities=int(fit.communities.max(initial=-1)) + 1,
        layers=len(np.unique(fit.layers)),
        blocks=blocks,
        n_effective=n_effective,
        estimate=fit.metrics.estimate.kind,
        penalty=found.penalty,
        mean_predictability=float(found.named("predictability").values.mean()),
        subsets=max((level.subsets for level in levels), default=0),
        largest=max((level.dropped for level in levels if level.subsets), default=0.0),
        refused=tuple(level.dropped for level in levels if not level.subsets),
        stability=tuple(
            RankingStability(score.name, _known(score.stability), _known(score.rank_stability)) for score in scores
        ),
    )
    return Structure(
        meta={"corpus": name, "metrics": to_json(metrics)},
        neuron_ids=fit.neuron_ids,
        layers=fit.layers,
        communities=fit.communities,
        names=np.array([score.name for score in scores]),
        values=np.stack([score.values for score in scores]),
        errors=np.stack([score.errors for score in scores]),
        community_sums=np.stack([score.communities for score in scores]),
        community_errors=np.stack([score.community_errors for score in scores]),
        dropped=np.array([level.dropped for level in levels], dtype=float),
        n_effective=np.array([level.n_effective for level in levels], dtype=float),
        correlations=_exceeded(levels, [score.name for score in scores], ranks=False),
        rank_correlations=_exceeded(levels, [score.name for score in scores], ranks=True),
        coefficients=np.array([score.stability for score in scores]),
        rank_coefficients=np.array([score.rank_stability for score in scores]),
    )


def _exceeded(levels: tuple[Level, ...], names: list[str], *, ranks: bool) -> np.ndarray:
    """The correlation that ``SHARE`` of the subsets exceed, of each score at each level ``(G, L)``; nan where there is none."""
    found = np.full((len(names), len(levels)), np.nan)
    for column, level in enumerate(levels):
        measured = level.spearman if ranks else level.pearson
        for row, name in enumerate(names):
            if level.subsets and name in measured:
                found[row, column] = np.quantile(measured[name], 1 - SHARE, method="lower")
    return found


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
