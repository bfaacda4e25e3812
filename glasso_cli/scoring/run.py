"""One corpus of scores: clean passes, attributions on both parts of the documents, exact effects, curves, and the artifact.

Finished parts are files, so an interrupted run continues where it was and ends in the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from glasso_cli.artifacts import Scores
from glasso_cli.config import ScoreSection
from glasso_cli.console import Reporter
from glasso_cli.engine.shares import end_of_share
from glasso_cli.errors import InputError
from glasso_cli.hooks import HookPoint
from glasso_cli.inference.document_means import clustered
from glasso_cli.intervention.feed import Feed
from glasso_cli.intervention.outputs import VALUES, outputs_of
from glasso_cli.intervention.passes import POSITIONS
from glasso_cli.intervention.survey import set_limits
from glasso_cli.pipeline.units import Arrays, Pieces
from glasso_cli.scoring.assemble import Found, Known, Measured, artifact
from glasso_cli.scoring.clean import Neurons, measured
from glasso_cli.scoring.gradients.attribution import ByDocument
from glasso_cli.scoring.gradients.frozen import freeze, holding
from glasso_cli.scoring.parts import Part, split
from glasso_cli.scoring.rankings import by_score, rankings
from glasso_cli.scoring.ranks import systematic
from glasso_cli.scoring.scalar import Scalar, require_value
from glasso_cli.scoring.units import Ablations, Forms, Gradients, Hold, Orders

_PIECE = ("score-part", 2)
_COPIES = 4  # of a batch of documents in a pass, about


def score(
    feed: Feed,
    points: Sequence[HookPoint],
    section: ScoreSection,
    folder: Path,
    known: Known,
    *,
    held: Sequence[HookPoint] = (),
    blocks: int,
    name: str,
    seed: int,
    reporter: Reporter,
) -> Scores:
    """Score the neurons of ``points``, hook points of ``feed``, by the scalar of ``section``; finished parts are kept in ``folder``.

    Slopes hold the neurons of ``held``, some of the points; none means all. Documents are in ``blocks``, as those of `collect`.

    Raises :class:`InputError` for a network that does not give the scalar, for a form that it does not allow, and for too little text.
    """
    numbers = _numbers(points, held)
    outputs = outputs_of(section, feed.reading.network, "score.scalar")
    outputs.class_index = section.class_index
    attributed, held_out = split(feed.reading.windows, section.tokens, section.held_out)
    forms, frozen_error = forms_of(section, feed, name, reporter)
    budget = max(1, min(POSITIONS[feed.reading.device.type] // _COPIES, VALUES // outputs.width))
    reader, scalar = feed.reading.reader(), Scalar(feed, outputs)
    parts = {
        label: Part(feed, reader, windows, budget, seed)
        for label, windows in (("attributed", attributed), ("held-out", held_out))
    }
    pieces = Pieces(
        folder, *_PIECE, reporter, prefix=f"{feed.reading.device.type}-"
    )  # batches are as large as it can take
    neurons = _clean(scalar, points, parts, pieces)
    reporter.note(
        f"score {name}: {len(neurons.ids):,} neurons at {len(points):,} hook points by {section.scalar}; attributions "
        f"({', '.join(forms)}) on {len(parts['attributed'].documents):,} documents, exact effects and curves on "
        f"{len(parts['held-out'].documents):,} others"
    )
    gradients = Gradients(scalar, section, neurons, forms, parts, numbers)
    pieces.make(gradients.units(), f"score {name}: gradients", "passes")
    attributions = gradients.attributions(pieces, "attributed")
    chosen, drawn = _chosen(neurons, next(iter(attributions.values())), section, seed)
    orders = _orders(neurons, attributions, known, section, seed)
    ablations = Ablations(scalar, section, neurons, reader, parts["held-out"], chosen, orders)
    pieces.make(ablations.units(), f"score {name}: exact effects and curves", "passes")
    end_of_share()
    found = Found(
        neurons,
        attributions,
        gradients.attributions(pieces, "held-out"),
        Measured(chosen, drawn, *ablations.effects(pieces)),
        {kind: ablations.curves(pieces, kind, ends) for kind, ends in gradients.ends(pieces).items()},
        frozen_error,
        gradients.slopes(pieces),
        tuple(points[number].label for number in numbers),
        blocks,
    )
    made = artifact(found, known, section, feed.reading.network.kind, name, seed)
    _warn(made, name, reporter)
    return made


def _clean(scalar: Scalar, points: Sequence[HookPoint], parts: Mapping[str, Part], pieces: Pieces) -> Neurons:
    """What clean passes say of the neurons; the reader of ``parts`` learns which norms are massive.

    Raises :class:`InputError` where the scalar has no value in one of the parts.
    """
    part = parts["attributed"]

    def measure() -> Arrays:
        set_limits(part.reader, part.batches)
        found = measured(scalar.feed, points, part.batches, part.reader)
        for each in parts.values():
            require_value(scalar, map(each.row, range(len(each.batches))))
        return found | {"limits": np.array(part.reader.limits or [], np.float64)}

    found = pieces.once("clean", measure)
    part.reader.limits = found.pop("limits").tolist() or None
    return Neurons.of(points, **found)


def _chosen(neurons: Neurons, first: ByDocument, section: ScoreSection, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The neurons that are ablated one by one, in order, and which of them are of the random sample."""
    importance = first.absolute.sum(axis=0) if section.order == "absolute" else first.importance(section.rises)
    order = by_score(importance)
    top, rest = order[: section.top], order[section.top :]
    spread = rest[np.lexsort((importance[rest], neurons.point_of[rest]))]
    drawn = systematic(spread, section.sample, seed)
    both = np.sort(np.concatenate([top, drawn]))
    return both, np.isin(both, drawn)


def _orders(
    neurons: Neurons, attributions: Mapping[str, ByDocument], known: Known, section: ScoreSection, seed: int
) -> Orders:
    """The rankings of the curves."""
    importance: dict[str, np.ndarray] = {}
    for form, made in attributions.items():
        both = {form: made.importance(section.rises), f"{form}_absolute": made.absolute.sum(axis=0)}
        importance |= dict(sorted(both.items(), reverse=section.order == "absolute"))
    return rankings(neurons, importance, known.arrays(neurons.ids), section.draws, seed)


def _numbers(points: Sequence[HookPoint], held: Sequence[HookPoint]) -> list[int]:
    """Which of ``points`` are ``held``; raises :class:`InputError` for one that is not scored."""
    labels = [point.label for point in points]
    for point in held:
        if point.label not in labels:
            raise InputError(
                f"score.held names {point.label}, which is not scored: {', '.join(labels)}.",
                "Add it to score.hook_points, or leave it out of score.held.",
            )
    return [labels.index(point.label) for point in held] if held else list(range(len(points)))


def _warn(made: Scores, name: str, reporter: Reporter) -> None:
    for kind, sums in zip(made.ablations.tolist(), made.everything):
        (change,), (error,) = clustered((sums - made.clean)[:, None], made.counts)
        if not abs(change) > 2 * error:
            reporter.warn(
                f"{name}: ablating all neurons ({kind}) changes {made.metrics.scalar} by {change:.2g} ± {error:.2g} per token, so that "
                "the curves, which are relative to this, mean little. Give more text (score.held_out), or more hook points."
            )


def forms_of(section: ScoreSection, feed: Feed, name: str, reporter: Reporter) -> tuple[Forms, float | None]:
    """The forms of attribution, the first one of which ranks, and how far the frozen network is from a linear one."""
    wanted = section.forms or ("plain", "frozen")
    forms: dict[str, Hold] = dict.fromkeys(wanted, nullcontext)
    if "frozen" not in wanted:
        return forms, None
    try:
        held, error = freeze(feed.reading.network)
    except InputError as refused:
        if section.forms:
            raise
        reporter.note(f"score {name}: without the frozen form. {refused.message}")
        return {"plain": nullcontext}, None
    return forms | {"frozen": lambda: holding(held)}, error
