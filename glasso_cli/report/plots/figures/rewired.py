"""The neurons whose edges change most: what changes, and where each is strongest in both corpora."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from glasso_cli.artifacts.comparison import CLASSES
from glasso_cli.report.plots.contrast import Contrast
from glasso_cli.report.plots.parts.both_corpora import Neurons, contexts_note, picture
from glasso_cli.report.plots.parts.style import Picture
from glasso_cli.report.words.labels import count, signed

_EDGES = 3  # named for each neuron


def pictures(contrast: Contrast) -> Iterator[Picture]:
    """The neurons, at most ``contrast.most``, with most change, if any differs."""
    comparison = contrast.comparison
    ranked = comparison.by_change()[: contrast.most]
    neurons = ranked[comparison.changes[ranked] > 0].tolist()
    if not neurons:
        return
    rows = (comparison.neurons_a, comparison.neurons_b)
    most, (a, b) = f"The {count(len(neurons), 'neuron')} that rewire most", contrast.names
    yield picture(
        contrast,
        Neurons(contrast.labels, contrast.neuron_names.texts, comparison.neuron_ids, rows),
        neurons,
        _in_words,
        kind="rewired",
        headline=f"{most} from {a} (A) to {b} (B)",
        note=f"Ranked by the sum of the changes of partial correlations. {contexts_note(contrast)} {contrast.doubt}",
        alt=f"{most} ({contrast.title})",
    )


def _edges_of(contrast: Contrast, neuron: int) -> np.ndarray:
    """The differential edges of a neuron, largest change first."""
    comparison = contrast.comparison
    mine = np.flatnonzero(comparison.differential & ((comparison.rows == neuron) | (comparison.cols == neuron)))
    return mine[np.argsort(-np.abs(comparison.rho_b[mine] - comparison.rho_a[mine]), kind="stable")]


def _in_words(contrast: Contrast, neuron: int) -> str:
    comparison = contrast.comparison
    edges = _edges_of(contrast, neuron)
    named = "; ".join(
        f"{contrast.titles[comparison.cols[e] if comparison.rows[e] == neuron else comparison.rows[e]]} "
        f"{signed(comparison.rho_a[e])} → {signed(comparison.rho_b[e])} ({CLASSES[comparison.classes[e]]})"
        for e in edges[:_EDGES]
    )
    more = f"; {len(edges) - _EDGES} more" if len(edges) > _EDGES else ""
    return f"edges {comparison.degree_a[neuron]} → {comparison.degree_b[neuron]}; {named}{more}"
