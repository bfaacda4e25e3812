"""The neurons whose activation differs most: by how much, and where each is strongest in both corpora."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from glasso_cli.report.plots.contrast import Contrast
from glasso_cli.report.plots.parts.both_corpora import Neurons, contexts_note, picture
from glasso_cli.report.plots.parts.style import Picture
from glasso_cli.report.words.labels import count, signed


def pictures(contrast: Contrast) -> Iterator[Picture]:
    """The neurons, at most ``contrast.most``, with the most significant difference of means, if any passes."""
    comparison = contrast.comparison
    ranked = comparison.by_shift()[: contrast.most]
    neurons = ranked[comparison.shift_q[ranked] <= comparison.metrics.fdr].tolist()
    if not neurons:
        return
    rows = (comparison.active_rows_a, comparison.active_rows_b)
    a, b = contrast.names
    headline = f"The {count(len(neurons), 'neuron')} whose activation differs most between {a} (A) and {b} (B)"
    yield picture(
        contrast,
        Neurons(contrast.active_labels, contrast.active_names.texts, comparison.active_ids, rows),
        neurons,
        _in_words,
        kind="shifted",
        headline=headline,
        note=f"Ranked by the p-value of the difference of means. {contexts_note(contrast)} {contrast.activation_doubt}",
        alt=headline,
    )


def _in_words(contrast: Contrast, neuron: int) -> str:
    comparison = contrast.comparison
    value, error = float(comparison.shift[neuron]), float(comparison.shift_error[neuron])
    ratio = float(np.exp(comparison.log_ratio[neuron]))
    return (
        f"mean {comparison.mean_a[neuron]:.3g} in A, {comparison.mean_b[neuron]:.3g} in B: {signed(value)} ± {error:.2f} "
        f"standard deviations (q = {comparison.shift_q[neuron]:.1g}); variance × {ratio:.2f}"
    )
