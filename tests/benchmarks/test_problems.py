"""The generators have the structure that they promise, and their correlations are correlations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from problems import GENERATORS, alphas_for, correlation, from_file, layers_for
from scipy.sparse.csgraph import connected_components

from glasso_cli.solvers import fit_path

P = 60


def precision(name: str) -> np.ndarray:
    return np.asarray(GENERATORS[name](P, np.random.default_rng(0)).toarray())


def degrees(name: str) -> np.ndarray:
    return np.asarray(np.count_nonzero(precision(name), axis=0) - 1)


@pytest.mark.parametrize("name", GENERATORS)
def test_a_generator_gives_a_symmetric_positive_definite_matrix(name: str) -> None:
    Theta = precision(name)
    assert (Theta == Theta.T).all()
    assert np.linalg.eigvalsh(Theta)[0] > 0.15


@pytest.mark.parametrize("name", GENERATORS)
def test_a_correlation_is_one_and_the_same_every_time(name: str) -> None:
    S = correlation(name, P)
    assert (S == S.T).all()
    assert (S.diagonal() == 1).all()
    assert np.linalg.eigvalsh(S)[0] > 0
    np.testing.assert_array_equal(S, correlation(name, P))


def test_structures() -> None:
    assert sorted(set(degrees("hub"))) == [1, 19]
    assert set(degrees("band")) == {2, 3, 4}
    assert set(degrees("chain")) == {1, 2}
    assert not precision("cluster")[:20, 20:].any()
    assert 3 < degrees("cluster").mean() < 9
    assert 2 < degrees("random").mean() < 3.1
    assert 4 < degrees("sparse").mean() < 5.1


def test_scale_free_is_a_tree_with_hubs() -> None:
    Theta = precision("scale-free")
    assert np.count_nonzero(np.triu(Theta, 1)) == P - 1
    assert connected_components(Theta)[0] == 1
    assert degrees("scale-free").max() >= 6


def test_factors_make_neurons_like_each_other() -> None:
    plain, factors = (np.abs(correlation(name, P)).mean() for name in ("sparse", "neuron-like"))
    assert factors > 2 * plain


def test_one_factor_makes_all_neurons_alike() -> None:
    others = correlation("one-factor", P)[np.triu_indices(P, 1)]
    assert others.mean() == pytest.approx(1.5**2 / (1 + 1.5**2), abs=0.05)
    assert others.min() > 0.5


def test_a_generator_is_its_inverse_covariance() -> None:
    """Many more samples than neurons: the largest entries of the inverse are the edges."""
    S, Theta = correlation("chain", 100), GENERATORS["chain"](100, np.random.default_rng(0)).toarray()
    found = np.abs(np.linalg.inv(S))
    edges = Theta != 0
    assert found[edges].min() > found[~edges].max()


def test_alphas_give_the_degrees() -> None:
    S = correlation("sparse", P)
    few, many = alphas_for(S, [3.0, 10.0])
    assert 0 < many < few < 1


@pytest.mark.slow
def test_alphas_of_many_neurons_give_about_the_degree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Out of fits of a fourth and of an eighth of them."""
    S = correlation("neuron-like", 800)
    monkeypatch.setattr("problems.SEARCHED", 400)
    (alpha,) = alphas_for(S, [8.0])
    assert 5.5 < fit_path(S, [alpha], tol=1e-4)[0].mean_degree < 11


@pytest.mark.parametrize(("p", "layers"), [(2048, [9]), (8192, [9, 10, 11, 12]), (16_384, list(range(5, 13)))])
def test_layers_of_the_model(p: int, layers: list[int]) -> None:
    assert list(layers_for(p)) == layers


def test_files_whole_and_packed(tmp_path: Path) -> None:
    S = correlation("band", 12)
    np.save(tmp_path / "whole.npy", S)
    np.savez(tmp_path / "packed.npz", S=S[np.triu_indices(12, 1)])
    for file in ("whole.npy", "packed.npz"):
        np.testing.assert_array_equal(from_file(tmp_path / file, 10).S, S[:10, :10])
    with pytest.raises(SystemExit, match="has 12 neurons, not 13"):
        from_file(tmp_path / "whole.npy", 13)
