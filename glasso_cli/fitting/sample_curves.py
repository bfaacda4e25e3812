"""What resampled documents say about a path: curves that choose alpha, and how often every edge comes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from glasso_cli.config import FitSection
from glasso_cli.console import Reporter
from glasso_cli.engine import threads
from glasso_cli.fitting.pieces import Pieces
from glasso_cli.fitting.sample_fits import Sample, SampleFit, SampleProblem, fit_samples, signed_pairs
from glasso_cli.inference.factors import Factors
from glasso_cli.inference.resampling import folds, frequencies, half_samples, instability, replication
from glasso_cli.solvers.memory import peak
from glasso_cli.solvers.path import PathPoint

_TOLERANCE = 1e-6  # of a resample's certificate: its edges are counted, its values are not read
_SMALL = 400  # neurons; a process takes longer to start than fits of fewer take
_NEAR = 2.0  # refine only alphas whose estimate from two halves is within this factor of the threshold


@dataclass(frozen=True, eq=False)
class Stability:
    """How often the edges of one graph come back in halves of the documents."""

    count: int  # half-samples
    frequencies: np.ndarray  # (E,) nan without any
    replication: float | None  # share of the edges of a half that the other half has too; None without any


class SampleFits(Protocol):
    """Gives the fit of every sample in their order, each from the graph ``start`` if there is one; ``advance`` counts them."""

    def __call__(
        self, samples: Sequence[Sample], start: PathPoint | None, advance: Callable[[float], None]
    ) -> list[SampleFit]: ...


@dataclass(frozen=True, eq=False)
class Resamples:
    """The resampled fits that one fit needs."""

    section: FitSection
    seed: int
    name: str  # of the corpus
    reporter: Reporter
    neurons: int
    filled: np.ndarray  # blocks with tokens
    fits: SampleFits

    def curves(self, alphas: Sequence[float]) -> dict[str, np.ndarray]:
        """What the selection rule compares, by the name of its option; empty for rules without resamples."""
        rule = self.section.rule
        if rule == "cv":
            return {"held_out": self._held_out(tuple(alphas))}
        if rule == "stars":
            return {"instability": self._instability(tuple(alphas))}
        return {}

    def _held_out(self, alphas: tuple[float, ...]) -> np.ndarray:
        """Log-likelihood ``(K, A)`` of every fold under the fit to the others."""
        parts = folds(self.filled, self.section.select.folds)
        every = set(self.filled.tolist())
        samples = [Sample(tuple(sorted(every - set(part))), alphas, part) for part in parts]
        return np.stack([fit.held_out for fit in self._fit(samples, "folds")])

    def _instability(self, alphas: tuple[float, ...]) -> np.ndarray:
        """StARS' instability ``(A,)``; beyond the alphas that can matter it is the estimate of the first two halves.

        The bounds follow Mueller, Kurtz and Bonneau (2016).
        """
        select = self.section.select
        halves = half_samples(self.filled, select.half_samples, self.seed)
        first = self._fit([Sample(half, alphas) for half in halves[:2]], "first halves")
        curve = np.array([self._unstable(first, alpha) for alpha in alphas])
        rough = np.maximum.accumulate(curve)
        near = (rough >= select.instability / _NEAR) & (rough <= select.instability * _NEAR)
        below, above = np.flatnonzero(rough <= select.instability), np.flatnonzero(rough > select.instability)
        near[below[-1:]] = near[above[:1]] = True
        chosen = tuple(alpha for alpha, wanted in zip(alphas, near, strict=True) if wanted)
        fits = first + self._fit([Sample(half, chosen) for half in halves[2:]], "halves")
        curve[near] = [self._unstable(fits, alpha) for alpha in chosen]
        return curve

    def _unstable(self, fits: Sequence[SampleFit], alpha: float) -> float:
        p = self.neurons
        return instability([fit.signed(alpha, p) for fit in fits], p * (p - 1) // 2)

    def stability(self, point: PathPoint) -> Stability:
        """How often the edges of ``point`` come back, each half fitted from there."""
        section = self.section
        halves = half_samples(self.filled, section.half_samples, self.seed)
        fits = self._fit([Sample(half, (point.alpha,)) for half in halves], "halves", point)
        p = self.neurons
        samples = [fit.signed(point.alpha, p) for fit in fits]
        edges = signed_pairs(point.rows, point.cols, point.values < 0, p)
        replicated = replication(samples) if samples else float("nan")
        return Stability(len(samples), frequencies(edges, samples), None if np.isnan(replicated) else replicated)

    def _fit(self, samples: Sequence[Sample], label: str, start: PathPoint | None = None) -> list[SampleFit]:
        if not samples:
            return []
        with self.reporter.progress(f"{label} {self.name}", len(samples), "fits") as advance:
            fits = self.fits(samples, start, advance)
        missed = sum(not bool(fit.converged.all()) for fit in fits)
        if missed:
            self.reporter.warn(
                f"{self.name}: {missed} of {len(fits)} resampled fits did not converge; raise fit.max_iter."
            )
        return fits


@dataclass(frozen=True, eq=False)
class DenseSamples:
    """Fits of samples from the moments of their blocks, in processes side by side."""

    section: FitSection
    pieces: Pieces
    neurons: np.ndarray
    factors: Factors | None
    memory: int  # bytes available
    largest: int  # neurons of the largest component

    def fits(
        self, samples: Sequence[Sample], start: PathPoint | None, advance: Callable[[float], None]
    ) -> list[SampleFit]:
        """The fit of every sample, as :class:`SampleFits` says."""
        pieces = self.pieces
        assert pieces.statistics is not None
        study = SampleProblem(
            stats=pieces.statistics,
            neurons=self.neurons,
            factors=self.factors,
            solving=solving_of_samples(self.section),
        )
        problem = pieces.problem
        if start is not None:
            study = replace(study, start=start.precision())
            problem = f"{problem} from {start.chain}"
        return fit_samples(study, samples, pieces.folder, problem, self._workers(), advance, pieces.team)

    def _workers(self) -> int:
        """Processes: as many as asked for, or threads, and no more than memory holds."""
        section, p = self.section, len(self.neurons)
        if section.workers is None and p < _SMALL:
            return 1
        need = peak(p, self.largest, section.solved_by)
        return max(1, min(section.workers or threads.allowed(), self.memory // need))


def solving_of_samples(section: FitSection) -> dict[str, Any]:
    """How the points of samples are solved: as those of the corpus, with a wider certificate."""
    return section.solving | {"tol": max(section.tol, _TOLERANCE)}
