"""How well every score of pairs finds the true ones, with intervals over sources and documents, and the noise ceiling."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glasso_cli.auditing.effects import Effects
from glasso_cli.auditing.ranking import Hits, Ranking, RowRankings, Weighted
from glasso_cli.auditing.resample import Draw, Estimate, draws, halves
from glasso_cli.auditing.scores import CORRELATION, Score
from glasso_cli.auditing.truth import Truth

CEILING = "half against half"


@dataclass(frozen=True)
class Settings:
    """How scores are judged: ``top`` pairs for the precision, how many ``replicates`` and ``splits``, and the seed."""

    top: int
    replicates: int
    splits: int
    seed: int


@dataclass(frozen=True)
class Judged:
    """One score against one truth; every measure with its interval.

    ``gain`` is the average precision less that of the correlation. ``base`` and ``base_of_rows`` are the shares of true pairs,
    which a random score gets.
    """

    truth: Truth
    score: str
    kind: str
    true: int
    base: float
    base_of_rows: float
    precision: Estimate  # average precision over all pairs
    by_source: Estimate  # mean over sources of the average precision over their own pairs
    top: Estimate  # share of true pairs among the first ``top`` ones
    signs: Estimate  # share of right signs of the true pairs; nan where one of the two has no sign
    slope: Estimate  # of the effect on the score through zero; nan where the units differ
    gain: Estimate


@dataclass(frozen=True, eq=False)
class _Ranked:
    """A score with its rankings."""

    score: Score
    ranking: Ranking
    rows: RowRankings

    @classmethod
    def of(cls, score: Score) -> _Ranked:
        return cls(score, Ranking(score.values), RowRankings(score.values))


@dataclass(frozen=True, eq=False)
class _Question:
    """One truth, given the effects of all documents or of some: its true pairs over all sources, and source by source."""

    truth: Truth
    effects: np.ndarray
    true: np.ndarray
    of_rows: np.ndarray

    @classmethod
    def of(cls, truth: Truth, effects: np.ndarray, weights: np.ndarray) -> _Question:
        return cls(truth, effects, truth.of(effects, weights), truth.of_rows(effects, weights))


Measures = dict[str, float]


def judge(effects: Effects, truths: Sequence[Truth], scores: Sequence[Score], settings: Settings) -> list[Judged]:
    """Every score against every truth; the ceiling of each truth comes first.

    Scores are held: intervals are of which sources and documents were measured.
    """
    sources, blocks = effects.sums.shape[1], len(effects.counts)
    ranked = [_Ranked.of(score) for score in scores]
    once = Draw(np.ones(sources, np.int64), np.ones(blocks, np.int64))
    drawn = list(draws(sources, blocks, settings.replicates, settings.seed))
    found: dict[tuple[Truth, str], Measures] = _all_scores(effects, truths, ranked, once, settings.top)
    replicates: dict[tuple[Truth, str], list[Measures]] = defaultdict(list)
    if sources > 1 and blocks > 1:
        for draw in drawn:
            for key, measures in _all_scores(effects, truths, ranked, draw, settings.top).items():
                replicates[key].append(measures)
    ceilings = _ceilings(effects, truths, drawn, settings) if blocks > 1 else {}
    rows = []
    for truth in truths:
        question = _Question.of(truth, effects.of(truth.change, truth.statistic), once.sources)
        shares = len(question.true) / question.effects.size, len(question.of_rows) / question.effects.size
        if truth in ceilings:
            rows.append(_row(truth, CEILING, "ceiling", question, shares, *ceilings[truth]))
        for score in scores:
            key = (truth, score.name)
            rows.append(_row(truth, score.name, score.kind, question, shares, found[key], replicates[key]))
    return rows


def _all_scores(
    effects: Effects, truths: Sequence[Truth], ranked: Sequence[_Ranked], draw: Draw, top: int
) -> dict[tuple[Truth, str], Measures]:
    """What every score gets for every truth, for one draw of sources and blocks."""
    known: dict[tuple[str, str], np.ndarray] = {}
    counting = [item.ranking.counting(draw.sources) for item in ranked]
    found = {}
    for truth in truths:
        name = (truth.change, truth.statistic)
        if name not in known:
            known[name] = effects.of(*name, draw.blocks)
        question = _Question.of(truth, known[name], draw.sources)
        of_truth = {
            item.score.name: _measured(item, ranking, question, draw.sources, top)
            for item, ranking in zip(ranked, counting)
        }
        reference = of_truth.get(CORRELATION, {}).get("precision", np.nan)
        for score, measures in of_truth.items():
            found[truth, score] = {**measures, "gain": measures["precision"] - reference}
    return found


def _measured(item: _Ranked, ranking: Weighted, question: _Question, weights: np.ndarray, top: int) -> Measures:
    """The measures of one score for one truth."""
    hits = ranking.hits(question.true)
    return {
        "precision": float(hits.average_precision()[0]),
        "by_source": _mean_of_rows(item.rows.hits(question.of_rows), weights),
        "top": float(hits.precision_at(min(top, max(len(question.true), 1)))[0]),
        "signs": _right_signs(item.score, question, weights),
        "slope": _slope(item.score, question, weights),
    }


def _mean_of_rows(hits: Hits, weights: np.ndarray) -> float:
    """The mean average precision of the sources that have a true pair."""
    each = hits.average_precision()
    there = np.isfinite(each) & (weights > 0)
    return float(np.average(each[there], weights=weights[there])) if there.any() else np.nan


def _right_signs(score: Score, question: _Question, weights: np.ndarray) -> float:
    """The share of true pairs at which score and effect have one sign; a score of zero is right half of the time.

    An ablation has the same effect whatever sign a gated source has, and a correlation has not: they share no sign.
    """
    times = weights[question.true // score.values.shape[1]]
    if score.sign_of != question.truth.change or question.truth.statistic != "mean" or not times.sum():
        return np.nan
    product = np.sign(score.values.ravel()[question.true]) * np.sign(question.effects.ravel()[question.true])
    return float(np.average((1 + product) / 2, weights=times))


def _slope(score: Score, question: _Question, weights: np.ndarray) -> float:
    """The least-squares slope through zero of the effects on a score in the same unit."""
    if score.unit != (question.truth.change, question.truth.statistic):
        return np.nan
    power = float((weights @ np.square(score.values)).sum())
    return float((weights @ (score.values * question.effects)).sum()) / power if power > 0 else np.nan


# -- the ceiling ----------------------------------------------------------------------------------------


def _ceilings(
    effects: Effects, truths: Sequence[Truth], drawn: Sequence[Draw], settings: Settings
) -> dict[Truth, tuple[Measures, list[Measures]]]:
    """What the effects of a random half of the blocks get as a score for those of the rest: the mean over several splits.

    Replicates draw sources, and take one split after the other.
    """
    once = np.ones(effects.sums.shape[1], np.int64)
    every: dict[Truth, list[Measures]] = defaultdict(list)
    replicates: dict[Truth, dict[int, Measures]] = defaultdict(dict)
    for split, half in enumerate(halves(len(effects.counts), settings.splits, settings.seed)):
        own = range(split, len(drawn), settings.splits)  # the replicates that take this split
        for name in dict.fromkeys((truth.change, truth.statistic) for truth in truths):
            item = _Ranked.of(Score(CEILING, "chance", effects.of(*name, half), sign_of=name[0]))
            other = effects.of(*name, ~half)
            asked = [truth for truth in truths if (truth.change, truth.statistic) == name]
            for number, weights in ((None, once), *((number, drawn[number].sources) for number in own)):
                ranking = item.ranking.counting(weights)
                for truth in asked:
                    question = _Question.of(truth, other, weights)
                    measures = {**_measured(item, ranking, question, weights, settings.top), "gain": np.nan}
                    if number is None:
                        every[truth].append(measures)
                    else:
                        replicates[truth][number] = measures
    return {
        truth: (
            {name: float(np.mean([measures[name] for measures in found])) for name in found[0]},
            [replicates[truth][number] for number in range(len(drawn))],
        )
        for truth, found in every.items()
    }


def _row(
    truth: Truth,
    score: str,
    kind: str,
    question: _Question,
    shares: tuple[float, float],
    found: Measures,
    replicates: Sequence[Measures],
) -> Judged:
    def estimate(name: str, least: float = -np.inf, most: float = np.inf) -> Estimate:
        return Estimate.of(found[name], np.array([measures[name] for measures in replicates]), least, most)

    return Judged(
        truth=truth,
        score=score,
        kind=kind,
        true=len(question.true),
        base=shares[0],
        base_of_rows=shares[1],
        precision=estimate("precision", 0, 1),
        by_source=estimate("by_source", 0, 1),
        top=estimate("top", 0, 1),
        signs=estimate("signs", 0, 1),
        slope=estimate("slope"),
        gain=estimate("gain"),
    )
