"""What a fit found and how far it can be trusted, in sentences: what `glasso show` prints for one."""

from __future__ import annotations

from typing import Any


def fit_summary(metrics: dict[str, Any], settings: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and text of every line, of the metrics of a fit and the settings of its configuration section."""
    lines = [
        ("neurons", f"{metrics['neurons']:,}"),
        ("tokens", _tokens(metrics["collect"])),
        ("masked", _masked(metrics["collect"]["tokens"])),
        ("alpha", _alpha(metrics, settings.get("select", {}))),
        ("certificate", _certificate(metrics)),
        ("edges", _edges(metrics)),
        ("false edges", _false_edges(metrics)),
        ("estimate", _estimate(metrics["estimate"])),
        ("errors", _errors(metrics)),
        ("replication", _replication(metrics["half_samples"])),
    ]
    if metrics["hidden_factors"]:
        lines.append(("hidden factors", f"{metrics['hidden_factors']} at this alpha, beside the edges"))
    if metrics["null"]:
        lines.append(("null", _null(metrics["null"], metrics["fdr"])))
    if metrics["factors"]:
        lines.append(("factors", _factors(metrics["factors"])))
    return lines


def _tokens(collect: dict[str, Any]) -> str:
    effective, documents = collect["n_effective"], collect["documents"]["read"]
    return (
        f"{effective['n_tokens']:,} in {documents:,} documents, worth {effective['median']:,.0f} independent ones for the "
        f"median pair of neurons, {effective['q05']:,.0f} for the 5 % of pairs that have fewest"
    )


def _masked(tokens: dict[str, int]) -> str:
    return ", ".join(f"{tokens[rule]:,} {rule}" for rule in ("special", "first", "massive")) + f" of {tokens['read']:,}"


def _alpha(metrics: dict[str, Any], select: dict[str, Any]) -> str:
    why = {
        "fixed": "as given",
        "degree": f"for a mean degree of {select.get('target', 0):g}",
        "ebic": f"smallest EBIC, gamma {select.get('gamma', 0):g}",
        "cv": f"held-out loss within one standard error of the best, {select.get('folds', 0)} folds of documents",
        "stars": f"densest graph with an instability of at most {select.get('instability', 0):g}",
    }[metrics["rule"]]
    return f"{metrics['alpha']:.4g} of {metrics['alphas']}: {why}"


def _certificate(metrics: dict[str, Any]) -> str:
    word = "certified" if metrics["converged"] else "NOT CONVERGED"
    return (
        f"{word}: duality gap {metrics['duality_gap']:.1e} nats per neuron (asked: {metrics['tol']:.0e}), "
        f"KKT residual {metrics['kkt_residual']:.1e}, solver {metrics['solver']}"
    )


def _edges(metrics: dict[str, Any]) -> str:
    dropped = metrics["dropped"]
    return (
        f"{metrics['edges_at_alpha']:,} at this alpha; {dropped['fdr']:,} dropped by q > {metrics['fdr']:g} or the other "
        f"sign, "
        f"{dropped['min_effect']:,} by a partial correlation below {metrics['min_effect']:g}; "
        f"{metrics['edges']:,} drawn, {metrics['mean_degree']:.3g} per neuron"
    )


def _false_edges(metrics: dict[str, Any]) -> str:
    pairs = metrics["pairs"]
    return (
        f"at most {metrics['expected_false_edges']:.2g} expected among those drawn; of all {pairs['tested']:,} pairs "
        f"{pairs['discoveries']:,} have q <= {metrics['fdr']:g}"
    )


def _estimate(estimate: dict[str, Any]) -> str:
    if estimate["kind"] == "inverse":
        return "partial correlations given all other neurons, of the inverse correlation matrix"
    name = "graphical lasso with hidden factors" if estimate["kind"] == "latent" else "graphical lasso"
    return f"the de-sparsified {name} at alpha {estimate['alpha']:.4g}"


def _errors(metrics: dict[str, Any]) -> str:
    if metrics["variance"] == "normal":
        return (
            "those of Gaussian tokens with these autocorrelations (variance: normal); heavy tails make them too small"
        )
    return (
        f"variance {metrics['variance_inflation']:.3g} times that of Gaussian tokens with these autocorrelations, by a "
        f"jackknife over documents ({metrics['variance']})"
    )


def _replication(halves: dict[str, Any]) -> str:
    if halves["replication"] is None:
        return (
            "not measured: fit.half_samples is 0" if halves["count"] == 0 else "no half of the documents gives an edge"
        )
    return (
        f"{100 * halves['replication']:.0f} % of the edges of one half of the documents are edges of the other, with the "
        f"same sign ({halves['count']} halves)"
    )


def _null(null: dict[str, int], fdr: float) -> str:
    return (
        f"neurons shifted against each other give {null['at_alpha']:,} edges at this alpha and {null['drawn']:,} by the same "
        f"rules; {null['discoveries']:,} of their pairs have q <= {fdr:g}"
    )


def _factors(factors: dict[str, Any]) -> str:
    removed = factors["removed"]
    done = f"{removed} taken out, negative edges are suspect; " if removed else ""
    first = factors["leading"][0]
    return (
        f"{done}the {len(factors['leading'])} leading ones carry {100 * factors['share_of_squared_correlations']:.0f} % of "
        f"the squared correlations, the first {100 * first['variance_explained']:.1f} % of the variance "
        f"(mostly {first['top_neurons']})"
    )
