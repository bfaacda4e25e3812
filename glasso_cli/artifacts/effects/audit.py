"""How well scores of pairs predict measured effects, and later activations, as `audit` writes it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from glasso_cli.artifacts.artifact import Artifact, array, frame_of
from glasso_cli.artifacts.metrics import AuditMetrics, metrics_of

if TYPE_CHECKING:
    import pandas as pd

_MEASURES = ("precision", "by_source", "top", "signs", "slope", "gain")


@dataclass(frozen=True, eq=False, repr=False)
class Audit(Artifact):
    """R rows, each of one score against one truth, U rows of the same scores as predictions, and Q descriptions of scores.

    Measures end in ``_low`` and ``_high`` for the ends of 95 % intervals over sources and documents. What a score has not is
    nan: a sign, or the unit of the effects. See docs/audit.md.
    """

    kind: ClassVar[str] = "audit"
    schema: ClassVar[int] = 1

    # every score against every truth; the rows of one truth stand together, the ceiling first
    target: np.ndarray = array("R", dtype="str")  # hook point
    change: np.ndarray = array("R", dtype="str")
    statistic: np.ndarray = array("R", dtype="str")  # mean or rms
    rule: np.ndarray = array("R", dtype="str")  # strongest: the largest effects; beyond: those above min_effect
    score: np.ndarray = array("R", dtype="str")
    score_kind: np.ndarray = array("R", dtype="str")  # ceiling, chance, association, weights, influence or measured
    true_pairs: np.ndarray = array("R", dtype="int64")
    base_rate: np.ndarray = array("R", dtype="float64")  # share of true pairs
    base_rate_by_source: np.ndarray = array("R", dtype="float64")
    precision: np.ndarray = array("R", dtype="float64")  # average precision over all pairs
    precision_low: np.ndarray = array("R", dtype="float64")
    precision_high: np.ndarray = array("R", dtype="float64")
    by_source: np.ndarray = array("R", dtype="float64")  # mean of the average precision within each source
    by_source_low: np.ndarray = array("R", dtype="float64")
    by_source_high: np.ndarray = array("R", dtype="float64")
    top: np.ndarray = array("R", dtype="float64")  # share of true pairs among the first audit.top
    top_low: np.ndarray = array("R", dtype="float64")
    top_high: np.ndarray = array("R", dtype="float64")
    signs: np.ndarray = array("R", dtype="float64")  # share of right signs among the true pairs
    signs_low: np.ndarray = array("R", dtype="float64")
    signs_high: np.ndarray = array("R", dtype="float64")
    slope: np.ndarray = array("R", dtype="float64")  # of the effect on the score, through zero
    slope_low: np.ndarray = array("R", dtype="float64")
    slope_high: np.ndarray = array("R", dtype="float64")
    gain: np.ndarray = array("R", dtype="float64")  # average precision less that of the correlation
    gain_low: np.ndarray = array("R", dtype="float64")
    gain_high: np.ndarray = array("R", dtype="float64")
    # the same scores as predictions of activations
    predicted_target: np.ndarray = array("U", dtype="str")
    predicted_score: np.ndarray = array("U", dtype="str")
    explained: np.ndarray = array(
        "U", dtype="float64"
    )  # share of the variance of the targets on the texts of `intervene`
    explained_low: np.ndarray = array("U", dtype="float64")
    explained_high: np.ndarray = array("U", dtype="float64")
    associated: np.ndarray = array("U", dtype="float64")  # average precision for the strongest correlations there
    associated_low: np.ndarray = array("U", dtype="float64")
    associated_high: np.ndarray = array("U", dtype="float64")
    associated_base_rate: np.ndarray = array("U", dtype="float64")
    # how every score was made
    made_target: np.ndarray = array("Q", dtype="str")
    made_score: np.ndarray = array("Q", dtype="str")
    made_note: np.ndarray = array("Q", dtype="str")

    @cached_property
    def metrics(self) -> AuditMetrics:
        """The metrics in ``meta``; raises :class:`InputError` where they were damaged or are of another version."""
        return metrics_of(AuditMetrics, self.meta)

    def in_words(self) -> str:
        found = sum(verdict.predicts for verdict in self.metrics.verdicts)
        return f"{len(np.unique(self.made_score))} scores, {found} of {len(self.metrics.verdicts)} verdicts say that effects are predicted"

    def score_columns(self) -> dict[str, Any]:
        """The table of all scores against all truths, by column, with the verdicts."""
        names = ("target", "change", "statistic", "rule", "score", "true_pairs", "base_rate", "base_rate_by_source")
        columns: dict[str, Any] = {name: getattr(self, name) for name in names}
        for measure in _MEASURES:
            columns |= {name: getattr(self, name) for name in (measure, f"{measure}_low", f"{measure}_high")}
        said = {(item.target, item.score, item.change, item.statistic): item.text for item in self.metrics.verdicts}
        keys = zip(self.target.tolist(), self.score.tolist(), self.change.tolist(), self.statistic.tolist())
        strongest = (self.rule == "strongest").tolist()
        columns["verdict"] = np.array([said.get(key, "") if own else "" for key, own in zip(keys, strongest)], np.str_)
        return columns

    def predicted_columns(self) -> dict[str, Any]:
        """The table of scores as predictions of activations, by column."""
        names = ("explained", "associated")
        columns: dict[str, Any] = {"target": self.predicted_target, "score": self.predicted_score}
        for measure in names:
            columns |= {name: getattr(self, name) for name in (measure, f"{measure}_low", f"{measure}_high")}
        return {**columns, "associated_base_rate": self.associated_base_rate}

    def scores_frame(self) -> pd.DataFrame:
        """Every score against every truth as a data frame: the columns of the stage's ``.csv``."""
        return frame_of(self.score_columns())

    def predicted_frame(self) -> pd.DataFrame:
        """The scores as predictions of activations, as a data frame."""
        return frame_of(self.predicted_columns())

    def rows_of(self, target: str, change: str, statistic: str, rule: str = "strongest") -> np.ndarray:
        """The rows of one truth, the ceiling first."""
        return np.flatnonzero(
            (self.target == target) & (self.change == change) & (self.statistic == statistic) & (self.rule == rule)
        )

    def truths(self) -> list[tuple[str, str, str]]:
        """Target, change and statistic of all truths that are the strongest effects, in their order."""
        strongest = self.rule == "strongest"
        keys = zip(self.target[strongest].tolist(), self.change[strongest].tolist(), self.statistic[strongest].tolist())
        return list(dict.fromkeys(keys))
