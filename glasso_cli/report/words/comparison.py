"""What differs between two corpora and how far that can be trusted, in sentences."""

from __future__ import annotations

from glasso_cli.artifacts.comparison import CLASSES
from glasso_cli.artifacts.metrics import ComparisonMetrics
from glasso_cli.report.words.labels import estimate_used


def one_line(metrics: ComparisonMetrics) -> str:
    """A comparison in a line."""
    kinds = _kinds(metrics)
    differing = f"{metrics.edges:,} of {metrics.pairs.tested:,} pairs differ"
    return f"{differing}{f' ({kinds})' if kinds else ''}; {halves(metrics)}"


def halves(metrics: ComparisonMetrics) -> str:
    """What the same rules find between the halves of one corpus, the first corpus first."""
    calibration = {corpus.name: metrics.calibration[corpus.name] for corpus in metrics.corpora}
    why = "too few tokens or blocks of documents for its halves"
    if all(result is None for result in calibration.values()):
        return f"no corpus is compared with itself: {why}"
    return "halves of one corpus: " + ", ".join(
        f"{name} has {why}" if result is None else f"{result.discoveries:,} in {name}"
        for name, result in calibration.items()
    )


def comparison_summary(metrics: ComparisonMetrics) -> list[tuple[str, str]]:
    """Name and text of every line of `glasso show`."""
    lines = [("neurons", f"{metrics.neurons:,}")]
    for letter, corpus in zip("AB", metrics.corpora):
        lines.append(
            (
                f"{letter}: {corpus.name}",
                f"{corpus.tokens:,} tokens, worth {corpus.n_effective:,.0f} independent ones; {corpus.edges:,} edges "
                f"at alpha {corpus.alpha:.4g}",
            )
        )
    graphs = metrics.graphs
    lines += [
        ("estimate", estimate_used(metrics.estimate, both=True)),
        (
            "differences",
            f"{metrics.pairs.discoveries:,} of {metrics.pairs.tested:,} pairs have q <= {metrics.fdr:g}; "
            f"{metrics.dropped.min_effect:,} dropped by a difference below {metrics.min_effect:g}; "
            f"{metrics.edges:,} left{f' ({_kinds(metrics)})' if _kinds(metrics) else ''}",
        ),
        ("false ones", f"at most {metrics.expected_false_edges:.2g} expected among those left"),
        ("calibration", f"{halves(metrics)}, by the same rules, where nothing differs"),
        ("permutations", _permutations(metrics)),
        ("graphs", f"{graphs.shared:,} of the {graphs.either:,} edges of either are drawn in both"),
        ("signs", "relative to each neuron's heavier pole (orientation in the tables)"),
    ]
    return lines


def _permutations(metrics: ComparisonMetrics) -> str:
    chance = metrics.permutations
    if chance is None:
        return "none were made (compare.permutations)"
    return (
        f"largest difference of all: p = {chance.whole:.3g} if documents of both are alike "
        f"({chance.count:,} divisions, at best {chance.smallest_p:.2g}); {chance.pairs:,} pairs beyond chance at "
        f"{metrics.fdr:g} over all pairs"
    )


def _kinds(metrics: ComparisonMetrics) -> str:
    counts = {name: metrics.classes[name] for name in CLASSES}
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
