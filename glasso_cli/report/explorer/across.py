"""What the page shows of edges across layers: the strongest pairs of its neurons, column by column."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from glasso_cli.across.readings import IN_WORDS, READINGS, effect_in_words
from glasso_cli.across.table import Column, EdgesAcross
from glasso_cli.graph import colours
from glasso_cli.report.explorer.view import Across, AcrossColumn
from glasso_cli.report.plots.study import Study
from glasso_cli.report.words.across import SHORT, association_words, effect_words, influence_words

MOST_PAIRS = 8_000  # of each reading
_CHANGES = {
    "step": "effect of a step",
    "mean": "effect of ablation",
    "zero": "effect of zero",
    "resample": "effect of resampling",
}


def across_of(study: Study) -> Across | None:
    """The pairs among the fitted neurons, at most ``MOST_PAIRS`` of each reading; None where there are none."""
    edges = study.across
    if edges is None:
        return None
    place = np.full(len(study.collected.ids), -1)
    place[study.fit.neurons] = np.arange(study.p)
    inside = (place[edges.sources] >= 0) & (place[edges.targets] >= 0)
    rows = _strongest(edges, inside)
    if not len(rows):
        return None
    words = {
        "readings": [
            {
                "name": name,
                "short": SHORT[name],
                "words": IN_WORDS[name],
                "effect": [effect_in_words(name, found) for found in (False, True)],
                "colour": colours.READINGS[name],
            }
            for name in (*READINGS, "")
        ],
        "not_fitted": int(np.count_nonzero(~inside)),
        "left_out": int(np.count_nonzero(inside)) - len(rows),
    }
    return Across(
        place[edges.sources[rows]],
        place[edges.targets[rows]],
        np.where(edges.reading < 0, len(READINGS), edges.reading)[rows],
        tuple(_column(name, text, column, rows) for name, text, column in _columns(study, edges)),
        words,
    )


def _strongest(edges: EdgesAcross, inside: np.ndarray) -> np.ndarray:
    """The rows that are shown: those of each reading from strong to weak, up to their number."""
    chosen = [np.flatnonzero(inside & (edges.reading == reading))[:MOST_PAIRS] for reading in np.unique(edges.reading)]
    return np.sort(np.concatenate(chosen)) if chosen else np.empty(0, np.int64)


def _columns(study: Study, edges: EdgesAcross) -> Iterator[tuple[str, str, Column]]:
    if edges.association is not None and study.association_graph is not None:
        yield "association", association_words(study.association_graph), edges.association
    if edges.influence is not None and study.influence is not None:
        yield "influence", influence_words(study.influence), edges.influence
    for change, column in edges.effects.items():
        assert study.interventions is not None
        yield _CHANGES[change], effect_words(study.interventions), column


def _column(name: str, words: str, column: Column, rows: np.ndarray) -> AcrossColumn:
    rms, rms_error = (column.numbers.get(part) for part in ("rms", "rms_error"))
    return AcrossColumn(
        name,
        words,
        column.looked[rows],
        column.found[rows],
        column.value[rows],
        column.error[rows],
        column.q_value[rows],
        None if rms is None else rms[rows],
        None if rms_error is None else rms_error[rows],
    )
