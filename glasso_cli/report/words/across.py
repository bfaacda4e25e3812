"""Edges across layers in words: what a reading means, and what the columns are."""

from __future__ import annotations

import numpy as np

from glasso_cli.across.readings import READINGS
from glasso_cli.across.table import EdgesAcross
from glasso_cli.artifacts import Influence, Interventions, OrderedGraph, PrecisionPath
from glasso_cli.report.words.labels import count

SHORT = {
    "both": "both: association and influence",
    "common cause": "common cause: association, no influence found",
    "unused wiring": "unused wiring: influence, no association found",
    "neither": "neither, but the effect was measured",
    "": "not read: one of the two was not looked for",
}


def counts_by_reading(edges: EdgesAcross, chosen: np.ndarray) -> dict[str, int]:
    """How many of the ``chosen (M,)`` bool pairs have each reading, those that are not read last; only what there is."""
    names = [*READINGS, ""]
    counted = {name: int(np.count_nonzero(edges.reading[chosen] == _code(name))) for name in names}
    return {name: amount for name, amount in counted.items() if amount}


def reading_at(edges: EdgesAcross, row: int) -> str:
    """The reading of one pair; empty for one that is not read."""
    return [*READINGS, ""][int(edges.reading[row])]


def has_reading(edges: EdgesAcross, name: str) -> np.ndarray:
    """Which pairs have the reading ``name``, ``(M,)`` bool; the empty name is of pairs that are not read."""
    return np.asarray(edges.reading == _code(name))


def _code(name: str) -> int:
    return READINGS.index(name) if name else -1


def association_words(graph: OrderedGraph | PrecisionPath) -> str:
    """What the column of association holds."""
    if isinstance(graph, OrderedGraph):
        return (
            "Association: partial correlation given all other neurons of earlier layers, in the ordered graph at "
            f"α = {graph.metrics.alpha:.4g}; found beyond {graph.metrics.min_effect:g} at q ≤ {graph.metrics.fdr:g}."
        )
    return (
        "Association: partial correlation given all other neurons, in the fitted graph (no ordered graph was made); found beyond "
        f"{graph.metrics.min_effect:g} at q ≤ {graph.metrics.fdr:g}."
    )


def influence_words(influence: Influence) -> str:
    """What the column of influence holds."""
    return (
        "Influence: mean derivative, in standard deviations of the target per standard deviation of the source; found beyond "
        f"{influence.metrics.min_effect:g} at q ≤ {influence.metrics.fdr:g}."
    )


def effect_words(interventions: Interventions) -> str:
    """What the columns of effects hold."""
    metrics = interventions.metrics
    texts = (
        f"documents of {metrics.texts.corpus} that collect {'did not read' if metrics.texts.held_out else 'also read'}"
    )
    held = "" if metrics.mode == "free" else f", in mode {metrics.mode}"
    where = "" if metrics.at == "all tokens" else f", of changes at {metrics.at}"
    return (
        f"Effects: measured on {count(metrics.texts.tokens, metrics.texts.sample)} of {texts}{held}{where}, in standard deviations of the target, those of "
        f"steps per standard deviation of the source; found beyond {metrics.min_effect:g} at q ≤ {metrics.fdr:g}."
    )
