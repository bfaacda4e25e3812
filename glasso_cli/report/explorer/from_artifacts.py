"""From artifacts to what the explorer shows: the path of a corpus as one table of edges, and what a comparison found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from glasso_cli.artifacts import ActivationStats, Comparison, PrecisionPath
from glasso_cli.artifacts.comparison import CLASSES
from glasso_cli.artifacts.orientation import pole_contexts
from glasso_cli.artifacts.precision_path import places_of
from glasso_cli.inference.pairs import pair_places, pairs_at
from glasso_cli.linalg.precision import partial_correlation
from glasso_cli.report.explorer.across import across_of
from glasso_cli.report.explorer.columns import columns_of
from glasso_cli.report.explorer.pathways import pathways_of
from glasso_cli.report.explorer.view import MOST_ALPHAS, Activity, Change, CorpusView, ShownSamples, View
from glasso_cli.report.explorer.write import CONTEXTS
from glasso_cli.report.names import Name
from glasso_cli.report.plots.contrast import Contrast
from glasso_cli.report.plots.study import Study
from glasso_cli.report.words.comparison import activation_halves
from glasso_cli.report.words.fit import fit_summary
from glasso_cli.report.words.labels import count

MOST_EDGES = 400_000  # of a corpus: beyond, the densest alphas of its path are left out


def view_of(study: Study) -> View:
    """One corpus."""
    fit = study.fit
    corpus = corpus_view(study.stats, fit, study.title, names=study.community_names)
    return View(
        study.title,
        _sentence(study),
        fit.neuron_ids,
        study.labels,
        study.names.texts,
        study.names.scores,
        fit.layers,
        fit.orientation,
        (corpus,),
        across=across_of(study),
        columns=columns_of(study),
        pathways=pathways_of(study),
    )


def compared_view(contrast: Contrast, fits: tuple[PrecisionPath, PrecisionPath]) -> View:
    """Two corpora over the neurons they share, and what differs."""
    comparison = contrast.comparison
    corpora = tuple(
        corpus_view(stats, fit, name, comparison.neuron_ids, names=names)
        for stats, fit, name, names in zip(
            (contrast.first, contrast.second), fits, contrast.names, contrast.community_names(fits)
        )
    )
    sentence = f"{contrast.subject}. {contrast.doubt}"
    return View(
        contrast.title,
        sentence,
        comparison.neuron_ids,
        contrast.labels,
        contrast.neuron_names.texts,
        contrast.neuron_names.scores,
        comparison.layers,
        comparison.orientation,
        corpora,
        change=_change(comparison),
        activity=_activity(comparison),
    )


def _sentence(study: Study) -> str:
    expected = study.fit.metrics.expected_false_edges
    return (
        f"{study.subject}. Which neurons depend on each other once all others are accounted for; at most {expected:.2g} of the "
        f"{count(study.n_edges, 'edge')} are expected to be false."
    )


# -- a corpus -------------------------------------------------------------------------------------------


def corpus_view(
    stats: ActivationStats, fit: PrecisionPath, name: str, ids: np.ndarray | None = None, *, names: Sequence[Name] = ()
) -> CorpusView:
    """The fit of a corpus, over the neurons ``ids (p,)`` of it (all by default); ``names`` of its communities, if they have any."""
    chosen = np.arange(fit.n_neurons) if ids is None else places_of(ids, fit.neuron_ids)
    p = len(chosen)
    renamed = np.full(fit.n_neurons, -1)
    renamed[chosen] = np.arange(p)
    alphas = _alphas_shown(fit)
    pairs, values, marginals = zip(*(_at(fit, k, renamed, p) for k in alphas))
    union, first = np.unique(np.concatenate(pairs), return_index=True)
    rows, cols = pairs_at(union, p)
    places = [np.searchsorted(union, part) for part in pairs]
    present = np.zeros(len(union), dtype=np.uint32)
    for bit, place in enumerate(places):
        present[place] |= np.uint32(1 << bit)
    selected = alphas.index(int(fit.selected))
    tests = _tested(fit, renamed, p)
    tested = np.searchsorted(union, tests.pop("pairs"))
    collected = fit.neurons[chosen]
    return CorpusView(
        name=name,
        words=_words(fit, alphas),
        alphas=fit.alphas[alphas],
        selected=selected,
        rows=rows,
        cols=cols,
        present=present,
        rho=np.concatenate(values),
        marginal=np.concatenate(marginals)[first],
        tested=tested,
        communities=fit.communities[chosen],
        community_names=names,
        **_contexts(stats, collected),
        **tests,
    )


def _contexts(stats: ActivationStats, neurons: np.ndarray) -> dict[str, Any]:
    """``poles (p, K)`` and the contexts of ``neurons (p,)``: those of the heavier pole, then those of the other."""
    width = stats.top_tokens.shape[2]
    shape = (len(neurons), CONTEXTS + CONTEXTS // 2)
    poles, documents = np.zeros(shape, np.int8), np.full(shape, -1, np.int32)
    tokens, values = np.full((*shape, width), -1, np.int32), np.full((*shape, width), np.nan, np.float32)
    for row, neuron in enumerate(neurons.tolist()):
        start = 0
        for pole in pole_contexts(stats, neuron, CONTEXTS):
            part = slice(start, start + len(pole.documents))
            poles[row, part], documents[row, part] = pole.sign, pole.documents
            tokens[row, part], values[row, part] = pole.tokens, pole.values
            start = part.stop
    found: dict[str, Any] = {"poles": poles, "values": values, "documents": documents}
    if stats.crops is None:
        return {**found, "vocabulary": stats.vocabulary, "tokens": tokens}
    used = np.unique(documents[documents >= 0])
    return {
        **found,
        "vocabulary": np.array([f"document {document}" for document in used.tolist()], dtype=np.str_),
        "tokens": np.where(documents >= 0, np.searchsorted(used, documents), -1)[:, :, None],
        "shown": ShownSamples(stats.crops, stats.vocabulary, tokens[:, :, 0], neurons),
    }


def _alphas_shown(fit: PrecisionPath) -> list[int]:
    """Which alphas: the selected one and those next to it in density, as far as their edges and their number allow."""
    selected = int(fit.selected)
    order = sorted(range(len(fit.alphas)), key=lambda k: (abs(k - selected), k))[:MOST_ALPHAS]
    return sorted(k for k in order if k <= selected or fit.n_edges[k] <= MOST_EDGES)


def _at(fit: PrecisionPath, k: int, renamed: np.ndarray, p: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pairs of one alpha as numbers, with their partial and plain correlations, ``(E,)``."""
    part = fit.part(k)
    rows, cols = fit.rows[part], fit.cols[part]
    rho = partial_correlation(rows, cols, fit.values[part], fit.diagonals[k])
    pairs, used = _numbered(rows, cols, renamed, p)
    order = np.argsort(pairs, kind="stable")
    return pairs[order], rho[used][order], np.asarray(fit.marginals[part])[used][order]


def _numbered(rows: np.ndarray, cols: np.ndarray, renamed: np.ndarray, p: int) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of pairs among the p chosen neurons, and which of the pairs those are."""
    first, second = renamed[rows], renamed[cols]
    used = np.flatnonzero((first >= 0) & (second >= 0))
    low, high = np.minimum(first, second)[used], np.maximum(first, second)[used]
    return pair_places(low, high, p), used


def _tested(fit: PrecisionPath, renamed: np.ndarray, p: int) -> dict[str, Any]:
    part = fit.part()
    pairs, used = _numbered(fit.rows[part], fit.cols[part], renamed, p)
    order = used[np.argsort(pairs, kind="stable")]
    return {
        "pairs": np.sort(pairs),
        "kept": fit.kept[order],
        "debiased": fit.debiased[order],
        "standard_error": fit.standard_error[order],
        "q_values": fit.q_values[order],
        "frequencies": fit.frequencies[order],
    }


def _words(fit: PrecisionPath, alphas: list[int]) -> dict[str, Any]:
    summary = fit_summary(fit.metrics, fit.meta["material"]["config"]["fit"])
    return {
        "criterion": [None if np.isnan(value) else float(value) for value in fit.criterion[alphas]],
        "duality_gap": [float(value) for value in fit.duality_gap[alphas]],
        "summary": [list(line) for line in summary],
        "left_out": len(fit.alphas) - len(alphas),
    }


# -- a comparison -----------------------------------------------------------------------------------------


def _change(comparison: Comparison) -> Change:
    differs = comparison.differential
    return Change(
        rows=comparison.rows[differs],
        cols=comparison.cols[differs],
        rho=(comparison.rho_a[differs], comparison.rho_b[differs]),
        error=(comparison.error_a[differs], comparison.error_b[differs]),
        q_values=comparison.q_values[differs],
        classes=comparison.classes[differs],
        kinds=CLASSES,
        words={"fdr": comparison.metrics.fdr},
    )


def _activity(comparison: Comparison) -> Activity | None:
    """The differences of activation of the neurons of the page, if they were compared."""
    active = comparison.metrics.activations
    if active is None:
        return None
    places = {name: place for place, name in enumerate(comparison.active_ids.tolist())}
    rows = np.array([places.get(name, -1) for name in comparison.neuron_ids.tolist()])

    def of_page(values: np.ndarray) -> np.ndarray:
        return np.where(rows < 0, np.nan, values[np.maximum(rows, 0)])

    return Activity(
        mean=(of_page(comparison.mean_a), of_page(comparison.mean_b)),
        shift=of_page(comparison.shift),
        shift_error=of_page(comparison.shift_error),
        shift_q=of_page(comparison.shift_q),
        ratio=np.exp(of_page(comparison.log_ratio)),
        ratio_q=of_page(comparison.ratio_q),
        words={
            "fdr": comparison.metrics.fdr,
            "min_shift": active.min_shift,
            "min_ratio": active.min_ratio,
            "halves": activation_halves(comparison.metrics),
        },
    )
