"""How much a scalar of the network's output depends on each neuron, as `score` writes it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from glasso_cli.artifacts.artifact import Artifact, array
from glasso_cli.artifacts.metrics import ScoreMetrics, metrics_of


@dataclass(frozen=True, eq=False, repr=False)
class Scores(Artifact):
    """Attributions of P neurons in F forms, exact effects of N of them, and curves of S rankings over K shares.

    An attribution is the change of the scalar, per token, that the form expects of the ablation of the neuron. No sign but
    that of ``mean`` depends on the orientation of a neuron. Standard errors are clustered by document.
    """

    kind: ClassVar[str] = "scores"
    schema: ClassVar[int] = 2

    neuron_ids: np.ndarray = array("P", dtype="str")
    layers: np.ndarray = array("P", dtype="int32")  # -1 where a hook point is in no layer
    points: np.ndarray = array("P", dtype="int32")  # into the hook points of the metrics
    mean: np.ndarray = array("P", dtype="float64")
    std: np.ndarray = array("P", dtype="float64")
    mean_abs: np.ndarray = array("P", dtype="float64")  # mean of the absolute activation
    write_norms: np.ndarray = array("P", dtype="float64")  # of what a standard deviation adds; nan if not known
    communities: np.ndarray = array("P", dtype="int32")  # of the fit; -1 without one
    forms: np.ndarray = array("F", dtype="str")
    attributions: np.ndarray = array("F", "P", dtype="float64")  # mean over tokens
    errors: np.ndarray = array("F", "P", dtype="float64")
    absolute: np.ndarray = array("F", "P", dtype="float64")  # mean over tokens of the absolute contribution
    held_out_attributions: np.ndarray = array("F", "P", dtype="float64")  # on the documents of the effects
    structure_names: np.ndarray = array("G", dtype="str")
    structure: np.ndarray = array("G", "P", dtype="float64")  # other scores of the neurons; nan where there is none
    # exact ablation, one neuron at a time; M held-out documents:
    counts: np.ndarray = array("M", dtype="int64")  # tokens at which the scalar has a value
    measured: np.ndarray = array("N", dtype="int32")  # into the neurons
    drawn: np.ndarray = array("N", dtype="bool")  # of the random sample; others are of the top
    effects: np.ndarray = array("N", dtype="float64")
    effect_errors: np.ndarray = array("N", dtype="float64")
    document_effects: np.ndarray = array("N", "M", dtype="float64")  # sums over tokens
    document_attributions: np.ndarray = array("F", "N", "M", dtype="float64")  # the same, as the forms expect it
    # the scalar with the first neurons of a ranking ablated, and with all others ablated; sums over tokens:
    rankings: np.ndarray = array("S", dtype="str")
    shares: np.ndarray = array("K", dtype="float64")
    ablations: np.ndarray = array("A", dtype="str")
    clean: np.ndarray = array("M", dtype="float64")
    everything: np.ndarray = array("A", "M", dtype="float64")  # with all neurons ablated
    deletion: np.ndarray = array("A", "S", "K", "M", dtype="float64")
    insertion: np.ndarray = array("A", "S", "K", "M", dtype="float64")
    # what becomes of the curves; see docs/score.md:
    area_names: np.ndarray = array("R", dtype="str")
    areas: np.ndarray = array("A", "S", "R", dtype="float64")
    area_errors: np.ndarray = array("A", "S", "R", dtype="float64")
    area_intervals: np.ndarray = array("2", "A", "S", "R", dtype="float64")  # ends of 95 % intervals over documents
    differences: np.ndarray = array(
        "A", "S", "S", "R", dtype="float64"
    )  # of the areas of two rankings, first minus second
    difference_intervals: np.ndarray = array("2", "A", "S", "S", "R", dtype="float64")
    # Slopes of the scalar per unit of a neuron that moves at all kept tokens, with the model's own signs; per token. Not there for a
    # scalar whose slope at the clean network is zero. Direct ones hold the neurons of later hook points; B blocks of documents:
    slopes: np.ndarray | None = array("P", dtype="float64", optional="slopes")
    slope_errors: np.ndarray | None = array("P", dtype="float64", optional="slopes")
    direct_slopes: np.ndarray | None = array("P", dtype="float64", optional="slopes")
    direct_slope_errors: np.ndarray | None = array("P", dtype="float64", optional="slopes")
    direct_block_deviations: np.ndarray | None = array("P", "B", dtype="float32", optional="slopes")  # as in Influence

    @cached_property
    def metrics(self) -> ScoreMetrics:
        """The metrics in ``meta``; raises :class:`InputError` where they were damaged or are of another version."""
        return metrics_of(ScoreMetrics, self.meta)

    def in_words(self) -> str:
        return f"{len(self.neuron_ids):,} neurons, {', '.join(self.forms.tolist())}; {len(self.measured):,} ablated one by one"

    def importance(self, form: str | None = None) -> np.ndarray:
        """How much worse the scalar becomes without each neuron, ``(P,)``: what ranks them, by a form or the first one.

        The sign is that of the loss: positive where the ablation raises the loss, or lowers a scalar that is no loss.
        """
        row = 0 if form is None else self.forms.tolist().index(form)
        if self.metrics.order == "absolute":
            return np.asarray(self.absolute[row])
        return np.asarray(self.attributions[row] * (1 if self.metrics.rises else -1))

    def order(self, form: str | None = None) -> np.ndarray:
        """The neurons from the most to the least important, as indices ``(P,)``."""
        return np.argsort(-self.importance(form), kind="stable")

    def neuron_columns(self) -> dict[str, Any]:
        """The table of neurons, the most important first: the columns of the stage's ``.neurons.csv``."""
        order = self.order()
        effect, error = (np.full(len(self.neuron_ids), np.nan) for _ in range(2))
        effect[self.measured], error[self.measured] = self.effects, self.effect_errors
        columns: dict[str, Any] = {"neuron": self.neuron_ids[order], "layer": self.layers[order]}
        for row, form in enumerate(self.forms.tolist()):
            columns[form] = self.attributions[row][order]
            columns[f"{form}_standard_error"] = self.errors[row][order]
            columns[f"{form}_absolute"] = self.absolute[row][order]
        columns |= {"effect": effect[order], "effect_standard_error": error[order]}
        columns |= {"write_norm": self.write_norms[order], "mean_abs": self.mean_abs[order]}
        columns |= {name: values[order] for name, values in zip(self.structure_names.tolist(), self.structure)}
        return columns | {"community": self.communities[order]}
