"""Documents that change sides: sums of blocks against tokens, what chance gives, and what was planted."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from support.planted import blocks_of, chain, documents, rows_of

from glasso_cli.comparison.permutation import (
    PermutationResult,
    PooledCorpora,
    check_permutations,
    permuted,
    pool,
    smallest_p,
)
from glasso_cli.console import PythonWarnings
from glasso_cli.errors import InputError
from glasso_cli.pipeline.units import Pieces

P = 12
PAIRS = np.triu_indices(P, 1)
NOWHERE = (np.zeros(P), np.zeros(P))


def permutation_tests(sides: PooledCorpora, count: int, seed: int) -> PermutationResult:
    """The tests of all pairs, with pieces in a folder that is deleted."""
    with TemporaryDirectory() as folder:
        pieces = Pieces(Path(folder), "permutations", 1, PythonWarnings())
        return permuted(sides, count, seed, pieces, "permutations").tests(*PAIRS)


def both(first: np.ndarray, second: np.ndarray, count: int = 8) -> PooledCorpora:
    return pool(blocks_of(first, count), blocks_of(second, count), NOWHERE, np.linalg.inv)


def test_a_group_of_blocks_is_what_its_tokens_say_whatever_the_centres() -> None:
    first, second = documents(chain(P), 24, 9, seed=1) * 3 + 2, documents(chain(P), 32, 7, seed=2) - 1
    centre = (np.linspace(-1, 1, P), np.linspace(2, 0, P))
    found = pool(
        blocks_of(first - centre[0], 8),
        blocks_of(second - centre[1], 8),
        centre,
        lambda S: np.linalg.inv(S + np.eye(P)),
    )
    group = np.zeros(16, dtype=bool)
    group[[0, 3, 9, 10, 15]] = True
    parts = [rows_of(first, [b], 8) for b in range(8)] + [rows_of(second, [b], 8) for b in range(8)]
    every = np.concatenate(parts)
    standard = [(part - every.mean(0)) / every.std(0) for part in parts]
    theta = np.linalg.inv(np.corrcoef(every.T) + np.eye(P))

    def partial(chosen: np.ndarray) -> np.ndarray:
        S = np.cov(np.concatenate([standard[b] for b in np.flatnonzero(chosen)]).T, bias=True)
        T = 2 * theta - theta @ S @ theta
        scale = np.sqrt(T.diagonal())
        return np.asarray(-T / np.outer(scale, scale))

    expected = partial(~group) - partial(group)
    np.testing.assert_allclose(found.difference(group)[PAIRS], expected[PAIRS], atol=2e-5)


@pytest.mark.slow
def test_what_chance_gives_is_not_called_different() -> None:
    whole = []
    for seed in range(20):
        tokens = documents(chain(P), 64, 10, ar=0.6, seed=seed)
        tokens *= np.sqrt(5 / np.random.default_rng(seed).chisquare(5, 64))[:, None, None]  # documents of any scale
        found = permutation_tests(both(tokens[:32], tokens[32:]), 49, seed)
        assert found.p.min() == pytest.approx(found.whole)
        whole.append(found.whole)
    assert 0.3 < np.mean(whole) < 0.7
    assert np.mean(np.array(whole) <= 0.1) <= 0.3


def test_a_planted_difference_is_found_and_the_rest_is_not() -> None:
    other = chain(P)
    other[3, 4] = other[4, 3] = -0.3
    found = permutation_tests(both(documents(chain(P), 160, 10, seed=1), documents(other, 160, 10, seed=2)), 99, 0)
    planted = (PAIRS[0] == 3) & (PAIRS[1] == 4)
    assert found.p[planted] == 0.01
    assert found.whole == 0.01
    assert np.count_nonzero(found.p[~planted] <= 0.05) <= 1


def test_the_seed_decides() -> None:
    tokens = documents(chain(P), 64, 10)
    sides = both(tokens[:32], tokens[32:])
    first, again, other = (permutation_tests(sides, 30, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.p, again.p)
    assert (first.p != other.p).any()


def test_the_smallest_p_is_that_of_the_divisions_there_are() -> None:
    assert smallest_p(16, 16, 199) == 1 / 200
    assert smallest_p(4, 4, 199) == 1 / 70
    check_permutations(16, 16, 19, 0.05)
    with pytest.raises(InputError, match=r"18 divisions of 16 \+ 16 blocks .* give no p-value below 0.053, and 0.05"):
        check_permutations(16, 16, 18, 0.05)
    with pytest.raises(InputError, match=r"4 \+ 4 blocks .* below 0.014"):
        check_permutations(4, 4, 1000, 0.01)
