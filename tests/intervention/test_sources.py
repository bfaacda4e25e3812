"""Which neurons are drawn, from which strata, and what they write."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from glasso_cli.errors import InputError
from glasso_cli.intervention.sources import Candidates, choose, communities_of, draw, strata, write_vectors


def candidates(p: int = 90, seed: int = 0) -> Candidates:
    """Thirty neurons that were not fitted, thirty without edges, and thirty with different degrees."""
    rng = np.random.default_rng(seed)
    return Candidates(
        ids=np.array([f"mlp[{index}]" for index in range(p)]),
        places=np.arange(p),
        mean=np.zeros(p),
        std=np.ones(p),
        orientation=np.ones(p, np.int8),
        degrees=np.concatenate([np.full(30, -1), np.zeros(30, int), rng.permutation(30) + 1]),
        write_norms=rng.random(p),
        disagreements=np.stack([np.arange(p) % 3 - 1, np.full(p, 0)], axis=1),
    )


def test_strata_are_of_degree_and_write_norm() -> None:
    own = candidates()
    by_degree = strata(own, ["degree"])
    assert np.unique(by_degree, return_counts=True)[1].tolist() == [30, 30, 10, 10, 10]
    assert (own.degrees[by_degree == 4].min()) > own.degrees[by_degree == 3].max()
    both = strata(own, ["degree", "write_norm"])
    for label in np.unique(both):
        assert len(np.unique(by_degree[both == label])) == 1
    assert len(np.unique(strata(own, []))) == 1


def test_strata_of_disagreement_are_of_both_kinds() -> None:
    own = candidates()
    counts = np.zeros((90, 2), int)
    counts[:30] = -1
    counts[30:60, 0] = np.arange(30) + 1
    counts[50:90, 1] = 7
    labels = strata(replace(own, disagreements=counts), ["disagreement"])
    for label in np.unique(labels):
        kinds = {tuple(np.sign(row)) for row in counts[labels == label].tolist()}
        assert len(kinds) == 1, "none, some, or not known, of each kind alone"
    assert len(np.unique(labels)) == 5  # not known; thirds of association alone, the last with both; influence alone
    drawn, weights = draw(labels, 10, seed=0)
    assert np.bincount(np.unique(labels, return_inverse=True)[1][drawn]).tolist() == [2] * 5
    assert weights.sum() == pytest.approx(90)


def test_a_draw_is_even_over_strata_and_weighs_what_it_stands_for() -> None:
    labels = np.repeat([0, 1, 2], [50, 30, 4])
    drawn, weights = draw(labels, 24, seed=1)
    assert np.bincount(labels[drawn]).tolist() == [10, 10, 4]
    assert sorted(set(drawn.tolist())) == drawn.tolist()
    assert weights.sum() == pytest.approx(84)
    np.testing.assert_allclose(weights[labels[drawn] == 2], 1)
    np.testing.assert_array_equal(draw(labels, 24, seed=1)[0], drawn)
    assert not np.array_equal(draw(labels, 24, seed=2)[0], drawn)
    assert draw(labels, 84, seed=0)[0].tolist() == list(range(84))


def test_weights_make_averages_over_all_neurons() -> None:
    rng = np.random.default_rng(0)
    labels, values = (
        np.repeat([0, 1, 2], [500, 300, 40]),
        rng.standard_normal(840) + np.repeat([0, 1, 5], [500, 300, 40]),
    )
    means = []
    for seed in range(200):
        drawn, weights = draw(labels, 60, seed)
        means.append((weights * values[drawn]).sum() / weights.sum())
    assert np.mean(means) == pytest.approx(values.mean(), abs=0.02)


def test_choices() -> None:
    own = candidates()
    assert len(choose(own, "all", [], 0)) == 90
    assert len(choose(own, 1000, [], 0)) == 90
    assert [source.name for source in choose(own, ("mlp[4]", "mlp[2]"), [], 0)] == ["mlp[2]", "mlp[4]"]
    with pytest.raises(InputError, match="There is no neuron"):
        choose(own, ("mlp[400]",), [], 0)


def test_communities_have_their_members_among_the_candidates() -> None:
    own = candidates()
    ids = np.array(["mlp[3]", "mlp[5]", "other[1]", "other[2]"])
    (found,) = communities_of(own, [0], ids, np.array([0, 0, 0, 1]))
    assert (found.name, found.members) == ("community 0", (3, 5))
    with pytest.raises(InputError, match="Community 1 of the fit has no neuron"):
        communities_of(own, [1], ids, np.array([0, 0, 0, 1]))


def test_what_a_neuron_writes_is_its_column() -> None:
    from transformers.pytorch_utils import Conv1D

    torch.manual_seed(0)
    linear: Any = nn.Linear(6, 4)
    conv: Any = Conv1D(4, 6)
    for module, expected in ((linear, linear.weight[:, [1, 5]].T), (conv, conv.weight[[1, 5]])):
        found = write_vectors(module, np.array([1, 5]))
        assert found is not None
        np.testing.assert_allclose(found, expected.detach(), atol=1e-6)
    assert write_vectors(nn.Tanh(), np.array([0])) is None
