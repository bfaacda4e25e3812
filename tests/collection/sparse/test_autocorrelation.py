"""Lagged sums of values that are mostly zero are those of all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.batches import random_batch

from glasso_cli.collection.autocorrelation import Autocorrelation
from glasso_cli.collection.batch import ActivationBatch
from glasso_cli.collection.sparse.active import active
from glasso_cli.collection.sparse.autocorrelation import SparseAutocorrelation

CENTRE = np.array([0.0, 0.25, 1.5])


def sparse(lengths: list[int], masked: float, seed: int) -> ActivationBatch:
    batch = random_batch(lengths, masked=masked, seed=seed)
    silent = torch.rand(batch.values.shape, generator=torch.Generator().manual_seed(seed)) < 0.6
    return replace(batch, values=batch.values.masked_fill(silent, 0.0))


@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(1, 12), st.floats(0, 1), st.integers(0, 3))
@settings(deadline=None, max_examples=60)
def test_sums_are_those_of_all_values(lengths: list[int], lags: int, masked: float, seed: int) -> None:
    batches = [sparse(lengths, masked, seed), sparse(lengths[:1], 0.2, seed + 1)]
    found, dense = SparseAutocorrelation(3, lags), Autocorrelation(3, lags)
    for batch in batches:
        kept = batch.values[batch.kept]
        found.update(batch, active(kept))
        dense.update(batch, kept.double() - torch.from_numpy(CENTRE))
    for name, values in dense.finish().items():
        np.testing.assert_allclose(found.finish(CENTRE)[name], values, rtol=1e-11, atol=1e-9, err_msg=name)


def test_windows_one_by_one_give_the_same_bytes() -> None:
    batch = sparse([30, 30, 30], 0.2, 1)
    together, alone = SparseAutocorrelation(3, 8), SparseAutocorrelation(3, 8)
    together.update(batch, active(batch.values[batch.kept]))
    for window in range(3):
        part = batch.windows(torch.arange(3) == window)
        alone.update(part, active(part.values[part.kept]))
    for name, values in together.finish(CENTRE).items():
        np.testing.assert_array_equal(alone.finish(CENTRE)[name], values, err_msg=name)


@pytest.mark.parametrize("length", [0, 1])
def test_one_token_has_no_pairs(length: int) -> None:
    sums = SparseAutocorrelation(3, 4)
    batch = sparse([1, 1][: length + 1], 0.0, 0)
    sums.update(batch, active(batch.values[batch.kept]))
    assert not any(values.any() for values in sums.finish(CENTRE).values())
