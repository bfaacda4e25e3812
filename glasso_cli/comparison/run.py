"""Fitted corpora compared: every pair of neurons of two, or all corpora fitted at once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from glasso_cli.artifacts import Comparison, JointPrecision
from glasso_cli.comparison import joint, pairwise
from glasso_cli.comparison.estimates import (
    BothEstimates,
    CommonNeurons,
    Corpus,
    common_neurons,
    estimate_both,
    left_out,
)
from glasso_cli.comparison.permutation import Permuted, check_permutations, permuted
from glasso_cli.config import CompareSection, FitSection
from glasso_cli.console import PythonWarnings, Reporter
from glasso_cli.inference.effective_n import fewer_tokens_than_neurons, more_of
from glasso_cli.pipeline.units import Pieces


def compare_pair(
    first: Corpus,
    second: Corpus,
    section: CompareSection,
    fitting: FitSection,
    *,
    name: str = "",
    seed: int = 0,
    folder: Path | None = None,
    reporter: Reporter | None = None,
) -> Comparison:
    """Which partial correlations differ between two fitted corpora, over the neurons that both fits have.

    ``section`` says which differences count; ``fitting`` is how both corpora were fitted, for the one that is solved
    again at the penalty of the other. ``seed`` divides the documents for permutations, of which finished parts are kept in
    ``folder``. The ``meta`` of the result holds the metrics. Raises :class:`InputError` for corpora that were not collected alike or share fewer than two neurons.
    """
    name, reporter = name or f"{first.name}-vs-{second.name}", reporter or PythonWarnings()
    common = _common([first, second], name, reporter)
    both = estimate_both(first, second, common, fitting)
    permute = None
    if section.permutations:
        with ExitStack() as stack:
            place = folder or Path(stack.enter_context(TemporaryDirectory(prefix="glasso-")))
            pieces = Pieces(place, "permutations", 1, reporter)
            permute = _permuted(first, second, both, section, fitting, name, seed, pieces).tests
    comparison = pairwise.assemble(
        lambda metrics: {"corpus": name, "metrics": metrics}, first, second, common, both, section, permute
    )
    _warn(comparison, name, reporter)
    return comparison


def compare_jointly(
    corpora: Sequence[Corpus], section: CompareSection, *, name: str = "", reporter: Reporter | None = None
) -> JointPrecision:
    """All ``corpora`` fitted at once by the group or fused graphical lasso, over the neurons that all fits have.

    Raises :class:`InputError` as :func:`compare_pair` does, and where the fit would take more memory than there is or
    more than about ten minutes.
    """
    name = name or "-vs-".join(corpus.name for corpus in corpora)
    common = _common(corpora, name, reporter or PythonWarnings())
    return joint.joint_fit(
        lambda metrics, below: {"corpus": name, "metrics": metrics, "below": below}, corpora, common, section
    )


def _common(corpora: Sequence[Corpus], name: str, reporter: Reporter) -> CommonNeurons:
    for corpus in corpora:
        corpus.stats.require_moments()
    common = common_neurons(*corpora)
    if missing := left_out(corpora, common):
        reporter.warn(f"{name}: {len(common.ids):,} neurons are compared; {missing} are not in every other fit.")
    return common


def _warn(comparison: Comparison, name: str, reporter: Reporter) -> None:
    metrics = comparison.metrics
    for corpus in metrics.corpora:
        if few := fewer_tokens_than_neurons(
            corpus.n_effective, metrics.neurons, f"the {corpus.sample}s of {corpus.name}"
        ):
            reporter.warn(
                f"{name}: {few}: error bars are too small, and what differs cannot be trusted. Collect more {more_of(corpus.sample)}, compare "
                "fewer neurons, or believe compare.permutations alone."
            )
    for other, calibration in metrics.calibration.items():
        if calibration is not None and calibration.discoveries:
            reporter.warn(
                f"{name}: the halves of {other} differ in {calibration.discoveries:,} pairs by the same rules, where "
                "none should; take what is found here with as much doubt."
            )


def _permuted(
    first: Corpus,
    second: Corpus,
    both: BothEstimates,
    section: CompareSection,
    fitting: FitSection,
    name: str,
    seed: int,
    pieces: Pieces,
) -> Permuted:
    """The test of pairs by divisions of the documents; raises :class:`InputError` where it could find nothing."""
    blocks = (both.first.blocks, both.second.blocks)
    check_permutations(len(blocks[0].filled), len(blocks[1].filled), section.permutations, section.fdr)
    centres = (first.stats.centre[blocks[0].neurons], second.stats.centre[blocks[1].neurons])
    pooled = both.pool(centres, fitting, lambda fit: pieces.once("theta", lambda: {"theta": fit()})["theta"])
    return permuted(pooled, section.permutations, seed, pieces, f"permutations {name}")
