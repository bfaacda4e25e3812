"""Many sparse neurons fitted: strong pairs, their components one by one, one alpha selected, all pairs tested.

No matrix of all pairs is ever in memory. What needs one is refused: see :func:`check_section`. Every alpha, every sample and
every panel of columns of a pass over all pairs is kept when it is finished.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from glasso_cli.artifacts import PrecisionPath
from glasso_cli.config import FitSection
from glasso_cli.console import PythonWarnings, Reporter
from glasso_cli.engine import tasks
from glasso_cli.fitting import finished_points
from glasso_cli.fitting.assemble import Findings, assemble
from glasso_cli.fitting.pieces import Pieces, pieces_in_memory
from glasso_cli.fitting.sample_curves import Resamples
from glasso_cli.fitting.sparse.collected import SparseCollected, chosen_neurons
from glasso_cli.fitting.sparse.finished import FinishedParts
from glasso_cli.fitting.sparse.problem import SparseProblem, check_section
from glasso_cli.fitting.sparse.samples import SparseSamples
from glasso_cli.fitting.sparse.search import search_sparse
from glasso_cli.fitting.sparse.tested import SparseTests
from glasso_cli.inference.blocks import check_blocks
from glasso_cli.inference.effective_n import fewer_tokens_than_neurons, more_of
from glasso_cli.inference.select import select
from glasso_cli.inference.sparse.edges import correlations_of
from glasso_cli.linalg.precision import symmetric
from glasso_cli.solvers.parts import Part
from glasso_cli.solvers.path import PathPoint


def fit_sparse_corpus(
    collected: SparseCollected,
    section: FitSection,
    *,
    name: str = "corpus",
    seed: int = 0,
    reporter: Reporter | None = None,
    pieces: Pieces | None = None,
) -> PrecisionPath:
    """The path of sparse precision matrices of ``collected`` neurons, with a test of every edge.

    All else is as in :func:`glasso_cli.fitting.run.fit_corpus`. Raises :class:`InputError` for what
    :func:`check_section` refuses, for an alpha that leaves too large a component or too many pairs, and for too few
    blocks of documents.
    """
    check_section(section)
    chosen = chosen_neurons(collected, section)
    told = reporter or PythonWarnings()
    if rare := len(collected.usable) - len(chosen):
        told.detail(f"{name}: {rare:,} neurons vary in one block of documents only, or are not asked for")
    values = collected.values.neurons(chosen).standardised()
    with nullcontext(pieces) if pieces is not None else pieces_in_memory() as kept:
        problem = SparseProblem.of(values, section.solving, FinishedParts(kept.folder, told.detail))
        return _SparseFit(collected, chosen, problem, section, name, seed, told, kept).run()


@dataclass(frozen=True, eq=False)
class _SparseFit:
    """One call of :func:`fit_sparse_corpus`."""

    collected: SparseCollected
    chosen: np.ndarray  # (p,) the fitted neurons among those collected
    problem: SparseProblem
    section: FitSection
    name: str
    seed: int
    reporter: Reporter
    pieces: Pieces

    def run(self) -> PrecisionPath:
        section, p = self.section, self.problem.n_neurons
        self._check_resampling()
        if few := fewer_tokens_than_neurons(self.collected.n_effective, p):
            self.reporter.warn(
                f"{self.name}: {few}. Collect more {more_of(self.collected.metrics.sample)}, or fit fewer neurons."
            )
        self._tell_of_processes()
        points, smallest, parts = self._path()
        resamples = Resamples(
            section=section,
            seed=self.seed,
            name=self.name,
            reporter=self.reporter,
            neurons=p,
            filled=self.problem.values.filled,
            fits=SparseSamples(self.problem, section, self.pieces).fits,
        )
        chosen = select(
            points,
            section.rule,
            alpha=section.select.alpha or (section.alpha or (None,))[0],
            target=section.select.target,
            gamma=section.select.gamma,
            n_effective=self.collected.n_effective,
            threshold=section.select.instability,
            **resamples.curves([point.alpha for point in points]),
        )
        if chosen.warning:
            self.reporter.warn(f"{self.name}: {chosen.warning}")
        best = points[chosen.index]
        tests = SparseTests(
            problem=self.problem,
            section=section,
            autocorrelation=self.collected.autocorrelation[self.chosen],
            n_effective=self.collected.n_effective,
            smallest=smallest,
            parts=parts,
            pieces=self.pieces,
            name=self.name,
            reporter=self.reporter,
        )
        findings = Findings(
            neurons=self.chosen,
            correlation=self._correlation(points),
            points=points,
            chosen=chosen,
            tested=tests.of(best),
            stability=resamples.stability(best),
            factors=None,
            removed=None,
            plain=None,
            fresh=None,
        )
        meta = {"corpus": self.name}
        return assemble(lambda metrics: {**meta, "metrics": metrics}, section, self.seed, self.collected, findings)

    def _check_resampling(self) -> None:
        section = self.section
        wanted = {
            f"fit.variance: {section.variance}": section.variance != "normal",
            "fit.half_samples": section.half_samples > 0,
            f"fit.select.rule: {section.rule}": section.rule in ("cv", "stars"),
        }
        for name, needed in wanted.items():
            if needed:
                check_blocks(len(self.problem.values.filled), name)

    def _tell_of_processes(self) -> None:
        section = self.section
        asked = {"fit.workers": (section.workers or 1) > 1, "engine": tasks.current() is not None}
        named = " and ".join(key for key, is_asked in asked.items() if is_asked)
        if named and (section.half_samples or section.rule in ("cv", "stars")):
            self.reporter.note(
                f"fit {self.name}: {named} not used: halves and folds of sparse latents are fitted one after the other"
            )

    def _path(self) -> tuple[list[PathPoint], float, list[Part]]:
        """All alphas asked for and those that a search adds; the smallest of them, and its components."""
        section, pieces, problem = self.section, self.pieces, self.problem
        done = finished_points.all_of(pieces, self.reporter.detail, finished_points.problem_of_parts)
        new = []

        def keep(point: PathPoint) -> None:
            finished_points.save_piece(pieces.folder, point, pieces.problem)
            new.append(point.alpha)
            self.reporter.note(
                f"fit {self.name}: alpha {point.alpha:.4g}, {point.n_edges:,} edges, {point.n_components:,} components, "
                f"gap {point.duality_gap:.1e}, {point.n_iter} iterations"
            )

        points: list[PathPoint] = []
        parts: list[Part] = []
        if section.alpha is not None:
            parts = problem.components(min(section.alpha))
            points = problem.solved(parts, section.alpha, done=done, on_point=keep)
        if section.rule == "degree":
            points = search_sparse(problem, section.select.target, grid=points, done=done, on_point=keep)
        smallest = points[-1].alpha
        if section.alpha is None or smallest < min(section.alpha):
            parts = problem.components(smallest)
        if len(new) < len(points):
            self.reporter.note(
                f"fit {self.name}: {len(points) - len(new)} of {len(points)} alphas taken from the last fit"
            )
        return points, smallest, parts

    def _correlation(self, points: list[PathPoint]) -> csr_array:
        """The correlations of all edges of the path, ``(p, p)``."""
        p = self.problem.n_neurons
        places = np.unique(np.concatenate([point.rows.astype(np.int64) * p + point.cols for point in points]))
        rows, cols = places // p, places % p
        return symmetric(rows, cols, correlations_of(self.problem.values, rows, cols), np.ones(p))
