"""Communities of neurons in two corpora: planted differences, and none where nothing differs."""

from __future__ import annotations

import numpy as np
import pytest
from support.planted_corpora import FIT, corpus, statistics, tokens_of

from glasso_cli.comparison.community_pairs import (
    CommunityDifferences,
    GroupEvidence,
    communities_of_both,
    community_differences,
    members_of,
)
from glasso_cli.comparison.estimates import BothEstimates, common_neurons, estimate_both
from glasso_cli.inference.held_precision import held_pairs

P, GROUP = 24, 6
COMMUNITIES = np.repeat(np.arange(P // GROUP), GROUP)


def blocks_of_strength(*strengths: float) -> np.ndarray:
    """A precision ``(P, P)`` with one partial correlation inside each group of ``GROUP`` neurons and none between."""
    precision = np.eye(P)
    for group, strength in enumerate(strengths):
        part = slice(group * GROUP, (group + 1) * GROUP)
        precision[part, part] -= strength * (1 - np.eye(GROUP))
    return precision


def estimates(first: np.ndarray, second: np.ndarray, seed: int = 0, factor: np.ndarray | None = None) -> BothEstimates:
    """Both corpora of 80 documents of 20 tokens, all values times ``factor (P,)``."""
    scale = np.ones(P) if factor is None else factor
    one, other = (
        corpus(name, statistics(tokens_of(precision, 80, 20, seed + k) * scale))
        for k, (name, precision) in enumerate({"a": first, "b": second}.items())
    )
    return estimate_both(one, other, common_neurons(one, other), FIT)


def compared(both: BothEstimates, communities: np.ndarray = COMMUNITIES) -> CommunityDifferences:
    none = np.zeros(0, np.int64)
    evidence = [
        GroupEvidence(corpus, corpus.side(), corpus.own(none, none, members_of(communities))[1])
        for corpus in (both.first, both.second)
    ]
    return community_differences(evidence[0], evidence[1], communities)


def test_a_community_that_depends_less_is_found_and_no_other() -> None:
    found = compared(estimates(blocks_of_strength(0.15, 0.15, 0.15, 0.1), blocks_of_strength(0.15, 0.02, 0.15, 0.1)))
    assert list(zip(found.first[found.q <= 0.01], found.second[found.q <= 0.01])) == [(1, 1)]
    place = int(np.argmin(found.p))
    np.testing.assert_allclose([d[place] for d in found.dependence], [0.15**2, 0.02**2], atol=0.006)
    assert found.pairs[place] == GROUP * (GROUP - 1) // 2
    assert found.pairs.sum() == P * (P - 1) // 2


def test_noise_is_taken_off_whatever_the_number_of_tokens() -> None:
    found = compared(estimates(np.eye(P), np.eye(P)))
    for dependence, error in zip(found.dependence, found.error):
        assert np.abs(dependence / error).max() < 5
        assert abs(dependence.mean()) < 2e-4


def test_signs_and_scales_of_neurons_change_nothing() -> None:
    rng = np.random.default_rng(0)
    factor = rng.choice([-1.0, 1.0], P) * rng.uniform(0.1, 10, P)
    strengths = blocks_of_strength(0.15, 0.1, 0.05, 0.0), blocks_of_strength(0.1, 0.1, 0.1, 0.1)
    one, other = compared(estimates(*strengths)), compared(estimates(*strengths, factor=factor))
    np.testing.assert_allclose(other.p, one.p, rtol=1e-3)


@pytest.mark.slow
def test_where_nothing_differs_p_values_are_not_too_small() -> None:
    precision = blocks_of_strength(0.15, 0.1, 0.05, 0.0)
    p = np.concatenate([compared(estimates(precision, precision, seed=10 * k)).p for k in range(40)])
    assert (p <= 0.05).mean() < 0.06
    assert (p <= 0.005).mean() < 0.01


def test_dependence_and_its_error_are_those_of_the_pairs_written_out() -> None:
    both = estimates(blocks_of_strength(0.15, 0.1, 0.05, 0.0), blocks_of_strength(0.15, 0.02, 0.15, 0.1))
    communities = np.resize([2, 0, 1, 1, 0, 2, -1], P)
    found = compared(both, communities)
    corpus = both.first
    z, noise = corpus.side().among(np.arange(P))
    every = np.triu_indices(P, 1)
    (pairs,) = held_pairs(corpus.blocks, corpus.estimate.theta, every)
    for place, (a, b) in enumerate(zip(found.first, found.second)):
        ends = np.sort(communities[np.stack(every)], axis=0)
        part = (ends[0] == a) & (ends[1] == b)
        assert part.sum() == found.pairs[place]
        ours = z[every][part]
        assert found.dependence[0][place] == pytest.approx((ours**2 - noise[every][part]).mean(), rel=1e-9)
        moved = [(2 * ours * pairs.slope[part] * error[part]).mean() for error, _ in pairs.moves()]
        weights = pairs.shares / (1 - pairs.shares)
        variance = float(weights @ (np.array(moved) - pairs.shares @ np.array(moved)) ** 2) / len(moved)
        error = np.sqrt(variance / (1 - P / corpus.n_effective))
        assert found.error[0][place] == pytest.approx(error, rel=1e-4)


def test_communities_are_of_all_edges_and_small_ones_are_none() -> None:
    rows, cols = np.array([0, 1, 2, 4, 5, 10, 20]), np.array([1, 2, 3, 5, 6, 11, 21])
    weights = np.linspace(0.1, 0.2, 7)
    found = communities_of_both(P, rows, cols, weights)
    assert sorted(np.flatnonzero(found >= 0).tolist()) == [0, 1, 2, 3, 4, 5, 6]
    assert len(set(found[:4].tolist())) == 1
    none = communities_of_both(P, np.zeros(0, int), np.zeros(0, int), np.zeros(0))
    assert (none == -1).all()
    assert len(compared(estimates(np.eye(P), np.eye(P)), none).p) == 0


def test_the_numbering_of_neurons_changes_no_community() -> None:
    rng = np.random.default_rng(0)
    rows, cols = np.triu_indices(P, 1)
    chosen = rng.choice(len(rows), 40, replace=False)
    rows, cols, weights = rows[chosen], cols[chosen], rng.uniform(0.1, 0.3, 40)
    order = rng.permutation(P)
    renamed = np.argsort(order)
    one = communities_of_both(P, rows, cols, weights)
    low, high = np.sort(np.stack([renamed[rows], renamed[cols]]), axis=0)
    assert (communities_of_both(P, low, high, weights)[renamed] == one).all()
