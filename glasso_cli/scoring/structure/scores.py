"""All scores of neurons that need no model: with errors over documents, sums over communities, and how stable they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from glasso_cli.artifacts import ActivationStats, PrecisionPath
from glasso_cli.config import FitSection
from glasso_cli.console import Advance
from glasso_cli.engine.shares import end_of_share
from glasso_cli.inference.blocks import Blocks
from glasso_cli.pipeline.units import Pieces, PieceUnit
from glasso_cli.scoring.structure.centrality import Edges, centrality
from glasso_cli.scoring.structure.communities import community_sums
from glasso_cli.scoring.structure.jackknife import jackknife_error
from glasso_cli.scoring.structure.left_out import LeftOut, blocks_of, without_blocks
from glasso_cli.scoring.structure.predictability import Predictability, adjusted, held_out
from glasso_cli.scoring.structure.refit import Refit
from glasso_cli.scoring.structure.stability import SUBSETS, Dropped, Stability, stability, subsets_of

_TOGETHER = 8  # subsets whose scores are one piece
Scored = Callable[[tuple[int, ...]], Mapping[str, np.ndarray]]  # some blocks to the scores (p,) by name


@dataclass(frozen=True, eq=False)
class Score:
    """One score of p neurons and c communities."""

    name: str
    values: np.ndarray  # (p,)
    errors: np.ndarray  # (p,) standard errors over documents
    communities: np.ndarray  # (c,) sums over the neurons of each
    community_errors: np.ndarray  # (c,)
    stability: float  # correlation-stability coefficient of the values; nan where it was not or cannot be measured
    rank_stability: float  # of the ranks


@dataclass(frozen=True, eq=False)
class StructureScores:
    """The scores of the neurons of a fit."""

    scores: tuple[Score, ...]
    stability: Stability | None  # the correlations behind the coefficients
    penalty: float  # of the ridge regressions of ``predictability``, on the scale of correlations

    def named(self, name: str) -> Score:
        """The score of that name; raises KeyError where it was not computed."""
        return next((score for score in self.scores if score.name == name), None) or _unknown(name)


def structure_scores(
    stats: ActivationStats,
    fit: PrecisionPath,
    section: FitSection,
    *,
    subsets: int = SUBSETS,
    seed: int = 0,
    pieces: Pieces | None = None,
    name: str = "",
) -> StructureScores:
    """Predictability and centrality of the neurons of ``fit``, a fit of ``stats`` as ``section`` says.

    Errors are jackknives over blocks of documents that hold which pairs are drawn and which neurons form a community.
    ``subsets`` of the documents are drawn for each level of the stability; 0 leaves it out. Their scores are kept in ``pieces``,
    from which an interrupted run goes on; ``name`` is that of the corpus. Raises :class:`InputError` for fewer than four blocks with tokens.
    """
    blocks, S = blocks_of(stats, fit)
    found = without_blocks(blocks, S, fit, stats.n_effective)
    edges = Edges(found.rows, found.cols, fit.communities, fit.layers, fit.orientation)
    predicted = held_out(blocks) if pieces is None else _predicted(blocks, pieces)
    parts = [_Part("predictability", predicted.explained, predicted.without, found.shares, 1.0)]
    parts += _explained(found, stats.n_effective)
    parts += _of_graph(found, edges)
    steadiness = None
    if subsets:
        refit = Refit(fit, section, edges, predicted.penalty)
        levels = subsets_of(blocks, stats.n_effective, subsets=subsets, seed=seed)

        def scored(part: tuple[int, ...]) -> Mapping[str, np.ndarray]:
            return refit.scores(blocks.correlation(part))

        whole = {part.name: part.whole for part in parts if part.name != "explained"}
        made = scored if pieces is None else _in_pieces(levels, scored, pieces, name)
        steadiness = stability(levels, whole, made)
    return StructureScores(
        tuple(part.scored(fit.communities, steadiness) for part in parts), steadiness, predicted.penalty
    )


def _predicted(blocks: Blocks, pieces: Pieces) -> Predictability:
    """The predictability, kept in ``pieces``."""

    def make() -> dict[str, np.ndarray]:
        made = held_out(blocks)
        return {"explained": made.explained, "without": made.without, "penalty": np.array(made.penalty)}

    found = pieces.once("predictability", make)
    return Predictability(found["explained"], found["without"], float(found["penalty"]))


def _in_pieces(levels: Sequence[Dropped], scored: Scored, pieces: Pieces, name: str) -> Scored:
    """``scored``, with the scores of all subsets in ``pieces``, which this process or others make.

    Raises :class:`ShareDone` where others make them too, and this one does not merge.
    """
    kept = list(dict.fromkeys(part for level in levels for part in level.kept))

    def make(some: Sequence[tuple[int, ...]], advance: Advance) -> dict[str, np.ndarray]:
        found = []
        for part in some:
            found.append(scored(part))
            advance(1)
        return {of: np.stack([scores[of] for scores in found]) for of in found[0]}

    units = [
        PieceUnit(
            f"subsets-{first:06d}",
            f"subsets {first + 1} to {first + len(some)}",
            len(some),
            partial(make, some),
        )
        for first in range(0, len(kept), _TOGETHER)
        for some in (kept[first : first + _TOGETHER],)
    ]
    pieces.make(units, f"structure {name}: subsets", "fits")
    end_of_share()
    found: dict[tuple[int, ...], Mapping[str, np.ndarray]] = {}
    for unit, first in zip(units, range(0, len(kept), _TOGETHER), strict=True):
        arrays = pieces.read(unit.file)
        for place, part in enumerate(kept[first : first + _TOGETHER]):
            found[part] = {of: values[place] for of, values in arrays.items()}
    return found.__getitem__


@dataclass(frozen=True, eq=False)
class _Part:
    """A score of all documents and without each block."""

    name: str
    whole: np.ndarray  # (p,)
    without: np.ndarray  # (B, p)
    shares: np.ndarray  # (B,)
    left: float

    def scored(self, communities: np.ndarray, steadiness: Stability | None) -> Score:
        whole, without = (community_sums(values, communities) for values in (self.whole, self.without))
        known = steadiness is not None and self.name != "explained"
        coefficients = [
            steadiness.coefficient(self.name, ranks=ranks) if known and steadiness else float("nan")
            for ranks in (False, True)
        ]
        return Score(
            self.name,
            self.whole,
            jackknife_error(self.whole, self.without, self.shares, self.left),
            whole,
            jackknife_error(whole, without, self.shares, self.left),
            *coefficients,
        )


def _explained(found: LeftOut, n_effective: float) -> list[_Part]:
    """R^2 in sample, less what chance explains; none where the inverse does not exist."""
    if found.explained is None or found.explained_without is None:
        return []
    p = len(found.explained)
    without = [
        adjusted(values, n_effective * (1 - share), p - 1)
        for values, share in zip(found.explained_without, found.shares.tolist())
    ]
    whole = adjusted(found.explained, n_effective, p - 1)
    return [_Part("explained", whole, np.stack(without), found.shares, found.left)]


def _of_graph(found: LeftOut, edges: Edges) -> list[_Part]:
    whole = centrality(edges, found.rho).by_name()
    without: Sequence[dict[str, np.ndarray]] = [centrality(edges, rho).by_name() for rho in found.rho_without]
    return [
        _Part(name, values, np.stack([other[name] for other in without]), found.shares, found.left)
        for name, values in whole.items()
    ]


def _unknown(name: str) -> Score:
    raise KeyError(name)
