"""Fits of samples of document blocks of many sparse neurons, one after the other: each is a pass over its tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glasso_cli.config import FitSection
from glasso_cli.errors import InputError
from glasso_cli.fitting.pieces import Pieces
from glasso_cli.fitting.sample_curves import solving_of_samples
from glasso_cli.fitting.sample_fits import Sample, SampleFit, finished_samples, save_sample
from glasso_cli.fitting.sparse.problem import SparseProblem
from glasso_cli.inference.sparse.edges import correlations_of
from glasso_cli.inference.sparse.values import SparseValues
from glasso_cli.solvers.path import PathPoint


@dataclass(frozen=True, eq=False)
class SparseSamples:
    """Samples of the tokens of one problem."""

    problem: SparseProblem
    section: FitSection
    pieces: Pieces

    def fits(
        self, samples: Sequence[Sample], start: PathPoint | None, advance: Callable[[float], None]
    ) -> list[SampleFit]:
        """The fit of every sample, as :class:`glasso_cli.fitting.sample_curves.SampleFits` says."""
        problem = self.pieces.problem if start is None else f"{self.pieces.problem} from {start.chain}"

        def fit(work: list[tuple[Sample, Path]]) -> Iterator[Sample]:
            for sample, file in work:
                self._fit(sample, start, file)
                yield sample

        return finished_samples(samples, self.pieces.folder, problem, fit, advance)

    def _fit(self, sample: Sample, start: PathPoint | None, file: Path) -> None:
        values = self.problem.values.of_blocks(np.array(sample.blocks))
        finished = self.problem.finished.within(f"blocks {sample.blocks}")
        problem = SparseProblem.of(values.standardised(), solving_of_samples(self.section), finished)
        smallest = min(sample.alphas)
        pairs = problem.pairs(smallest)
        if pairs is None or not problem.solves(pairs, smallest):
            raise InputError(
                f"At alpha {smallest:.4g}, a part of the documents has too large a component.",
                "Raise fit.alpha, or set fit.half_samples: 0."
                if start is not None
                else "Raise the smallest fit.alpha, or set fit.select.rule: ebic.",
            )
        precision = None if start is None else start.precision()
        points = problem.solved(problem.parts(pairs, smallest), sample.alphas, start=precision)
        judged = np.full(len(points), np.nan)
        if sample.held_out:
            judge = _HeldOut(values, problem.values, self.problem.values.of_blocks(np.array(sample.held_out)))
            judged = np.array([judge.log_likelihood(point) for point in points])
        save_sample(file, points, judged)


class _HeldOut:
    """Second moments of tokens that were not fitted, standardised as those that were."""

    def __init__(self, train: SparseValues, fitted: SparseValues, test: SparseValues) -> None:
        std = train.std
        scale = np.divide(1.0, std, out=np.zeros_like(std), where=std > 0)
        self._fitted, self._test = fitted, test.times(scale)
        self._apart = self._test.mean - fitted.mean
        diagonal = self._test.std**2 + self._apart**2
        self._diagonal = np.where(diagonal > 0, diagonal, 1.0)  # as of neurons that never vary

    def log_likelihood(self, point: PathPoint) -> float:
        """log det Theta - tr(S Theta) on the tokens that were not fitted."""
        rows, cols = point.rows, point.cols
        new = correlations_of(self._test, rows, cols) + self._apart[rows] * self._apart[cols]
        apart = new - correlations_of(self._fitted, rows, cols)
        trace = (self._diagonal - 1) @ point.diagonal + 2 * apart @ point.values
        return float(point.log_likelihood - trace)
