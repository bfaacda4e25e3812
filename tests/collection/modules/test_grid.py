"""Autocorrelation on grids, against sums over all pairs, and what it makes of the number of samples."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from glasso_cli.collection.autocorrelation import autocorrelation
from glasso_cli.collection.batch import ActivationBatch
from glasso_cli.collection.modules.grid import GridAutocorrelation, offsets
from glasso_cli.inference.effective_n import tau


def a_batch(windows: int, size: int, width: int, seed: int, lengths: list[int] | None = None) -> ActivationBatch:
    generator = torch.Generator().manual_seed(seed)
    lengths = lengths or [size] * windows
    total = sum(lengths)
    return ActivationBatch(
        values=torch.randn(total, width, generator=generator),
        tokens=torch.zeros(total, dtype=torch.int64),
        rules=(torch.rand(total, generator=generator) < 0.2).long(),
        lengths=torch.tensor(lengths),
        documents=torch.arange(len(lengths)),
    )


def pairs_one_by_one(batch: ActivationBatch, grid: tuple[int, int], lags: np.ndarray) -> dict[str, np.ndarray]:
    width = batch.values.shape[1]
    pairs, ends, products = np.zeros(len(lags)), np.zeros((len(lags), width)), np.zeros((len(lags), width))
    values, kept = batch.values.double().numpy(), batch.kept.numpy()
    start = 0
    for length in batch.lengths.tolist():
        place = {divmod(i, grid[1]): start + i for i in range(length) if kept[start + i]}
        for index, (down, right) in enumerate(lags.tolist()):
            for (y, x), row in place.items():
                other = place.get((y + down, x + right))
                if other is not None:
                    pairs[index] += 1
                    ends[index] += values[row] + values[other]
                    products[index] += values[row] * values[other]
        start += length
    return {"lag_pairs": pairs, "lag_ends": ends, "lag_products": products}


@pytest.mark.parametrize(
    ("grid", "lags", "lengths"),
    [((4, 5), 32, None), ((6, 3), 2, None), ((1, 9), 4, [9, 7, 2]), ((1, 1), 3, None)],
)
def test_transforms_give_the_sums_over_pairs(grid: tuple[int, int], lags: int, lengths: list[int] | None) -> None:
    batch = a_batch(3, grid[0] * grid[1], 3, seed=1, lengths=lengths)
    sums = GridAutocorrelation(3, grid, lags)
    sums.update(batch, batch.values[batch.kept])
    found = sums.finish()
    for name, expected in pairs_one_by_one(batch, grid, offsets(*grid, lags)).items():
        np.testing.assert_allclose(found[name], expected, atol=1e-9, err_msg=name)


def test_sums_add_up_over_batches() -> None:
    parts = [a_batch(2, 12, 2, seed) for seed in (1, 2)]
    both = GridAutocorrelation(2, (3, 4), 3)
    each = [GridAutocorrelation(2, (3, 4), 3) for _ in parts]
    for part, sums in zip(parts, each):
        both.update(part, part.values[part.kept])
        sums.update(part, part.values[part.kept])
    for name, total in both.finish().items():
        np.testing.assert_allclose(total, sum(sums.finish()[name] for sums in each), atol=1e-9)


def test_each_pair_of_opposite_lags_counts_once_from_near_to_far() -> None:
    found = offsets(3, 3, 32)
    assert len(found) == (5 * 5 - 1) // 2
    assert {(-y, -x) for y, x in found.tolist()}.isdisjoint(map(tuple, found.tolist()))
    assert (np.diff((found**2).sum(axis=1)) >= 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("shared", [0.0, 0.7])
def test_the_number_of_independent_samples_is_that_of_the_correlations(shared: float) -> None:
    """Units that are independent of each other: their correlation varies as 1 over the effective number of samples.

    Within an image, values are smooth, and ``shared`` more of the variance belongs to the whole image.
    """
    rng = np.random.default_rng(0)
    side, images, draws = 6, 60, 400
    r = np.empty(draws)
    tau_of: list[float] = []
    for draw in range(draws):
        smooth = rng.standard_normal((2, images, side + 2, side + 2))
        fields = sum(smooth[:, :, y : y + side, x : x + side] for y in range(3) for x in range(3)) / 3
        fields = np.sqrt(1 - shared) * fields + np.sqrt(shared) * rng.standard_normal((2, images, 1, 1))
        values = fields.reshape(2, -1).T
        r[draw] = np.corrcoef(values.T)[0, 1]
        if draw < 40:
            tau_of.append(measured_tau(values - values.mean(0), images, side))
    assert np.mean(tau_of) == pytest.approx(len(values) * r.var(), rel=0.2)


def measured_tau(values: np.ndarray, images: int, side: int) -> float:
    count = len(values)
    batch = ActivationBatch(
        values=torch.tensor(values, dtype=torch.float32),
        tokens=torch.zeros(count, dtype=torch.int64),
        rules=torch.zeros(count, dtype=torch.int64),
        lengths=torch.full((images,), side * side),
        documents=torch.arange(images),
    )
    sums = GridAutocorrelation(2, (side, side), 32)
    sums.update(batch, batch.values)
    found = sums.finish()
    rho = autocorrelation(found["lag_pairs"], found["lag_ends"], found["lag_products"], np.zeros(2), values.var(0))
    weighted = rho * np.sqrt(found["lag_pairs"] / count)
    return float(tau(weighted[:1], weighted[1:])[0, 0])
