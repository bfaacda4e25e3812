"""Attributions against finite differences, ablation of everything, and linear networks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from support.scores import bench
from torch import Tensor

from glasso_cli.hooks import ablate
from glasso_cli.hooks.edit import Intervention
from glasso_cli.models.loaded import LoadedModel
from glasso_cli.scoring.curves import ablated_sums
from glasso_cli.scoring.gradients.attribution import attribute, midpoints
from glasso_cli.scoring.replaced import at_kept

Load = Callable[[str], LoadedModel]
pytestmark = pytest.mark.slow


def nothing(amount: float) -> None:
    pass


def step(share: float, mean: float) -> Callable[[Tensor], Tensor]:
    """A move of this share of the way to the mean."""
    return lambda current: current + share * (mean - current)


@pytest.mark.parametrize("family", ["gemma3", "gpt2"])
def test_plain_is_the_slope_of_a_small_step_towards_the_mean(loaded: Load, family: str) -> None:
    with bench(loaded(family), "mlp.0", "mlp.1") as tried:
        found = attribute(tried.scalar, tried.replacement, tried.rows, [0.0], nothing)
        size, neuron = 1e-2, int(np.argmax(np.abs(found.sums.sum(axis=0))))
        number = int(tried.neurons.point_of[neuron])
        place = neuron - tried.neurons.of_point(number).start
        mean = float(tried.neurons.mean[neuron])
        sums = {}
        for sign in (1, -1):
            total = np.zeros(len(found.documents))
            for row in tried.rows:
                moved = at_kept(row.kept, step(sign * size, mean))
                edit = Intervention(tried.neurons.points[number], moved, (place,))
                with torch.no_grad(), ablate(tried.feed.model, [edit]):
                    output = tried.scalar.run(row)
                total[np.searchsorted(found.documents, row.counted.documents)] += tried.scalar.sums(output, row)[0]
            sums[sign] = total
        expected = (sums[1] - sums[-1]) / (2 * size)
        np.testing.assert_allclose(found.sums[:, neuron], expected, rtol=0.02, atol=0.01 * np.abs(expected).max())
        assert np.all(found.absolute >= np.abs(found.sums) - 1e-6)


@pytest.mark.parametrize("family", ["gemma3", "llama"])
def test_integrated_adds_up_to_the_ablation_of_everything(loaded: Load, family: str) -> None:
    with bench(loaded(family), "mlp.0", "mlp.1", "mlp.2") as tried:
        found = attribute(tried.scalar, tried.replacement, tried.rows, midpoints(32), nothing)
        clean = ablated_sums(tried.scalar, tried.replacement, tried.rows, found.documents, [])
        everyone = range(len(tried.neurons.ids))
        change = ablated_sums(tried.scalar, tried.replacement, tried.rows, found.documents, everyone) - clean
        np.testing.assert_allclose(found.sums.sum(axis=1), change, atol=0.02 * np.abs(change).max())


def test_each_adds_up_to_the_ablation_of_one_hook_point(loaded: Load) -> None:
    with bench(loaded("gemma3"), "mlp.0", "mlp.1") as tried:
        found = attribute(tried.scalar, tried.replacement, tried.rows, midpoints(32), nothing, each=True)
        clean = ablated_sums(tried.scalar, tried.replacement, tried.rows, found.documents, [])
        for point in (0, 1):
            own = tried.neurons.of_point(point)
            neurons = range(own.start, own.stop)
            change = ablated_sums(tried.scalar, tried.replacement, tried.rows, found.documents, neurons) - clean
            np.testing.assert_allclose(found.sums[:, own].sum(axis=1), change, atol=0.02 * np.abs(change).max())


def test_the_integrated_form_begins_at_the_plain_one(loaded: Load) -> None:
    with bench(loaded("gpt2"), "mlp.0") as tried:
        plain = attribute(tried.scalar, tried.replacement, tried.rows, [0.0], nothing)
        near = attribute(tried.scalar, tried.replacement, tried.rows, [1e-6], nothing)
        np.testing.assert_allclose(near.sums, plain.sums, rtol=1e-2, atol=1e-4)


def test_tokens_are_those_with_a_next_one_that_the_masks_keep(loaded: Load) -> None:
    with bench(loaded("gemma3"), "mlp.0") as tried:
        found = attribute(tried.scalar, tried.replacement, tried.rows, [0.0], nothing)
        kept = sum(int(row.kept.sum()) for row in tried.rows)
        assert found.counts.sum() == kept - len(tried.feed.reading.windows)
