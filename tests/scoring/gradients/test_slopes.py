"""Slopes against pushes of single neurons, with the neurons of later hook points free and held at their clean values."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from support.scores import Bench, bench
from torch import Tensor

from glasso_cli.hooks import ablate, record
from glasso_cli.hooks.edit import Intervention
from glasso_cli.models.loaded import LoadedModel
from glasso_cli.scoring.gradients.slopes import SlopeSums, measure_slopes
from glasso_cli.scoring.replaced import at_kept

Load = Callable[[str], LoadedModel]
STEP = 1e-2


def nothing(amount: float) -> None:
    pass


def moved(by: float) -> Callable[[Tensor], Tensor]:
    return lambda current: current + by


def fixed(values: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda current: values


def pushed(tried: Bench, documents: np.ndarray, neuron: int, held: Sequence[int]) -> np.ndarray:
    """Central differences of the scalar by one neuron at all kept tokens, by document; points ``held`` keep their clean values there."""
    number = int(tried.neurons.point_of[neuron])
    point, place = tried.neurons.points[number], neuron - tried.neurons.of_point(number).start
    total = np.zeros(len(documents))
    for row in tried.rows:
        at = np.searchsorted(documents, row.counted.documents)
        later = [tried.neurons.points[other] for other in held]
        with torch.no_grad(), record(tried.feed.model, later) as recorder:
            clean = recorder.read(tried.feed.call(row.batch, 1, True), tried.feed.shaped(row.batch, 1)) if later else []
        hold = [Intervention(other, at_kept(row.kept, fixed(values))) for other, values in zip(later, clean)]
        for sign in (1, -1):
            push = Intervention(point, at_kept(row.kept, moved(sign * STEP)), (place,))
            with torch.no_grad(), ablate(tried.feed.model, [push, *hold]):
                output = tried.scalar.run(row)
            total[at] += sign * tried.scalar.sums(output, row)[0] / (2 * STEP)
    return total


@pytest.mark.slow
@pytest.mark.parametrize("family", ["gemma3", "gpt2"])
def test_they_are_those_of_small_pushes(loaded: Load, family: str) -> None:
    with bench(loaded(family), "mlp.0", "mlp.1", "mlp.2") as tried:
        found = measure_slopes(tried.scalar, tried.neurons, tried.rows, [0, 1, 2], nothing)
        for number, later in ((0, [1, 2]), (1, [2])):
            own = tried.neurons.of_point(number)
            neuron = own.start + int(np.argmax(np.abs(found.whole[:, own].sum(axis=0))))
            for sums, held in ((found.whole, []), (found.direct, later)):
                expected = pushed(tried, found.documents, neuron, held)
                np.testing.assert_allclose(sums[:, neuron], expected, rtol=0.05, atol=0.02 * np.abs(expected).max())
            assert np.abs(found.direct[:, neuron] - found.whole[:, neuron]).max() > 0
        last = tried.neurons.of_point(2)
        np.testing.assert_allclose(found.direct[:, last], found.whole[:, last], atol=1e-6)


@pytest.mark.slow
def test_only_what_is_named_is_held(loaded: Load) -> None:
    with bench(loaded("gemma3"), "mlp.0", "mlp.1", "mlp.2") as tried:
        free = measure_slopes(tried.scalar, tried.neurons, tried.rows, [], nothing)
        np.testing.assert_allclose(free.direct, free.whole, atol=1e-6)
        found = measure_slopes(tried.scalar, tried.neurons, tried.rows, [2], nothing)
        neuron = int(np.argmax(np.abs(found.whole[:, tried.neurons.of_point(0)].sum(axis=0))))
        expected = pushed(tried, found.documents, neuron, [2])
        np.testing.assert_allclose(found.direct[:, neuron], expected, rtol=0.05, atol=0.02 * np.abs(expected).max())


def test_blocks_are_of_whole_documents() -> None:
    random = np.random.default_rng(0)
    documents, counts = np.array([0, 1, 2, 5, 9, 12]), np.array([4, 6, 5, 0, 7, 3])
    whole, direct = random.standard_normal((2, 6, 3)) * counts[:, None]
    found = SlopeSums(documents, counts, whole, direct).arrays(4)
    np.testing.assert_allclose(found["direct_slopes"], direct.sum(axis=0) / 25)
    apart = found["direct_block_deviations"]
    assert apart.shape == (3, 4)
    assert not apart[:, 3].any()  # no document
    # Weights of the jackknife: block 1 has the documents 1, 5 and 9.
    share = 13 / 25
    mean = direct[[1, 3, 4]].sum(axis=0) / 13 - found["direct_slopes"]
    np.testing.assert_allclose(apart[:, 1], np.sqrt(share / (1 - share) / 3) * mean, rtol=1e-5)
    assert np.isnan(SlopeSums(documents, counts, whole, direct).arrays(1)["direct_block_deviations"]).all()
