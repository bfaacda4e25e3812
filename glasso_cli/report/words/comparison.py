"""What differs between two corpora and how far that can be trusted, in sentences."""

from __future__ import annotations

from glasso_cli.artifacts.comparison import CLASSES
from glasso_cli.artifacts.metrics import ComparisonMetrics
from glasso_cli.report.words.labels import SIGNS_OF_TABLES, estimate_used


def one_line(metrics: ComparisonMetrics) -> str:
    """A comparison in a line."""
    kinds = _kinds(metrics)
    differing = f"{metrics.edges:,} of {metrics.pairs.tested:,} pairs differ"
    return f"{_activations_in_short(metrics)}{differing}{f' ({kinds})' if kinds else ''}; {halves(metrics)}"


def _activations_in_short(metrics: ComparisonMetrics) -> str:
    active = metrics.activations
    return "" if active is None else f"{active.higher + active.lower:,} of {active.neurons:,} neurons differ in mean; "


def activations(metrics: ComparisonMetrics) -> str:
    """How the activations of neurons differ, and the same between halves of one corpus."""
    active = metrics.activations
    if active is None:
        return "not compared: values were transformed (collect.transform), or there are too few blocks of documents"
    return (
        f"of {active.neurons:,} neurons, the means of {active.nonzero:,} differ; those of {active.higher + active.lower:,} by more "
        f"than {active.min_shift:g} standard deviations ({active.higher:,} more active in B, {active.lower:,} less); "
        f"{active.more_variable + active.less_variable:,} variances by a ratio of more than {active.min_ratio:g} "
        f"({active.more_variable:,} larger in B, {active.less_variable:,} smaller); q <= {metrics.fdr:g}"
    )


def activation_halves(metrics: ComparisonMetrics) -> str:
    """How many neurons differ in mean between the halves of each corpus, where nothing should."""
    active = metrics.activations
    if active is None:
        return ""
    return "halves of one corpus: " + ", ".join(
        f"{corpus.name} has too few blocks of documents" if count is None else f"{count:,} in {corpus.name}"
        for corpus, count in zip(metrics.corpora, active.halves)
    )


def communities(metrics: ComparisonMetrics) -> str:
    """Between which communities of neurons the dependence differs, and the same between halves of one corpus."""
    found = metrics.communities
    counts = [(corpus.name, metrics.calibration[corpus.name]) for corpus in metrics.corpora]
    check = ", ".join(f"{part.communities:,} in {name}" for name, part in counts if part is not None)
    return (
        f"of {found.tested:,} pairs of {found.communities:,} communities, {found.stronger:,} depend on each other more in B and "
        f"{found.weaker:,} less (q <= {metrics.fdr:g}){f'; halves of one corpus: {check}' if check else ''}"
    )


def power(metrics: ComparisonMetrics) -> str:
    """Which differences of a partial correlation these documents could have shown."""
    found = metrics.power
    text = (
        f"with these {found.documents:,} documents, a difference of {found.detectable:.2g} or more in the partial correlation of "
        "one pair would have been found with probability 0.8"
    )
    if found.documents_for_tenth is None or found.detectable <= 0.1:
        return text
    return f"{text}; a difference of 0.1 needs about {found.documents_for_tenth:,.0f} documents"


def halves(metrics: ComparisonMetrics) -> str:
    """What the same rules find between the halves of one corpus, the first corpus first."""
    calibration = {corpus.name: metrics.calibration[corpus.name] for corpus in metrics.corpora}
    why = f"too few {metrics.corpora[0].sample}s or blocks of documents for its halves"
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
                f"{corpus.tokens:,} {corpus.sample}s, worth {corpus.n_effective:,.0f} independent ones; {corpus.edges:,} edges "
                f"at alpha {corpus.alpha:.4g}",
            )
        )
    graphs = metrics.graphs
    lines += [
        ("activations", activations(metrics)),
        *([("", activation_halves(metrics))] if metrics.activations else []),
        ("estimate", estimate_used(metrics.estimate, both=True)),
        (
            "differences",
            f"of {metrics.pairs.tested:,} pairs, {metrics.pairs.nonzero:,} differ by typical errors; {metrics.edges:,} differ by "
            f"more than {metrics.min_effect:g}, by their own errors (q <= {metrics.fdr:g})"
            f"{f': {_kinds(metrics)}' if _kinds(metrics) else ''}",
        ),
        ("communities", communities(metrics)),
        ("power", power(metrics)),
        ("false ones", f"at most {metrics.expected_false_edges:.2g} expected among those left"),
        ("calibration", f"{halves(metrics)}, by the same rules, where nothing differs"),
        ("permutations", _permutations(metrics)),
        ("graphs", f"{graphs.shared:,} of the {graphs.either:,} edges of either are drawn in both"),
        ("signs", SIGNS_OF_TABLES),
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
