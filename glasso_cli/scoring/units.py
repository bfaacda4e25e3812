"""The units of the work: what is measured on one batch of documents, each with a file.

Gradients and the ends of curves come first. Which neurons are ablated one by one, and the rankings of the curves, follow from them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

import numpy as np

from glasso_cli.collection.reading import Reader
from glasso_cli.config import ScoreSection
from glasso_cli.console import Advance
from glasso_cli.pipeline.units import Arrays, Pieces, PieceUnit
from glasso_cli.scoring.clean import Neurons
from glasso_cli.scoring.curves import ablated_sums, counts_of, curves_of
from glasso_cli.scoring.effect import copies_of, exact_effects
from glasso_cli.scoring.gradients.attribution import ByDocument, attribute, midpoints
from glasso_cli.scoring.gradients.slopes import SlopeSums, measure_slopes
from glasso_cli.scoring.parts import Part
from glasso_cli.scoring.scalar import Scalar

_NEURONS = 64  # of a unit of exact effects, about
Hold = Callable[[], AbstractContextManager[None]]  # what is in place while gradients are taken
Forms = Mapping[str, Hold]
Orders = Mapping[str, Sequence[np.ndarray]]


@dataclass(frozen=True, eq=False)
class Gradients:
    """What is measured before any ranking: attributions on both ``parts`` of the documents, slopes, and the ends of curves."""

    scalar: Scalar
    section: ScoreSection
    neurons: Neurons
    forms: Forms
    parts: Mapping[str, Part]  # attributed and held-out
    held: Sequence[int]  # hook points whose neurons are held in direct slopes

    def units(self) -> list[PieceUnit]:
        """All units."""
        found = [
            PieceUnit(
                _file(label, form, batch),
                f"{form} gradients of {label} batch {batch}",
                len(self._steps(form)) * (len(self.neurons.points) if self._each(form) else 1),
                partial(self._attributed, label, form, batch),
            )
            for label, part in self.parts.items()
            for form in self.forms
            for batch in range(len(part.batches))
        ]
        if self.section.has_slope:
            found += [
                PieceUnit(_file("slopes", batch), f"slopes of batch {batch}", 1, partial(self._slopes, batch))
                for batch in range(len(self.parts["attributed"].batches))
            ]
        found += [
            PieceUnit(
                _file("ends", kind, batch), f"{kind} ablation of batch {batch}", 2, partial(self._ends, kind, batch)
            )
            for kind in self._kinds
            for batch in range(len(self.parts["held-out"].batches))
        ]
        return found

    def attributions(self, pieces: Pieces, label: str) -> dict[str, ByDocument]:
        """The attributions of every form on one part."""
        part = self.parts[label]
        return {
            form: ByDocument(documents=part.documents, **part.sums(_read(pieces, part, label, form)))
            for form in self.forms
        }

    def slopes(self, pieces: Pieces) -> SlopeSums | None:
        """The slopes on the first part; None for a scalar that has none."""
        part = self.parts["attributed"]
        if not self.section.has_slope:
            return None
        return SlopeSums(documents=part.documents, **part.sums(_read(pieces, part, "slopes")))

    def ends(self, pieces: Pieces) -> dict[str, Arrays]:
        """By kind of ablation: the scalar ``clean (D,)``, and with ``everything (D,)`` ablated."""
        part = self.parts["held-out"]
        return {kind: part.sums(_read(pieces, part, "ends", kind)) for kind in self._kinds}

    @property
    def _kinds(self) -> Sequence[str]:
        return self.section.ablations if self.section.shares else ()

    def _steps(self, form: str) -> Sequence[float]:
        return midpoints(self.section.steps) if form == "integrated" else [0.0]

    def _each(self, form: str) -> bool:
        return form == "integrated" and self.section.integrate == "each"

    def _attributed(self, label: str, form: str, batch: int, advance: Advance) -> Arrays:
        part = self.parts[label]
        replacement = part.replacement(self.neurons, self.section.baseline)
        with self.forms[form]():
            made = attribute(
                self.scalar, replacement, [part.row(batch)], self._steps(form), advance, each=self._each(form)
            )
        return {"documents": made.documents, "counts": made.counts, "sums": made.sums, "absolute": made.absolute}

    def _slopes(self, batch: int, advance: Advance) -> Arrays:
        row = self.parts["attributed"].row(batch)
        made = measure_slopes(self.scalar, self.neurons, [row], self.held, advance)
        return {"documents": made.documents, "counts": made.counts, "whole": made.whole, "direct": made.direct}

    def _ends(self, kind: str, batch: int, advance: Advance) -> Arrays:
        part = self.parts["held-out"]
        row, replacement = part.row(batch), part.replacement(self.neurons, kind)
        documents = np.unique(row.documents)
        found = {"documents": documents}
        for name, ablated in (("clean", range(0)), ("everything", range(len(self.neurons.ids)))):
            found[name] = ablated_sums(self.scalar, replacement, [row], documents, ablated)
            advance(1)
        return found


@dataclass(frozen=True, eq=False)
class Ablations:
    """What is measured of neurons in order on the held-out documents: exact effects of those ``chosen``, and curves of ``orders``."""

    scalar: Scalar
    section: ScoreSection
    neurons: Neurons
    reader: Reader
    part: Part
    chosen: np.ndarray  # (N,) indices, increasing
    orders: Orders

    def units(self) -> list[PieceUnit]:
        """All units."""
        found = [
            PieceUnit(
                _file("effects", point, batch, first),
                f"effects at {self.neurons.points[point].label} on batch {batch}, neurons {first + 1} to {first + len(some)}",
                len(some),
                partial(self._effects, point, batch, some, batch == first == 0),
            )
            for point, own in self._by_point()
            for batch in range(len(self.part.batches))
            for first, some in self._divided(own, batch)
        ]
        found += [
            PieceUnit(
                _file("curve", kind, number, draw, batch),
                f"curve of {name} on batch {batch} ({kind}{f', order {draw + 1}' if len(several) > 1 else ''})",
                2 * len(self._partly),
                partial(self._curve, kind, order, batch),
            )
            for kind in (self.section.ablations if self._partly else ())
            for number, (name, several) in enumerate(self.orders.items())
            for draw, order in enumerate(several)
            for batch in range(len(self.part.batches))
        ]
        return found

    def effects(self, pieces: Pieces) -> tuple[np.ndarray, float | None]:
        """The changes of the scalar ``(N, D)``, and how far replayed clean passes are off at most."""
        sums, replayed = np.zeros((len(self.chosen), len(self.part.documents))), []
        for point, own in self._by_point():
            for batch in range(len(self.part.batches)):
                for first, some in self._divided(own, batch):
                    made = pieces.read(_file("effects", point, batch, first))
                    at = np.searchsorted(self.chosen, some), np.searchsorted(self.part.documents, made["documents"])
                    sums[np.ix_(*at)] += made["sums"].T
                    replayed += made["replayed"].tolist()
        return sums, max(replayed, default=None)

    def curves(self, pieces: Pieces, kind: str, ends: Arrays) -> dict[str, np.ndarray]:
        """``ends``, with ``NAME-deletion`` and ``NAME-insertion (K, D)`` of each ranking."""
        found = dict(ends)
        more = len(self._counts) - len(self._partly)
        for number, (name, several) in enumerate(self.orders.items()):
            drawn = [
                self.part.sums(_read(pieces, self.part, "curve", kind, number, draw)) if self._partly else {}
                for draw in range(len(several))
            ]
            for measure, last in (("deletion", ends["everything"]), ("insertion", ends["clean"])):
                found[f"{name}-{measure}"] = np.tile(last, (more, 1))
                if self._partly:
                    mean = np.mean([np.ascontiguousarray(sums[measure].T) for sums in drawn], axis=0)
                    found[f"{name}-{measure}"] = np.concatenate([mean, found[f"{name}-{measure}"]])
        return found

    @property
    def _counts(self) -> list[int]:
        return counts_of(self.section.shares, len(self.neurons.ids))

    @property
    def _partly(self) -> list[int]:
        """The numbers of neurons that are not all of them."""
        return [count for count in self._counts if count < len(self.neurons.ids)]

    def _by_point(self) -> list[tuple[int, np.ndarray]]:
        """The hook points with chosen neurons, and these."""
        point_of = self.neurons.point_of[self.chosen]
        return [(point, self.chosen[point_of == point]) for point in np.unique(point_of).tolist()]

    def _divided(self, neurons: np.ndarray, batch: int) -> list[tuple[int, np.ndarray]]:
        """``neurons`` in passes as full as they are without the division, each part with its place."""
        copies = copies_of(self.scalar, self.part.batches[batch])
        size = -(-_NEURONS // copies) * copies
        return [(first, neurons[first : first + size]) for first in range(0, len(neurons), size)]

    def _effects(self, point: int, batch: int, neurons: np.ndarray, check: bool, advance: Advance) -> Arrays:
        replacement = self.part.replacement(self.neurons, self.section.baseline)
        row = self.part.row(batch)
        made = exact_effects(self.scalar, replacement, self.reader, row, point, neurons.tolist(), advance, check=check)
        replayed = [] if made.replayed is None else [made.replayed]
        return {"documents": row.counted.documents, "sums": made.sums, "replayed": np.array(replayed, np.float64)}

    def _curve(self, kind: str, order: np.ndarray, batch: int, advance: Advance) -> Arrays:
        row, replacement = self.part.row(batch), self.part.replacement(self.neurons, kind)
        documents = np.unique(row.documents)
        deletion, insertion = curves_of(self.scalar, replacement, [row], documents, order, self._partly, advance)
        return {"documents": documents, "deletion": deletion.T, "insertion": insertion.T}


def _file(*names: str | int) -> str:
    """The name of a piece: words, and numbers in four digits."""
    return "-".join(name if isinstance(name, str) else f"{name:04d}" for name in names)


def _read(pieces: Pieces, part: Part, *names: str | int) -> list[Arrays]:
    """The pieces of all batches of a part."""
    return [pieces.read(_file(*names, batch)) for batch in range(len(part.batches))]
