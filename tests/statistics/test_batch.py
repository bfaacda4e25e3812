"""Flat rows and padded windows say the same."""

from __future__ import annotations

import torch
from batches_for_tests import random_batch, windows
from hypothesis import given, settings
from hypothesis import strategies as st


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6))
@settings(deadline=None, max_examples=30)
def test_rows_know_their_window_and_position(lengths: list[int]) -> None:
    batch = random_batch(lengths)
    expected = [(w, t) for w, length in enumerate(batch.lengths.tolist()) for t in range(length)]
    found = zip(batch.window_of().tolist(), batch.position_of().tolist(), strict=True)
    assert list(found) == expected
    assert batch.starts().tolist() == [row for row, (_, t) in enumerate(expected) if t == 0]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6))
@settings(deadline=None, max_examples=30)
def test_padding_fills_the_ends_of_windows_alone(lengths: list[int]) -> None:
    batch = random_batch(lengths)
    padded = batch.padded(batch.values, fill=-7)
    assert padded.shape == (len(lengths), max(lengths), 3)
    for row, (_, values, _, _) in zip(padded, windows(batch), strict=True):
        assert torch.equal(row[: len(values)], torch.from_numpy(values))
        assert (row[len(values) :] == -7).all()
    assert batch.padded(batch.kept).sum() == batch.kept.sum()
