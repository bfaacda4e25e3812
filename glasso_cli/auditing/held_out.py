"""The other question: how well later activations are predicted on texts that were not read before, and correlations ranked.

One clean pass. Activations are standardised by the means and standard deviations of `collect`, and every prediction is
made token by token, so that nothing is fitted to these texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from glasso_cli.artifacts import ActivationStats
from glasso_cli.auditing.association import Rows, places
from glasso_cli.auditing.ranking import Ranking
from glasso_cli.auditing.resample import Estimate, draws
from glasso_cli.auditing.scores import Score
from glasso_cli.auditing.truth import strongest
from glasso_cli.intervention.survey import set_limits

if TYPE_CHECKING:
    from glasso_cli.collection.reading import Reading
    from glasso_cli.intervention.feed import Feed


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Sums over the tokens of B blocks of documents, of standardised activations of S sources and T targets.

    ``errors (Q, B)`` are squared errors of Q predictions of all targets, and ``total (B,)`` the squares of the targets.
    """

    counts: np.ndarray  # (B,) tokens
    names: tuple[str, ...]  # of the predictions
    errors: np.ndarray
    total: np.ndarray
    sources: np.ndarray  # (B, S) sums
    targets: np.ndarray  # (B, T)
    source_squares: np.ndarray
    target_squares: np.ndarray
    products: np.ndarray  # (B, S, T)

    def explained(self, weights: np.ndarray) -> np.ndarray:
        """The share of the targets' variance about the means of `collect` that each prediction explains, ``(Q,)``."""
        return np.asarray(1 - self.errors @ weights / (self.total @ weights))

    def correlation(self, weights: np.ndarray) -> np.ndarray:
        """The correlations ``(S, T)`` of the tokens of blocks that count ``weights (B,)`` times; 0 where a neuron is constant."""
        n = weights @ self.counts
        source, target = weights @ self.sources / n, weights @ self.targets / n
        spread = np.einsum("b,bst->st", weights, self.products) / n - np.outer(source, target)
        variances = [
            np.maximum(weights @ squares / n - mean**2, 0)
            for squares, mean in ((self.source_squares, source), (self.target_squares, target))
        ]
        scale = np.sqrt(np.outer(*variances))
        return np.asarray(np.divide(spread, scale, out=np.zeros_like(spread), where=scale > 0))


def held_out_sums(feed: Feed, stats: ActivationStats, rows: Rows, scores: Sequence[Score], blocks: int) -> HeldOut:
    """Read all windows of ``feed``, at the hook points of all predictors and targets, and sum up over ``blocks`` of documents.

    Document number i of those that are read goes to block i mod ``blocks``, as in the interventions.
    """
    reading = feed.reading
    batches = list(reading.batches(reading.windows, reading.batch_samples[reading.device.type]))
    reader = reading.reader()
    set_limits(reader, batches)
    documents = np.unique([window.document for window in reading.windows])
    sums = _Sums(stats, rows, scores, _columns(reading, stats, rows), min(blocks, len(documents)))
    for batch in batches:
        read = reader.read(batch)
        kept = read.kept
        values = read.values[kept].float().cpu().numpy()
        sums.add(values, np.searchsorted(documents, read.documents[read.window_of()][kept].cpu().numpy()))
    return sums.finish()


def _columns(reading: Reading, stats: ActivationStats, rows: Rows) -> np.ndarray:
    """Where the predictors and the targets, one after the other, stand in what ``reading`` gives, ``(k + T,)``."""
    labels = {point.name: point.label for point in stats.metrics.hook_points}  # a short form, where that was collected
    points = [replace(point, label=labels[point.name]) for point in reading.points]
    column = {name: place for place, name in enumerate(name for point in points for name in point.neuron_ids)}
    neurons = np.concatenate([rows.predictors, rows.targets])
    return np.array([column[name] for name in stats.neuron_ids[neurons].tolist()])


class _Sums:
    """Adds up batches."""

    def __init__(
        self, stats: ActivationStats, rows: Rows, scores: Sequence[Score], columns: np.ndarray, blocks: int
    ) -> None:
        neurons = np.concatenate([rows.predictors, rows.targets])
        self._columns = columns
        self._mean, self._std = (values[neurons].astype(np.float32) for values in (stats.mean, stats.std))
        self._k, self._sources = len(rows.predictors), rows.of_sources
        self._predictions = [
            (
                score.name,
                places(rows.predictors, score.coefficients.predictors),
                score.coefficients.values.astype(np.float32),
            )
            for score in scores
            if score.coefficients is not None
        ]
        S, T = len(rows.sources), len(rows.targets)
        shapes = {"sources": (S,), "targets": (T,), "source_squares": (S,), "target_squares": (T,), "products": (S, T)}
        self._counts, self._total = np.zeros(blocks), np.zeros(blocks)
        self._errors = np.zeros((len(self._predictions), blocks))
        self._sums = {name: np.zeros((blocks, *shape)) for name, shape in shapes.items()}

    def add(self, values: np.ndarray, documents: np.ndarray) -> None:
        """Add tokens: ``values (N, width)``, and the number of the document of each."""
        z = (values[:, self._columns] - self._mean) / self._std
        before, target = z[:, : self._k], z[:, self._k :]
        source = before[:, self._sources]
        block = documents % len(self._counts)
        left = [
            np.square(target - before[:, predictors] @ coefficients).sum(axis=1, dtype=np.float64)
            for _, predictors, coefficients in self._predictions
        ]
        whole = np.square(target).sum(axis=1, dtype=np.float64)
        for own in np.unique(block).tolist():
            at = block == own
            self._counts[own] += at.sum()
            self._total[own] += whole[at].sum()
            for number, errors in enumerate(left):
                self._errors[number, own] += errors[at].sum()
            parts = {
                "sources": source[at].sum(axis=0),
                "targets": target[at].sum(axis=0),
                "source_squares": np.square(source[at]).sum(axis=0),
                "target_squares": np.square(target[at]).sum(axis=0),
                "products": source[at].T @ target[at],
            }
            for name, part in parts.items():
                self._sums[name][own] += part

    def finish(self) -> HeldOut:
        """The sums of the blocks that have tokens."""
        there = self._counts > 0
        return HeldOut(
            counts=self._counts[there],
            names=tuple(name for name, _, _ in self._predictions),
            errors=self._errors[:, there],
            total=self._total[there],
            **{name: values[there] for name, values in self._sums.items()},
        )


@dataclass(frozen=True)
class Predicted:
    """How one score does at the other question; nan where it is no prediction."""

    score: str
    explained: Estimate  # share of the variance of the targets
    precision: Estimate  # average precision of the score for the strongest held-out correlations
    base: float


def predicted(sums: HeldOut, scores: Sequence[Score], share: float, replicates: int, seed: int) -> list[Predicted]:
    """Every score, with intervals over sources and documents."""
    blocks, sources = len(sums.counts), sums.sources.shape[1]
    once = (np.ones(blocks), np.ones(sources, np.int64))
    rankings = [Ranking(score.values) for score in scores]

    def measured(blocks: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        true = strongest(correlation := sums.correlation(blocks), share, weights)
        counting = [ranking.counting(weights).hits(true).average_precision()[0] for ranking in rankings]
        return sums.explained(blocks), np.array(counting), len(true) / correlation.size

    explained, precision, base = measured(*once)
    drawn = []
    if blocks > 1 and sources > 1:
        drawn = [measured(draw.blocks.astype(float), draw.sources) for draw in draws(sources, blocks, replicates, seed)]
    place = {name: number for number, name in enumerate(sums.names)}
    found = []
    for number, score in enumerate(scores):
        at = place.get(score.name)
        share_explained = Estimate(np.nan)
        if at is not None:
            share_explained = Estimate.of(explained[at], np.array([part[0][at] for part in drawn]), most=1)
        ranked = Estimate.of(precision[number], np.array([part[1][number] for part in drawn]), 0, 1)
        found.append(Predicted(score.name, share_explained, ranked, base))
    return found
