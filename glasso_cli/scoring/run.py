"""One corpus of scores: clean passes, attributions on both parts of the documents, exact effects, curves, and the artifact.

Finished parts are files, so an interrupted run continues where it was and ends in the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glasso_cli.artifacts import Scores
from glasso_cli.artifacts.pieces import read_piece, write_piece, written_piece
from glasso_cli.collection.reading import Reader, Windowed
from glasso_cli.config import ScoreSection
from glasso_cli.console import Reporter
from glasso_cli.errors import InputError
from glasso_cli.hooks import HookPoint
from glasso_cli.inference.document_means import clustered
from glasso_cli.intervention.feed import Feed
from glasso_cli.intervention.outputs import VALUES, outputs_of
from glasso_cli.intervention.passes import POSITIONS
from glasso_cli.intervention.survey import set_limits
from glasso_cli.scoring.assemble import Found, Known, Measured, artifact
from glasso_cli.scoring.clean import Neurons, Row, bank_of, layouts, measure_neurons
from glasso_cli.scoring.curves import ablated_sums, counts_of, curves_of
from glasso_cli.scoring.effect import exact_effects
from glasso_cli.scoring.gradients.attribution import ByDocument, attribute, midpoints
from glasso_cli.scoring.gradients.frozen import freeze, holding
from glasso_cli.scoring.gradients.slopes import SlopeSums, measure_slopes
from glasso_cli.scoring.parts import split
from glasso_cli.scoring.rankings import by_score, rankings
from glasso_cli.scoring.ranks import systematic
from glasso_cli.scoring.replaced import Replacement
from glasso_cli.scoring.scalar import Scalar, require_tokens

_PIECE = ("score-part", 1)
_COPIES = 4  # of a batch of documents in a pass, about
Arrays = dict[str, np.ndarray]
Forms = dict[str, Callable[[], AbstractContextManager[None]]]  # what is in place while gradients of a form are taken


def score(
    feed: Feed,
    points: Sequence[HookPoint],
    section: ScoreSection,
    pieces: Path,
    known: Known,
    *,
    held: Sequence[HookPoint] = (),
    blocks: int,
    name: str,
    seed: int,
    reporter: Reporter,
) -> Scores:
    """Score the neurons of ``points``, hook points of ``feed``, by the scalar of ``section``; finished parts are kept in ``pieces``.

    Slopes hold the neurons of ``held``, some of the points; none means all. Documents are in ``blocks``, as those of `collect`.

    Raises :class:`InputError` for a network that does not give the scalar, for a form that it does not allow, and for too little text.
    """
    numbers = _numbers(points, held)
    outputs = outputs_of(section, feed.reading.network, "score.scalar")
    outputs.class_index = section.class_index
    attributed, held_out = split(feed.reading.windows, section.tokens, section.held_out)
    forms, frozen_error = forms_of(section, feed, name, reporter)
    budget = max(1, min(POSITIONS[feed.reading.device.type] // _COPIES, VALUES // outputs.width))
    reader = feed.reading.reader()
    set_limits(reader, list(feed.reading.batches(attributed, budget)))
    neurons = measure_neurons(feed, points, list(feed.reading.batches(attributed, budget)), reader)
    work = _Work(Scalar(feed, outputs), section, reader, neurons, pieces, name, seed, reporter, budget)
    first, second = work.part(attributed, section.baseline), work.part(held_out, section.baseline)
    reporter.note(
        f"score {name}: {len(neurons.ids):,} neurons at {len(points):,} hook points by {section.scalar}; attributions "
        f"({', '.join(forms)}) on {len(first.documents):,} documents, exact effects and curves on {len(second.documents):,} others"
    )
    attributions = work.attributions(forms, first, "attributed"), work.attributions(forms, second, "held-out")
    measured = work.measured(next(iter(attributions[0].values())), second)
    curves = work.curves(attributions[0], known, held_out)
    slopes = work.slopes(first, numbers) if section.has_slope else None
    labels = tuple(points[number].label for number in numbers)
    found = Found(neurons, *attributions, measured, curves, frozen_error, slopes, labels, blocks)
    made = artifact(found, known, section, feed.reading.network.kind, name, seed)
    _warn(made, name, reporter)
    return made


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
    forms: Forms = dict.fromkeys(wanted, nullcontext)
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


@dataclass(frozen=True, eq=False)
class Part:
    """One part of the documents: its batches, its documents in order ``(D,)``, and what replaces neurons there."""

    rows: Sequence[Row]
    documents: np.ndarray
    replacement: Replacement


@dataclass(frozen=True, eq=False)
class _Work:
    """The run at work."""

    scalar: Scalar
    section: ScoreSection
    reader: Reader
    neurons: Neurons
    pieces: Path
    name: str
    seed: int
    reporter: Reporter
    budget: int

    def part(self, windows: Sequence[Windowed], replaced_by: str) -> Part:
        """Some windows with their layout; ``replaced_by`` is mean or resample."""
        feed = self.scalar.feed
        batches = list(feed.reading.batches(windows, self.budget))
        rows = layouts(feed, batches, self.reader)
        bank = None
        if replaced_by == "resample":
            samples = sum(row.kept.numel() for row in rows)
            bank = bank_of(batches, self.reader, len(self.neurons.ids), samples, self.seed)
        documents = np.array(sorted({document for row in rows for document in row.documents}))
        return Part(rows, documents, Replacement(self.neurons, feed.reading.device, bank))

    def kept(self, label: str, make: Callable[[], Arrays]) -> Arrays:
        """What ``make`` gives, from its file where an interrupted run finished it."""
        path = self.pieces / f"{label}.npz"
        done = read_piece(path, *_PIECE, self.reporter.detail)
        if done is None:
            write_piece(path, *_PIECE, make(), {})
            done = written_piece(path, *_PIECE)
        return done[0]

    # -- attributions ---------------------------------------------------------------------------------

    def attributions(self, forms: Forms, part: Part, label: str) -> dict[str, ByDocument]:
        steps = {form: midpoints(self.section.steps) if form == "integrated" else [0.0] for form in forms}
        each = {form: form == "integrated" and self.section.integrate == "each" for form in forms}
        points = len(self.neurons.points)
        total = len(part.rows) * sum(len(own) * (points if each[form] else 1) for form, own in steps.items())
        found = {}
        with self.reporter.progress(f"score {self.name}: gradients, {label}", total, "passes") as advance:
            for form, hold in forms.items():

                def make(form: str = form, hold: Callable[[], AbstractContextManager[None]] = hold) -> Arrays:
                    with hold():
                        made = attribute(
                            self.scalar, part.replacement, part.rows, steps[form], advance, each=each[form]
                        )
                    return {"counts": made.counts, "sums": made.sums, "absolute": made.absolute}

                found[form] = ByDocument(documents=part.documents, **self.kept(f"{label}-{form}", make))
                require_tokens(found[form].counts)
        return found

    def slopes(self, part: Part, held: Sequence[int]) -> SlopeSums:
        """Slopes of the scalar on the documents of ``part``, whole, and with the neurons of the hook points ``held`` held."""
        with self.reporter.progress(f"score {self.name}: slopes", len(part.rows), "passes") as advance:

            def make() -> Arrays:
                made = measure_slopes(self.scalar, self.neurons, part.rows, held, advance)
                return {"counts": made.counts, "whole": made.whole, "direct": made.direct}

            return SlopeSums(documents=part.documents, **self.kept("slopes", make))

    # -- exact effects --------------------------------------------------------------------------------

    def chosen(self, first: ByDocument) -> tuple[np.ndarray, np.ndarray]:
        """The neurons that are ablated one by one, in order, and which of them are of the random sample."""
        section = self.section
        importance = first.absolute.sum(axis=0) if section.order == "absolute" else first.importance(section.rises)
        order = by_score(importance)
        top, rest = order[: self.section.top], order[self.section.top :]
        spread = rest[np.lexsort((importance[rest], self.neurons.point_of[rest]))]
        drawn = systematic(spread, self.section.sample, self.seed)
        both = np.sort(np.concatenate([top, drawn]))
        return both, np.isin(both, drawn)

    def measured(self, first: ByDocument, part: Part) -> Measured:
        """Exact effects on the documents of ``part``."""
        chosen, drawn = self.chosen(first)
        sums, replayed = np.zeros((len(chosen), len(part.documents))), []
        label = f"score {self.name}: exact effects"
        with self.reporter.progress(label, len(chosen) * len(part.rows), "passes") as advance:
            for point in np.unique(self.neurons.point_of[chosen]).tolist():
                own = np.flatnonzero(self.neurons.point_of[chosen] == point)

                def make(point: int = point, own: np.ndarray = own) -> Arrays:
                    made = exact_effects(
                        self.scalar,
                        part.replacement,
                        self.reader,
                        part.rows,
                        part.documents,
                        point,
                        chosen[own].tolist(),
                        advance,
                    )
                    return {"sums": made.sums, "replayed": np.array(made.replayed)}

                piece = self.kept(f"effects-{point:04d}", make)
                sums[own] = piece["sums"]
                replayed.append(float(piece["replayed"]))
        return Measured(chosen, drawn, sums, max(replayed, default=None))

    # -- curves ---------------------------------------------------------------------------------------

    def curves(
        self, attributions: Mapping[str, ByDocument], known: Known, windows: Sequence[Windowed]
    ) -> dict[str, Arrays]:
        """By kind of ablation: ``clean (M,)``, ``everything (M,)``, and ``NAME-deletion`` and ``NAME-insertion (K, M)`` of each ranking."""
        section = self.section
        importance: dict[str, np.ndarray] = {}
        for form, made in attributions.items():
            both = {form: made.importance(section.rises), f"{form}_absolute": made.absolute.sum(axis=0)}
            importance |= dict(sorted(both.items(), reverse=section.order == "absolute"))
        others = known.arrays(self.neurons.ids)
        orders = rankings(self.neurons, importance, others, section.draws, self.seed)
        counts = counts_of(section.shares, len(self.neurons.ids))
        found: dict[str, Arrays] = {}
        for kind in section.ablations if section.shares else ():
            part = self.part(windows, kind)
            found[kind] = self._of_kind(kind, part, orders, counts)
        return found

    def _of_kind(
        self, kind: str, part: Part, orders: Mapping[str, Sequence[np.ndarray]], counts: Sequence[int]
    ) -> Arrays:
        everyone = range(len(self.neurons.ids))
        partly = [count for count in counts if count < len(everyone)]

        def sums(neurons: Sequence[int]) -> np.ndarray:
            return ablated_sums(self.scalar, part.replacement, part.rows, part.documents, neurons)

        ends = self.kept(f"curve-{kind}-ends", lambda: {"clean": sums([]), "everything": sums(everyone)})
        found = dict(ends)
        total = 2 * len(partly) * sum(len(several) for several in orders.values())
        with self.reporter.progress(f"score {self.name}: curves, {kind}", total, "ablations") as advance:
            for number, (name, several) in enumerate(orders.items()):

                def make(several: Sequence[np.ndarray] = several) -> Arrays:
                    drawn = [
                        curves_of(self.scalar, part.replacement, part.rows, part.documents, order, partly, advance)
                        for order in several
                    ]
                    deletion, insertion = (np.mean(parts, axis=0) for parts in zip(*drawn))
                    return {"deletion": deletion, "insertion": insertion}

                piece = self.kept(f"curve-{kind}-{number:02d}", make)
                last = np.tile(ends["everything"], (len(counts) - len(partly), 1))
                found[f"{name}-deletion"] = np.concatenate([piece["deletion"], last])
                found[f"{name}-insertion"] = np.concatenate(
                    [piece["insertion"], np.tile(ends["clean"], (len(counts) - len(partly), 1))]
                )
        return found
