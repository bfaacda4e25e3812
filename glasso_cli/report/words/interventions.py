"""What interventions found, and how far that can be trusted, in sentences."""

from __future__ import annotations

import math

import numpy as np

from glasso_cli.artifacts import Interventions
from glasso_cli.artifacts.metrics import InterventionMetrics
from glasso_cli.artifacts.metrics.interventions import EffectsFound
from glasso_cli.artifacts.orientation import oriented
from glasso_cli.report.words.labels import count

_SHOWN = 10  # strongest effects of a neuron
_KINDS = {
    "step": "a step up and down (effects per standard deviation of the source)",
    "mean": "ablation to the mean",
    "zero": "ablation to zero",
    "resample": "resampling from another document",
}


def one_line(metrics: InterventionMetrics) -> str:
    """The interventions in a line."""
    found = "; ".join(f"{item.change}: {item.found:,} of {metrics.pairs:,} effects found" for item in metrics.effects)
    return f"{found} (more than {metrics.min_effect:g} standard deviations of the target, q <= {metrics.fdr:g}); {controls(metrics)}"


def controls(metrics: InterventionMetrics) -> str:
    """The effects where none can be, in words."""
    found = metrics.impossible
    named = [("other neurons of the source hook point", found.same_hook_point)]
    if found.earlier_hook_point is not None:
        named.append((str(found.earlier_point), found.earlier_hook_point))
    if found.earlier_position is not None:
        named.append(("earlier positions", found.earlier_position))
    named.append(("a source set to its own values", found.self_patch))
    return "impossible effects: " + ", ".join(f"{value:g} ({name})" for name, value in named)


def interventions_summary(metrics: InterventionMetrics) -> list[tuple[str, str]]:
    """Name and text of every line that `glasso show` prints."""
    texts = metrics.texts
    read = "documents that collect did not read" if texts.held_out else "documents that collect also read"
    lines = [
        (
            "sources",
            f"{metrics.sources:,} neurons and {metrics.groups:,} groups at {metrics.source}, changed at {metrics.at}",
        ),
        (
            "targets",
            f"{metrics.pairs // max(metrics.sources + metrics.groups, 1):,} neurons at {', '.join(metrics.targets)}",
        ),
        ("texts", f"{count(texts.tokens, texts.sample)} of {texts.documents:,} {read}, corpus {texts.corpus}"),
        ("mode", _MODES[metrics.mode]),
    ]
    lines += [(item.change, _effects(metrics, item)) for item in metrics.effects]
    lines += [("test", _test(metrics)), ("controls", controls(metrics))]
    if metrics.random is not None:
        lines.append(("random directions", _random(metrics)))
    if metrics.linearity:
        lines.append(("linearity", _linearity(metrics)))
    lines.append(("range", _range(metrics)))
    return lines


_MODES = {
    "free": "free: nothing is held at its clean value",
    "attention": "attention: attention patterns are held at their clean values",
    "direct": "direct: the outputs of attention and MLPs in later layers are held at their clean values",
}


def _effects(metrics: InterventionMetrics, item: EffectsFound) -> str:
    what = "mean effects" if item.tested == "mean" else "root mean squares"
    share = item.found / max(metrics.pairs, 1)
    return (
        f"{_KINDS[item.change]}: {item.found:,} of {metrics.pairs:,} {what} found ({share:.2%}), from {item.sources:,} sources; median "
        f"size {item.median:.2g}, largest {item.strongest:.2g} standard deviations of the target"
    )


def _test(metrics: InterventionMetrics) -> str:
    least = math.ceil(metrics.smallest_p * metrics.pairs / metrics.fdr)
    floor = (
        f" (no p-value is below {metrics.smallest_p:.1g}, so that effects are found only if {least:,} or more are)"
        if least
        else ""
    )
    return f"{metrics.test}{floor}; effects of more than {metrics.min_effect:g}, q <= {metrics.fdr:g} over all pairs of source and target"


def _random(metrics: InterventionMetrics) -> str:
    found = metrics.random
    assert found is not None
    above = (
        ""
        if found.found_above is None
        else f"; {found.found_above:.0%} of the found effects of steps are larger than that"
    )
    return f"{found.directions} of the sources' sizes at {found.where}: median effect {found.median:.2g}, 99 % below {found.q99:.2g}{above}"


def _linearity(metrics: InterventionMetrics) -> str:
    ratios = ", ".join(f"{ratio:.3f} at {size}" for size, ratio in metrics.linearity.items())
    return f"median ratio of slopes to those at {metrics.delta:g} standard deviations: {ratios}"


def _range(metrics: InterventionMetrics) -> str:
    sources = ", ".join(f"{share:.2%} by {kind}" for kind, share in metrics.outside_sources.items())
    targets = (
        "" if metrics.outside_targets is None else f"; of target values after a step: {metrics.outside_targets:.2%}"
    )
    return f"changed values outside the range of the clean pass: {sources}{targets}"


# -- one neuron ---------------------------------------------------------------------------------------------


def neuron_summary(artifact: Interventions, name: str) -> list[tuple[str, str]]:
    """What one neuron or group does to the targets, and as a target what is done to it, the strongest first.

    Raises :class:`InputError` for a name that is neither a source nor a target.
    """
    source, target = artifact.require(name)
    turned = oriented(artifact)
    lines: list[tuple[str, str]] = []
    for row, kind in enumerate(artifact.changes.tolist()):
        if source is not None:
            lines += _listed(turned, row, f"{kind} of {name}", (row, source), artifact.target_ids, "targets")
            lines += _of_outputs(turned, row, source)
        if target is not None:
            lines += _listed(
                artifact, row, f"{kind}, on {name}", (row, slice(None), target), artifact.source_ids, "sources"
            )
    return lines


def _of_outputs(artifact: Interventions, row: int, source: int) -> list[tuple[str, str]]:
    """The effects of one source on every output."""
    effects, errors = artifact.output_effects[row, source], artifact.output_errors[row, source]
    return [
        (f"  output: {name}", f"{effect:+.3g} ± {error:.2g}")
        for name, effect, error in zip(artifact.outputs.tolist(), effects, errors)
    ]


def _listed(
    artifact: Interventions, row: int, title: str, at: tuple[int | slice, ...], names: np.ndarray, what: str
) -> list[tuple[str, str]]:
    by = artifact.metrics.effects[row].tested
    effects, errors, rms, q = (getattr(artifact, field)[at] for field in ("effects", "errors", "rms", "q_values"))
    sizes = np.abs(effects) if by == "mean" else rms
    found = q <= artifact.metrics.fdr
    lines = [(title, f"{int(found.sum()):,} of {len(names):,} {what} found")]
    for index in np.argsort(-sizes, kind="stable")[:_SHOWN].tolist():
        mark = f"q {q[index]:.2g}" + ("" if found[index] else ", not found")
        lines.append(
            (f"  {names[index]}", f"{effects[index]:+.3f} ± {errors[index]:.3f}, rms {rms[index]:.3f}, {mark}")
        )
    return lines
