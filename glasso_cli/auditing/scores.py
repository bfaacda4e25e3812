"""Scores of pairs of a source and a target: what a graph, the weights or the influence say before anything is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal["chance", "association", "weights", "influence", "measured"]
RANDOM = "random"
CORRELATION = "correlation"


@dataclass(frozen=True, eq=False)
class Coefficients:
    """A linear prediction of the targets from neurons of earlier layers, all in standard deviations.

    ``predictors (k,)`` index into the statistics, and ``values (k, T)`` are standard deviations of a target for one of a
    predictor.
    """

    predictors: np.ndarray
    values: np.ndarray


@dataclass(frozen=True, eq=False)
class Score:
    """One number for every pair, ``values (S, T)``, ranked by size."""

    name: str
    kind: Kind
    values: np.ndarray
    sign_of: str = "step"  # the change whose mean effects have the sign of the score; empty for none
    unit: tuple[str, str] | None = None  # the change and the statistic of the effects in whose unit it is
    note: str = ""  # how it was made, and what it leaves out
    coefficients: Coefficients | None = None


@dataclass(frozen=True)
class LeftOut:
    """A score that could not be made, and why."""

    score: str
    reason: str


def random_score(sources: int, targets: int) -> Score:
    """A score that says nothing: all pairs are tied, so that every measure is what random order gives on average."""
    return Score(RANDOM, "chance", np.zeros((sources, targets)), sign_of="", note="exact mean over all orders")
