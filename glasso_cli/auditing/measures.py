"""What every score of pairs gets for one draw of sources and documents, and what half of the documents gets for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from glasso_cli.auditing.effects import Effects
from glasso_cli.auditing.ranking import Hits, Ranking, RowRankings, Weighted
from glasso_cli.auditing.resample import Draw, draws, halves
from glasso_cli.auditing.scores import CORRELATION, Score
from glasso_cli.auditing.truth import Truth

CEILING = "half against half"
MEASURES = ("precision", "by_source", "top", "signs", "slope", "gain")


@dataclass(frozen=True)
class Settings:
    """How scores are judged: ``top`` pairs for the precision, how many ``replicates`` and ``splits``, and the seed."""

    top: int
    replicates: int
    splits: int
    seed: int


@dataclass(frozen=True, eq=False)
class Question:
    """One truth, given the effects of all documents or of some: its true pairs over all sources, and source by source."""

    truth: Truth
    effects: np.ndarray
    true: np.ndarray
    of_rows: np.ndarray

    @classmethod
    def of(cls, truth: Truth, effects: np.ndarray, weights: np.ndarray) -> Question:
        """The true pairs where every source counts ``weights (S,)`` times."""
        return cls(truth, effects, truth.of(effects, weights), truth.of_rows(effects, weights))


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
class Case:
    """Effects of S sources in B blocks of documents, K truths of them, and the Q scores that are judged; scores are held.

    Numbers are in the order of :data:`MEASURES`. Rankings are made once.
    """

    effects: Effects
    truths: Sequence[Truth]
    scores: Sequence[Score]
    settings: Settings

    @property
    def sources(self) -> int:
        """S."""
        return int(self.effects.sums.shape[1])

    @property
    def blocks(self) -> int:
        """B."""
        return len(self.effects.counts)

    @property
    def once(self) -> Draw:
        """Every source and every block counts once."""
        return Draw(np.ones(self.sources, np.int64), np.ones(self.blocks, np.int64))

    @cached_property
    def drawn(self) -> list[Draw]:
        """The draws of all replicates."""
        return list(draws(self.sources, self.blocks, self.settings.replicates, self.settings.seed))

    @cached_property
    def _halves(self) -> list[np.ndarray]:
        return list(halves(self.blocks, self.settings.splits, self.settings.seed))

    @cached_property
    def _ranked(self) -> list[_Ranked]:
        return [_Ranked.of(score) for score in self.scores]

    def of_draw(self, draw: Draw) -> np.ndarray:
        """What every score gets for every truth, ``(K, Q, 6)``, for one draw of sources and blocks."""
        known: dict[tuple[str, str], np.ndarray] = {}
        counting = [item.ranking.counting(draw.sources) for item in self._ranked]
        names = [score.name for score in self.scores]
        found = np.full((len(self.truths), len(self.scores), len(MEASURES)), np.nan)
        for truth, of_truth in zip(self.truths, found):
            name = (truth.change, truth.statistic)
            if name not in known:
                known[name] = self.effects.of(*name, draw.blocks)
            question = Question.of(truth, known[name], draw.sources)
            for place, (item, ranking) in enumerate(zip(self._ranked, counting)):
                of_truth[place, :-1] = _measured(item, ranking, question, draw.sources, self.settings.top)
            if CORRELATION in names:
                of_truth[:, -1] = of_truth[:, 0] - of_truth[names.index(CORRELATION), 0]
        return found

    def replicates_of(self, split: int) -> range:
        """The numbers of the replicates that take this split for the ceiling: they take one split after the other."""
        return range(split, self.settings.replicates, self.settings.splits)

    def of_split(self, split: int) -> np.ndarray:
        """What the effects of a random half of the blocks get as a score for those of the rest, ``(1 + R, K, 6)``.

        First where every source counts once, then for the sources of each of the R replicates that take this split. There is
        no gain.
        """
        half = self._halves[split]
        weights = [self.once.sources, *(self.drawn[number].sources for number in self.replicates_of(split))]
        found = np.full((len(weights), len(self.truths), len(MEASURES)), np.nan)
        for name in dict.fromkeys((truth.change, truth.statistic) for truth in self.truths):
            item = _Ranked.of(Score(CEILING, "chance", self.effects.of(*name, half), sign_of=name[0]))
            other = self.effects.of(*name, ~half)
            asked = [place for place, truth in enumerate(self.truths) if (truth.change, truth.statistic) == name]
            for number, counted in enumerate(weights):
                ranking = item.ranking.counting(counted)
                for place in asked:
                    question = Question.of(self.truths[place], other, counted)
                    found[number, place, :-1] = _measured(item, ranking, question, counted, self.settings.top)
        return found


def _measured(item: _Ranked, ranking: Weighted, question: Question, weights: np.ndarray, top: int) -> list[float]:
    """All measures of one score for one truth but the gain."""
    hits = ranking.hits(question.true)
    return [
        float(hits.average_precision()[0]),
        _mean_of_rows(item.rows.hits(question.of_rows), weights),
        float(hits.precision_at(min(top, max(len(question.true), 1)))[0]),
        _right_signs(item.score, question, weights),
        _slope(item.score, question, weights),
    ]


def _mean_of_rows(hits: Hits, weights: np.ndarray) -> float:
    """The mean average precision of the sources that have a true pair."""
    each = hits.average_precision()
    there = np.isfinite(each) & (weights > 0)
    return float(np.average(each[there], weights=weights[there])) if there.any() else np.nan


def _right_signs(score: Score, question: Question, weights: np.ndarray) -> float:
    """The share of true pairs at which score and effect have one sign; a score of zero is right half of the time.

    An ablation has the same effect whatever sign a gated source has, and a correlation has not: they share no sign.
    """
    times = weights[question.true // score.values.shape[1]]
    if score.sign_of != question.truth.change or question.truth.statistic != "mean" or not times.sum():
        return np.nan
    product = np.sign(score.values.ravel()[question.true]) * np.sign(question.effects.ravel()[question.true])
    return float(np.average((1 + product) / 2, weights=times))


def _slope(score: Score, question: Question, weights: np.ndarray) -> float:
    """The least-squares slope through zero of the effects on a score in the same unit."""
    if score.unit != (question.truth.change, question.truth.statistic):
        return np.nan
    power = float((weights @ np.square(score.values)).sum())
    return float((weights @ (score.values * question.effects)).sum()) / power if power > 0 else np.nan
