"""Scores from other texts than those of the effects: the same neurons, the same unit, and effects measured there as a score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from glasso_cli.artifacts import ActivationStats, Interventions
from glasso_cli.auditing.scores import LeftOut, Score
from glasso_cli.errors import InputError

_CHANGES = {"mean": "ablation", "zero": "ablation to zero", "resample": "resampling"}


@dataclass(frozen=True, eq=False)
class OtherTexts:
    """Scores come from the texts of the corpus ``name``; ``stats`` are those of the corpus whose neurons were changed.

    ``measured`` are the effects on the texts of ``name``, if there are any.
    """

    name: str
    stats: ActivationStats
    measured: Interventions | None = None

    def effects(self, sources: Sequence[str], targets: Sequence[str], label: str) -> Iterator[Score | LeftOut]:
        """The effects measured on the other texts, each change and statistic as a score of the pairs of these neurons.

        ``label`` is the source hook point.
        """
        score, made = f"effects on {self.name}", self.measured
        if made is None:
            yield LeftOut(score, f"there are no effects on the neurons of {self.name} that are up to date")
            return
        alone = made.metrics.source == label
        rows, columns = (_places(ids, own) for ids, own in ((sources, made.source_ids), (targets, made.target_ids)))
        if not alone or (rows < 0).any():
            advice = "name them in intervene.sources, or set intervene.stratify: []"
            yield LeftOut(score, f"other neurons were changed there: {advice}")
            return
        if (columns < 0).any():
            yield LeftOut(score, "other targets were measured there")
            return
        for change, kind in enumerate(made.changes.tolist()):
            for statistic, values in (("mean", made.effects), ("rms", made.rms)):
                named = f"{score}, {_CHANGES.get(kind, kind)}, {statistic}"
                dense = np.asarray(values[change][np.ix_(rows, columns)], dtype=np.float64)
                sign = kind if statistic == "mean" else ""
                note = f"{made.metrics.texts.tokens:,} {made.metrics.texts.sample}s of {made.metrics.texts.corpus}"
                yield Score(named, "measured", dense, sign, (kind, statistic), note)

    def in_unit(self, score: Score, own: ActivationStats, sources: np.ndarray, targets: np.ndarray) -> Score:
        """A score from the statistics ``own``, in whose standard deviations it is, in those of the effects.

        ``sources (S,)`` and ``targets (T,)`` index into ``own``. A score without a unit stays as it is.
        """
        if score.unit is None:
            return score
        of_sources, of_targets = (self._ratios(own, rows) for rows in (sources, targets))
        scale = np.ones((len(sources), 1)) / of_targets
        if score.unit[0] == "step":
            scale = scale * of_sources[:, None]
        return replace(score, values=score.values * scale)

    def _ratios(self, own: ActivationStats, rows: np.ndarray) -> np.ndarray:
        """Standard deviations on the texts of the effects over those on the texts of the scores."""
        there = _places(own.neuron_ids[rows].tolist(), self.stats.neuron_ids)
        return np.asarray(self.stats.std[there] / own.std[rows])

    def refuse_unknown(self, own: ActivationStats, sources: Sequence[str]) -> None:
        """Raise :class:`InputError` where a changed neuron was not collected from the texts of the scores, or is constant there."""
        rows = _places(sources, own.neuron_ids)
        known = (rows >= 0) & (own.std[rows] > 0) & ~own.dead[rows]
        if not known.all():
            name = sources[int(np.flatnonzero(~known)[0])]
            raise InputError(
                f"'{name}' was changed, and it was not collected from the texts of {self.name}, or is constant there.",
                "Collect the same neurons from both (collect.neurons: all), or name neurons of both in intervene.sources.",
            )


def _places(ids: Sequence[str], among: np.ndarray) -> np.ndarray:
    """Where ``ids`` stand in an array of ids; -1 where they do not."""
    place = {name: row for row, name in enumerate(among.tolist())}
    return np.array([place.get(name, -1) for name in ids], np.int64)
