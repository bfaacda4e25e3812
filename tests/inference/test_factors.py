from __future__ import annotations

import numpy as np
import pytest

from glasso_cli.errors import InputError
from glasso_cli.inference.factors import leading_factors


def correlation(p: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    draws = random.standard_normal((p, 4)) @ random.standard_normal((4, 300)) + random.standard_normal((p, 300))
    return np.asarray(np.corrcoef(draws))


@pytest.mark.parametrize(("p", "count"), [(5, 1), (30, 3), (200, 5), (5, 4)])
def test_the_leading_components_are_those_of_the_eigendecomposition(p: int, count: int) -> None:
    R = correlation(p)
    found = leading_factors(R, count)
    values, vectors = np.linalg.eigh(R)
    np.testing.assert_allclose(found.variances, values[::-1][:count], rtol=1e-5)
    overlap = np.abs((found.vectors * vectors[:, ::-1][:, :count]).sum(axis=0))
    np.testing.assert_allclose(overlap, 1, atol=1e-4)
    np.testing.assert_allclose(found.variance_explained, found.variances / p)


def test_the_share_is_what_is_missing_when_they_are_left_out() -> None:
    R = correlation(40)
    found = leading_factors(R, 3)
    rest = R - found.vectors * found.variances @ found.vectors.T
    off = ~np.eye(40, dtype=bool)
    assert found.share == pytest.approx(1 - (rest[off] ** 2).sum() / (R[off] ** 2).sum(), abs=1e-5)
    first = found.first(1, R)
    assert first.variances.tolist() == found.variances[:1].tolist()
    assert first.share == pytest.approx(leading_factors(R, 1).share, abs=1e-5)
    assert first.share < found.share


def test_equal_seeds_give_equal_bytes_and_the_largest_loading_is_positive() -> None:
    R = correlation(60)
    first, again = leading_factors(R, 2, seed=3), leading_factors(R, 2, seed=3)
    assert first.vectors.tobytes() == again.vectors.tobytes()
    assert (first.vectors[np.abs(first.vectors).argmax(axis=0), [0, 1]] > 0).all()
    np.testing.assert_allclose(first.vectors, leading_factors(R, 2, seed=4).vectors, atol=1e-3)
    assert abs(first.vectors[first.top_neurons(0, 1)[0], 0]) == np.abs(first.vectors[:, 0]).max()


def test_uncorrelated_neurons_have_no_share() -> None:
    assert leading_factors(np.eye(12), 2).share == 0


@pytest.mark.parametrize("count", [0, 5, 6])
def test_as_many_factors_as_neurons_cannot_be_taken_out(count: int) -> None:
    with pytest.raises(InputError, match="cannot be taken out of 5 neurons"):
        leading_factors(correlation(5), count)
