"""Columns of the neurons beside those of the edges shown: what each is in the graph, and how much the output depends on it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from glasso_cli.artifacts import Scores, Structure
from glasso_cli.report.explorer.view import ColumnGroup, NeuronColumn
from glasso_cli.report.plots.scored import called
from glasso_cli.report.plots.study import Study
from glasso_cli.report.words.labels import count
from glasso_cli.report.words.scores import SCALARS
from glasso_cli.report.words.structure import TITLES, coefficient_words

_STRUCTURE = (
    (
        "predictability",
        "Share of the variance of the neuron that all other neurons predict on held-out documents, by ridge regression.",
    ),
    (
        "strength",
        "Sum of the absolute partial correlations of its drawn edges, without the penalty’s bias.",
    ),
    (
        "expected_influence",
        "The same sum with signs, relative to the heavier poles of the neurons.",
    ),
    (
        "bridge_strength",
        "Sum of the absolute partial correlations of its edges to other communities.",
    ),
    (
        "participation",
        "0 if all its edges stay in one community. It grows as they spread evenly over more communities.",
    ),
    ("pagerank", "PageRank on absolute partial correlations, damping 0.85. It sums to 1 over all neurons."),
)


def columns_of(study: Study) -> tuple[ColumnGroup, ...]:
    """The columns that the stages `structure` and `score` made, if they did."""
    groups = []
    if study.structure is not None:
        groups.append(_structure(study, study.structure))
    if study.scores is not None:
        groups.append(_importance(study, study.scores))
    return tuple(groups)


def _structure(study: Study, made: Structure) -> ColumnGroup:
    known = made.names.tolist()
    stability = {item.score: coefficient_words(item, made.metrics.largest) for item in made.metrics.stability}
    columns = []
    for name, words in _STRUCTURE:
        row = known.index(name)
        sentence = f"{words} Ranking: {stability[name]}." if stability.get(name) and made.metrics.subsets else words
        value, error = (_of_page(study, made.neuron_ids, values[row]) for values in (made.values, made.errors))
        columns.append(NeuronColumn(TITLES[name], sentence, value, error, name == "expected_influence"))
    words = (
        f"What each neuron is in the graph of the selected α, on {count(study.stats.n_tokens, study.stats.metrics.sample)} of this "
        f"corpus. ± is the standard error over documents, in {made.metrics.blocks} blocks; the edges and communities are held. "
        "None of these numbers says what the network loses without the neuron."
    )
    return ColumnGroup("structure", "structure", words, tuple(columns))


def _importance(study: Study, made: Scores) -> ColumnGroup:
    metrics = made.metrics
    scalar = SCALARS.get(metrics.scalar, metrics.scalar)
    words = (
        f"How much {scalar} depends on each neuron, as glasso score measured. Numbers are changes per token if the neuron alone is set to "
        f"{'its mean' if metrics.baseline == 'mean' else 'its value in another document'}; "
        f"{'the network is worse where they are positive' if metrics.rises else 'the network loses what is measured where they are negative'}. "
        f"± is the standard error over documents. {metrics.neurons:,} neurons at {len(metrics.hook_points)} hook points were scored."
    )
    return ColumnGroup("importance", "importance", words, tuple(_importance_columns(study, made, scalar)))


def _importance_columns(study: Study, made: Scores, scalar: str) -> Iterator[NeuronColumn]:
    metrics, forms = made.metrics, made.forms.tolist()
    form = forms.index("plain") if "plain" in forms else 0
    attributed, held_out = (
        f"{texts.tokens:,} tokens of {count(texts.documents, 'document')}"
        for texts in (metrics.attributed, metrics.held_out)
    )

    def page(values: np.ndarray) -> np.ndarray:
        return _of_page(study, made.neuron_ids, values)

    ranks, effect, error = np.empty(len(made.neuron_ids)), *np.full((2, len(made.neuron_ids)), np.nan)
    ranks[made.order()] = 1 + np.arange(len(ranks))
    effect[made.measured], error[made.measured] = made.effects, made.effect_errors
    by = f"{'absolute ' * (metrics.order == 'absolute')}attribution, {forms[0]}"
    yield NeuronColumn(
        "rank", f"Place among all {metrics.neurons:,} scored neurons by {by}.", page(ranks), low_first=True
    )
    yield NeuronColumn(
        called(forms[form]),
        f"Change of {scalar} that gradients expect of the ablation, on {attributed}.",
        page(made.attributions[form]),
        page(made.errors[form]),
        signed=True,
    )
    yield NeuronColumn(
        called(f"{forms[form]}_absolute"),
        f"The same in absolute values at each token, so that tokens do not cancel, on {attributed}.",
        page(made.absolute[form]),
    )
    yield NeuronColumn(
        "exact effect",
        f"Measured change of {scalar} by the ablation, on {held_out} that were held out. "
        f"Measured for {len(made.measured):,} neurons: those of the highest rank, and others drawn at random.",
        page(effect),
        page(error),
        signed=True,
    )
    yield NeuronColumn(
        "write norm",
        "Standard deviation of the neuron times the norm of the weights that read it. A simple baseline: it knows nothing of the output.",
        page(made.write_norms),
    )


def _of_page(study: Study, ids: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values ``(P,)`` of the neurons ``ids (P,)`` for the neurons of the page, ``(p,)``; nan where there is none."""
    known = dict(zip(ids.tolist(), values.tolist()))
    return np.array([known.get(name, np.nan) for name in study.fit.neuron_ids.tolist()], dtype=float)
