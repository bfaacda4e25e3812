"""The neurons whose activation differs most: by how much, and where each is strongest in both corpora."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from glasso_cli.report.plots.contrast import Contrast
from glasso_cli.report.plots.parts.both_corpora import NOTE, draw_entries, entry, table_of
from glasso_cli.report.plots.parts.style import Picture
from glasso_cli.report.words.labels import count, signed, titled


def pictures(contrast: Contrast, wanted: int) -> Iterator[Picture]:
    """The ``wanted`` neurons with the most significant difference of means, if any passes."""
    comparison = contrast.comparison
    ranked = comparison.by_shift()[:wanted]
    neurons = ranked[comparison.shift_q[ranked] <= comparison.metrics.fdr].tolist()
    if not neurons:
        return
    entries = [
        entry(
            contrast,
            contrast.active_labels[neuron],
            contrast.active_names.texts[neuron],
            str(comparison.active_ids[neuron]),
            _in_words(contrast, neuron),
            (int(comparison.active_rows_a[neuron]), int(comparison.active_rows_b[neuron])),
        )
        for neuron in neurons
    ]
    a, b = contrast.names
    headline = f"The {count(len(entries), 'neuron')} whose activation differs most between {a} (A) and {b} (B)"
    note = f"Ranked by the p-value of the difference of means. {NOTE} {contrast.activation_doubt}"
    names = "; ".join(titled(each.label, each.name) for each in entries[:5])
    alt = f"{headline}: {names}, with their contexts in both."
    yield Picture("shifted", draw_entries(contrast, entries, headline, note), alt, table_of(contrast, entries))


def _in_words(contrast: Contrast, neuron: int) -> str:
    comparison = contrast.comparison
    value, error = float(comparison.shift[neuron]), float(comparison.shift_error[neuron])
    ratio = float(np.exp(comparison.log_ratio[neuron]))
    return (
        f"mean {comparison.mean_a[neuron]:.3g} in A, {comparison.mean_b[neuron]:.3g} in B: {signed(value)} ± {error:.2f} "
        f"standard deviations (q = {comparison.shift_q[neuron]:.1g}); variance × {ratio:.2f}"
    )
