"""What a fit found and how far it can be trusted, in sentences: what `glasso show` prints for one."""

from __future__ import annotations

from typing import Any

from glasso_cli.artifacts.metrics import CollectMetrics, FitMetrics
from glasso_cli.artifacts.metrics.fit import (
    Dependence,
    FreshNetwork,
    HalfSamples,
    LeadingFactors,
    NullEdges,
    PlainGraph,
)
from glasso_cli.inference.effective_n import fewer_tokens_than_neurons
from glasso_cli.report.words.labels import SIGNS_OF_TABLES, count, estimate_used, percent


def fit_summary(metrics: FitMetrics, settings: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and text of every line, of the metrics of a fit and the settings of its configuration section."""
    lines = [
        ("neurons", f"{metrics.neurons:,}"),
        (f"{metrics.collect.sample}s", _tokens(metrics.collect)),
        ("masked", f"{metrics.collect.tokens.masked()} of {metrics.collect.tokens.read:,}"),
        ("alpha", _alpha(metrics, settings["select"])),
        ("certificate", _certificate(metrics)),
        ("edges", _edges(metrics)),
        ("false edges", _false_edges(metrics)),
        ("estimate", estimate_used(metrics.estimate)),
        ("errors", _errors(metrics)),
        ("replication", _replication(metrics.half_samples)),
    ]
    lines.append(("signs", SIGNS_OF_TABLES))
    if metrics.dependence:
        lines.append(("hidden factors", carried_in_words(metrics)))
        lines.append(("dependence", _dependence(metrics.dependence, metrics.neurons)))
    if metrics.plain:
        lines.append(("without them", _plain(metrics.plain, metrics)))
    if metrics.null:
        lines.append(("null", _null(metrics.null, metrics)))
    if metrics.fresh_network:
        lines.append(("fresh weights", _fresh_network(metrics.fresh_network, metrics)))
    if metrics.factors:
        lines.append(("factors", _factors(metrics.factors)))
    return lines


def _tokens(collect: CollectMetrics) -> str:
    effective, documents = collect.n_effective, collect.documents.read
    return (
        f"{effective.n_tokens:,} in {documents:,} documents, worth {effective.median:,.0f} independent ones for the "
        f"median pair of neurons, {effective.q05:,.0f} for the 5 % of pairs that have fewest"
    )


def _alpha(metrics: FitMetrics, select: dict[str, Any]) -> str:
    why = {
        "fixed": "as given",
        "degree": f"for a mean degree of {select['target']:g}",
        "ebic": f"smallest EBIC, gamma {select['gamma']:g}",
        "cv": f"held-out loss within one standard error of the best, {select['folds']} folds of documents",
        "stars": f"densest graph with an instability of at most {select['instability']:g}",
    }[metrics.rule]
    return f"{metrics.alpha:.4g} of {metrics.alphas}: {why}"


def _certificate(metrics: FitMetrics) -> str:
    word = "certified" if metrics.converged else "NOT CONVERGED"
    return (
        f"{word}: duality gap {metrics.duality_gap:.1e} nats per neuron (asked: {metrics.tol:.0e}), "
        f"KKT residual {metrics.kkt_residual:.1e}, solver {metrics.solver}"
    )


def _edges(metrics: FitMetrics) -> str:
    dropped = metrics.dropped
    return (
        f"{metrics.edges_at_alpha:,} at this alpha; {dropped.fdr:,} dropped because they may be zero or of the other sign, "
        f"{dropped.min_effect:,} because they may be at most {metrics.min_effect:g} (q > {metrics.fdr:g}); "
        f"{metrics.edges:,} drawn, {metrics.mean_degree:.3g} per neuron"
    )


def _false_edges(metrics: FitMetrics) -> str:
    pairs = metrics.pairs
    return (
        f"at most {metrics.expected_false_edges:.2g} expected among those drawn; of all {pairs.tested:,} pairs "
        f"{pairs.nonzero:,} are not zero and {pairs.discoveries:,} are beyond {metrics.min_effect:g} (q <= {metrics.fdr:g})"
    )


def _errors(metrics: FitMetrics) -> str:
    if metrics.variance == "normal":
        return (
            f"those of Gaussian {metrics.collect.sample}s with these autocorrelations (variance: normal); heavy tails make "
            "them too small"
        )
    return (
        f"variance {metrics.variance_inflation:.3g} times that of Gaussian {metrics.collect.sample}s with these autocorrelations, by a "
        f"jackknife over documents ({metrics.variance})"
    )


def _replication(halves: HalfSamples) -> str:
    if halves.replication is None:
        return "not measured: fit.half_samples is 0" if halves.count == 0 else "no half of the documents gives an edge"
    return (
        f"{100 * halves.replication:.0f} % of the edges of one half of the documents are edges of the other, with the "
        f"same sign ({halves.count} halves)"
    )


def _null(null: NullEdges, metrics: FitMetrics) -> str:
    return (
        f"neurons shifted against each other give {null.at_alpha:,} edges at this alpha and {null.drawn:,} by the same "
        f"rules; {null.discoveries:,} of their pairs are beyond {metrics.min_effect:g} (q <= {metrics.fdr:g})"
    )


def _fresh_network(fresh: FreshNetwork, metrics: FitMetrics) -> str:
    worth = metrics.collect.fresh_network
    few = fewer_tokens_than_neurons(worth.median, metrics.neurons, "its tokens") if worth else ""
    return (
        f"the same architecture before training gives {fresh.at_alpha:,} edges at this alpha ({metrics.edges_at_alpha:,} "
        f"after training), {fresh.drawn:,} drawn by the same rules ({metrics.edges:,}) in "
        f"{fresh.communities:,} communities ({metrics.communities:,}); the two halves of the documents "
        f"share {_share(fresh.replication)} of their edges ({_share(fresh.replication_trained)})"
    ) + (f"; before training, {few}, so that edges drawn there cannot be trusted" if few else "")


def _share(value: float | None) -> str:
    return "none" if value is None else percent(value)


def carried_in_words(metrics: FitMetrics) -> str:
    """What share of the dependence the hidden factors carry, in a sentence; empty for a fit of method plain."""
    dependence = metrics.dependence
    if dependence is None:
        return ""
    if metrics.hidden_factors == 0:
        return "none at this alpha"
    factors = count(metrics.hidden_factors, "hidden factor")
    carry = "carries" if metrics.hidden_factors == 1 else "carry"
    if dependence.share is None:
        return f"{factors} at this alpha; the fitted neurons are independent"
    if dependence.share < 0:
        return (
            f"{factors} at this alpha: edges and factors cancel, so that the neurons depend more on each other given the "
            f"factors (total correlation {percent(-dependence.share)} larger)"
        )
    return f"{factors} {carry} {percent(dependence.share)} of the dependence (total correlation)"


def _dependence(dependence: Dependence, neurons: int) -> str:
    total, given = dependence.total_correlation, dependence.total_correlation_given_factors
    squares, left = dependence.mean_squared_correlation, dependence.mean_squared_correlation_given_factors
    return (
        f"total correlation {total / neurons:.3g} nats per neuron, {given / neurons:.3g} given the factors; mean squared "
        f"correlation {squares:.2g} (of the sample: {dependence.mean_squared_correlation_of_sample:.2g}), {left:.2g} given the "
        f"factors, which explain {percent(dependence.variance_explained)} of the variance of a neuron"
    )


def _plain(plain: PlainGraph, metrics: FitMetrics) -> str:
    doubt = "" if plain.converged else f"; NOT CONVERGED, duality gap {plain.duality_gap:.1e}"
    return (
        f"a fit without hidden factors draws {count(plain.edges, 'edge')} at this alpha by the same rules, against "
        f"{metrics.edges:,}: {plain.shared:,} in both, {plain.lost:,} lost ({plain.absent:,} of them are no edge at this "
        f"alpha), {plain.gained:,} gained{doubt}"
    )


def _factors(factors: LeadingFactors) -> str:
    removed, share = factors.removed, factors.removed_share_of_squared_correlations
    variance = sum(leading.variance_explained for leading in factors.leading[:removed])
    done = (
        ""
        if share is None
        else (
            f"{removed} taken out with {percent(share)} of the squared correlations and {percent(variance)} of the variance, "
            "negative edges are suspect; "
        )
    )
    first = factors.leading[0]
    return (
        f"{done}the {len(factors.leading)} leading ones carry {100 * factors.share_of_squared_correlations:.0f} % of "
        f"the squared correlations, the first {100 * first.variance_explained:.1f} % of the variance "
        f"(mostly {first.top_neurons})"
    )
