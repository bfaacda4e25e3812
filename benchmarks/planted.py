"""Planted sparse graphs, and documents of tokens that depend on each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

DEGREE = 4
PAIRED = 0.8  # correlation of a planted pair
FIRING = (0.005, 0.1)  # shares of the tokens at which the rarest and the commonest of sparse neurons are not zero


@dataclass(frozen=True)
class Scenario:
    """How tokens of one document depend on each other."""

    title: str
    ar: float = 0.0  # AR(1) coefficient of every neuron
    heavy: bool = False  # a scale of its own per document
    factors: int = 0  # directions that move all neurons
    sparse: bool = False  # neurons are zero at most tokens; the graph is one of pairs
    length: int = 40  # tokens of a document


SCENARIOS = {
    "independent": Scenario("independent tokens"),
    "ar": Scenario("AR(1) 0.7", ar=0.7),
    "heavy": Scenario("AR(1) 0.7, heavy tails", ar=0.7, heavy=True),
    "factors": Scenario("AR(1) 0.7, two factors", ar=0.7, factors=2),
    "sparse": Scenario("independent tokens, mostly zero", sparse=True),
    "sparse-ar": Scenario("AR(1) 0.7, mostly zero", ar=0.7, sparse=True),
}


@dataclass(frozen=True, eq=False)
class Truth:
    """A planted graph of p neurons and a factor of its covariance."""

    edges: np.ndarray  # (p, p) bool, symmetric
    root: np.ndarray  # (p, p), root root' is a correlation matrix


def planted(p: int, seed: int) -> Truth:
    """Random edges of mean degree ``DEGREE``."""
    return truth_of(planted_precision(p, seed))


def planted_pairs(p: int) -> Truth:
    """Neurons 0 and 1, 2 and 3, … up to p / 2 depend on each other, and no others do: also after any function of each neuron.

    The correlation of a pair is 0.8 before that.
    """
    pair = np.array([[1.0, PAIRED], [PAIRED, 1.0]])
    precision = np.eye(p)
    for first in range(0, p // 2 - 1, 2):
        precision[first : first + 2, first : first + 2] = np.linalg.inv(pair)
    return truth_of(precision)


def planted_precision(p: int, seed: int) -> np.ndarray:
    """A precision matrix ``(p, p)`` of mean degree ``DEGREE``, its entries 0.2 to 0.4 in size."""
    random = np.random.default_rng([seed, 1])
    upper = np.triu(random.random((p, p)) < DEGREE / (p - 1), 1)
    size = random.uniform(0.2, 0.4, (p, p)) * random.choice([-1, 1], (p, p))
    precision = np.where(upper, size, 0.0)
    precision += precision.T
    np.fill_diagonal(precision, np.maximum(np.abs(precision).sum(axis=1) * 1.1, 1.0))
    return precision


def planted_small(p: int, seed: int, delta: float) -> Truth:
    """A partial correlation for **every** pair, half to one and a half times ``delta`` in size, and the edges of ``planted``.

    An edge of the truth is a pair above ``delta``. The small ones are u_i u_j with random signs of u, so that the precision
    matrix is positive definite for any p.
    """
    random = np.random.default_rng([seed, 3])
    u = np.sqrt(delta * random.uniform(0.5, 1.5, p)) * random.choice([-1, 1], p)
    precision = planted_precision(p, seed)
    scale = np.sqrt(precision.diagonal())
    precision = precision / np.multiply.outer(scale, scale) + np.multiply.outer(u, u)
    return truth_of(precision, delta)


def truth_of(precision: np.ndarray, delta: float = 0.0) -> Truth:
    """The pairs with a partial correlation above ``delta``, and a factor of the correlation matrix."""
    covariance = np.linalg.inv(precision)
    scale = 1 / np.sqrt(covariance.diagonal())
    diagonal = np.sqrt(precision.diagonal())
    edges = np.abs(precision) > delta * np.multiply.outer(diagonal, diagonal)
    np.fill_diagonal(edges, False)
    return Truth(edges, np.linalg.cholesky(covariance * np.outer(scale, scale)))


def documents(truth: Truth, scenario: Scenario, count: int, seed: int) -> np.ndarray:
    """``count`` documents ``(count, length, p)`` float64."""
    random = np.random.default_rng([seed, 2])
    p = len(truth.root)
    tokens = _series(random, scenario, count, p) @ truth.root.T
    if scenario.factors:
        loadings = random.standard_normal((scenario.factors, p)) / np.sqrt(scenario.factors)
        tokens += _series(random, scenario, count, scenario.factors) @ loadings
    if scenario.heavy:
        tokens *= np.sqrt(5 / random.chisquare(5, count))[:, None, None]
    if scenario.sparse:  # what is above a threshold; both neurons of a pair have nearly the same one
        rates = np.geomspace(*FIRING, p)[random.permutation(p // 2).repeat(2) * 2 + np.arange(p) % 2]
        tokens = np.maximum(tokens + ndtri(rates), 0.0)
    return np.asarray(tokens)


def _series(random: np.random.Generator, scenario: Scenario, count: int, width: int) -> np.ndarray:
    """Independent stationary series of unit variance, ``(count, length, width)``."""
    steps = random.standard_normal((count, scenario.length, width))
    for t in range(1, scenario.length):
        steps[:, t] = scenario.ar * steps[:, t - 1] + np.sqrt(1 - scenario.ar**2) * steps[:, t]
    return steps
