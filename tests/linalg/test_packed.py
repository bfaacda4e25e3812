"""Packed upper triangles as matrices, against the same in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from glasso_cli.linalg import moments
from glasso_cli.linalg.packed import centred_upper, sum_of_blocks, symmetric_of, to_correlation, upper_without

WIDTH = 70
RANDOM = np.random.default_rng(0)
VALUES = RANDOM.standard_normal((3, 200, WIDTH)) + 0.5
PACKED = np.stack([moments.pack_upper(part.T @ part) for part in VALUES]).astype(np.float32)


def test_a_sum_takes_blocks_in_order_and_as_often_as_they_are_named() -> None:
    chosen = np.array([0, 2, 2])
    expected = moments.sum_packed((PACKED[k] for k in chosen), WIDTH)
    assert sum_of_blocks(PACKED, chosen).tobytes() == expected.tobytes()


@pytest.mark.parametrize("rows", [np.arange(WIDTH), np.arange(1, WIDTH, 3), RANDOM.permutation(WIDTH)[:31]])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_entries_between_chosen_rows_less_what_their_means_make(rows: np.ndarray, dtype: type[np.floating]) -> None:
    left, right, apart = RANDOM.standard_normal((3, len(rows)))
    matrix = moments.unpack_upper(PACKED[1], WIDTH)[np.ix_(rows, rows)]
    expected = np.triu(matrix / 200 - np.outer(left, right) - np.outer(right, apart)).astype(dtype)
    out = np.full((len(rows), len(rows)), 7, dtype)
    centred_upper(PACKED[1], rows, 200, left, right, apart, out)
    np.testing.assert_array_equal(np.triu(out), expected)
    assert (out[np.tril_indices(len(rows), -1)] == 7).all()
    symmetric_of(PACKED[1], rows, 200, left, right, apart, out)
    np.testing.assert_array_equal(out, expected + np.triu(expected, 1).T)


@pytest.mark.parametrize("rows", [np.arange(WIDTH), np.arange(1, WIDTH, 3), RANDOM.permutation(WIDTH)[:31]])
@pytest.mark.parametrize("left_out", [[1], [0, 2]])
def test_the_covariance_without_some_blocks_in_any_order_of_the_rows(rows: np.ndarray, left_out: list[int]) -> None:
    total, mean = sum_of_blocks(PACKED, np.arange(3)), RANDOM.standard_normal(len(rows))
    kept = total.copy()
    for block in left_out:
        kept -= PACKED[block]
    expected = moments.unpack_upper(kept, WIDTH)[np.ix_(rows, rows)] / 200 - np.outer(mean, mean)
    out = np.full((len(rows), len(rows)), 7.0)
    upper_without(PACKED, np.array(left_out), total, rows, 200, mean, out)
    np.testing.assert_array_equal(np.triu(out), np.triu(expected))
    assert (out[np.tril_indices(len(rows), -1)] == 7).all()


def test_a_correlation_has_the_same_bytes_as_one_made_step_by_step() -> None:
    covariance = moments.covariance(np.full(3, 200), VALUES.sum(axis=1), PACKED)
    expected = moments.correlation(covariance)
    assert to_correlation(covariance).tobytes() == expected.tobytes()
