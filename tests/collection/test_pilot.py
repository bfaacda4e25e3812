"""The pilot sample and what it decides."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.batches import kept_values, random_batch

from glasso_cli.collection import pilot
from glasso_cli.collection.batch import ActivationBatch
from glasso_cli.corpora.windows import Window


def some_windows(count: int = 50) -> list[Window]:
    lengths = np.random.default_rng(0).integers(2, 30, count)
    return [Window(index, np.arange(length, dtype=np.int32)) for index, length in enumerate(lengths)]


@pytest.mark.parametrize("tokens", [1, 100, 300])
def test_the_sample_is_just_large_enough(tokens: int) -> None:
    sample = pilot.sample_windows(some_windows(), tokens, seed=1)
    lengths = [len(window.ids) for window in sample]
    assert sum(lengths) >= tokens > sum(lengths[:-1])
    assert len({window.document for window in sample}) == len(sample)


def test_the_sample_is_random_by_seed_alone() -> None:
    def documents(seed: int) -> list[int]:
        return [window.document for window in pilot.sample_windows(some_windows(), 200, seed)]

    assert documents(1) == documents(1)
    assert documents(1) != documents(2)
    assert documents(1) != sorted(documents(1))


def test_a_small_corpus_is_its_own_sample() -> None:
    windows = some_windows(5)
    sample = pilot.sample_windows(windows, 10_000, seed=0)
    assert sorted(window.document for window in sample) == [0, 1, 2, 3, 4]


def test_the_pilot_centres_on_kept_tokens() -> None:
    batch = random_batch([200, 40], p=300)
    measured = pilot.measure_sample(batch, "none")
    values = kept_values([batch])
    np.testing.assert_allclose(measured.mean, values.mean(axis=0), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(measured.std, values.std(axis=0), rtol=1e-6)
    np.testing.assert_array_equal(measured.centre(), measured.mean.double())
    centred = measured.centred(batch.values[batch.kept])
    np.testing.assert_allclose(centred.double().mean(dim=0), 0, atol=1e-6)


def test_normal_scores_are_their_own_centre() -> None:
    batch = random_batch([200, 40])
    measured = pilot.measure_sample(batch, "normal_scores")
    assert measured.transform is not None
    assert torch.equal(measured.centred(batch.values), measured.transform(batch.values))
    assert not measured.centre().any()


@pytest.mark.parametrize("asleep", [0.0, 1e-30, 5.0])
def test_a_neuron_asleep_in_the_sample_may_wake_up(asleep: float) -> None:
    """Its scale must keep the fourth power of a later value in the range of float32."""
    batch = random_batch([200, 40])
    batch.values[:, 0] = asleep
    batch.values[5, 0] *= 1.0000001
    measured = pilot.measure_sample(batch, "none")
    assert ((torch.tensor(50.0) - measured.mean[0]) / measured.std[0]).pow(4).isfinite()
    assert measured.std.min() > 0


def test_a_sample_without_any_variance_has_unit_scale() -> None:
    batch = random_batch([5])
    batch.values[:] = 2.0
    assert pilot.measure_sample(batch, "none").std.tolist() == [1.0, 1.0, 1.0]


def test_the_neurons_of_highest_variance_in_their_order() -> None:
    batch = random_batch([500], p=5)
    scaled = batch.values * torch.tensor([1.0, 9.0, 0.0, 3.0, 9.0])
    batch = ActivationBatch(scaled, batch.tokens, batch.rules, batch.lengths, batch.documents)
    assert pilot.highest_variance(batch, 3).tolist() == [1, 3, 4]
    assert pilot.highest_variance(batch, 99).tolist() == [0, 1, 2, 3, 4]
