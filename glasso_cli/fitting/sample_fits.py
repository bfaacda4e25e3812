"""The same fit on many samples of document blocks, in processes side by side.

Every fit runs on one thread and is written to a file when it is finished: the bytes do not depend on how many processes
there are, and an interrupted run goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from glasso_cli.artifacts import ActivationStats
from glasso_cli.artifacts.keys import key_of
from glasso_cli.artifacts.pieces import read_piece, write_piece, written_piece
from glasso_cli.engine.pool import Pool
from glasso_cli.engine.shares import ATTEMPTS
from glasso_cli.engine.tasks import CallFailed, Engine, ProcessEnded, current, in_words
from glasso_cli.errors import ServiceError
from glasso_cli.inference.blocks import Blocks
from glasso_cli.inference.factors import Factors
from glasso_cli.solvers import fit_path
from glasso_cli.solvers.path import PathPoint, fit_from, stacked

_SAMPLE = ("fit-sample", 2)  # kind and schema of a piece


@dataclass(frozen=True)
class Sample:
    """Blocks to fit, the alphas, and blocks that are held out to judge by; repeats count again."""

    blocks: tuple[int, ...]
    alphas: tuple[float, ...]
    held_out: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class SampleProblem:
    """What all samples have in common. ``start`` is a precision near the answers at a single alpha."""

    stats: Path | ActivationStats  # a file where there is one, since it goes to other processes
    neurons: np.ndarray
    factors: Factors | None
    solving: dict[str, Any]  # options of fit_path
    start: csr_array | None = None


@dataclass(frozen=True, eq=False)
class SampleFit:
    """The graphs of one sample at A alphas; those of alpha k are at ``offsets[k]:offsets[k+1]``."""

    alphas: np.ndarray  # (A,) decreasing
    offsets: np.ndarray  # (A + 1,)
    rows: np.ndarray  # (nnz,) int32, row < column
    cols: np.ndarray  # (nnz,) int32
    positive: np.ndarray  # (nnz,) bool, sign of the partial correlation
    converged: np.ndarray  # (A,) bool
    held_out: np.ndarray  # (A,) log det Theta - tr(S Theta) on the blocks held out, nats; nan without any

    def signed(self, alpha: float, p: int) -> np.ndarray:
        """The edges at one alpha as numbers, increasing, that differ when the pair or the sign does, ``(E,)``."""
        index = int(np.argmin(np.abs(self.alphas - alpha)))
        part = slice(int(self.offsets[index]), int(self.offsets[index + 1]))
        return signed_pairs(self.rows[part], self.cols[part], self.positive[part], p)


def signed_pairs(rows: np.ndarray, cols: np.ndarray, positive: np.ndarray, p: int) -> np.ndarray:
    """Edges as numbers that differ when the pair or the sign does, ``(E,)`` int64, in the order given."""
    return np.asarray((rows.astype(np.int64) * p + cols) * 2 + positive)


def fit_samples(
    study: SampleProblem,
    samples: Sequence[Sample],
    folder: Path,
    problem: str,
    workers: int,
    advance: Callable[[float], None],
    team: Pool | None = None,
) -> list[SampleFit]:
    """The fit of every sample, in their order; finished ones of the same ``problem`` are taken from ``folder``.

    The others are fitted in ``workers`` processes; those of a ``team`` are kept afterwards. Where there is a cluster
    (:func:`glasso_cli.engine.tasks.current`), it fits them, whatever ``workers`` says. ``advance`` is called with 1 for every
    sample. Raises :class:`ServiceError` for a fit whose process is ended again and again, or that fails on the cluster.
    """

    def fit(work: Sequence[tuple[Sample, Path]]) -> Iterator[object]:
        with _engine(len(work), workers, team) as engine:
            for outcome in engine.run(_fit, study, work, n_threads=1):
                if outcome.error is not None:
                    raise _told(outcome.error, on_a_cluster=engine is current())
                yield outcome

    return finished_samples(samples, folder, problem, fit, advance)


def finished_samples(
    samples: Sequence[Sample],
    folder: Path,
    problem: str,
    fit: Callable[[list[tuple[Sample, Path]]], Iterable[object]],
    advance: Callable[[float], None],
) -> list[SampleFit]:
    """As :func:`fit_samples`; ``fit`` writes each of the missing samples to its file by :func:`save_sample`, one per item."""
    files = {sample: folder / f"sample-{_digest(sample, problem)}.npz" for sample in samples}
    done = {sample: read_piece(file, *_SAMPLE) for sample, file in files.items()}
    missing = [(sample, files[sample]) for sample, part in done.items() if part is None]
    for _ in range(len(samples) - len(missing)):
        advance(1)
    for _ in fit(missing):
        advance(1)
    parts = [done[sample] or written_piece(files[sample], *_SAMPLE) for sample in samples]
    return [SampleFit(**{name: np.array(value) for name, value in arrays.items()}) for arrays, _ in parts]


@contextmanager
def _engine(fits: int, workers: int, team: Pool | None) -> Iterator[Engine]:
    """What makes this many fits. A single one is made here."""
    cluster = current()
    if cluster is not None and fits > 1:
        yield cluster
    elif team is not None and min(fits, workers) > 1:
        team.resize(workers)
        yield team
    else:
        with Pool.of(min(fits, workers)) as pool:
            yield pool


def _told(error: BaseException, *, on_a_cluster: bool) -> BaseException:
    """The error of a fit, with what to do where it was made elsewhere."""
    if on_a_cluster and isinstance(error, CallFailed):
        where, advice = " on the cluster", "Run the same command without an engine to see where"
    elif isinstance(error, ProcessEnded):
        where, advice = "", "Set fit.workers: 1, or fit fewer neurons"
    else:
        return error
    return ServiceError(
        f"A fit to a half-sample or a fold failed {ATTEMPTS} times{where}: {in_words(error)}.",
        f"{advice}; what is finished is kept.",
    )


def save_sample(file: Path, points: Sequence[PathPoint], held_out: np.ndarray) -> None:
    """Write the points of one sample, and the log-likelihood of each ``(A,)`` on blocks that are held out."""
    write_piece(file, *_SAMPLE, _arrays(points, held_out), {})


def _digest(sample: Sample, problem: str) -> str:
    return key_of({"problem": problem, "sample": [sample.blocks, sample.alphas, sample.held_out]})[:16]


# -- one sample -------------------------------------------------------------------------------------


@cache
def _stats(path: Path, modified: int) -> ActivationStats:
    return ActivationStats.load(path)


def _blocks(study: SampleProblem) -> Blocks:
    stats = study.stats
    if isinstance(stats, Path):
        stats = _stats(stats, stats.stat().st_mtime_ns)
    blocks = Blocks.of(stats.counts, stats.sums, stats.moments, study.neurons)
    return blocks if study.factors is None else blocks.without(study.factors)


def _fit(study: SampleProblem, sample: Sample, file: Path) -> None:
    blocks = _blocks(study)
    correlation = blocks.correlation(sample.blocks)
    if study.start is not None:
        points = [fit_from(correlation, alpha, study.start, checked=True, **study.solving) for alpha in sample.alphas]
    else:
        points = fit_path(correlation, sample.alphas, checked=True, **study.solving)
    judged = np.full(len(points), np.nan)
    if sample.held_out:
        new = blocks.held_out(sample.blocks, sample.held_out)
        judged = np.array([log_likelihood(point, correlation, new) for point in points])
    save_sample(file, points, judged)


def log_likelihood(point: PathPoint, fitted: np.ndarray, new: np.ndarray) -> float:
    """log det Theta - tr(S Theta) on ``new (p, p)``, of a point that was fitted to the covariance ``fitted``."""
    apart = new - fitted
    trace = float(apart.diagonal() @ point.diagonal + 2 * apart[point.rows, point.cols] @ point.values)
    if point.factors.size:
        trace -= float(np.vdot(apart @ point.factors, point.factors))
    return point.log_likelihood - trace


def _arrays(points: Sequence[PathPoint], held_out: np.ndarray) -> dict[str, np.ndarray]:
    edges = stacked(points)
    return {
        "alphas": np.array([point.alpha for point in points]),
        "positive": edges.pop("values") < 0,
        **edges,
        "converged": np.array([point.converged for point in points], dtype=bool),
        "held_out": held_out,
    }
