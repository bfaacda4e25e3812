"""From artifacts to what the explorer shows: the path of a corpus as one table of edges, and what a comparison found."""

from __future__ import annotations

from typing import Any

import numpy as np

from glasso_cli.artifacts import ActivationStats, Comparison, PrecisionPath
from glasso_cli.artifacts.comparison import CLASSES
from glasso_cli.artifacts.precision_path import places_of
from glasso_cli.inference.pairs import pair_places, pairs_at
from glasso_cli.linalg.precision import partial_correlation
from glasso_cli.report.explorer.view import MOST_ALPHAS, Change, CorpusView, View
from glasso_cli.report.explorer.write import CONTEXTS
from glasso_cli.report.plots.contrast import Contrast
from glasso_cli.report.plots.study import Study
from glasso_cli.report.words.community_names import community_tokens
from glasso_cli.report.words.fit import fit_summary
from glasso_cli.report.words.labels import count

MOST_EDGES = 400_000  # of a corpus: beyond, the densest alphas of its path are left out


def view_of(study: Study) -> View:
    """One corpus."""
    path = study.path
    corpus = corpus_view(study.stats, path, study.title)
    return View(study.title, _sentence(study), path.neuron_ids, study.labels, path.layers, (corpus,))


def compared_view(contrast: Contrast, paths: tuple[PrecisionPath, PrecisionPath]) -> View:
    """Two corpora over the neurons they share, and what differs."""
    found = contrast.found
    corpora = tuple(
        corpus_view(stats, path, name, found.neuron_ids)
        for stats, path, name in zip((contrast.first, contrast.second), paths, contrast.names)
    )
    sentence = f"{contrast.subject}. {contrast.doubt}"
    return View(
        contrast.title, sentence, found.neuron_ids, contrast.labels, found.layers, corpora, change=_change(found)
    )


def _sentence(study: Study) -> str:
    expected = study.path.metrics.expected_false_edges
    return (
        f"{study.subject}. Which neurons depend on each other once all others are accounted for; at most {expected:.2g} of the "
        f"{count(study.n_edges, 'edge')} are expected to be false."
    )


# -- a corpus -------------------------------------------------------------------------------------------


def corpus_view(stats: ActivationStats, path: PrecisionPath, name: str, ids: np.ndarray | None = None) -> CorpusView:
    """The path of a corpus, over the neurons ``ids (p,)`` of it (all by default)."""
    chosen = np.arange(path.n_neurons) if ids is None else places_of(ids, path.neuron_ids)
    p = len(chosen)
    renamed = np.full(path.n_neurons, -1)
    renamed[chosen] = np.arange(p)
    alphas = _alphas_shown(path)
    pairs, values, marginals = zip(*(_at(path, k, renamed, p) for k in alphas))
    union, first = np.unique(np.concatenate(pairs), return_index=True)
    rows, cols = pairs_at(union, p)
    places = [np.searchsorted(union, part) for part in pairs]
    present = np.zeros(len(union), dtype=np.uint32)
    for bit, place in enumerate(places):
        present[place] |= np.uint32(1 << bit)
    selected = alphas.index(int(path.selected))
    tests = _tested(path, renamed, p)
    tested = np.searchsorted(union, tests.pop("pairs"))
    collected = path.neurons[chosen]
    return CorpusView(
        name=name,
        words=_words(path, alphas),
        alphas=path.alphas[alphas],
        selected=selected,
        rows=rows,
        cols=cols,
        present=present,
        rho=np.concatenate(values),
        marginal=np.concatenate(marginals)[first],
        tested=tested,
        communities=path.communities[chosen],
        distinctive=community_tokens(stats, path),
        vocabulary=stats.vocabulary,
        tokens=stats.top_tokens[collected, :CONTEXTS],
        values=stats.top_values[collected, :CONTEXTS],
        documents=stats.top_documents[collected, :CONTEXTS],
        **tests,
    )


def _alphas_shown(path: PrecisionPath) -> list[int]:
    """Which alphas: the selected one and those next to it in density, as far as their edges and their number allow."""
    selected = int(path.selected)
    order = sorted(range(len(path.alphas)), key=lambda k: (abs(k - selected), k))[:MOST_ALPHAS]
    return sorted(k for k in order if k <= selected or path.n_edges[k] <= MOST_EDGES)


def _at(path: PrecisionPath, k: int, renamed: np.ndarray, p: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pairs of one alpha as numbers, with their partial and plain correlations, ``(E,)``."""
    part = path.part(k)
    rows, cols = path.rows[part], path.cols[part]
    rho = partial_correlation(rows, cols, path.values[part], path.diagonals[k])
    pairs, used = _numbered(rows, cols, renamed, p)
    order = np.argsort(pairs, kind="stable")
    return pairs[order], rho[used][order], np.asarray(path.marginals[part])[used][order]


def _numbered(rows: np.ndarray, cols: np.ndarray, renamed: np.ndarray, p: int) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of pairs among the p chosen neurons, and which of the pairs those are."""
    first, second = renamed[rows], renamed[cols]
    used = np.flatnonzero((first >= 0) & (second >= 0))
    low, high = np.minimum(first, second)[used], np.maximum(first, second)[used]
    return pair_places(low, high, p), used


def _tested(path: PrecisionPath, renamed: np.ndarray, p: int) -> dict[str, np.ndarray]:
    part = path.part()
    pairs, used = _numbered(path.rows[part], path.cols[part], renamed, p)
    order = used[np.argsort(pairs, kind="stable")]
    return {
        "pairs": np.sort(pairs),
        "kept": path.kept[order],
        "debiased": path.debiased[order],
        "standard_error": path.standard_error[order],
        "q_values": path.q_values[order],
        "frequencies": path.frequencies[order],
    }


def _words(path: PrecisionPath, alphas: list[int]) -> dict[str, Any]:
    summary = fit_summary(path.metrics, path.meta["material"]["config"]["fit"])
    return {
        "criterion": [None if np.isnan(value) else float(value) for value in path.criterion[alphas]],
        "duality_gap": [float(value) for value in path.duality_gap[alphas]],
        "summary": [list(line) for line in summary],
        "left_out": len(path.alphas) - len(alphas),
    }


# -- a comparison -----------------------------------------------------------------------------------------


def _change(found: Comparison) -> Change:
    differs = found.differential
    return Change(
        rows=found.rows[differs],
        cols=found.cols[differs],
        rho=(found.rho_a[differs], found.rho_b[differs]),
        error=(found.error_a[differs], found.error_b[differs]),
        q_values=found.q_values[differs],
        classes=found.classes[differs],
        kinds=CLASSES,
        words={"fdr": found.metrics.fdr},
    )
