"""What differs between two corpora, as one artifact, as tables and as Graphviz text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from glasso_cli.artifacts import Comparison, PrecisionPath
from glasso_cli.artifacts.comparison import CLASSES
from glasso_cli.artifacts.metrics import ComparisonMetrics, to_json
from glasso_cli.artifacts.metrics.comparison import (
    Calibration,
    CommunityCounts,
    ComparedCorpus,
    GraphOverlap,
    Permutations,
    Power,
)
from glasso_cli.artifacts.metrics.fit import EstimateUsed, PairCounts
from glasso_cli.artifacts.orientation import oriented
from glasso_cli.comparison.activation import activation_arrays, activation_counts, activation_differences
from glasso_cli.comparison.community_pairs import (
    CommunityDifferences,
    GroupEvidence,
    communities_of_both,
    community_differences,
    members_of,
)
from glasso_cli.comparison.differential import (
    Differences,
    PairDifferences,
    Side,
    classes_of,
    differences,
    with_own_errors,
)
from glasso_cli.comparison.estimates import BothEstimates, CommonNeurons, Corpus, CorpusEstimate
from glasso_cli.comparison.permutation import PermutationResult
from glasso_cli.comparison.rewiring import match_communities, rewiring
from glasso_cli.config import CompareSection
from glasso_cli.graph import dot_head, edge_line, node_line, quoted
from glasso_cli.graph.colours import DIFFERENCES
from glasso_cli.inference.p_values.minimum_effect import needed_size
from glasso_cli.inference.pairs import pair_places, pairs_at

Meta = Callable[[dict[str, Any]], dict[str, Any]]
Pairs = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Candidates:
    """All pairs of two corpora by typical errors, and those that are tested by their own."""

    corpora: tuple[CorpusEstimate, CorpusEstimate]
    sides: tuple[Side, Side]
    all_pairs: Differences
    rows: np.ndarray  # (m,) pairs that were discoveries or stand in a graph
    cols: np.ndarray

    def tested(self, fdr: float, communities: np.ndarray | None = None, most: float = 1.0) -> PairTests:
        """Test the candidates, and pairs of ``communities (p,)`` if there are any; q-values of pairs above ``most`` are too large."""
        members = np.zeros(0, np.int64) if communities is None else members_of(communities)
        (one, first), (other, second) = (corpus.own(self.rows, self.cols, members) for corpus in self.corpora)
        pairs = with_own_errors(self.all_pairs, self.sides, self.rows, self.cols, (one, other), most)
        linked = None
        if communities is not None:
            evidence = [GroupEvidence(*each) for each in zip(self.corpora, self.sides, (first, second))]
            linked = community_differences(evidence[0], evidence[1], communities)
        return PairTests(self.all_pairs, pairs, pairs.q <= fdr, self.all_pairs.nonzero(fdr), linked)


@dataclass(frozen=True, eq=False)
class PairTests:
    """The pairs of two corpora that were discoveries or stand in a graph, and which of them differ."""

    all_pairs: Differences
    pairs: PairDifferences
    differs: np.ndarray  # (m,) bool: by more than the minimum effect
    nonzero: int  # of all pairs, those that differ at all, by typical errors
    linked: CommunityDifferences | None  # of pairs of communities, if any were given


def candidates(first: CorpusEstimate, second: CorpusEstimate, section: CompareSection, *graphs: Pairs) -> Candidates:
    """Test all pairs; what is discovered is a candidate, with the edges of ``graphs``."""
    sides = (first.side(), second.side())
    all_pairs = differences(*sides, section.min_effect)
    return Candidates(
        (first, second), sides, all_pairs, *_union(all_pairs.p, all_pairs.discoveries(section.fdr), *graphs)
    )


def difference_tests(
    first: CorpusEstimate, second: CorpusEstimate, section: CompareSection, *graphs: Pairs
) -> PairTests:
    """Test all pairs, and those discovered, with the edges of ``graphs``, by their own errors."""
    return candidates(first, second, section, *graphs).tested(section.fdr)


Permute = Callable[[np.ndarray, np.ndarray], PermutationResult]  # pairs → their p-values


def assemble(
    meta: Meta,
    first: Corpus,
    second: Corpus,
    common: CommonNeurons,
    compared: BothEstimates,
    section: CompareSection,
    permute: Permute | None = None,
) -> Comparison:
    """Both corpora and what differs as one artifact; ``meta`` makes its meta of the metrics."""
    p = len(common.ids)
    graphs = (drawn_edges(first.fit, common.places[0]), drawn_edges(second.fit, common.places[1]))
    found = candidates(compared.first, compared.second, section, *graphs)
    places = pair_places(found.rows, found.cols, p)
    drawn = [np.isin(places, pair_places(*graph, p)) for graph in graphs]
    communities = _communities(found, drawn)
    tests = found.tested(section.fdr, communities)
    pairs, differs, linked = tests.pairs, tests.differs, tests.linked
    assert linked is not None
    kinds = classes_of(pairs, differs, section.fdr)
    moved = rewiring(p, *graphs, (pairs.rows[differs], pairs.cols[differs]), pairs.change[differs])
    edges = int(np.count_nonzero(differs))
    chance = permute(pairs.rows, pairs.cols) if permute else None
    active = activation_differences(
        first.stats, second.stats, fdr=section.fdr, min_shift=section.min_shift, min_ratio=section.min_ratio
    )
    metrics = ComparisonMetrics(
        neurons=p,
        method="differential",
        corpora=(_described(first), _described(second)),
        estimate=EstimateUsed(compared.kind, compared.alpha),
        fdr=section.fdr,
        min_effect=section.min_effect,
        pairs=PairCounts(len(tests.all_pairs.z), tests.nonzero, edges),
        edges=edges,
        classes={name: int(np.count_nonzero(kinds == k)) for k, name in enumerate(CLASSES)},
        expected_false_edges=float(pairs.q[differs].max(initial=0.0)) * edges,
        graphs=_overlap(*drawn),
        activations=None if active is None else activation_counts(active, first.stats, section),
        communities=_community_counts(linked, communities, section.fdr),
        power=_power(tests, section, _documents(first) + _documents(second)),
        spread=tests.all_pairs.spread,
        permutations=None if chance is None else _by_chance(chance, section),
        calibration={
            corpus.name: _calibration(side, section, communities)
            for corpus, side in ((first, compared.first), (second, compared.second))
        },
    )
    return Comparison(
        meta=meta(to_json(metrics)),
        neuron_ids=common.ids,
        layers=first.fit.layers[common.places[0]],
        orientation=first.fit.orientation[common.places[0]],
        neurons_a=first.fit.neurons[common.places[0]],
        neurons_b=second.fit.neurons[common.places[1]],
        communities_a=first.fit.communities[common.places[0]],
        communities_b=second.fit.communities[common.places[1]],
        rows=pairs.rows.astype(np.int32),
        cols=pairs.cols.astype(np.int32),
        rho_a=pairs.rho[0],
        rho_b=pairs.rho[1],
        error_a=pairs.standard_error[0],
        error_b=pairs.standard_error[1],
        z=pairs.z,
        p_zero=pairs.p_zero,
        q_zero=pairs.q_zero,
        p_values=pairs.p,
        q_values=pairs.q,
        permutation_p=np.full(len(pairs.rows), np.nan) if chance is None else chance.p,
        classes=kinds,
        drawn_a=drawn[0],
        drawn_b=drawn[1],
        degree_a=moved.degree_a.astype(np.int32),
        degree_b=moved.degree_b.astype(np.int32),
        jaccard=moved.jaccard,
        changes=moved.changes.astype(np.int32),
        change=moved.change,
        communities_both=communities.astype(np.int32),
        community_first=linked.first.astype(np.int32),
        community_second=linked.second.astype(np.int32),
        community_pairs=linked.pairs.astype(np.int64),
        dependence_a=linked.dependence[0],
        dependence_b=linked.dependence[1],
        dependence_error_a=linked.error[0],
        dependence_error_b=linked.error[1],
        dependence_p=linked.p,
        dependence_q=linked.q,
        **activation_arrays(active, first.stats),
    )


def _communities(found: Candidates, drawn: list[np.ndarray]) -> np.ndarray:
    """The communities ``(p,)`` of both graphs, whose edges among the candidates are ``drawn (m,)``."""
    rows, cols, either = found.rows, found.cols, drawn[0] | drawn[1]
    sizes = sum(np.abs(side.rho[rows, cols]) * part for side, part in zip(found.sides, drawn))
    return communities_of_both(found.all_pairs.p, rows[either], cols[either], sizes[either])


def _documents(corpus: Corpus) -> int:
    return int(corpus.stats.documents.sum())


def _power(tests: PairTests, section: CompareSection, documents: int) -> Power:
    """What these documents could have shown, by the error of a typical pair and the most stringent rate."""
    error = tests.all_pairs.typical_error
    needed = needed_size(section.fdr, len(tests.all_pairs.z), tests.all_pairs.freedom) + float(norm.ppf(0.8))
    room = 0.1 - section.min_effect
    return Power(
        detectable=section.min_effect + needed * error,
        documents=documents,
        documents_for_tenth=documents * (needed * error / room) ** 2 if room > 0 else None,
    )


def drawn_edges(fit: PrecisionPath, places: np.ndarray) -> Pairs:
    """The drawn edges of a fit between the neurons at ``places (p,)``, by their order there."""
    part = fit.drawn()
    order = np.full(fit.n_neurons, -1)
    order[places] = np.arange(len(places))
    ends = np.stack([order[fit.rows[part]], order[fit.cols[part]]])
    rows, cols = ends[:, (ends >= 0).all(axis=0)]
    return np.minimum(rows, cols), np.maximum(rows, cols)


def _union(p: int, *edges: Pairs) -> Pairs:
    """All pairs that stand in any of ``edges``, row by row."""
    return pairs_at(np.unique(np.concatenate([pair_places(*pairs, p) for pairs in edges])), p)


def _by_chance(chance: PermutationResult, section: CompareSection) -> Permutations:
    beyond = int(np.count_nonzero(chance.p <= section.fdr))
    return Permutations(chance.count, smallest_p=chance.smallest, whole=chance.whole, pairs=beyond)


def _described(corpus: Corpus) -> ComparedCorpus:
    metrics = corpus.fit.metrics
    return ComparedCorpus(
        name=corpus.name,
        tokens=metrics.collect.n_effective.n_tokens,
        n_effective=metrics.collect.n_effective.median,
        edges=metrics.edges,
        alpha=metrics.alpha,
        variance_inflation=metrics.variance_inflation,
        sample=metrics.collect.sample,
    )


def _overlap(first: np.ndarray, second: np.ndarray) -> GraphOverlap:
    shared, either = int(np.count_nonzero(first & second)), int(np.count_nonzero(first | second))
    return GraphOverlap(shared, either, jaccard=shared / either if either else None)


def _calibration(side: CorpusEstimate, section: CompareSection, communities: np.ndarray) -> Calibration | None:
    halves = side.halves()
    if halves is None:
        return None
    tests = candidates(*halves, section).tested(section.fdr, communities, section.fdr)
    linked = 0 if tests.linked is None else int(np.count_nonzero(tests.linked.q <= section.fdr))
    return Calibration(int(np.count_nonzero(tests.differs)), linked, tests.all_pairs.spread)


def _community_counts(linked: CommunityDifferences, communities: np.ndarray, fdr: float) -> CommunityCounts:
    found, more = linked.q <= fdr, linked.dependence[1] > linked.dependence[0]
    return CommunityCounts(
        communities=int(communities.max(initial=-1)) + 1,
        tested=len(found),
        stronger=int(np.count_nonzero(found & more)),
        weaker=int(np.count_nonzero(found & ~more)),
    )


# -- tables -----------------------------------------------------------------------------------------


def community_columns(comparison: Comparison) -> dict[str, Any]:
    """The communities of A, and what became of each in B."""
    differs = comparison.differential
    match = match_communities(
        comparison.communities_a, comparison.communities_b, (comparison.rows[differs], comparison.cols[differs])
    )
    return {
        "community_a": np.arange(len(match.sizes)),
        "neurons": match.sizes,
        "community_b": match.partner,
        "overlap": match.overlap,
        "differential_edges_within": match.within,
        "differential_edges_across": match.across,
    }


# -- Graphviz -----------------------------------------------------------------------------------------


def dot_lines(comparison: Comparison) -> Iterator[str]:
    """The graph of what differs, a line at a time: a colour for each kind of difference, oriented signs."""
    comparison = oriented(comparison)
    differs = np.flatnonzero(comparison.differential)
    yield dot_head(comparison.meta["key"], str(comparison.meta["corpus"]), comparison.n_neurons, len(differs))
    names = [quoted(name) for name in comparison.neuron_ids.tolist()]
    for neuron in np.flatnonzero(comparison.changes).tolist():
        attributes = {
            "layer": comparison.layers[neuron],
            "community_a": comparison.communities_a[neuron],
            "community_b": comparison.communities_b[neuron],
            "differential_edges": comparison.changes[neuron],
        }
        yield node_line(names[neuron], attributes)
    for edge in differs.tolist():
        kind = CLASSES[comparison.classes[edge]]
        before, after = float(comparison.rho_a[edge]), float(comparison.rho_b[edge])
        sizes = {
            "difference": quoted(kind),
            "weight": f"{abs(after - before):.6f}",
            "change": f"{after - before:.6f}",
            "partial_correlation_a": f"{before:.6f}",
            "partial_correlation_b": f"{after:.6f}",
            "q_value": f'"{comparison.q_values[edge]:.3g}"',
            "color": f'"{DIFFERENCES[kind]}"',
        }
        yield edge_line(names[comparison.rows[edge]], names[comparison.cols[edge]], sizes)
    yield "}\n"
