"""How well every score of pairs finds the true ones, with intervals over sources and documents, and the noise ceiling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glasso_cli.auditing.effects import Effects
from glasso_cli.auditing.measures import CEILING, MEASURES, Case, Question, Settings
from glasso_cli.auditing.replicates import Workplace, replicated
from glasso_cli.auditing.resample import Estimate
from glasso_cli.auditing.scores import Score
from glasso_cli.auditing.truth import Truth


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


def judge(
    effects: Effects,
    truths: Sequence[Truth],
    scores: Sequence[Score],
    settings: Settings,
    place: Workplace | None = None,
) -> list[Judged]:
    """Every score against every truth; the ceiling of each truth comes first.

    Scores are held: intervals are of which sources and documents were measured. With a ``place``, a cluster makes the
    replicates where there is one.
    """
    case = Case(effects, truths, scores, settings)
    once = case.once
    found, made = case.of_draw(once), replicated(case, place)
    rows = []
    for number, truth in enumerate(truths):
        question = Question.of(truth, effects.of(truth.change, truth.statistic), once.sources)
        shares = len(question.true) / question.effects.size, len(question.of_rows) / question.effects.size
        if len(made.splits):
            over_splits = np.array([values.mean() for values in np.ascontiguousarray(made.splits[:, number].T)])
            rows.append(_row(truth, CEILING, "ceiling", question, shares, over_splits, made.ceilings[:, number]))
        for column, score in enumerate(scores):
            own = found[number, column], made.draws[:, number, column]
            rows.append(_row(truth, score.name, score.kind, question, shares, *own))
    return rows


def _row(
    truth: Truth,
    score: str,
    kind: str,
    question: Question,
    shares: tuple[float, float],
    found: np.ndarray,
    replicates: np.ndarray,
) -> Judged:
    """The row of ``found (6,)`` with the intervals of ``replicates (R, 6)``."""

    def estimate(name: str, least: float = -np.inf, most: float = np.inf) -> Estimate:
        at = MEASURES.index(name)
        return Estimate.of(found[at], replicates[:, at], least, most)

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
